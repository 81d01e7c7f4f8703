"""Address resolution (RFC 826, with the cache validation of RFC 1122 2.3.2.1).

A neighbour is in one of three states; an address not in the cache has none.

    state        what it means                        on its timer
    INCOMPLETE   asked by broadcast, no answer yet    ask again; after the last time give up
    REACHABLE    its MAC is known                     used since: become PROBED; unused: forget it
    PROBED       asked by unicast, still used         ask again; after the last time forget it

Any valid ARP packet from a neighbour in the cache makes it REACHABLE. One that is not gets in only by asking for us:
answers nobody asked for create nothing.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from wirelaw.impl.device.link import Offload
from wirelaw.impl.net.ethernet import Interface
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire.arp import NO_MAC, REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4

RETRY: Final = 1_000_000
"""Between requests for one address: at most one a second (RFC 1122 2.3.2.1), in microseconds."""
TRIES: Final = 3
LIFETIME: Final = 60_000_000
"""How long an answer is believed, in microseconds."""

Pending = tuple[bytes, Offload | None]
"""A datagram that waits for a MAC, with the work left to the device."""


class State(Enum):
    """What is known of a neighbour; see the table above."""

    INCOMPLETE = auto()
    REACHABLE = auto()
    PROBED = auto()


class Neighbour:
    """One cache entry. `used` is when a datagram was last sent to it; -1 for never."""

    __slots__ = ("address", "mac", "pending", "state", "timer", "tries", "used")

    def __init__(self, address: Address, pending_limit: int) -> None:
        self.address = address
        self.mac = NO_MAC
        self.state = State.INCOMPLETE
        self.tries = 0
        self.used = -1
        self.pending: deque[Pending] = deque(maxlen=pending_limit)
        self.timer: Timer | None = None


class Neighbours:
    """The bounded cache of neighbours of one interface."""

    def __init__(
        self,
        interface: Interface,
        address: Address,
        entries: int,
        pending: int,
        timers: Timers,
        statistics: Statistics,
        unreachable: Callable[[bytes], None],
    ) -> None:
        """Keep up to `entries` neighbours; `unreachable` gets each datagram given up because nobody answered."""
        self._interface = interface
        self._address = address
        self._limit = entries
        self._pending_limit = pending
        self._timers = timers
        self._statistics = statistics
        self._unreachable = unreachable
        self._cache: dict[Address, Neighbour] = {}

    def __len__(self) -> int:
        return len(self._cache)

    def entries(self) -> list[tuple[Address, bytes, State]]:
        """The cache's content, for display."""
        return [(entry.address, entry.mac, entry.state) for entry in self._cache.values()]

    def lookup(self, address: Address) -> bytes | None:
        """The MAC to send to, or None when `resolve` must find it first."""
        entry = self._cache.get(address)
        if entry is None or entry.state is State.INCOMPLETE:
            return None
        entry.used = self._timers.now
        return entry.mac

    def resolve(self, address: Address, datagram: bytes, offload: Offload | None) -> None:
        """Keep `datagram` until `address` is resolved, which begins now if it has not yet.

        The oldest waiting datagram gives way to a new one (RFC 1122 2.3.2.2 asks to keep at least the latest).
        """
        entry = self._cache.get(address)
        if entry is None:
            entry = self._create(address)
            self._ask(entry)
        if len(entry.pending) == entry.pending.maxlen:
            self._statistics.drop("arp.pending_full")
        entry.used = self._timers.now
        entry.pending.append((datagram, offload))

    def input(self, payload: memoryview) -> None:
        """One received ARP packet (RFC 826 'Packet Reception')."""
        packet = parse_arp(payload)
        if packet is None or packet.sender_mac[0] & 1 or packet.operation not in {REQUEST, REPLY}:
            self._statistics.drop("arp.malformed")
            return
        if packet.sender_ip == self._address:
            self._statistics.drop("arp.conflict")
            return
        asks_us = packet.operation == REQUEST and packet.target_ip == self._address
        entry = self._cache.get(packet.sender_ip)
        if entry is None and asks_us and any(packet.sender_ip):
            entry = self._create(packet.sender_ip)
        if entry is not None:
            self._confirm(entry, packet.sender_mac)
        if asks_us:
            self._transmit(REPLY, packet.sender_mac, packet.sender_mac, packet.sender_ip)

    def _create(self, address: Address) -> Neighbour:
        if len(self._cache) >= self._limit:
            oldest = min(self._cache.values(), key=lambda entry: entry.used)
            self._statistics.drop("arp.evicted")
            self._forget(oldest)
        entry = self._cache[address] = Neighbour(address, self._pending_limit)
        return entry

    def _confirm(self, entry: Neighbour, mac: bytes) -> None:
        entry.mac = mac
        entry.tries = 0
        entry.state = State.REACHABLE
        self._set_timer(entry, LIFETIME)
        while entry.pending:
            datagram, offload = entry.pending.popleft()
            self._interface.send(mac, ETHERTYPE_IPV4, datagram, offload)

    def _expired(self, entry: Neighbour) -> None:
        if entry.state is State.REACHABLE:
            if self._timers.now - entry.used >= LIFETIME or entry.used < 0:
                self._forget(entry)
                return
            entry.state = State.PROBED
        if entry.tries < TRIES:
            self._ask(entry)
            return
        self._forget(entry)
        for datagram, _ in entry.pending:
            self._statistics.drop("arp.unresolved")
            self._unreachable(datagram)

    def _forget(self, entry: Neighbour) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        self._cache.pop(entry.address, None)

    def _ask(self, entry: Neighbour) -> None:
        entry.tries += 1
        mac = BROADCAST if entry.state is State.INCOMPLETE else entry.mac
        self._transmit(REQUEST, mac, NO_MAC, entry.address)
        self._set_timer(entry, RETRY)

    def _set_timer(self, entry: Neighbour, delay: int) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer = self._timers.after(delay, lambda: self._expired(entry))

    def _transmit(self, operation: int, frame_dst: bytes, target_mac: bytes, target: Address) -> None:
        packet = ArpPacket(operation, self._interface.mac, self._address, target_mac, target)
        self._interface.send(frame_dst, ETHERTYPE_ARP, build_arp(packet))
