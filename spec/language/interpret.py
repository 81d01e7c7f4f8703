"""The reference interpreter: what a table and a profile mean, by direct reading of the model.

Slow and plain on purpose. The generated code is validated against it, event by event (see tests/test_translation.py).

The order of things, which every reading shares:

1. An input message runs through its pipeline. In each table the most specific event level that has a row for the current
   state is chosen; exactly one of its rows is enabled. Actions are sequential. Met no row anywhere: `UnmetEventError`.
2. Outputs are made by `pump`, after a batch of inputs: the first row in profile order that is enabled (state, guard, when),
   whose message satisfies `where` and to which every gate agrees, fires; then again from the top until none does.
3. When a row fires: gates and `where` are tested on the state before; gate actions, then row actions; debts that the
   message pays are struck out; then the state changes, and debts whose `while` the new state leaves are void.
4. A reply (`send`, the message of an `abort`) goes out as it is made. Gates that speak of the message alone bind it too.
5. After a row that changed an instance of a family, the instance is forgotten if it is as instances begin or in a final state;
   else it takes its place in line for each output row whose own part holds of it, and keeps the one it has. One that fired a
   row goes to the end of that line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from wirelaw.spec.language import model as m
from wirelaw.spec.language.evaluate import MASK, Context, evaluate
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, walk
from wirelaw.spec.language.externs import functions_of
from wirelaw.spec.language.families import own_part
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.sugar import at_edition
from wirelaw.spec.language.tree import Ending, Statement

OUTPUTS_PER_PUMP = 100_000


class TableError(Exception):
    """The table is wrong: no row, or several, for something that happened. `wirelaw check` proves that it cannot be raised."""


class UnmetEventError(TableError):
    """An event that no table has a row for."""


class Host(Protocol):
    """What surrounds a machine: answers `ask`, takes `tell`, and carries messages away."""

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        """Answer a question declared by `ask`."""

    def tell(self, name: str, args: tuple[Any, ...]) -> None:
        """Take news declared by `tell`."""

    def emit(self, message: str, fields: SimpleNamespace) -> None:
        """Carry one message away; `fields` has one attribute per declared field."""


@dataclass(frozen=True, slots=True)
class Step:
    """The record of one row taken: what every consumer (oracle, coverage, diagram, witness, trace) shares."""

    time: int
    table: str
    row: str
    event: str
    bindings: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Owed:
    """An open debt: frozen arguments, when we mean to pay, and its level."""

    args: tuple[Any, ...]
    due: int
    level: str


@dataclass(slots=True, eq=False)
class Instance:
    """Variables and states, running timers and open debts: of a member of a family, or of the machine itself (no `family`).

    `counted`: a region or a `var` was not as at the beginning when its last row was done.
    """

    family: str = ""
    key: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    debts: dict[str, Owed] = field(default_factory=dict)
    counted: bool = False


def editions(machine: m.Machine) -> tuple[int, ...]:
    """All editions its rows name, ascending."""
    return tuple(sorted({e for row in machine.rows() for e in row.editions}))


class Interpreter:
    """One machine, running. `host` surrounds it; `now` is microseconds on a clock of the caller's."""

    def __init__(
        self, machine: m.Machine, profile: Profile, host: Host, on_step: Callable[[Step], None] | None = None, edition: int | None = None
    ) -> None:
        known = editions(machine)
        self.edition = edition if edition is not None else (known[-1] if known else 0)
        self.machine = at_edition(machine, self.edition)
        self.profile = profile
        self.host = host
        self.on_step = on_step
        self.externs = functions_of(machine)
        self.whole = self.here = Instance()
        self.instances: dict[str, dict[Any, Instance]] = {name: {} for name in machine.families}
        self.lines: dict[str, dict[Any, Instance]] = {r.id: {} for r in machine.emissions if r.family}
        self.refused: str | None = None
        self._begin(self.whole)

    # --- state -------------------------------------------------------------------------------------------------

    def _begin(self, i: Instance) -> None:
        for region in self.machine.regions.values():
            if region.family == i.family:
                i.values[region.name] = region.initial[0].name
        context = self.context()
        for v in self.machine.variables.values():
            if v.family == i.family:
                i.values[v.name] = i.key if v.kind == "key" else evaluate(v.init, context)

    def _holder(self, owner: m.Variable | m.Region | m.Timer | m.Debt) -> Instance:
        return self.here if owner.family else self.whole

    def get(self, name: str) -> Any:
        """The value of a variable, or the state of a region."""
        return self._holder(self.machine.variables.get(name) or self.machine.regions[name]).values[name]

    def put(self, name: str, value: Any) -> None:
        """Set a variable or a region's state."""
        self._holder(self.machine.variables.get(name) or self.machine.regions[name]).values[name] = value

    @property
    def state(self) -> str:
        """The state of the first region outside of families."""
        return next((str(self.whole.values[r.name]) for r in self.machine.regions.values() if not r.family), "")

    def context(self, binders: dict[str, Any] | None = None, args: dict[str, Any] | None = None, now: int = 0) -> Context:
        """What expressions see here."""
        return Context(
            self.get, self.get, self._function, self.profile.params, self.profile.choices, binders or {}, args or {}, now
        )  # fmt: skip

    def _function(self, kind: str, name: str, args: tuple[Any, ...]) -> Any:
        if kind == "extern":
            return getattr(self.externs, name)(*args)
        if kind == "ask":
            return self.host.ask(name, args)
        if kind == "count":
            return sum(i.counted for i in self.instances[args[0]].values())
        if name == "due":
            owed = self._holder(self.machine.debts[args[0]]).debts.get(args[0])
            return owed is not None and owed.due <= self._now
        return args[0] in self._holder(self.machine.timers[args[0]]).timers

    # --- inputs ------------------------------------------------------------------------------------------------

    def input(self, message: str, m_in: Any, now: int) -> None:
        """A message of kind `message` arrives; its attributes are the declared fields."""
        self._now = now
        info = self.machine.messages[message]
        pipeline = next(self.machine.inputs[name] for name in info.lineage if name in self.machine.inputs)
        met = False
        for stage in pipeline.tables:
            table = self.machine.tables[stage]
            row = self._select(table, info.lineage, m_in, {}, now)
            if row is None:
                continue
            met = True
            if not self._take(row, row.ending, row.actions, m_in, {}, now, message):
                return
        if not met:
            raise UnmetEventError(f"{self.machine.name}: no row for {message} in {self.state}")

    def call(self, name: str, *args: Any, now: int) -> str | None:
        """A call of the user; the code of a refusal, or None."""
        return self._event(name, dict(zip((n for n, _ in self.machine.functions[name].params), args, strict=True)), now)

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            expired = [(at, n, i) for i in self._everybody() for n, at in i.timers.items() if at <= now]
            if not expired:
                return
            _, name, i = min(expired, key=lambda x: x[:2])
            del i.timers[name]
            self.here = i
            if self._noticed(name):
                self._event(name, {}, now)
            self._settle(i, now)

    def _noticed(self, timer: str) -> bool:
        """Whether any row is about the timer; one that is only asked, by `running(..)`, just ends."""
        return any(row.event == timer for table in self.machine.tables.values() for row in table.rows)

    def deadline(self) -> int | None:
        """The earliest time at which `tick` or `pump` has something to do by itself."""
        times = [at for i in self._everybody() for at in i.timers.values()]
        times += [o.due for i in self._everybody() for o in i.debts.values()]
        return min(times, default=None)

    def _everybody(self) -> Iterator[Instance]:
        """The machine itself, then all instances that are kept, each family's in the order in which they came."""
        yield self.whole
        for kept in self.instances.values():
            yield from kept.values()

    def _event(self, name: str, args: dict[str, Any], now: int) -> str | None:
        self._now = now
        self.refused = None
        met = False
        for table in self.machine.tables.values():
            row = self._select(table, (name,), None, args, now)
            if row is not None:
                met = True
                by_binder = dict(zip(row.binders, args.values(), strict=True))
                if not self._take(row, row.ending, row.actions, None, by_binder, now, name):
                    break
        if not met:
            raise UnmetEventError(f"{self.machine.name}: no row for {name} in {self.state}")
        return self.refused

    def _select(self, table: m.Table, lineage: tuple[str, ...], m_in: Any, args: dict[str, Any], now: int) -> m.Row | None:
        if table.family and any(r.event in lineage for r in table.rows) and lineage[0] not in self.machine.timers:
            key = self.machine.families[table.family].key
            self.here = self._instance(table.family, args[key] if m_in is None else getattr(m_in, key))
        for level in lineage:
            rows = [r for r in table.rows if r.event == level and self._in_states(r) and self._of_edition(r)]
            if rows:
                break
        else:
            return None
        enabled = [r for r in rows if not r.otherwise and self._holds(r, m_in, args, now)]
        if not enabled:
            enabled = [r for r in rows if r.otherwise]
        if len(enabled) != 1:
            listed = ", ".join(r.id for r in enabled) or "none"
            raise TableError(f"{self.machine.name}, table {table.name}, {self.state}: rows enabled for {level}: {listed}")
        return enabled[0]

    # --- instances ---------------------------------------------------------------------------------------------

    def _instance(self, family: str, key: Any) -> Instance:
        """The instance `key` of a family; where none is kept, a fresh one."""
        if (kept := self.instances[family].get(key)) is not None:
            return kept
        made = Instance(family, key)
        self._begin(made)
        return made

    def _settle(self, i: Instance, now: int) -> None:
        """Keep or forget an instance after a row, and line it up for the output rows that it may fire."""
        if not i.family:
            return
        kept, rows = self.instances[i.family], [r for r in self.machine.emissions if r.family == i.family]
        if self._is_final(i) or not (self._differs(i, ("var", "user")) or i.timers or i.debts):
            if kept.get(i.key) is i:
                del kept[i.key]
            for row in rows:
                if self.lines[row.id].get(i.key) is i:
                    del self.lines[row.id][i.key]
            return
        kept[i.key] = i
        i.counted = self._differs(i, ("var",))
        here, self.here, self._now = self.here, i, now
        for row in rows:
            if self._may_fire(row, now):
                self.lines[row.id].setdefault(i.key, i)
            else:
                self.lines[row.id].pop(i.key, None)
        self.here = here

    def _is_final(self, i: Instance) -> bool:
        return any(self.machine.states[i.values[r.name]].final for r in self.machine.regions.values() if r.family == i.family)

    def _differs(self, i: Instance, kinds: tuple[str, ...]) -> bool:
        """Whether a region, or a variable of one of these kinds, is not as instances begin."""
        fresh = Instance(i.family, i.key)
        self._begin(fresh)
        names = [r.name for r in self.machine.regions.values()] + [v.name for v in self.machine.variables.values() if v.kind in kinds]
        return any(i.values[n] != fresh.values[n] for n in names if n in i.values)

    def _may_fire(self, row: m.Row, now: int) -> bool:
        """Whether what only the instance at hand decides lets it fire an output row."""
        is_inside, own, _ = own_part(row, self.machine)
        context = self.context(now=now)
        return (not is_inside or self._in_states(row)) and all(evaluate(c, context) for c in own)

    def _wake(self, now: int) -> None:
        """Line up the instances whose debts have fallen due."""
        due = [(o.due, n, i) for i in self._everybody() for n, o in i.debts.items() if i.family and o.due <= now]
        for _, _, i in sorted(due, key=lambda x: x[:2]):
            self._settle(i, now)

    def _in_states(self, row: m.Row) -> bool:
        return not row.states or self.get(row.region) in row.states

    def _of_edition(self, row: m.Row) -> bool:
        return not row.editions or self.edition in row.editions

    def _holds(self, row: m.Row, m_in: Any, args: dict[str, Any], now: int) -> bool:
        binders = dict.fromkeys(row.binders, m_in) if row.event_kind == "message" else {}
        named = dict(zip(row.binders, args.values(), strict=True)) if row.event_kind == "call" else {}
        context = self.context(binders, named, now)
        return all(evaluate(c, context) for c in row.guard)

    def _take(
        self, row: m.Row, ending: Ending, actions: tuple[Statement, ...], m_in: Any, args: dict[str, Any], now: int, event: str
    ) -> bool:
        """Run one row; True when the next table of the pipeline is to be asked."""
        if ending.kind == "either":
            side = self.profile.takes.get(row.id, "go")
            ending, more = next(
                (e, acts) for e, acts in ending.alternatives if (e.kind == "abort") == (side == "abort")
            )  # fmt: skip
            actions = actions + more
        before = self._values()
        binders = dict.fromkeys(row.binders, m_in) if row.event_kind == "message" else {}
        self._act(actions, binders, args, now)
        going = self._end(ending, row, now)
        if row.family:
            self._settle(self.here, now)
        self._record(row, event, before, m_in, now)
        return going

    def _end(self, ending: Ending, row: m.Row, now: int) -> bool:
        match ending.kind:
            case "next":
                return True
            case "become":
                assert isinstance(ending.target, dict)
                target = ending.target.get("") or ending.target[self.get(row.region)]
                self._become(target)
                return ending.continuation == "next"
            case "refuse":
                self.refused = str(ending.codes[0])
            case "abort":
                self._abort(ending.codes[0], now)
        return False

    def _become(self, target: str) -> None:
        self.put(self.machine.states[target].region, target)
        for name, debt in self.machine.debts.items():
            if self.machine.voids(target, debt):
                self._holder(debt).debts.pop(name, None)

    def _abort(self, code: str | int, now: int) -> None:
        rule = self.machine.abort
        assert rule is not None
        if rule.message is not None:
            context = self.context({}, {rule.argument: code}, now)
            given = {n: evaluate(v, context) for n, v in equalities(rule.where)}
            self._reply(rule.message, self._complete(rule.message, given, context), now)
        target = rule.target.get("") or rule.target[self.get(self.machine.states[next(iter(rule.target.values()))].region)]
        self._become(target)

    # --- actions -----------------------------------------------------------------------------------------------

    def _act(self, actions: tuple[Statement, ...], binders: dict[str, Any], args: dict[str, Any], now: int) -> None:
        for s in actions:
            context = self.context(binders, args, now)
            values = tuple(evaluate(a, context) for a in s.args)
            value = evaluate(s.value, context) if s.value is not None else None
            match s.kind:
                case "assign":
                    self.put(s.name, value)
                case "owe" if value is not None:  # without `pay` a debt is only the oracle's
                    due, debts = now + value, self._holder(self.machine.debts[s.name]).debts
                    old = debts.get(s.name)
                    debts[s.name] = Owed(values, min(due, old.due) if old else due, s.level or "MUST")
                case "start":
                    self._holder(self.machine.timers[s.name]).timers[s.name] = now + (value or 0)
                case "ensure":
                    self._holder(self.machine.timers[s.name]).timers.setdefault(s.name, now + (value or 0))
                case "stop":
                    self._holder(self.machine.timers[s.name]).timers.pop(s.name, None)
                case "tell":
                    self.host.tell(s.name, values)
                case "send":
                    given = {n: evaluate(v, context) for n, v in s.fields if v is not None}
                    self._reply(s.name, self._complete(s.name, given, context), now)

    def _reply(self, message: str, o: SimpleNamespace, now: int) -> None:
        lineage = self.machine.messages[message].lineage
        for gate in self.machine.gates:
            if gate.event in lineage and self._of_edition(gate) and binds_replies(gate):
                context = self.context({gate.binders[0]: o}, now=now)
                if all(evaluate(c, context) for c in gate.guard) and not all(evaluate(c, context) for c in gate.where):
                    raise TableError(f"{self.machine.name}: gate [{gate.id}] refuses the reply {message} in {self.state}")
        self.host.emit(message, o)

    def _complete(self, message: str, given: dict[str, Any], context: Context) -> SimpleNamespace:
        """A message with every field: given, then the profile's, then the field's default, then zero."""
        made = SimpleNamespace()
        fills = self.profile.fills.get(message, {})
        for name, f in self.machine.messages[message].fields.items():
            if name in given:
                value = given[name]
            elif name in fills:
                value = evaluate(fills[name], context)
            elif f.default is not None:
                value = evaluate(f.default, context)
            elif name == "kind" and f.type.kind == "string":
                value = message
            else:
                value = False if f.type.kind == "bool" else 0 if f.type.kind in ("uint", "seq", "duration", "time") else None
            setattr(made, name, value)
        return made

    # --- outputs -----------------------------------------------------------------------------------------------

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now."""
        self._now = now
        self._wake(now)
        for _ in range(OUTPUTS_PER_PUMP * (1 + sum(len(kept) for kept in self.instances.values()))):
            if not any(self._try(row, now) for row in self._ordered()):
                return
        raise TableError(f"{self.machine.name}: output rows fire for ever in {self.state}")

    def _ordered(self) -> Iterator[m.Row]:
        by_id = {r.id: r for r in self.machine.emissions}
        for row_id in self.profile.order:
            yield by_id[row_id]

    def _try(self, row: m.Row, now: int) -> bool:
        if not self._of_edition(row):
            return False
        self.here = self.whole
        if not row.family:
            return self._in_states(row) and self._fire(row, row.guard + row.when, now)
        is_inside, _, others = own_part(row, self.machine)
        for i in list(self.lines[row.id].values()):
            self.here = i
            if (is_inside or self._in_states(row)) and self._fire(row, others, now):
                return True
        return False

    def _fire(self, row: m.Row, moment: tuple[Expr, ...], now: int) -> bool:
        context = self.context(now=now)
        if not all(evaluate(c, context) for c in moment):
            return False
        before = self._values()
        if row.event_kind == "auto":
            self._act(row.actions, {}, {}, now)
            self._end(row.ending, row, now)
            self._fired(row, now)
            self._record(row, "", before, None, now)
            return True
        o = self._build(row, now)
        binders = {row.binders[0]: o}
        if not all(evaluate(c, self.context(binders, now=now)) for c in row.where):
            return False
        gates = [g for g in self._gates(row.event) if self._applies(g, o, now)]
        if not all(evaluate(c, self.context({g.binders[0]: o}, now=now)) for g in gates for c in g.where):
            return False
        for gate in gates:
            self._act(gate.actions, {gate.binders[0]: o}, {}, now)
        self._pay(row.event, o, now)
        self._act(row.actions, binders, {}, now)
        self.host.emit(row.event, o)
        self._end(row.ending, row, now)
        self._fired(row, now)
        self._record(row, row.event, before, o, now)
        return True

    def _fired(self, row: m.Row, now: int) -> None:
        """The instance that fired goes to the end of the line."""
        if row.family:
            self.lines[row.id].pop(self.here.key, None)
            self._settle(self.here, now)

    def _build(self, row: m.Row, now: int) -> SimpleNamespace:
        made = SimpleNamespace()
        context = self.context({row.binders[0]: made}, now=now)
        if row.default_message is not None:
            whole = evaluate(row.default_message, context)
            made.__dict__.update({n: getattr(whole, n) for n in self.machine.messages[row.event].fields})
        given: dict[str, Any] = dict(vars(made))
        for name, e in (*row.fields.items(), *row.defaults.items()):
            given[name] = evaluate(e, context)
            setattr(made, name, given[name])
        made.__dict__.update(vars(self._complete(row.event, given, context)))
        return made

    def _gates(self, message: str) -> list[m.Row]:
        lineage = self.machine.messages[message].lineage
        return [g for g in self.machine.gates if g.event in lineage and self._of_edition(g)]

    def _applies(self, gate: m.Row, o: Any, now: int) -> bool:
        context = self.context({gate.binders[0]: o}, now=now)
        return self._in_states(gate) and all(evaluate(c, context) for c in gate.guard)

    def _pay(self, message: str, o: Any, now: int) -> None:
        lineage = self.machine.messages[message].lineage
        for name, debt in self.machine.debts.items():
            debts = self._holder(debt).debts if debt.message in lineage else {}
            if name not in debts:
                continue
            args = {n: v for (n, _), v in zip(debt.params, debts[name].args, strict=True)}
            context = self.context({debt.binder: o}, args, now)
            if all(evaluate(c, context) for c in debt.where):
                del debts[name]

    def _values(self) -> dict[tuple[str, Any], Any]:
        """Everything that rows change, for the record of a step."""
        if self.on_step is None:
            return {}
        everybody = [*self._everybody(), *([self.here] if self.here.family else [])]
        return {(n, (i.family, i.key)): v for i in everybody for n, v in i.values.items()}

    def _record(self, row: m.Row, event: str, before: dict[tuple[str, Any], Any], message: Any, now: int) -> None:
        if self.on_step is not None:
            changed = {k[0]: (before.get(k), v) for k, v in self._values().items() if before.get(k) != v}
            bindings = dict.fromkeys(row.binders, message) if row.event_kind == "message" else {}
            self.on_step(Step(now, row.table, row.id, event, bindings, changed))


def binds_replies(gate: m.Row) -> bool:
    """Whether a gate binds replies too: it speaks of the message alone, in every state, and does nothing."""
    if gate.states or gate.family or gate.actions:
        return False
    nodes = [n for c in gate.guard + gate.where for n in walk(c)]
    impure = any(isinstance(n, Call) and n.kind not in ("extern", "builtin") for n in nodes)
    return not impure and all(n.kind == "binder" for n in nodes if isinstance(n, Name))


def equalities(conjuncts: tuple[Expr, ...]) -> Iterator[tuple[str, Expr]]:
    """Fields that `o.f == e`, `o.f` or `not o.f` determine."""
    for c in conjuncts:
        match c:
            case Binary(op="==", a=Field(name=name), b=value):
                yield name, value
            case Field(name=name):
                yield name, Lit(True)


__all__ = ["MASK", "Host", "Interpreter", "Step", "TableError", "UnmetEventError", "binds_replies", "editions"]
