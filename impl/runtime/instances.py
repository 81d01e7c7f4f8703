"""The instances of a family of a generated machine: kept by key, lined up for the rows they may fire, woken at their times."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, Protocol, TypeVar

_COMPACT_ABOVE: Final = 64


class Instance(Protocol):
    """What the emitted class of a family's instances has: its key, and two marks that are kept here."""

    key: Any
    serial: int
    counted: bool


I = TypeVar("I", bound=Instance)  # noqa: E741 - an instance


class Timetable(Generic[I]):
    """At most one time (microseconds) for each instance and name; the earliest first, then by name, then the older instance.

    Setting and finding cost O(log n). Times that were taken back stay in the heap until they outnumber the others.
    """

    __slots__ = ("_heap", "_times")

    def __init__(self) -> None:
        self._times: dict[tuple[str, int], tuple[int, I]] = {}
        self._heap: list[tuple[int, str, int]] = []

    def __len__(self) -> int:
        return len(self._times)

    def set(self, name: str, instance: I, at: int | None) -> None:
        """Let `name` of `instance` be due at `at`, or never."""
        slot = name, instance.serial
        held = self._times.get(slot)
        if held is not None and held[0] == at:
            return
        if at is None:
            if held is None:
                return
            del self._times[slot]
        else:
            self._times[slot] = at, instance
            heappush(self._heap, (at, *slot))
        if len(self._heap) > _COMPACT_ABOVE and len(self._heap) > 2 * len(self._times):
            self._heap = [(at, *slot) for slot, (at, _) in self._times.items()]
            heapify(self._heap)

    def first(self) -> tuple[int, str, I] | None:
        """The earliest time, its name and its instance; None when there is none."""
        heap = self._heap
        while heap:
            at, name, serial = heap[0]
            held = self._times.get((name, serial))
            if held is not None and held[0] == at:
                return at, name, held[1]
            heappop(heap)
        return None


class Instances(Generic[I]):
    """Instances that are not as they begin. `count` is the number of those of which a state or a `var` is not.

    For each output row of the family, `lines` holds those that may fire it, the one that waits longest first.
    """

    __slots__ = ("_names", "_serial", "by_key", "count", "dues", "lines", "timers", "wakes")

    def __init__(self, rows: int, *names: str) -> None:
        """`rows` is the number of output rows, `names` are those of timers and debts."""
        self.by_key: dict[Any, I] = {}
        self.count = 0
        self.lines: tuple[dict[Any, I], ...] = tuple({} for _ in range(rows))
        self.timers: Timetable[I] = Timetable()
        self.dues: Timetable[I] = Timetable()
        self.wakes: Timetable[I] = Timetable()
        self._names = names
        self._serial = 0

    def keep(self, instance: I, counted: bool) -> None:
        """Keep `instance`, new or not."""
        if self.by_key.get(instance.key) is not instance:
            self.by_key[instance.key] = instance
            self._serial += 1
            instance.serial = self._serial
            instance.counted = False
        if instance.counted is not counted:
            instance.counted = counted
            self.count += 1 if counted else -1

    def forget(self, instance: I) -> None:
        """Drop `instance` with its times and its places in line, if it is kept."""
        if self.by_key.get(instance.key) is not instance:
            return
        del self.by_key[instance.key]
        self.count -= instance.counted
        for line in self.lines:
            line.pop(instance.key, None)
        for table in (self.timers, self.dues, self.wakes):
            for name in self._names:
                table.set(name, instance, None)

    def line_up(self, row: int, instance: I, ready: bool) -> None:
        """Let `instance` stand in line for `row`, at its place or at the end, or leave the line."""
        line = self.lines[row]
        if not ready:
            line.pop(instance.key, None)
        elif instance.key not in line:
            line[instance.key] = instance

    def owe(self, name: str, instance: I, due: int | None, now: int) -> None:
        """Note the time of payment of a debt; the instance is woken at that time."""
        self.dues.set(name, instance, due)
        self.wakes.set(name, instance, due if due is not None and due > now else None)

    def waking(self, now: int) -> I | None:
        """An instance of which a debt has fallen due since it was last looked at."""
        first = self.wakes.first()
        return first[2] if first is not None and first[0] <= now else None
