"""From packets to TCP observations: plain sequence numbers, the facts `same` and `sum_ok`, connections and their ends."""

from ipaddress import ip_address
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.tcp.ghost import Budget, GhostStore
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, Observation, near
from wirelaw.oracle.tcp.sequence_space import KEPT_BEHIND

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
HERE, THERE = ("10.0.0.1", 40_000), ("10.0.0.2", 80)
C, S = Direction.CLIENT, Direction.SERVER
MODULUS = 1 << 32
isns = st.one_of(st.integers(0, MODULUS - 1), st.integers(MODULUS - 3000, MODULUS - 1))
End = tuple[str, int]


def tcp(src: End, dst: End, seq: int, ack: int, flags: int, payload: bytes = b"", options: bytes = b"") -> bytes:
    """A TCP segment with a good checksum."""
    offset = 20 + len(options)
    out = bytearray(
        src[1].to_bytes(2, "big")
        + dst[1].to_bytes(2, "big")
        + (seq % MODULUS).to_bytes(4, "big")
        + (ack % MODULUS).to_bytes(4, "big")
        + bytes([offset // 4 << 4, flags])
        + (1000).to_bytes(2, "big")
        + bytes(4)
        + options
        + payload
    )
    out[16:18] = (~folded(pseudo(src, dst, len(out)) + bytes(out)) & 0xFFFF).to_bytes(2, "big")
    return bytes(out)


def pseudo(src: End, dst: End, length: int) -> bytes:
    packed = ip_address(src[0]).packed + ip_address(dst[0]).packed
    return packed + (6).to_bytes(4, "big") + length.to_bytes(4, "big")


def folded(octets: bytes) -> int:
    """The 16-bit ones' complement sum, word by word (RFC 1071)."""
    total = 0
    for at in range(0, len(octets), 2):
        total += int.from_bytes(octets[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ipv4(src: End, dst: End, payload: bytes, fragment: int = 0) -> bytes:
    head = bytearray(b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + b"\0\0" + fragment.to_bytes(2, "big"))
    head += b"\x40\x06\0\0" + ip_address(src[0]).packed + ip_address(dst[0]).packed
    head[10:12] = (~folded(bytes(head)) & 0xFFFF).to_bytes(2, "big")
    return bytes(head) + payload


class Wire:
    """Feeds segments between two ends to a demultiplexer, a microsecond apart."""

    def __init__(self, client: End = HERE, server: End = THERE, **limits: int):
        self.retired: list[Connection] = []
        self.demultiplexer = Demultiplexer(**limits, on_retire=self.retired.append)
        self.ends = (client, server)
        self._numbers = count(1)

    def packet(self, data: bytes, linktype: int = LinkType.RAW, time: int | None = None, size: int = 0) -> Packet:
        number = next(self._numbers)
        return Packet(number, number if time is None else time, data, linktype, size or len(data))

    def see(self, way: int, seq: int, ack: int, flags: int, payload: bytes = b"", **more: object) -> Observation:
        return self.seen(way, seq, ack, flags, payload, **more)[1]

    def seen(
        self, way: int, seq: int, ack: int, flags: int, payload: bytes = b"", options: bytes = b"", time: int | None = None
    ) -> tuple[Connection, Observation]:
        src, dst = self.ends[way], self.ends[1 - way]
        segment = tcp(src, dst, seq, ack, flags, payload, options)
        found = self.demultiplexer.feed(self.packet(ipv4(src, dst, segment), time=time))
        assert found is not None
        return found

    def open(self, client_isn: int = 1000, server_isn: int = 5000) -> Connection:
        self.see(C, client_isn, 0, SYN)
        self.see(S, server_isn, client_isn + 1, SYN | ACK)
        return self.seen(C, client_isn + 1, server_isn + 1, ACK)[0]


# -- sequence numbers


@given(isns, isns, st.lists(st.tuples(st.sampled_from((C, S)), st.integers(1, 1400)), max_size=30))
def test_numbers_are_offsets_from_the_initial_ones_through_any_wrap(
    client_isn: int, server_isn: int, sends: list[tuple[Direction, int]]
) -> None:
    wire = Wire()
    wire.open(client_isn, server_isn)
    ends = [client_isn + 1, server_isn + 1]
    for way, size in sends:
        s = wire.see(way, ends[way], ends[1 - way], ACK, bytes(size)).segment
        assert (s.seq, s.ack, s.len) == (ends[way], ends[1 - way], size)
        ends[way] += size


@given(isns, st.lists(st.tuples(st.booleans(), st.integers(0, MODULUS - 1)), max_size=8))
def test_forged_numbers_of_one_side_do_not_shift_the_true_ones(isn: int, forged: list[tuple[bool, int]]) -> None:
    wire = Wire()
    wire.open(isn, isn)
    for in_ack, number in forged:
        far = wire.see(C, isn + 1 if in_ack else number, number if in_ack else isn + 1, ACK, b"x").segment
        assert (far.ack if in_ack else far.seq) % MODULUS == number
    s = wire.see(C, isn + 1, isn + 1, ACK, b"y").segment
    assert (s.seq, s.ack) == (isn + 1, isn + 1)


def test_a_transfer_of_many_wraps_needs_no_more_than_its_acknowledgments() -> None:
    wire = Wire()
    wire.open(0, 0)
    at, stride = 1, 1 << 29
    for _ in range(40):
        assert wire.see(C, at, 1, ACK, b"x").segment.seq == at
        at += stride
        assert wire.see(S, 1, at - stride + 1, ACK).segment.ack == at - stride + 1
    assert at > 4 * MODULUS


def test_one_way_captures_are_followed_by_what_is_sent() -> None:
    wire = Wire()
    at = MODULUS - 1
    for _ in range(20):
        assert wire.see(C, at, 77, ACK, b"x").segment.seq == at
        at += 1 << 30


def test_sack_edges_are_unwrapped_like_acknowledgments() -> None:
    wire, isn = Wire(), MODULUS - 10
    wire.open(isn, 5000)
    wire.see(C, isn + 1, 5001, ACK, bytes(5))
    wire.see(C, isn + 50, 5001, ACK, bytes(50))
    edges = b"".join((n % MODULUS).to_bytes(4, "big") for n in (isn + 50, isn + 100))
    s = wire.see(S, 5001, isn + 6, ACK, options=b"\x01\x01\x05\x0a" + edges).segment
    assert s.sacks == ((isn + 50, isn + 100),)
    assert s.ack == isn + 6


def test_the_reset_of_a_closed_port_has_number_zero() -> None:
    wire = Wire()
    wire.see(C, 4_000_000_000, 0, SYN)
    s = wire.see(S, 0, 4_000_000_001, RST | ACK).segment
    assert (s.seq, s.ack) == (0, 4_000_000_001)


def test_a_reset_without_ack_has_the_number_acknowledged_to_it_and_ack_zero() -> None:
    wire = Wire()
    wire.open(1000, 4_000_000_000)
    forged = wire.see(C, 1001, 1_800_000_000, ACK).segment.ack
    s = wire.see(S, 1_800_000_000, 0, RST).segment
    assert (s.seq, s.ack, s.ackf) == (forged, 0, False)


# -- the fact `same`


@given(st.binary(min_size=1, max_size=200), st.lists(st.tuples(st.integers(0, 199), st.integers(1, 120)), max_size=15))
def test_resegmented_retransmissions_are_the_same(stream: bytes, cuts: list[tuple[int, int]]) -> None:
    wire = Wire()
    wire.open(MODULUS - 100, 0)
    for start, size in cuts:
        piece = stream[start : start + size]
        assert wire.see(C, MODULUS - 99 + start, 1, ACK, piece).segment.same


@given(st.data())
def test_a_changed_octet_in_a_retransmission_is_seen(data: st.DataObject) -> None:
    stream = data.draw(st.binary(min_size=2, max_size=100))
    wire = Wire()
    wire.open()
    for at in range(0, len(stream), 7):
        wire.see(C, 1001 + at, 5001, ACK, stream[at : at + 7])
    start = data.draw(st.integers(0, len(stream) - 1))
    end = data.draw(st.integers(start + 1, len(stream)))
    changed = bytearray(stream[start:end])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert not wire.see(C, 1001 + start, 5001, ACK, bytes(changed)).segment.same
    assert wire.see(C, 1001 + start, 5001, ACK, stream[start:end]).segment.same


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=30))
def test_the_ghost_store_is_a_map_that_never_changes_an_octet(writes: list[tuple[int, bytes]]) -> None:
    budget = Budget(10_000)
    store, model = GhostStore(budget, 10_000), dict[int, int]()
    for start, octets in writes:
        expected = all(model.get(start + i, octet) == octet for i, octet in enumerate(octets))
        assert store.check(start, octets) == expected
        for i, octet in enumerate(octets):
            model.setdefault(start + i, octet)
        assert len(store) == budget.used == len(model)
    store.clear()
    assert budget.used == len(store) == 0


def test_memory_is_bounded_by_what_is_not_acknowledged() -> None:
    wire = Wire()
    connection = wire.open()
    store = connection.spaces[C].store
    for at in range(0, 3_000_000, 50_000):
        wire.see(C, 1001 + at, 5001, ACK, bytes(50_000))
        wire.see(S, 5001, 1001 + at + 50_000, ACK)
        assert len(store) <= KEPT_BEHIND + 50_000


def test_memory_is_bounded_when_nothing_is_acknowledged() -> None:
    wire = Wire(memory=400_000)
    connection = wire.open()
    wire.ends = (("10.0.0.3", 1), THERE)
    other = wire.open()
    for at in range(0, 1_000_000, 50_000):
        s = wire.see(C, 1001 + at, 5001, ACK, bytes(50_000)).segment
        assert s.same
        assert len(connection.spaces[C].store) + len(other.spaces[C].store) <= 450_000


def test_what_was_released_is_unknown_not_different() -> None:
    wire = Wire()
    wire.open()
    for at in range(0, 200_000, 50_000):
        wire.see(C, 1001 + at, 5001, ACK, b"a" * 50_000)
    wire.see(S, 5001, 1001 + 200_000, ACK)
    assert wire.see(C, 1001, 5001, ACK, b"b" * 50).segment.same
    assert not wire.see(C, 1001 + 199_000, 5001, ACK, b"b" * 50).segment.same


# -- checksums and short captures


def test_damaged_segments_are_told_and_leave_no_trace() -> None:
    wire = Wire()
    connection = wire.open()
    segment = bytearray(tcp(HERE, THERE, 1001, 5001, ACK | RST, b"octets"))
    segment[-1] ^= 1
    found = wire.demultiplexer.feed(wire.packet(ipv4(HERE, THERE, bytes(segment))))
    assert found is not None
    assert not found[1].segment.sum_ok
    assert not connection.closed
    assert wire.see(C, 1001, 5001, ACK, b"octets").segment.same


@pytest.mark.parametrize("payload", [b"", b"odd", b"even", bytes(range(256)) * 250])
@pytest.mark.parametrize("with_length", [True, False])
def test_a_partial_checksum_is_good(payload: bytes, with_length: bool) -> None:
    wire = Wire()
    segment = bytearray(tcp(HERE, THERE, 1, 1, ACK, payload))
    segment[16:18] = folded(pseudo(HERE, THERE, len(segment) if with_length else 0)).to_bytes(2, "big")
    found = wire.demultiplexer.feed(wire.packet(ipv4(HERE, THERE, bytes(segment))))
    assert found is not None
    assert found[1].segment.sum_ok


def test_a_damaged_ip_header_counts_as_damage() -> None:
    wire = Wire()
    data = bytearray(ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK)))
    data[8] ^= 1
    found = wire.demultiplexer.feed(wire.packet(bytes(data)))
    assert found is not None
    assert not found[1].segment.sum_ok


def test_a_payload_cut_by_the_snaplen_keeps_its_length_and_judges_what_is_there() -> None:
    wire = Wire()
    whole = ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK, b"a" * 500))
    changed = ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK, b"a" * 10 + b"b" * 490))
    for data, same in ((whole, True), (whole, True), (changed, False)):
        found = wire.demultiplexer.feed(wire.packet(data[:100], size=540))
        assert found is not None
        s = found[1].segment
        assert (s.len, len(s.payload), s.sum_ok, s.same) == (500, 60, True, same)
    end = wire.see(C, 501, 1, ACK, b"next").segment
    assert end.seq == 501


def test_ethernet_padding_is_not_payload() -> None:
    wire = Wire()
    data = bytes(12) + b"\x08\x00" + ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK)) + b"padded"
    found = wire.demultiplexer.feed(wire.packet(data, LinkType.ETHERNET))
    assert found is not None
    assert found[1].segment.len == 0
    assert found[1].segment.sum_ok


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not IP"),
        (b"\x15" + bytes(40), "not IP"),
        (b"\x45" + bytes(8), "IP header cut off"),
        (b"\x60" + bytes(30), "IP header cut off"),
        (b"\x42" + bytes(39), "malformed IP header"),
        (b"\x45\0\0\x28" + bytes(5) + b"\x11" + bytes(30), "not TCP"),
        (ipv4(HERE, THERE, bytes(24), 0x2005), "later fragment"),
        (ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK))[:35], "TCP header cut off"),
        (ipv4(HERE, THERE, tcp(HERE, THERE, 1, 1, ACK)[:15]), "malformed TCP header"),
        (ipv4(HERE, THERE, bytes(12) + b"\x40" + bytes(7)), "malformed TCP header"),
    ],
)
def test_packets_without_a_whole_tcp_header_are_counted_by_reason(data: bytes, reason: str) -> None:
    wire = Wire()
    assert wire.demultiplexer.feed(wire.packet(data, size=max(len(data), 100))) is None
    assert wire.demultiplexer.skipped == {reason: 1}


@given(st.binary(max_size=120), st.sampled_from(sorted(LinkType)))
def test_any_octets_are_skipped_or_observed(octets: bytes, linktype: int) -> None:
    wire = Wire()
    wire.demultiplexer.feed(wire.packet(octets, linktype))
    wire.demultiplexer.feed(wire.packet(ipv4(HERE, THERE, octets), LinkType.RAW))


# -- connections


def test_an_ipv6_segment_behind_extension_headers() -> None:
    one, other = ("2001:db8::1", 5000), ("2001:db8::2", 80)
    segment = tcp(one, other, 7, 9, ACK, b"six")
    rest = b"\x3c\0" + bytes(6) + b"\x06\0" + bytes(6) + segment
    addresses = ip_address(one[0]).packed + ip_address(other[0]).packed
    data = b"\x60\0\0\0" + len(rest).to_bytes(2, "big") + b"\0\x40" + addresses + rest
    wire = Wire()
    found = wire.demultiplexer.feed(wire.packet(data))
    assert found is not None
    connection, seen = found
    assert (seen.segment.payload, seen.segment.sum_ok) == (b"six", True)
    assert str(connection) == "[2001:db8::1]:5000 > [2001:db8::2]:80"


def test_fragments_make_a_connection_inconclusive() -> None:
    wire = Wire()
    connection = wire.open()
    first = ipv4(HERE, THERE, tcp(HERE, THERE, 1001, 5001, ACK, bytes(16)), 0x2000)
    assert wire.demultiplexer.feed(wire.packet(first)) is None
    assert connection.doubts == ["fragments"]


def test_connections_are_told_apart() -> None:
    wire = Wire()
    first = wire.open()
    wire.ends = (("10.0.0.1", 40_001), THERE)
    second = wire.open()
    assert (first.number, second.number, first.packets, second.packets) == (1, 2, 3, 3)
    assert not first.starts_midway
    assert [str(c) for c in wire.demultiplexer.connections] == [
        "10.0.0.1:40000 > 10.0.0.2:80",
        "10.0.0.1:40001 > 10.0.0.2:80",
    ]
    wire.demultiplexer.finish()
    assert wire.retired == [first, second]


def test_a_capture_that_starts_midway_takes_the_lower_port_as_the_server() -> None:
    wire = Wire()
    connection, seen = wire.seen(S, 4_000_000_000, 17, ACK, b"answer")
    assert connection.starts_midway
    assert seen.direction == S
    assert str(connection) == "10.0.0.1:40000 > 10.0.0.2:80"
    assert (seen.segment.seq, seen.segment.ack) == (4_000_000_000, 17)


def test_a_syn_ack_first_comes_from_the_server() -> None:
    wire = Wire(client=("10.0.0.1", 79), server=("10.0.0.2", 8080))
    connection, seen = wire.seen(S, 1, 2, SYN | ACK)
    assert (connection.starts_midway, seen.direction, connection.client.port) == (True, S, 79)


CLOSINGS = ([(C, FIN | ACK), (S, FIN | ACK)], [(S, RST)], [(C, RST | ACK)])


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("opener", [C, S])
def test_a_syn_after_a_close_begins_a_new_incarnation(closing: list[tuple[Direction, int]], opener: Direction) -> None:
    wire = Wire()
    old = wire.open()
    for way, flags in closing:
        wire.see(way, (1001, 5001)[way], (5001, 1001)[way], flags)
    assert old.closed
    new, seen = wire.seen(opener, 900_000, 0, SYN)
    assert new is not old
    assert (new.number, new.predecessor, new.client.port) == (2, 1, wire.ends[opener][1])
    assert (seen.direction, seen.segment.seq) == (C, 900_000)
    assert wire.retired == [old]


def test_a_repeated_syn_belongs_to_its_connection() -> None:
    wire = Wire()
    connection, _ = wire.seen(C, 1000, 0, SYN)
    assert wire.seen(C, 1000, 0, SYN)[0] is connection
    wire.see(S, 0, 1001, RST | ACK)
    assert wire.seen(C, 1000, 0, SYN)[0] is connection


def test_a_stray_syn_belongs_to_the_open_connection() -> None:
    wire = Wire()
    connection = wire.open()
    assert wire.seen(C, 77_777, 0, SYN)[0] is connection


def test_a_new_syn_after_one_nobody_answered_is_a_new_connection() -> None:
    wire = Wire()
    first, _ = wire.seen(C, 1000, 0, SYN)
    second, _ = wire.seen(C, 2000, 0, SYN)
    assert (second is not first, second.predecessor) == (True, None)


def test_a_simultaneous_open_is_one_connection() -> None:
    wire = Wire()
    connection, _ = wire.seen(C, 1000, 0, SYN)
    assert wire.seen(S, 5000, 0, SYN)[0] is connection
    assert wire.seen(C, 1000, 5001, SYN | ACK)[0] is connection


def test_the_table_is_bounded_and_what_was_evicted_is_doubted_unless_closed() -> None:
    wire = Wire(limit=16)
    wire.open()
    wire.see(S, 5001, 0, RST)
    for port in range(1, 101):
        wire.ends = (("10.0.0.9", port), THERE)
        wire.open()
        assert len(wire.demultiplexer.connections) <= 16
    assert not wire.retired[0].doubts
    assert all(c.doubts == ["too many connections at once: its later segments were not followed"] for c in wire.retired[1:])
    wire.demultiplexer.finish()
    assert sorted(c.number for c in wire.retired) == list(range(1, 102))


def test_a_connection_to_itself_cannot_be_judged() -> None:
    wire = Wire(client=HERE, server=HERE)
    connection, _ = wire.seen(C, 1000, 0, SYN)
    assert connection.doubts


# -- where the capture was taken


@pytest.mark.parametrize(
    ("server_took", "client_took", "roles"),
    [(20_000, 30, (C,)), (40, 18_000, (S,)), (30, 40, (C, S)), (15_000, 17_000, ()), (150, 20, (C,))],
)
def test_the_near_end_answers_at_once(server_took: int, client_took: int, roles: tuple[Direction, ...]) -> None:
    wire = Wire()
    wire.see(C, 1000, 0, SYN, time=0)
    wire.see(S, 5000, 1001, SYN | ACK, time=server_took)
    connection, _ = wire.seen(C, 1001, 5001, ACK, time=server_took + client_took)
    told = near(connection)
    assert told.roles == roles
    assert f"{server_took} us" in told.reason


def test_loopback_is_near_to_both() -> None:
    wire = Wire(client=("127.0.0.1", 5), server=("127.0.0.2", 6))
    assert near(wire.open()).roles == (C, S)


def test_a_repeated_syn_leaves_the_place_open() -> None:
    wire = Wire()
    wire.see(C, 1000, 0, SYN)
    assert near(wire.open()).roles == ()


def test_cooked_headers_tell_the_place() -> None:
    wire = Wire()
    for way, kind in ((C, b"\0\0"), (S, b"\0\4")):
        src, dst = wire.ends[way], wire.ends[1 - way]
        data = kind + bytes(12) + b"\x08\x00" + ipv4(src, dst, tcp(src, dst, 1, 1, ACK))
        found = wire.demultiplexer.feed(wire.packet(data, LinkType.LINUX_SLL))
    assert found is not None
    assert near(found[0]).roles == (S,)
