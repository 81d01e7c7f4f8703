"""From captured packets to TCP observations: one stream of events per connection, in constant memory.

The oracle never sees bytes or 32-bit residues. It sees, per connection and in capture order, segments whose sequence
numbers are plain integers, with the facts only the whole trace can tell: `same` (the payload equals what was first sent
at these numbers) and `sum_ok`. Where the trace cannot tell, the fact is true and nothing is held against the stack; where
a connection cannot be judged at all, `Connection.doubts` says why.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple

from wirelaw.impl.wire.tcp import Segment, parse_segment
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.capture.packet import ip_offset, sent_by_host

from .ghost import Budget, GhostStore
from .sequence_space import SequenceSpace

_TCP = 6
_FRAGMENT = 44
_EXTENSIONS = frozenset({0, 43, 60})  # hop-by-hop options, routing, destination options (RFC 8200 4)
_MORE_OR_OFFSET = 0x3FFF
_STORE_LIMIT = 1 << 21
# One turnaround time must exceed the other this many times before it tells the two ends apart.
_TURNAROUND_RATIO = 4
# Both ends answering this fast, in microseconds, leaves no room for a network between them and the capture.
_SAME_MACHINE_US = 100


class Direction(IntEnum):
    """The direction of a segment, and the role of its sender."""

    CLIENT = 0
    SERVER = 1


@dataclass(frozen=True, slots=True)
class ObservedSegment:
    """A segment as `impl.wire.tcp.Segment`, with `seq`, `ack` and `sacks` unwrapped, and the fact `same`.

    `ack` is 0 when the ACK bit is not set. `len` is the payload's length on the wire; `payload` may be shorter (snaplen).
    `sum_ok` also holds for a partial checksum (offloaded: the folded pseudo-header sum).
    """

    src_port: int
    dst_port: int
    seq: int
    ack: int
    wnd: int
    up: int
    syn: bool
    fin: bool
    rst: bool
    ackf: bool
    psh: bool
    urg: bool
    ece: bool
    cwr: bool
    len: int
    mss: int
    has_mss: bool
    wscale: int
    has_wscale: bool
    sack_ok: bool
    tson: bool
    tsval: int
    tsecr: int
    sacks: tuple[tuple[int, int], ...]
    sum_ok: bool
    gso_size: int
    payload: bytes
    same: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """A segment seen at `time` (microseconds since the epoch) as packet `number` of the capture."""

    number: int
    time: int
    direction: Direction
    segment: ObservedSegment


class Endpoint(NamedTuple):
    """An address as octets (4 or 16) and a port."""

    octets: bytes
    port: int

    @property
    def address(self) -> str:
        """The address in its usual notation."""
        return str(ip_address(self.octets))

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if len(self.octets) == 16 else f"{self.address}:{self.port}"


@dataclass(slots=True, eq=False)
class Connection:
    """One incarnation of a connection, numbered from 1 in the order of appearance.

    `starts_midway`: the opening SYN was not captured; the roles are then guessed (the lower port serves). `doubts`: why
    it cannot be judged, empty when it can. `predecessor`: the number of the connection whose endpoints this one uses
    again, so that its peer may have been in TIME-WAIT.
    """

    number: int
    client: Endpoint
    server: Endpoint
    first_us: int
    spaces: tuple[SequenceSpace, SequenceSpace]
    starts_midway: bool
    predecessor: int | None = None
    last_us: int = 0
    doubts: list[str] = field(default_factory=list)
    opening: list[tuple[str, int]] = field(default_factory=list)
    outgoing: list[set[bool]] = field(default_factory=lambda: [set(), set()])
    _keys: tuple[object, ...] = ()

    @property
    def packets(self) -> int:
        """Segments seen in both directions."""
        return self.spaces[0].packets + self.spaces[1].packets

    @property
    def closed(self) -> bool:
        """An RST has been seen, or a FIN in each direction."""
        client, server = self.spaces
        return client.rst or server.rst or (client.fin and server.fin)

    def doubt(self, reason: str) -> None:
        """This connection cannot be judged, for `reason`."""
        if reason not in self.doubts:
            self.doubts.append(reason)

    def __str__(self) -> str:
        return f"{self.client} > {self.server}"


class _Located(NamedTuple):
    """Where a TCP segment lies in a packet: offset, length on the wire, pseudo-header, and the fragment flag."""

    at: int
    size: int
    addresses: bytes
    header_ok: bool
    fragment: bool


def _locate_ipv4(packet: Packet, at: int) -> _Located | str:
    data = packet.data
    if len(data) < at + 20:
        return "IP header cut off"
    header = (data[at] & 0x0F) * 4
    total = data[at + 2] << 8 | data[at + 3]
    if total == 0:  # a super-segment longer than the field can say, or left to the device to fill in
        total = packet.original_length - at
    if header < 20 or total < header:
        return "malformed IP header"
    flags = (data[at + 6] << 8 | data[at + 7]) & _MORE_OR_OFFSET
    if data[at + 9] != _TCP:
        return "not TCP"
    if flags & 0x1FFF:
        return "later fragment"
    stored = data[at + 10] << 8 | data[at + 11]
    header_ok = not stored or int.from_bytes(data[at : at + header], "big") % 65535 == 0
    return _Located(at + header, total - header, data[at + 12 : at + 20], header_ok, bool(flags))


def _locate_ipv6(packet: Packet, at: int) -> _Located | str:
    data = packet.data
    if len(data) < at + 40:
        return "IP header cut off"
    kind, end = data[at + 6], at + 40 + (data[at + 4] << 8 | data[at + 5])
    if end == at + 40:
        end = packet.original_length
    header, fragment = at + 40, False
    while kind != _TCP:
        if len(data) < header + 8:
            return "IP header cut off"
        if kind == _FRAGMENT:
            if (data[header + 2] << 8 | data[header + 3]) & 0xFFF8:
                return "later fragment"
            fragment, size = True, 8
        elif kind in _EXTENSIONS:
            size = (data[header + 1] + 1) * 8
        else:
            return "not TCP"
        kind, header = data[header], header + size
    return _Located(header, end - header, data[at + 8 : at + 40], True, fragment)


def _checksum_ok(octets: bytes, addresses: bytes, size: int) -> bool:
    """Whether the TCP checksum holds, in full or in its partial form.

    With checksum offload a near capture holds the folded sum of the pseudo-header, some drivers leaving out the length.
    The sum is taken modulo 65535, to which 2^16 is congruent to 1 (RFC 1071 1).
    """
    pseudo = int.from_bytes(addresses, "big") + _TCP
    field_value = octets[16] << 8 | octets[17]
    if (pseudo + size - field_value) % 65535 == 0 or (pseudo - field_value) % 65535 == 0:
        return True
    even = octets if size % 2 == 0 else octets + b"\0"
    return (int.from_bytes(even, "big") + pseudo + size) % 65535 == 0


class Demultiplexer:
    """Turns packets into observations of connections.

    At most `limit` connections are followed at once; beyond it the longest idle are retired. `on_retire` is called once
    for each connection that will not be seen again: replaced by a new incarnation, evicted, or at `finish`. `skipped`
    counts the packets that gave no observation, by reason. Payload is kept up to `memory` octets in all, and beyond it
    `same` becomes unknown (true).
    """

    def __init__(self, limit: int = 4096, memory: int = 64 << 20, on_retire: Callable[[Connection], None] | None = None):
        self.skipped: Counter[str] = Counter()
        self._limit = limit
        self._budget = Budget(memory)
        self._on_retire = on_retire
        self._table: dict[tuple[int, bytes], tuple[Connection, Direction]] = {}
        self._count = 0

    @property
    def connections(self) -> list[Connection]:
        """The connections being followed, in order of appearance."""
        return sorted({id(c): c for c, _ in self._table.values()}.values(), key=lambda c: c.number)

    def feed(self, packet: Packet) -> tuple[Connection, Observation] | None:
        """The observation `packet` gives and its connection; None when it holds no whole TCP header."""
        seen = self._interpret(packet)
        if isinstance(seen, str):
            self.skipped[seen] += 1
            return None
        return seen

    def _interpret(self, packet: Packet) -> tuple[Connection, Observation] | str:
        """The observation, or the reason for none."""
        at = ip_offset(packet)
        if at < 0:
            return "not IP"
        version = packet.data[at] >> 4
        if version not in (4, 6):
            return "not IP"
        located = _locate_ipv4(packet, at) if version == 4 else _locate_ipv6(packet, at)
        if isinstance(located, str):
            return located
        octets = packet.data[located.at : located.at + located.size]
        segment = parse_segment(memoryview(octets), b"", b"", False)
        if segment is None:
            return "TCP header cut off" if len(octets) < located.size else "malformed TCP header"
        connection, direction = self._connection(packet, located, octets, segment)
        if located.fragment:
            connection.doubt("fragments")
            return "first fragment"
        return connection, self._observe(packet, located, octets, segment, connection, direction)

    def finish(self) -> None:
        """Retire every connection: the capture is at its end."""
        for connection in self.connections:
            self._retire(connection)

    def _observe(
        self,
        packet: Packet,
        located: _Located,
        octets: bytes,
        s: Segment,
        connection: Connection,
        direction: Direction,
    ) -> Observation:
        own, peer = connection.spaces[direction], connection.spaces[1 - direction]
        whole = len(octets) == located.size
        size = s.len + located.size - len(octets)
        sum_ok = located.header_ok and (not whole or _checksum_ok(octets, located.addresses, located.size))
        seq = own.unwrap_reset(s.seq, peer.last_ack) if s.rst else own.unwrap(s.seq)
        ack, sacks = 0, s.sacks
        if s.ackf:
            ack = peer.unwrap(s.ack)
            if sacks:
                sacks = tuple((peer.unwrap(left), peer.unwrap(right)) for left, right in sacks)
        payload = bytes(s.payload)
        same = True
        if sum_ok:  # a damaged segment never reaches the protocol: it neither confirms nor ends anything
            if payload:
                same = own.store.check(seq + s.syn, payload)
                if self._budget.used > self._budget.limit:
                    self._relieve()
            self._follow(connection, direction, packet, s, seq, size, ack)
        own.packets += 1
        connection.last_us = packet.time_us
        observed = ObservedSegment(
            s.src_port, s.dst_port, seq, ack, s.wnd, s.up, s.syn, s.fin, s.rst, s.ackf, s.psh, s.urg, s.ece, s.cwr, size,
            s.mss, s.has_mss, s.wscale, s.has_wscale, s.sack_ok, s.tson, s.tsval, s.tsecr, sacks, sum_ok, 0, payload,
            same,
        )  # fmt: skip
        return Observation(packet.number, packet.time_us, direction, observed)

    def _follow(self, connection: Connection, direction: Direction, packet: Packet, s: Segment, seq: int, size: int, ack: int) -> None:
        """Note what the segment says about its connection."""
        own, peer = connection.spaces[direction], connection.spaces[1 - direction]
        own.sent(seq + size + s.syn + s.fin, one_way=not peer.packets)
        if s.ackf:
            own.last_ack = ack
            peer.acknowledged(ack)
        if s.syn or s.fin or s.rst:
            if s.syn and own.isn is None:
                own.isn = seq
            own.fin |= s.fin
            own.rst |= s.rst
        if len(connection.opening) < 3:
            kind = ("syn/ack" if s.ackf else "syn") if s.syn else "ack" if s.ackf and not s.rst else "other"
            connection.opening.append((f"{direction.name.lower()} {kind}", packet.time_us))
        if packet.linktype in (LinkType.LINUX_SLL, LinkType.LINUX_SLL2):
            sent = sent_by_host(packet)
            if sent is not None:
                connection.outgoing[direction].add(sent)

    def _connection(self, packet: Packet, located: _Located, octets: bytes, s: Segment) -> tuple[Connection, Direction]:
        key = (packet.interface, located.addresses + octets[:4])
        entry = self._table.get(key)
        if entry is None:
            return self._open(packet, located.addresses, s, None)
        if s.syn and not s.ackf:
            connection, direction = entry
            own, peer = connection.spaces[direction], connection.spaces[1 - direction]
            again = own.isn is not None and (own.isn - s.seq) % (1 << 32) == 0
            # A new SYN begins a new incarnation after a close, or when nobody ever answered the old one.
            if not again and (connection.closed or not peer.packets):
                self._retire(connection)
                return self._open(packet, located.addresses, s, connection.number if peer.packets else None)
        return entry

    def _open(self, packet: Packet, addresses: bytes, s: Segment, predecessor: int | None) -> tuple[Connection, Direction]:
        if len(self._table) >= 2 * self._limit:
            self._evict()
        half = len(addresses) // 2
        sender, receiver = Endpoint(addresses[:half], s.src_port), Endpoint(addresses[half:], s.dst_port)
        opens = s.syn and not s.ackf
        direction = Direction.CLIENT
        if not opens and (s.syn or s.src_port < s.dst_port):
            direction = Direction.SERVER
        client, server = (sender, receiver) if direction == Direction.CLIENT else (receiver, sender)
        self._count += 1
        spaces = (
            SequenceSpace(GhostStore(self._budget, _STORE_LIMIT)),
            SequenceSpace(GhostStore(self._budget, _STORE_LIMIT)),
        )
        connection = Connection(self._count, client, server, packet.time_us, spaces, starts_midway=not opens, predecessor=predecessor)
        keys = tuple(
            (packet.interface, a.octets + b.octets + a.port.to_bytes(2, "big") + b.port.to_bytes(2, "big"))
            for a, b in ((client, server), (server, client))
        )
        connection._keys = keys
        for key, way in zip(keys, Direction, strict=True):
            self._table[key] = (connection, way)
        if client == server:
            connection.doubt("both ends are the same endpoint, so directions cannot be told apart")
        return connection, direction

    def _retire(self, connection: Connection) -> None:
        for key in connection._keys:
            self._table.pop(key, None)  # type: ignore[call-overload]
        for space in connection.spaces:
            space.store.clear()
        if self._on_retire is not None:
            self._on_retire(connection)

    def _evict(self) -> None:
        """Retire the longest idle eighth, closed connections first."""
        candidates = sorted(self.connections, key=lambda c: (not c.closed, c.last_us))
        for connection in candidates[: max(1, self._limit // 8)]:
            if not connection.closed:
                connection.doubt("too many connections at once: its later segments were not followed")
            self._retire(connection)

    def _relieve(self) -> None:
        """Empty the stores of the longest idle connections until half of the memory is free."""
        for connection in sorted(self.connections, key=lambda c: c.last_us):
            if self._budget.used <= self._budget.limit // 2:
                return
            for space in connection.spaces:
                space.store.clear()


def observe(packets: Iterable[Packet], demultiplexer: Demultiplexer) -> Iterator[tuple[Connection, Observation]]:
    """Every observation in `packets`; the connections are retired at the end."""
    for packet in packets:
        seen = demultiplexer.feed(packet)
        if seen is not None:
            yield seen
    demultiplexer.finish()


class Nearness(NamedTuple):
    """The ends whose own interface the capture was taken on, as far as it shows, and what shows it."""

    roles: tuple[Direction, ...]
    reason: str


def near(connection: Connection) -> Nearness:
    """Which ends the capture is near to: loopback, the cooked header's direction, else the turnaround in the handshake.

    The near end answers at once; the far one only after the path's round trip.
    """
    both = (Direction.CLIENT, Direction.SERVER)
    if connection.client.octets == connection.server.octets or ip_address(connection.client.octets).is_loopback:
        return Nearness(both, "both ends are on the capturing host")
    told = tuple(way for way in both if connection.outgoing[way] == {True})
    if told:
        return Nearness(told, "the capturing host sent these packets, says their link-layer header")
    if [kind for kind, _ in connection.opening] != ["client syn", "server syn/ack", "client ack"]:
        return Nearness((), "the capture shows no plain handshake to tell from")
    (_, syn), (_, syn_ack), (_, ack) = connection.opening
    server, client = syn_ack - syn, ack - syn_ack
    shown = f"the server took {server} us and the client {client} us to answer"
    if max(server, client) < _SAME_MACHINE_US:
        return Nearness(both, f"{shown}: both ends and the capture share a machine")
    if server > _TURNAROUND_RATIO * max(client, 1):
        return Nearness((Direction.CLIENT,), shown)
    if client > _TURNAROUND_RATIO * max(server, 1):
        return Nearness((Direction.SERVER,), shown)
    return Nearness((), f"{shown}, too alike to tell")
