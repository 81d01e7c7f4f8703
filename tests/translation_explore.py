"""Events beside those of the corpus, kept where they make generated code decide something that no case did before.

A comparison one off its boundary, one operand of a disjunction alone true, an assignment of something new: what each is worth
is for the comparison with the interpreter to say, which is asked about the kept ones only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from tables import GeneratedDriver
from translation_aim import NOW, Cell, World, cell_of
from translation_coverage import Coverage
from translation_run import Event, Subject, expressions, hosted, observe, outcome
from wirelaw.spec.language.expressions import Binary, walk
from wirelaw.spec.language.types import Type

PER_ROW = 12  # events tried for each row of a machine
SHIFTED = 20  # a number that others are shifted by stays below this
OFTEN = 3  # cases that one decision is worth
PARTS = ("places", "values", "answers")
WHERE = {"var": "places", "field": "values", "arg": "values", "ask": "answers", "timer": "timers", "debt": "debts"}
Events = tuple[Event, ...]
Spot = tuple[str, str]


class Explorer:
    """Variations of cases for one subject; `covered` counts the cases of each decision."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.random = Random(f"explore {subject.name}")
        self.coverage = Coverage(subject.text, dict(subject.stands_in))
        self.covered: Counter[Any] = Counter()
        self.reached: list[set[str]] = []
        self.world = World(subject.machine, subject.externs)
        machine = subject.machine
        nodes = [n for e in expressions(machine) for n in walk(e)]
        shifts = {c for n in nodes if isinstance(n, Binary) and n.op in ("<<", ">>") and (c := cell_of(n.b)) is not None}
        self.shifts = {c[-1] for c in shifts}
        self.anything = [("places", n) for n, v in machine.variables.items() if v.kind != "ghost"]
        self.anything += [("timers", n) for n in machine.timers] + [("debts", n) for n in sorted(subject.owed)]
        self.anything += [("answers", f.name) for f in machine.functions.values() if f.kind == "ask"]
        self.anything += [("values", n) for x in machine.inputs for n in machine.messages[x].fields if n != "kind"]

    def run(self, events: Events) -> frozenset[Any]:
        """What is decided in `events`."""
        self.coverage.clear()
        observe(self._driver(), events, self.subject)
        return frozenset(self.coverage.points)

    def _driver(self) -> GeneratedDriver:
        return hosted(GeneratedDriver(self.subject.machine, self.subject.profile, self.coverage.module))

    def explore(self, base: Iterable[tuple[Events, frozenset[Cell]]]) -> Iterator[Event]:
        """What is worth keeping beside events that turn on these cells; `reached`: the functions that each ran, of `base` first."""
        known: list[tuple[Event, list[Spot], list[int]]] = []
        for events, cells in base:
            self.covered.update(self.run(events))
            self.reached.append(self.coverage.names())
            known.append((events[0], sorted(s for c in cells if (s := _spot(c))), list(self.coverage.apart.values())))
        tries = PER_ROW * sum(1 for _ in self.subject.machine.rows())
        for _ in range(tries if known else 0):
            before, spots, apart = self.random.choice(known)
            event = self.varied(before, spots, apart)
            self.coverage.clear()
            error = outcome(self._driver(), event, self.subject)
            points = self.coverage.points
            if error in ("", "endless") and any(self.covered[p] < OFTEN for p in points):
                self.covered.update(points)
                known.append((event, spots, list(self.coverage.apart.values())))
                self.reached.append(self.coverage.names())
                yield event

    def varied(self, event: Event, spots: list[Spot], apart: list[int]) -> Event:
        """The same event where a few of the numbers, flags, timers and debts that it meets are others; mostly what it turns on."""
        random = self.random
        parts = {n: dict(getattr(event, n) or {}) for n in PARTS}
        for _ in range(random.choice((1, 1, 2, 3))):
            part, name = random.choice(spots if spots and random.random() < 0.8 else self.anything)
            if part == "timers":
                times = [t for t in event.timers.values() if t is not None]
                at = random.choice((event.at or NOW, *times)) + random.choice((0, 0, 1, -1, 10**6))
                event = replace(event, timers={**event.timers, name: at if random.random() < 0.7 else None})
            elif part == "debts":
                event = replace(event, debts={**event.debts, name: None, **owed(self.subject, event, random, name)})
            elif (type_ := self._type(event, part, name)) is not None:
                value = self._other(type_, parts[part].get(name), parts, apart)
                if value is not None:
                    value = value % SHIFTED if name in self.shifts else value
                    parts[part][name] = value
        return replace(event, places=parts["places"], values=parts["values"], answers=parts["answers"])

    def _type(self, event: Event, part: str, name: str) -> Type | None:
        machine = self.subject.machine
        if part == "places":
            return machine.variables[name].type if name in machine.variables else None
        if part == "answers":
            return machine.functions[name].result
        if event.what == "input" and name in machine.messages[event.name].fields:
            return machine.messages[event.name].fields[name].type
        return dict(machine.functions[event.name].params).get(name) if event.what == "call" else None

    def _other(self, type_: Type, value: Any, parts: dict[str, dict[str, Any]], apart: list[int]) -> Any:
        """Another value of a type: opposite, beside what it was, at or beside a number that another cell holds."""
        random = self.random
        if type_.kind == "bool":
            return not value
        if type_.kind == "enum":
            return random.choice(self.world.members(type_))
        if type_.kind == "string":
            return random.choice(self.subject.pool["string"])
        if type_.kind not in ("uint", "seq", "duration", "time"):
            return None
        held = [v for of in parts.values() for v in of.values() if isinstance(v, int) and not isinstance(v, bool)]
        match random.randrange(6):
            case 4 | 5 if apart:
                made = (value or 0) + random.choice(apart) * random.choice((1, -1)) + random.choice((0, 1, -1))
            case 0:
                made = (value or 0) + random.choice((1, -1))
            case 1:
                made = random.choice(held or [0]) + random.choice((0, 1, -1))
            case 2 if len(held) > 1:
                a, b = random.sample(held, 2)
                made = random.choice((a + b, a - b, 2 * a, a // 2)) + random.choice((0, 0, 1, -1))
            case _:
                made = random.choice(self.subject.pool["uint"])
        return (made + random.choice((0, 0, 0, 2**31))) % 2**32 if type_.kind == "seq" else _within(type_, made)


def _spot(cell: Cell) -> Spot | None:
    """Where an event holds a cell."""
    return (WHERE[cell[0]], cell[1]) if len(cell) == 2 and cell[0] in WHERE else None


def owed(subject: Subject, event: Event, random: Random, name: str) -> dict[str, tuple[tuple[Any, ...], int] | None]:
    """The debt `name`, where it may be owed in the states of `event`: to be paid now or later, about numbers near its variables."""
    machine, places = subject.machine, event.places or {}
    debt = machine.debts[name]
    region = machine.states[min(debt.states)].region if debt.states else ""
    if region and places.get(region, machine.regions[region].initial[0].name) not in debt.states:
        return {}
    near = [v for n, v in places.items() if n in machine.variables and machine.variables[n].type.kind == "seq"] or [0]
    args = tuple((random.choice(near) + random.choice((0, 0, 1, -1, 2**31))) % 2**32 for _ in debt.params)
    return {name: (args, (event.at or NOW) + random.choice((0, 1, 20_000, 40_000, 500_000)))}


def _within(type_: Type, value: int) -> int:
    """`value` as an unsigned number of this type."""
    return min(max(value, 0), 2 ** min(type_.bits, 40) - 1) if type_.kind == "uint" else min(max(value, 0), 2 * NOW)
