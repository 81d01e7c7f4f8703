"""Forbids a row, or a start, that breaks an invariant or does what a `never` rules out."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Expr, Lit, names, negate
from wirelaw.spec.language.proof.effects import Path, as_claims, demanded, enabling, paths, put
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.types import Type

_Way = tuple[m.Row, Path, tuple[Expr, ...], tuple[Expr, ...]]  # one way through a row, what enables it, what holds of its message


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each property and row that breaks it. Properties may lean on each other: all hold before the row."""
    claims = as_claims(subject.machine)
    subject.assume(set())
    ways = [(row, path, *_before(row, subject.machine)) for row in subject.machine.rows() for path in paths(row, subject.machine)]
    found = [d for p, claim in claims for d in _breaches(subject, p, claim, ways)]
    yield from found


def broken(diagnostics: list[Diagnostic], machine: m.Machine) -> set[str]:
    """The ids of properties that were found broken; if one is, those that leaned on it are not proved either."""
    return {p.id for p in machine.properties} if diagnostics else set()


def _before(row: m.Row, machine: m.Machine) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    return enabling(row, machine), demanded(row, machine)


def _breaches(subject: Subject, p: m.Property, claim: Expr, ways: list[_Way]) -> Iterator[Diagnostic]:
    machine = subject.machine
    for start in _starts(machine):
        held, subject.proved = subject.proved, []
        witness = subject.witness([negate(put(claim, start))], f"does [{p.id}] hold at the start")
        subject.proved = held
        if witness is not None:
            yield finding(p.span, f"[{p.id}] does not hold at the start", "Correct the initial values, or the property.")
            return
    spoken = names(claim, "var") | names(claim, "region")
    told = ""
    for row, path, enabled, sent in ways:
        if row.id == told or not spoken & set(path.after):
            continue
        after = put(claim, path.after)
        asked = [*enabled, *path.given, *sent, claim, negate(after)]
        witness = subject.witness(asked, f"does row [{row.id}] keep [{p.id}]", [*enabled, claim, after])
        if witness is not None:
            told = row.id
            where = "from " + (", ".join(s for _, s in witness.states) or "any state")
            where += f", when   {witness}" if witness.assignments else ""
            yield finding(
                row.span, f"row [{row.id}] breaks [{p.id}]", "Strengthen the guard, correct the actions, or weaken the property.",
                rows=(row.span, p.span), where=where,
            )  # fmt: skip


def _starts(machine: m.Machine) -> Iterator[dict[str, Expr]]:
    """Initial values with each initial state of each region."""
    values: dict[str, Expr] = {name: v.init for name, v in machine.variables.items()}
    first = {r.name: Lit(r.initial[0].name, type=Type("enum", r.name)) for r in machine.regions.values()}
    yield {**values, **first}
    for region in machine.regions.values():
        for state in region.initial[1:]:
            yield {**values, **first, region.name: Lit(state.name, type=Type("enum", region.name))}
