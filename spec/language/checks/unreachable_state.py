"""Forbids a state that no row leads to, from the initial states on."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.effects import paths
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each state that is not reached."""
    reached = reachable(subject.machine)
    for state in subject.machine.states.values():
        if state.name not in reached:
            yield finding(
                state.span, f"state {state.name} of region `{state.region}` cannot be reached",
                "Add a row that leads to it, mark it `initial`, or remove it.",
            )  # fmt: skip


def steps(machine: m.Machine) -> set[tuple[str, str]]:
    """Pairs (state before, state after) within one region, of all rows."""
    found: set[tuple[str, str]] = set()
    for row in machine.rows():
        for path in paths(row, machine):
            if not path.target:
                continue
            region = machine.states[path.target].region
            named = {str(i.value) for c in path.given for i in c.set.items}  # type: ignore[attr-defined]
            before = named or (row.states if row.region == region and row.states else {s.name for s in machine.regions[region].states})
            found |= {(s, path.target) for s in before}
    return found


def reachable(machine: m.Machine) -> set[str]:
    """States that rows lead to from the initial ones."""
    edges = steps(machine)
    reached = {s.name for region in machine.regions.values() for s in region.initial}
    while more := {b for a, b in edges if a in reached} - reached:
        reached |= more
    return reached
