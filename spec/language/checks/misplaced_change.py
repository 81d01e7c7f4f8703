"""Forbids a change of protocol state where none may happen: in policy tables, and in calls of the user."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.effects import Path, paths
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each such row: the judge cannot see it, so it would lose the machine's state."""
    for table in subject.machine.tables.values():
        for row in table.rows:
            allowed = ("policy",) if table.policy else ("user", "policy") if row.event_kind == "call" else ()
            what = "policy table" if table.policy else "call"
            for path in paths(row, subject.machine) if allowed else ():
                fault = _fault(subject.machine, row, path, allowed)
                if fault:
                    yield finding(row.span, f"row [{row.id}] of a {what} {fault}", _advice(what))
                    break


def _advice(what: str) -> str:
    if what == "policy table":
        return "A policy table sets policy variables and timers; move the change to an ordinary table."
    return "A call sets `user` variables; let the output row that shows the change to the peer make it."


def _fault(machine: m.Machine, row: m.Row, path: Path, allowed: tuple[str, ...]) -> str:
    if path.target and not _between_initial(machine, row, path.target, allowed):
        return f"changes the state to {path.target}"
    for s in path.actions:
        if s.kind == "assign" and machine.variables[s.name].kind not in allowed:
            return f"sets `{s.name}`, which is {machine.variables[s.name].kind}"
        if s.kind in ("owe", "send"):
            return f"makes a debt `{s.name}`" if s.kind == "owe" else f"sends `{s.name}`"
    return ""


def _between_initial(machine: m.Machine, row: m.Row, target: str, allowed: tuple[str, ...]) -> bool:
    """Initial states of a region count as one for the judge, so a call may move between them (passive and active open)."""
    initial = {s.name for s in machine.regions[machine.states[target].region].initial}
    return "user" in allowed and target in initial and bool(row.states) and row.states <= initial
