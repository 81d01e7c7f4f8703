"""What the network stack sees of a network device: frames in, frames out, offloads, and a way to sleep.

`Link` is implemented by the virtio-net driver (over any transport) and by a TAP file descriptor. Offloads are part
of the interface from the start, because they decide the throughput: a frame may be a TCP/IPv4 packet of up to 64 KB
that the device cuts into segments, and a checksum may be left for the device to finish.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, Protocol

ETHERNET_HEADER: Final = 14
DEFAULT_MTU: Final = 1500
MAX_FRAME: Final = ETHERNET_HEADER + 65535
"""The longest frame a link carries: an Ethernet header and an IPv4 packet of the greatest total length."""

DEFAULT_MAC: Final = bytes.fromhex("525400123456")

VNET_HEADER: Final = Struct("<BBHHHHH")
"""virtio_net_hdr_v1 (virtio 1.2, 5.1.6): flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers."""
VNET_HEADER_SIZE: Final = VNET_HEADER.size
FLAG_NEEDS_CSUM: Final = 1
FLAG_DATA_VALID: Final = 2
GSO_NONE: Final = 0
GSO_TCPV4: Final = 1
BARE_HEADER: Final = VNET_HEADER.pack(0, GSO_NONE, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Offload:
    """Work left for the device on one frame to send: virtio_net_hdr in words. All values are bytes.

    With `needs_csum`, the device sums the frame from `csum_start` to its end and stores the complement at
    `csum_start + csum_offset`; that field must hold the folded pseudo-header sum, not complemented. With
    `gso_size` > 0 the frame is one large TCP/IPv4 packet to be cut into segments of `gso_size` payload bytes, and
    `hdr_len` is the length of its Ethernet, IP and TCP headers; this implies `needs_csum`.
    """

    needs_csum: bool = False
    csum_start: int = 0
    csum_offset: int = 0
    gso_size: int = 0
    hdr_len: int = 0

    def pack(self) -> bytes:
        """The 12 bytes of virtio_net_hdr_v1 that say the same."""
        flags = FLAG_NEEDS_CSUM if self.needs_csum else 0
        gso_type = GSO_TCPV4 if self.gso_size else GSO_NONE
        return VNET_HEADER.pack(flags, gso_type, self.hdr_len, self.gso_size, self.csum_start, self.csum_offset, 0)


class Frame(NamedTuple):
    """One received Ethernet frame (a tuple, because one is made for every packet and tuples are made fastest).

    `data` starts at the Ethernet header, carries no frame check sequence, and is valid until the link's next
    `release`, `receive` or `wait`. `csum_ok`: the transport checksum need not be verified, because the device did, or
    because the packet never crossed a wire (then `csum_partial` is true as well and the field in the packet holds only
    the pseudo-header sum). `gso_size` > 0: a TCP packet joined from segments of that many payload bytes.
    """

    data: memoryview
    csum_ok: bool = False
    csum_partial: bool = False
    gso_size: int = 0


@dataclass(slots=True)
class DeviceCounters:
    """What one device did since it was opened. All values only grow."""

    rx_frames: int = 0
    rx_bytes: int = 0
    tx_frames: int = 0
    tx_bytes: int = 0
    kicks: int = 0
    rekicks: int = 0  # kicks repeated because the device seemed not to have seen the first
    interrupts: int = 0
    rx_malformed: int = 0  # frames dropped: runt, or a virtio header that contradicts itself
    tx_full: int = 0  # requests for a buffer while the ring had none
    tx_dropped: int = 0  # frames lost in a reset, or refused by the kernel
    ring_errors: int = 0  # impossible entries written by the device
    resets: int = 0
    link_changes: int = 0


class Link(Protocol):
    """A network device as the stack uses it. Nothing a device does makes one of these methods raise."""

    counters: DeviceCounters

    @property
    def mac(self) -> bytes:
        """Our station address, 6 bytes."""

    @property
    def mtu(self) -> int:
        """Greatest IP packet, in bytes, of a frame without `gso_size`."""

    @property
    def tx_csum(self) -> bool:
        """`Offload.needs_csum` may be used."""

    @property
    def tx_tso(self) -> bool:
        """`Offload.gso_size` may be used, with frames of up to `MAX_FRAME` bytes."""

    @property
    def rx_csum(self) -> bool:
        """Received frames may carry unverified partial checksums (`Frame.csum_partial`)."""

    @property
    def link_up(self) -> bool:
        """The carrier is there, and the device works."""

    def transmit_buffer(self) -> memoryview | None:
        """The writable frame area of the next free buffer; None while the device has none free."""

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        """Queue the first `length` bytes of the buffer that `transmit_buffer` gave last; `flush` makes it visible."""

    def send(self, frame: bytes | bytearray | memoryview, offload: Offload | None = None) -> bool:
        """Copy `frame` into a buffer and queue it; False when there was no free buffer."""

    def flush(self) -> None:
        """Publish all frames queued since the last flush, with one notification at most."""

    def receive(self, limit: int = 64) -> list[Frame]:
        """Up to `limit` frames that have arrived. Releases those of the previous call."""

    def release(self) -> None:
        """Give all buffers handed out by the last `receive` back to the device."""

    def arm(self) -> bool:
        """Ask to be woken through `fileno`. True when frames are already there, so that sleeping would be wrong.

        For callers with a selector of their own: arm, sleep on `fileno`, call `wait(0)`. Others just call `wait`.
        """

    def wait(self, timeout: float | None) -> bool:
        """Flush, then sleep until frames or buffers may be there or the link changed; False after `timeout` seconds."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when the device wants attention (see `arm`)."""

    def close(self) -> None:
        """Give the device back and free what stands behind it. May be called twice."""
