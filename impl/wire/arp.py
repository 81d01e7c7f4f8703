"""ARP packets for IPv4 over Ethernet (RFC 826)."""

import struct
from dataclasses import dataclass
from typing import Final

from wirelaw.impl.wire.checksum import Address, Octets

PACKET: Final = struct.Struct("!HHBBH6s4s6s4s")
REQUEST: Final = 1
REPLY: Final = 2
NO_MAC: Final = bytes(6)

_ETHERNET: Final = (1, 0x0800, 6, 4)


@dataclass(frozen=True, slots=True)
class ArpPacket:
    """One ARP packet: `operation` is `REQUEST` or `REPLY` (other numbers parse too); MACs 6 octets, addresses 4."""

    operation: int
    sender_mac: bytes
    sender_ip: Address
    target_mac: bytes
    target_ip: Address


def parse_arp(data: Octets) -> ArpPacket | None:
    """The packet, or None when it is short or not about IPv4 over Ethernet. Trailing padding is ignored."""
    if len(data) < PACKET.size:
        return None
    fields = PACKET.unpack_from(data)
    if fields[:4] != _ETHERNET:
        return None
    return ArpPacket(*fields[4:])


def build_arp(packet: ArpPacket) -> bytes:
    """The 28 octets of `packet`."""
    return PACKET.pack(*_ETHERNET, packet.operation, packet.sender_mac, packet.sender_ip, packet.target_mac, packet.target_ip)
