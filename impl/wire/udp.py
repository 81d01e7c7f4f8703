"""UDP datagrams (RFC 768)."""

import struct
from typing import Final

from wirelaw.impl.wire import ipv4
from wirelaw.impl.wire.checksum import Address, Octets, is_valid, pseudo_header_sum, word_sum

HEADER: Final = struct.Struct("!HHHH")
"""Source port, destination port, length, checksum."""

HEADER_LENGTH: Final = 8
_PROTOCOL: Final = 17


def parse_udp(view: memoryview, src: Address, dst: Address, verify: bool) -> tuple[int, int, memoryview] | None:
    """Source port, destination port and payload (a slice of `view`), or None when malformed.

    A length field that does not fit and, if `verify`, a wrong checksum are malformed. Over IPv4 a checksum field of zero
    means that there is none (RFC 768).
    """
    if len(view) < HEADER_LENGTH:
        return None
    src_port, dst_port, length, checksum = HEADER.unpack_from(view)
    if length < HEADER_LENGTH or length > len(view):
        return None
    if verify:
        if checksum:
            if not is_valid(view[:length], pseudo_header_sum(src, dst, _PROTOCOL, length)):
                return None
        elif len(src) != 4:
            return None
    return src_port, dst_port, view[HEADER_LENGTH:length]


def write_udp(
    buffer: memoryview | bytearray,
    offset: int,
    src: Address,
    dst: Address,
    src_port: int,
    dst_port: int,
    payload: Octets,
) -> int:
    """Write a datagram with its checksum at `offset`; its length in octets is returned."""
    length = HEADER_LENGTH + len(payload)
    total = word_sum(payload) + pseudo_header_sum(src, dst, _PROTOCOL, length) + src_port + dst_port + length
    # A computed zero is sent as all ones, since zero says "no checksum" (RFC 768).
    HEADER.pack_into(buffer, offset, src_port, dst_port, length, -total % 65535 or 0xFFFF)
    buffer[offset + HEADER_LENGTH : offset + length] = payload
    return length


def ipv4_datagram(src: tuple[bytes, int], dst: tuple[bytes, int], payload: Octets, identification: int) -> bytes:
    """A whole IPv4 packet that carries a datagram; ends are (address in four octets, port)."""
    length = ipv4.HEADER_LENGTH + HEADER_LENGTH + len(payload)
    packet = bytearray(length)
    ipv4.write_header(packet, 0, length, identification, 0, 64, ipv4.UDP, src[0], dst[0])
    write_udp(packet, ipv4.HEADER_LENGTH, src[0], dst[0], src[1], dst[1], payload)
    return bytes(packet)
