"""The Linux kernel: a network namespace without a name, and a TAP whose wire side is the tester's.

Every frame passes one descriptor in one thread, so the capture is near and in the kernel's own order: a frame written to
the TAP is processed before `write` returns, and what it calls forth at once can be read then. No segmentation offload.
"""

from __future__ import annotations

import errno
import os
import platform
import select
import socket
import struct
import time
from contextlib import suppress

from wirelaw.conformance.netns import Namespace, missing_means
from wirelaw.conformance.peer import Ends, Missing, Peer, Session, Station, octets
from wirelaw.impl.wire.ethernet import parse_mac
from wirelaw.oracle.engine.verdict import Environment

_INTERFACE = "wire"
_PEER, _TESTER = "10.97.0.1", "10.97.0.2"
_TESTER_MAC = parse_mac("02:57:4c:00:00:02")
_FIRST_PORT, _LAST_PORT = 2_000, 60_000
_FRAME = 65_550
_BURST = 256
# Answers to bad segments are limited in rate by default: then most of what they should be could not be judged.
_SYSCTLS = {
    "net.ipv4.tcp_invalid_ratelimit": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.tcp_max_syn_backlog": 4096,
    "net.ipv4.tcp_ecn": 0,
}


def missing() -> Missing | None:
    """What keeps this peer from taking part; None when nothing does."""
    if platform.system() != "Linux":
        return Missing("this is no Linux kernel", "run on Linux")
    reason = missing_means(tap=True)
    return Missing(reason.partition(";")[0], "run under: unshare -rn") if reason else None


class _LinuxSession(Session):
    def __init__(self, namespace: Namespace, ends: Ends, buffer: int) -> None:
        self.ends = ends
        with namespace.entered():
            self._first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._first.setblocking(False)
        self._first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            self._first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._first.bind((_PEER, ends.peer.port))
        self._connection: socket.socket | None = None
        self._sent = 0

    def accept(self) -> None:
        if self.listening:
            with suppress(BlockingIOError, ConnectionError):
                self._connection, _ = self._first.accept()
                self._connection.setblocking(False)
                self._first.close()
                self.listening = False

    def call(self, name: str, n: int = 0) -> None:
        if name == "open_passive":
            self._first.listen(16)
            self.listening = True
        elif name == "open_active":
            self._first.connect_ex((socket.inet_ntoa(self.ends.tester.address), self.ends.tester.port))
            self._connection = self._first
        elif self._connection is not None and self._connection.fileno() >= 0:
            with suppress(OSError):
                self._act(self._connection, name, n)

    def _act(self, connection: socket.socket, name: str, n: int) -> None:
        match name:
            case "send":
                self._sent += connection.send(octets(self._sent, n))
            case "receive":
                while connection.recv(65_536):
                    pass
            case "close":
                connection.shutdown(socket.SHUT_WR)
            case "leave":
                connection.close()
            case "abort":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            case "push":
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(n > 0))

    def close(self) -> None:
        self.accept()
        for s in {self._connection, self._first}:
            if s is not None and s.fileno() >= 0:
                with suppress(OSError):
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()


class LinuxPeer(Peer):
    """The running kernel."""

    name = deviations = "linux"
    at_once = 96

    def __init__(self, seed: int = 0) -> None:
        self._epoch = time.time_ns() // 1000 - time.monotonic_ns() // 1000
        self._port = _FIRST_PORT + seed % 997
        self._namespace = Namespace()
        try:
            self._tap = self._namespace.add_tap(_INTERFACE, f"{_PEER}/24")
            for name, value in _SYSCTLS.items():
                self._namespace.set_sysctl(name, value)
            tester = ":".join(f"{octet:02x}" for octet in _TESTER_MAC)
            self._namespace.ip("neighbour", "replace", _TESTER, "lladdr", tester, "dev", _INTERFACE, "nud", "permanent")
            with self._namespace.entered():
                self._mac = self._own_mac()
        except BaseException:
            self._namespace.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._tap, select.POLLIN)

    def _own_mac(self) -> bytes:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind((_INTERFACE, 0))
            return bytes(probe.getsockname()[4])

    @property
    def version(self) -> str:
        return platform.release().partition("-")[0]

    @property
    def environment(self) -> Environment:
        return Environment(lag=50_000, swap=0, losses=0)

    def now(self) -> int:
        return self._epoch + time.monotonic_ns() // 1000

    def open(self, buffer: int = 0) -> Session:
        for _ in range(64):
            self._port = _FIRST_PORT if self._port >= _LAST_PORT else self._port + 1
            ends = Ends(
                Station(self._mac, socket.inet_aton(_PEER), self._port),
                Station(_TESTER_MAC, socket.inet_aton(_TESTER), _LAST_PORT + _FIRST_PORT - self._port),
            )
            try:
                return _LinuxSession(self._namespace, ends, buffer)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "64 ports in turn are in use")

    def transmit(self, frame: bytes) -> None:
        os.write(self._tap, frame)

    def wait(self, until: int) -> list[tuple[int, bytes]]:
        while True:
            if frames := self._drain():
                return frames
            left = until - self.now()
            if left <= 0:
                return []
            self._poll.poll(max(1, -(-left // 1000)))

    def _drain(self) -> list[tuple[int, bytes]]:
        frames: list[tuple[int, bytes]] = []
        with suppress(BlockingIOError):
            while len(frames) < _BURST:
                frames.append((0, os.read(self._tap, _FRAME)))
        now = self.now()
        return [(now, frame) for _, frame in frames]

    def close(self) -> None:
        if self._tap >= 0:
            os.close(self._tap)
            self._tap = -1
        self._namespace.close()
