"""Timers on a clock that is passed in: a heap of deadlines in integer microseconds."""

import heapq
from collections.abc import Callable
from typing import Final

_COMPACT_ABOVE: Final = 64


class Timer:
    """One pending call. `when` is its deadline in microseconds; it is forgotten once it fired or was cancelled."""

    __slots__ = ("_callback", "_owner", "when")

    def __init__(self, owner: "Timers", when: int, callback: Callable[[], None]) -> None:
        self.when = when
        self._callback: Callable[[], None] | None = callback
        self._owner = owner

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self._callback is not None

    def cancel(self) -> None:
        """Prevent the call. No effect after it was made."""
        if self._callback is not None:
            self._callback = None
            self._owner._note_cancelled()

    def take(self) -> Callable[[], None] | None:
        """The callback, which the caller must now call; None when it was cancelled."""
        callback, self._callback = self._callback, None
        return callback


class Timers:
    """A clock moved by its owner (`now`, in microseconds), and the pending timers on it.

    Timers fire in the order of their deadlines and, among equal ones, of their creation.
    """

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self._heap: list[tuple[int, int, Timer]] = []
        self._created = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def at(self, when: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, at the first `run` whose `now` has reached `when` (microseconds)."""
        timer = Timer(self, when, callback)
        self._created += 1
        heapq.heappush(self._heap, (when, self._created, timer))
        return timer

    def after(self, delay: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay` microseconds from now."""
        return self.at(self.now + delay, callback)

    def next_deadline(self) -> int | None:
        """The earliest deadline in microseconds, or None when nothing is pending."""
        heap = self._heap
        while heap and not heap[0][2].pending:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def run(self, now: int) -> int:
        """Move the clock to `now` and fire all timers due, those included that the fired ones set; their number."""
        self.now = now
        fired = 0
        heap = self._heap
        while heap and heap[0][0] <= now:
            callback = heapq.heappop(heap)[2].take()
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
                fired += 1
        return fired

    def _note_cancelled(self) -> None:
        """Cancelled entries stay in the heap until they outnumber the live ones: memory stays proportional to those."""
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0
