"""What the language lets one say shorter, said in full: groups of rows, and rows in order (`first`).

A group's states, event and guard become those of each row in it. A row of a `first` stands for "and none above of the same
event": for each earlier row that can meet it, the negation of that row's guard becomes a conjunct of its own. Each such
conjunct bears the id of the earlier row (`Expr.before`), so that nobody has to read it as a condition: code that has tested
the earlier row does not test it again, and pictures leave it out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import complain
from wirelaw.spec.language.expressions import FALSE, TRUE, Binary, Expr, Lit, Member, Name, SetLit, conjoin, negate, rebuild, walk
from wirelaw.spec.language.proof.effects import rename
from wirelaw.spec.language.python import fold_here
from wirelaw.spec.language.types import BOOL, Type

_EDITION = Type("edition")


# --- groups ------------------------------------------------------------------------------------------------------------


def rows_of(table: t.Table) -> Iterator[tuple[t.Row, int]]:
    """The rows of `table`, each with what its groups say, and the number of the `first` that it stands in (0: none).

    Raises LawError where a row and its groups do not go together.
    """
    numbers = itertools.count(1)
    for item in table.items:
        yield from _spread(item, 0, numbers)


def _spread(item: t.Row | t.RowGroup, order: int, numbers: Iterator[int]) -> Iterator[tuple[t.Row, int]]:
    if isinstance(item, t.Row):
        yield item, order
        return
    if item.ordered and not order:
        order = next(numbers)
    for inner in item.items:
        for row, place in _spread(inner, order, numbers):
            yield _within(item, row, bool(place)), place


def _within(group: t.RowGroup, row: t.Row, is_ordered: bool) -> t.Row:
    """`row` with what `group` says of it."""
    if group.states and row.states:
        advice = "Name them in one of the two places."
        raise complain(row.span, f"row [{row.id}] names states, and so does the group that it stands in", advice)
    if group.guard is not None and row.otherwise and not is_ordered:
        message = f"row [{row.id}] is `otherwise` in a group with a condition, and would hold outside of it too"
        raise complain(row.span, message, "Put the group's rows into `first { .. }`, and leave out `otherwise`.")
    guard = row.guard
    if group.guard is not None:
        guard = Binary("and", group.guard, guard, span=guard.span) if guard is not None else group.guard
    return replace(row, states=row.states or group.states, event=row.event or group.event, guard=guard)


# --- rows in order -----------------------------------------------------------------------------------------------------


def in_order(rows: Sequence[m.Row], orders: Sequence[int], regions: Mapping[str, m.Region]) -> tuple[m.Row, ...]:
    """The rows of a table, disjoint where they stand in one `first`: `orders` has its number for each row, 0 for none."""
    made: list[m.Row] = []
    for n, (row, order) in enumerate(zip(rows, orders, strict=True)):
        if not order:
            made.append(row)
            continue
        rivals = [(k, r) for k, r in enumerate(rows) if k != n and is_rival(r, row)]
        above = [r for k, r in rivals if k < n and orders[k] == order]
        is_rest = not row.guard and all(k < n and orders[k] == order for k, _ in rivals)
        if is_rest:  # what is left is what `otherwise` stands for
            made.append(replace(row, otherwise=row.otherwise or bool(above)))
            continue
        binders = max([row.binders, *(r.binders for r in above)], key=len)
        named = replace(row, binders=binders, otherwise=False)
        made.append(replace(named, guard=row.guard + tuple(denied(named, r, regions) for r in above)))
    return tuple(made)


def is_rival(a: m.Row, b: m.Row) -> bool:
    """Whether two rows of a table compete for one event, in some state and edition."""
    return (a.event, a.kind) == (b.event, b.kind) and can_meet(a, b)


def can_meet(a: m.Row, b: m.Row) -> bool:
    """Whether two rows stand in some state and edition together."""
    if a.states and b.states and a.region == b.region and not a.states & b.states:
        return False
    return not a.editions or not b.editions or bool(set(a.editions) & set(b.editions))


def denied(row: m.Row, above: m.Row, regions: Mapping[str, m.Region]) -> Expr:
    """That `above` is not taken, as a conjunct of `row`. Where `above` stands in part of its states or editions, that counts there."""
    own = set(row.guard)
    names = dict(zip(above.binders, row.binders, strict=False))
    parts = (*narrowed(row, above, regions), *(c for c in (rename(c, names) for c in above.guard) if c not in own))
    return replace(negate(conjoin(parts)), before=above.id)


def narrowed(row: m.Row, above: m.Row, regions: Mapping[str, m.Region]) -> tuple[Expr, ...]:
    """Where of the states and editions of `row` the row `above` stands too; none for everywhere."""
    parts: list[Expr] = []
    if above.states and not (row.states and row.states <= above.states):
        parts.append(_among(regions[above.region], above.states))
    if above.editions and not (row.editions and set(row.editions) <= set(above.editions)):
        listed = tuple(Lit(str(e), type=_EDITION) for e in above.editions)
        parts.append(Member(Name("edition", "edition", type=_EDITION), SetLit(listed, type=_EDITION), type=BOOL))
    return tuple(parts)


def _among(region: m.Region, states: frozenset[str]) -> Expr:
    kind = Type("enum", region.name)
    listed = tuple(Lit(s.name, type=kind) for s in region.states if s.name in states)
    place = Name(region.name, "region", type=kind)
    if len(listed) == 1:
        return Binary("==", place, listed[0], type=BOOL)
    return Member(place, SetLit(listed, type=Type("set", region.name)), type=BOOL)


# --- editions ----------------------------------------------------------------------------------------------------------


def at_edition(machine: m.Machine, edition: int | None) -> m.Machine:
    """`machine` with the guards that its rows have in `edition`; itself where no guard depends on that."""
    tables = {}
    for name, table in machine.tables.items():
        rows = tuple(_at_edition(row, edition) for row in table.rows)
        if any(a is not b for a, b in zip(rows, table.rows, strict=True)):
            tables[name] = replace(table, rows=rows)
    return replace(machine, tables={**machine.tables, **tables}) if tables else machine


def _at_edition(row: m.Row, edition: int | None) -> m.Row:
    if not any(isinstance(n, Name) and n.kind == "edition" for c in row.guard for n in walk(c)):
        return row
    settled = (_settled(c, str(edition)) for c in row.guard)
    return replace(row, guard=tuple(c for c in settled if c != TRUE))


def _settled(e: Expr, edition: str) -> Expr:
    match e:
        case Member(x=Name(kind="edition"), set=SetLit(items=items)):
            return TRUE if any(isinstance(i, Lit) and i.value == edition for i in items) else FALSE
    return fold_here(rebuild(e, lambda x: _settled(x, edition)), {}, {})
