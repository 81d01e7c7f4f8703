"""Forbids a timer that is started and whose expiry nobody notices, and one that is never started."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Call, Expr, Lit, walk
from wirelaw.spec.language.proof.effects import paths
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each such timer."""
    machine = subject.machine
    started = {s.name for r in machine.rows() for p in paths(r, machine) for s in p.actions if s.kind in ("start", "ensure")}
    noticed = {r.event for r in machine.rows() if r.event_kind == "timer"} | {t for e in _conditions(machine) for t in _asked(e)}
    for timer in machine.timers.values():
        if timer.name in started and timer.name not in noticed:
            advice = f"Add a row `on {timer.name}()`, or ask `running({timer.name})` in a condition."
            yield finding(timer.span, f"timer `{timer.name}` is started, but no row notices its expiry", advice)
        if timer.name not in started:
            advice = f"Write `start {timer.name} for ..` where it begins, or remove it."
            yield finding(timer.span, f"timer `{timer.name}` is never started", advice)


def _conditions(machine: m.Machine) -> Iterator[Expr]:
    for row in machine.rows():
        yield from (*row.guard, *row.when, *row.where)


def _asked(e: Expr) -> Iterator[str]:
    for node in walk(e):
        if isinstance(node, Call) and node.kind == "due" and node.function == "running" and isinstance(node.args[0], Lit):
            yield str(node.args[0].value)
