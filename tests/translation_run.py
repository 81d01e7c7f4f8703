"""Interpreter and generated code under the same events: what each event did, as plain values that compare and print."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

from tables import Driver, GeneratedDriver, InterpreterDriver, Surroundings, generated_module, visible
from translation_aim import NOW, World, statements, zero
from translation_doubles import doubles
from translation_goals import Goals
from wirelaw.spec.language import interpret
from wirelaw.spec.language.expressions import Expr, Lit, walk
from wirelaw.spec.language.interpret import editions
from wirelaw.spec.language.model import Machine, Row
from wirelaw.spec.language.profile import Profile
from wirelaw.tools.generate import generate

D = TypeVar("D", bound=Driver)
LIMIT = 40  # outputs in one pump: both readings must stop at the same one


@dataclass(frozen=True, slots=True)
class Near:
    """A number beside what a variable holds when the event comes, mod 2^32."""

    variable: str
    distance: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `what` is input, call or advance; outputs follow. `at` is a time, or None for `later` after the one before.

    `places` puts the machine into a configuration first, `timers` and `debts` are set in it, and there are so many instances of a
    family as `crowd` says, or more; `answers` are the host's from then on.
    """

    what: str
    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    at: int | None = None
    later: int = 0
    answers: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] | None = None
    key: Any = 1
    timers: Mapping[str, int | None] = field(default_factory=dict)
    debts: Mapping[str, tuple[tuple[Any, ...], int] | None] = field(default_factory=dict)
    crowd: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        shown = [f"{n}={v!r}" for n in self.__slots__[1:] if (v := getattr(self, n)) not in ("", {}, None, 0)]
        return f"Event({self.what!r}, {', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one event did: errors, messages and news in order, rows taken, and the configuration afterwards."""

    error: str
    log: list[tuple[Any, ...]]
    steps: list[tuple[int, str, str, str]]
    after: dict[str, Any]
    gates: frozenset[str] = field(default=frozenset(), compare=False)


class Answers(Surroundings):
    """A host whose answers of opaque type are terms of the question, so that a wrong argument shows."""

    driver: Driver

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        result = self.machine.functions[name].result
        term = (name, zlib.crc32(repr(tuple(map(visible, args))).encode()))
        if result is not None and result.kind == "message":
            fields = self.machine.messages[result.name].fields
            opaque = {n: term for n, f in fields.items() if f.type.kind == "opaque"}
            return self.driver.message(result.name, {**opaque, **self.answers.get(name, {})})
        return term if result is not None and result.kind == "opaque" else super().ask(name, args)


class Subject:
    """One machine under one profile in one edition, in both readings."""

    def __init__(self, machine: Machine, profile: Profile, edition: int | None = None) -> None:
        known = editions(machine)
        self.machine, self.profile = machine, profile
        self.edition = edition if edition is not None else (known[-1] if known else 0)
        self.externs = doubles(machine)
        self.goals = Goals(machine, profile, self.edition)
        self.name = f"{profile.name}:{machine.name}" + (f":{self.edition}" if known else "")
        self.owed = {n for n in machine.debts if hasattr(self.generated().it, f"{n}_due")}

    @cached_property
    def text(self) -> str:
        """The generated module."""
        return generate(self.machine, self.profile, self.edition)

    @cached_property
    def module(self) -> ModuleType:
        """The generated code with the stand-ins for pure functions, and few outputs in one pump."""
        module = generated_module(self.text + "\n# with stand-ins\n")
        module.__dict__.update({n: f for n, f in self.stands_in.items() if n in module.__dict__})
        return module

    @property
    def stands_in(self) -> dict[str, Any]:
        """What generated code is to use in place of what it imports."""
        return {**self.externs, "OUTPUTS_PER_PUMP": LIMIT}

    @cached_property
    def pool(self) -> dict[str, list[Any]]:
        """Numbers and strings that the law speaks of, with their neighbours."""
        found = {
            n.value for e in expressions(self.machine) for n in walk(e) if isinstance(n, Lit) and n.type.kind in ("uint", "any", "string")
        }
        numbers = {x + d for x in found if isinstance(x, int) and not isinstance(x, bool) for d in (-1, 0, 1)} | {0, 1, 2, 3, 1460}
        return {"uint": sorted(x for x in numbers if x >= 0), "string": ["", "x", *sorted(x for x in found if isinstance(x, str))]}

    def reference(self) -> InterpreterDriver:
        """A new machine, interpreted."""
        driver = InterpreterDriver(self.machine, self.profile, self.edition)
        driver.it.externs = SimpleNamespace(**self.externs)  # type: ignore[assignment]
        return hosted(driver)

    def generated(self, class_: type | None = None) -> GeneratedDriver:
        """A new machine of generated code, or of `class_` in its place."""
        driver = GeneratedDriver(self.machine, self.profile, self.module)
        if class_ is not None:
            driver.it = class_(driver.host)
        return hosted(driver)

    def full(self, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every field of a message, `given` or an empty value."""
        world = World(self.machine, self.externs, kind)
        return {n: given.get(n, zero(f.type, world)) for n, f in self.machine.messages[kind].fields.items() if n != "kind"}


def expressions(machine: Machine) -> Iterable[Expr]:
    """All that rows say."""
    for row in machine.rows():
        yield from (*row.guard, *row.where, *row.when, *row.fields.values(), *row.defaults.values())
        for s in statements(row):
            yield from (*s.args, *(v for _, v in s.fields if v is not None), *([s.value] if s.value is not None else []))


def hosted(driver: D) -> D:
    """`driver` with a host of its own, whose answers are terms."""
    host = Answers(driver.machine)
    host.driver = driver
    driver.host = host
    driver.it.host = host  # type: ignore[attr-defined]
    return driver


# --- running -------------------------------------------------------------------------------------------------------


def observe(driver: Driver, events: Sequence[Event], subject: Subject) -> list[Observation]:
    """What `events` do to a new machine: one observation for how it starts, then one for each until an error ends it."""
    with mock.patch.object(interpret, "OUTPUTS_PER_PUMP", LIMIT):
        return _observe(driver, events, subject)


def outcome(driver: Driver, event: Event, subject: Subject) -> str:
    """The error that one event ends in, or ''; nothing is noted."""
    now = NOW if event.at is None else event.at
    _prepare(driver, event, subject)
    return _happen(driver, event, now)


def _happen(driver: Driver, event: Event, now: int) -> str:
    match event.what:
        case "input":
            error = _attempt(driver, "input", event.name, _resolved(driver, event.values), now)
        case "call":
            error = _attempt(driver, "call", event.name, tuple(_resolved(driver, event.values).values()), now)
        case _:
            error = _attempt(driver, "advance", now)
    return error or _attempt(driver, "pump", now)


def _observe(driver: Driver, events: Sequence[Event], subject: Subject) -> list[Observation]:
    steps: list[tuple[int, str, str, str]] = []
    gates: set[str] = set()
    driver.it.on_step = lambda s: steps.append((s.time, s.table, s.row, s.event))  # type: ignore[attr-defined]
    if isinstance(driver, InterpreterDriver):
        _watch_gates(driver, gates)
    found = [Observation("", [], [], _configuration(driver))]
    now = NOW
    for event in events:
        now = now + event.later if event.at is None else event.at
        _prepare(driver, event, subject)
        error = _happen(driver, event, now)
        found.append(Observation(error, list(driver.host.log), list(steps), _configuration(driver), frozenset(gates)))
        driver.host.log.clear()
        steps.clear()
        if error:
            break
    return found


def _attempt(driver: Driver, what: str, *args: Any) -> str:
    try:
        return driver.attempt(what, *args)
    except Exception as error:
        return type(error).__name__


def _configuration(driver: Driver) -> dict[str, Any]:
    return driver.snapshot() | {"deadline": driver.it.deadline()}  # type: ignore[attr-defined]


def _resolved(driver: Driver, values: Mapping[str, Any]) -> dict[str, Any]:
    if not any(isinstance(v, Near) for v in values.values()):
        return dict(values)
    seen = driver.snapshot()
    return {n: (seen[v.variable] + v.distance) % 2**32 if isinstance(v, Near) else v for n, v in values.items()}


def _prepare(driver: Driver, event: Event, subject: Subject) -> None:
    driver.host.answers.update(event.answers)
    if event.places is None:
        return
    variables = subject.machine.variables
    stored = {n: v.type.name for n, v in variables.items() if v.type.kind == "message"}
    messages = {n: driver.message(kind, subject.full(kind, event.places.get(n, {}))) for n, kind in stored.items()}
    driver.place({**{n: v for n, v in event.places.items() if n not in stored}, **messages}, event.key, event.at or 0)
    driver.arm(dict(event.timers), dict(event.debts), event.key, event.at or 0)
    for family, wanted in event.crowd.items():
        _join(driver, family, wanted - driver.snapshot()[f"count({family})"], event)


def _join(driver: Driver, family: str, more: int, event: Event) -> None:
    """`more` instances of a family, in a state in which they count, and of which the fewest output rows speak."""
    regions = [r for r in driver.machine.regions.values() if r.family == family]
    counted = [(r.name, s.name) for r in regions for s in r.states if not s.final and s != r.initial[0]]
    for n in range(more if counted else 0):
        region, state = min(counted, key=lambda c: sum(c[1] in r.states for r in driver.machine.emissions))
        driver.place({region: state}, event.key + n + 1 if isinstance(event.key, int) else (event.key, n), event.at or 0)


def _watch_gates(driver: InterpreterDriver, met: set[str]) -> None:
    plain = driver.it._applies

    def watched(gate: Row, o: Any, now: int) -> bool:
        applies = plain(gate, o, now)
        met.update([gate.id] if applies else [])
        return applies

    driver.it._applies = watched  # type: ignore[method-assign]


def difference(left: Sequence[Observation], right: Sequence[Observation], events: Sequence[Event]) -> str:
    """Where two lists of observations part, with the events up to there; empty where they do not."""
    for n, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            parts = [
                f"{name}: {getattr(a, name)!r} | {getattr(b, name)!r}"
                for name in ("error", "log", "steps")
                if getattr(a, name) != getattr(b, name)
            ]
            parts += [f"{k}: {a.after[k]!r} | {b.after.get(k)!r}" for k in a.after if a.after[k] != b.after.get(k)]
            return "\n".join(["interpreter | generated code, after", *map(repr, events[:n]), *parts])
    return "" if len(left) == len(right) else "one reading ends early"
