"""Where the TCP segment, or a fragment of one, lies in a captured packet."""

from collections.abc import Hashable
from typing import NamedTuple

from wirelaw.oracle.capture import Packet

TCP = 6
_FRAGMENT = 44
_EXTENSIONS = frozenset({0, 43, 60})  # hop-by-hop options, routing, destination options (RFC 8200 4)
_MORE, _OFFSET = 0x2000, 0x1FFF


class Fragment(NamedTuple):
    """The place of a fragment: its datagram, the octet it starts at, whether more follow."""

    key: Hashable
    start: int
    more: bool


class Located(NamedTuple):
    """Where a TCP segment lies in a packet: offset, length on the wire, pseudo-header; its place if it is a fragment."""

    at: int
    size: int
    addresses: bytes
    header_ok: bool
    fragment: Fragment | None


def locate(packet: Packet, at: int) -> Located | str:
    """The segment behind the IP header at offset `at`, or why there is none."""
    version = packet.data[at] >> 4
    if version == 4:
        return _locate_ipv4(packet, at)
    return _locate_ipv6(packet, at) if version == 6 else "not IP"


def _locate_ipv4(packet: Packet, at: int) -> Located | str:
    data = packet.data
    if len(data) < at + 20:
        return "IP header cut off"
    header = (data[at] & 0x0F) * 4
    total = data[at + 2] << 8 | data[at + 3]
    if total == 0:  # a super-segment longer than the field can say, or left to the device to fill in
        total = packet.original_length - at
    if header < 20 or total < header:
        return "malformed IP header"
    if data[at + 9] != TCP:
        return "not TCP"
    stored = data[at + 10] << 8 | data[at + 11]
    header_ok = not stored or int.from_bytes(data[at : at + header], "big") % 65535 == 0
    flags = data[at + 6] << 8 | data[at + 7]
    fragment = None
    if flags & (_MORE | _OFFSET) and (header_ok or flags & _OFFSET):  # a damaged header says nothing: no host joins it
        if not header_ok:
            return "damaged fragment"
        key = (packet.interface, data[at + 12 : at + 20], data[at + 4 : at + 6])
        fragment = Fragment(key, (flags & _OFFSET) * 8, bool(flags & _MORE))
    return Located(at + header, total - header, data[at + 12 : at + 20], header_ok, fragment)


def _locate_ipv6(packet: Packet, at: int) -> Located | str:
    data = packet.data
    if len(data) < at + 40:
        return "IP header cut off"
    kind, end = data[at + 6], at + 40 + (data[at + 4] << 8 | data[at + 5])
    if end == at + 40:
        end = packet.original_length
    header, fragment = at + 40, None
    while kind != TCP:
        if len(data) < header + 8:
            return "IP header cut off"
        if kind == _FRAGMENT:
            place = data[header + 2] << 8 | data[header + 3]
            key = (packet.interface, data[at + 8 : at + 40], data[header + 4 : header + 8])
            if place & 0xFFF9:  # an atomic fragment is the whole (RFC 6946)
                fragment = Fragment(key, place & 0xFFF8, bool(place & 1))
            size = 8
        elif kind in _EXTENSIONS:
            size = (data[header + 1] + 1) * 8
        else:
            return "not TCP"
        kind, header = data[header], header + size
        if fragment is not None and fragment.start and kind != TCP:
            return "not TCP"
    return Located(header, end - header, data[at + 8 : at + 40], True, fragment)
