"""Tiny tables and their traces: `NN_topic.law` beside `NN_topic.trace`, read by all who give a table a meaning.

A trace file is a list of cases. `#` starts a comment; a case ends where the next one starts.

    run TITLE                       what our implementation does: drives interpreter and generated code
    accept TITLE                    an observed trace that a judge must find possible
    reject [ROW] @CLAUSE at N TITLE  one that it must refuse at its Nth step, naming row or clause; either may be missing

Steps, one a line, with an optional time in front (`0us`, `40ms`, `2s`; the time of the step before when missing):

    40ms  <  seg(len=5, syn)        a message comes in (a bare field is true); unnamed fields have their defaults
    40ms  << seg(len=5)             the same without letting the machine send afterwards: one of a batch
    40ms  >  seg(ack=5)             a message goes out; in a `run` the unnamed fields must have their defaults
    40ms  !  write(3)               the user calls
    40ms  .                         time passes: timers fire, payments fall due; in accept and reject: observed silence

and only in a `run`, about what happened at the step before:

          >  tell closed(1)         news for the host
          >  refused busy           the call was refused
          >  error unmet            no row for the event (`unmet`), several or none (`table`), outputs without end (`endless`)
          =  conn OPEN              value of a variable, region, timer (`none` or its time), or debt (`none` or its due time)
          ?  room 5                 from here on the host answers `room` with 5 (else 0, false or none)

Values: numbers, times, true, false, none, words (texts), `{1,2}` (sets).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from wirelaw.impl.runtime.machine import EndlessOutputError, TableError, UnmetEventError
from wirelaw.spec.language import interpret
from wirelaw.spec.language.interpret import Instance, Interpreter, Owed
from wirelaw.spec.language.load import Law, load
from wirelaw.spec.language.model import Debt, Machine, Region, Timer, Variable
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.types import UNIT_MICROSECONDS, Type
from wirelaw.tools.generate import generate
from wirelaw.tools.generate.naming import attribute, camel

FOLDER = Path(__file__).parent / "fixtures" / "tables"
NUMERIC = ("uint", "seq", "duration", "time")


# --- traces --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TraceStep:
    """One line of a case. `op`: `<`, `<<`, `>`, `!`, `.`, `=`, `?`. Times are microseconds."""

    at: int
    op: str
    name: str
    values: dict[str, Any]
    args: tuple[Any, ...]
    line: int


@dataclass(frozen=True)
class Case:
    """One case. `kind`: run, accept, reject; `at` counts steps from 1, 0 when there is nothing to refuse."""

    kind: str
    title: str
    row: str = ""
    clause: str = ""
    at: int = 0
    steps: list[TraceStep] = field(default_factory=list)


_HEAD = re.compile(r"(run|accept|reject)\b((?:\s+\[[^\]]+\])?)((?:\s+@\S+)?)(?:\s+at\s+(\d+))?\s*(.*)")
_STEP = re.compile(r"(?:(\d+)(us|ms|s|min|h|d)\s+)?(<<|[<>!.=?])\s*(.*)")
_CALL = re.compile(r"(?:tell\s+)?([a-z_][a-z0-9_]*)\s*\((.*)\)$")


def parse_trace(text: str) -> list[Case]:
    """All cases of one trace file; ValueError with the line that is wrong."""
    cases: list[Case] = []
    now = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].strip()
        if not line:
            continue
        if head := _HEAD.fullmatch(line):
            kind, row, clause, at, title = head.groups()
            cases.append(Case(kind, title, row.strip()[1:-1], clause.strip()[1:], int(at or 0)))
            now = 0
            continue
        found = _STEP.fullmatch(line)
        if not found or not cases:
            raise ValueError(f"line {number}: not a step: {line}")
        amount, unit, op, body = found.groups()
        now = int(amount) * UNIT_MICROSECONDS[unit] if amount else now
        cases[-1].steps.append(_step(now, op, body.strip(), number))
    return cases


def _step(now: int, op: str, body: str, line: int) -> TraceStep:
    if op == ".":
        return TraceStep(now, op, "", {}, (), line)
    if call := _CALL.fullmatch(body):
        name, inner = call.groups()
        values: dict[str, Any] = {}
        args: list[Any] = []
        for part in re.findall(r"[^,{]*\{[^}]*\}|[^,]+", inner):
            key, eq, value = (x.strip() for x in part.partition("="))
            if eq:
                values[key] = _value(value)
            elif op in "<<>" and not body.startswith("tell"):
                values[key] = True
            else:
                args.append(_value(key))
        return TraceStep(now, op, f"tell {name}" if body.startswith("tell") else name, values, tuple(args), line)
    name, _, rest = body.partition(" ")
    return TraceStep(now, op, name, {}, (_value(rest),) if rest else (), line)


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("{"):
        return tuple(_value(x) for x in text[1:-1].split(",") if x.strip())
    if text in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text]
    if time := re.fullmatch(r"(\d+)(us|ms|s|min|h|d)", text):
        return int(time[1]) * UNIT_MICROSECONDS[time[2]]
    try:
        return int(text, 0)
    except ValueError:
        return text


@dataclass(frozen=True)
class TinyTable:
    """One fixture: its law, its only machine, the machine's profile, its cases."""

    name: str
    law: Law
    machine: Machine
    profile: Profile
    cases: list[Case]


@cache
def tiny_table(name: str) -> TinyTable:
    """The fixture `name`, such as `01_pipeline`; profiles stand in `NN_topic.profile` or at the end of the law file's folder."""
    law = load([FOLDER / f"{name}.law", FOLDER / f"{name}.profile"])
    machine = next(iter(law.machines.values()))
    cases = parse_trace((FOLDER / f"{name}.trace").read_text("utf-8"))
    return TinyTable(name, law, machine, law.profile("wirelaw", machine.name), cases)


def tiny_names() -> list[str]:
    """All fixtures."""
    return sorted(p.stem for p in FOLDER.glob("*.law"))


def without(machine: Machine, row: str) -> Machine:
    """`machine` lacking one row."""
    tables = {n: replace(t, rows=tuple(r for r in t.rows if r.id != row)) for n, t in machine.tables.items()}
    gates, emissions = (tuple(r for r in rows if r.id != row) for rows in (machine.gates, machine.emissions))
    return replace(machine, tables=tables, gates=gates, emissions=emissions)


# --- driving -------------------------------------------------------------------------------------------------------


class Surroundings:
    """A host that notes what the machine does and answers its questions from `answers`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.log: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        result = self.machine.functions[name].result
        return self.answers.get(name, _zero(result) if result else None)

    def tell(self, name: str, args: tuple[Any, ...]) -> None:
        self.log.append(("tell", name, tuple(map(visible, args))))

    def emit(self, message: str, fields: Any) -> None:
        self.log.append(("emit", message, {n: visible(getattr(fields, n)) for n in self.machine.messages[message].fields}))

    def __getattr__(self, name: str) -> Any:
        verb, _, rest = name.partition("_")
        if verb == "ask":
            return lambda *args: self.ask(rest, args)
        if verb == "tell":
            return lambda *args: self.tell(rest, args)
        if verb == "emit":
            return lambda o: self.emit(rest, o)
        raise AttributeError(name)


def _zero(type_: Type) -> Any:
    return False if type_.kind == "bool" else 0 if type_.kind in NUMERIC else None


def visible(value: Any) -> Any:
    """Messages as plain mappings, so that those of interpreter and generated code compare."""
    if isinstance(value, SimpleNamespace):
        return {k: visible(v) for k, v in vars(value).items() if k != "kind"}
    if hasattr(value, "__dataclass_fields__"):
        return {k: visible(getattr(value, k)) for k in value.__dataclass_fields__ if k != "kind"}
    return value


class Driver:
    """One running machine behind a common face: `InterpreterDriver` or `GeneratedDriver`."""

    def __init__(self, machine: Machine, profile: Profile) -> None:
        self.machine = machine
        self.profile = profile
        self.host = Surroundings(machine)
        self.rows: list[str] = []

    def message(self, name: str, values: dict[str, Any]) -> Any:
        """A message object with defaults where `values` is silent."""
        raise NotImplementedError

    def input(self, name: str, values: dict[str, Any], now: int) -> None:
        raise NotImplementedError

    def call(self, name: str, args: tuple[Any, ...], now: int) -> None:
        raise NotImplementedError

    def advance(self, now: int) -> None:
        raise NotImplementedError

    def pump(self, now: int) -> None:
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """States, variables, timers, payment times and frozen arguments of open debts; instances as `family[key].name`."""
        raise NotImplementedError

    def place(self, values: dict[str, Any], key: Any = None, now: int = 0) -> None:
        """Put states and variables to these values; those of a family in its instance `key`."""
        raise NotImplementedError

    def arm(self, timers: dict[str, int | None], debts: dict[str, tuple[tuple[Any, ...], int] | None], key: Any, now: int) -> None:
        """Set timers to these times, and debts to (frozen arguments, time of payment); those of a family in its instance `key`."""
        raise NotImplementedError

    def attempt(self, what: str, *args: Any) -> str:
        """`input`, `call`, `advance` or `pump`; an error of the table is noted: `unmet`, `table`, `endless` or ''."""
        try:
            getattr(self, what)(*args)
        except (interpret.TableError, TableError) as error:
            unmet = isinstance(error, interpret.UnmetEventError | UnmetEventError)
            endless = isinstance(error, EndlessOutputError) or "for ever" in str(error)
            kind = (
                "unmet"
                if unmet
                else "endless"
                if endless
                else "several"
                if "enabled" in str(error) and "none" not in str(error)
                else "table"
            )
            self.host.log.append(("error", kind))
            return kind
        return ""


class InterpreterDriver(Driver):
    def __init__(self, machine: Machine, profile: Profile, edition: int | None = None) -> None:
        super().__init__(machine, profile)
        self.it = Interpreter(machine, profile, self.host, lambda step: self.rows.append(step.row), edition)

    def message(self, name: str, values: dict[str, Any]) -> Any:
        made = {n: _zero(f.type) for n, f in self.machine.messages[name].fields.items()}
        return SimpleNamespace(**{**made, **({"kind": name} if "kind" not in made or made["kind"] is None else {}), **values})

    def input(self, name: str, values: dict[str, Any], now: int) -> None:
        self.it.input(name, self.message(name, values), now)

    def call(self, name: str, args: tuple[Any, ...], now: int) -> None:
        refused = self.it.call(name, *args, now=now)
        if refused:
            self.host.log.append(("refused", refused))

    def advance(self, now: int) -> None:
        self.it.tick(now)

    def pump(self, now: int) -> None:
        self.it.pump(now)

    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for i in (self.it.whole, *(i for kept in self.it.instances.values() for i in kept.values())):
            prefix = f"{i.family}[{i.key}]." if i.family else ""
            found |= {f"{prefix}{n}": visible(v) for n, v in i.values.items()}
            found |= {f"{prefix}{t.name}_at": i.timers.get(t.name) for t in self.machine.timers.values() if t.family == i.family}
            for d in (d for d in self.machine.debts.values() if d.family == i.family):
                owed = i.debts.get(d.name)
                found |= {f"{prefix}{d.name}_due": owed.due if owed else None, f"{prefix}{d.name}_args": owed.args if owed else None}
        return found | {f"count({f})": sum(i.counted for i in kept.values()) for f, kept in self.it.instances.items()}

    def _at(self, owner: Variable | Region | Timer | Debt, key: Any) -> Instance:
        return self.it._instance(owner.family, key) if owner.family else self.it.whole

    def place(self, values: dict[str, Any], key: Any = None, now: int = 0) -> None:
        for n, v in _changeable(self.machine, values):
            i = self._at(self.machine.variables.get(n) or self.machine.regions[n], key)
            i.values[n] = v
            self.it._settle(i, now)

    def arm(self, timers: dict[str, int | None], debts: dict[str, tuple[tuple[Any, ...], int] | None], key: Any, now: int) -> None:
        for n, at in timers.items():
            i = self._at(self.machine.timers[n], key)
            i.timers = {k: v for k, v in {**i.timers, n: at}.items() if v is not None}
            self.it._settle(i, now)
        for n, owed in debts.items():
            i = self._at(self.machine.debts[n], key)
            i.debts = {k: v for k, v in {**i.debts, n: Owed(owed[0], owed[1], "MUST") if owed else None}.items() if v is not None}
            self.it._settle(i, now)


class GeneratedDriver(Driver):
    def __init__(self, machine: Machine, profile: Profile, module: ModuleType | None = None) -> None:
        super().__init__(machine, profile)
        self.module = module or generated_module(generate(machine, profile))
        self.it: Any = getattr(self.module, camel(machine.name))(self.host, lambda step: self.rows.append(step.row))

    def message(self, name: str, values: dict[str, Any]) -> Any:
        made = {n: _zero(f.type) for n, f in self.machine.messages[name].fields.items() if n != "kind"}
        return getattr(self.module, camel(name))(**{**made, **values})

    def input(self, name: str, values: dict[str, Any], now: int) -> None:
        root = next(n for n in self.machine.messages[name].lineage if n in self.machine.inputs)
        getattr(self.it, f"on_{root}")(self.message(name, values), now)

    def call(self, name: str, args: tuple[Any, ...], now: int) -> None:
        refused = getattr(self.it, f"call_{name}")(*args, now)
        if refused:
            self.host.log.append(("refused", refused))

    def advance(self, now: int) -> None:
        self.it.tick(now)

    def pump(self, now: int) -> None:
        self.it.pump(now)

    def snapshot(self) -> dict[str, Any]:
        found = self._seen("", "", self.it)
        for family in self.machine.families:
            held = getattr(self.it, attribute(family))
            for key, instance in held.by_key.items():
                found |= self._seen(family, f"{family}[{key}].", instance)
            found[f"count({family})"] = held.count
        return found

    def _seen(self, family: str, prefix: str, holder: Any) -> dict[str, Any]:
        m = self.machine
        found = {r.name: getattr(holder, attribute(r.name)) for r in m.regions.values() if r.family == family}
        for v in (v for v in m.variables.values() if v.family == family):
            found[v.name] = visible(getattr(holder, "key" if v.kind == "key" else attribute(v.name)))
        found |= {f"{t.name}_at": getattr(holder, f"{t.name}_at") for t in m.timers.values() if t.family == family}
        for d in (d for d in m.debts.values() if d.family == family):
            due = found[f"{d.name}_due"] = getattr(holder, f"{d.name}_due", None)
            found[f"{d.name}_args"] = tuple(getattr(holder, f"{d.name}_{p}") for p, _ in d.params) if due is not None else None
        return {f"{prefix}{n}": v for n, v in found.items()}

    def _put(self, owner: Variable | Region | Timer | Debt, key: Any, values: dict[str, Any], now: int) -> None:
        holder = getattr(self.it, f"_{owner.family}_of")(key) if owner.family else self.it
        for n, v in values.items():
            setattr(holder, n, v)
        if owner.family:
            getattr(self.it, f"_settle_{owner.family}")(holder, now)

    def place(self, values: dict[str, Any], key: Any = None, now: int = 0) -> None:
        for n, v in _changeable(self.machine, values):
            self._put(self.machine.variables.get(n) or self.machine.regions[n], key, {attribute(n): v}, now)

    def arm(self, timers: dict[str, int | None], debts: dict[str, tuple[tuple[Any, ...], int] | None], key: Any, now: int) -> None:
        for n, at in timers.items():
            self._put(self.machine.timers[n], key, {f"{n}_at": at}, now)
        for n, owed in debts.items():
            debt = self.machine.debts[n]
            args = {f"{n}_{p}": value for (p, _), value in zip(debt.params, owed[0] if owed else (), strict=False)}
            self._put(debt, key, {f"{n}_due": owed[1] if owed else None, **args}, now)


def _changeable(machine: Machine, values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Variables and regions without the keys of instances."""
    return [(n, v) for n, v in values.items() if n not in machine.variables or machine.variables[n].kind != "key"]


@cache
def generated_module(text: str) -> ModuleType:
    """The module that generated `text` is."""
    name = f"generated_{abs(hash(text)):x}"
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses look their module up
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


# --- running cases -------------------------------------------------------------------------------------------------


def play(driver: Driver, case: Case) -> list[str]:
    """Run a `run` case; a line for each difference between what was expected and what happened."""
    wrong: list[str] = []
    pending: list[TraceStep] = []
    where = 0
    last = -1
    for step in [*case.steps, TraceStep(0, "end", "", {}, (), 0)]:
        if step.op == ">":
            pending.append(step)
            continue
        if step.op == "=":
            found = _look(driver, step.name)
            if found != step.args[0]:
                wrong.append(f"line {step.line}: {step.name} is {found}, not {step.args[0]}")
            continue
        wrong += _compare(driver, pending, where)
        pending, where = [], step.line
        if step.op == "?":
            driver.host.answers[step.name] = step.args[0]
        elif step.op != "end":
            if step.at != last:
                driver.attempt("advance", step.at)
            last = step.at
            if step.op in ("<", "<<"):
                driver.attempt("input", step.name, step.values, step.at)
            elif step.op == "!":
                driver.attempt("call", step.name, step.args, step.at)
            if step.op != "<<":
                driver.attempt("pump", step.at)
    return wrong


def _look(driver: Driver, name: str) -> Any:
    seen = driver.snapshot()
    return next((seen[n] for n in (name, f"{name}_at", f"{name}_due") if n in seen), "nothing")


def _compare(driver: Driver, expected: list[TraceStep], line: int) -> list[str]:
    wanted = [_wanted(driver, s) for s in expected]
    found, driver.host.log = driver.host.log, []
    return [] if found == wanted else [f"after line {line}:\n  expected {wanted}\n  found    {found}"]


def _wanted(driver: Driver, step: TraceStep) -> tuple[Any, ...]:
    if step.name.startswith("tell "):
        return ("tell", step.name.removeprefix("tell "), step.args)
    if step.name in ("refused", "error"):
        return (step.name, step.args[0])
    return ("emit", step.name, visible(SimpleNamespace(**vars(InterpreterDriver.message(driver, step.name, step.values)))))  # type: ignore[arg-type]
