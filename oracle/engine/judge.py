"""The judge: whether a trace conforms to the unbound table (ioco with time).

After every trace the table allows, each output of the watched implementation, and each silence past a deadline, must be one
that the table allows, whatever its user, its policy and its free choices may be. The judge works event by event, on a live
connection or a capture, and keeps nothing of the past but the configurations that are still possible.
"""

from __future__ import annotations

import time as clock
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple

from wirelaw.oracle.engine import explanation
from wirelaw.oracle.engine.configuration import POSITED, Configuration, Trail
from wirelaw.oracle.engine.hindsight import MEMORY, REACH, Allowance, Past, Point, look_back
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.search import BudgetError, Search, Silence, merge
from wirelaw.oracle.engine.steps import NO_ACT, Event, LawGapError
from wirelaw.oracle.engine.verdict import Bounds, Environment, Finding, Grade, Verdict

HISTORY = 64
FINDINGS = 200
_FLUSH_EVERY = 0x3F


class Observed(NamedTuple):
    """One message of a trace: its kind, its fields as attributes, capture time in µs, its number, and who sent it."""

    kind: str
    message: Any
    time: int
    number: int
    is_output: bool


class Judge:
    """Judges one implementation in one connection. All times are integer microseconds of the capture's clock.

    `frontier` holds the configurations that are possible now (read it to choose test inputs); it is empty after a
    contradiction. `coverage` counts rows by id. `subject` names the implementation in findings. `start` are the configurations
    to begin with, if not the law's initial ones: none of them with inputs left. `now` is the time of the last observation,
    `suspended` an output that may have been captured too early, `counts` what `coverage` is made of.

    The law alone judges first. What it does not explain, or only with a warning, is judged again with the deviations that `law`
    was compiled with: from the start, or as far back as `allowance` permits. If that explains it, judging goes on behind it.
    """

    def __init__(
        self, law: CompiledLaw, bounds: Bounds | None = None, environment: Environment | None = None, subject: str = "the host",
        start: list[Configuration] | None = None, allowance: Allowance | None = None,
    ) -> None:  # fmt: skip
        self.law = law
        self.bounds = bounds or Bounds()
        self.environment = environment or Environment.near()
        self.subject = subject
        self.search = Search(law, self.bounds, self.environment)
        self.frontier: list[Configuration] = self._initial() if start is None else merge(start)
        self.findings: list[Finding] = []
        self.reason = ""
        self.ended = False
        self.history: deque[tuple[int, int]] = deque(maxlen=HISTORY)
        self.counts: Counter[tuple[int, Any]] = Counter()
        self._order = 0
        self.now: int | None = None
        self.suspended: Event | None = None
        self._seconds = 0.0
        self._hindsight = Past(self, REACH)
        self._run = Past(self, MEMORY, allowance) if law.instead or law.beside else None

    def _initial(self) -> list[Configuration]:
        regions = self.law.regions
        starts = product(*(r.initial for r in regions))
        made = [self.law.initial({r.name: s.name for r, s in zip(regions, start, strict=True)}) for start in starts]
        steps = self.search.steps
        settled = [d for c in made for d in steps.settle(c, 0, 0)]
        for c in settled:
            if steps.tracks:
                steps.track(c, 0)
        return merge(settled)

    # --- events ------------------------------------------------------------------------------------------------

    def input(self, kind: str, message: Any, time: int, number: int) -> Finding | None:
        """A message to the watched implementation was captured. A finding comes back only where time brought it to light."""
        return self._guarded(self._input, self._event(kind, message, time, number))

    def output(self, kind: str, message: Any, time: int, number: int) -> Finding | None:
        """The watched implementation sent a message; the finding if nothing explains it.

        Within `Environment.swap` of an input the finding may come with the next event instead.
        """
        return self._guarded(self._output, self._event(kind, message, time, number))

    def advance(self, time: int) -> Finding | None:
        """The capture is known to have run until `time`: deadlines up to then count."""
        return self._guarded(self._advance, Event("", None, time, 0, self._order))

    def finish(self, known_until: int | None = None) -> Verdict:
        """The verdict. Silence counts up to `known_until`, and without it only up to the last observation."""
        if not self.ended:
            until = known_until if known_until is not None else self.now
            if until is not None:
                self.advance(until)
            if self.suspended is not None and not self.ended:
                self._guarded(self._give_up, self.suspended)
            if not self.ended and self._run is not None and any(f.grade is Grade.WARN for f in self.verdict().findings):
                self._judge_again()
        if self._run is not None:
            self._run.forget()
        return self.verdict()

    def verdict(self) -> Verdict:
        """The verdict so far."""
        findings, cost = list(self.findings), 0
        if self.frontier:
            best = _best(self.frontier)
            cost = best.cost
            findings += explanation.remarks(self.law, best)
        grade = max((f.grade for f in findings), default=Grade.PASS)
        if self.reason:
            grade = max(grade, Grade.ERROR if self.reason.startswith("law") else Grade.INCONCLUSIVE)
        return Verdict(grade, tuple(findings), self.reason, self.coverage, self._order, cost, self.taken)

    @property
    def coverage(self) -> dict[str, int]:
        """How often each row was taken by the winning configurations, by row id."""
        counts = dict.fromkeys((r.id for r in self.law.rows), 0)
        for (row, _), n in self.taken.items():
            counts[row] += n
        return counts

    @property
    def taken(self) -> dict[tuple[str, str], int]:
        """`coverage` by row id and the control state in which the row was taken (of several regions: the states, joined by +)."""
        counts = Counter(self.counts)
        if self.frontier:
            counts.update((row, state) for row, _, state in _walk(_best(self.frontier).trail))
        own = len(self.law.rows)
        return {(self.law.rows[row].id, "+".join(s) if isinstance(s, tuple) else str(s)): n for (row, s), n in counts.items() if row < own}

    def fork(self) -> Judge:
        """An independent judge in the same position: for looking ahead."""
        other = Judge(self.law, self.bounds, self.environment, self.subject)
        other.frontier = [c.copy() for c in self.frontier]
        other.findings, other.reason, other.ended = list(self.findings), self.reason, self.ended
        other.history.extend(self.history)
        other.search.pending, other.search.base = list(self.search.pending), self.search.base
        other.search.recent.extend(self.search.recent)
        other.counts, other._order, other.now, other.suspended = Counter(self.counts), self._order, self.now, self.suspended
        other._hindsight, other._run = Past(other, REACH), None
        other.search.steps.deviating = self.search.steps.deviating
        return other

    def settled(self, time: int) -> bool:
        """Whether the implementation may be finished at `time`: in some configuration nothing is left to be done."""
        search, steps = self.search, self.search.steps
        for c in self.frontier:
            reached = search.sweep([c.copy()], Event("", None, time, 0, self._order), None, NO_ACT)
            for d in reached:
                busy = d.replies or d.owed or any(x.level != "MAY" for x in d.debts)
                if d.next == search.end and not busy and steps.urgent_row(d, time) is None:
                    return True
        return False

    # --- inside ------------------------------------------------------------------------------------------------

    def _event(self, kind: str, message: Any, time: int, number: int) -> Event:
        self._order += 1
        return Event(kind, message, time, number, self._order)

    def _guarded(self, handle: Callable[[Event], Finding | None], event: Event) -> Finding | None:
        """Run one step within the budget."""
        if self.ended:
            return None
        began = clock.perf_counter()
        try:
            if self._seconds > self.bounds.seconds:
                raise BudgetError(f"more than {self.bounds.seconds:g} seconds")
            return self._step(handle, event)
        except BudgetError as error:
            self._end(f"budget: {error}")
        except LawGapError as error:
            self._end(f"law: {error} (observation {error.event.number})")
        finally:
            self._seconds += clock.perf_counter() - began
        return None

    def intervene(self, act: Callable[[], None]) -> None:
        """Change `frontier` or the search by `act`: noted, so that a second look does the same at the same place."""
        self._step(lambda _: act(), Event("", None, 0, 0, self._order))

    def _step(self, handle: Callable[[Event], Finding | None], event: Event) -> Finding | None:
        if self._run is not None:
            self._run.note(handle, event)
        self._hindsight.note(handle, event)
        finding = handle(event)
        if finding is None or not self.ended:
            return finding
        finding = self._second_look(finding)
        return None if finding is None or self._judge_again() else finding

    def _judge_again(self) -> bool:
        """Judge the run again with known deviations; whether they explain it. If not, all stays as it was."""
        if self._run is None:
            return False
        (start, steps), before = self._run.since(), Point(self)
        self._run.forget()
        ended, self._run = self.ended, None
        start.restore(self)
        self._hindsight = Past(self, REACH)
        self.search.steps.deviating = True
        with suppress(BudgetError, LawGapError):
            for handle, event in steps:
                self._step(handle, event)
                if self.ended:
                    break
            else:
                self._bound()
                return True
        before.restore(self)
        self.search.steps.deviating, self.ended = False, ended
        return False

    def _second_look(self, finding: Finding) -> Finding | None:
        """Whether the contradiction stands when nothing that was dismissed on the way is left out."""
        contradicted = Point(self)
        try:
            if look_back(self, self._hindsight):
                return None
        except LawGapError:
            pass
        except BudgetError:
            if not self.environment.far:  # from afar nothing is proved either way
                raise
        contradicted.restore(self)
        self.ended = True
        return finding

    def _end(self, reason: str) -> None:
        self.reason = reason
        self.ended = True

    def _advance(self, event: Event) -> Finding | None:
        now = event.time
        if self.suspended is not None and now - self.suspended.time > self.environment.swap:
            return self._give_up(self.suspended)
        self.now = now if self.now is None else max(now, self.now)
        search = self.search
        for c in self.frontier:
            if search.is_due(c, now):
                break
        else:
            return None
        search.steps.count = 0
        search.silences.clear()
        frontier = [d for c in self.frontier for d in (search.pass_time(c, now) if search.is_due(c, now) else (c,))]
        if not frontier:
            return self._silent(search.silences)
        self.frontier = frontier
        self._bound()
        return None

    def _input(self, event: Event) -> Finding | None:
        finding = self._advance(event)
        if self.ended:
            return finding
        self.search.pending.append(event)
        if len(self.search.pending) > self.bounds.pending:
            raise BudgetError(f"more than {self.bounds.pending} inputs not yet consumed")
        if self.suspended is not None:
            return self._swapped(self.suspended, event)
        if not (self._order & _FLUSH_EVERY):
            self._flush()
        return None

    def _output(self, event: Event) -> Finding | None:
        finding = self._advance(event)
        if self.ended:
            return finding
        if self.suspended is not None:
            return self._swapped_outputs(self.suspended, event)
        successors = self.search.explain(self.frontier, event)
        if not successors:
            if self.environment.swap:
                self.suspended = event
                return None
            return self._contradiction(event)
        self._accept(successors, event)
        return None

    def _accept(self, successors: list[Configuration], event: Event) -> None:
        self.frontier = successors
        search = self.search
        if search.pending:
            search.recent.append(event)
            search.prune(successors)
        if len(successors) > 1:
            self._bound()
        if not (self._order & _FLUSH_EVERY):
            self._flush()

    def _swapped_outputs(self, earlier: Event, later: Event) -> Finding | None:
        successors = self.search.explain([c.copy() for c in self.frontier], later)
        return self._swapped(earlier, later, successors)

    def _swapped(self, earlier: Event, later: Event, frontier: list[Configuration] | None = None) -> Finding | None:
        """Try `earlier`, which nothing explained, as if it had been captured after `later`."""
        self.suspended = None
        successors = self.search.explain(self.frontier if frontier is None else frontier, earlier)
        if not successors:
            return self._contradiction(earlier)
        for c in successors:
            c.cost += POSITED
            c.remark("note", -1, earlier.number, earlier.time, f"posited: captured before observation {later.number}, sent after it")
        self._accept(successors, earlier)
        return None

    def _give_up(self, event: Event) -> Finding | None:
        if self.suspended is not event:  # judged again, it was explained
            return None
        self.suspended = None
        return self._contradiction(event)

    def _bound(self) -> None:
        """Keep the frontier small.

        An output that ends a state may have been sent before or after each waiting input: a family as long as the queue, and no
        sign of confusion. What could grow without end is the number of those that have read the same.
        """
        self.frontier = merge(self.frontier)
        limit = self.bounds.configurations
        if len(self.frontier) > limit and max(Counter(c.next for c in self.frontier).values()) > limit:
            raise BudgetError(f"more than {limit} configurations")

    def _flush(self) -> None:
        """Count and forget the past that all configurations share; with several, that of the cheapest stands for all."""
        best = self.frontier[0] if len(self.frontier) == 1 else _best(self.frontier)
        if len(self.frontier) > 1 and self._order & 0x3FF:
            return
        for row, number, state in reversed(list(_walk(best.trail))):
            self.counts[row, state] += 1
            self.history.append((row, number))
        for c in self.frontier:
            c.trail = None
        if len(self.frontier) == 1 and best.remarks is not None:
            room = FINDINGS - len(self.findings)
            self.findings += explanation.remarks(self.law, best)[: max(room, 0)]
            best.remarks = None

    def _contradiction(self, event: Event) -> Finding | None:
        if self.search.thorough:  # the first look has said why
            self.ended = True
            return None
        finding = explanation.of_output(self.search, self.frontier, event, self._grade(), self.subject)
        return self._close(finding)

    def _silent(self, silences: list[Silence]) -> Finding | None:
        if self.search.thorough:
            self.ended = True
            return None
        finding = explanation.of_silence(self.search, silences, self._grade(), self.subject)
        return self._close(finding)

    def _close(self, finding: Finding) -> Finding:
        self._flush_all()
        self.findings.append(finding)
        self.frontier = []
        self.ended = True
        return finding

    def _flush_all(self) -> None:
        if self.frontier:
            best = _best(self.frontier)
            self.findings += explanation.remarks(self.law, best)
            self.counts.update((row, state) for row, _, state in _walk(best.trail))

    def _grade(self) -> Grade:
        return Grade.INCONCLUSIVE if self.environment.far else Grade.FAIL


def _best(frontier: list[Configuration]) -> Configuration:
    """The cheapest configuration; among equals the one that owes least."""
    return min(frontier, key=lambda c: (c.cost, len(c.replies), len(c.debts), -c.next))


def _walk(trail: Trail | None) -> Iterator[tuple[int, int, Any]]:
    """Row index, observation number and control state, newest first."""
    while trail is not None:
        trail, row, number, state = trail
        yield row, number, state


def judge_trace(
    law: CompiledLaw,
    trace: Iterable[Observed],
    environment: Environment | None = None,
    bounds: Bounds | None = None,
    known_until: int | None = None,
    subject: str = "the host",
) -> Verdict:
    """Judge a whole trace; stops at the first contradiction."""
    judge = Judge(law, bounds, environment, subject)
    for seen in trace:
        (judge.output if seen.is_output else judge.input)(seen.kind, seen.message, seen.time, seen.number)
        if judge.ended:
            break
    return judge.finish(known_until)
