"""Forbids a profile under which two output rows or two sides of a row are still open: one implementation must follow."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.checks.subject import Subject, finding
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Name, walk


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each side of an `either` that a profile cannot name, and each choice that decides nothing."""
    machine = subject.machine
    for row in machine.rows():
        going = [e for e, _ in row.ending.alternatives if e.kind != "abort"]
        if row.ending.kind == "either" and len(going) > 1:
            yield finding(
                row.span, f"row [{row.id}] goes on in {len(going)} ways, and no profile can tell them apart",
                "Keep one way to go on and one `abort`, or split the row by a `choice`.",
            )  # fmt: skip
    spoken = {n.name for r in machine.rows() for c in (*r.guard, *r.when, *r.where) for n in walk(c) if isinstance(n, Name)}
    for name in machine.choices:
        if name not in spoken:
            yield finding(
                machine.span, f"choice `{name}` of machine `{machine.name}` decides nothing",
                "Test it in the guards of the rows that differ, or remove it.",
            )  # fmt: skip
