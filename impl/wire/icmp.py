"""ICMP messages (RFC 792)."""

import struct
from typing import Final, NamedTuple

from wirelaw.impl.wire.checksum import Address, Octets, checksum, is_valid
from wirelaw.impl.wire.ipv4 import parse_header

HEADER: Final = struct.Struct("!BBHHH")
"""Type, code, checksum, and two 16-bit fields whose meaning depends on the type (echo: identifier, sequence)."""

HEADER_LENGTH: Final = 8

ECHO_REPLY: Final = 0
UNREACHABLE: Final = 3
SOURCE_QUENCH: Final = 4
REDIRECT: Final = 5
ECHO_REQUEST: Final = 8
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12

ERRORS: Final = frozenset({UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM})

NETWORK_CODES: Final = frozenset({0, 6, 9, 11})
"""Codes of UNREACHABLE that are about the whole network, not one host on it (RFC 792, RFC 1122 3.2.2.1)."""
HOST_UNREACHABLE: Final = 1
PROTOCOL_UNREACHABLE: Final = 2
PORT_UNREACHABLE: Final = 3
FRAGMENTATION_NEEDED: Final = 4
REASSEMBLY_TIME_EXCEEDED: Final = 1

QUOTED_TRANSPORT: Final = 8
"""Octets of the transport header that an error must quote (RFC 792); they hold the ports and TCP's sequence number."""


class IcmpMessage(NamedTuple):
    """A parsed message: `first` and `second` are the two 16-bit fields after the checksum, `body` all that follows."""

    type: int
    code: int
    first: int
    second: int
    body: memoryview


class IcmpError(NamedTuple):
    """An error about a datagram that was sent: the quoted addresses and ports are from the sender's point of view.

    `seq` is the quoted TCP sequence number (the UDP length and checksum for UDP); `mtu` is the next hop's MTU when the
    error is *fragmentation needed* (RFC 1191), else 0; `reporter` sent the error.
    """

    type: int
    code: int
    mtu: int
    protocol: int
    src: Address
    dst: Address
    src_port: int
    dst_port: int
    seq: int
    reporter: Address


def parse_icmp(view: memoryview, verify: bool) -> IcmpMessage | None:
    """The message, or None when it is short or, if `verify`, its checksum is wrong."""
    if len(view) < HEADER_LENGTH or (verify and not is_valid(view)):
        return None
    kind, code, _, first, second = HEADER.unpack_from(view)
    return IcmpMessage(kind, code, first, second, view[HEADER_LENGTH:])


def parse_error(message: IcmpMessage, reporter: Address) -> IcmpError | None:
    """What an error message is about, or None when the quotation is too short or not of a first fragment."""
    quoted = parse_header(message.body)
    if quoted is None or quoted.fragment & 0x1FFF:
        return None
    transport = message.body[quoted.header_length : quoted.header_length + QUOTED_TRANSPORT]
    if len(transport) < QUOTED_TRANSPORT:
        return None
    src_port, dst_port, seq = struct.unpack("!HHI", transport)
    needs_fragments = message.type == UNREACHABLE and message.code == FRAGMENTATION_NEEDED
    mtu = message.second if needs_fragments else 0
    return IcmpError(message.type, message.code, mtu, quoted.protocol, quoted.src, quoted.dst, src_port, dst_port, seq, reporter)


def build_icmp(kind: int, code: int, first: int, second: int, body: Octets) -> bytes:
    """The octets of one message with its checksum."""
    message = bytearray(HEADER.pack(kind, code, 0, first, second))
    message += body
    struct.pack_into("!H", message, 2, checksum(message))
    return bytes(message)
