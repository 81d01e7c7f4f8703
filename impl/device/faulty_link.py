"""A faulty link: loss, duplicates, reordering, delay and damaged bits, all from a seed, with the clock passed in.

`FaultyLink` is one direction and does no I/O, so that the same object serves simulations in virtual time and live bridges
between devices. Times are integer microseconds.
"""

import heapq
from dataclasses import dataclass, field, fields
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Faults:
    """What a link does to frames. Rates are probabilities a frame, in 0..1; times are microseconds.

    A reordered frame is held back by `reorder_by` beyond the `delay` of all; the others keep their order. A corrupted
    frame has one bit flipped behind its first `spared` octets. `queue` bounds the frames under way: more are lost.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    delay: int = 50
    reorder_by: int = 1000
    queue: int = 1 << 16
    spared: int = 0

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, 0 to 1, not {getattr(self, name)}")
        for name in ("delay", "reorder_by", "queue", "spared"):
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
class FaultyLink(Generic[T]):
    """One direction of a link: `offer` a frame, then take what is `due`. The same seed and offers give the same fates.

    What it carries may be anything; only octets can be damaged.
    """

    faults: Faults
    seed: int
    counters: LinkCounters = field(default_factory=LinkCounters)
    _random: Random = field(init=False)
    _queue: list[tuple[int, int, T]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def offer(self, frame: T, now: int) -> None:
        """Put `frame` on the link at time `now`."""
        faults, counters, draw = self.faults, self.counters, self._random.random
        # Always four draws a frame: changing one rate leaves the other fates of a seed as they were.
        lost, doubled = draw() < faults.loss, draw() < faults.duplicate
        held, damaged = draw() < faults.reorder, draw() < faults.corrupt
        counters.offered += 1
        if lost:
            counters.lost += 1
            return
        if damaged and isinstance(frame, bytes) and len(frame) > faults.spared:
            frame = self._damage(frame)  # type: ignore[assignment]
            counters.corrupted += 1
        if held:
            counters.reordered += 1
        self._enqueue(frame, now + faults.delay + (faults.reorder_by if held else 0))
        if doubled:
            counters.duplicated += 1
            self._enqueue(frame, now + faults.delay)

    def due(self, now: int) -> list[T]:
        """The frames that arrive at the far end by `now`, in order of arrival; each is given once."""
        arrived: list[T] = []
        while self._queue and self._queue[0][0] <= now:
            arrived.append(heapq.heappop(self._queue)[2])
        self.counters.delivered += len(arrived)
        return arrived

    def next_deadline(self) -> int | None:
        """When the next frame arrives; None when the link is empty."""
        return self._queue[0][0] if self._queue else None

    def _enqueue(self, frame: T, when: int) -> None:
        if len(self._queue) >= self.faults.queue:
            self.counters.dropped += 1
            return
        self._serial += 1
        heapq.heappush(self._queue, (when, self._serial, frame))

    def _damage(self, frame: bytes) -> bytes:
        bit = Random(self._random.random()).randrange(self.faults.spared * 8, len(frame) * 8)
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        return bytes(damaged)
