"""Forbids output rows that can fire for ever: each firing must end its own condition or use something up.

The same holds of rounds of urgent and internal rows that lead from state to state and back.
"""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import FALSE, TRUE, Binary, Call, Expr, Field, Lit, Name, conjoin, rebuild, walk
from wirelaw.spec.language.proof.effects import Path, assignments, demanded, enabling, in_states, paths, put, rename
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.types import BOOL, NUMBER, Type, flip

LONGEST_ROUND = 4  # rows that may fire in turn; longer rounds are not looked for
_Step = tuple[m.Row, Path]

_GREATER = {">": False, ">=": False, "<": True, "<=": True}  # operator: whether the right side is the greater one


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each generated output row that stays enabled and uses nothing up.

    The host's answers count as the same during one run of the outputs; where they take part, the finding is a warning.
    """
    for row in subject.machine.emissions:
        if row.mode != "may":
            for path in paths(row, subject.machine):
                undecided = len(subject.undecided)
                ends = _ends(subject, row, path)
                unsettled = len(subject.undecided) > undecided
                if ends:
                    del subject.undecided[undecided:]  # another question settled it
                elif not unsettled:
                    asks = any(isinstance(n, Call) and n.kind == "ask" for c in row.when for n in walk(c))
                    yield finding(
                        row.span, f"output row [{row.id}] can fire for ever",
                        "Let its actions make its `if` or `when` false, or count down a number that the condition bounds.",
                        severity="warning" if asks else "error",
                    )  # fmt: skip
                    break
    yield from _rounds(subject)


def _rounds(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each round of urgent and internal rows that leads back to where it began and can be gone again."""
    steps = [
        (row, path)
        for row in subject.machine.emissions
        if row.mode == "urgent" or (row.mode != "may" and row.event_kind == "auto")
        for path in paths(row, subject.machine)
        if row.states and path.target and subject.machine.states[path.target].region == row.region and path.target not in row.states
    ]
    for first in range(len(steps)):
        for round_ in _closed([steps[first]], steps[first + 1 :]):
            undecided = len(subject.undecided)
            if not _stops(subject, round_) and len(subject.undecided) == undecided:
                rows = [row for row, _ in round_]
                asks = any(isinstance(n, Call) and n.kind == "ask" for r in rows for c in r.when for n in walk(c))
                yield finding(
                    rows[0].span, f"output rows {', '.join(f'[{r.id}]' for r in rows)} can fire in turn for ever",
                    "Let one of them make an `if` or `when` of the round false, or count down a number that a condition bounds.",
                    rows=[r.span for r in rows], severity="warning" if asks else "error",
                )  # fmt: skip


def _closed(begun: list[_Step], others: list[_Step]) -> Iterator[list[_Step]]:
    """Every way to go on from `begun` until the states of its first row hold again; no row is taken twice."""
    target = begun[-1][1].target
    if target in begun[0][0].states:
        yield begun
        return
    for step in others:
        if target in step[0].states and all(step[0] is not row for row, _ in begun) and len(begun) < LONGEST_ROUND:
            yield from _closed([*begun, step], others)


def _stops(subject: Subject, round_: list[_Step]) -> bool:
    """True when the rows cannot be taken one after the other and the first again, or some number gets smaller each time."""
    machine = subject.machine

    def at(place: int, e: Expr) -> Expr:
        """A condition after the first `place` steps, as one on the state before them."""
        for row, path in reversed(round_[:place]):
            e = put(_later(e, row, path, machine), {n: _own(v, row) for n, v in _with_gates(row, path, machine).items()})
        return e

    taken: list[Expr] = []
    for place, (row, path) in enumerate(round_):
        conditions = [*enabling(row, machine), *path.given, *row.when, *demanded(row, machine), *_built(row, machine)]
        taken += [at(place, _own(c, row)) for c in conditions]
    first = round_[0][0]
    again = [*enabling(first, machine), *first.when]
    whole = [*taken, *(at(len(round_), c) for c in again)]
    grows = [Binary(">=", at(len(round_), measure), measure, type=BOOL) for measure in _measures(again)]
    return any(not _possible(subject, q, first) for q in (whole, *([*whole, g] for g in grows)))


def _own(e: Expr, row: m.Row) -> Expr:
    """`e` with the row's message called by a name that no other row has."""
    return rename(e, {b: f"{b} of {row.id}" for b in row.binders})


def _ends(subject: Subject, row: m.Row, path: Path) -> bool:
    machine = subject.machine
    if path.target and row.states and path.target not in row.states and machine.states[path.target].region == row.region:
        return True
    after = dict(_with_gates(row, path, machine))
    condition = [*enabling(row, machine), *row.when]
    seen = [*enabling(row, machine), *path.given, *demanded(row, machine)]
    before = [*seen, *row.when, *_built(row, machine)]
    again = [_later(put(c, after), row, path, machine) for c in condition]
    grows = [Binary(">=", put(measure, after), measure, type=BOOL) for measure in _measures(condition)]
    # The cheap questions first: what the judge can see often suffices, and defaults may hold hard arithmetic.
    questions = [[*seen, g] for g in grows] + ([[*before, *again]] if again else []) + [[*before, *again, g] for g in grows]
    return any(not _possible(subject, q, row) for q in questions)


def _possible(subject: Subject, conjuncts: list[Expr], row: m.Row) -> bool:
    """Undecided counts as possible."""
    undecided = len(subject.undecided)
    witness = subject.witness(conjuncts, f"does row [{row.id}] come to an end", shown=())
    return witness is not None or len(subject.undecided) > undecided


def _with_gates(row: m.Row, path: Path, machine: m.Machine) -> dict[str, Expr]:
    """What gates and row together change: gates act first, each where its scope holds."""
    lineage = machine.messages[row.event].lineage if row.event in machine.messages else ()
    after: dict[str, Expr] = {}
    for gate in machine.gates:
        if gate.event in lineage:
            names = dict(zip(gate.binders, row.binders, strict=False))
            scope = conjoin([*in_states(gate.region, gate.states, machine), *(rename(c, names) for c in gate.guard)])
            for name, value in assignments(gate.actions).items():
                old = after.get(name, Name(name, "var", type=value.type))
                args = (scope, rename(value, names), old)
                after[name] = Call("select", args, "builtin", type=value.type) if scope != TRUE else args[1]
    return {**after, **{name: put(value, after) for name, value in path.after.items()}}


def _built(row: m.Row, machine: m.Machine) -> Iterator[Expr]:
    """The message as we build it: its defaults as equalities."""
    if row.event not in machine.messages or row.default_message is not None:
        return
    message = machine.messages[row.event]
    given = {n: f.default for n, f in message.fields.items() if f.default is not None and n not in row.fields} | row.defaults
    base = Name(row.binders[0], "binder", type=Type("message", row.event))
    for name, value in given.items():
        field = Field(base, name, type=flip(message.fields[name].type, incoming=False))
        yield Binary("==", field, value, type=BOOL)


def _measures(condition: list[Expr]) -> Iterator[Expr]:
    """Lengths that a condition keeps positive: `a > b` bounds a - b."""
    for c in condition:
        if isinstance(c, Binary) and c.op in _GREATER:
            great, small = (c.b, c.a) if _GREATER[c.op] else (c.a, c.b)
            yield Binary("-", great, small, type=NUMBER)


def _later(e: Expr, row: m.Row, path: Path, machine: m.Machine) -> Expr:
    """A condition after the firing: debts that the message pays are not due, started timers run."""
    if isinstance(e, Call) and e.kind == "due" and isinstance(e.args[0], Lit):
        return _status(e, str(e.args[0].value), row, path, machine)
    return rebuild(e, lambda x: _later(x, row, path, machine))


def _status(e: Call, name: str, row: m.Row, path: Path, machine: m.Machine) -> Expr:
    if e.function == "due":
        owes = any(s.kind == "owe" and s.name == name for s in path.actions)
        pays = row.event in machine.messages and machine.debts[name].message in machine.messages[row.event].lineage
        return FALSE if pays and not owes else e
    for s in reversed(path.actions):
        if s.name == name and s.kind in ("start", "ensure", "stop"):
            return FALSE if s.kind == "stop" else TRUE
    return e
