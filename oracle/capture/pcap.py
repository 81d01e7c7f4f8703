"""The classic capture file format (draft-ietf-opsawg-pcap): a 24-octet header, then 16 octets before each packet."""

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from wirelaw.oracle.capture.packet import SUPPORTED, LinkType, Packet
from wirelaw.oracle.capture.stream import LONGEST_PACKET, CaptureStream

# Magic as it lies in the file: (byte order, units of the fraction in one microsecond).
MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),
}
_HEADER_SIZE = 24
_RECORD_SIZE = 16


def read_pcap(stream: CaptureStream, magic: bytes) -> Iterator[Packet]:
    """The packets behind `magic`, which has been read from `stream`. Raises UserError where the file is damaged."""
    order, per_us = MAGICS[magic]
    rest = stream.read(_HEADER_SIZE - len(magic))
    if len(magic) + len(rest) < _HEADER_SIZE:
        found = len(magic) + len(rest)
        raise stream.error(0, f"the pcap header has {_HEADER_SIZE} bytes but the file only {found}", "record it again")
    major, minor, _, _, _, link = struct.unpack(order + "HHiIII", rest)
    if major != 2:
        raise stream.error(4, f"pcap version {major}.{minor} is not known", "save it as version 2.4")
    linktype = link & 0xFFFF  # the upper half tells the length of the frame check sequence
    if linktype not in SUPPORTED:
        raise stream.error(
            20,
            f"link type {linktype} is not supported",
            "capture on an Ethernet, raw IP, loopback or Linux 'any' interface",
        )
    record = struct.Struct(order + "IIII")
    unpack, read, size = record.unpack, stream.read, _RECORD_SIZE
    while True:
        start = stream.offset
        header = read(size)
        if len(header) < size:
            if header:
                stream.cut_off(start)
            return
        seconds, fraction, captured, original = unpack(header)
        if captured > LONGEST_PACKET:
            raise stream.damaged(start, f"captured length {captured} is over {LONGEST_PACKET}")
        data = read(captured)
        if len(data) < captured:
            stream.cut_off(start)
            return
        stream.packets += 1
        yield Packet(stream.packets, seconds * 1_000_000 + fraction // per_us, data, linktype, original)


class PcapWriter:
    """Writes packets to a pcap file: little-endian, microseconds. A context manager; closes what it opened.

    `snaplen` is the largest number of octets kept of a packet.
    """

    def __init__(self, target: Path | str | BinaryIO, linktype: int = LinkType.ETHERNET, snaplen: int = 262_144):
        self._owned = isinstance(target, (str, Path))
        self._file: BinaryIO = open(target, "wb") if isinstance(target, (str, Path)) else target  # noqa: SIM115
        self._snaplen = snaplen
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, linktype))

    def write(self, time_us: int, data: bytes | memoryview, original_length: int | None = None) -> None:
        """Append one packet. `original_length` is its length on the wire, when `data` is only its beginning."""
        kept = data[: self._snaplen]
        length = len(data) if original_length is None else original_length
        self._file.write(struct.pack("<IIII", time_us // 1_000_000, time_us % 1_000_000, len(kept), length))
        self._file.write(kept)

    def close(self) -> None:
        """Flush, and close the file if this writer opened it."""
        if self._owned:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
