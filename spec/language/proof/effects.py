"""What a row does to the variables and states, as expressions over the state before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language.expressions import (
    FALSE,
    TRUE,
    Binary,
    Call,
    Expr,
    Field,
    Lit,
    Member,
    Name,
    SetLit,
    conjoin,
    disjoin,
    negate,
    rebuild,
    walk,
)
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import BOOL, Type, flip


@dataclass(frozen=True, slots=True)
class Path:
    """One way through a row: `given` must hold of the states before, `after` maps what the row changes to what it becomes.

    Keys of `after` are variables and regions, and what `timer_key` and its like call timers and debts.
    """

    given: tuple[Expr, ...]
    after: Mapping[str, Expr]
    target: str
    actions: tuple[Statement, ...]


def put(e: Expr, after: Mapping[str, Expr]) -> Expr:
    """`e` with variables, regions, timers and debts replaced."""
    key = key_of(e)
    if key:
        return after.get(key, e)
    made = rebuild(e, lambda x: put(x, after))
    return queues.simplified(made) if isinstance(made, Call) and made.kind == "queue" else made


def key_of(e: Expr) -> str:
    """What part of a machine's configuration `e` is, as `Path.after` calls it; '' when it is none."""
    match e:
        case Name(name=name, kind="var" | "region" | "frozen"):
            return name
        case Call(function=function, kind="due", args=(Lit(value=name),)):
            return f"{function} {name}"
    return ""


def keys(e: Expr) -> set[str]:
    """All parts of a configuration that `e` speaks of."""
    return {key for node in walk(e) if (key := key_of(node))}


# --- timers and debts are part of a configuration as well ---------------------------------------------------------


def running(timer: str) -> Expr:
    """That a timer runs."""
    return Call("running", (Lit(timer),), "due", type=BOOL)


def owed(debt: str) -> Expr:
    """That a debt is open; `due` says that we mean to pay it now."""
    return Call("owed", (Lit(debt),), "due", type=BOOL)


def due(debt: str) -> Expr:
    """That the time to pay a debt has come, as a row asks it."""
    return Call("due", (Lit(debt),), "due", type=BOOL)


def frozen(debt: m.Debt) -> dict[str, Expr]:
    """The frozen arguments of an open debt, by parameter."""
    return {n: Name(f"{debt.name} {n}", "frozen", type=kind) for n, kind in debt.params}


def implies(if_: Expr, then: Expr) -> Expr:
    """That `then` holds wherever `if_` does."""
    return disjoin([negate(if_), then])


def put_args(e: Expr, args: Mapping[str, Expr]) -> Expr:
    """`e` with arguments replaced."""
    if isinstance(e, Name) and e.kind == "arg":
        return args.get(e.name, e)
    return rebuild(e, lambda x: put_args(x, args))


def put_fields(e: Expr, row: m.Row, values: Mapping[str, Expr]) -> Expr:
    """`e` with the fields of the row's message replaced by what goes into them, where that is known."""
    if isinstance(e, Field) and isinstance(e.base, Name) and e.base.name in row.binders and e.name in values:
        return values[e.name]
    return rebuild(e, lambda x: put_fields(x, row, values))


def as_built(row: m.Row, machine: m.Machine) -> Iterator[Expr]:
    """The message as we build it: its defaults as equalities."""
    if row.event not in machine.messages or row.default_message is not None:
        return
    message = machine.messages[row.event]
    given = {n: f.default for n, f in message.fields.items() if f.default is not None and n not in row.fields} | row.defaults
    base = Name(row.binders[0], "binder", type=Type("message", row.event))
    for name, value in given.items():
        field_ = Field(base, name, type=flip(message.fields[name].type, incoming=False))
        yield Binary("==", field_, value, type=BOOL)


def pays(row: m.Row, debt: m.Debt, machine: m.Machine) -> Expr:
    """That the message of an output row pays an open debt: a condition on the message and the frozen arguments."""
    if row.role != "output" or row.event not in machine.messages or debt.message not in machine.messages[row.event].lineage:
        return FALSE
    return conjoin([put_args(rename(c, {debt.binder: row.binders[0]}), frozen(debt)) for c in debt.where])


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
        if gate.event in machine.messages[row.event].lineage and gate.where and not gate.editions:
            names = dict(zip(gate.binders, row.binders, strict=False))
            scope = conjoin([*in_states(gate.region, gate.states, machine), *(rename(c, names) for c in gate.guard)])
            demand = conjoin([rename(c, names) for c in gate.where])
            found.append(demand if scope == TRUE else disjoin([negate(scope), demand]))
    return tuple(found)


def others(row: m.Row, machine: m.Machine) -> tuple[Expr, ...]:
    """That no other row of the level is enabled: what `otherwise` stands for."""
    level = [r for r in machine.tables[row.table].rows if r.event == row.event and r.id != row.id and not r.otherwise]
    level = [r for r in level if not r.editions or (row.editions and set(row.editions) <= set(r.editions))]
    found = []
    for r in level:
        names = dict(zip(r.binders, row.binders, strict=False))
        whole = conjoin(tuple(rename(c, names) for c in in_states(r.region, r.states, machine) + r.own))
        found.append(negate(whole))
    return tuple(found)


def assignments(actions: tuple[Statement, ...], machine: m.Machine) -> dict[str, Expr]:
    """What sequential actions change, over the configuration before. A debt without `pay` is only a judge's."""
    after: dict[str, Expr] = {}
    for s in actions:
        match s.kind:
            case "assign" if s.value is not None:
                after[s.name] = put(s.value, after)
            case "start" | "ensure" | "stop":
                after[f"running {s.name}"] = FALSE if s.kind == "stop" else TRUE
            case "owe" if s.value is not None:
                after |= {f"{s.name} {n}": put(a, after) for (n, _), a in zip(machine.debts[s.name].params, s.args, strict=True)}
                after |= {f"owed {s.name}": TRUE, f"due {s.name}": Call("due", (Lit(s.name), Lit("anew")), "due", type=BOOL)}
    return after


def paths(row: m.Row, machine: m.Machine) -> Iterator[Path]:
    """Every way a row can end, with what gates on its message do and which debts it pays."""
    yield from _paths(row, row.ending, row.actions, machine, before_actions(row, machine))


def before_actions(row: m.Row, machine: m.Machine) -> dict[str, Expr]:
    """What happens before the actions of an output row: gates act, each where its scope holds; then debts are struck out."""
    if row.role != "output" or row.event not in machine.messages:
        return {}
    after: dict[str, Expr] = {}
    for gate in machine.gates:
        if gate.event in machine.messages[row.event].lineage:
            names = dict(zip(gate.binders, row.binders, strict=False))
            scope = [*in_states(gate.region, gate.states, machine), *(rename(c, names) for c in gate.guard)]
            if gate.editions:  # whether it is in force is not known here
                scope.append(Call("edition", (Lit(gate.id),), "due", type=BOOL))
            acted = {key: put(rename(value, names), after) for key, value in assignments(gate.actions, machine).items()}
            for key, value in acted.items():
                args = (conjoin(scope), value, after.get(key) or _before(key, value.type, machine))
                after[key] = Call("select", args, "builtin", type=value.type) if scope else value
    for debt in machine.debts.values():
        paid = pays(row, debt, machine)
        for part in () if paid == FALSE else (owed(debt.name), due(debt.name)):
            after[key_of(part)] = conjoin([put(part, after), negate(paid)]) if paid != TRUE else FALSE
    return after


def _before(key: str, kind: Type, machine: m.Machine) -> Expr:
    """The part of a configuration that `key` calls, by itself."""
    function, _, name = key.partition(" ")
    if function in ("running", "owed", "due") and name:
        return Call(function, (Lit(name),), "due", type=BOOL)
    return Name(key, "frozen" if name else "var", type=machine.variables[key].type if key in machine.variables else kind)


def _paths(row: m.Row, ending: Ending, actions: tuple[Statement, ...], machine: m.Machine, first: dict[str, Expr]) -> Iterator[Path]:
    if ending.kind == "either":
        for alternative, more in ending.alternatives:
            yield from _paths(row, alternative, actions + more, machine, first)
        return
    after = {**first, **{key: put(value, first) for key, value in assignments(actions, machine).items()}}
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
        void = {f"{what} {d.name}": FALSE for d in machine.debts.values() if machine.voids(target, d) for what in ("owed", "due")}
        yield Path(given, {**after, **void, region: Lit(target, type=Type("enum", region))}, target, actions)


@dataclass(frozen=True, slots=True)
class Way:
    """One step of a machine: a path of a row, or (without a row) a timer that expires. `when` must hold before, `name` calls it."""

    row: m.Row | None
    name: str
    when: tuple[Expr, ...]
    sent: tuple[Expr, ...]
    path: Path


def ways(machine: m.Machine) -> Iterator[Way]:
    """Every step. Gates act as parts of output rows; a timer that expires does not run while its rows are looked at.

    What stands in a family speaks of one instance, the same in all that is asked at once. A row of another instance changes
    nothing for it but what is the machine's: such a step is a second one, with all that is the other's called by other names.
    """
    for way in _ways(machine):
        yield way
        if way.row is not None and way.row.family:
            outside = {key: e for key, e in way.path.after.items() if not family_of(key, machine)}
            if outside:
                yield _of_another(way, outside, machine)


def family_of(key: str, machine: m.Machine) -> str:
    """The family of a part of a configuration; '' for the machine's own."""
    what, _, name = key.rpartition(" ")
    if not what:
        return (machine.variables.get(key) or machine.regions[key]).family
    if what == "running":
        return machine.timers[name].family
    return machine.debts[name if what in ("owed", "due") else what].family


def of_another(e: Expr, machine: m.Machine) -> Expr:
    """`e` as it is said of another instance."""
    key = key_of(e)
    if key:
        return Name(f"other {key}", "arg", type=e.type) if family_of(key, machine) else e
    return rebuild(e, lambda x: of_another(x, machine))


def _of_another(way: Way, outside: Mapping[str, Expr], machine: m.Machine) -> Way:
    """The same step by another instance: it changes what is `outside` of the family only."""
    assert way.row is not None
    when, sent = (tuple(of_another(e, machine) for e in part) for part in (way.when, way.sent))
    target = "" if way.path.target and machine.regions[machine.states[way.path.target].region].family else way.path.target
    path = replace(way.path, given=(), after={key: of_another(e, machine) for key, e in outside.items()}, target=target)
    is_own = bool(way.row.region) and machine.regions[way.row.region].family == way.row.family
    row = replace(way.row, region="", states=frozenset()) if is_own else way.row
    return Way(row, way.name, when, sent, path)


def _ways(machine: m.Machine) -> Iterator[Way]:
    for row in machine.rows():
        if row.role != "gate":
            when, sent = (*enabling(row, machine), *_expired(row, machine)), demanded(row, machine)
            yield from (Way(row, f"row [{row.id}]", (*when, *path.given), sent, path) for path in paths(row, machine))
    for timer in machine.timers:
        yield Way(None, f"the expiry of timer `{timer}`", (running(timer),), (), Path((), {f"running {timer}": FALSE}, "", ()))


def _expired(row: m.Row, machine: m.Machine) -> tuple[Expr, ...]:
    """A timer whose rows stand in one table does not run when they are looked at."""
    alone = row.event_kind == "timer" and sum(any(r.event == row.event for r in t.rows) for t in machine.tables.values()) == 1
    return (negate(running(row.event)),) if alone else ()


def starts(machine: m.Machine, family: str = "") -> Iterator[dict[str, Expr]]:
    """Initial values with each initial state of each region; no timer runs and nothing is owed.

    An instance of `family` may begin at any time: nothing is said of what is outside of it. Keys have any value.
    """
    values: dict[str, Expr] = {name: v.init for name, v in machine.variables.items() if v.kind != "key"}
    values |= {f"running {t}": FALSE for t in machine.timers} | {f"{what} {d}": FALSE for d in machine.debts for what in ("owed", "due")}
    first = {r.name: Lit(r.initial[0].name, type=Type("enum", r.name)) for r in machine.regions.values()}
    begun = {key: e for key, e in {**values, **first}.items() if not family or family_of(key, machine) == family}
    yield begun
    for region in machine.regions.values():
        for state in region.initial[1:] if region.name in begun else ():
            yield {**begun, region.name: Lit(state.name, type=Type("enum", region.name))}


def as_claims(machine: m.Machine) -> list[tuple[m.Property, Expr]]:
    """Invariants and `never`s as one condition each: in these states, this holds."""
    found = []
    for p in machine.properties:
        body = p.condition if p.kind == "invariant" else negate(p.condition)
        region = machine.states[next(iter(p.states))].region if p.states else ""
        scope = in_states(region, p.states, machine)
        found.append((p, disjoin([negate(conjoin(scope)), body]) if scope else body))
    return found
