"""Control states in conditions: what follows from where a row stands, and tests of several states drawn together."""

from __future__ import annotations

from collections.abc import Callable

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, TRUE, Binary, Expr, Lit, Member, Name, SetLit, disjoin, rebuild
from wirelaw.spec.language.python import fold_here
from wirelaw.spec.language.types import BOOL, Type
from wirelaw.tools.generate.naming import Names


def among(machine: m.Machine, states: frozenset[str]) -> Expr:
    """The condition that the region of `states` is in one of them."""
    region = machine.regions[machine.states[min(states)].region]
    kind = Type("enum", region.name)
    place = Name(region.name, "region", type=kind)
    return disjoin([Binary("==", place, Lit(s.name, type=kind), type=BOOL) for s in region.states if s.name in states])


def situated(e: Expr, machine: m.Machine, known: frozenset[str], keep: Callable[[Expr], bool]) -> Expr:
    """`e` where each region that has states in `known` is in one of those. What `keep` holds of is decided as a whole or not at all."""
    match e:
        case Binary(op="==" | "!=" as op, a=Name(kind="region", name=region), b=Lit(value=str(state))):
            here = {s for s in known if machine.states[s].region == region}
            if here and state not in here:
                return Lit(op == "!=", type=BOOL)
            if here == {state}:
                return Lit(op == "==", type=BOOL)
        case Member(x=Name(kind="region", name=region), set=SetLit(items=items)):
            here = {s for s in known if machine.states[s].region == region}
            named = {i.value for i in items if isinstance(i, Lit)}
            if here and (here <= named or not here & named):
                return Lit(here <= named, type=BOOL)
    made = fold_here(rebuild(e, lambda x: situated(x, machine, known, keep)), {}, {})
    return e if keep(e) and made not in (TRUE, FALSE) else made


def gathered(e: Expr, machine: m.Machine, names: Names) -> Expr:
    """`e` with an alternative of three states or more as membership in a constant."""
    if not (isinstance(e, Binary) and e.op == "or"):
        return rebuild(e, lambda x: gathered(x, machine, names))
    parts = _disjuncts(e)
    made: list[Expr] = []
    for part in parts:
        region = _state_test(part)
        states = frozenset(_state(p) for p in parts if region and _state_test(p) == region)
        if len(states) < 3:
            made.append(gathered(part, machine, names))
        elif not any(_state_test(p) == region for p in parts[: parts.index(part)]):
            assert isinstance(part, Binary)
            made.append(Member(part.a, Name(names.state_set(states), "raw"), type=BOOL))
    return disjoin(made)


def _disjuncts(e: Expr) -> list[Expr]:
    return [*_disjuncts(e.a), *_disjuncts(e.b)] if isinstance(e, Binary) and e.op == "or" else [e]


def _state_test(e: Expr) -> str:
    """The region that `e` compares with a state; '' when it does something else."""
    match e:
        case Binary(op="==", a=Name(kind="region", name=region), b=Lit(value=str())):
            return region
    return ""


def _state(e: Expr) -> str:
    assert isinstance(e, Binary)
    assert isinstance(e.b, Lit)
    return str(e.b.value)
