"""A virtual Ethernet segment with faults: virtual hosts on one cable and one clock, repeatable from a seed."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from wirelaw.impl.net.host import VirtualHost


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities (0..1) of what may befall one frame, and times in microseconds.

    A reordered frame is delayed by up to `reorder_delay` more than the others; a corrupted one has one bit flipped.
    """

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    corruption: float = 0.0
    delay: int = 50
    reorder_delay: int = 2_000


class Lan:
    """Connects virtual hosts: each frame reaches every other host, after its delay, unless a fault strikes.

    The hosts' clocks are moved by the segment's only; all begin at 0.
    """

    def __init__(self, *hosts: VirtualHost, faults: Faults | None = None, seed: int = 0) -> None:
        """Join `hosts`; `seed` decides which frames are struck."""
        self.hosts = hosts
        self.faults = faults or Faults()
        self.now = 0
        self.carried = 0
        self.struck = 0
        self.tap: Callable[[int, bytes], None] | None = None
        """Called with the time and each frame as it was sent, before any fault."""
        self._random = random.Random(seed)
        self._flying: list[tuple[int, int, VirtualHost, bytes]] = []
        self._sent = 0

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.run_until(lambda: False, seconds)

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until `condition` holds, at most `seconds`; whether it holds."""
        end = self.now + round(seconds * 1_000_000)
        self._collect()
        while not condition():
            event = self._next_event()
            if event is None or event > end:
                self._move(end)
                return condition()
            self._move(event)
        return True

    def _next_event(self) -> int | None:
        times = [deadline for host in self.hosts if (deadline := host.next_deadline()) is not None]
        if self._flying:
            times.append(self._flying[0][0])
        return max(self.now, min(times)) if times else None

    def _move(self, time: int) -> None:
        self.now = time
        for host in self.hosts:
            host.advance_to(time)
        while self._flying and self._flying[0][0] <= time:
            _, _, host, frame = heapq.heappop(self._flying)
            host.receive(frame)
        self._collect()

    def _collect(self) -> None:
        for sender in self.hosts:
            for frame in sender.frames():
                if self.tap is not None:
                    self.tap(self.now, frame)
                for receiver in self.hosts:
                    if receiver is not sender:
                        self._carry(receiver, frame)

    def _carry(self, receiver: VirtualHost, frame: bytes) -> None:
        faults, chance = self.faults, self._random.random
        if chance() < faults.loss:
            self.struck += 1
            return
        copies = 1 + (chance() < faults.duplication)
        for _ in range(copies):
            arrival = self.now + faults.delay
            if chance() < faults.reordering:
                arrival += self._random.randrange(faults.reorder_delay + 1)
                self.struck += 1
            carried = self._flip_bit(frame) if chance() < faults.corruption else frame
            self._sent += 1
            self.carried += 1
            heapq.heappush(self._flying, (arrival, self._sent, receiver, carried))
        self.struck += copies - 1

    def _flip_bit(self, frame: bytes) -> bytes:
        self.struck += 1
        place = self._random.randrange(len(frame) * 8)
        flipped = bytearray(frame)
        flipped[place // 8] ^= 1 << place % 8
        return bytes(flipped)
