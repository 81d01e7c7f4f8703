"""The split virtqueue (virtio 1.2, 2.7), driver side, with one fixed buffer for every descriptor.

Because descriptor i always points at buffer i, the steady state writes one length and one entry of the available
ring per frame; `publish` then stores the available index once for the whole batch. Casted memoryviews are the
fastest way Python has to reach single words of shared memory.

The device is not trusted: each entry it writes is checked, and the first impossible one sets `broken`, after which
the ring does nothing until a new one replaces it.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

from wirelaw.impl.runtime.errors import UserError

DESCRIPTOR_SIZE: Final = 16
DESC_NEXT: Final = 1
DESC_WRITE: Final = 2
NO_INTERRUPT: Final = 1  # avail.flags, written by the driver
NO_NOTIFY: Final = 1  # used.flags, written by the device
WRAP: Final = 0xFFFF
ANY_LENGTH: Final = 0xFFFF_FFFF
BUFFER_ALIGNMENT: Final = 64
RING_ALIGNMENT: Final = 4096


def _align(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def event_due(event: int, new: int, old: int) -> bool:
    """True when the index went past `event` on its way from `old` to `new` (virtio 1.2, 2.7.10, modulo 2^16)."""
    return (new - event - 1) & WRAP < (new - old) & WRAP


class Ring:
    """Driver side of one queue of `size` (a power of two) descriptors, laid out in `memory` from byte `offset` on.

    `device_writes` tells the direction: the device fills the buffers (receive) or reads them (transmit).
    `first` is the index both sides start from: 0 for virtio-mmio, the vring base elsewhere.
    """

    def __init__(
        self,
        memory: memoryview,
        base: int,
        offset: int,
        size: int,
        buffer_size: int,
        *,
        device_writes: bool,
        event_idx: bool,
        first: int = 0,
    ) -> None:
        if sys.byteorder != "little":
            raise UserError("the virtio driver needs a little-endian machine; use a TAP device instead")
        if size & (size - 1) or not 0 < size <= 32768:
            raise ValueError(f"ring size {size} is not a power of two up to 32768")
        avail, used, data, end = self._layout(offset, size, buffer_size)
        if offset % RING_ALIGNMENT or end > len(memory):
            raise ValueError(f"a ring of {size} x {buffer_size} bytes does not fit at offset {offset}")
        self.size = size
        self.buffer_size = buffer_size
        self.desc_address = base + offset
        self.avail_address = base + avail
        self.used_address = base + used
        memory[offset:data] = bytes(data - offset)
        self._desc = memory[offset : offset + DESCRIPTOR_SIZE * size].cast("I")
        self._avail = memory[avail : avail + 6 + 2 * size].cast("H")
        self._used = memory[used : used + 6 + 8 * size].cast("H")
        self._used_entries = memory[used + 4 : used + 4 + 8 * size].cast("I")
        self._used_event = 2 + size  # positions in the views above, in words of 2 bytes
        self._avail_event = 2 + 4 * size
        stride = _align(buffer_size, BUFFER_ALIGNMENT)
        self.buffers = [memory[data + i * stride : data + i * stride + buffer_size] for i in range(size)]
        addresses = memory[offset : offset + DESCRIPTOR_SIZE * size].cast("Q")
        flags = memory[offset : offset + DESCRIPTOR_SIZE * size].cast("H")
        for i in range(size):
            addresses[2 * i] = base + data + i * stride
            self._desc[4 * i + 2] = buffer_size
            flags[8 * i + 6] = DESC_WRITE if device_writes else 0
        self._event_idx = event_idx
        self._longest_used = buffer_size if device_writes else ANY_LENGTH
        self._in_flight = bytearray(size)
        self._next = self._published = self._kicked = self._last_used = first
        self._avail[1] = self._used[1] = first
        self._fence = threading.Lock()
        self.free = list(range(size - 1, -1, -1))
        """Descriptors owned by the driver; `post` one of them after taking it off the end."""
        self.broken: str | None = None
        """What the device wrote that cannot be."""

    @staticmethod
    def _layout(offset: int, size: int, buffer_size: int) -> tuple[int, int, int, int]:
        avail = offset + DESCRIPTOR_SIZE * size
        used = _align(avail + 6 + 2 * size, 4)
        data = _align(used + 6 + 8 * size, BUFFER_ALIGNMENT)
        return avail, used, data, data + size * _align(buffer_size, BUFFER_ALIGNMENT)

    @classmethod
    def footprint(cls, size: int, buffer_size: int) -> int:
        """Bytes of memory a ring takes, buffers included, rounded up so that another ring may follow."""
        return _align(cls._layout(0, size, buffer_size)[3], RING_ALIGNMENT)

    @property
    def outstanding(self) -> int:
        """Number of descriptors posted and not yet returned by `reap`."""
        return (self._next - self._last_used) & WRAP

    @property
    def queued(self) -> int:
        """Number of descriptors posted and not yet published."""
        return (self._next - self._published) & WRAP

    def post(self, index: int, length: int | None = None) -> None:
        """Queue descriptor `index`, with its first `length` bytes where the device reads; invisible until `publish`."""
        if length is not None:
            self._desc[4 * index + 2] = length
        self._avail[2 + (self._next & (self.size - 1))] = index
        self._in_flight[index] = 1
        self._next = (self._next + 1) & WRAP

    def publish(self) -> bool:
        """Make everything posted visible to the device. True when the device must be kicked."""
        old, new = self._published, self._next
        if old == new:
            return False
        self._avail[1] = self._published = new
        # The store above must be visible before the load below. Python has no fence; taking a lock is an atomic
        # instruction, which is one on x86. `owes_kick` and the driver's re-kick cover the machines where it is not.
        with self._fence:
            pass
        return self._kick_due(old, new)

    def owes_kick(self) -> bool:
        """True when the device went to sleep before an entry it was not kicked for. Ask just before sleeping."""
        new = self._published
        if not self.outstanding:
            self._kicked = new
        if self._kicked == new:
            return False
        return self._kick_due(self._kicked, new)

    def _kick_due(self, old: int, new: int) -> bool:
        due = not self._used[0] & NO_NOTIFY
        if self._event_idx:
            due = event_due(self._used[self._avail_event], new, old)
        if due:
            self._kicked = new
        return due

    def lagging(self) -> bool:
        """True when the device has not returned everything published."""
        return self._used[1] != self._published

    def pending(self) -> bool:
        """True when the device has returned descriptors."""
        return self._used[1] != self._last_used and self.broken is None

    def reap(self, limit: int) -> list[tuple[int, int]]:
        """Take up to `limit` returned descriptors, as (descriptor, bytes the device wrote), in the device's order.

        Stops before the first entry that cannot be, and sets `broken`. The caller owns the descriptors afterwards.
        """
        last = self._last_used
        count = (self._used[1] - last) & WRAP
        if not count or self.broken is not None:
            return []
        if count > (self._published - last) & WRAP:
            self.broken = f"used index jumped by {count} with {self.outstanding} descriptors outstanding"
            return []
        reaped = []
        entries, in_flight, mask, longest = self._used_entries, self._in_flight, self.size - 1, self._longest_used
        for _ in range(min(count, limit)):
            slot = 2 * (last & mask)
            index, length = entries[slot], entries[slot + 1]
            if index > mask or not in_flight[index]:
                self.broken = f"used descriptor {index} is not outstanding"
                break
            if length > longest:
                self.broken = f"used length {length} exceeds the buffer of {longest} bytes"
                break
            in_flight[index] = 0
            reaped.append((index, length))
            last = (last + 1) & WRAP
        self._last_used = last
        return reaped

    def arm(self) -> bool:
        """Ask for an interrupt at the next returned descriptor. True when one is already there."""
        if self._event_idx:
            self._avail[self._used_event] = self._last_used
        else:
            self._avail[0] = 0
        with self._fence:  # the same store-before-load as in `publish`
            pass
        return self.pending()

    def disarm(self) -> None:
        """Ask for no interrupts. A hint; the device may still send one."""
        if self._event_idx:
            self._avail[self._used_event] = (self._last_used - 1) & WRAP
        else:
            self._avail[0] = NO_INTERRUPT
