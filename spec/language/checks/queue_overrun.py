"""Forbids a push where a queue may have no room, and a pop where nothing may wait: the entry would be lost without a word."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Call, Expr, text
from wirelaw.spec.language.proof.effects import Path, before_actions, demanded, enabling, paths, put
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each row that may lose an entry, or take one that is not there."""
    for row in subject.machine.rows():
        for path in paths(row, subject.machine):
            found = next(_overruns(subject, row, path), None)
            if found is not None:
                yield found
                break


def _overruns(subject: Subject, row: m.Row, path: Path) -> Iterator[Diagnostic]:
    after = before_actions(row, subject.machine)
    for s in path.actions:
        if s.kind != "assign" or s.value is None:
            continue
        if isinstance(s.value, Call) and s.value.kind == "queue":
            q = s.value.args[0]
            is_push = s.value.function == "pushed"
            wrong = put(queues.is_full(q) if is_push else queues.is_empty(q), after)
            given = (*enabling(row, subject.machine), *path.given, *demanded(row, subject.machine))
            witness = subject.witness([*given, wrong], f"may [{row.id}] overrun `{s.name}`")
            if witness is not None:
                yield _finding(row, q, is_push, ", ".join(state for _, state in witness.states), str(witness))
        after[s.name] = put(s.value, after)


def _finding(row: m.Row, q: Expr, is_push: bool, states: str, when: str) -> Diagnostic:
    name = text(q)
    message = f"row [{row.id}] pushes to `{name}`, which may be full" if is_push else f"row [{row.id}] pops `{name}`, which may be empty"
    test = f"full({name})" if is_push else f"empty({name})"
    where = f"in {states or 'any state'}" + (f", when   {when}" if when else "")
    return finding(row.span, message, f"Guard it with `not {test}`, and say what happens otherwise.", where=where)
