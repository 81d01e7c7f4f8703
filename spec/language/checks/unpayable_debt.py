"""Forbids a debt that no output can pay: whoever owes it would break the law at its deadline, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.proof.effects import demanded, enabling, in_states, rename
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each debt that no output row pays in a state in which it is owed, for any of its arguments."""
    machine = subject.machine
    for debt in machine.debts.values():
        rows = [r for r in machine.emissions if r.event in machine.messages and debt.message in machine.messages[r.event].lineage]
        if not _replied(machine, debt) and not any(_pays(subject, row, debt) for row in rows):
            states = f" while {', '.join(s for s in machine.states if s in debt.states)}" if debt.states else ""
            yield finding(
                debt.span, f"no output row can pay debt `{debt.name}`{states}",
                f"Add a row that emits such a `{debt.message}`, or correct the debt's `where`, its `while`, or the gates on the message.",
                rows=(debt.span, *(r.span for r in rows)),
            )  # fmt: skip


def _replied(machine: m.Machine, debt: m.Debt) -> bool:
    """True when some input row replies with such a message: what a reply says follows from its input, and is not looked into."""
    ways = [actions for row in machine.rows() for actions in (row.actions, *(more for _, more in row.ending.alternatives))]
    return any(s.kind == "send" and debt.message in machine.messages[s.name].lineage for actions in ways for s in actions)


def _pays(subject: Subject, row: m.Row, debt: m.Debt) -> bool:
    """Undecided counts as paid."""
    asked = [*enabling(row, subject.machine), *demanded(row, subject.machine), *_owed(subject.machine, debt), *_wanted(row, debt)]
    before = len(subject.undecided)
    witness = subject.witness(asked, f"can row [{row.id}] pay debt `{debt.name}`", shown=())
    return witness is not None or len(subject.undecided) > before


def _owed(machine: m.Machine, debt: m.Debt) -> tuple[Expr, ...]:
    """Where the debt is owed."""
    if not debt.states:
        return ()
    return in_states(machine.states[next(iter(debt.states))].region, debt.states, machine)


def _wanted(row: m.Row, debt: m.Debt) -> list[Expr]:
    return [rename(c, {debt.binder: row.binders[0]}) for c in debt.where]
