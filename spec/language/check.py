"""All checks over a law, as one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from wirelaw.spec.language.checks import (
    broken_invariant,
    dead_row,
    endless_output,
    impure_extern,
    incompleteness,
    misplaced_change,
    open_choice,
    out_of_range,
    overlap,
    queue_overrun,
    refused_reply,
    refused_urgent,
    stuck_hot_state,
    timer_without_row,
    unbound_field,
    uncited_must,
    uncited_row,
    unmet_event,
    unpayable_debt,
    unreachable_state,
    unresolved_clause,
    unresolved_place,
    unset_message,
    unused_name,
)
from wirelaw.spec.language.clauses import Catalogues, Coverage
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.load import Law
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.proof.cache import CachedSolver
from wirelaw.spec.language.proof.late import make_solver
from wirelaw.spec.language.proof.solver import Solver
from wirelaw.spec.language.proof.subject import Subject, source_lines

Check = Callable[[Subject], Iterator[Diagnostic]]

# All lean on the properties, which `broken_invariant` proves first: one that is broken is one error.
CHECKS: tuple[Check, ...] = (
    unresolved_clause.check,
    uncited_row.check,
    impure_extern.check,
    misplaced_change.check,
    unreachable_state.check,
    stuck_hot_state.check,
    timer_without_row.check,
    unbound_field.check,
    unmet_event.check,
    open_choice.check,
    unused_name.check,
    overlap.check,
    incompleteness.check,
    dead_row.check,
    refused_urgent.check,
    refused_reply.check,
    queue_overrun.check,
    endless_output.check,
    unpayable_debt.check,
    out_of_range.check,
    unset_message.check,
)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `wirelaw check` prints. `undecided` lists questions that no solver settled: they count as neither right nor wrong."""

    diagnostics: tuple[Diagnostic, ...]
    machines: int
    rows: int
    states: int
    coverage: Coverage | None
    undecided: tuple[str, ...]
    solver: str
    questions: int
    seconds: float

    @property
    def uncited(self) -> tuple[Diagnostic, ...]:
        """A warning for each clause of a weaker level that the law shall hold and no row cites."""
        return tuple(uncited_must.warnings(self.coverage)) if self.coverage is not None else ()

    @property
    def ok(self) -> bool:
        """Nothing that is an error."""
        return not any(d.severity == "error" for d in self.diagnostics)

    @property
    def summary(self) -> str:
        """The last line, such as `1 error. 69 rows, 11 states, 119 clauses (112 cited, ..)`."""
        errors = sum(d.severity == "error" for d in self.diagnostics)
        counted = "no errors" if not errors else f"{errors} error{'s' if errors > 1 else ''}"
        parts = [f"{self.rows} rows", f"{self.states} states"]
        if self.coverage is not None:
            parts.append(self.coverage.summary)
        unsettled = f" {len(self.undecided)} question{'s' if len(self.undecided) > 1 else ''} undecided." if self.undecided else ""
        return f"{counted}. {', '.join(parts)}.{unsettled}"


def run_checks(
    law: Law, catalogues: Catalogues | None = None, solver: Solver | None = None, cache: Path | None = None,
    documents: Collection[str] | None = None,
) -> CheckReport:  # fmt: skip
    """Every check over every machine of `law`.

    `solver` answers the questions (default: z3), `cache` the folder that keeps proofs between runs,
    `documents` those the law answers for (default: those it cites). Raises `LawError` where z3 is needed and not installed.
    """
    began = time.perf_counter()
    source_lines.cache_clear()
    inner = solver or make_solver()
    found: list[Diagnostic] = []
    undecided: list[str] = []
    asked = 0
    for machine in law.machines.values():
        asker = CachedSolver(inner, cache, machine.name)
        profiles = tuple(p for (_, of), p in law.profiles.items() if of == machine.name)
        subject = Subject(machine, profiles, catalogues, asker)
        found += check_machine(subject)
        undecided += subject.undecided
        asker.save()
        asked += asker.asked
    found += unresolved_clause.check_deviations(law.deviations.values(), catalogues)
    covered = uncited_must.coverage(catalogues, uncited_must.citations_of(law), documents) if catalogues is not None else None
    if covered is not None:
        found += (*uncited_must.check(covered), *unresolved_place.check(covered))
    seconds = time.perf_counter() - began
    unique = tuple(dict.fromkeys(found))
    return CheckReport(unique, len(law.machines), *_size(law), covered, tuple(dict.fromkeys(undecided)), inner.name, asked, seconds)


def check_machine(subject: Subject) -> list[Diagnostic]:
    """Every check of one machine, in the order of the law."""
    found = list(broken_invariant.check(subject))
    found += [d for check in CHECKS for d in check(subject)]
    return sorted(found, key=lambda d: (d.file, d.line, d.column))


def _size(law: Law) -> tuple[int, int]:
    """Rows and states, each place of the source counted once: machines share fragments."""
    machines: list[Machine] = list(law.machines.values())
    rows = {(r.span.file, r.span.line, r.span.column) for m in machines for r in m.rows()}
    states = {(s.span.file, s.span.line, s.span.column) for m in machines for s in m.states.values()}
    return len(rows), len(states)
