"""Forbids two rows that can both be enabled for one event: the table would not say which of them to take."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.proof.effects import in_states, rename
from wirelaw.spec.language.proof.subject import Subject, exclude_each_other, finding
from wirelaw.spec.language.sugar import at_edition

ADVICE = "Make one guard exclude the other, or give both rows different alternatives of a `choice`."


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each pair of rows that meet."""
    seen: set[tuple[str, str, tuple[Expr, ...], tuple[Expr, ...]]] = set()
    for edition in subject.editions():
        for table in at_edition(subject.machine, edition).tables.values():
            rows = [r for r in table.rows if not r.editions or edition in r.editions]
            for a, b in itertools.combinations(rows, 2):
                key = (a.id, b.id, a.guard, b.guard)
                if a.event == b.event and key not in seen:
                    seen.add(key)
                    yield from _pair(subject, table, a, b)


def _pair(subject: Subject, table: m.Table, a: m.Row, b: m.Row) -> Iterator[Diagnostic]:
    states = a.states & b.states
    if a.region == b.region and a.states and not states:
        return
    if a.otherwise and b.otherwise:
        shared = states or a.states or b.states
        common = [s for s in subject.machine.states if s in shared] or ["any state"]
        yield finding(
            b.span, f"rows [{a.id}] and [{b.id}] of table `{table.name}` are both `otherwise`",
            "Keep one `otherwise` for each event and state.", rows=(a.span, b.span), where=f"in {', '.join(common)}",
        )  # fmt: skip
        return
    if a.otherwise or b.otherwise:
        return
    guard = tuple(rename(c, dict(zip(b.binders, a.binders, strict=False))) for c in b.guard)
    if any(c.before == a.id for c in b.guard) or exclude_each_other(a.guard, guard):
        return
    places = in_states(a.region, states if a.region == b.region and states else a.states, subject.machine)
    if b.region != a.region or not a.states:
        places += in_states(b.region, b.states, subject.machine)
    asked = [*places, *a.guard, *guard]
    witness = subject.witness(asked, f"do rows [{a.id}] and [{b.id}] overlap")
    if witness is not None:
        where = "in " + (", ".join(state for _, state in witness.states) or "any state")
        if witness.assignments:
            where += f", when   {witness}"
        yield finding(
            a.span, f"rows [{a.id}] and [{b.id}] of table `{table.name}` can both hold", ADVICE, rows=(a.span, b.span), where=where
        )
