"""Mutated frames into a host with live connections in every state: it raises nothing and its memory stays bounded."""

from __future__ import annotations

import resource
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from typing import Final

from wirelaw.impl.net.config import WIRELAW, HostConfig
from wirelaw.impl.net.host import VirtualHost
from wirelaw.impl.net.lan import Lan
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.impl.wire.checksum import pseudo_header_sum, word_sum
from wirelaw.impl.wire.tcp import CHECKSUM_OFFSET, PROTOCOL

_TARGET, _PEER = IPv4Address("10.0.2.15"), IPv4Address("10.0.2.7")
_LIMITS: Final = replace(WIRELAW, tcp_connections=256, tcp_backlog=32, tcp_receive_buffer=32 << 10, tcp_send_buffer=32 << 10)
_ETHERNET, _IP, _KEPT, _ROUND = 14, 20, 200, 500
_EDGES: Final = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class FuzzResult:
    """What a run did. `peak` is the greatest growth of the process in octets that was seen, `most` the greatest table.

    `states` are those the host's connections were in while frames came; `failures` the exceptions, as text.
    """

    frames: int
    seed: int
    seconds: float
    peak: int
    most: int
    left: int
    states: frozenset[str] = frozenset()
    drops: dict[str, int] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing was raised, the table of connections never ran over, and none is left in it."""
        return not self.failures and self.most <= _LIMITS.tcp_connections and not self.left


class _Field:
    """Two hosts on a cable with traffic between them: where frames to mutate come from, and where they go."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.target = VirtualHost(HostConfig(ip=_TARGET, gateway=None, limits=_LIMITS), seed)
        self.peer = VirtualHost(HostConfig(bytes.fromhex("525400000007"), _PEER, gateway=None, limits=_LIMITS), seed + 1)
        self.lan = Lan(self.target, self.peer, seed=seed)
        self.lan.tap = self._keep
        self.frames: list[bytes] = []
        self.sockets: list[TcpSocket] = []
        self.states: set[str] = set()
        self.listeners = [self._listen(self.target), self._listen(self.peer)]

    def _listen(self, host: VirtualHost) -> TcpSocket:
        listener = host.socket()
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        return listener

    def _keep(self, _: int, frame: bytes) -> None:
        if frame[:6] == self.target.config.mac:
            if len(self.frames) < _KEPT:
                self.frames.append(frame)
            else:
                self.frames[self.random.randrange(_KEPT)] = frame

    def stir(self) -> None:
        """Open, use and close some connections, so that they stand in many states."""
        random = self.random
        for host, there in ((self.target, _PEER), (self.peer, _TARGET)):
            made = host.socket()
            made.settimeout(0)
            with suppress(OSError):
                self.sockets.append(made)
                made.connect((str(there), random.choice((80, 80, 80, 81))))
        self.lan.run(random.choice((0.0, 0.0001, 0.01)))
        for listener in self.listeners:
            with suppress(OSError):
                self.sockets.append(listener.accept()[0])
        for sock in random.sample(self.sockets, min(12, len(self.sockets))):
            with suppress(OSError):
                self._use(sock)
        self._note()
        self.lan.run(random.choice((0.0, 0.0001, 0.05, 2.0)))
        while len(self.sockets) > 60:
            self.sockets.pop(random.randrange(len(self.sockets))).close()
        self._note()

    def _note(self) -> None:
        self.states |= {c.machine.conn for c in self.target.stack.tcp.table.connections()}

    def _use(self, sock: TcpSocket) -> None:
        sock.settimeout(0)
        match self.random.randrange(6):
            case 0 | 1:
                sock.send(self.random.randbytes(self.random.choice((1, 100, 5_000, 40_000))))
            case 2 | 3:
                sock.recv(self.random.choice((1, 1_000, 1 << 20)))
            case 4:
                sock.shutdown(socket.SHUT_WR)
            case _:
                if self.random.random() < 0.3:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sockets.remove(sock)
                sock.close()

    def end(self) -> None:
        """Close everything and let every timer run out."""
        for sock in [*self.sockets, *self.listeners]:
            sock.close()
        self.sockets.clear()
        self.lan.run(1_200)


def mutated(frame: bytes, random: Random) -> bytes:
    """A variant of a TCP frame; most keep their checksums right, so that they reach the connection."""
    made = bytearray(frame)
    if len(frame) < _ETHERNET + _IP + 20 or frame[12:14] != b"\x08\x00" or frame[23] != PROTOCOL:
        made[random.randrange(len(made))] ^= 1 << random.randrange(8)
        return bytes(made)
    tcp = _ETHERNET + _IP
    for _ in range(random.randint(1, 3)):
        match random.randrange(9):
            case 0:  # sequence or acknowledgment number, a little or far off
                _shift(made, tcp + random.choice((4, 8)), random)
            case 1:
                made[tcp + 13] = random.randrange(256)
            case 2:
                made[tcp + 14 : tcp + 16] = random.choice((0, 1, 1_000, 65_535)).to_bytes(2, "big")
            case 3:
                made[tcp + 12] = random.randrange(256)
            case 4:  # options and text
                place = random.randrange(tcp + 12, len(made))
                made[place : place + 4] = random.randbytes(len(made[place : place + 4]))
            case 5:
                del made[random.randrange(tcp, len(made) + 1) :]
            case 6:
                made += random.randbytes(random.choice((1, 8, 500)))
            case 7:
                _shift(made, tcp + 24, random)
            case _:
                made[random.randrange(_ETHERNET, len(made))] ^= 1 << random.randrange(8)
        if len(made) < tcp + 20:
            break
    if random.random() < 0.9:
        _mend(made)
    return bytes(made)


def _shift(made: bytearray, place: int, random: Random) -> None:
    if len(made) >= place + 4:
        number = int.from_bytes(made[place : place + 4], "big")
        number += random.choice((*_EDGES, random.randrange(-3_000, 3_000), random.randrange(-70_000, 70_000)))
        made[place : place + 4] = (number & 0xFFFF_FFFF).to_bytes(4, "big")


def _mend(made: bytearray) -> None:
    """Make length and checksums right."""
    if len(made) < _ETHERNET + _IP + 20:
        return
    made[16:18] = (len(made) - _ETHERNET).to_bytes(2, "big")
    tcp = _ETHERNET + _IP
    pseudo = pseudo_header_sum(bytes(made[26:30]), bytes(made[30:34]), PROTOCOL, len(made) - tcp)
    for place, start, end, more in ((24, _ETHERNET, tcp, 0), (tcp + CHECKSUM_OFFSET, tcp, len(made), pseudo)):
        made[place : place + 2] = bytes(2)
        total = word_sum(memoryview(bytes(made[start:end]))) + more
        made[place : place + 2] = (-total % 65535).to_bytes(2, "big")


def _resident() -> int:
    """Memory of this process, in octets."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def fuzz(frames: int, seed: int, progress: Callable[[int], None] | None = None) -> FuzzResult:
    """Give a host `frames` mutated frames between bouts of ordinary traffic; the same seed makes the same run.

    `progress` is called now and then with the number of frames given so far.
    """
    began = time.monotonic()
    field_, failures, most, peak = _Field(seed), list[str](), 0, 0
    for _ in range(20):
        field_.stir()
    before, given = _resident(), 0
    while given < frames and len(failures) < 10:
        for _ in range(min(_ROUND, frames - given)):
            given += 1
            frame = mutated(field_.random.choice(field_.frames), field_.random)
            try:
                field_.target.receive(frame)
            except Exception as error:
                failures.append(f"frame {given} ({frame.hex()}): {type(error).__name__}: {error}")
        most = max(most, field_.target.statistics.tcp_conns)
        try:
            field_.stir()
        except Exception as error:
            failures.append(f"after frame {given}: {type(error).__name__}: {error}")
        peak = max(peak, _resident() - before)
        if progress is not None:
            progress(given)
    field_.end()
    return FuzzResult(
        given, seed, time.monotonic() - began, peak, most, field_.target.statistics.tcp_conns,
        frozenset(field_.states), dict(field_.target.statistics.drops), tuple(failures),
    )  # fmt: skip
