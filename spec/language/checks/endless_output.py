"""Forbids an output row that can fire for ever: each firing must end its own condition or use something up."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.checks.effects import Path, enabling, paths, put
from wirelaw.spec.language.checks.subject import Subject, finding
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import FALSE, TRUE, Binary, Call, Expr, Lit, Name, rebuild
from wirelaw.spec.language.types import BOOL, NUMBER


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each generated output row that stays enabled and uses nothing up."""
    for row in subject.machine.emissions:
        if row.mode != "may":
            for path in paths(row, subject.machine):
                if not _ends(subject, row, path):
                    yield finding(
                        row.span, f"output row [{row.id}] can fire for ever",
                        "Let its actions make its `if` or `when` false, or count down a number that the condition bounds.",
                    )  # fmt: skip
                    break


def _ends(subject: Subject, row: m.Row, path: Path) -> bool:
    machine = subject.machine
    if path.target and row.states and path.target not in row.states and machine.states[path.target].region == row.region:
        return True
    before = [*enabling(row, machine), *path.given, *row.when, *row.where]
    again = [_later(put(c, path.after), row, path, machine) for c in (*enabling(row, machine), *row.when)]
    question = f"does row [{row.id}] come to an end"
    undecided = len(subject.undecided)
    if subject.witness([*before, *again], question) is None:
        return len(subject.undecided) == undecided or _uses_up(subject, path, before, question)
    return _uses_up(subject, path, before, question)


def _uses_up(subject: Subject, path: Path, before: list[Expr], question: str) -> bool:
    """True when some number always becomes smaller, yet not below zero."""
    for name, value in path.after.items():
        variable = subject.machine.variables.get(name)
        if variable is None or variable.type.kind not in ("uint", "duration"):
            continue
        now = Name(name, "var", type=variable.type)
        wrong = Binary(
            "or", Binary(">=", value, now, type=BOOL), Binary("<", value, Lit(0, type=NUMBER), type=BOOL), type=BOOL
        )  # fmt: skip
        undecided = len(subject.undecided)
        if subject.witness([*before, wrong], question) is None and len(subject.undecided) == undecided:
            return True
    return False


def _later(e: Expr, row: m.Row, path: Path, machine: m.Machine) -> Expr:
    """A condition after the firing: paid debts are not due, started timers run, the host may answer anew."""
    if isinstance(e, Call) and e.kind == "due" and isinstance(e.args[0], Lit):
        return _status(e, str(e.args[0].value), row, path, machine)
    if isinstance(e, Call) and e.kind == "ask":
        return Call(f"{e.function} later", e.args, "ask", type=e.type)
    return rebuild(e, lambda x: _later(x, row, path, machine))


def _status(e: Call, name: str, row: m.Row, path: Path, machine: m.Machine) -> Expr:
    if e.function == "due":
        owes = any(s.kind == "owe" and s.name == name for s in path.actions)
        pays = row.event in machine.messages and machine.debts[name].message in machine.messages[row.event].lineage
        return FALSE if pays and not owes else e
    for s in reversed(path.actions):
        if s.name == name and s.kind in ("start", "stop"):
            return TRUE if s.kind == "start" else FALSE
    return e
