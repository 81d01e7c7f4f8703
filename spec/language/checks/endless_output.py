"""Forbids output rows that can fire for ever, alone or in turn: a run of `pump` must come to an end.

The proof is a ranking. Rows that can follow one another in a circle are looked at together: one that ends a condition of its own
which none of the others brings back, or counts down a number that bounds it and none of the others raises, fires only so often
and is left out; what then still goes in a circle is looked at again. What nothing ends is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import FALSE, Binary, Call, Expr, conjoin, conjuncts, names, negate, walk
from wirelaw.spec.language.proof.effects import (
    Path,
    as_built,
    demanded,
    due,
    enabling,
    family_of,
    implies,
    key_of,
    keys,
    of_another,
    owed,
    paths,
    pays,
    put,
    put_fields,
    rename,
)  # fmt: skip
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.types import BOOL, NUMBER

_GREATER = {">": False, ">=": False, "<": True, "<=": True}  # operator: whether the right side is the greater one
SHOWN = 4  # rows that a finding names


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A generated output row on one of its paths.

    `condition` speaks of the configuration alone; `seen` is what a judge sees when it is taken, `taken` all that holds then.
    """

    row: m.Row
    path: Path
    condition: tuple[Expr, ...]
    seen: tuple[Expr, ...]
    taken: tuple[Expr, ...]

    def leads_to(self, other: _Step, machine: m.Machine) -> bool:
        """Whether the states allow that `other` comes next."""
        place = self.path.target
        if not place or not other.row.states or machine.states[place].region != other.row.region:
            same = self.row.region == other.row.region and not place
            return not same or not self.row.states or not other.row.states or bool(self.row.states & other.row.states)
        return place in other.row.states


@dataclass(slots=True)
class _Rounds:
    """What is known of who may follow whom; each question is asked once."""

    subject: Subject
    disturbed: frozenset[_Step]  # steps of an instance that hang on what other instances change
    possible: dict[tuple[_Step, _Step], bool] = field(default_factory=dict)

    def followed(self, a: _Step, b: _Step) -> bool:
        """Whether `b` may fire next after `a`, as far as it was asked; steps of other instances may come between."""
        if (a, b) not in self.possible:
            machine = self.subject.machine
            outside = b in self.disturbed and not (b.row.region and machine.regions[b.row.region].family)
            self.possible[a, b] = outside or a.leads_to(b, machine)
        return self.possible[a, b]

    def narrow(self, steps: Sequence[_Step]) -> bool:
        """Ask the solver about every pair; True when some cannot follow each other after all."""
        changed = False
        for a in steps:
            for b in steps:
                if self.followed(a, b) and b not in self.disturbed:
                    later = [put(_own(c, b.row), {n: _own(e, a.row) for n, e in a.path.after.items()}) for c in b.taken]
                    asked = [*(_own(c, a.row) for c in a.taken), *later]
                    self.possible[a, b] = self.subject.possible(asked, f"may row [{b.row.id}] fire after [{a.row.id}]")
                    changed |= not self.possible[a, b]
        return changed


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each set of rows that nothing brings to an end.

    The host's answers count as the same during one run of the outputs; where they take part, the finding is a warning.
    """
    _lean_on_debts(subject)
    machine = subject.machine
    steps = [_step(row, path, subject) for row in machine.emissions if row.mode != "may" for path in paths(row, machine)]
    others = [_of_another(s, machine) for s in steps if s.row.family and any(not family_of(key, machine) for key in s.path.after)]
    changed = {s.row.family: {key for o in others if o.row.family == s.row.family for key in o.path.after} for s in others}
    rounds = _Rounds(subject, frozenset(s for s in steps if not changed.get(s.row.family, set()).isdisjoint(keys(conjoin(s.condition)))))
    waiting = _circles(steps, rounds)
    while waiting:
        circle, undecided = waiting.pop(), len(subject.undecided)
        ending = next((s for s in circle if _ends(subject, s, [*circle, *others])), None)
        if ending is not None:
            waiting += _circles([s for s in circle if s is not ending], rounds)
        elif rounds.narrow(circle):
            waiting += _circles(circle, rounds)
        elif len(subject.undecided) == undecided:
            yield _endless(circle)


def _endless(circle: Sequence[_Step]) -> Diagnostic:
    rows = list(dict.fromkeys(s.row.id for s in circle))
    found = [next(s.row for s in circle if s.row.id == r) for r in rows]
    asks = any(isinstance(n, Call) and n.kind == "ask" for r in found for c in r.when for n in walk(c))
    severity = "warning" if asks else "error"
    if len(rows) == 1:
        return finding(
            found[0].span, f"output row [{rows[0]}] can fire for ever",
            "Let its actions make its `if` or `when` false, or count down a number that the condition bounds.", severity=severity,
        )  # fmt: skip
    listed = ", ".join(f"[{r}]" for r in rows[:SHOWN]) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
    return finding(
        found[0].span, f"output rows {listed} can fire in turn for ever",
        "Let one of them make an `if` or `when` of the round false, or count down a number that a condition bounds.",
        rows=[r.span for r in found[:SHOWN]], severity=severity,
    )  # fmt: skip


def _step(row: m.Row, path: Path, subject: Subject) -> _Step:
    machine = subject.machine
    condition, sent = (*enabling(row, machine), *path.given, *row.when), demanded(row, machine)
    after = {**path.after, **dict.fromkeys(_settled(subject, row, path, (*condition, *sent)), FALSE)}
    seen = (*enabling(row, machine), *path.given, *sent)
    return _Step(row, replace(path, after=after), condition, seen, (*condition, *sent, *as_built(row, machine)))


def _settled(subject: Subject, row: m.Row, path: Path, known: Sequence[Expr]) -> Iterator[str]:
    """Debts that are surely paid by `row`, or made void: simpler to say so once than to prove it with every question."""
    machine = subject.machine
    for debt in machine.debts.values():
        paid = pays(row, debt, machine)
        if paid != FALSE and not any(s.kind == "owe" and s.name == debt.name for s in path.actions):
            unpaid = [*known, owed(debt.name), negate(put_fields(paid, row, _values(row, machine)))]
            if not subject.possible(unpaid, f"does row [{row.id}] pay debt `{debt.name}`"):
                yield from (key_of(owed(debt.name)), key_of(due(debt.name)))


def _of_another(step: _Step, machine: m.Machine) -> _Step:
    """The same step of another instance of its family, which changes nothing here but what is the machine's."""
    condition, seen, taken = (tuple(of_another(e, machine) for e in part) for part in (step.condition, step.seen, step.taken))
    after = {key: of_another(e, machine) for key, e in step.path.after.items() if not family_of(key, machine)}
    return _Step(step.row, replace(step.path, given=(), after=after), condition, seen, taken)


def _own(e: Expr, row: m.Row) -> Expr:
    """`e` with the row's message called by a name that no other row has."""
    return rename(e, {b: f"{b} of {row.id}" for b in row.binders})


# --- rounds and what ends them ---------------------------------------------------------------------------------------


def _circles(steps: Sequence[_Step], rounds: _Rounds) -> list[list[_Step]]:
    """The largest sets of steps each of which can come back to itself by way of the others."""
    after = {a: [b for b in steps if rounds.followed(a, b)] for a in steps}
    reached: dict[_Step, set[_Step]] = {}
    for a in steps:
        found: set[_Step] = set()
        waiting = list(after[a])
        while waiting:
            b = waiting.pop()
            if b not in found:
                found.add(b)
                waiting += after[b]
        reached[a] = found
    circles: list[list[_Step]] = []
    for a in steps:
        if a in reached[a] and not any(a in circle for circle in circles):
            circles.append([b for b in steps if b in reached[a] and a in reached[b]])
    return circles


def _ends(subject: Subject, step: _Step, circle: Sequence[_Step]) -> bool:
    """Whether `step` uses something up that no other step of the circle brings back. Undecided questions count as no."""
    settled = len(subject.undecided)
    others = [s for s in circle if s is not step]
    ends = any(
        (not any(_grows(subject, s, s.seen, measure, strictly=s is not step) for s in circle)) for measure in _measures(step)
    ) or any(_is_over(subject, step, c) and not any(_brings_back(subject, s, c) for s in others) for c in _conditions(step))
    if not ends and any(_measures(step)):
        # A number that is only smaller where the row could fire again: hard questions, so they come last.
        whole = conjoin(step.condition)
        ends = not any(_brings_back(subject, s, whole) for s in others) and any(
            not any(
                _grows(subject, s, (*s.taken, *(() if s is step else (whole,)), put(whole, s.path.after)), measure, strictly=s is not step)
                for s in (step, *others)
            )
            for measure in _measures(step)
        )
    if ends:
        del subject.undecided[settled:]  # another question settled it
    return ends


def _conditions(step: _Step) -> Iterator[Expr]:
    """What must hold for a step to be taken: each part, then the whole."""
    for c in step.condition:
        yield from conjuncts(c)
    yield conjoin(step.condition)


def _is_over(subject: Subject, step: _Step, condition: Expr) -> bool:
    """Whether the step ends its own condition."""
    if keys(condition).isdisjoint(step.path.after):
        return False
    return not subject.possible([*step.taken, put(condition, step.path.after)], f"does row [{step.row.id}] come to an end")


def _brings_back(subject: Subject, step: _Step, condition: Expr) -> bool:
    if keys(condition).isdisjoint(step.path.after):
        return False
    asked = [negate(condition), *step.taken, put(condition, step.path.after)]
    return subject.possible(asked, f"may row [{step.row.id}] bring back what another has ended")


def _grows(subject: Subject, step: _Step, where: Sequence[Expr], measure: Expr, *, strictly: bool) -> bool:
    """Whether `measure` may be larger after `step` than before, or (not `strictly`) the same."""
    if keys(measure).isdisjoint(step.path.after):
        return not strictly
    grown = Binary(">" if strictly else ">=", put(measure, step.path.after), measure, type=BOOL)
    return subject.possible([*where, grown], f"does row [{step.row.id}] count down")


def _measures(step: _Step) -> Iterator[Expr]:
    """Lengths that a condition keeps positive: `a > b` bounds a - b, and no queue is shorter than empty."""
    for c in (x for y in step.condition for x in conjuncts(y)):
        yield from (n for n in walk(c) if isinstance(n, Call) and n.kind == "queue" and n.function == "len")
        if isinstance(c, Binary) and c.op in _GREATER:
            great, small = (c.b, c.a) if _GREATER[c.op] else (c.a, c.b)
            yield Binary("-", great, small, type=NUMBER)


# --- debts -----------------------------------------------------------------------------------------------------------


def _lean_on_debts(subject: Subject) -> None:
    """What a row sends when a debt is due pays that debt, whatever has happened since: proved of the frozen arguments as a property is."""
    machine = subject.machine
    for row in machine.emissions:
        asked = {str(n.args[0].value) for c in (*row.guard, *row.when) for n in walk(c) if n == _due_of(n)}  # type: ignore[attr-defined]
        for debt in (machine.debts[name] for name in sorted(asked) if machine.debts[name].params):
            paid = put_fields(pays(row, debt, machine), row, _values(row, machine))
            if not names(paid, "binder"):
                claim = implies(owed(debt.name), paid)
                if claim not in subject.proved and _is_kept(subject, claim):
                    subject.proved.append(claim)


def _due_of(e: Expr) -> Expr | None:
    return due(str(e.args[0].value)) if isinstance(e, Call) and e.function == "due" and e.kind == "due" else None  # type: ignore[attr-defined]


def _is_kept(subject: Subject, claim: Expr) -> bool:
    """Whether `claim`, which holds while nothing is owed, is kept by every step."""
    spoken = keys(claim)
    return not any(
        subject.possible([*w.when, *w.sent, claim, negate(put(claim, w.path.after))], f"does {w.name} keep a debt payable")
        for w in subject.ways
        if not spoken.isdisjoint(w.path.after)
    )


def _values(row: m.Row, machine: m.Machine) -> dict[str, Expr]:
    fields = machine.messages[row.event].fields if row.event in machine.messages else {}
    return {**{n: f.default for n, f in fields.items() if f.default is not None}, **row.defaults, **row.fields}
