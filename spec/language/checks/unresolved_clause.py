"""Forbids a citation of a clause that no catalogue has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wirelaw.spec.language.clauses import Catalogues
from wirelaw.spec.language.deviations import Deviations
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
    return resolved(citations(subject), subject.catalogues)


def check_deviations(deviations: Iterable[Deviations], catalogues: Catalogues | None) -> Iterator[Diagnostic]:
    """The same for what peers are known to do otherwise."""
    return resolved(((r.id, c) for d in deviations for r in d.rows() for c in r.citations), catalogues)


def resolved(cited: Iterable[tuple[str, Citation]], catalogues: Catalogues | None) -> Iterator[Diagnostic]:
    """One finding for each of these citations that is in no catalogue."""
    for row, c in cited:
        if catalogues is not None and catalogues.resolve(c.clause) is None:
            near = catalogues.suggest(c.clause)
            advice = f"Did you mean {' or '.join(f'`@{n}`' for n in near[:2])}?" if near else "Add the clause to its catalogue (*.req)."
            yield finding(c.span, f"[{row}] cites `{c.clause}`, which no catalogue has", advice)
