"""Address resolution around the generated machine (RFC 826, RFC 1122 2.3.2): the cache, what waits in it, and packets.

`Neighbour` is the surroundings of one machine, `Neighbours` the bounded cache of those that have an entry. Nothing in this
file looks at a machine's state or at a packet's operation; spec/net/arp.law says what happens.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from wirelaw.impl.device.link import Offload
from wirelaw.impl.generated.arp_neighbour import Arp, ArpNeighbour, Other, Reply, Request
from wirelaw.impl.net.ethernet import Interface
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire.arp import NO_MAC, REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4

MESSAGES: Final[dict[int, type[Arp]]] = {REQUEST: Request, REPLY: Reply}
"""Operations as messages of the law; all others are its `other`."""

Pending = tuple[bytes, Offload | None]
"""A datagram that waits for a MAC, with the work left to the device."""


class Neighbour:
    """One address on the link: the machine, its timer, and the datagrams that wait for the MAC.

    `used` is when a datagram was last meant for it, -1 for never: what the cache evicts by.
    """

    __slots__ = ("_neighbours", "_timer", "address", "machine", "pending", "used")

    def __init__(self, neighbours: "Neighbours", address: Address, pending_limit: int) -> None:
        self.address = address
        self.machine = ArpNeighbour(self)
        self.pending: deque[Pending] = deque(maxlen=pending_limit)
        self.used = -1
        self._neighbours = neighbours
        self._timer: Timer | None = None

    def pump(self) -> None:
        """Let the machine send what is due, and set the clock for the next time it wants to."""
        timers = self._neighbours.timers
        self.machine.tick(timers.now)
        self.machine.pump(timers.now)
        self.rest()
        deadline = self.machine.deadline()
        if deadline is not None:
            self._timer = timers.at(deadline, self.pump)

    def rest(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    # --- what the machine does --------------------------------------------------------------------------------

    def emit_request(self, o: Request) -> None:
        self._neighbours.transmit(REQUEST, o.to or BROADCAST, NO_MAC, self.address)

    def emit_reply(self, o: Reply) -> None:
        self._neighbours.transmit(REPLY, o.to, o.to, self.address)

    def tell_entered(self) -> None:
        self._neighbours.enter(self)

    def tell_confirmed(self, mac: bytes) -> None:
        while self.pending:
            datagram, offload = self.pending.popleft()
            self._neighbours.interface.send(mac, ETHERTYPE_IPV4, datagram, offload)

    def tell_forgotten(self) -> None:
        self._neighbours.forget(self)

    def tell_unreachable(self) -> None:
        for datagram, _ in self.pending:
            self._neighbours.statistics.drop("arp.unresolved")
            self._neighbours.unreachable(datagram)

    def tell_malformed(self) -> None:
        self._neighbours.statistics.drop("arp.malformed")

    def tell_conflict(self) -> None:
        self._neighbours.statistics.drop("arp.conflict")


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
        self.interface = interface
        self.timers = timers
        self.statistics = statistics
        self.unreachable = unreachable
        self._address = address
        self._limit = entries
        self._pending_limit = pending
        self._cache: dict[Address, Neighbour] = {}

    def __len__(self) -> int:
        return len(self._cache)

    def entries(self) -> list[tuple[Address, bytes, str]]:
        """The cache's content, for display: address, MAC (zeros while it is asked for), and the law's name of the state."""
        return [(n.address, n.machine.known or NO_MAC, n.machine.entry) for n in self._cache.values()]

    def lookup(self, address: Address) -> bytes | None:
        """The MAC to send to, or None when `resolve` must find it first."""
        neighbour = self._cache.get(address)
        if neighbour is None or neighbour.machine.call_use(self.timers.now):
            return None
        neighbour.used = self.timers.now
        mac: bytes = neighbour.machine.known
        return mac

    def resolve(self, address: Address, datagram: bytes, offload: Offload | None) -> None:
        """Keep `datagram` until `address` is resolved, which begins now if it has not yet.

        The oldest waiting datagram gives way to a new one (RFC 1122 2.3.2.2 asks to keep at least the latest).
        """
        neighbour = self._neighbour(address)
        if len(neighbour.pending) == neighbour.pending.maxlen:
            self.statistics.drop("arp.pending_full")
        neighbour.used = self.timers.now
        neighbour.pending.append((datagram, offload))
        neighbour.machine.call_resolve(self.timers.now)
        neighbour.pump()

    def input(self, payload: memoryview) -> None:
        """One received ARP packet (RFC 826 'Packet Reception'): it is its sender's machine that takes it."""
        packet = parse_arp(payload)
        if packet is None:
            self.statistics.drop("arp.malformed")
            return
        message = MESSAGES.get(packet.operation, Other)(
            source=packet.sender_mac,
            group=bool(packet.sender_mac[0] & 1),
            ours=packet.sender_ip == self._address,
            for_us=packet.target_ip == self._address,
            named=any(packet.sender_ip),
        )
        neighbour = self._neighbour(packet.sender_ip)
        neighbour.machine.on_arp(message, self.timers.now)
        neighbour.pump()

    def _neighbour(self, address: Address) -> Neighbour:
        """The entry for `address`, or a fresh machine, which may come to enter itself."""
        return self._cache.get(address) or Neighbour(self, address, self._pending_limit)

    # --- what neighbours ask for ------------------------------------------------------------------------------

    def enter(self, neighbour: Neighbour) -> None:
        """Take `neighbour` into the cache. When that is full, the one not used for longest gives way."""
        if len(self._cache) >= self._limit:
            self.statistics.drop("arp.evicted")
            self.forget(min(self._cache.values(), key=lambda n: n.used))
        self._cache[neighbour.address] = neighbour

    def forget(self, neighbour: Neighbour) -> None:
        """Drop `neighbour`."""
        neighbour.rest()
        self._cache.pop(neighbour.address, None)

    def transmit(self, operation: int, frame_dst: bytes, target_mac: bytes, target: Address) -> None:
        """Send one ARP packet of ours."""
        packet = ArpPacket(operation, self.interface.mac, self._address, target_mac, target)
        self.interface.send(frame_dst, ETHERTYPE_ARP, build_arp(packet))
