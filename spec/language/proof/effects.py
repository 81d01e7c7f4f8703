"""What a row does to the variables and states, as expressions over the state before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import TRUE, Expr, Lit, Member, Name, SetLit, conjoin, disjoin, negate, rebuild
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import BOOL, Type


@dataclass(frozen=True, slots=True)
class Path:
    """One way through a row: `given` must hold of the states before, `after` maps variables and regions to what they become."""

    given: tuple[Expr, ...]
    after: Mapping[str, Expr]
    target: str
    actions: tuple[Statement, ...]


def put(e: Expr, after: Mapping[str, Expr]) -> Expr:
    """`e` with variables and regions replaced."""
    if isinstance(e, Name) and e.kind in ("var", "region"):
        return after.get(e.name, e)
    return rebuild(e, lambda x: put(x, after))


def rename(e: Expr, binders: Mapping[str, str]) -> Expr:
    """`e` with messages and arguments called by other names; `e` itself where they are the same names."""
    return _rename(e, binders) if any(old != new for old, new in binders.items()) else e


def _rename(e: Expr, binders: Mapping[str, str]) -> Expr:
    if isinstance(e, Name) and e.kind in ("binder", "arg") and e.name in binders:
        return Name(binders[e.name], e.kind, type=e.type, span=e.span)
    return rebuild(e, lambda x: _rename(x, binders))


def in_states(region: str, states: frozenset[str] | tuple[str, ...], machine: m.Machine) -> tuple[Expr, ...]:
    """The condition that `region` is in one of `states`; none for all of them or none named."""
    if not states or not region:
        return ()
    kind = Type("enum", region)
    listed = tuple(Lit(s.name, type=kind) for s in machine.regions[region].states if s.name in states)
    return (Member(Name(region, "region", type=kind), SetLit(listed, type=Type("set", region)), type=BOOL),)


def enabling(row: m.Row, machine: m.Machine) -> tuple[Expr, ...]:
    """States and guard of a row as conditions; an `otherwise` row's guard is what the others of its level leave."""
    return in_states(row.region, row.states, machine) + (others(row, machine) if row.otherwise else row.guard)


def demanded(row: m.Row, machine: m.Machine) -> tuple[Expr, ...]:
    """What holds of the message of an output row when it fires: its `where`, and what every gate on it demands."""
    if row.role != "output" or row.event not in machine.messages:
        return row.where
    found = list(row.where)
    for gate in machine.gates:
        if gate.event in machine.messages[row.event].lineage and gate.where:
            names = dict(zip(gate.binders, row.binders, strict=False))
            scope = conjoin([*in_states(gate.region, gate.states, machine), *(rename(c, names) for c in gate.guard)])
            demand = conjoin([rename(c, names) for c in gate.where])
            found.append(demand if scope == TRUE else disjoin([negate(scope), demand]))
    return tuple(found)


def others(row: m.Row, machine: m.Machine) -> tuple[Expr, ...]:
    """That no other row of the level is enabled: what `otherwise` stands for."""
    level = [r for r in machine.tables[row.table].rows if r.event == row.event and r.id != row.id and not r.otherwise]
    found = []
    for r in level:
        names = dict(zip(r.binders, row.binders, strict=False))
        whole = conjoin(tuple(rename(c, names) for c in in_states(r.region, r.states, machine) + r.own))
        found.append(negate(whole))
    return tuple(found)


def assignments(actions: tuple[Statement, ...]) -> dict[str, Expr]:
    """Variables after sequential assignments, over the state before."""
    after: dict[str, Expr] = {}
    for s in actions:
        if s.kind == "assign" and s.value is not None:
            after[s.name] = put(s.value, after)
    return after


def paths(row: m.Row, machine: m.Machine) -> Iterator[Path]:
    """Every way a row can end."""
    yield from _paths(row, row.ending, row.actions, machine)


def _paths(row: m.Row, ending: Ending, actions: tuple[Statement, ...], machine: m.Machine) -> Iterator[Path]:
    after = assignments(actions)
    if ending.kind == "either":
        for alternative, more in ending.alternatives:
            yield from _paths(row, alternative, actions + more, machine)
        return
    targets: Mapping[str, str] = {}
    if ending.kind == "become" and isinstance(ending.target, dict):
        targets = ending.target
    elif ending.kind == "abort" and machine.abort is not None:
        targets = machine.abort.target
    if not targets:
        yield Path((), after, "", actions)
    for before, target in targets.items():
        region = machine.states[target].region
        given = in_states(machine.states[before].region, (before,), machine) if before else ()
        yield Path(given, {**after, region: Lit(target, type=Type("enum", region))}, target, actions)


def as_claims(machine: m.Machine) -> list[tuple[m.Property, Expr]]:
    """Invariants and `never`s as one condition each: in these states, this holds."""
    found = []
    for p in machine.properties:
        body = p.condition if p.kind == "invariant" else negate(p.condition)
        region = machine.states[next(iter(p.states))].region if p.states else ""
        scope = in_states(region, p.states, machine)
        found.append((p, disjoin([negate(conjoin(scope)), body]) if scope else body))
    return found
