"""Forbids a MUST that the law claims to hold and no row cites, and a waiver for what the law does cite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wirelaw.spec.language.clauses import Catalogues, Coverage
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.load import shown


def coverage(catalogues: Catalogues, cited: Mapping[str, Sequence[str]]) -> Coverage:
    """How all citations of the law stand to the documents they name."""
    documents = {name.partition(":")[0] for name in cited}
    return catalogues.coverage(cited, documents)


def check(covered: Coverage) -> Iterator[Diagnostic]:
    """One finding for each clause, at its line in the catalogue."""
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
