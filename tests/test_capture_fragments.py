"""IP fragments in captures: a segment is judged when all of it was seen, and only missing pieces leave doubt."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.oracle.capture import Packet, read_packets
from wirelaw.oracle.capture.fragments import TIMEOUT_US, Fragments
from wirelaw.oracle.capture.packet import ip_offset
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Observation, observe
from wirelaw.spec.language.load import SPEC, load

CAPTURE = Path(__file__).parent / "fixtures" / "captures" / "echo-plain-client.pcap"


@cache
def tcp() -> CompiledLaw:
    return compile_law(load([SPEC / "tcp"]).machine("tcp.connection"))


@st.composite
def pieces(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A payload, and its fragments in some order, some of them twice."""
    whole = draw(st.binary(min_size=1, max_size=200))
    cuts = sorted({0, *(c * 8 for c in draw(st.lists(st.integers(0, len(whole) // 8), max_size=5)) if c * 8 < len(whole))})
    parts = [(a, whole[a:b]) for a, b in zip(cuts, [*cuts[1:], len(whole)], strict=True)]
    return whole, draw(st.permutations(parts))


@given(pieces())
def test_fragments_join_in_any_order(drawn: tuple[bytes, list[tuple[int, bytes]]]) -> None:
    whole, parts = drawn
    lost: list[Hashable] = []
    fragments = Fragments(lost.append)
    for at, part in parts[:-1]:
        for _ in range(2):
            assert fragments.add("k", at, at + len(part) < len(whole), part, 0) is None
    at, part = parts[-1]
    assert fragments.add("k", at, at + len(part) < len(whole), part, 0) == whole
    assert (len(fragments), fragments.held, lost) == (0, 0, [])


def test_what_stays_incomplete_is_bounded_and_told() -> None:
    lost: list[Hashable] = []
    fragments = Fragments(lost.append, datagrams=2, octets=50)
    for key in "abc":
        fragments.add(key, 8, True, bytes(8), 0)
    assert lost == ["a"]
    fragments.add("d", 8, True, bytes(48), 0)
    assert lost == ["a", "b", "c"]
    fragments.add("d", 8, True, b"\1" * 48, 0)  # contradicts what is there
    assert (lost[-1], fragments.held) == ("d", 0)
    fragments.add("e", 8, False, bytes(8), 0)
    assert fragments.add("e", 0, True, bytes(8), TIMEOUT_US + 1) is None  # another datagram of the same identification
    assert lost[-1] == "e"


@pytest.mark.parametrize("order", [1, -1])
def test_an_ipv6_segment_in_fragments(order: int) -> None:
    from test_tcp_adapter import ACK, ip_address  # noqa: PLC0415
    from test_tcp_adapter import tcp as segment  # noqa: PLC0415

    one, other = ("2001:db8::1", 5000), ("2001:db8::2", 80)
    octets = segment(one, other, 7, 9, ACK, bytes(range(100)))
    addresses = ip_address(one[0]).packed + ip_address(other[0]).packed
    demultiplexer, number = Demultiplexer(), count(1)
    found = []
    for at in range(0, len(octets), 48)[::order]:
        part = octets[at : at + 48]
        place = (at | (at + 48 < len(octets))).to_bytes(2, "big")
        rest = b"\x06\0" + place + b"\0\0\0\7" + part
        data = b"\x60\0\0\0" + len(rest).to_bytes(2, "big") + b"\x2c\x40" + addresses + rest
        found.append(demultiplexer.feed(Packet(next(number), 0, data, 101, len(data))))
    (seen,) = [f for f in found if f is not None]
    assert seen[1].segment.payload == bytes(range(100))
    assert seen[1].segment.sum_ok
    assert seen[0].doubts == []


# --- whole captures ------------------------------------------------------------------------------------------------------


def checked(header: bytearray) -> bytes:
    """An IPv4 header with its checksum."""
    header[10:12] = b"\0\0"
    header[10:12] = ((-int.from_bytes(header, "big")) % 65535).to_bytes(2, "big")
    return bytes(header)


def fragmented(packet: Packet, number: Iterable[int], size: int = 400) -> list[Packet]:
    """The IPv4 packet in fragments of at most `size` octets, a multiple of 8."""
    at = ip_offset(packet)
    head = packet.data[at : at + 20]
    payload = packet.data[at + 20 : at + int.from_bytes(head[2:4], "big")]
    made = []
    for start in range(0, len(payload), size):
        part = payload[start : start + size]
        header = bytearray(head)
        header[2:4] = (20 + len(part)).to_bytes(2, "big")
        header[4:6] = (packet.number % 65536).to_bytes(2, "big")
        header[6:8] = (start // 8 | (0x2000 if start + size < len(payload) else 0)).to_bytes(2, "big")
        data = packet.data[:at] + checked(header) + part
        made.append(Packet(next(iter(number)), packet.time_us, data, packet.linktype, len(data), packet.interface))
    return made


def originals() -> list[Packet]:
    return list(read_packets(CAPTURE))


def summary(packets: Iterable[Packet]) -> list[tuple[int, int, int, int, bool]]:
    seen: list[tuple[Connection, Observation]] = list(observe(packets, Demultiplexer()))
    return [(o.direction, o.segment.seq, o.segment.ack, o.segment.len, o.segment.sum_ok) for _, o in seen]


def test_a_fragmented_capture_is_judged_as_the_whole_one() -> None:
    number = count(1)
    packets = [f for p in originals() for f in fragmented(p, number)]
    assert len(packets) > len(originals())
    assert summary(packets) == summary(originals())
    assert {j.verdict.grade for j in judge_capture(tcp(), iter(packets))} == {Grade.PASS}


def test_one_missing_fragment_leaves_doubt() -> None:
    number = count(1)
    packets = [f for p in originals() for f in fragmented(p, number)]
    place = next(n for n, p in enumerate(packets) if p.data[20:22] == b"\x20\x00")
    del packets[place + 1]
    verdicts = {(j.verdict.grade, j.verdict.reason) for j in judge_capture(tcp(), iter(packets))}
    assert verdicts == {(Grade.INCONCLUSIVE, "fragments")}


def test_a_flipped_bit_in_a_damaged_header_is_no_fragment() -> None:
    packets = originals()
    place = next(n for n, p in enumerate(packets) if n > 6 and len(p.data) > 200)
    old = packets[place]
    for flipped in (0x20, 0x01):  # more fragments; an offset
        data = bytearray(old.data)
        data[20] ^= flipped
        damaged = Packet(old.number, old.time_us - 1, bytes(data), old.linktype, old.original_length)
        connections = {c for c, _ in observe([*packets[:place], damaged, *packets[place:]], Demultiplexer())}
        assert [c.doubts for c in connections] == [[]]
