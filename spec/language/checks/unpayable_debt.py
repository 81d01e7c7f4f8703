"""Forbids a debt that no output can pay: whoever owes it would break the law at its deadline, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Binary, Call, Expr, Lit, Name, rebuild
from wirelaw.spec.language.proof.effects import assignments, demanded, enabling, frozen, in_states, pays, put
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.types import BOOL


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each debt that no output row pays in a state in which it is owed; with arguments: as some row owes it."""
    machine = subject.machine
    for debt in machine.debts.values():
        rows = [r for r in machine.emissions if r.event in machine.messages and debt.message in machine.messages[r.event].lineage]
        if _replied(machine, debt):
            continue
        if not any(_pays(subject, row, debt, ()) for row in rows):
            states = f" while {', '.join(s for s in machine.states if s in debt.states)}" if debt.states else ""
            yield finding(
                debt.span, f"no output row can pay debt `{debt.name}`{states}", _ADVICE.format(debt.message),
                rows=(debt.span, *(r.span for r in rows)),
            )  # fmt: skip
        elif debt.params:
            for row in machine.rows():
                if not all(any(_pays(subject, r, debt, args) for r in rows) for args in _owing(row, machine, debt)):
                    yield finding(
                        row.span, f"no output row can pay debt `{debt.name}` as row [{row.id}] owes it", _ADVICE.format(debt.message),
                        rows=(row.span, debt.span, *(r.span for r in rows)),
                    )  # fmt: skip


_ADVICE = "Add a row that emits such a `{}`, or correct the debt's `where`, its `while`, its arguments, or the gates on the message."


def _owing(row: m.Row, machine: m.Machine, debt: m.Debt) -> Iterator[tuple[Expr, ...]]:
    """What is known of the frozen arguments, for each `owe` of a row: from the configuration in which the debt was made."""
    for actions in (row.actions, *(row.actions + more for _, more in row.ending.alternatives)):
        for n, s in enumerate(actions):
            if s.kind == "owe" and s.name == debt.name:
                before = assignments(actions[:n], machine)
                args = zip(frozen(debt).values(), s.args, strict=True)
                equal = tuple(Binary("==", mine, _then(put(a, before)), type=BOOL) for mine, a in args)
                yield (*(_then(c) for c in enabling(row, machine)), *equal)


def _then(e: Expr) -> Expr:
    """`e` at the time the debt was made: nothing of it is known to be the same when it is paid."""
    if isinstance(e, Name) and e.kind in ("var", "region", "binder", "arg", "now", "frozen"):
        return replace(e, name=f"{e.name} then")
    if isinstance(e, Call) and e.kind in ("due", "ask"):
        return replace(e, args=(*e.args, Lit("then")))
    return rebuild(e, _then)


def _replied(machine: m.Machine, debt: m.Debt) -> bool:
    """True when some input row replies with such a message: what a reply says follows from its input, and is not looked into."""
    ways = [actions for row in machine.rows() for actions in (row.actions, *(more for _, more in row.ending.alternatives))]
    return any(s.kind == "send" and debt.message in machine.messages[s.name].lineage for actions in ways for s in actions)


def _pays(subject: Subject, row: m.Row, debt: m.Debt, owed: tuple[Expr, ...]) -> bool:
    """Whether `row` can pay the debt, given what is known of its arguments. Undecided counts as paid."""
    machine = subject.machine
    asked = [*enabling(row, machine), *demanded(row, machine), *_while(machine, debt), pays(row, debt, machine), *owed]
    return subject.possible(asked, f"can row [{row.id}] pay debt `{debt.name}`")


def _while(machine: m.Machine, debt: m.Debt) -> tuple[Expr, ...]:
    """Where the debt is owed."""
    if not debt.states:
        return ()
    return in_states(machine.states[next(iter(debt.states))].region, debt.states, machine)
