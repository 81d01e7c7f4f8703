"""The block-structured capture file format (draft-ietf-opsawg-pcapng), section by section."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wirelaw.oracle.capture.packet import SUPPORTED, Packet
from wirelaw.oracle.capture.stream import LONGEST_PACKET, CaptureStream

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _STATISTICS, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 5, 6
_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_IF_TSRESOL, _IF_TSOFFSET = 9, 14
_ISB_ENDTIME, _ISB_IFDROP, _ISB_OSDROP = 3, 5, 7
_MICROSECONDS = 6
# Other blocks (name resolution, key logs) may be longer than a packet; we only step over them.
_LONGEST_BLOCK = 1 << 28
_STEP = 1 << 16


@dataclass(frozen=True, slots=True)
class _Interface:
    """An interface description: link type, snaplen, clock resolution (the octet of if_tsresol) and offset (seconds)."""

    number: int
    linktype: int
    snaplen: int
    resolution: int
    offset: int

    def microseconds(self, stamp: int) -> int:
        """A stamp of this interface in microseconds since the epoch."""
        power = self.resolution & 0x7F
        if self.resolution & 0x80:
            return (stamp * 1_000_000 >> power) + self.offset * 1_000_000
        if power == _MICROSECONDS:
            return stamp + self.offset * 1_000_000
        return stamp * 1_000_000 // int(10**power) + self.offset * 1_000_000


class PcapngReader:
    """Reads one file: `packets()` yields them; raises UserError where the file is damaged."""

    def __init__(self, stream: CaptureStream):
        self._stream = stream
        self._order = "<"
        self._interfaces: list[_Interface] = []  # of the current section
        self._interface_count = 0  # of the whole file
        self._last_us = 0
        self._refused: set[int] = set()
        self._any_supported = False

    def packets(self) -> Iterator[Packet]:
        """The packets of the file, whose first four octets (a section's block type) have been read."""
        stream = self._stream
        kind_octets = SECTION_MAGIC
        while True:
            start = stream.offset - len(kind_octets)
            body = self._block(start, kind_octets)
            if body is None:
                break
            kind, octets = body
            packet = self._interpret(start, kind, octets)
            if packet is not None:
                yield packet
            kind_octets = stream.read(4)
            if len(kind_octets) < 4:
                if kind_octets:
                    stream.cut_off(stream.offset - len(kind_octets))
                break
        if self._refused and not self._any_supported:
            kinds = ", ".join(map(str, sorted(self._refused)))
            raise stream.error(0, f"no packet has a supported link type (found {kinds})", "capture on an Ethernet or raw IP interface")

    def _block(self, start: int, kind_octets: bytes) -> tuple[int, bytes] | None:
        """Block type and body; None when the file ends inside the block."""
        stream = self._stream
        head = stream.read(4)
        if kind_octets == SECTION_MAGIC:
            head += stream.read(4)
            if len(head) < 8:
                self._note_end(start)
                return None
            order = _ORDERS.get(head[4:])
            if order is None:
                raise stream.error(start + 8, f"no byte-order mark of pcapng ({head[4:].hex(' ')})", "the file is damaged, record again")
            self._order, self._interfaces = order, []
        if len(head) < 4:
            self._note_end(start)
            return None
        kind, length = struct.unpack(self._order + "II", kind_octets + head[:4])
        remaining = length - 4 - len(head)
        if length % 4 or remaining < 4 or length > _LONGEST_BLOCK:
            raise stream.damaged(start, f"block length {length} is impossible")
        if kind not in _INTERPRETED:
            return self._skip(start, kind, remaining)
        if length > LONGEST_PACKET + 4096:
            raise stream.damaged(start, f"block length {length} is over {LONGEST_PACKET + 4096}")
        body = stream.read(remaining)
        if len(body) < remaining:
            self._note_end(start)
            return None
        (trailer,) = struct.unpack(self._order + "I", body[-4:])
        if trailer != length:
            raise stream.damaged(start, f"block length is {length} at its start and {trailer} at its end")
        return kind, body[:-4]

    def _note_end(self, start: int) -> None:
        if self._stream.packets == 0 and start == 0:
            raise self._stream.error(0, "the file ends inside the section header of pcapng", "record it again")
        self._stream.cut_off(start)

    def _skip(self, start: int, kind: int, remaining: int) -> tuple[int, bytes] | None:
        while remaining:
            step = len(self._stream.read(min(remaining, _STEP)))
            if not step:
                self._note_end(start)
                return None
            remaining -= step
        return kind, b""

    def _interpret(self, start: int, kind: int, body: bytes) -> Packet | None:
        if kind == _ENHANCED:
            return self._packet(start, body, "IIIII", 20)
        if kind == _OLD_PACKET:
            return self._packet(start, body, "HxxIIII", 20)
        if kind == _SIMPLE:
            return self._simple_packet(start, body)
        if kind == _INTERFACE:
            self._describe_interface(start, body)
        elif kind == _STATISTICS:
            self._read_statistics(start, body)
        return None

    def _packet(self, start: int, body: bytes, layout: str, size: int) -> Packet | None:
        if len(body) < size:
            raise self._stream.damaged(start, "the packet block is too short")
        number, high, low, captured, original = struct.unpack_from(self._order + layout, body)
        interface = self._interface(start, number)
        if captured > len(body) - size:
            raise self._stream.damaged(start, f"captured length {captured} does not fit its block")
        self._last_us = interface.microseconds(high << 32 | low)
        return self._emit(interface, body[size : size + captured], original)

    def _simple_packet(self, start: int, body: bytes) -> Packet | None:
        if len(body) < 4:
            raise self._stream.damaged(start, "the packet block is too short")
        (original,) = struct.unpack_from(self._order + "I", body)
        interface = self._interface(start, 0)
        captured = min(original, interface.snaplen or original, len(body) - 4)
        return self._emit(interface, body[4 : 4 + captured], original)  # it has no time: that of the packet before

    def _emit(self, interface: _Interface, data: bytes, original: int) -> Packet | None:
        self._stream.packets += 1  # those left out count too: numbers agree with other tools
        if interface.linktype not in SUPPORTED:
            if interface.linktype not in self._refused:
                self._refused.add(interface.linktype)
                self._stream.notes.append(
                    f"{self._stream.name}: packets of interface {interface.number} are left out: "
                    f"link type {interface.linktype} is not supported"
                )
            return None
        self._any_supported = True
        return Packet(self._stream.packets, self._last_us, data, interface.linktype, original, interface.number)

    def _interface(self, start: int, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._stream.damaged(start, f"interface {number} has not been described")
        return self._interfaces[number]

    def _describe_interface(self, start: int, body: bytes) -> None:
        if len(body) < 8:
            raise self._stream.error(start, "the interface description is too short", "record the file again")
        linktype, snaplen = struct.unpack_from(self._order + "HxxI", body)
        options = self._options(body[8:])
        resolution = options.get(_IF_TSRESOL, b"\x06")[0]
        offset = options.get(_IF_TSOFFSET, bytes(8))
        seconds = struct.unpack(self._order + "q", offset)[0] if len(offset) == 8 else 0
        self._interfaces.append(_Interface(self._interface_count, linktype, snaplen, resolution, seconds))
        self._interface_count += 1

    def _read_statistics(self, start: int, body: bytes) -> None:
        if len(body) < 12:
            raise self._stream.error(start, "the interface statistics are too short", "record the file again")
        (number,) = struct.unpack_from(self._order + "I", body)
        interface = self._interface(start, number)
        options = self._options(body[12:])
        if len(end := options.get(_ISB_ENDTIME, b"")) == 8:
            high, low = struct.unpack(self._order + "II", end)
            until = interface.microseconds(high << 32 | low)
            self._stream.running_until_us = max(until, self._stream.running_until_us or until)
        counts = (options.get(code, b"") for code in (_ISB_IFDROP, _ISB_OSDROP))
        lost = sum(struct.unpack(self._order + "Q", value)[0] for value in counts if len(value) == 8)
        if lost > self._stream.dropped.get(interface.number, 0):  # the counts grow; the last ones tell all
            self._stream.dropped[interface.number] = lost

    def _options(self, octets: bytes) -> dict[int, bytes]:
        """Options by code, the last of each; a malformed tail is left out."""
        options: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(octets):
            code, length = struct.unpack_from(self._order + "HH", octets, at)
            value = octets[at + 4 : at + 4 + length]
            if code == 0 or len(value) < length:
                break
            if length:
                options[code] = value
            at += 4 + (length + 3 & ~3)
        return options


_INTERPRETED = frozenset({_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _STATISTICS, _ENHANCED})
