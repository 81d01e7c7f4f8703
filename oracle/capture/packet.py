"""One captured packet, and where its IP header starts.

Link types: https://www.tcpdump.org/linktypes.html
"""

from dataclasses import dataclass
from enum import IntEnum


class LinkType(IntEnum):
    """The link-layer headers we can skip, by their registered numbers."""

    NULL = 0
    ETHERNET = 1
    RAW_BSD = 12
    RAW_OPENBSD = 14
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


SUPPORTED = frozenset(map(int, LinkType))

# Where the protocol type stands and where the network header starts, for headers that carry an EtherType.
_TYPED_HEADERS = {LinkType.ETHERNET: (12, 14), LinkType.LINUX_SLL: (14, 16), LinkType.LINUX_SLL2: (0, 20)}
_UNTYPED_HEADERS = {
    LinkType.NULL: 4,
    LinkType.LOOP: 4,
    LinkType.RAW: 0,
    LinkType.RAW_BSD: 0,
    LinkType.RAW_OPENBSD: 0,
    LinkType.IPV4: 0,
    LinkType.IPV6: 0,
}
_IP = (b"\x08\x00", b"\x86\xdd")
_VLAN = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_PACKET_TYPE_AT = {LinkType.LINUX_SLL: 0, LinkType.LINUX_SLL2: 10}
_TO_US, _FROM_US = 0, 4


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as captured.

    `number` counts from 1 through the whole file. `time_us` is the capture time in microseconds since the epoch
    (finer stamps are rounded down). `data` starts at the link-layer header and may be shorter than
    `original_length` octets (snaplen). `interface` numbers the interfaces of a pcapng file from 0.
    """

    number: int
    time_us: int
    data: bytes
    linktype: int
    original_length: int
    interface: int = 0


def ip_offset(packet: Packet) -> int:
    """The offset of the IP header in `packet.data`, behind any VLAN tags; -1 when this is not an IP packet."""
    data = packet.data
    typed = _TYPED_HEADERS.get(packet.linktype)  # type: ignore[call-overload]
    if typed is None:
        offset = _UNTYPED_HEADERS.get(packet.linktype, -1)  # type: ignore[call-overload]
        return offset if offset < len(data) else -1
    type_at, offset = typed
    ethertype = data[type_at : type_at + 2]
    while ethertype in _VLAN:
        ethertype = data[offset + 2 : offset + 4]
        offset += 4
    return offset if ethertype in _IP and offset < len(data) else -1


def sent_by_host(packet: Packet) -> bool | None:
    """Whether the capturing host itself sent the packet, where the link-layer header says so (Linux cooked)."""
    at = _PACKET_TYPE_AT.get(packet.linktype)  # type: ignore[call-overload]
    if at is None:
        return None
    # SLL has a 16-bit field here, SLL2 an 8-bit one; the high octet of the former is zero.
    kind = packet.data[at] if packet.linktype == LinkType.LINUX_SLL2 else packet.data[at + 1]
    return {_TO_US: False, _FROM_US: True}.get(kind)
