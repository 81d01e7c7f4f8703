"""What a network card does with offloaded work: finish checksums, and cut one large TCP packet into segments.

The in-process device model uses it when the receiving side did not agree to take unfinished frames.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from wirelaw.impl.device.link import ETHERNET_HEADER, Offload

CHECKSUM: Final = Struct("!H")
SEQUENCE: Final = Struct("!I")
IP_TOTAL_LENGTH: Final = 2  # offsets in the IPv4 header
IP_IDENTIFICATION: Final = 4
IP_CHECKSUM: Final = 10
IP_ADDRESSES: Final = 12
TCP_SEQUENCE: Final = 4  # offsets in the TCP header
TCP_FLAGS: Final = 13
TCP_CHECKSUM: Final = 16
FIN_AND_PSH: Final = 0x09
CWR: Final = 0x80
PROTOCOL_TCP: Final = 6


def internet_checksum(data: bytes | bytearray, initial: int = 0) -> int:
    """The Internet checksum (RFC 1071) of `data`, `initial` being added to the sum. Never 0: it yields 0xFFFF instead.

    2^16 is 1 modulo 65535, so the ones-complement sum of the 16-bit words is the whole number modulo 65535.
    """
    total = int.from_bytes(data) << (8 if len(data) & 1 else 0)
    return 0xFFFF - (total + initial) % 0xFFFF


def finish_checksum(frame: bytes, offload: Offload) -> bytes:
    """`frame` with the checksum that `offload` left undone; unchanged where the offload points outside the frame."""
    field = offload.csum_start + offload.csum_offset
    if not offload.needs_csum or field + CHECKSUM.size > len(frame):
        return frame
    finished = bytearray(frame)
    CHECKSUM.pack_into(finished, field, internet_checksum(frame[offload.csum_start :]))
    return bytes(finished)


def segment(frame: bytes, offload: Offload) -> list[bytes]:
    """The TCP/IPv4 segments of at most `offload.gso_size` payload bytes that `frame` stands for, checksums finished.

    A frame whose header lengths contradict its size yields no segments, as a card would drop it.
    """
    tcp = offload.csum_start
    header_length, size = offload.hdr_len, offload.gso_size
    if not ETHERNET_HEADER + 20 <= tcp <= header_length - 20 or header_length > len(frame) or size <= 0:
        return []
    ip = ETHERNET_HEADER
    (identification,) = CHECKSUM.unpack_from(frame, ip + IP_IDENTIFICATION)
    (sequence,) = SEQUENCE.unpack_from(frame, tcp + TCP_SEQUENCE)
    segments = []
    starts = range(header_length, max(len(frame), header_length + 1), size)
    for number, start in enumerate(starts):
        part = bytearray(frame[:header_length]) + frame[start : start + size]
        if start != starts[0]:
            part[tcp + TCP_FLAGS] &= ~CWR & 0xFF
        if start != starts[-1]:
            part[tcp + TCP_FLAGS] &= ~FIN_AND_PSH & 0xFF
        CHECKSUM.pack_into(part, ip + IP_TOTAL_LENGTH, len(part) - ip)
        CHECKSUM.pack_into(part, ip + IP_IDENTIFICATION, (identification + number) & 0xFFFF)
        CHECKSUM.pack_into(part, ip + IP_CHECKSUM, 0)
        CHECKSUM.pack_into(part, ip + IP_CHECKSUM, internet_checksum(part[ip:tcp]))
        SEQUENCE.pack_into(part, tcp + TCP_SEQUENCE, (sequence + start - header_length) & 0xFFFF_FFFF)
        CHECKSUM.pack_into(part, tcp + TCP_CHECKSUM, 0)
        pseudo_header = sum(Struct("!4H").unpack_from(part, ip + IP_ADDRESSES)) + PROTOCOL_TCP + len(part) - tcp
        CHECKSUM.pack_into(part, tcp + TCP_CHECKSUM, internet_checksum(part[tcp:], pseudo_header))
        segments.append(bytes(part))
    return segments
