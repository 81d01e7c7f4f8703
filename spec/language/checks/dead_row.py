"""Forbids a row that can never be taken: what it says is not what the machine does."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.effects import demanded, enabling
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.sugar import at_edition


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each row without a case: a guard that contradicts itself or the invariants, or a shadowed level."""
    machines = [at_edition(subject.machine, edition) for edition in subject.editions()]
    alive = {r.id for edition in subject.editions() for level in subject.levels(edition) for r in level.rows}
    for rows in zip(*(machine.rows() for machine in machines), strict=True):
        row, each = rows[0], [r for r, edition in zip(rows, subject.editions(), strict=True) if not r.editions or edition in r.editions]
        if row.role == "input" and row.id not in alive:
            yield finding(
                row.span, f"row [{row.id}] is never reached: more specific rows take every kind of `{row.event}` in its states",
                "Remove it, or the states in which it has no case.",
            )  # fmt: skip
        elif all(_impossible(subject, r) for r in {id(r): r for r in each}.values()):
            is_behind = any(c.before for c in row.guard)
            reason = "the rows above leave no case for it" if is_behind else "its condition cannot hold"
            reason = "the other rows leave no case for it" if row.otherwise else reason
            yield finding(row.span, f"row [{row.id}] can never be taken: {reason}", "Correct the condition, or remove the row.")


def _impossible(subject: Subject, row: m.Row) -> bool:
    asked = (*enabling(row, subject.machine), *(demanded(row, subject.machine) if row.role == "output" else ()))
    if not asked:
        return False
    before = len(subject.undecided)
    witness = subject.witness(asked, f"can row [{row.id}] be taken", shown=())
    return witness is None and len(subject.undecided) == before
