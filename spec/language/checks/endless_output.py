"""Forbids an output row that can fire for ever: each firing must end its own condition or use something up."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.checks.effects import Path, assignments, demanded, enabling, in_states, paths, put, rename
from wirelaw.spec.language.checks.subject import Subject, finding
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import FALSE, TRUE, Binary, Call, Expr, Field, Lit, Name, conjoin, rebuild, walk
from wirelaw.spec.language.types import BOOL, NUMBER, Type, flip

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
