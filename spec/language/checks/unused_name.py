"""Warns of a name that is declared and mentioned nowhere: what it was meant for is missing, or it can go."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One warning for each such declaration."""
    for one in subject.machine.unused:
        advice = "Include it, or remove it." if one.what == "fragment" else "Use it, or remove it."
        yield finding(one.span, f"{one.what} `{one.name}` is mentioned nowhere", advice, severity="warning")
