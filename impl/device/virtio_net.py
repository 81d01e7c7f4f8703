"""The virtio-net driver (virtio 1.2, 5.1): negotiation, two rings, offloads both ways, link changes, recovery.

Buffers are large from the start: with TSO a descriptor carries up to 64 KB that the device segments or has joined, and
one notification serves a whole batch. Nothing the device writes raises out of the data path: impossible entries and
DEVICE_NEEDS_RESET are counted and lead to a reset and a new start; a device that cannot be started again, or fails
again and again without moving a frame, is given up (`broken` says why, `link_up` turns false).
"""

from __future__ import annotations

import contextlib
import os
import time
from enum import IntFlag
from types import TracebackType
from typing import Final, Self

from wirelaw.impl.device.link import (
    BARE_HEADER,
    DEFAULT_MTU,
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
from wirelaw.impl.device.ring import Ring
from wirelaw.impl.device.transport import (
    MAGIC,
    MMIO_VERSION,
    NET_DEVICE,
    RX_QUEUE,
    TX_QUEUE,
    Interrupt,
    Register,
    Status,
    Transport,
    TransportLost,
)
from wirelaw.impl.runtime.errors import UserError


class Feature(IntFlag):
    """Feature bits this driver knows (virtio 1.2, 5.1.3 and 6)."""

    CSUM = 1 << 0
    GUEST_CSUM = 1 << 1
    MAC = 1 << 5
    GUEST_TSO4 = 1 << 7
    HOST_TSO4 = 1 << 11
    MRG_RXBUF = 1 << 15
    STATUS = 1 << 16
    EVENT_IDX = 1 << 29
    VERSION_1 = 1 << 32


REQUIRES: Final = {Feature.GUEST_TSO4: Feature.GUEST_CSUM, Feature.HOST_TSO4: Feature.CSUM}
"""Features that may be accepted only together with another (virtio 1.2, 5.1.3.1)."""

OFFLOADS: Final = Feature.CSUM | Feature.GUEST_CSUM | Feature.GUEST_TSO4 | Feature.HOST_TSO4
PLAIN_FEATURES: Final = Feature.MAC | Feature.STATUS | Feature.EVENT_IDX | Feature.VERSION_1
DEFAULT_FEATURES: Final = PLAIN_FEATURES | OFFLOADS
"""Without MRG_RXBUF: whole buffers of 64 KB are faster than joining small ones, where memory allows them."""

BIG_BUFFER: Final = VNET_HEADER_SIZE + MAX_FRAME + 1  # 65562, the least that GUEST_TSO4 allows (5.1.6.3.1)
SMALL_BUFFER: Final = 2048
MERGE_BUFFER: Final = 4096
LINK_UP: Final = 1
NO_MAC: Final = bytes(6)
LOCAL_MAC: Final = b"\x02"
RESET_PATIENCE: Final = 1.0  # seconds
REKICK_INTERVAL: Final = 0.05  # seconds
MAX_FRUITLESS_RESETS: Final = 8


def negotiate(offered: int, wanted: Feature) -> Feature:
    """The features to accept: those offered and wanted whose prerequisites are accepted as well."""
    accepted = Feature(offered & wanted)
    for feature, prerequisite in REQUIRES.items():
        if not accepted & prerequisite:
            accepted &= ~feature
    return accepted


class VirtioNet:
    """One virtio-net device behind `transport`, as a `Link`. Raises UserError when it cannot be started.

    `ring_size` is an upper bound: the device's own limit and the size of the shared memory may lower it.
    """

    def __init__(self, transport: Transport, features_wanted: Feature = DEFAULT_FEATURES, *, ring_size: int = 256) -> None:
        self.counters = DeviceCounters()
        self.features = Feature(0)
        self.broken: str | None = None
        """Why the device was given up."""
        self.mac = NO_MAC
        self.mtu = DEFAULT_MTU
        self.tx_csum = self.tx_tso = self.rx_csum = False
        self._transport = transport
        self._wanted = features_wanted
        self._ring_size = ring_size
        self._carrier = False
        self._reserved: int | None = None
        self._handed: list[int] = []
        self._fault: str | None = None
        self._fruitless_resets = 0
        try:
            self._start()
        except TransportLost as lost:
            raise UserError(f"the virtio device went away while it was being started: {lost}") from None

    # --- start and recovery -----------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Virtio 1.2, 3.1.1: the order of these steps is demanded."""
        transport = self._transport
        identity = [transport.readl(register) for register in (Register.MAGIC, Register.VERSION, Register.DEVICE_ID)]
        if identity != [MAGIC, MMIO_VERSION, NET_DEVICE]:
            raise UserError(f"no virtio-net device of version 2 here: the identity registers read {identity}")
        self._reset_device()
        self._set_status(Status.ACKNOWLEDGE)
        self._set_status(Status.ACKNOWLEDGE | Status.DRIVER)
        try:
            self._agree_on_features()
            self._make_rings()
        except UserError:
            transport.writel(Register.STATUS, Status.FAILED)
            raise
        if self.features & Feature.MAC:
            self.mac = bytes(transport.readb(Register.CONFIG_MAC + i) for i in range(6))
        elif self.mac == NO_MAC:  # then the driver makes up a locally administered one (5.1.4.2)
            self.mac = LOCAL_MAC + os.urandom(5)
        self._read_carrier()
        self._set_status(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK | Status.DRIVER_OK)
        self._handed = []
        self._reserved = None
        for index in range(self._rx.size):
            self._rx.post(index)
        self._rx.free.clear()
        self._publish(self._rx, RX_QUEUE)

    def _set_status(self, status: Status) -> None:
        self._transport.writel(Register.STATUS, status)

    def _reset_device(self) -> None:
        self._transport.writel(Register.STATUS, 0)
        deadline = time.monotonic() + RESET_PATIENCE
        while self._transport.readl(Register.STATUS):
            if time.monotonic() > deadline:
                raise UserError("the virtio-net device does not finish its reset; restart the emulator")

    def _agree_on_features(self) -> None:
        transport = self._transport
        offered = 0
        for word in (0, 1):
            transport.writel(Register.DEVICE_FEATURES_SELECT, word)
            offered |= transport.readl(Register.DEVICE_FEATURES) << (32 * word)
        accepted = negotiate(offered, self._wanted | Feature.VERSION_1)
        if not accepted & Feature.VERSION_1:
            raise UserError(
                f"the virtio-net device offers no VERSION_1 (features {offered:#x}): it is a legacy device; "
                "give QEMU `-global virtio-mmio.force-legacy=false`"
            )
        for word in (0, 1):
            transport.writel(Register.DRIVER_FEATURES_SELECT, word)
            transport.writel(Register.DRIVER_FEATURES, accepted >> (32 * word) & 0xFFFF_FFFF)
        self._set_status(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)
        if not transport.readl(Register.STATUS) & Status.FEATURES_OK:
            raise UserError(
                f"the virtio-net device refuses the features {accepted:#x} out of the {offered:#x} it offers; ask for fewer offloads"
            )
        self.features = accepted
        self.tx_csum = bool(accepted & Feature.CSUM)
        self.tx_tso = bool(accepted & Feature.HOST_TSO4)
        self.rx_csum = bool(accepted & Feature.GUEST_CSUM)

    def _make_rings(self) -> None:
        self._merging = bool(self.features & Feature.MRG_RXBUF)
        self._joined = bool(self.features & Feature.GUEST_TSO4)
        rx_buffer = (MERGE_BUFFER if self._merging else BIG_BUFFER) if self._joined else SMALL_BUFFER
        tx_buffer = BIG_BUFFER if self.tx_tso else SMALL_BUFFER
        size = min(self._ring_size, self._queue_limit(RX_QUEUE), self._queue_limit(TX_QUEUE))
        size = 1 << max(size, 1).bit_length() - 1
        transport = self._transport
        room = len(transport.memory) - transport.reserved
        while size > 1 and Ring.footprint(size, rx_buffer) + Ring.footprint(size, tx_buffer) > room:
            size //= 2
        event_idx = bool(self.features & Feature.EVENT_IDX)
        start, memory, base = transport.reserved, transport.memory, transport.base
        self._rx = Ring(memory, base, start, size, rx_buffer, device_writes=True, event_idx=event_idx)
        start += Ring.footprint(size, rx_buffer)
        self._tx = Ring(memory, base, start, size, tx_buffer, device_writes=False, event_idx=event_idx)
        self._rx_areas = [buffer[VNET_HEADER_SIZE:] for buffer in self._rx.buffers]
        self._tx_areas = [buffer[VNET_HEADER_SIZE : VNET_HEADER_SIZE + MAX_FRAME] for buffer in self._tx.buffers]
        self._enable_queue(RX_QUEUE, self._rx)
        self._enable_queue(TX_QUEUE, self._tx)
        self._rx.disarm()
        self._tx.disarm()

    def _queue_limit(self, queue: int) -> int:
        self._transport.writel(Register.QUEUE_SELECT, queue)
        limit = self._transport.readl(Register.QUEUE_SIZE_MAX)
        if not limit or self._transport.readl(Register.QUEUE_READY):
            raise UserError(f"the virtio-net device's queue {queue} is not available; restart the emulator")
        return limit

    def _enable_queue(self, queue: int, ring: Ring) -> None:
        write = self._transport.writel
        write(Register.QUEUE_SELECT, queue)
        write(Register.QUEUE_SIZE, ring.size)
        for register, address in (
            (Register.QUEUE_DESC_LOW, ring.desc_address),
            (Register.QUEUE_DRIVER_LOW, ring.avail_address),
            (Register.QUEUE_DEVICE_LOW, ring.used_address),
        ):
            write(register, address & 0xFFFF_FFFF)
            write(register + 4, address >> 32)
        write(Register.QUEUE_READY, 1)

    def _read_carrier(self) -> None:
        if not self.features & Feature.STATUS:
            self._carrier = True
            return
        self._carrier = bool(self._transport.readw(Register.CONFIG_STATUS) & LINK_UP)

    def _recover(self) -> None:
        """Reset the device and start anew after the fault noted; frames in its rings are lost, like on a wire."""
        reason, self._fault = self._fault or "unknown", None
        if self.broken is not None:
            return
        self.counters.resets += 1
        self.counters.tx_dropped += self._tx.outstanding
        self._fruitless_resets += 1
        if self._fruitless_resets > MAX_FRUITLESS_RESETS:
            self._give_up(f"{MAX_FRUITLESS_RESETS} resets did not help: {reason}")
            return
        try:
            self._start()
        except (UserError, TransportLost) as failure:
            self._give_up(f"{failure} (after: {reason})")

    def _give_up(self, reason: str) -> None:
        self.broken = reason
        self._handed = []

    def _ring_failed(self, ring: Ring) -> None:
        self.counters.ring_errors += 1
        self._fault = ring.broken

    # --- transmit ---------------------------------------------------------------------------------------------------

    def transmit_buffer(self) -> memoryview | None:
        """The writable frame area of the next free buffer; None while the ring is full."""
        ring = self._tx
        if not ring.queued or not ring.free:
            self._reap_transmitted()
        if not ring.free or self.broken is not None:
            self.counters.tx_full += 1
            self._reserved = None
            return None
        self._reserved = index = ring.free[-1]
        return self._tx_areas[index]

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        """Queue the buffer just filled. Raises ValueError for an offload that was not negotiated, or a bad length."""
        index = self._reserved
        if index is None:  # a reset came between; the frame is lost like the others it hit
            self.counters.tx_dropped += 1
            return
        if not ETHERNET_HEADER <= length <= len(self._tx_areas[index]):
            raise ValueError(f"a frame of {length} bytes cannot be sent")
        ring = self._tx
        if offload is None:
            ring.buffers[index][:VNET_HEADER_SIZE] = BARE_HEADER
        else:
            if (offload.needs_csum and not self.tx_csum) or (offload.gso_size and not self.tx_tso):
                raise ValueError("offload used without its feature")
            ring.buffers[index][:VNET_HEADER_SIZE] = offload.pack()
        ring.free.pop()
        self._reserved = None
        ring.post(index, VNET_HEADER_SIZE + length)
        self.counters.tx_frames += 1
        self.counters.tx_bytes += length

    def send(self, frame: bytes | bytearray | memoryview, offload: Offload | None = None) -> bool:
        """Copy `frame` into a buffer and queue it; False when the ring is full."""
        area = self.transmit_buffer()
        if area is None:
            return False
        length = len(frame)
        if length > len(area):
            raise ValueError(f"a frame of {length} bytes cannot be sent")
        area[:length] = frame
        self.transmit(length, offload)
        return True

    def flush(self) -> None:
        """Publish all frames queued since the last flush, with one kick at most."""
        self._publish(self._tx, TX_QUEUE)

    def _reap_transmitted(self) -> None:
        ring = self._tx
        done = ring.reap(ring.size)
        if done:
            ring.free.extend([index for index, _ in done])
            self._fruitless_resets = 0
        if ring.broken is not None and self._fault is None:
            self._ring_failed(ring)

    def _publish(self, ring: Ring, queue: int) -> None:
        if ring.publish() and self.broken is None:
            self._kick(queue)

    def _kick(self, queue: int) -> None:
        self.counters.kicks += 1
        try:
            self._transport.kick(queue)
        except TransportLost as lost:
            self._give_up(str(lost))

    # --- receive ----------------------------------------------------------------------------------------------------

    def receive(self, limit: int = 64) -> list[Frame]:
        """Up to `limit` frames that have arrived; they stay valid until `release`, `receive` or `wait`."""
        self.release()
        if self._fault is not None:
            self._recover()
        ring = self._rx
        if not ring.pending():
            return []
        entries = ring.reap(limit)
        frames = self._merge(entries) if self._merging else self._whole(entries)
        if ring.broken is not None:
            self._ring_failed(ring)
            if not frames:
                self._recover()
        if frames:
            self._fruitless_resets = 0
            counters = self.counters
            counters.rx_frames += len(frames)
            counters.rx_bytes += sum([len(frame.data) for frame in frames])
        return frames

    def _whole(self, entries: list[tuple[int, int]]) -> list[Frame]:
        """Frames of one buffer each."""
        frames = []
        handed, areas = self._handed, self._rx_areas
        for index, length in entries:
            handed.append(index)
            if frame := self._frame(index, areas[index][: max(length - VNET_HEADER_SIZE, 0)]):
                frames.append(frame)
        return frames

    def _merge(self, entries: list[tuple[int, int]]) -> list[Frame]:
        """Frames of `num_buffers` buffers each (virtio 1.2, 5.1.6.4); only the first has a header."""
        frames = []
        ring, areas = self._rx, self._rx_areas
        position = 0
        while position < len(entries):
            index, length = entries[position]
            count = VNET_HEADER.unpack_from(ring.buffers[index])[6]
            missing = position + count - len(entries)
            if missing > 0:
                entries += ring.reap(missing)
            if not 1 <= count <= len(entries) - position:
                ring.broken = ring.broken or f"a frame claims {count} buffers, not all of them returned"
                break
            data = areas[index][: max(length - VNET_HEADER_SIZE, 0)]
            if count > 1:
                rest = entries[position + 1 : position + count]
                data = memoryview(b"".join([data, *(ring.buffers[i][:size] for i, size in rest)]))
            self._handed += [i for i, _ in entries[position : position + count]]
            if frame := self._frame(index, data):
                frames.append(frame)
            position += count
        return frames

    def _frame(self, index: int, data: memoryview) -> Frame | None:
        """The frame with the header in buffer `index`; None, and counted, where the header contradicts itself."""
        flags, gso_type, _, gso_size, start, offset, _ = VNET_HEADER.unpack_from(self._rx.buffers[index])
        partial = bool(flags & FLAG_NEEDS_CSUM)
        joined = gso_type != GSO_NONE
        if (
            not ETHERNET_HEADER <= len(data) <= MAX_FRAME
            or (joined and not (gso_type == GSO_TCPV4 and gso_size and self._joined))
            or (partial and not (self.rx_csum and start + offset + 2 <= len(data)))
        ):
            self.counters.rx_malformed += 1
            return None
        valid = self.rx_csum and flags & (FLAG_NEEDS_CSUM | FLAG_DATA_VALID) != 0
        return Frame(data, valid, partial, gso_size if joined else 0)

    def release(self) -> None:
        """Give the buffers of the last `receive` back to the device."""
        handed = self._handed
        if handed:
            post = self._rx.post
            for index in handed:
                post(index)
            handed.clear()
            self._publish(self._rx, RX_QUEUE)

    # --- sleep ------------------------------------------------------------------------------------------------------

    @property
    def link_up(self) -> bool:
        """The carrier bit of the device's configuration, as of the last configuration interrupt."""
        return self._carrier and self.broken is None

    def arm(self) -> bool:
        """Enable interrupts; True when there is something to do already. See `Link.arm`."""
        self.release()
        self.flush()
        if self._fault is not None:
            self._recover()
        if self.broken is not None:
            return False
        for ring, queue in ((self._tx, TX_QUEUE), (self._rx, RX_QUEUE)):
            if ring.owes_kick():
                self.counters.rekicks += 1
                self._kick(queue)
        ready = self._rx.arm()
        if not self._tx.free:
            ready = self._tx.arm() or ready
        return ready

    def wait(self, timeout: float | None) -> bool:
        """Sleep until frames have arrived, buffers are free again after the ring was full, or the link changed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not self._sleep(deadline):
                if self.broken is not None:
                    time.sleep(timeout or 0)
                    return False
                if deadline is not None and time.monotonic() >= deadline:
                    return False
        except TransportLost as lost:
            self._give_up(str(lost))
            return False
        self._rx.disarm()
        self._tx.disarm()
        return True

    def _sleep(self, deadline: float | None) -> bool:
        """One sleep of at most the re-kick interval. An interrupt that waits is served even if nothing else does."""
        ready = self.arm()
        if self.broken is not None:
            return False
        left = REKICK_INTERVAL if deadline is None else min(max(deadline - time.monotonic(), 0.0), REKICK_INTERVAL)
        if self._transport.wait(0 if ready else left):
            changed = self._service()
            return changed or self._rx.pending() or (not self._tx.free and self._tx.pending())
        if not ready and left == REKICK_INTERVAL and self._tx.lagging():
            self.counters.rekicks += 1
            self._kick(TX_QUEUE)
        return ready

    def _service(self) -> bool:
        """Handle the interrupt; True when it changed the link or reset the device."""
        causes = self._transport.take_interrupt()
        self.counters.interrupts += causes != Interrupt.NONE
        if not causes & Interrupt.CONFIG:
            return False
        if self._transport.readl(Register.STATUS) & Status.NEEDS_RESET:
            self._fault = self._fault or "DEVICE_NEEDS_RESET"
            self._recover()
            return True
        before = self._carrier
        self._read_carrier()
        changed = before != self._carrier
        self.counters.link_changes += changed
        return changed

    def fileno(self) -> int:
        """The transport's descriptor."""
        return self._transport.fileno()

    def close(self) -> None:
        """Reset the device, so that it stops using the memory, and close the transport."""
        if self.broken is None:
            self.broken = "closed"
            with contextlib.suppress(TransportLost):
                self._transport.writel(Register.STATUS, 0)
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
