"""Forbids a clause that the law claims to hold and no row cites, and a waiver for what the law does cite."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from wirelaw.spec.language.clauses import Catalogues, Coverage
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.load import Law, shown
from wirelaw.spec.language.model import Property, Row


def citations_of(law: Law) -> dict[str, list[str]]:
    """Every clause that a row or property of the law cites, with the ids of those that do."""
    cited: dict[str, list[str]] = {}
    for machine in law.machines.values():
        parts: tuple[Row | Property, ...] = (*machine.rows(), *machine.properties)
        for part in parts:
            for citation in part.citations:
                cited.setdefault(citation.clause, []).append(part.id)
    return cited


def coverage(catalogues: Catalogues, cited: Mapping[str, Sequence[str]], documents: Collection[str] | None = None) -> Coverage:
    """How all citations of the law stand to `documents` (default: those they name)."""
    return catalogues.coverage(cited, {name.partition(":")[0] for name in cited} if documents is None else documents)


def warnings(covered: Coverage) -> Iterator[Diagnostic]:
    """One warning for each clause of a weaker level, or of procedure, that no row cites."""
    for clause in covered.uncited:
        yield Diagnostic(
            shown(Path(clause.file)), clause.line, 1, f"{clause.level} `{clause.name}` is cited by no row: {clause.text}",
            "Cite it on the row that holds it, or give it another disposition with a reason.", severity="warning",
        )  # fmt: skip


def check(covered: Coverage) -> Iterator[Diagnostic]:
    """One finding for each binding clause, at its line in the catalogue."""
    for clause in covered.gaps:
        yield Diagnostic(
            shown(Path(clause.file)), clause.line, 1, f"{clause.level} `{clause.name}` is cited by no row: {clause.text}",
            "Cite it on the row that holds it, or give it another disposition with a reason.",
        )  # fmt: skip
    for clause in covered.stale:
        yield Diagnostic(
            shown(Path(clause.file)), clause.line, 1, f"`{clause.name}` is called {clause.disposition}, and a row cites it",
            "Give it the disposition `law`, or remove the citation.",
        )  # fmt: skip
