"""Forbids freedom that a profile cannot bind: a side of an `either` that it cannot name, a choice that decides nothing."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Name, walk
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each such row, each profile that takes a side which is not there, and each idle choice."""
    machine = subject.machine
    for row in machine.rows():
        going = [e for e, _ in row.ending.alternatives if e.kind != "abort"]
        if row.ending.kind == "either" and len(going) > 1:
            yield finding(
                row.span, f"row [{row.id}] goes on in {len(going)} ways, and no profile can tell them apart",
                "Keep one way to go on and one `abort`, or split the row by a `choice`.",
            )  # fmt: skip
        sides = {"abort" if e.kind == "abort" else "go" for e, _ in row.ending.alternatives}
        for profile in subject.profiles if row.ending.kind == "either" else ():
            side = profile.takes.get(row.id, "go")
            if side not in sides:
                yield finding(
                    row.span, f"profile `{profile.name}` takes the side `{side}` of row [{row.id}], which has none",
                    f"Write `take [{row.id}] {next(iter(sides))}` in the profile.",
                )  # fmt: skip
    spoken = {n.name for r in machine.rows() for c in (*r.guard, *r.when, *r.where) for n in walk(c) if isinstance(n, Name)}
    for name in machine.choices:
        if name not in spoken:
            yield finding(
                machine.span, f"choice `{name}` of machine `{machine.name}` decides nothing",
                "Test it in the guards of the rows that differ, or remove it.",
            )  # fmt: skip
