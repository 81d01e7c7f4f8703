"""Forbids a citation of a clause that no catalogue has."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.tree import Citation


def citations(subject: Subject) -> Iterator[tuple[str, Citation]]:
    """Every citation of the law with the id of what cites it."""
    for row in subject.machine.rows():
        yield from ((row.id, c) for c in row.citations)
    for p in subject.machine.properties:
        yield from ((p.id, c) for c in p.citations)


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each citation that does not resolve."""
    if subject.catalogues is None:
        return
    for row, c in citations(subject):
        if subject.catalogues.resolve(c.clause) is None:
            near = subject.catalogues.suggest(c.clause)
            advice = f"Did you mean {' or '.join(f'`@{n}`' for n in near[:2])}?" if near else "Add the clause to its catalogue (*.req)."
            yield finding(c.span, f"[{row}] cites `{c.clause}`, which no catalogue has", advice)
