"""A virtual Ethernet segment with faults: virtual hosts on one cable and one clock, repeatable from a seed."""

from collections.abc import Callable, Iterator
from typing import Final

from wirelaw.impl.device.faulty_link import Faults, FaultyLink, LinkCounters
from wirelaw.impl.net.host import VirtualHost

SOUND: Final = Faults()
"""A cable without faults."""


class Lan:
    """Connects virtual hosts: each frame reaches every other host, after its delay, unless a fault strikes.

    The hosts' clocks are moved by the segment's only; all begin at 0.
    """

    def __init__(self, *hosts: VirtualHost, faults: Faults | None = None, seed: int = 0) -> None:
        """Join `hosts`; `seed` decides which frames are struck."""
        self.hosts = hosts
        self.now = 0
        self.tap: Callable[[int, bytes], None] | None = None
        """Called with the time and each frame as it was sent, before any fault."""
        pairs = [(sender, receiver) for sender in hosts for receiver in hosts if sender is not receiver]
        self._links = [(*pair, FaultyLink[bytes](faults or SOUND, seed * len(pairs) + n)) for n, pair in enumerate(pairs)]

    def strike(self, faults: Faults) -> None:
        """From now on the cable has these faults."""
        for *_, link in self._links:
            link.faults = faults

    @property
    def carried(self) -> int:
        """Frames that have arrived."""
        return sum(link.counters.delivered for *_, link in self._links)

    @property
    def struck(self) -> int:
        """Faults that have befallen frames."""
        return sum(c.lost + c.dropped + c.duplicated + c.reordered + c.corrupted for c in self._counters())

    def _counters(self) -> Iterator[LinkCounters]:
        return (link.counters for *_, link in self._links)

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
        deadlines = [*(host.next_deadline() for host in self.hosts), *(link.next_deadline() for *_, link in self._links)]
        times = [deadline for deadline in deadlines if deadline is not None]
        return max(self.now, min(times)) if times else None

    def _move(self, time: int) -> None:
        self.now = time
        for host in self.hosts:
            host.advance_to(time)
        for _, receiver, link in self._links:
            for frame in link.due(time):
                receiver.receive(frame)
        self._collect()

    def _collect(self) -> None:
        for sender in self.hosts:
            for frame in sender.frames():
                if self.tap is not None:
                    self.tap(self.now, frame)
                for one, _, link in self._links:
                    if one is sender:
                        link.offer(frame, self.now)
