"""A second look: judging the latest observations again when nothing explains the last of them.

The search lets the laziest configuration stand for all others (`search.py`). Rarely an output and an input that was waiting do
not commute although no state changes: a segment is new or not by the latest acknowledgment sent (RFC 7323 4.3). Then what was
dismissed is needed, and only later events tell. So a judge keeps a point to return to, and what came since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.search import Search
from wirelaw.oracle.engine.steps import Event
from wirelaw.oracle.engine.verdict import Finding

REACH = 64
"""A second look goes back this many events at least, and twice as many at most."""
MEMORY = 4096
"""The same, where a run is judged again with known deviations."""
Step = tuple[Callable[[Event], Any], Event]


class Judge(Protocol):
    """What of a judge changes as it goes on."""

    search: Search
    frontier: list[Configuration]
    findings: list[Finding]
    counts: Counter[tuple[int, Any]]
    now: int | None
    suspended: Event | None
    ended: bool
    reason: str


@dataclass(slots=True)
class Allowance:
    """How many events the judges that share it may keep in all, in order to judge a run again; `used` are kept now."""

    limit: int = 100_000
    used: int = 0


class Point:
    """Everything in which a judge at one moment differs from the same judge at another."""

    __slots__ = ("_counts", "_findings", "_frontier", "_known", "_now", "_pending", "_recent", "_suspended")

    def __init__(self, judge: Judge) -> None:
        search = judge.search
        self._frontier = [c.copy() for c in judge.frontier]
        self._findings, self._counts = list(judge.findings), judge.counts.copy()
        self._now, self._suspended = judge.now, judge.suspended
        first = min((c.next for c in judge.frontier), default=search.end)
        self._pending = first, search.pending[first - search.base :]
        self._recent = list(search.recent)
        self._known = search.remember()

    def restore(self, judge: Judge) -> None:
        """Put `judge` back to this moment."""
        search = judge.search
        judge.frontier = [c.copy() for c in self._frontier]
        judge.findings, judge.counts = list(self._findings), self._counts.copy()
        judge.now, judge.suspended = self._now, self._suspended
        judge.ended, judge.reason = False, ""
        search.base, search.pending = self._pending[0], list(self._pending[1])
        search.recent.clear()
        search.recent.extend(self._recent)
        search.recall(self._known)


class Past:
    """The two latest points of a judge that lie `reach` steps apart, and the steps since the earlier of them."""

    def __init__(self, judge: Judge, reach: int, allowance: Allowance | None = None) -> None:
        self._judge, self._reach = judge, reach
        self._allowance = allowance or Allowance(2 * reach)
        self._point, self._since = Point(judge), list[Step]()
        self._earlier: tuple[Point, list[Step]] | None = None

    def note(self, step: Callable[[Event], Any], event: Event) -> None:
        """A step is about to be taken."""
        allowance = self._allowance
        if len(self._since) >= (self._reach if allowance.used < allowance.limit else REACH):
            self._drop(self._earlier[1] if self._earlier is not None else [])
            self._earlier = self._point, self._since
            self._point, self._since = Point(self._judge), []
        self._since.append((step, event))
        allowance.used += 1

    def since(self) -> tuple[Point, list[Step]]:
        """The earlier point, and all steps since."""
        return (self._point, self._since) if self._earlier is None else (self._earlier[0], self._earlier[1] + self._since)

    def forget(self) -> None:
        """Begin anew from here."""
        self._drop(self._since)
        self._drop(self._earlier[1] if self._earlier is not None else [])
        self._earlier, self._point, self._since = None, Point(self._judge), []

    def _drop(self, steps: list[Step]) -> None:
        self._allowance.used -= len(steps)


def look_back(judge: Judge, past: Past) -> bool:
    """Take the steps of `past` again, leaving open what was not; whether the judge gets through them now.

    BudgetError and LawGapError come out as they arise. The judge is to be restored by the caller unless it got through.
    """
    point, steps = past.since()
    point.restore(judge)
    judge.search.thorough = True
    try:
        for step, event in steps:
            step(event)
            if judge.ended:
                return False
    finally:
        judge.search.thorough = False
    past.forget()
    return True
