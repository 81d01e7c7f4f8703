"""A faulty link: loss, duplicates, reordering, delay and damaged bits, all from a seed, with the clock passed in.

`FaultyLink` is one direction and does no I/O, so that the same object serves a simulation under virtual time and a live
`Bridge` between two TAP devices. Times are integer microseconds.
"""

import heapq
import os
import select
import threading
import time
from dataclasses import dataclass, field, fields
from random import Random
from types import TracebackType
from typing import Self

# Ethernet, IPv4 and TCP headers without options: damage falls behind them, on what only a checksum protects.
_PROTECTED = 54
_FRAME_SIZE = 65_536 + 14
_BURST = 64


@dataclass(frozen=True, slots=True)
class Faults:
    """What a link does to frames. Rates are probabilities a frame, in 0..1; times are microseconds.

    A reordered frame is held back by `reorder_by` beyond the `delay` of all; the others keep their order. A corrupted
    frame has one bit flipped behind its first 54 octets. `queue` bounds the frames under way: more are lost.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    delay: int = 0
    reorder_by: int = 1000
    queue: int = 4096

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, 0 to 1, not {getattr(self, name)}")
        for name in ("delay", "reorder_by", "queue"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} cannot be negative ({getattr(self, name)})")


@dataclass(slots=True)
class LinkCounters:
    """Frames by fate. Every frame offered or duplicated ends as lost, dropped or delivered, or is still under way."""

    offered: int = 0
    lost: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    delivered: int = 0

    def __add__(self, other: "LinkCounters") -> "LinkCounters":
        return LinkCounters(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(slots=True)
class FaultyLink:
    """One direction of a link: `offer` a frame, then take what is `due`. The same seed and offers give the same fates."""

    faults: Faults
    seed: int
    counters: LinkCounters = field(default_factory=LinkCounters)
    _random: Random = field(init=False)
    _queue: list[tuple[int, int, bytes]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def offer(self, frame: bytes, now: int) -> None:
        """Put `frame` on the link at time `now`."""
        faults, counters, draw = self.faults, self.counters, self._random.random
        # Always four draws a frame: changing one rate leaves the other fates of a seed as they were.
        lost, doubled = draw() < faults.loss, draw() < faults.duplicate
        held, damaged = draw() < faults.reorder, draw() < faults.corrupt
        counters.offered += 1
        if lost:
            counters.lost += 1
            return
        if damaged and len(frame) > _PROTECTED:
            frame = self._damage(frame)
            counters.corrupted += 1
        if held:
            counters.reordered += 1
        self._enqueue(frame, now + faults.delay + (faults.reorder_by if held else 0))
        if doubled:
            counters.duplicated += 1
            self._enqueue(frame, now + faults.delay)

    def due(self, now: int) -> list[bytes]:
        """The frames that arrive at the far end by `now`, in order of arrival; each is given once."""
        arrived: list[bytes] = []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(heapq.heappop(self._queue)[2])
        self.counters.delivered += len(arrived)
        return arrived

    def next_deadline(self) -> int | None:
        """When the next frame arrives; None when the link is empty."""
        return self._queue[0][0] if self._queue else None

    def _enqueue(self, frame: bytes, when: int) -> None:
        if len(self._queue) >= self.faults.queue:
            self.counters.dropped += 1
            return
        self._serial += 1
        heapq.heappush(self._queue, (when, self._serial, frame))

    def _damage(self, frame: bytes) -> bytes:
        bit = Random(self._random.random()).randrange(_PROTECTED * 8, len(frame) * 8)
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        return bytes(damaged)


class Bridge:
    """Joins two frame devices (TAP descriptors, non-blocking) through a faulty link in each direction.

    A context manager: a thread pumps frames until the block is left. The descriptors stay the caller's. `counters` holds
    the fates of the frames (first to second device, second to first).
    """

    def __init__(self, first: int, second: int, faults: Faults, seed: int = 0, back: Faults | None = None):
        self._devices = (first, second)
        self._links = (FaultyLink(faults, seed), FaultyLink(faults if back is None else back, seed ^ 0x5DEECE66D))
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._pump, name="faulty-link", daemon=True)

    @property
    def counters(self) -> tuple[LinkCounters, LinkCounters]:
        """Fates of the frames in each direction so far."""
        return self._links[0].counters, self._links[1].counters

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._wake_write)
        self._thread.join()
        os.close(self._wake_read)

    def _pump(self) -> None:
        poll = select.poll()
        for descriptor in (*self._devices, self._wake_read):
            poll.register(descriptor, select.POLLIN)
        while True:
            deadlines = [d for link in self._links if (d := link.next_deadline()) is not None]
            wait = None if not deadlines else max(0, min(deadlines) - _monotonic_us())
            # poll() counts milliseconds: sleep the whole ones, then spin the rest, for delays true to 0.1 ms.
            ready = {descriptor for descriptor, _ in poll.poll(None if wait is None else wait // 1000)}
            if self._wake_read in ready:
                return
            for index, device in enumerate(self._devices):
                if device in ready:
                    self._take(device, self._links[index])
                self._deliver(self._links[index], self._devices[1 - index])

    def _take(self, device: int, link: FaultyLink) -> None:
        for _ in range(_BURST):
            try:
                frame = os.read(device, _FRAME_SIZE)
            except BlockingIOError:
                return
            link.offer(frame, _monotonic_us())

    def _deliver(self, link: FaultyLink, device: int) -> None:
        for frame in link.due(_monotonic_us()):
            try:
                os.write(device, frame)
            except OSError:  # the device is down or full: to the protocol that is a lost frame
                link.counters.delivered -= 1
                link.counters.dropped += 1


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
