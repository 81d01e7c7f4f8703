"""IPv4 reassembly (RFC 791 3.2, RFC 815) bounded in datagrams, octets and time.

An exact repetition of a fragment is ignored; any other overlap discards the whole datagram, because overlapping
fragments serve attacks only (RFC 5722 and RFC 8900 say so for IPv6; nothing legitimate needs them in IPv4 either).
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final, TypeAlias

from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.ipv4 import MAXIMUM_LENGTH, MORE_FRAGMENTS, OFFSET_MASK

TIMEOUT: Final = 60_000_000
"""From the first fragment until the datagram is given up (RFC 1122 3.3.2), in microseconds."""

FRAGMENT_COST: Final = 128
"""Octets charged for each fragment held besides its data, so that tiny fragments are bounded as well."""

Key: TypeAlias = tuple[Address, Address, int, int]
"""Source, destination, protocol, identification (RFC 791)."""


class _Assembly:
    """The fragments of one datagram so far."""

    __slots__ = ("cost", "header", "octets", "pieces", "starts", "timer", "total")

    def __init__(self) -> None:
        self.header = b""  # the IP header of the fragment at offset 0, once it is here
        self.starts: list[int] = []
        self.pieces: dict[int, bytes] = {}
        self.octets = 0
        self.cost = 0
        self.total: int | None = None  # payload length of the whole, once the last fragment is here
        self.timer: Timer | None = None


class Reassembler:
    """Joins fragments. `timed_out` gets the start of each datagram (header, 8 octets) whose time ended, if it was seen."""

    def __init__(self, datagrams: int, octets: int, timers: Timers, statistics: Statistics, timed_out: Callable[[bytes], None]) -> None:
        self._datagram_limit = datagrams
        self._octet_limit = octets
        self._timers = timers
        self._statistics = statistics
        self._timed_out = timed_out
        self._assemblies: dict[Key, _Assembly] = {}
        self.octets = 0

    def __len__(self) -> int:
        return len(self._assemblies)

    def add(self, key: Key, datagram: memoryview, header_length: int, fragment: int) -> bytes | None:
        """Take one fragment; when it completes its datagram, that (the first fragment's header before it) is returned.

        `datagram` is the fragment with its IP header; `fragment` is the header's field of flags and offset.
        """
        start = (fragment & OFFSET_MASK) * 8
        more = bool(fragment & MORE_FRAGMENTS)
        length = len(datagram) - header_length
        end = start + length
        if length == 0 or (more and length % 8) or end + header_length > MAXIMUM_LENGTH:
            self._statistics.drop("ipv4.bad_fragment")
            return None
        piece = bytes(datagram[header_length:])
        assembly = self._assemblies.get(key) or self._begin(key)
        if assembly.pieces.get(start) == piece and (more or assembly.total == end):
            self._statistics.drop("ipv4.duplicate_fragment")
            return None
        if self._contradicts(assembly, start, end, more):
            self._statistics.drop("ipv4.overlapping_fragment")
            self._discard(key)
            return None
        self._hold(assembly, start, piece)
        if not more:
            assembly.total = end
        if start == 0:
            assembly.header = bytes(datagram[:header_length])
        if assembly.octets == assembly.total:
            self._discard(key)
            return assembly.header + b"".join(assembly.pieces[place] for place in assembly.starts)
        self._make_room(key)
        return None

    def _begin(self, key: Key) -> _Assembly:
        while len(self._assemblies) >= self._datagram_limit:
            self._evict()
        assembly = self._assemblies[key] = _Assembly()
        assembly.timer = self._timers.after(TIMEOUT, lambda: self._expire(key))
        return assembly

    @staticmethod
    def _contradicts(assembly: _Assembly, start: int, end: int, more: bool) -> bool:
        """Whether the new piece overlaps another or disagrees about where the datagram ends."""
        starts = assembly.starts
        index = bisect_right(starts, start)
        if index and starts[index - 1] + len(assembly.pieces[starts[index - 1]]) > start:
            return True
        if index < len(starts) and starts[index] < end:
            return True
        if assembly.total is not None:
            return not more or end > assembly.total
        return not more and index < len(starts)

    def _hold(self, assembly: _Assembly, start: int, piece: bytes) -> None:
        assembly.starts.insert(bisect_right(assembly.starts, start), start)
        assembly.pieces[start] = piece
        assembly.octets += len(piece)
        assembly.cost += len(piece) + FRAGMENT_COST
        self.octets += len(piece) + FRAGMENT_COST

    def _make_room(self, newest: Key) -> None:
        while self.octets > self._octet_limit and len(self._assemblies) > 1:
            self._evict()
        if self.octets > self._octet_limit:
            self._statistics.drop("ipv4.reassembly_full")
            self._discard(newest)

    def _evict(self) -> None:
        """Give up the oldest datagram: dictionaries keep the order of insertion."""
        self._statistics.drop("ipv4.reassembly_full")
        self._discard(next(iter(self._assemblies)))

    def _discard(self, key: Key) -> None:
        assembly = self._assemblies.pop(key)
        self.octets -= assembly.cost
        if assembly.timer is not None:
            assembly.timer.cancel()

    def _expire(self, key: Key) -> None:
        assembly = self._assemblies[key]
        self._statistics.drop("ipv4.reassembly_timeout")
        self._discard(key)
        if assembly.header:
            self._timed_out(assembly.header + assembly.pieces[0][:8])
