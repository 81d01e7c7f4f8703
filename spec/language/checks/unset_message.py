"""Forbids reading a field of a message that may be `none`: nothing has been put there yet, or a row has taken it away."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, text
from wirelaw.spec.language.proof.effects import key_of
from wirelaw.spec.language.proof.reach import where_possible
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.proof.uses import Conditions, Use, parts, uses
from wirelaw.spec.language.types import BOOL


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each row and message. Proved by guard and invariants, or by the states in which it may be `none`."""
    told: set[tuple[str, str]] = set()
    for use in uses(subject.machine, subject.profiles):
        for part, where in parts(use.value, use.where):
            if isinstance(part, Field) and part.base.type.kind == "message" and _may_be_none(part.base):
                found = (use.row.id, text(part.base))
                if found not in told and _unset(subject, use, part.base, where):
                    told.add(found)
                    yield finding(
                        use.row.span, f"row [{use.row.id}] reads `{text(part)}`, and `{text(part.base)}` may be none",
                        f"Test `{text(part.base)} != none` first, or set it on every way to this row.",
                    )  # fmt: skip


def _may_be_none(base: Expr) -> bool:
    """A message at hand is there, and what a function gives is its duty."""
    return not (isinstance(base, Name) and base.kind in ("binder", "arg", "raw")) and not isinstance(base, Call)


def _unset(subject: Subject, use: Use, base: Expr, where: Conditions) -> bool:
    none = Binary("==", base, Lit(None), type=BOOL)
    question = f"is `{text(base)}` set in row [{use.row.id}]"
    if not subject.possible([*where, none], question):
        return False
    if not key_of(base) or not use.row.region:
        return True
    return bool(where_possible(subject, none, use.row.region) & use.row.states)
