"""A second look: judging the latest observations again when nothing explains the last of them.

The search lets the laziest configuration stand for all others (`search.py`). Rarely an output and an input that was waiting do
not commute although no state changes: a segment is new or not by the latest acknowledgment sent (RFC 7323 4.3). Then what was
dismissed is needed, and only later events tell. So a judge keeps a point to return to, and what came since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wirelaw.oracle.engine.judge import Judge
    from wirelaw.oracle.engine.steps import Event

REACH = 64
"""A second look goes back this many events at least, and twice as many at most."""
Step = tuple["Callable[[Event], Any]", "Event"]


class Point:
    """Everything in which a judge at one moment differs from the same judge at another."""

    __slots__ = ("_counts", "_findings", "_frontier", "_now", "_pending", "_recent", "_suspended")

    def __init__(self, judge: Judge) -> None:
        search = judge.search
        self._frontier = [c.copy() for c in judge.frontier]
        self._findings, self._counts = list(judge.findings), judge.counts.copy()
        self._now, self._suspended = judge.now, judge.suspended
        first = min((c.next for c in judge.frontier), default=search.end)
        self._pending = first, search.pending[first - search.base :]
        self._recent = list(search.recent)

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


class Hindsight:
    """The two latest points of a judge, and the steps since."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._point, self._since = Point(judge), list[Step]()
        self._earlier: tuple[Point, list[Step]] | None = None

    def note(self, step: Callable[[Event], Any], event: Event) -> None:
        """A step is about to be taken."""
        if len(self._since) >= REACH:
            self._earlier = self._point, self._since
            self._point, self._since = Point(self._judge), []
        self._since.append((step, event))

    def look_back(self) -> bool:
        """Take the noted steps again, leaving open what was not; whether the judge gets through them now.

        BudgetError and LawGapError come out as they arise. The judge is to be restored by the caller unless it got through.
        """
        judge, search = self._judge, self._judge.search
        point, steps = (self._point, self._since) if self._earlier is None else (self._earlier[0], self._earlier[1] + self._since)
        point.restore(judge)
        search.thorough = True
        try:
            for step, event in steps:
                step(event)
                if judge.ended:
                    return False
        finally:
            search.thorough = False
        self._earlier, self._point, self._since = None, Point(judge), []
        return True
