"""Ethernet II frames (RFC 894)."""

import struct
from typing import Final

HEADER: Final = struct.Struct("!6s6sH")
"""Destination MAC, source MAC, ethertype."""

HEADER_LENGTH: Final = 14
MINIMUM_FRAME: Final = 60
"""Shortest frame without its check sequence; shorter ones are padded with zeros."""

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806

BROADCAST: Final = b"\xff" * 6


def parse_mac(text: str) -> bytes:
    """`52:54:00:12:34:56` to 6 octets; `ValueError` for anything else."""
    octets = bytes.fromhex(text.replace(":", "").replace("-", ""))
    if len(octets) != 6:
        raise ValueError(f"{text!r} is not a MAC address")
    return octets


def build_frame(dst: bytes, src: bytes, ethertype: int, payload: bytes) -> bytes:
    """One whole frame, padded to the minimum length."""
    frame = HEADER.pack(dst, src, ethertype) + payload
    return frame.ljust(MINIMUM_FRAME, b"\0")
