"""IPv4 headers (RFC 791)."""

import struct
from typing import Final, NamedTuple

from wirelaw.impl.wire.checksum import Address, Octets

HEADER: Final = struct.Struct("!BBHHHBBH4s4s")
"""Version and header length, TOS, total length, identification, flags and offset, TTL, protocol, checksum, src, dst."""

HEADER_LENGTH: Final = 20
MAXIMUM_LENGTH: Final = 65535

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17

DONT_FRAGMENT: Final = 0x4000
MORE_FRAGMENTS: Final = 0x2000
OFFSET_MASK: Final = 0x1FFF
"""Fragment offset, in units of 8 octets."""

LIMITED_BROADCAST: Final = b"\xff" * 4


class Ipv4Header(NamedTuple):
    """A parsed header. `header_length` and `total_length` are in octets, `fragment` holds flags and offset as sent."""

    header_length: int
    tos: int
    total_length: int
    ident: int
    fragment: int
    ttl: int
    protocol: int
    src: Address
    dst: Address


def parse_header(data: Octets) -> Ipv4Header | None:
    """The header of the datagram at the start of `data`, or None when it cannot be one.

    The checksum is not verified and `total_length` may exceed `len(data)`: quoted datagrams (RFC 792) are cut short
    and may have been altered on their way.
    """
    if len(data) < HEADER_LENGTH:
        return None
    version_ihl, tos, total, ident, fragment, ttl, protocol, _, src, dst = HEADER.unpack_from(data)
    length = (version_ihl & 15) * 4
    if version_ihl >> 4 != 4 or length < HEADER_LENGTH or length > len(data) or total < length:
        return None
    return Ipv4Header(length, tos, total, ident, fragment, ttl, protocol, src, dst)


def write_header(
    buffer: memoryview | bytearray,
    offset: int,
    total_length: int,
    ident: int,
    fragment: int,
    ttl: int,
    protocol: int,
    src: Address,
    dst: Address,
    tos: int = 0,
) -> None:
    """Write a header without options, its checksum included, at `offset`. `total_length` counts header and payload."""
    addresses = int.from_bytes(src + dst, "big")
    words = 0x4500 + tos + total_length + ident + fragment + (ttl << 8 | protocol) + addresses
    HEADER.pack_into(buffer, offset, 0x45, tos, total_length, ident, fragment, ttl, protocol, -words % 65535, src, dst)
