"""A virtio-net device in this process: the other side of the same registers and rings, with no emulator.

`DeviceModel` is a `Transport`. What the driver sends goes to a callable; frames given to `inject` arrive at the driver;
`cable` joins two models. It works only when called (a kick, an injection), never by itself, so a test over it is
deterministic. It checks the driver as strictly as the standard allows (`violations`), and it misbehaves on request
(`Faults`). One thread at a time.
"""

from __future__ import annotations

import mmap
import os
import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wirelaw.impl.device.link import (
    DEFAULT_MAC,
    FLAG_NEEDS_CSUM,
    VNET_HEADER,
    VNET_HEADER_SIZE,
    Offload,
)
from wirelaw.impl.device.ring import DESC_NEXT, DESC_WRITE, DESCRIPTOR_SIZE, NO_INTERRUPT, WRAP, event_due
from wirelaw.impl.device.segmentation import finish_checksum, segment
from wirelaw.impl.device.transport import (
    MAGIC,
    MMIO_VERSION,
    NET_DEVICE,
    RX_QUEUE,
    TX_QUEUE,
    Interrupt,
    Register,
    Status,
)
from wirelaw.impl.device.virtio_net import DEFAULT_FEATURES, LINK_UP, REQUIRES, Feature

MODEL_BASE: Final = 0x1_4000_0000  # above 4 GiB, so that both halves of an address count
MODEL_FEATURES: Final = DEFAULT_FEATURES | Feature.MRG_RXBUF
MAX_VIOLATIONS: Final = 100


class DriverFault(Exception):  # noqa: N818 - named as the standard's readers would
    """The driver wrote something impossible; the model answers with DEVICE_NEEDS_RESET."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One request: its first descriptor and the memory it names, split by direction."""

    head: int
    readable: list[memoryview]
    writable: list[memoryview]


class DeviceQueue:
    """Device side of one split virtqueue whose three parts stand at the given offsets of `memory`."""

    def __init__(
        self,
        memory: memoryview,
        base: int,
        size: int,
        desc: int,
        avail: int,
        used: int,
        *,
        event_idx: bool,
        first: int = 0,
    ) -> None:
        self.size = size
        self._memory = memory
        self._base = base
        table = memory[desc : desc + DESCRIPTOR_SIZE * size]
        self._addresses, self._words, self._halves = table.cast("Q"), table.cast("I"), table.cast("H")
        self._avail = memory[avail : avail + 6 + 2 * size].cast("H")
        self._used = memory[used : used + 6 + 8 * size].cast("H")
        self._entries = memory[used + 4 : used + 4 + 8 * size].cast("I")
        self._event_idx = event_idx
        self._taken = self._returned = self._announced = first

    @property
    def available(self) -> int:
        """Number of chains waiting. Raises DriverFault when there cannot be so many."""
        count = (self._avail[1] - self._taken) & WRAP
        if count > self.size:
            raise DriverFault(f"available index is {count} ahead in a queue of {self.size}")
        return count

    def take(self) -> Chain | None:
        """The next chain, or None. Raises DriverFault for one that cannot be."""
        if not self.available:
            return None
        head = index = self._avail[2 + self._taken % self.size]
        self._taken = (self._taken + 1) & WRAP
        chain = Chain(head, [], [])
        for _ in range(self.size):
            if index >= self.size:
                raise DriverFault(f"descriptor {index} in a queue of {self.size}")
            start, length = self._addresses[2 * index] - self._base, self._words[4 * index + 2]
            flags = self._halves[8 * index + 6]
            if not length:
                raise DriverFault("zero-length buffer")
            if not 0 <= start <= start + length <= len(self._memory):
                raise DriverFault(f"address {self._addresses[2 * index]:#x} is outside the memory")
            (chain.writable if flags & DESC_WRITE else chain.readable).append(self._memory[start : start + length])
            if not flags & DESC_NEXT:
                return chain
            index = self._halves[8 * index + 7]
        raise DriverFault("looped descriptor chain")

    def put_back(self, count: int) -> None:
        """Undo the last `count` calls of `take`."""
        self._taken = (self._taken - count) & WRAP

    def put(self, head: int, length: int) -> None:
        """Return the chain `head`, `length` bytes of it written; invisible until `publish`."""
        slot = 2 * (self._returned % self.size)
        self._entries[slot], self._entries[slot + 1] = head, length
        self._returned = (self._returned + 1) & WRAP

    def publish(self, jump: int = 0) -> bool:
        """Make returned chains visible and ask for kicks again. True when the driver wants an interrupt."""
        old, new = self._announced, (self._returned + jump) & WRAP
        self._used[1] = self._announced = self._returned = new
        self._used[2 + 4 * self.size] = self._taken
        if old == new:
            return False
        if self._event_idx:
            return event_due(self._avail[2 + self.size], new, old)
        return not self._avail[0] & NO_INTERRUPT


@dataclass(slots=True)
class Faults:
    """Misbehaviour to show. The values of used entries apply to the next entry only and are then forgotten."""

    refuse_features: bool = False
    never_reset: bool = False
    no_queues: bool = False
    used_id: int | None = None
    used_length: int | None = None
    index_jump: int = 0
    swallow_kicks: int = 0
    malform_header: bytes | None = None  # replaces the virtio header of the next received frame


class DeviceModel:
    """The device. `on_frame` gets each frame sent and the work left undone on it; without it they collect in `sent`."""

    def __init__(
        self,
        *,
        offered: Feature = MODEL_FEATURES,
        mac: bytes = DEFAULT_MAC,
        memory_size: int = 64 << 20,
        queue_limit: int = 1024,
        backlog: int = 4096,
        on_frame: Callable[[bytes, Offload], object] | None = None,
    ) -> None:
        self.memory = memoryview(mmap.mmap(-1, memory_size))
        self.base = MODEL_BASE
        self.reserved = 0
        self.offered = offered
        self.faults = Faults()
        self.violations: list[str] = []
        """What the driver did against the standard."""
        self.sent: deque[tuple[bytes, Offload]] = deque(maxlen=backlog)
        self.on_frame = on_frame
        self.dropped = 0
        """Frames that found the backlog full, or no buffer long enough."""
        self._backlog: deque[tuple[bytes, Offload]] = deque()
        self._backlog_limit = backlog
        self._config = bytearray(mac + bytes([LINK_UP, 0]))
        self._queue_limit = queue_limit
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._event, select.POLLIN)
        self._reset()

    def _reset(self) -> None:
        self.status = Status(0)
        self.accepted = Feature(0)
        self._causes = Interrupt.NONE
        self._registers: dict[int, int] = {}
        self._queue_registers: list[dict[int, int]] = [{}, {}]
        self._queues: list[DeviceQueue | None] = [None, None]
        self.dropped += len(self._backlog)  # they may need features that the next driver does not accept
        self._backlog.clear()

    # --- the test's side --------------------------------------------------------------------------------------------

    def inject(self, frame: bytes, offload: Offload | None = None) -> bool:
        """A frame arrives for the driver. Work its features do not allow to be left is done here. False when dropped."""
        offload = offload or Offload()
        frames = [(frame, offload)]
        if offload.gso_size and not self.accepted & Feature.GUEST_TSO4:
            frames = [(part, Offload()) for part in segment(frame, offload)]
        elif offload.needs_csum and not self.accepted & Feature.GUEST_CSUM:
            frames = [(finish_checksum(frame, offload), Offload())]
        if not self._config[6] & LINK_UP or len(self._backlog) + len(frames) > self._backlog_limit:
            self.dropped += len(frames)
            return False
        self._backlog.extend(frames)
        self._work(RX_QUEUE)
        return True

    def set_link(self, up: bool) -> None:
        """Plug or unplug the cable."""
        self._config[6] = LINK_UP if up else 0
        self._interrupt(Interrupt.CONFIG)

    def need_reset(self) -> None:
        """Enter DEVICE_NEEDS_RESET, as after an internal error (virtio 1.2, 2.1.2)."""
        self.status |= Status.NEEDS_RESET
        self._interrupt(Interrupt.CONFIG)

    # --- registers --------------------------------------------------------------------------------------------------

    def readb(self, register: int) -> int:
        """Read 8 bits of the configuration."""
        return self._config[register - Register.CONFIG_MAC]

    def readw(self, register: int) -> int:
        """Read 16 bits of the configuration."""
        offset = register - Register.CONFIG_MAC
        return int.from_bytes(self._config[offset : offset + 2], "little")

    def readl(self, register: int) -> int:
        """Read a 32-bit register."""
        queue = self._registers.get(Register.QUEUE_SELECT, 0)
        word = self._registers.get(Register.DEVICE_FEATURES_SELECT, 0)
        values = {
            Register.MAGIC: MAGIC,
            Register.VERSION: MMIO_VERSION,
            Register.DEVICE_ID: NET_DEVICE,
            Register.DEVICE_FEATURES: self.offered >> (32 * word) & 0xFFFF_FFFF,
            Register.QUEUE_SIZE_MAX: 0 if self.faults.no_queues or queue > TX_QUEUE else self._queue_limit,
            Register.QUEUE_READY: int(queue <= TX_QUEUE and self._queues[queue] is not None),
            Register.INTERRUPT_STATUS: self._causes,
            Register.STATUS: self.status,
        }
        return values.get(Register(register), 0)

    def writel(self, register: int, value: int) -> None:
        """Write a 32-bit register."""
        if register == Register.STATUS:
            self._write_status(Status(value))
        elif register == Register.DRIVER_FEATURES:
            self._demand(not self.status & Status.FEATURES_OK, "features written after FEATURES_OK")
            word = self._registers.get(Register.DRIVER_FEATURES_SELECT, 0)
            kept = self.accepted & ~(0xFFFF_FFFF << (32 * word))
            self.accepted = Feature(kept | value << (32 * word))
        elif register == Register.INTERRUPT_ACK:
            self._causes &= ~Interrupt(value)
        elif register == Register.QUEUE_READY:
            self._enable_queue()
        elif register == Register.QUEUE_NOTIFY:
            self.kick(value)
        elif register == Register.QUEUE_SIZE or Register.QUEUE_DESC_LOW <= register <= Register.QUEUE_DEVICE_HIGH:
            self._queue_registers[self._registers.get(Register.QUEUE_SELECT, 0)][register] = value
        else:
            self._registers[register] = value

    def _demand(self, condition: bool, violation: str) -> None:
        if not condition and len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(violation)

    def _write_status(self, status: Status) -> None:
        if not status:
            if not self.faults.never_reset:
                self._reset()
            return
        if status & Status.FAILED:
            self.status |= Status.FAILED
            return
        kept = self.status & ~Status.NEEDS_RESET
        self._demand(status & kept == kept, f"status bits {self.status!r} withdrawn by {status!r}")
        order = (Status.ACKNOWLEDGE, Status.DRIVER, Status.FEATURES_OK, Status.DRIVER_OK)
        for earlier, later in pairwise(order):
            self._demand(not status & later or bool(status & earlier), f"{later!r} without {earlier!r}")
        fresh = status & ~self.status
        if fresh & Status.FEATURES_OK and not self._features_acceptable():
            status &= ~Status.FEATURES_OK
        if fresh & Status.DRIVER_OK:
            self._demand(bool(self.status & Status.FEATURES_OK), "DRIVER_OK although the features were refused")
            self._demand(None not in self._queues, "DRIVER_OK before the queues were ready")
        self.status = status | self.status & Status.NEEDS_RESET
        if fresh & Status.DRIVER_OK:
            self._work(RX_QUEUE)

    def _features_acceptable(self) -> bool:
        unoffered = self.accepted & ~self.offered
        self._demand(not unoffered, f"features {unoffered!r} accepted but not offered")
        self._demand(bool(self.accepted & Feature.VERSION_1), "VERSION_1 not accepted")
        for feature, prerequisite in REQUIRES.items():
            met = not self.accepted & feature or bool(self.accepted & prerequisite)
            self._demand(met, f"{feature!r} accepted without {prerequisite!r}")
        return not (unoffered or self.faults.refuse_features) and bool(self.accepted & Feature.VERSION_1)

    def _enable_queue(self) -> None:
        self._demand(bool(self.status & Status.FEATURES_OK), "queue enabled before FEATURES_OK")
        number = self._registers.get(Register.QUEUE_SELECT, 0)
        registers = self._queue_registers[number]
        size = registers.get(Register.QUEUE_SIZE, 0)
        self._demand(0 < size <= self._queue_limit, f"queue size {size} over the limit {self._queue_limit}")
        low = (Register.QUEUE_DESC_LOW, Register.QUEUE_DRIVER_LOW, Register.QUEUE_DEVICE_LOW)
        desc, avail, used = (registers.get(r, 0) + (registers.get(r + 4, 0) << 32) - self.base for r in low)
        event_idx = bool(self.accepted & Feature.EVENT_IDX)
        self._queues[number] = DeviceQueue(self.memory, self.base, size, desc, avail, used, event_idx=event_idx)

    # --- doorbell and interrupt -------------------------------------------------------------------------------------

    def kick(self, queue: int) -> None:
        """The driver rings the bell of `queue`: take what is there."""
        if self.faults.swallow_kicks > 0:
            self.faults.swallow_kicks -= 1
            return
        self._demand(bool(self.status & Status.DRIVER_OK), "kick before DRIVER_OK")
        self._work(queue)

    def _work(self, number: int) -> None:
        queue = self._queues[number]
        if queue is None or not self.status & Status.DRIVER_OK or self.status & Status.NEEDS_RESET:
            return
        try:
            if number == TX_QUEUE:
                self._take_transmitted(queue)
            else:
                self._fill_receive_queue(queue)
        except DriverFault as fault:
            self._demand(False, str(fault))
            self.need_reset()

    def _take_transmitted(self, queue: DeviceQueue) -> None:
        while chain := queue.take():
            content = b"".join(chain.readable)
            self._put(queue, chain.head, 0)
            if chain.writable or len(content) < VNET_HEADER_SIZE:
                raise DriverFault("a transmit buffer must be readable and hold a header")
            flags, _, hdr_len, gso_size, start, offset, _ = VNET_HEADER.unpack_from(content)
            offload = Offload(bool(flags & FLAG_NEEDS_CSUM), start, offset, gso_size, hdr_len)
            self._demand(not flags or bool(self.accepted & Feature.CSUM), "NEEDS_CSUM without the feature")
            self._demand(not gso_size or bool(self.accepted & Feature.HOST_TSO4), "GSO without the feature")
            if self._config[6] & LINK_UP:
                self._deliver(content[VNET_HEADER_SIZE:], offload)
        self._announce(queue)

    def _deliver(self, frame: bytes, offload: Offload) -> None:
        if self.on_frame is None:
            self.sent.append((frame, offload))
        else:
            self.on_frame(frame, offload)

    def _fill_receive_queue(self, queue: DeviceQueue) -> None:
        while self._backlog:
            frame, offload = self._backlog[0]
            content = VNET_HEADER_SIZE + len(frame)
            chains: list[Chain] = []
            room = 0
            while room < content and (chain := queue.take()):
                chains.append(chain)
                room += sum(map(len, chain.writable))
                if not self.accepted & Feature.MRG_RXBUF:
                    break
            if room < content and (not chains or self.accepted & Feature.MRG_RXBUF):
                queue.put_back(len(chains))
                break
            self._backlog.popleft()
            if room < content:
                self.dropped += 1
                queue.put_back(1)
                continue
            header = bytearray(self.faults.malform_header or offload.pack())
            self.faults.malform_header = None
            header[10] = len(chains)
            self._scatter(queue, chains, bytes(header) + frame)
        self._announce(queue)

    def _scatter(self, queue: DeviceQueue, chains: list[Chain], content: bytes) -> None:
        written = 0
        for chain in chains:
            before = written
            for area in chain.writable:
                part = content[written : written + len(area)]
                area[: len(part)] = part
                written += len(part)
            self._put(queue, chain.head, written - before)

    def _put(self, queue: DeviceQueue, head: int, length: int) -> None:
        faults = self.faults
        queue.put(head if faults.used_id is None else faults.used_id, length if faults.used_length is None else faults.used_length)
        faults.used_id = faults.used_length = None

    def _announce(self, queue: DeviceQueue) -> None:
        jump, self.faults.index_jump = self.faults.index_jump, 0
        if queue.publish(jump):
            self._interrupt(Interrupt.USED)

    def _interrupt(self, cause: Interrupt) -> None:
        if self.status & Status.DRIVER_OK:
            self._causes |= cause
            os.eventfd_write(self._event, 1)

    def wait(self, timeout: float | None) -> bool:
        """Sleep until an interrupt is raised."""
        if not self._causes:
            self._poll.poll(None if timeout is None else timeout * 1000)
        return self._causes != Interrupt.NONE

    def take_interrupt(self) -> Interrupt:
        """Acknowledge, and tell the causes."""
        if self._poll.poll(0):
            os.eventfd_read(self._event)
        causes, self._causes = self._causes, Interrupt.NONE
        return causes

    def fileno(self) -> int:
        """An eventfd, readable while an interrupt waits to be taken."""
        return self._event

    def close(self) -> None:
        """Close the eventfd and unplug the cable."""
        self.on_frame = None
        if self._event >= 0:
            os.close(self._event)
            self._event = -1


def cable(one: DeviceModel, other: DeviceModel) -> None:
    """Join two models: what one driver sends, the other receives."""
    one.on_frame = other.inject
    other.on_frame = one.inject
