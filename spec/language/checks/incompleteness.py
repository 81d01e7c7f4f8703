"""Forbids a level of rows that leaves a case out: once a table has a row for an event and state, one row must be enabled."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import conjoin, negate
from wirelaw.spec.language.proof.subject import Level, Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each event and set of states whose rows leave a gap."""
    seen: set[tuple[str, str, tuple[str, ...]]] = set()
    for edition in subject.editions():
        for level in subject.levels(edition):
            key = (level.table.name, level.text(), tuple(r.id for r in level.rows))
            if key not in seen and not any(r.otherwise or not r.guard for r in level.rows):
                seen.add(key)
                yield from _gap(subject, level, edition)


def _gap(subject: Subject, level: Level, edition: int | None) -> Iterator[Diagnostic]:
    uncovered = [negate(conjoin([c for c in g if not c.before])) for g in subject.guards(level)]
    asked = [*subject.placed(level), *uncovered]
    witness = subject.witness(asked, f"is table `{level.table.name}` complete for `{level.event}` in {level.text()}")
    if witness is None:
        return
    where = "in " + (", ".join(state for _, state in witness.states) or "any state")
    if witness.assignments:
        where += f", when   {witness}"
    if edition is not None and any(r.editions for r in level.table.rows):
        where += f"   (edition {edition})"
    spans = tuple(r.span for r in level.rows)
    yield finding(
        spans[0], f"no row of table `{level.table.name}` holds for `{level.event}`", "Add a row for this case, or an `otherwise` row.",
        rows=spans, where=where,
    )  # fmt: skip
