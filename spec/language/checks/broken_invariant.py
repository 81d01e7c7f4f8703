"""Forbids a row, a start or the expiry of a timer that breaks an invariant or does what a `never` rules out."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic, Span
from wirelaw.spec.language.expressions import Call, Expr, Name, negate, text, walk
from wirelaw.spec.language.proof.effects import Way, as_claims, keys, put, starts
from wirelaw.spec.language.proof.subject import Subject, finding

SHOWN = 3  # breaking rows that a finding names


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each property that is broken, with the rows that do it. All hold before a row: they may lean on each other."""
    subject.assume()
    for p, claim in as_claims(subject.machine):
        moving = next((n for n in walk(claim) if _moves(n)), None)
        if moving is not None:
            yield finding(
                p.span, f"[{p.id}] speaks of `{text(moving)}`, which changes while no row is taken",
                "Speak of variables, states and `running(..)` alone.",
            )  # fmt: skip
        else:
            yield from _breaches(subject, p, claim)


def _moves(e: Expr) -> bool:
    return (isinstance(e, Name) and e.kind == "now") or (isinstance(e, Call) and (e.kind == "ask" or e.function == "due"))


def _breaches(subject: Subject, p: m.Property, claim: Expr) -> Iterator[Diagnostic]:
    machine = subject.machine
    for start in starts(machine, p.family):
        held, subject.proved = subject.proved, []
        witness = subject.witness([negate(put(claim, start))], f"does [{p.id}] hold at the start")
        subject.proved = held
        if witness is not None:
            yield finding(p.span, f"[{p.id}] does not hold at the start", "Correct the initial values, or the property.")
            return
    spoken = keys(claim)
    breaking: dict[str, tuple[Way, str]] = {}
    for way in subject.ways:
        if way.name in breaking or spoken.isdisjoint(way.path.after):
            continue
        after = put(claim, way.path.after)
        asked = [*way.when, *way.sent, claim, negate(after)]
        witness = subject.witness(asked, f"does {way.name} keep [{p.id}]", [*way.when, claim, after])
        if witness is not None:
            where = "from " + (", ".join(s for _, s in witness.states) or "any state")
            breaking[way.name] = (way, where + (f", when   {witness}" if witness.assignments else ""))
    if breaking:
        yield _told(p, breaking)


def _told(p: m.Property, breaking: dict[str, tuple[Way, str]]) -> Diagnostic:
    names = [*breaking][:SHOWN]
    more = f" and {len(breaking) - SHOWN} more" if len(breaking) > SHOWN else ""
    spans = [way.row.span for way, _ in breaking.values() if way.row is not None][:SHOWN]
    first: Span = spans[0] if spans else p.span
    return finding(
        first, f"{', '.join(names)}{more} {'breaks' if len(breaking) == 1 else 'break'} [{p.id}]",
        "Strengthen the guard, correct the actions, or weaken the property.",
        rows=(*spans, p.span), where=next(where for _, where in breaking.values()),
    )  # fmt: skip
