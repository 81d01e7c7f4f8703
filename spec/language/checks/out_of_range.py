"""Forbids a value that its place cannot hold: a number below 0 or too large for its width, and a shift by more than 63 bits."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Binary, Expr, Lit, disjoin, text
from wirelaw.spec.language.proof.spans import SHIFT, Spans, of_type
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.proof.uses import Conditions, Use, parts, uses
from wirelaw.spec.language.types import BOOL


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each row and place, with values under which it happens."""
    told: set[tuple[str, str]] = set()
    for use in uses(subject.machine, subject.profiles):
        for place, where, broken, advice in _outside(use):
            if (use.row.id, place) not in told:
                found = _witness(subject, use.row, place, where, broken, advice)
                if found is not None:
                    told.add((use.row.id, place))
                    yield found


def _outside(use: Use) -> Iterator[tuple[str, Conditions, Expr, str]]:
    if use.stored is not None and use.stored.kind in ("uint", "seq") and (use.stored.kind == "uint" or isinstance(use.value, Lit)):
        advice = f"Test it in the guard, add an invariant, or declare a type that holds it{_wider(use)}."
        low, high = of_type(use.stored)
        yield from _beyond(use.place, use.value, use.where, (low, None if use.stored.name == "nat" else high), advice)
    for part, where in parts(use.value, use.where):
        if isinstance(part, Binary) and part.op in ("<<", ">>"):
            yield from _beyond(f"the shift in `{text(part)}`", part.b, where, (0, SHIFT), f"Shift by 0 to {SHIFT}: test the number first.")


def _wider(use: Use) -> str:
    return "; `nat` has no upper bound" if use.stored is not None and use.stored.name != "nat" and use.place.startswith("`") else ""


def _beyond(
    place: str, value: Expr, where: Conditions, span: tuple[int, int | None], advice: str
) -> Iterator[tuple[str, Conditions, Expr, str]]:
    least, most = Spans([value]).span(value)
    below = Binary("<", value, Lit(span[0], type=value.type), type=BOOL)
    broken: list[Expr] = [below] if least < span[0] else []
    if span[1] is not None and most > span[1]:
        broken.append(Binary(">", value, Lit(span[1], type=value.type), type=BOOL))
    if broken:
        yield place, where, disjoin(broken), advice


def _witness(subject: Subject, row: m.Row, place: str, where: Conditions, broken: Expr, advice: str) -> Diagnostic | None:
    witness = subject.witness([*where, broken], f"does {place} in row [{row.id}] stay in range", [*where, broken])
    if witness is None:
        return None
    states = ", ".join(s for _, s in witness.states)
    shown = f"when   {witness}" if witness.assignments else ""
    what = f"may put {place} out of range" if not place.startswith("the shift") else f"may go out of range in {place}"
    where_shown = ", ".join(x for x in (f"in {states}" if states else "", shown) if x)
    return finding(row.span, f"row [{row.id}] {what}", advice, where=where_shown)
