"""Forbids a row that cites nothing, in a machine that is about documents, unless the row does nothing."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.checks.unresolved_clause import citations
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.model import Row
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each such row. A machine of which no citation resolves is about no document."""
    catalogues = subject.catalogues
    if catalogues is None or not any(catalogues.resolve(c.clause) for _, c in citations(subject)):
        return
    last = {pipeline.tables[-1] for pipeline in subject.machine.inputs.values()}
    for row in subject.machine.rows():
        if not row.citations and not _idle(row, last):
            advice = "Cite the clause that calls for it, `@document:clause LEVEL`, behind the row."
            yield finding(row.span, f"row [{row.id}] does something, and cites no clause", advice)


def _idle(row: Row, last: set[str]) -> bool:
    """Whether the row only says that its table has nothing to do: it goes on without an effect, or is such an `otherwise`.

    In the `last` table of a message, `stop` is to go on.
    """
    if row.role != "input" or row.actions:
        return False
    if row.otherwise:
        return row.ending.kind in ("next", "stop", "stay", "drop")
    return row.ending.kind == "next" or (row.ending.kind == "stop" and row.table in last)
