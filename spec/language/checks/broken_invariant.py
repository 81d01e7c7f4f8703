"""Forbids a row, or a start, that breaks an invariant or does what a `never` rules out."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.checks.effects import as_claims, demanded, enabling, paths, put
from wirelaw.spec.language.checks.subject import Subject, finding
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Expr, Lit, names, negate
from wirelaw.spec.language.types import Type


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each property and row that breaks it. Properties may lean on each other: all hold before the row."""
    claims = as_claims(subject.machine)
    subject.assume(set())
    found = [d for p, claim in claims for d in _breaches(subject, p, claim)]
    yield from found


def broken(diagnostics: list[Diagnostic], machine: m.Machine) -> set[str]:
    """The ids of properties that were found broken; if one is, those that leaned on it are not proved either."""
    return {p.id for p in machine.properties} if diagnostics else set()


def _breaches(subject: Subject, p: m.Property, claim: Expr) -> Iterator[Diagnostic]:
    machine = subject.machine
    for start in _starts(machine):
        held, subject.proved = subject.proved, []
        witness = subject.witness([negate(put(claim, start))], f"does [{p.id}] hold at the start")
        subject.proved = held
        if witness is not None:
            yield finding(p.span, f"[{p.id}] does not hold at the start", "Correct the initial values, or the property.")
            return
    spoken = names(claim, "var") | names(claim, "region")
    for row in machine.rows():
        for path in paths(row, machine):
            if not spoken & set(path.after):
                continue
            after = put(claim, path.after)
            asked = [*enabling(row, machine), *path.given, *demanded(row, machine), claim, negate(after)]
            shown = [*enabling(row, machine), claim, after]
            witness = subject.witness(asked, f"does row [{row.id}] keep [{p.id}]", shown)
            if witness is not None:
                where = "from " + (", ".join(s for _, s in witness.states) or "any state")
                where += f", when   {witness}" if witness.assignments else ""
                yield finding(
                    row.span, f"row [{row.id}] breaks [{p.id}]", "Strengthen the guard, correct the actions, or weaken the property.",
                    rows=(row.span, p.span), where=where,
                )  # fmt: skip
                break


def _starts(machine: m.Machine) -> Iterator[dict[str, Expr]]:
    """Initial values with each initial state of each region."""
    values: dict[str, Expr] = {name: v.init for name, v in machine.variables.items()}
    first = {r.name: Lit(r.initial[0].name, type=Type("enum", r.name)) for r in machine.regions.values()}
    yield {**values, **first}
    for region in machine.regions.values():
        for state in region.initial[1:]:
            yield {**values, **first, region.name: Lit(state.name, type=Type("enum", region.name))}
