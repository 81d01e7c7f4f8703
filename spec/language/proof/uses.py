"""Every place where an expression is worked out, with what holds there: conditions are tested from left to right, actions run in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, children, negate
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.effects import as_built, assignments, before_actions, demanded, enabling, in_states, put, put_fields
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import Type, flip

Conditions = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One expression of `row`, over the configuration before the row; `where` holds when it is worked out.

    `stored` is the type of what takes the value, and `place` what that is called; both are empty for a condition.
    """

    row: m.Row
    value: Expr
    where: Conditions
    stored: Type | None = None
    place: str = ""


def uses(machine: m.Machine, profiles: Sequence[Profile]) -> Iterator[Use]:
    """Every use in the rows of a machine; fields that a row leaves out are filled by each profile."""
    for row in machine.rows():
        yield from _conditions(row, machine)
        yield from _fields(row, machine, profiles)
        yield from _acts(row, row.ending, row.actions, machine, profiles)


def _conditions(row: m.Row, machine: m.Machine) -> Iterator[Use]:
    """Guard, moment and demand. A judge takes what it cannot see as true, so what it sees must be safe without that."""
    states = in_states(row.region, row.states, machine)
    yield from _each(row, row.guard, states, machine)
    yield from _each(row, row.when, (*states, *row.guard), machine)
    yield from _each(row, row.where, (*states, *machine.visible(row.guard)), machine)


def _each(row: m.Row, conditions: Conditions, before: Conditions, machine: m.Machine) -> Iterator[Use]:
    for n, c in enumerate(conditions):
        known = (*before, *conditions[:n])
        yield Use(row, c, known if machine.is_hidden(c) else machine.visible(known))


def _fields(row: m.Row, machine: m.Machine, profiles: Sequence[Profile]) -> Iterator[Use]:
    if row.role != "output" or row.event not in machine.messages:
        return
    where = (*in_states(row.region, row.states, machine), *row.guard, *row.when)
    if row.default_message is not None:
        yield Use(row, row.default_message, where)
    given = {**row.fields, **row.defaults}
    sent = tuple(put_fields(c, row, given) for c in demanded(row, machine))
    yield from _filled(row, row.event, given, (*where, *sent), machine, profiles if row.default_message is None else ())


def _filled(
    row: m.Row, message: str, given: Mapping[str, Expr], where: Conditions, machine: m.Machine, profiles: Sequence[Profile]
) -> Iterator[Use]:
    """What goes into a message: what is given, and what each profile or the declaration puts where nothing is."""
    for name, f in machine.messages[message].fields.items():
        kind = flip(f.type, incoming=False)
        values = [given[name]] if name in given else [p.fills.get(message, {}).get(name, f.default) for p in profiles]
        for value in values:
            if value is not None:
                yield Use(row, value, where, kind, f"field `{name}` of `{message}`")


def _acts(row: m.Row, ending: Ending, actions: tuple[Statement, ...], machine: m.Machine, profiles: Sequence[Profile]) -> Iterator[Use]:
    if ending.kind == "either":
        for alternative, more in ending.alternatives:
            yield from _acts(row, alternative, actions + more, machine, profiles)
        return
    first, built = before_actions(row, machine), tuple(as_built(row, machine))
    where = (*enabling(row, machine), *row.when, *demanded(row, machine), *(row.where if row.role == "gate" else ()))
    for n, s in enumerate(actions):
        after = {**first, **{key: put(value, first) for key, value in assignments(actions[:n], machine).items()}}

        def at(e: Expr, after: Mapping[str, Expr] = after) -> Expr:
            return put(e, after)

        if s.kind == "assign" and s.value is not None:
            ours = machine.variables[s.name].kind != "var"  # a judge drops it, so it happens as we build the message, or never
            if not ours or row.mode != "may":
                known = (*where, *built) if ours else where
                yield Use(row, at(s.value), known, machine.variables[s.name].type, f"`{s.name}`")
        elif s.kind in ("start", "ensure") and row.mode == "may":
            continue
        elif s.value is not None:
            yield Use(row, at(s.value), where)
        params = machine.debts[s.name].params if s.kind == "owe" else machine.functions[s.name].params if s.kind == "tell" else ()
        for (name, kind), a in zip(params, s.args, strict=False):
            yield Use(row, at(a), where, kind, f"argument `{name}` of `{s.name}`")
        if s.kind == "send":
            yield from _filled(row, s.name, {name: at(e) for name, e in s.fields if e is not None}, where, machine, profiles)


def parts(e: Expr, where: Conditions) -> Iterator[tuple[Expr, Conditions]]:
    """`e` and all its parts, each with what holds when it is worked out: the right side of `and` only where the left one holds."""
    yield e, where
    match e:
        case Binary(op="and", a=a, b=b):
            yield from parts(a, where)
            yield from parts(b, (*where, a))
        case Binary(op="or", a=a, b=b):
            yield from parts(a, where)
            yield from parts(b, (*where, negate(a)))
        case Call(function="select", kind="builtin", args=(test, yes, no)):
            yield from parts(test, where)
            yield from parts(yes, (*where, test))
            yield from parts(no, (*where, negate(test)))
        case _:
            for part in children(e):
                yield from parts(part, where)
