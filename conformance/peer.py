"""What a peer under test offers to the bench: raw frames, the calls of its user, and its clock.

A peer is one file in `conformance/peers/`: how it is started and stopped, what version it reports, what it needs, and under
which name the deviations that it is known for stand in `spec/tcp/peers/`.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from wirelaw.impl.wire.icmp import QUOTED_TRANSPORT, build_icmp
from wirelaw.impl.wire.ipv4 import DONT_FRAGMENT, ICMP, TCP, write_header
from wirelaw.impl.wire.tcp import CHECKSUM_OFFSET, Segment, build_segment
from wirelaw.oracle.engine.verdict import Environment

MASK = 0xFFFF_FFFF
_ETHERNET, _IPV4 = 14, 34
_LONGEST_HEADERS = _IPV4 + 60
_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class Station:
    """One end of the link: hardware address, packed IPv4 address, port."""

    mac: bytes
    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Ends:
    """The peer's end and the tester's end of one connection."""

    peer: Station
    tester: Station

    @property
    def key(self) -> tuple[int, int]:
        """What tells the connections of one bench apart: the peer's port and the tester's."""
        return self.peer.port, self.tester.port


def octets(start: int, size: int) -> bytes:
    """The text that stands at sequence numbers `start` and on: the same wherever a segment begins."""
    first = start % 251
    pattern = bytes(range(251))
    return (pattern[first:] + pattern * (size // 251 + 1))[:size]


def build_frame(ends: Ends, segment: Segment, sum_ok: bool = True) -> bytes:
    """`segment` from the tester to the peer, as an Ethernet frame; numbers are taken modulo 2^32."""
    segment.src_port, segment.dst_port = ends.tester.port, ends.peer.port
    segment.seq &= MASK
    segment.ack &= MASK
    segment.tsval &= MASK
    segment.tsecr &= MASK
    buffer = bytearray(_LONGEST_HEADERS + len(segment.payload))
    length = build_segment(buffer, _IPV4, segment, ends.tester.address, ends.peer.address)
    write_header(buffer, _ETHERNET, 20 + length, 0, DONT_FRAGMENT, 64, TCP, ends.tester.address, ends.peer.address)
    buffer[:_ETHERNET] = ends.peer.mac + ends.tester.mac + b"\x08\x00"
    if not sum_ok:
        buffer[_IPV4 + CHECKSUM_OFFSET] ^= 0x55
    return bytes(buffer[: _IPV4 + length])


def build_error(ends: Ends, kind: int, code: int, seq: int) -> bytes:
    """An ICMP error from the tester's end, as an Ethernet frame; it quotes the peer's segment that began at `seq`."""
    quoted = bytearray(20 + QUOTED_TRANSPORT)
    write_header(quoted, 0, 40, 0, DONT_FRAGMENT, 64, TCP, ends.peer.address, ends.tester.address)
    quoted[20:] = struct.pack("!HHI", ends.peer.port, ends.tester.port, seq & MASK)
    message = build_icmp(kind, code, 0, 0, bytes(quoted))
    buffer = bytearray(_IPV4 + len(message))
    write_header(buffer, _ETHERNET, 20 + len(message), 0, DONT_FRAGMENT, 64, ICMP, ends.tester.address, ends.peer.address)
    buffer[:_ETHERNET] = ends.peer.mac + ends.tester.mac + b"\x08\x00"
    buffer[_IPV4:] = message
    return bytes(buffer)


def ports(frame: bytes) -> tuple[int, int] | None:
    """Source and destination port of a frame that carries TCP over IPv4; None for all others."""
    if len(frame) < _IPV4 + 20 or frame[12:14] != b"\x08\x00" or frame[23] != TCP:
        return None
    at = _ETHERNET + (frame[14] & 15) * 4
    return frame[at] << 8 | frame[at + 1], frame[at + 2] << 8 | frame[at + 3]


class PeerCrashError(Exception):
    """The peer's own code failed: a finding, whatever the law says."""


class Session(ABC):
    """One connection of the peer: its two ends, and its user."""

    ends: Ends
    listening: bool = False
    """A passive open has been made and no connection has come of it yet."""

    @abstractmethod
    def call(self, name: str, n: int = 0) -> None:
        """The user calls `name` of the law (open_active, open_passive, send, receive, close, leave, abort, push).

        It never blocks; a call that the peer refuses, or that its interface cannot make now, has no effect.
        """

    @abstractmethod
    def accept(self) -> None:
        """Take the connection a passive open led to, if there is one; nothing listens on the port from then on."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything at once; the connection is not judged any more."""


class Peer(ABC):
    """A stack under test, started. A context manager: leaving it stops the peer and removes what it made."""

    name: ClassVar[str]
    deviations: ClassVar[str] = ""
    """Whose deviations a judge knows (`spec/tcp/peers`): reports mark them instead of counting them as findings."""
    is_virtual: ClassVar[bool] = False
    """Its clock is virtual: waiting costs nothing and the same walk gives the same answers."""
    at_once: ClassVar[int] = 64
    """How many connections may run at once."""
    calls: ClassVar[frozenset[str]] = frozenset({"open_active", "open_passive", "send", "receive", "close", "leave", "abort", "push"})

    @property
    @abstractmethod
    def version(self) -> str:
        """The version, as the peer reports it."""

    @property
    @abstractmethod
    def environment(self) -> Environment:
        """What stands between the bench's capture and the peer."""

    @abstractmethod
    def now(self) -> int:
        """The peer's clock in microseconds."""

    @abstractmethod
    def open(self, buffer: int = 0) -> Session:
        """A session on ports of its own, nothing opened yet; `buffer` octets of receive buffer (0: the default)."""

    @abstractmethod
    def transmit(self, frame: bytes) -> None:
        """A frame to the peer, now; it should have acted on the frame when this returns."""

    @abstractmethod
    def wait(self, until: int) -> list[tuple[int, bytes]]:
        """Frames the peer sent, each with its time; returns with the first ones there are, or when the clock is at `until`."""

    @abstractmethod
    def close(self) -> None:
        """Stop the peer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a peer cannot take part here, and the one command that would change it."""

    reason: str
    command: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.command}"
