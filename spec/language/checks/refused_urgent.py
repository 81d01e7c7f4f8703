"""Forbids a gate that can refuse an `urgent` row: the machine could neither send nor take further input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Name, Unary, conjoin, negate, rebuild, walk
from wirelaw.spec.language.proof.effects import enabling, in_states, rename
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.types import BOOL


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each urgent row and gate that refuses it.

    Fields that the row leaves free count as chosen to please the gate, so only conditions on the state and on fields that
    the row fixes are asked about.
    """
    machine = subject.machine
    for row in machine.emissions:
        if row.mode != "urgent" or row.event_kind != "message":
            continue
        for gate in machine.gates:
            if gate.event in machine.messages[row.event].lineage:
                yield from _refusal(subject, row, gate)


def _refusal(subject: Subject, row: m.Row, gate: m.Row) -> Iterator[Diagnostic]:
    machine, binder = subject.machine, row.binders[0]
    known = determined(row)
    names = dict(zip(gate.binders, (binder,), strict=True))
    scope = [_known(rename(c, names), known) for c in gate.guard]
    demand = [_known(rename(c, names), known) for c in gate.where]
    if any(_speaks_of(c, binder) for c in scope):
        return
    refused = [c for c in demand if not _speaks_of(c, binder)]
    if not refused:
        return
    asked = [
        *enabling(row, machine), *in_states(gate.region, gate.states, machine), *scope, negate(conjoin(refused)),
    ]  # fmt: skip
    witness = subject.witness(asked, f"can gate [{gate.id}] refuse urgent row [{row.id}]")
    if witness is not None:
        where = "in " + (", ".join(s for _, s in witness.states) or "any state")
        where += f", when   {witness}" if witness.assignments else ""
        yield finding(
            row.span, f"gate [{gate.id}] can refuse urgent row [{row.id}]",
            "Make the guard of the row imply what the gate demands, or make the row `owed`.",
            rows=(row.span, gate.span), where=where,
        )  # fmt: skip


def determined(row: m.Row) -> dict[str, Expr]:
    """Fields of a row's message that its conditions fix, by value."""
    known: dict[str, Expr] = {}
    for c in row.where:
        match c:
            case Binary(op="==", a=Field(base=Name(kind="binder"), name=name), b=value) if not _speaks_of(value, row.binders[0]):
                known.setdefault(name, value)
            case Field(base=Name(kind="binder"), name=name):
                known.setdefault(name, Lit(True, type=BOOL))
            case Unary(op="not", x=Field(base=Name(kind="binder"), name=name)):
                known.setdefault(name, Lit(False, type=BOOL))
    return known


def _known(e: Expr, known: Mapping[str, Expr]) -> Expr:
    if isinstance(e, Field) and isinstance(e.base, Name) and e.base.kind == "binder" and e.name in known:
        return known[e.name]
    return rebuild(e, lambda x: _known(x, known))


def _speaks_of(e: Expr, binder: str) -> bool:
    return any(isinstance(n, Name) and n.kind == "binder" and n.name == binder for n in walk(e))
