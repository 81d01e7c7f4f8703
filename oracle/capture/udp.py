"""The UDP datagram of a captured packet (IPv4)."""

from __future__ import annotations

from typing import NamedTuple

from wirelaw.impl.wire.ipv4 import UDP, parse_header
from wirelaw.impl.wire.udp import parse_udp
from wirelaw.oracle.capture.packet import Packet, ip_offset


class Endpoint(NamedTuple):
    """An address and a port; prints as `192.0.2.7:4000`."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Datagram(NamedTuple):
    """What one end sent to another."""

    source: Endpoint
    target: Endpoint
    octets: bytes


def datagram_of(packet: Packet) -> Datagram | None:
    """The datagram in `packet`; None when it holds none, or only a part of one."""
    at = ip_offset(packet)
    if at < 0:
        return None
    octets = memoryview(packet.data)[at:]
    header = parse_header(octets)
    if header is None or header.protocol != UDP:
        return None
    parsed = parse_udp(octets[header.header_length : header.total_length], header.src, header.dst, verify=False)
    if parsed is None:
        return None
    source, target = (".".join(map(str, a)) for a in (header.src, header.dst))
    return Datagram(Endpoint(source, parsed[0]), Endpoint(target, parsed[1]), bytes(parsed[2]))
