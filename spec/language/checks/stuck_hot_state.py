"""Forbids a `hot` state without a way out, and an `urgent` state that no output row can leave."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.checks.unreachable_state import steps
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each state in which a run gets stuck."""
    machine = subject.machine
    edges = steps(machine)
    for state in machine.states.values():
        if state.hot:
            reached = {state.name}
            while more := {b for a, b in edges if a in reached} - reached:
                reached |= more
            if all(machine.states[s].hot for s in reached):
                yield finding(
                    state.span, f"no way leads out of hot state {state.name}",
                    "Add a row to a state where a run may rest, or remove the mark `hot`.",
                )  # fmt: skip
        if state.urgent and not any(r.mode == "urgent" and state.name in r.states for r in machine.emissions):
            yield finding(
                state.span,
                f"urgent state {state.name} has no urgent output row",
                "Add `urgent [..] .. emit ..`, or remove the mark `urgent`.",
            )
