"""TCP segments to octets and back: every option at every alignment, malformed ones survived (RFC 9293 MUST-5..7, 64, 68)."""

import struct
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.wire.checksum import is_valid, pseudo_header_sum, word_sum
from wirelaw.impl.wire.tcp import Segment, build_options, build_segment, parse_segment

SRC, DST = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))
U16, U32, BIT = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.booleans()


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    payload = draw(st.binary(max_size=100))
    segment = Segment(
        src_port=draw(U16), dst_port=draw(U16), seq=draw(U32), ack=draw(U32), wnd=draw(U16), up=draw(U16),
        syn=draw(BIT), fin=draw(BIT), rst=draw(BIT), ackf=draw(BIT), psh=draw(BIT), urg=draw(BIT), ece=draw(BIT),
        cwr=draw(BIT), len=len(payload), payload=payload, has_mss=draw(BIT), has_wscale=draw(BIT), sack_ok=draw(BIT),
        tson=draw(BIT), sacks=tuple(draw(st.lists(st.tuples(U32, U32), max_size=2))),
    )  # fmt: skip
    if segment.has_mss:
        segment.mss = draw(U16)
    if segment.has_wscale:
        segment.wscale = draw(st.integers(0, 255))
    if segment.tson:
        segment.tsval, segment.tsecr = draw(U32), draw(U32)
    # 4 + 4 + 12 + 4 octets of other options leave room for one block only.
    room = 36 - 4 * segment.has_mss - 4 * segment.sack_ok - 12 * segment.tson - 4 * segment.has_wscale
    segment.sacks = segment.sacks[: room // 8]
    return segment


def octets(segment: Segment, offset: int = 0, **options: object) -> bytes:
    buffer = bytearray(offset + 60 + len(segment.payload))
    length = build_segment(memoryview(buffer), offset, segment, SRC, DST, **options)  # type: ignore[arg-type]
    return bytes(buffer[offset : offset + length])


def parse(data: bytes, verify: bool = False) -> Segment:
    segment = parse_segment(memoryview(data), SRC, DST, verify)
    assert segment is not None
    segment.payload = bytes(segment.payload)
    return segment


def with_options(options: bytes, payload: bytes = b"") -> bytes:
    assert len(options) % 4 == 0
    return struct.pack("!HHIIHHHH", 1, 2, 3, 4, (20 + len(options)) << 10 | 16, 5, 0, 0) + options + payload


@given(segments(), st.integers(0, 34))
def test_what_is_built_is_parsed(segment: Segment, offset: int) -> None:
    data = octets(segment, offset)
    assert is_valid(data, pseudo_header_sum(SRC, DST, 6, len(data)))
    assert parse(data, verify=True) == segment


@given(segments(), st.integers(0, 10_000))
def test_a_flipped_bit_shows_in_sum_ok_or_makes_the_segment_malformed(segment: Segment, bit: int) -> None:
    data = bytearray(octets(segment))
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    parsed = parse_segment(memoryview(data), SRC, DST, True)
    assert parsed is None or not parsed.sum_ok
    unverified = parse_segment(memoryview(data), SRC, DST, False)
    assert unverified is None or unverified.sum_ok


@given(segments(), st.integers(0, 100))
def test_payload_in_pieces_is_the_same_segment(segment: Segment, cut: int) -> None:
    pieces = [memoryview(segment.payload)[:cut], memoryview(segment.payload)[cut:]]
    assert octets(segment, parts=pieces) == octets(segment)


@given(segments())
def test_partial_checksum_is_finished_by_summing_the_segment(segment: Segment) -> None:
    """As the device does: sum everything, the field included, and store the complement (virtio 1.2, 5.1.6.2)."""
    data = bytearray(octets(segment, partial=True))
    struct.pack_into("!H", data, 16, -word_sum(data) % 65535)
    assert bytes(data) == octets(segment)


@given(st.binary(max_size=80))
def test_any_octets_are_parsed_or_refused(data: bytes) -> None:
    segment = parse_segment(memoryview(data), SRC, DST, True)
    if segment is not None:
        assert segment.len == len(segment.payload) <= len(data) - 20


@given(st.binary(min_size=4, max_size=40), st.binary(max_size=8))
def test_any_options_leave_header_and_payload_intact(options: bytes, payload: bytes) -> None:
    segment = parse(with_options(options[: len(options) // 4 * 4], payload))
    assert (segment.seq, segment.ack, segment.wnd, segment.payload) == (3, 4, 5, payload)


@given(st.integers(0, 18), st.sampled_from([0, 2, 3, 5, 8, 34, 253]))
def test_options_at_any_alignment_after_unknown_ones(nops: int, unknown_length: int) -> None:
    timestamps = struct.pack("!BBII", 8, 10, 7, 9)
    unknown = bytes((254, unknown_length)) + bytes(unknown_length - 2) if 2 <= unknown_length <= 8 else b""
    options = b"\x01" * nops + unknown + timestamps
    options += bytes(-len(options) % 4)
    if len(options) <= 40:
        segment = parse(with_options(options))
        assert (segment.tson, segment.tsval, segment.tsecr) == (True, 7, 9)


@pytest.mark.parametrize("bad", [b"\xfe\x00", b"\xfe\x01", b"\xfe\xff", b"\x02\x00", b"\x08\x01"])
def test_illegal_option_length_ends_the_options_and_keeps_the_earlier_ones(bad: bytes) -> None:
    options = struct.pack("!BBH", 2, 4, 1460) + bad + b"\x03\x03\x07"
    segment = parse(with_options(options.ljust(12, b"\0"), b"data"))
    assert (segment.mss, segment.has_wscale, segment.payload) == (1460, False, b"data")


@pytest.mark.parametrize("option", ["020305", "0306010203ff", "080400000000", "050600000001", "0502"])
def test_known_kind_of_wrong_length_is_skipped(option: str) -> None:
    data = bytes.fromhex(option)
    data = data[: data[1]] + bytes((2, 4, 5, 180))
    segment = parse(with_options(data + bytes(-len(data) % 4)))
    assert segment.mss == 5 << 8 | 180
    assert (segment.has_wscale, segment.tson, segment.sacks) == (False, False, ())


def test_options_after_the_end_marker_are_not_read() -> None:
    assert not parse(with_options(b"\x00\x03\x03\x07")).has_wscale


@pytest.mark.parametrize("data", [b"", bytes(19), bytes(12) + b"\x40" + bytes(7), bytes(12) + b"\x60" + bytes(7)])
def test_short_or_contradictory_header_is_malformed(data: bytes) -> None:
    assert parse_segment(memoryview(data), SRC, DST, False) is None


def test_reserved_bits_are_ignored_on_receipt_and_zero_when_sent() -> None:
    data = bytearray(octets(Segment(ackf=True)))
    assert data[12] & 0x0F == 0
    data[12] |= 0x0F
    assert parse(bytes(data)).ackf


def test_more_sack_blocks_than_fit_are_cut() -> None:
    segment = Segment(tson=True, sacks=tuple((index, index + 1) for index in range(9)))
    assert len(build_options(segment)) == 40
    assert parse(octets(segment)).sacks == segment.sacks[:3]


def test_syn_of_a_linux_kernel() -> None:
    """Options in Linux's order: MSS, SACK permitted, timestamps, NOP, window scale."""
    options = bytes.fromhex("020405b40402080aad3c0fee0000000001030307")
    segment = parse(with_options(options))
    assert (segment.mss, segment.sack_ok, segment.tsval, segment.tsecr, segment.wscale) == (1460, True, 0xAD3C0FEE, 0, 7)
    assert segment.has_mss
    assert segment.tson
    assert segment.has_wscale


def test_segment_fields_are_the_agreed_ones() -> None:
    names = (
        "src_port dst_port seq ack wnd up syn fin rst ackf psh urg ece cwr len mss has_mss wscale has_wscale sack_ok tson "
        "tsval tsecr sacks sum_ok gso_size payload"
    )
    assert [field.name for field in fields(Segment)] == names.split()
