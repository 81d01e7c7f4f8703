"""Mutants of a law: machines that differ from it in one row, each by one change that a programmer might make by mistake."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType

from wirelaw.conformance.binding import OTHER_STATES
from wirelaw.impl.net import tcp as stack
from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, Binary, Expr, Lit, Name, Unary, Window, rebuild, text, walk
from wirelaw.spec.language.tree import Statement
from wirelaw.spec.language.types import BOOL

LATE_US = 25 * 3600 * 1_000_000
"""What is added to a duration to make it too long by any law."""
EARLY_US = 1_000
_CLASS = "TcpConnection"
_NEIGHBOUR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A machine that differs from the law in row `row`, in the way `change` says.

    `kind` is row, guard, action, target, constant or timer.
    """

    row: str
    kind: str
    change: str
    machine: m.Machine

    def __str__(self) -> str:
        return f"[{self.row}] {self.change}"


def mutants(machine: m.Machine) -> Iterator[Mutant]:
    """Every mutant of the rows that are law: not those of policy tables, and not what output rows say of ours alone."""
    for row in machine.rows():
        table = machine.tables.get(row.table)
        if row.role == "gate" or (table is not None and table.policy):
            continue
        for kind, change, by in _changes(machine, row):
            yield Mutant(row.id, kind, change, _replaced(machine, row, by))


def _replaced(machine: m.Machine, row: m.Row, by: m.Row | None) -> m.Machine:
    def rows(old: Sequence[m.Row]) -> tuple[m.Row, ...]:
        if by is None:
            return tuple(_without(r, row.id) for r in old if r is not row)
        return tuple(by if r is row else r for r in old)

    tables = {name: replace(t, rows=rows(t.rows)) for name, t in machine.tables.items()}
    return replace(machine, tables=tables, gates=rows(machine.gates), emissions=rows(machine.emissions))


def _without(row: m.Row, above: str) -> m.Row:
    """`row` where the row `above` it is gone."""
    kept = tuple(c for c in row.guard if c.before != above)
    return row if len(kept) == len(row.guard) else replace(row, guard=kept)


def _changes(machine: m.Machine, row: m.Row) -> Iterator[tuple[str, str, m.Row | None]]:
    if row.role == "output":
        yield "row", "never", replace(row, guard=(*row.guard, FALSE))
    elif not row.otherwise:
        yield "row", "deleted", None
    yield from _guards(machine, row)
    yield from _actions(row)
    yield from _targets(row)
    yield from _constants(machine, row)
    yield from _timers(machine, row)


def _guards(machine: m.Machine, row: m.Row) -> Iterator[tuple[str, str, m.Row]]:
    for n, conjunct in enumerate(row.guard):
        if _is_choice(conjunct) or conjunct.before:
            continue  # which of two rows is taken is free; what a row above says is that row's to change
        others = row.guard[:n], row.guard[n + 1 :]
        yield "guard", f"without {text(conjunct, expand=True)}", replace(row, guard=others[0] + others[1])
        negated = Unary("not", conjunct, type=BOOL)
        yield "guard", f"with not ({text(conjunct, expand=True)})", replace(row, guard=(*others[0], negated, *others[1]))


def _is_choice(e: Expr) -> bool:
    return any(isinstance(node, Name) and node.kind == "choice" for node in walk(e))


def _actions(row: m.Row) -> Iterator[tuple[str, str, m.Row]]:
    acts = [s for s in row.actions if s.kind != "grade"]
    if acts:
        yield "action", "does nothing", replace(row, actions=())
    for n, s in enumerate(row.actions if len(acts) > 1 else ()):
        if s.kind != "grade":
            yield "action", f"without {_said(s)}", replace(row, actions=row.actions[:n] + row.actions[n + 1 :])


def _said(s: Statement) -> str:
    args = ", ".join(text(a) for a in s.args)
    shown = f" = {text(s.value)}" if s.value is not None and s.kind == "assign" else ""
    return f"{'' if s.kind == 'assign' else s.kind + ' '}{s.name}{f'({args})' if args else ''}{shown}"


def _targets(row: m.Row) -> Iterator[tuple[str, str, m.Row]]:
    target = row.ending.target
    if row.ending.kind == "become" and isinstance(target, dict):
        other = next(s for s in OTHER_STATES if s not in target.values())
        yield "target", f"goes to {other}", replace(row, ending=replace(row.ending, target=dict.fromkeys(target, other)))


def _constants(machine: m.Machine, row: m.Row) -> Iterator[tuple[str, str, m.Row]]:
    for n, conjunct in enumerate(row.guard):
        if conjunct.before:
            continue
        for changed in _off_by_one(conjunct):
            yield "constant", f"if {text(changed, expand=True)}", replace(row, guard=(*row.guard[:n], changed, *row.guard[n + 1 :]))
    for n, s in enumerate(row.actions):
        if s.kind == "assign" and s.value is not None and s.value.type.kind != "bool":
            for value in (*_off_by_one(s.value), Binary("+", s.value, Lit(1, type=s.value.type), type=s.value.type)):
                by = replace(s, value=value)
                yield "constant", _said(by), replace(row, actions=(*row.actions[:n], by, *row.actions[n + 1 :]))
    for name, e in row.fields.items():
        if e.type.kind != "bool":
            off = Binary("+", e, Lit(1, type=e.type), type=e.type)
            yield "constant", f"{name}: {text(off)}", replace(row, fields={**row.fields, name: off})


def _off_by_one(e: Expr) -> Iterator[Expr]:
    """`e` with one comparison, one window or one number moved by one."""
    for at, node in enumerate(walk(e)):
        match node:
            case Binary(op=op) if op in _NEIGHBOUR:
                yield _at(e, at, lambda x, op=op: replace(x, op=_NEIGHBOUR[op]))  # type: ignore[misc]
            case Window(length=length):
                longer = Binary("+", length, Lit(1, type=length.type), type=length.type)
                yield _at(e, at, lambda x, longer=longer: replace(x, length=longer))  # type: ignore[misc]
            case Lit(value=int() as value) if not isinstance(value, bool):
                yield _at(e, at, lambda x, value=value: replace(x, value=value + 1))  # type: ignore[misc]


def _at(e: Expr, place: int, change: Callable[[Expr], Expr]) -> Expr:
    """`e` with the subexpression at `place` of its preorder changed."""
    count = itertools.count()

    def visit(x: Expr) -> Expr:
        here = next(count) == place
        inner = rebuild(x, visit)
        return change(inner) if here else inner

    return visit(e)


def _timers(machine: m.Machine, row: m.Row) -> Iterator[tuple[str, str, m.Row]]:
    for n, s in enumerate(row.actions):
        if s.kind not in ("start", "ensure", "owe") or s.value is None:
            continue
        late = Binary("+", s.value, Lit(LATE_US, type=s.value.type), type=s.value.type)
        changes: list[tuple[str, Expr]] = [("late", late)]
        if s.kind != "owe" and machine.timers[s.name].low is not None:
            changes.append(("early", Lit(EARLY_US, type=s.value.type)))
        for how, value in changes:
            by = replace(s, value=value)
            yield "timer", f"{_said(s)} {how}", replace(row, actions=(*row.actions[:n], by, *row.actions[n + 1 :]))


@contextmanager
def running(code: str) -> Iterator[None]:
    """Within the block, stacks run `code`, which was generated from a machine."""
    name = f"wirelaw_mutant_{next(_serial)}"
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses look their module up
    true = vars(stack)[_CLASS]
    try:
        exec(compile(code, f"<{name}>", "exec"), module.__dict__)  # noqa: S102 - our own generator wrote it
        setattr(stack, _CLASS, vars(module)[_CLASS])
        yield
    finally:
        setattr(stack, _CLASS, true)
        del sys.modules[name]
