"""The search: which configurations explain the next output, with as little as possible posited.

Inputs are lazy: a captured input is consumed only when an output, a deadline or its age demands it. The laziest
configuration can still do later what an eager one did, so it stands for all of them; that is what keeps the frontier
small. Only where an output changes a control state does the order matter, and then one successor per resulting state is kept.

Possibilities are tried in the order of what they assume: consumed inputs; acts of the application or of timers that nobody
sees; inputs lost between the capture and the host, at a cost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from wirelaw.oracle.engine.configuration import NEVER, POSITED, Configuration, Debt
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow
from wirelaw.oracle.engine.steps import ANY_ACT, NO_ACT, SILENT_ACT, Event, Match, Steps
from wirelaw.oracle.engine.verdict import Bounds, Environment

LOSS_DEPTH = 16
ANYTIME_PRICE = 1
REMEDY_DEPTH = 64


class BudgetError(Exception):
    """A bound was reached; its text says which."""


class Silence:
    """What was owed and did not come: the configuration that dies of it, the row that owed, since when, frozen values."""

    __slots__ = ("configuration", "debt", "due", "row", "since")

    def __init__(self, configuration: Configuration, row: int, since: int, due: int, debt: Debt | None = None) -> None:
        self.configuration = configuration
        self.row = row
        self.since = since
        self.due = due
        self.debt = debt


def merge(configurations: list[Configuration]) -> list[Configuration]:
    """Without duplicates; of two that are alike the cheaper one stays."""
    if len(configurations) < 2:
        return configurations
    best: dict[object, Configuration] = {}
    for c in configurations:
        key = c.identity()
        if key not in best or c.cost < best[key].cost:
            best[key] = c
    return list(best.values())


class Search:
    """Pending inputs, recent outputs, and the ways through them.

    While `thorough` is set, nothing rests on the laziest configuration standing for the others: the order of each output and
    the inputs that wait is left open.
    """

    def __init__(self, law: CompiledLaw, bounds: Bounds, environment: Environment) -> None:
        self.steps = Steps(law, environment)
        self.bounds = bounds
        self.environment = environment
        self.pending: list[Event] = []
        self.base = 0
        self.recent: deque[Event] = deque()
        self.silences: list[Silence] = []
        self.thorough = False

    @property
    def end(self) -> int:
        """The index after the last pending input."""
        return self.base + len(self.pending)

    def remember(self) -> Any:
        """What a search knows besides events, for `recall`. A seam for searches that know more."""
        return None

    def recall(self, known: Any) -> None:
        """Know again what was known when `remember` was asked."""

    def prune(self, frontier: Iterable[Configuration]) -> None:
        """Forget inputs that every configuration has consumed, and outputs that no later input can precede."""
        if not self.pending:
            self.recent.clear()
            return
        first = min((c.next for c in frontier), default=self.end)
        if first == self.end:
            self.pending.clear()
            self.base = first
            self.recent.clear()
            return
        gone = first - self.base
        if gone > 64 and gone * 2 > len(self.pending):
            del self.pending[:gone]
            self.base = first
        oldest = self.pending[first - self.base].order
        while self.recent and self.recent[0].order < oldest:
            self.recent.popleft()

    def spend(self, times: int = 1) -> None:
        """Raise BudgetError when one observation has cost too many steps, or `times` as many."""
        if self.steps.count > self.bounds.steps * times:
            raise BudgetError(f"more than {self.bounds.steps * times} steps for one observation")

    def consumable(self, c: Configuration, now: int) -> bool:
        """Whether `c` may consume another input now."""
        return c.next < self.base + len(self.pending) and not ((c.replies or self.steps.tracks) and self.steps.blocked(c, now))

    def consume(self, c: Configuration, posit: int) -> list[Configuration]:
        """Let `c` consume its next input; replies that may be left out are."""
        if c.replies:
            for reply in c.replies:
                c.remark("note", reply.row, 0, c.alarm, "left out")
            c.replies = ()
        return self.steps.consume(c, self.pending[c.next - self.base], posit)

    def pay_late(self, c: Configuration) -> None:
        """Strike out debts of inputs consumed late that an output captured since has paid."""
        if c.scanned == c.next:
            return
        c.scanned = c.next
        oldest = min(d.order for d in c.debts)
        for e in reversed(self.recent):
            if e.order <= oldest or not c.debts:
                break
            self.steps.pay(c, e, e.order)

    # --- explaining an output ----------------------------------------------------------------------------------

    def explain(self, frontier: list[Configuration], event: Event) -> list[Configuration]:
        """All that `frontier` may have become by sending `event`; empty when nothing explains it (and `frontier` is intact)."""
        self.steps.count = 0
        found = self._explained(frontier, event)
        if not found and self.steps.deviating:
            self.steps.lenient = True
            try:
                found = self._explained(frontier, event)
            finally:
                self.steps.lenient = False
        if not found and self.environment.losses and self.end > self.base:
            self._with_losses(frontier, event, found)
        if self.recent:
            for c in found:
                if c.debts:
                    self.pay_late(c)
        return merge(found)

    def _explained(self, frontier: list[Configuration], event: Event) -> list[Configuration]:
        found: list[Configuration] = []
        for c in frontier:
            self._lazily(c, event, found)
        if self.environment.hidden:
            if not found:
                self._with_hidden_acts(frontier, event, found)
            elif self.end > self.base and self.steps.may_answer(event) and self.steps.movers(event.kind, event.message, event.time):
                self._with_answers(frontier, event, found)
        return found

    def emit(self, c: Configuration, match: Match, event: Event) -> list[Configuration]:
        """Apply one explanation. A seam for observers of the search."""
        if match.row.row.anytime and not match.is_reply:
            self._note(c, match.row, event)
        return self.steps.emit(c, match, event)

    def _note(self, c: Configuration, row: CompiledRow, event: Event) -> None:
        """What may happen at any time explains, but at a price, what an input that waits may explain as well."""
        waiting = self.end - c.next
        if waiting:
            said = f"while {waiting} input{'s' if waiting > 1 else ''} waited"
            c.remark("note", row.index, event.number, event.time, said, ANYTIME_PRICE)

    def _acts(self, c: Configuration, event: Event) -> Iterator[Configuration]:
        for d in self.steps.acts(c, event):
            trail = d.trail
            while trail is not None and trail is not c.trail:
                trail, row, *_ = trail
                if self.steps.law.every[row].row.anytime:
                    self._note(d, self.steps.law.every[row], event)
            yield d

    def _lazily(self, c: Configuration, event: Event, found: list[Configuration]) -> None:
        steps = self.steps
        matches = steps.matches(c, event)
        more = c.next < self.end
        if matches and not (more and self._matters_when(event)):
            for match in matches[1:]:
                found += self.emit(c.copy(), match, event)
            found += self.emit(c, matches[0], event)
            return
        if not more:
            return
        mine: list[Configuration] = []
        for match in matches:
            mine += self.emit(c.copy(), match, event)
        level, shadows = [c.copy()], [d.copy() for d in mine]
        while level:
            self.spend()
            after: list[Configuration] = []
            for d in level:
                if self.consumable(d, event.time):
                    after += self.consume(d, NO_ACT)
            level = merge(after)
            shadows = self._advance_shadows(shadows, event)
            hits = [(d, match) for d in level for match in steps.matches(d, event)]
            if not hits:
                continue
            is_reply = any(match.is_reply for _, match in hits)
            if not mine and not is_reply and not self._matters_when(event):
                found += self._emit_all(hits, event)
                return
            known = {self._essence(s) for s in shadows}
            fresh = [s for d, match in hits for s in self.emit(d.copy(), match, event) if self._essence(s) not in known]
            mine += fresh
            shadows += [s.copy() for s in fresh]
        found += mine

    def _matters_when(self, event: Event) -> bool:
        """Whether it is followed what the output may mean before and after each input that waits."""
        return self.thorough or self.steps.movers(event.kind, event.message, event.time)

    def _emit_all(self, hits: list[tuple[Configuration, Match]], event: Event) -> list[Configuration]:
        if len(hits) == 1:
            return self.emit(*hits[0], event)
        return [s for d, match in hits for s in self.emit(d.copy(), match, event)]

    def _advance_shadows(self, shadows: list[Configuration], event: Event) -> list[Configuration]:
        """Let lazier successors consume what the search has just consumed before the output.

        Where both come to the same, input and output commute and the lazier one stands for both; otherwise the order
        matters (a control state changed in between), and both are kept.
        """
        return merge([n for s in shadows if self.consumable(s, event.time) for n in self.consume(s, NO_ACT)])

    def _essence(self, c: Configuration) -> tuple[object, ...]:
        """The identity of `c` without debts that are void already."""
        c.debts = tuple(d for d in c.debts if not self.steps.lapsed(c, d, d.due))
        return c.identity()

    def sweep(self, level: list[Configuration], event: Event, found: list[Configuration] | None, posit: int) -> list[Configuration]:
        """Everything reachable from `level` by consuming; stops at the first depth that explains `event` (into `found`).

        Depth by depth, whatever the depths of `level`: ways that come to the same are followed once.
        """
        seen: list[Configuration] = []
        waiting: dict[int, list[Configuration]] = {}
        for c in level:
            waiting.setdefault(c.next, []).append(c)
        while waiting:
            self.spend()
            level = merge(waiting.pop(min(waiting)))
            if found is not None:
                for d in level:
                    for match in self.steps.matches(d, event):
                        found += self.emit(d.copy(), match, event)
                if found:
                    return seen
            seen += level
            for d in level:
                if self.consumable(d, event.time):
                    for n in self.consume(d.copy(), posit):
                        waiting.setdefault(n.next, []).append(n)
        return seen

    def _with_hidden_acts(self, frontier: list[Configuration], event: Event, found: list[Configuration]) -> None:
        reached = self.sweep([c.copy() for c in frontier], event, found, ANY_ACT)
        for _ in range(self.environment.hidden):
            if found or not reached:
                return
            acted = [d for c in reached for d in self._acts(c, event)]
            reached = self.sweep(merge(acted), event, found, ANY_ACT)

    def _with_answers(self, frontier: list[Configuration], event: Event, found: list[Configuration]) -> None:
        """What also explains an output that ends a state: that it answers an input, because of an act of the user's.

        Rows that need no input explain it sooner, but then the input is still to be answered.
        """
        level = [c.copy() for c in frontier if c.next < self.end]
        while level:
            self.spend()
            level = merge([d for c in level if self.consumable(c, event.time) for d in self.consume(c, ANY_ACT)])
            for d in level:
                for match in self.steps.matches(d, event):
                    if match.is_reply:
                        found += self.emit(d.copy(), match, event)

    def _with_losses(self, frontier: list[Configuration], event: Event, found: list[Configuration]) -> None:
        """Explain the output by inputs that never reached the host: as few as will do.

        The last resort may cost more. From afar nothing is proved when it fails, so there it may just as well be given up.
        """
        for lost in range(1, self.environment.losses + 1):
            try:
                self._with_lost(lost, frontier, event, found)
            except BudgetError:
                if not self.environment.far:
                    raise
            if found:
                return

    def _with_lost(self, most: int, frontier: list[Configuration], event: Event, found: list[Configuration]) -> None:
        """The same with exactly `most` of the first inputs that wait."""
        level, depth = [(c.copy(), 0) for c in frontier], 0
        while level and not found:
            self.spend(1 if self.environment.far else LOSS_DEPTH)
            depth += 1
            after: dict[object, tuple[Configuration, int]] = {}
            for c, lost in level:
                options = []
                if self.consumable(c, event.time):
                    if lost == most or depth < LOSS_DEPTH:
                        options = [(d, lost) for d in self.consume(c.copy(), NO_ACT)]
                    if lost < most and depth <= LOSS_DEPTH:
                        options.append((self._lose(c.copy()), lost + 1))
                for d, n in options:
                    after.setdefault((d.identity(), n), (d, n))
            level = list(after.values())
            for d, lost in level:
                if lost == most and not found:
                    for match in self.steps.matches(d, event):
                        found += self.emit(d.copy(), match, event)

    def _lose(self, c: Configuration) -> Configuration:
        lost = self.pending[c.next - self.base]
        c.next += 1
        c.cost += POSITED
        c.remark("note", -1, lost.number, lost.time, "posited: input lost between the capture and the host")
        return c

    # --- time --------------------------------------------------------------------------------------------------

    def is_due(self, c: Configuration, now: int) -> bool:
        """Whether time alone forces something on `c`: an old input, or a deadline."""
        late = now - self.environment.lag
        if c.alarm < late:
            return True
        at = c.next - self.base
        return at < len(self.pending) and self.pending[at].time < late

    def pass_time(self, c: Configuration, now: int) -> list[Configuration]:
        """All that `c` may have become by `now`; empty when it dies of a silence (noted in `silences`)."""
        lag = self.environment.lag
        late, work, done = now - lag, [c], []
        while work:
            self.spend()
            c = work.pop()
            at = c.next - self.base
            captured = self.pending[at].time if at < len(self.pending) else NEVER
            if c.alarm < late and c.alarm <= captured:
                work += self._expire(c)
            elif captured < late and self.consumable(c, now):
                work += self._forced(c, captured)
            elif c.alarm < late:
                work += self._expire(c)
            else:
                done.append(c)
        return merge(done)

    def _forced(self, c: Configuration, captured: int) -> list[Configuration]:
        """Consume an input that is too old to wait, with every alternative that shows nothing; a timer may have expired before."""
        starts = [c]
        for slot, (earliest, _) in c.timers.items():
            is_early = self.steps.law.windows[slot[0]][0] > captured - earliest
            if not is_early and not self.steps.may_wait(c, slot, self.pending[c.next - self.base]):
                starts += self.steps.expire(c, slot, captured, 0)
        done = [d for s in starts for d in self.consume(s, SILENT_ACT)]
        for d in done:
            if d.debts and self.recent:
                self.pay_late(d)
        return done

    def _expire(self, c: Configuration) -> list[Configuration]:
        """What becomes of `c` at its alarm. Exactly one overdue thing is dealt with."""
        steps, at = self.steps, c.alarm
        for slot, (_, latest) in c.timers.items():
            if latest + steps.law.windows[slot[0]][1] == at:
                return list(steps.expire(c, slot, at, 0)) or [self._without_timer(c, slot)]
        for d in c.debts:
            if d.due == at:
                return self._overdue_debt(c, d)
        for reply in c.replies:
            if reply.since + steps.within(reply.row) == at:
                silence = Silence(c, reply.row, reply.since, at)
                c.replies = tuple(r for r in c.replies if r is not reply)
                level = "MAY" if steps.optional(reply) else steps.law.every[reply.row].level
                return self._missed(c, silence, level)
        for key, since in c.owed.items():
            if since + steps.within(key[0]) == at:
                silence = Silence(c.copy(), key[0], since, at)
                c.owed = {**c.owed, key: NEVER}  # said once
                return self._missed(c, silence, steps.law.every[key[0]].level)
        steps.set_alarm(c)
        return [c]

    def _without_timer(self, c: Configuration, slot: tuple[str, Any]) -> Configuration:
        c.timers = {k: v for k, v in c.timers.items() if k != slot}
        self.steps.set_alarm(c)
        return c

    def _overdue_debt(self, c: Configuration, d: Debt) -> list[Configuration]:
        if self.steps.lapsed(c, d, d.due):
            return self._struck(c, d)
        for other in self._voided(c, d):
            return [other]
        expired = next(iter(self._expired(c, d)), None)
        if expired is not None and d.level in ("MUST", "MUST_NOT"):
            return [expired]
        silence = Silence(c.copy(), d.row, d.since, d.due, d)
        missed = self._missed(self._struck(c, d)[0], silence, d.level)
        # Nobody saw whether the timer was the reason or the debt was just not paid: both are followed.
        return missed if expired is None else [expired, *missed]

    def _struck(self, c: Configuration, d: Debt) -> list[Configuration]:
        c.debts = tuple(x for x in c.debts if x is not d)
        self.steps.set_alarm(c)
        return [c]

    def _voided(self, c: Configuration, d: Debt) -> Iterable[Configuration]:
        """Ways in which inputs captured until the deadline made the debt void before it."""
        limit = d.due + self.environment.lag
        level = [c.copy()]
        for _ in range(REMEDY_DEPTH):
            for s in level:
                if d not in s.debts:
                    yield s
            ready = [s for s in level if self.consumable(s, d.due) and self.pending[s.next - self.base].time <= limit]
            level = merge([n for s in ready for n in self.consume(s, SILENT_ACT)])
            if not level:
                break

    def _expired(self, c: Configuration, d: Debt) -> Iterable[Configuration]:
        """Ways in which a timer, which nobody saw, made the debt void before its deadline."""
        for slot, (earliest, _) in c.timers.items():
            low, high = self.steps.law.windows[slot[0]]
            if high < NEVER and low <= d.due - earliest:
                yield from (s for s in self.steps.expire(c, slot, d.due, 0) if d not in s.debts)

    def _missed(self, c: Configuration, silence: Silence, level: str) -> list[Configuration]:
        self.steps.set_alarm(c)
        if level in ("MUST", "MUST_NOT"):
            self.silences.append(silence)
            return []
        grade = "note" if level == "MAY" else "warn"
        c.remark(grade, silence.row, 0, silence.due, "not sent in time")
        return [c]
