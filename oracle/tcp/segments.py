"""From captured packets to TCP observations: one stream of events per connection, in constant memory.

The oracle never sees bytes or 32-bit residues. It sees, per connection and in capture order, segments whose sequence
numbers are plain integers, with the facts only the whole trace can tell: `same` (the payload equals what was first sent
at these numbers) and `sum_ok`. Where the trace cannot tell, the fact is true and nothing is held against the stack; where
a connection cannot be judged at all, `Connection.doubts` says why.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple

from wirelaw.impl.wire.tcp import Segment, parse_segment
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.capture.fragments import Fragments
from wirelaw.oracle.capture.ip import TCP, Located, locate
from wirelaw.oracle.capture.packet import ip_offset, sent_by_host
from wirelaw.oracle.capture.resolution import Resolutions
from wirelaw.oracle.tcp.ghost import Budget, GhostStore
from wirelaw.oracle.tcp.sequence_space import Gap, SequenceSpace

_STORE_LIMIT = 1 << 21
_FRAGMENTS = "fragments"
# One turnaround time must exceed the other this many times before it tells the two ends apart.
_TURNAROUND_RATIO = 4
# Both ends answering this fast, in microseconds, leaves no room for a network between them and the capture.
_SAME_MACHINE_US = 100
# A closed connection is forgotten after twice the longest life of a segment (RFC 9293 3.4.2), in microseconds.
TIME_WAIT_US = 240_000_000


class Direction(IntEnum):
    """The direction of a segment, and the role of its sender."""

    CLIENT = 0
    SERVER = 1


@dataclass(frozen=True, slots=True)
class ObservedSegment:
    """A segment as `impl.wire.tcp.Segment`, with `seq`, `ack` and `sacks` unwrapped, and the fact `same`.

    `ack` is 0 when the ACK bit is not set. `len` is the payload's length on the wire; `payload` may be shorter (snaplen).
    `sum_ok` also holds for a partial checksum (offloaded: the folded pseudo-header sum); `cut`: such a checksum, or none to see, so
    that a device may cut the segment into several.
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
    cut: bool = False


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

    @property
    def hole(self) -> Gap | None:
        """The first of the octets that both ends agree on and the capture lacks."""
        return min((g for space in self.spaces for g in space.holes), key=lambda g: g.number, default=None)

    def doubt(self, reason: str) -> None:
        """This connection cannot be judged, for `reason`."""
        if reason not in self.doubts:
            self.doubts.append(reason)

    def __str__(self) -> str:
        return f"{self.client} > {self.server}"


def _checksum(octets: bytes, addresses: bytes, size: int) -> str:
    """How the TCP checksum holds: "partial", "full", or "" when it does not.

    With checksum offload a near capture holds the folded sum of the pseudo-header, some drivers leaving out the length.
    The sum is taken modulo 65535, to which 2^16 is congruent to 1 (RFC 1071 1).
    """
    pseudo = int.from_bytes(addresses, "big") + TCP
    field_value = octets[16] << 8 | octets[17]
    if (pseudo + size - field_value) % 65535 == 0 or (pseudo - field_value) % 65535 == 0:
        return "partial"
    even = octets if size % 2 == 0 else octets + b"\0"
    return "full" if (int.from_bytes(even, "big") + pseudo + size) % 65535 == 0 else ""


class Demultiplexer:
    """Turns packets into observations of connections.

    At most `limit` connections are followed at once; beyond it the longest idle are retired. `on_retire` is called once
    for each connection that will not be seen again: replaced by a new incarnation, evicted, or at `finish`. `skipped`
    counts the packets that gave no observation, by reason; `resolutions` tells which hosts waited for a link address. Payload is
    kept up to `memory` octets in all, and beyond it `same` becomes unknown (true).
    """

    def __init__(self, limit: int = 4096, memory: int = 64 << 20, on_retire: Callable[[Connection], None] | None = None):
        self.skipped: Counter[str] = Counter()
        self.resolutions = Resolutions()
        self._limit = limit
        self._budget = Budget(memory)
        self._on_retire = on_retire
        self._table: dict[tuple[int, bytes], tuple[Connection, Direction]] = {}
        self._count = 0
        self._fragments = Fragments(self._incomplete)
        self._begun: dict[Hashable, Connection] = {}  # connections of datagrams whose first fragment has been seen

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
            self.resolutions.note(packet)
            return "not IP"
        located = locate(packet, at)
        if isinstance(located, str):
            return located
        octets = packet.data[located.at : located.at + located.size]
        if located.fragment is not None:
            whole = self._join(packet, located, octets)
            if whole is None:
                return "later fragment" if located.fragment.start else "first fragment"
            located, octets = located._replace(size=len(whole)), whole
        segment = parse_segment(memoryview(octets), b"", b"", False)
        if segment is None:
            return "TCP header cut off" if len(octets) < located.size else "malformed TCP header"
        if self.resolutions.open:
            self.resolutions.sent(located.addresses[: len(located.addresses) // 2], packet.time_us)
        connection, direction = self._connection(packet, located, octets, segment)
        return connection, self._observe(packet, located, octets, segment, connection, direction)

    def _join(self, packet: Packet, located: Located, octets: bytes) -> bytes | None:
        """The whole segment once its last fragment is there; until then its connection is in doubt."""
        assert located.fragment is not None
        key, start, more = located.fragment
        segment = parse_segment(memoryview(octets), b"", b"", False) if start == 0 else None
        if segment is not None and key not in self._begun:
            self._begun[key], _ = self._connection(packet, located, octets, segment)
            self._begun[key].doubt(_FRAGMENTS)
        if len(octets) < located.size:  # cut off by the capture
            self._incomplete(key)
            return None
        whole = self._fragments.add(key, start, more, octets, packet.time_us)
        if whole is not None and (connection := self._begun.pop(key, None)) is not None and connection not in self._begun.values():
            connection.doubts.remove(_FRAGMENTS)
        return whole

    def _incomplete(self, key: Hashable) -> None:
        if (connection := self._begun.pop(key, None)) is not None:
            connection.doubt("a fragment was not captured")

    def finish(self) -> None:
        """Retire every connection: the capture is at its end."""
        for connection in self.connections:
            self._retire(connection)

    def _observe(
        self,
        packet: Packet,
        located: Located,
        octets: bytes,
        s: Segment,
        connection: Connection,
        direction: Direction,
    ) -> Observation:
        own, peer = connection.spaces[direction], connection.spaces[1 - direction]
        whole = len(octets) == located.size
        size = s.len + located.size - len(octets)
        checksum = _checksum(octets, located.addresses, located.size) if whole else "partial"
        sum_ok = located.header_ok and bool(checksum)
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
            same, checksum == "partial",
        )  # fmt: skip
        return Observation(packet.number, packet.time_us, direction, observed)

    def _follow(self, connection: Connection, direction: Direction, packet: Packet, s: Segment, seq: int, size: int, ack: int) -> None:
        """Note what the segment says about its connection."""
        own, peer = connection.spaces[direction], connection.spaces[1 - direction]
        start = min(seq, own.end) if s.rst and own.end is not None else seq  # the number of an RST says nothing of text before it
        if not s.syn or own.isn in (None, seq):  # a SYN with another number is no text that came before it
            own.sent(start, seq + size + s.syn + s.fin, not peer.packets, packet.number, packet.time_us)
        if s.ackf:
            own.last_ack = ack
            peer.acknowledged(ack, packet.number, packet.time_us)
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

    def _connection(self, packet: Packet, located: Located, octets: bytes, s: Segment) -> tuple[Connection, Direction]:
        key = (packet.interface, located.addresses + octets[:4])
        entry = self._table.get(key)
        if entry is None:
            return self._open(packet, located.addresses, s, None)
        if s.syn and not s.ackf:
            connection, direction = entry
            own, peer = connection.spaces[direction], connection.spaces[1 - direction]
            same = own.isn is not None and (own.isn - s.seq) % (1 << 32) == 0
            again = same and not (connection.closed and packet.time_us - connection.last_us > TIME_WAIT_US)
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
