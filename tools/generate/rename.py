"""One name for one thing: binders and arguments of rows, gates and debts under the names of the method they are emitted in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Expr, Name, rebuild
from wirelaw.spec.language.tree import Ending, Statement

Change = Callable[[Expr], Expr]


def put_names(e: Expr, names: Mapping[str, str], kind: str = "") -> Expr:
    """`e` with binders and arguments renamed; to names of another `kind` if one is given."""
    if isinstance(e, Name) and e.kind in ("binder", "arg") and e.name in names:
        return replace(e, name=names[e.name], kind=kind or e.kind)
    return rebuild(e, lambda x: put_names(x, names, kind))


def rename(row: m.Row, names: tuple[str, ...]) -> m.Row:
    """`row` with its binders called `names`."""
    if row.binders == names or not row.binders:
        return row
    bound = dict(zip(row.binders, names, strict=True))

    def change(e: Expr) -> Expr:
        return put_names(e, bound)

    return replace(
        row,
        binders=names,
        guard=tuple(map(change, row.guard)),
        where=tuple(map(change, row.where)),
        actions=tuple(_statement(s, change) for s in row.actions),
        ending=_ending(row.ending, change),
    )


def _statement(s: Statement, change: Change) -> Statement:
    return replace(
        s,
        args=tuple(map(change, s.args)),
        fields=tuple((n, change(v) if v is not None else None) for n, v in s.fields),
        value=change(s.value) if s.value is not None else None,
    )


def _ending(ending: Ending, change: Change) -> Ending:
    made = tuple((_ending(e, change), tuple(_statement(s, change) for s in acts)) for e, acts in ending.alternatives)
    return replace(ending, alternatives=made)
