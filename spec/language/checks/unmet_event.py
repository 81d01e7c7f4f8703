"""Forbids an event that meets no row in any table: nobody would have decided what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic, Span
from wirelaw.spec.language.proof.subject import Subject, finding, listed


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each message kind, and each call, that has no row in some state."""
    machine = subject.machine
    for pipeline in machine.inputs.values():
        for kind in machine.messages.values():
            if kind.is_kind and pipeline.message in kind.lineage:
                rows = [r for name in pipeline.tables for r in machine.tables[name].rows if r.event in kind.lineage]
                yield from _unmet(subject, kind.name, rows, kind.span, f"any table of `input {pipeline.message}`")
    for function in machine.functions.values():
        if function.kind == "call":
            rows = [r for t in machine.tables.values() for r in t.rows if r.event == function.name]
            yield from _unmet(subject, function.name, rows, function.span, "any table")


def _unmet(subject: Subject, event: str, rows: Sequence[m.Row], span: Span, tables: str) -> Iterator[Diagnostic]:
    for edition in subject.editions():
        open_ = gaps(subject, rows, edition)
        if all(open_.values()):
            where = "in " + (" with ".join(listed(states) for states in open_.values()) or "any state")
            advice = "Add a row for it; `drop` says that it is ignored, `refuse(..)` that a call is an error."
            yield finding(span, f"event `{event}` meets no row of {tables}", advice, where=where)
            return


def gaps(subject: Subject, rows: Sequence[m.Row], edition: int | None) -> dict[str, list[str]]:
    """For each region that `rows` name, its states in which none of them stands: where all regions are in such states, none does."""
    here = [r for r in rows if not r.editions or edition in r.editions]
    if any(not r.states for r in here):
        return {"": []}
    found: dict[str, list[str]] = {}
    for region in dict.fromkeys(r.region for r in here):
        covered = {s for r in here if r.region == region for s in r.states}
        states = subject.machine.regions[region].states
        gone = {s.name for s in states if s.final and subject.machine.regions[region].family}  # an instance is not found there
        found[region] = [s.name for s in states if s.name not in covered | gone]
    return found
