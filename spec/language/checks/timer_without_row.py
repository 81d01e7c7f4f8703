"""Forbids a timer that may expire where no row notices it, one whose expiry nobody notices, and one that is never started."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.checks.unmet_event import gaps
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Call, Expr, Lit, walk
from wirelaw.spec.language.proof.effects import paths, running
from wirelaw.spec.language.proof.reach import where_possible
from wirelaw.spec.language.proof.subject import Subject, finding, listed


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each such timer. One that is only asked, by `running(..)`, expires without a row."""
    machine = subject.machine
    started = {s.name for r in machine.rows() for p in paths(r, machine) for s in p.actions if s.kind in ("start", "ensure")}
    noticed = {r.event for r in machine.rows() if r.event_kind == "timer"}
    asked = {t for e in _conditions(machine) for t in _asked(e)}
    for timer in machine.timers.values():
        if timer.name in started and timer.name in noticed:
            yield from _unnoticed(subject, timer)
        elif timer.name in started and timer.name not in asked:
            advice = f"Add a row `on {timer.name}()`, or ask `running({timer.name})` in a condition."
            yield finding(timer.span, f"timer `{timer.name}` is started, but no row notices its expiry", advice)
        if timer.name not in started:
            advice = f"Write `start {timer.name} for ..` where it begins, or remove it."
            yield finding(timer.span, f"timer `{timer.name}` is never started", advice)


def _unnoticed(subject: Subject, timer: m.Timer) -> Iterator[Diagnostic]:
    """Where the timer may run, and no row stands."""
    rows = [r for t in subject.machine.tables.values() for r in t.rows if r.event == timer.name]
    for edition in subject.editions():
        open_ = gaps(subject, rows, edition)
        running_in = {region: where_possible(subject, running(timer.name), region) for region in open_} if all(open_.values()) else {}
        left = {region: [s for s in open_[region] if s in states] for region, states in running_in.items()}
        if all(open_.values()) and all(left.values()):
            where = "in " + (" with ".join(listed(states) for states in left.values()) or "any state")
            yield finding(
                timer.span, f"timer `{timer.name}` may expire where no row notices it",
                f"Add a row `on {timer.name}()` there, or `stop {timer.name}` in the rows that lead there.",
                rows=(timer.span, *itertools.islice((r.span for r in rows), 3)), where=where,
            )  # fmt: skip
            return


def _conditions(machine: m.Machine) -> Iterator[Expr]:
    for row in machine.rows():
        yield from (*row.guard, *row.when, *row.where)


def _asked(e: Expr) -> Iterator[str]:
    for node in walk(e):
        if isinstance(node, Call) and node.kind == "due" and node.function == "running" and isinstance(node.args[0], Lit):
            yield str(node.args[0].value)
