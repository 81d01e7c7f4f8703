"""Translation validation: generated code does what the reference interpreter does, event by event, from any configuration."""

from __future__ import annotations

import functools
from dataclasses import replace
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import GeneratedDriver, InterpreterDriver, generated_module, tiny_names, tiny_table, without
from wirelaw.spec.language import interpret
from wirelaw.spec.language.evaluate import evaluate
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Member, Name, SetLit, Unary, Window, walk
from wirelaw.spec.language.load import SPEC, load
from wirelaw.spec.language.model import Machine, Row
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.types import Type
from wirelaw.tools.generate import generate

LIMIT = 40  # outputs in one pump: both readings must stop at the same one
DELTAS = (0, 0, 0, 1, -1, 2, 1460, 65535, 2**31, 2**31 - 1, -(2**31))
FOLDERS = [p for p in SPEC.iterdir() if (SPEC / "profiles" / f"{p.name}.profile").is_file()]
PROTOCOLS = sorted(p.name for p in FOLDERS if list(p.glob("*.law")))


def literals(machine: Machine) -> dict[str, set[Any]]:
    """Values that the table compares with, by kind of type: boundaries of its guards."""
    found: dict[str, set[Any]] = {}
    for row in machine.rows():
        exprs: list[Expr] = [*row.guard, *row.where, *row.when]
        for e in exprs:
            for n in walk(e):
                if isinstance(n, Lit) and n.value is not None:
                    found.setdefault(n.type.kind, set()).add(n.value)
    return found


class Values:
    """Strategies for values of the machine's types; numbers are near literals of the guards, sequence numbers near variables."""

    def __init__(self, machine: Machine, random: Random) -> None:
        self.machine = machine
        self.random = random
        self.literals = literals(machine)

    def pick(self, type_: Type, seen: dict[str, Any]) -> Any:
        """A value of `type_`; `seen` are the machine's variables, to which sequence numbers are close."""
        choice = self.random.choice
        match type_.kind:
            case "bool":
                return choice((False, False, True))
            case "seq":
                near = [v for n, v in seen.items() if isinstance(v, int) and self._is_seq(n)] or [0]
                return (choice(near) + choice(DELTAS)) % 2**32
            case "uint":
                limit = 2 ** int(type_.name)
                around = [x + d for x in self.literals.get("uint", {0}) if isinstance(x, int) for d in (-1, 0, 1)]
                return choice([0, 1, 2, 3, 1460, *around]) % limit
            case "duration" | "time":
                return choice([0, 1, 1000, 10**6, 10**8])
            case "enum" if type_.name in self.machine.regions:
                return choice([s.name for s in self.machine.regions[type_.name].states])
            case "enum":
                return choice(self.machine.enums[type_.name])
            case "string":
                return choice(["", "x", *sorted(x for x in self.literals.get("string", ()) if isinstance(x, str))])
            case "set":
                return tuple(n for n in range(4) if choice((True, False)))
        return None

    def _is_seq(self, name: str) -> bool:
        variable = self.machine.variables.get(name)
        return variable is not None and variable.type.kind == "seq"

    def start(self) -> dict[str, Any]:
        """An arbitrary configuration: generated code must agree with the table in unreachable ones too."""
        base = {n: v.type for n, v in self.machine.variables.items() if not v.family and v.kind != "ghost"}
        if self.random.random() < 0.3:
            return {}
        origin = self.random.choice((0, 1, 2**31, 2**32 - 2, 1000))
        made: dict[str, Any] = {
            r.name: self.random.choice([s.name for s in r.states]) for r in self.machine.regions.values() if not r.family
        }
        for n, t in base.items():
            if t.kind not in ("opaque", "message", "any"):
                made[n] = (origin + self.random.choice((0, 0, 1, 2, 1460, -1))) % 2**32 if t.kind == "seq" else self.pick(t, {})
        return made

    def before(self, aimed: Row, message: str) -> list[Row]:
        """One row that goes on for each table that `message` passes before it comes to the table of `aimed`."""
        if aimed.event_kind != "message" or aimed.role != "input":
            return []
        lineage = self.machine.messages[message].lineage
        tables = next(p.tables for n, p in self.machine.inputs.items() if n in lineage)
        found = []
        for name in tables[: tables.index(aimed.table) if aimed.table in tables else 0]:
            going = [r for r in self.machine.tables[name].rows if r.event in lineage and "next" in (r.ending.kind, r.ending.continuation)]
            found += [self.random.choice(going)] if going else []
        return found

    def aim(self, row: Row, left: InterpreterDriver, fields: dict[str, Any]) -> dict[str, Any]:
        """Variables and states that let `row` hold, as far as its conjuncts say so plainly; sets `fields` of its message."""
        wanted: dict[str, Any] = {}
        if row.states and not self.machine.regions[row.region].family:
            wanted[row.region] = self.random.choice(sorted(row.states))
        left.start(wanted)
        for c in (*row.guard, *row.when):
            self._satisfy(c, row, left, fields, wanted)
        return wanted

    def _satisfy(self, c: Expr, row: Row, left: InterpreterDriver, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
        negated = isinstance(c, Unary) and c.op == "not"
        target, value = (c.x if isinstance(c, Unary) else c), not negated
        context = left.it.context(dict.fromkeys(row.binders, SimpleNamespace(**fields)))
        try:
            match target:
                case Binary(op="and", a=a, b=b) if not negated:
                    self._satisfy(a, row, left, fields, wanted)
                    self._satisfy(b, row, left, fields, wanted)
                    return
                case Binary(op="or", a=a, b=b) if not negated:
                    self._satisfy(self.random.choice((a, b)), row, left, fields, wanted)
                    return
                case Member(x=x, set=SetLit(items=items)) if not negated:
                    target, value = x, evaluate(self.random.choice(items), context)
                case Window(x=x, base=base) if not negated:
                    target, value = x, evaluate(base, context) + self.random.choice((0, 0, 1))
                case Binary(op="==" | "<=" | ">=", a=a, b=b) if not negated:
                    target, value = (a, evaluate(b, context)) if self.random.random() < 0.7 else (b, evaluate(a, context))
                case Binary(op=">" | "!=", a=a, b=b) if not negated:
                    target, value = a, evaluate(b, context) + 1
                case Binary(op="<", a=a, b=b) if not negated:
                    target, value = a, evaluate(b, context) - 1
        except (AttributeError, TypeError, KeyError):
            return
        self._put(target, value, left, fields, wanted)

    def _put(self, target: Expr, value: Any, left: InterpreterDriver, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
        value = value % 2**32 if target.type.kind in ("seq", "uint") and isinstance(value, int) else value
        if isinstance(target, Field) and target.name in fields:
            fields[target.name] = value
        elif (isinstance(target, Name) and target.kind == "region") or (isinstance(target, Name) and target.kind == "var"):
            owner = self.machine.variables.get(target.name) or self.machine.regions[target.name]
            if not owner.family and getattr(owner, "kind", "") != "ghost":
                wanted[target.name] = value
                left.start({target.name: value})


def agree(machine: Machine, profile: Profile, module: ModuleType, random: Random, events: int) -> int:
    """Drive both readings with one sequence of events; the number of events after which they were compared."""
    left, right = InterpreterDriver(machine, profile), GeneratedDriver(machine, profile, module)
    values = Values(machine, random)
    start = values.start()
    left.start(start)
    right.start(start)
    now = 0
    kinds = [x.name for x in machine.messages.values() if any(n in machine.inputs for n in x.lineage)]
    calls = [f.name for f in machine.functions.values() if f.kind == "call"]
    choices = [*(("input", k) for k in kinds), *(("call", c) for c in calls), ("advance", ""), ("pump", "")]
    rows = [r for r in machine.rows() if r.role != "gate"]
    kinds_of = {k: [x for x in kinds if k in machine.messages[x].lineage] for k in machine.messages}
    for done in range(events):
        seen = left.snapshot()
        for f in machine.functions.values():
            if f.kind == "ask" and f.result is not None:
                left.host.answers[f.name] = right.host.answers[f.name] = values.pick(f.result, seen)
        what, name = random.choice(choices)
        aimed = random.choice(rows) if random.random() < 0.5 else None
        if aimed is not None:
            what, name = {"message": ("input", aimed.event), "call": ("call", aimed.event)}.get(aimed.event_kind, ("advance", ""))
            what, name = ("pump", "") if aimed.role == "output" else (what, name)
        now += random.choice((0, 0, 1, 40_000, 10**6, 10**8))
        fields: dict[str, Any] = {}
        if what == "input":
            name = random.choice(kinds_of[name])
            fields = {n: values.pick(f.type, seen) for n, f in machine.messages[name].fields.items() if n != "kind"}
        if aimed is not None:
            for row in (*values.before(aimed, name), aimed):
                right.start(values.aim(row, left, fields))
            if aimed.event_kind == "timer":
                left.it.timers[aimed.event] = now
                setattr(right.it, f"{aimed.event}_at", now)
        match what:
            case "input":
                args: tuple[Any, ...] = (name, fields, now)
            case "call":
                args = (name, tuple(values.pick(t, seen) for _, t in machine.functions[name].params), now)
            case _:
                args = (now,)
        try:
            verdict = left.attempt(what, *args)
        except (AttributeError, TypeError):  # an extern, or a field of a message not yet received: the table never asks for it there
            return done
        if verdict == "several":
            return done  # overlapping rows are for `wirelaw check`
        right.attempt(what, *args)
        assert right.host.log == left.host.log, (what, args)
        assert right.rows == left.rows, (what, args)
        if verdict not in ("", "unmet"):
            return done
        assert right.snapshot() == left.snapshot(), (what, args)
    return events


@functools.cache
def module_of(text: str) -> ModuleType:
    module = generated_module(text)
    module.OUTPUTS_PER_PUMP = LIMIT  # type: ignore[attr-defined]
    return module


@functools.cache
def shipped(protocol: str) -> list[tuple[Machine, Profile, ModuleType]]:
    """Machines and profiles of one folder of the law that ships."""
    law = load([SPEC / protocol, SPEC / "profiles" / f"{protocol}.profile"])
    return [(law.machines[m], p, module_of(generate(law.machines[m], p))) for (_, m), p in sorted(law.profiles.items())]


@pytest.fixture(autouse=True)
def _few_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpret, "OUTPUTS_PER_PUMP", LIMIT)


# Events come from a seed: Hypothesis varies seed and length, and shrinks the length of what fails.
SEEDS = st.integers(0, 2**32)
QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", tiny_names())
@QUICK
@given(seed=SEEDS, events=st.integers(1, 20))
def test_tiny_table(name: str, seed: int, events: int) -> None:
    table = tiny_table(name)
    agree(table.machine, table.profile, module_of(generate(table.machine, table.profile)), Random(seed), events)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(QUICK, max_examples=60)
@given(seed=SEEDS, events=st.integers(1, 20))
def test_shipped_machine(protocol: str, seed: int, events: int) -> None:
    for machine, profile, module in shipped(protocol):
        agree(machine, profile, module, Random(seed), events)


@pytest.mark.parametrize(("name", "row"), [("06_gate", "g.key"), ("07_debt", "fast"), ("15_serial", "gap"), ("16_family", "over")])
def test_a_wrong_translation_is_noticed(name: str, row: str) -> None:
    """Code generated from a table that lacks a row does not pass for the whole table."""
    table = tiny_table(name)
    profile = replace(table.profile, order=tuple(x for x in table.profile.order if x != row))
    module = module_of(generate(without(table.machine, row), profile))

    def compare() -> None:
        for seed in range(300):
            agree(table.machine, table.profile, module, Random(seed), 10)

    with pytest.raises(AssertionError):
        compare()
