"""TCP segments (RFC 9293 3.1) with the options of RFC 7323 (window scale, timestamps) and RFC 2018 (SACK).

`Segment` is the one typed form of a segment: the generated machine, the oracle and the stack share it.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wirelaw.impl.wire.checksum import Address, Octets, pseudo_header_sum, word_sum

HEADER: Final = struct.Struct("!HHIIHHHH")
"""Ports, sequence and acknowledgment numbers, data offset and control bits, window, checksum, urgent pointer."""

HEADER_LENGTH: Final = 20
MAXIMUM_OPTIONS: Final = 40
CHECKSUM_OFFSET: Final = 16
PROTOCOL: Final = 6

OPTION_END: Final = 0
OPTION_NOP: Final = 1
OPTION_MSS: Final = 2
OPTION_WINDOW_SCALE: Final = 3
OPTION_SACK_PERMITTED: Final = 4
OPTION_SACK: Final = 5
OPTION_TIMESTAMPS: Final = 8

_ALIGNED_TIMESTAMPS: Final = struct.Struct("!III")
_NOP_NOP_TS: Final = 0x0101080A
_PAIR: Final = struct.Struct("!II")
_SHORT: Final = struct.Struct("!H")


@dataclass(slots=True)
class Segment:
    """One TCP segment: header fields as the wire has them (the window unscaled), options decoded.

    Ports, `seq`, `ack`, `wnd` and `up` (the urgent pointer) are unsigned; `ackf` is the ACK bit; `len` counts payload
    octets. An absent option leaves its `has_`/`sack_ok`/`tson` flag false and its values zero. `sum_ok` is false when the
    checksum was verified and found wrong. `gso_size` is the payload size of the packets this super-segment was joined
    from (or is to be cut into) by the device; 0 for an ordinary segment. `payload` may be a view into a device buffer: it
    must be copied before the buffer is released.
    """

    src_port: int = 0
    dst_port: int = 0
    seq: int = 0
    ack: int = 0
    wnd: int = 0
    up: int = 0
    syn: bool = False
    fin: bool = False
    rst: bool = False
    ackf: bool = False
    psh: bool = False
    urg: bool = False
    ece: bool = False
    cwr: bool = False
    len: int = 0
    mss: int = 0
    has_mss: bool = False
    wscale: int = 0
    has_wscale: bool = False
    sack_ok: bool = False
    tson: bool = False
    tsval: int = 0
    tsecr: int = 0
    sacks: tuple[tuple[int, int], ...] = ()
    sum_ok: bool = True
    gso_size: int = 0
    payload: memoryview | bytes = b""


def _control_bits(octet: int) -> tuple[bool, bool, bool, bool, bool, bool, bool, bool]:
    cwr, ece, urg, ackf, psh, rst, syn, fin = (bool(octet >> bit & 1) for bit in range(7, -1, -1))
    return syn, fin, rst, ackf, psh, urg, ece, cwr


_CONTROL: Final = tuple(_control_bits(octet) for octet in range(256))
"""Control octet to the flags in the order of `Segment`'s fields: one index instead of eight tests."""


def parse_segment(view: memoryview, src: Address, dst: Address, verify: bool) -> Segment | None:
    """The segment that fills `view`, or None when it is shorter than its header says (RFC 9293 3.1).

    With `verify` the checksum is tested (MUST-3) and the outcome left in `sum_ok`; without, it is taken as good (the
    device has verified it, or it is only partial). Reserved bits are ignored.
    """
    size = len(view)
    if size < HEADER_LENGTH:
        return None
    src_port, dst_port, seq, ack, bits, wnd, _, up = HEADER.unpack_from(view)
    offset = bits >> 10 & 0x3C
    if offset < HEADER_LENGTH or offset > size:
        return None
    sum_ok = not verify or (word_sum(view) + pseudo_header_sum(src, dst, PROTOCOL, size)) % 65535 == 0
    syn, fin, rst, ackf, psh, urg, ece, cwr = _CONTROL[bits & 0xFF]
    payload = view[offset:]
    tsval = tsecr = 0
    tson = False
    if offset == 32:
        lead, tsval, tsecr = _ALIGNED_TIMESTAMPS.unpack_from(view, HEADER_LENGTH)
        tson = lead == _NOP_NOP_TS
    if offset != HEADER_LENGTH and not tson:
        segment = Segment(
            src_port, dst_port, seq, ack, wnd, up, syn, fin, rst, ackf, psh, urg, ece, cwr, size - offset,
            sum_ok=sum_ok, payload=payload,
        )  # fmt: skip
        _parse_options(bytes(view[HEADER_LENGTH:offset]), segment)
        return segment
    return Segment(
        src_port, dst_port, seq, ack, wnd, up, syn, fin, rst, ackf, psh, urg, ece, cwr, size - offset,
        0, False, 0, False, False, tson, tsval, tsecr, (), sum_ok, 0, payload,
    )  # fmt: skip


def _parse_options(options: bytes, segment: Segment) -> None:
    """Decode `options` into `segment`.

    Options may stand at any alignment (RFC 9293 MUST-64) and in any segment (MUST-5); unknown kinds are skipped by
    their length (MUST-6, MUST-68). A known kind of the wrong length is skipped as well. An illegal length (below 2, or
    past the end) ends the parse and keeps what came before it (MUST-7).
    """
    index, end = 0, len(options)
    while index < end:
        kind = options[index]
        if kind == OPTION_NOP:
            index += 1
            continue
        if kind == OPTION_END or index + 1 == end:
            return
        length = options[index + 1]
        if length < 2 or index + length > end:
            return
        value = index + 2
        if kind == OPTION_MSS and length == 4:
            segment.mss, segment.has_mss = int.from_bytes(options[value : value + 2], "big"), True
        elif kind == OPTION_WINDOW_SCALE and length == 3:
            segment.wscale, segment.has_wscale = options[value], True
        elif kind == OPTION_SACK_PERMITTED and length == 2:
            segment.sack_ok = True
        elif kind == OPTION_TIMESTAMPS and length == 10:
            segment.tsval, segment.tsecr = _PAIR.unpack_from(options, value)
            segment.tson = True
        elif kind == OPTION_SACK and length > 2 and (length - 2) % 8 == 0:
            segment.sacks = tuple(_PAIR.iter_unpack(options[value : index + length]))
        index += length


def build_options(segment: Segment) -> bytes:
    """The options of `segment`, padded to a multiple of 4 octets with NOPs in front (MUST-64 lets us choose).

    As many SACK blocks are written as fit into the 40 octets; the others are left out.
    """
    options = b""
    if segment.has_mss:
        options += struct.pack("!BBH", OPTION_MSS, 4, segment.mss)
    if segment.sack_ok:
        options += bytes((OPTION_NOP, OPTION_NOP, OPTION_SACK_PERMITTED, 2))
    if segment.tson:
        options += _ALIGNED_TIMESTAMPS.pack(_NOP_NOP_TS, segment.tsval, segment.tsecr)
    if segment.has_wscale:
        options += bytes((OPTION_NOP, OPTION_WINDOW_SCALE, 3, segment.wscale))
    if segment.sacks:
        blocks = segment.sacks[: (MAXIMUM_OPTIONS - len(options) - 4) // 8]
        if blocks:
            options += bytes((OPTION_NOP, OPTION_NOP, OPTION_SACK, 2 + 8 * len(blocks)))
            options += b"".join(_PAIR.pack(*block) for block in blocks)
    return options


def build_segment(
    buffer: memoryview | bytearray,
    offset: int,
    segment: Segment,
    src: Address,
    dst: Address,
    parts: Sequence[Octets] | None = None,
    partial: bool = False,
) -> int:
    """Write `segment` at `offset` of `buffer`; the length of header, options and payload in octets is returned.

    The payload is `segment.payload`, or the concatenation of `parts` when given (a circular buffer's two pieces); it is
    copied once. With `partial` the checksum field holds only the folded pseudo-header sum, for a device that computes
    the rest (virtio NEEDS_CSUM); else it is complete. Reserved bits are zero.
    """
    control = (
        segment.fin | segment.syn << 1 | segment.rst << 2 | segment.psh << 3
        | segment.ackf << 4 | segment.urg << 5 | segment.ece << 6 | segment.cwr << 7
    )  # fmt: skip
    start = offset + HEADER_LENGTH
    if segment.has_mss or segment.sack_ok or segment.has_wscale or segment.sacks:
        options = build_options(segment)
        buffer[start : start + len(options)] = options
        start += len(options)
    elif segment.tson:
        _ALIGNED_TIMESTAMPS.pack_into(buffer, start, _NOP_NOP_TS, segment.tsval, segment.tsecr)
        start += 12
    end = start
    for part in (segment.payload,) if parts is None else parts:
        stop = end + len(part)
        buffer[end:stop] = part
        end = stop
    length = end - offset
    bits = (start - offset) << 10 | control
    initial = pseudo_header_sum(src, dst, PROTOCOL, length)
    HEADER.pack_into(
        buffer, offset, segment.src_port, segment.dst_port, segment.seq, segment.ack, bits, segment.wnd,
        initial % 65535 if partial else 0, segment.up,
    )  # fmt: skip
    if not partial:
        total = word_sum(memoryview(buffer)[offset:end]) + initial
        _SHORT.pack_into(buffer, offset + CHECKSUM_OFFSET, -total % 65535)
    return length
