"""Capture files: both formats, every byte order and clock, link layers, and one bad file per diagnostic."""

import io
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.capture import Capture, LinkType, Packet, PcapWriter, read_packets
from wirelaw.oracle.capture.packet import ip_offset, sent_by_host

BAD = Path(__file__).parent / "fixtures" / "captures" / "bad"
MICROSECOND, NANOSECOND = 0xA1B2C3D4, 0xA1B23C4D

frames = st.lists(st.tuples(st.integers(0, 2**32 * 1_000_000 - 1), st.binary(max_size=80), st.integers(0, 100)), max_size=8)
orders = st.sampled_from("<>")


def read(octets: bytes) -> list[Packet]:
    return list(Capture(io.BytesIO(octets), "memory"))


def seen(packets: list[Packet]) -> list[tuple[int, bytes, int]]:
    return [(p.time_us, p.data, p.original_length) for p in packets]


def pcap(order: str, magic: int, recorded: list[tuple[int, bytes, int]]) -> bytes:
    per_us = 1000 if magic == NANOSECOND else 1
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, LinkType.RAW)
    for time_us, data, cut in recorded:
        seconds, fraction = divmod(time_us, 1_000_000)
        out += struct.pack(order + "IIII", seconds, fraction * per_us + per_us // 2, len(data), len(data) + cut) + data
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, linktype: int = LinkType.RAW, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", linktype, 0, snaplen) + options)


def enhanced(order: str, number: int, stamp: int, data: bytes, original: int) -> bytes:
    head = struct.pack(order + "IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(data), original)
    return block(order, 6, head + data + bytes(-len(data) % 4) + option(order, 1, b"a comment"))


@given(orders, st.sampled_from((MICROSECOND, NANOSECOND)), frames)
def test_pcap_of_all_four_magics(order: str, magic: int, recorded: list[tuple[int, bytes, int]]) -> None:
    packets = read(pcap(order, magic, recorded))
    assert seen(packets) == [(t, d, len(d) + cut) for t, d, cut in recorded]
    assert [p.number for p in packets] == list(range(1, len(recorded) + 1))


@given(frames, st.integers(1, 100))
def test_what_the_writer_wrote_is_read_back_cut_to_the_snaplen(recorded: list[tuple[int, bytes, int]], snaplen: int) -> None:
    file = io.BytesIO()
    with PcapWriter(file, LinkType.ETHERNET, snaplen) as writer:
        for time_us, data, cut in recorded:
            writer.write(time_us, data, len(data) + cut)
    assert seen(read(file.getvalue())) == [(t, d[:snaplen], len(d) + cut) for t, d, cut in recorded]


@given(orders, frames, st.sampled_from((0, 3, 6, 9, 0x80 | 20, 0x80 | 10)))
def test_pcapng_clock_resolutions(order: str, recorded: list[tuple[int, bytes, int]], resolution: int) -> None:
    power = resolution & 0x7F
    ticks = 1 << power if resolution & 0x80 else 10**power
    out = section(order) + interface(order, options=option(order, 9, bytes([resolution])))
    stamps = [time_us * ticks // 1_000_000 for time_us, _, _ in recorded]
    for stamp, (_, data, cut) in zip(stamps, recorded, strict=True):
        out += enhanced(order, 0, stamp, data, len(data) + cut)
    packets = read(out)
    assert [p.time_us for p in packets] == [stamp * 1_000_000 // ticks for stamp in stamps]
    assert [p.data for p in packets] == [data for _, data, _ in recorded]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_interfaces_keep_their_own_link_type_and_clock_across_sections(order: str) -> None:
    other = "<" if order == ">" else ">"
    offset = option(order, 14, struct.pack(order + "q", 100))
    packets = read(
        section(order)
        + interface(order, LinkType.ETHERNET)
        + interface(order, LinkType.LINUX_SLL, options=option(order, 9, b"\x09") + offset)
        + block(order, 4, b"names of hosts, stepped over")
        + enhanced(order, 1, 5_000, b"one", 3)
        + enhanced(order, 0, 7, b"two", 3)
        + section(other)
        + interface(other, LinkType.RAW)
        + enhanced(other, 0, 9, b"three", 5)
    )
    assert [(p.interface, p.linktype, p.time_us, p.data) for p in packets] == [
        (1, LinkType.LINUX_SLL, 100_000_005, b"one"),
        (0, LinkType.ETHERNET, 7, b"two"),
        (2, LinkType.RAW, 9, b"three"),
    ]


def test_pcapng_simple_packets_have_the_time_of_the_packet_before_and_the_snaplen_of_the_interface() -> None:
    packets = read(
        section("<")
        + interface("<", snaplen=4)
        + enhanced("<", 0, 77, b"a", 1)
        + block("<", 3, struct.pack("<I", 9) + b"abcd")
        + block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 80, 2, 2) + b"xy")
    )
    assert seen(packets) == [(77, b"a", 1), (77, b"abcd", 9), (80, b"xy", 2)]


def test_pcapng_statistics_tell_how_long_the_capture_ran() -> None:
    statistics = struct.pack("<III", 0, 0, 0) + option("<", 3, struct.pack("<II", 1, 5))
    capture = Capture(io.BytesIO(section("<") + interface("<") + block("<", 5, statistics)), "memory")
    assert list(capture) == []
    assert capture.running_until_us == (1 << 32) + 5


IP = b"\x45" + bytes(19)
TAG = b"\x81\x00\x00\x07"


@pytest.mark.parametrize(
    ("linktype", "header"),
    [
        (LinkType.ETHERNET, bytes(12) + b"\x08\x00"),
        (LinkType.ETHERNET, bytes(12) + TAG + b"\x08\x00"),
        (LinkType.ETHERNET, bytes(12) + b"\x88\xa8\x00\x01" + TAG + b"\x86\xdd"),
        (LinkType.RAW, b""),
        (LinkType.IPV4, b""),
        (LinkType.LINUX_SLL, bytes(14) + b"\x08\x00"),
        (LinkType.LINUX_SLL, bytes(14) + TAG + b"\x08\x00"),
        (LinkType.LINUX_SLL2, b"\x08\x00" + bytes(18)),
        (LinkType.NULL, b"\x02\x00\x00\x00"),
        (LinkType.LOOP, b"\x00\x00\x00\x02"),
    ],
)
def test_the_ip_header_is_found_behind_the_link_layer(linktype: LinkType, header: bytes) -> None:
    assert ip_offset(Packet(1, 0, header + IP, linktype, 99)) == len(header)
    assert ip_offset(Packet(1, 0, header, linktype, 99)) == -1


def test_other_protocols_are_not_ip() -> None:
    assert ip_offset(Packet(1, 0, bytes(12) + b"\x08\x06" + bytes(28), LinkType.ETHERNET, 42)) == -1
    assert ip_offset(Packet(1, 0, b"", LinkType.ETHERNET, 0)) == -1


def test_cooked_headers_tell_who_sent() -> None:
    assert sent_by_host(Packet(1, 0, b"\0\4" + bytes(14), LinkType.LINUX_SLL, 16)) is True
    assert sent_by_host(Packet(1, 0, b"\0\0" + bytes(14), LinkType.LINUX_SLL, 16)) is False
    assert sent_by_host(Packet(1, 0, bytes(10) + b"\4" + bytes(9), LinkType.LINUX_SLL2, 20)) is True
    assert sent_by_host(Packet(1, 0, IP, LinkType.RAW, 20)) is None


@pytest.mark.parametrize("path", sorted(p for p in BAD.iterdir() if p.suffix != ".expected"), ids=lambda p: p.name)
def test_a_bad_file_is_told_in_one_line_after_the_packets_before_the_fault(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    told, notes, count = "", list[str](), 0
    try:
        for _ in read_packets(path.name, notes):
            count += 1
    except UserError as error:
        told = f"error: {error}\n"
    report = f"packets: {count}\n" + "".join(f"note: {note}\n" for note in notes) + told
    assert report == (BAD / f"{path.name}.expected").read_text()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    missing = tmp_path / "none.pcap"
    with pytest.raises(UserError, match=r"none\.pcap: cannot be opened: No such file or directory; give the path"):
        next(read_packets(missing))
    with pytest.raises(UserError, match="Is a directory"):
        next(read_packets(tmp_path))


@given(st.binary(max_size=300), st.sampled_from((b"", b"\xa1\xb2\xc3\xd4\x00\x02", section("<") + interface("<"))))
def test_any_octets_give_packets_or_one_line(octets: bytes, start: bytes) -> None:
    told = ""
    try:
        read(start + octets)
    except UserError as error:
        told = str(error)
    assert "\n" not in told


@given(frames, st.data())
def test_a_file_cut_anywhere_gives_the_whole_packets_before(recorded: list[tuple[int, bytes, int]], data: st.DataObject) -> None:
    whole = pcap("<", MICROSECOND, recorded)
    capture = Capture(io.BytesIO(whole[: data.draw(st.integers(24, len(whole)))]), "memory")
    packets = list(capture)
    assert seen(packets) == [(t, d, len(d) + cut) for t, d, cut in recorded][: len(packets)]
    assert len(capture.notes) <= 1


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    with PcapWriter(path, LinkType.RAW) as writer:
        for number in range(4000):
            writer.write(number, bytes(1500))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_packets(path)) == 4000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # the file has 6 MB
    finally:
        tracemalloc.stop()
