"""A TAP interface as a `Link`: no virtqueues, but the same 12-byte header and the same offloads, straight on the file.

The other end is the kernel of the network namespace in which the interface is made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import time
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wirelaw.impl.device.link import (
    BARE_HEADER,
    DEFAULT_MAC,
    ETHERNET_HEADER,
    FLAG_DATA_VALID,
    FLAG_NEEDS_CSUM,
    GSO_NONE,
    GSO_TCPV4,
    MAX_FRAME,
    VNET_HEADER,
    VNET_HEADER_SIZE,
    DeviceCounters,
    Frame,
    Offload,
)
from wirelaw.impl.runtime.errors import MissingMeans, UserError

TUN_DEVICE: Final = Path("/dev/net/tun")
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
TUNSETVNETHDRSZ: Final = 0x400454D8
IFF_TAP: Final = 0x0002
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
OFFLOAD_CSUM: Final = 1
OFFLOAD_TSO4: Final = 2
IFNAMSIZ: Final = 16
INTERFACE_REQUEST: Final = struct.Struct("16sH22x")  # struct ifreq with flags
ADDRESS_REQUEST: Final = struct.Struct("16sH2x4s16x")  # struct ifreq with an IPv4 socket address
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
SIOCSIFADDR: Final = 0x8916
SIOCSIFNETMASK: Final = 0x891C
SIOCGIFMTU: Final = 0x8921
IFF_UP: Final = 1
POOL: Final = 64  # receive buffers
GONE_PAUSE: Final = 0.05  # seconds
REMEDY: Final = "run as root or under `unshare -rn`"


def _open_tun(interface: str) -> int:
    try:
        return os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MissingMeans(f"{TUN_DEVICE} is missing", "load the kernel's tun module: `modprobe tun`") from None
    except OSError as failure:
        raise MissingMeans(f"{TUN_DEVICE} cannot be opened for {interface!r}: {failure.strerror}", REMEDY) from None


def present(interface: str) -> bool:
    """Whether the network namespace has an interface of that name; UserError when none can have it."""
    name = os.fsencode(interface)
    if not 0 < len(name) < IFNAMSIZ or b"/" in name or b"\0" in name or name.split() != [name]:
        raise UserError(f"interface name {interface!r} must have 1 to {IFNAMSIZ - 1} characters, no blank and no slash; choose another")
    return any(name == other.encode() for _, other in socket.if_nameindex())


def existing(interface: str) -> str:
    """`interface`, which exists; else UserError: a mistyped name must not become an interface."""
    if present(interface):
        return interface
    make = f"`ip tuntap add {interface} mode tap vnet_hdr`"
    raise UserError(f"there is no TAP interface {interface!r}; make it with {make}, or check the name with `ip link`")


class TapLink:
    """The TAP interface `interface`. With `offload`, checksums and TSO in both directions.

    It must exist unless `create`; one made here (`created`) is removed when the link closes. `mac` is our station
    address; the interface itself, the kernel's end, has another one. Raises MissingMeans or UserError when it cannot be
    opened. Address and state of the interface are touched by `configure` only.
    """

    def __init__(self, interface: str, *, mac: bytes = DEFAULT_MAC, offload: bool = True, create: bool = False) -> None:
        name = os.fsencode(interface)
        self.created = not present(interface)
        if not create:
            existing(interface)
        self.counters = DeviceCounters()
        self.interface = interface
        self.mac = mac
        self.tx_csum = self.tx_tso = self.rx_csum = offload
        self._fd = _open_tun(interface)
        try:
            request = INTERFACE_REQUEST.pack(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
            fcntl.ioctl(self._fd, TUNSETIFF, request)
            fcntl.ioctl(self._fd, TUNSETVNETHDRSZ, struct.pack("i", VNET_HEADER_SIZE))
            fcntl.ioctl(self._fd, TUNSETOFFLOAD, OFFLOAD_CSUM | OFFLOAD_TSO4 if offload else 0)
        except OSError as failure:
            os.close(self._fd)
            if failure.errno in (errno.EPERM, errno.EACCES):
                raise MissingMeans(f"TAP interface {interface!r} may not be used: {failure.strerror}", REMEDY) from None
            raise UserError(f"TAP interface {interface!r} cannot be used: {failure.strerror}; choose another") from None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.mtu = struct.unpack_from("16xi", fcntl.ioctl(self._socket, SIOCGIFMTU, INTERFACE_REQUEST.pack(name, 0)))[0]
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._buffers = [memoryview(bytearray(VNET_HEADER_SIZE + MAX_FRAME)) for _ in range(POOL)]
        self._areas = [buffer[VNET_HEADER_SIZE:] for buffer in self._buffers]
        self._outgoing = memoryview(bytearray(VNET_HEADER_SIZE + MAX_FRAME))
        self._outgoing_area = self._outgoing[VNET_HEADER_SIZE:]

    def configure(self, address: IPv4Interface) -> None:
        """Give the kernel's end of the interface this address and set it up."""
        name = self.interface.encode()
        try:
            for request, value in ((SIOCSIFADDR, address.ip), (SIOCSIFNETMASK, address.netmask)):
                fcntl.ioctl(self._socket, request, ADDRESS_REQUEST.pack(name, socket.AF_INET, value.packed))
            fcntl.ioctl(self._socket, SIOCSIFFLAGS, INTERFACE_REQUEST.pack(name, IFF_UP))
        except OSError as failure:
            raise UserError(
                f"TAP interface {self.interface!r} cannot be given {address}: {failure.strerror}; choose another address"
            ) from None

    @property
    def link_up(self) -> bool:
        """The interface is administratively up."""
        if self._fd < 0:
            return False
        try:
            request = INTERFACE_REQUEST.pack(self.interface.encode(), 0)
            flags = INTERFACE_REQUEST.unpack_from(fcntl.ioctl(self._socket, SIOCGIFFLAGS, request))[1]
        except OSError:  # the interface was deleted under us
            return False
        return bool(flags & IFF_UP)

    def transmit_buffer(self) -> memoryview | None:
        """The one outgoing buffer: always free, because `transmit` hands its content to the kernel at once."""
        return self._outgoing_area

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        """Write the frame to the kernel. One that it refuses is dropped and counted, as on a wire."""
        if not ETHERNET_HEADER <= length <= MAX_FRAME:
            raise ValueError(f"a frame of {length} bytes cannot be sent")
        if offload is None:
            self._outgoing[:VNET_HEADER_SIZE] = BARE_HEADER
        elif (offload.needs_csum and not self.tx_csum) or (offload.gso_size and not self.tx_tso):
            raise ValueError("offload used although the link was opened without it")
        else:
            self._outgoing[:VNET_HEADER_SIZE] = offload.pack()
        try:
            os.write(self._fd, self._outgoing[: VNET_HEADER_SIZE + length])
        except OSError:
            self.counters.tx_dropped += 1
            return
        self.counters.tx_frames += 1
        self.counters.tx_bytes += length

    def send(self, frame: bytes | bytearray | memoryview, offload: Offload | None = None) -> bool:
        """Copy and send `frame`; always True."""
        length = len(frame)
        if length > MAX_FRAME:
            raise ValueError(f"a frame of {length} bytes cannot be sent")
        self._outgoing_area[:length] = frame
        self.transmit(length, offload)
        return True

    def flush(self) -> None:
        """Nothing to do: `transmit` does not queue."""

    def receive(self, limit: int = POOL) -> list[Frame]:
        """Up to `limit` frames, `POOL` at most, that the kernel has for us; valid until the next call."""
        frames: list[Frame] = []
        fd, areas, unpack = self._fd, self._areas, VNET_HEADER.unpack_from
        total = 0
        for number, buffer in enumerate(self._buffers[:limit]):
            try:
                length = os.readv(fd, (buffer,)) - VNET_HEADER_SIZE
            except OSError:  # nothing more to read, or the interface is down
                break
            flags, gso_type, _, gso_size, _, _, _ = unpack(buffer)
            if length < ETHERNET_HEADER or gso_type not in (GSO_NONE, GSO_TCPV4):
                self.counters.rx_malformed += 1
                continue
            total += length
            valid = flags & (FLAG_NEEDS_CSUM | FLAG_DATA_VALID) != 0
            frames.append(Frame(areas[number][:length], valid, bool(flags & FLAG_NEEDS_CSUM), gso_size))
        self.counters.rx_frames += len(frames)
        self.counters.rx_bytes += total
        return frames

    def release(self) -> None:
        """Nothing to do: the buffers are ours."""

    def arm(self) -> bool:
        """The descriptor is readable while frames wait; nothing to arm."""
        return False

    def wait(self, timeout: float | None) -> bool:
        """Sleep until a frame waits."""
        events = self._poll.poll(None if timeout is None else timeout * 1000)
        woken = bool(events) and bool(events[0][1] & select.POLLIN)
        if events and not woken:  # the interface was deleted: the kernel reports an error at once, always
            time.sleep(GONE_PAUSE if timeout is None else min(timeout, GONE_PAUSE))
        self.counters.interrupts += woken
        return woken

    def fileno(self) -> int:
        """The TAP file itself."""
        return self._fd

    def close(self) -> None:
        """Close the interface; the kernel removes it unless it was made persistent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
