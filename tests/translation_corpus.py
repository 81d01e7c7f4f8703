"""Cases that meet every row of a machine and the neighbours of each: made from the conditions of rows, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from translation_aim import NOW, NUMBERS, STEPS, Aim, Cell, Values, World, cell_of, zero
from translation_explore import Explorer, owed
from translation_goals import Goal, flips
from translation_run import Event, Near, Observation, Subject, observe
from wirelaw.spec.language.expressions import Expr, walk
from wirelaw.spec.language.interpret import editions
from wirelaw.spec.language.load import load
from wirelaw.spec.language.model import Row

ATTEMPTS = 100  # goals tried for one row before it counts as not met
TIMES = 2  # cases for one row, in configurations of their own
NEIGHBOURS = 6  # of one row, out of all
SHAKEN = 1
NEARBY = 12  # steps of repair from a row's case to a neighbour's


LAW = load()
SUBJECTS = [
    Subject(LAW.machines[machine], profile, edition)
    for (_, machine), profile in sorted(LAW.profiles.items())
    for edition in editions(LAW.machines[machine]) or (None,)
]  # all that ships


@dataclass(frozen=True, slots=True)
class Case:
    """Events aimed at `row`, and what they do to the interpreter."""

    row: str
    events: tuple[Event, ...]
    expected: list[Observation]
    cells: frozenset[Cell] = frozenset()  # what its row turns on

    @property
    def met(self) -> set[str]:
        """Rows that fired, and gates that were asked."""
        return {step[2] for o in self.expected for step in o.steps}.union(*(o.gates for o in self.expected))


_made: dict[tuple[str, str], list[Case]] = {}


def cases_of(subject: Subject, row: Row) -> list[Case]:
    """The corpus of one row, made once: none where edition or profile exclude it."""
    key = subject.name, row.id
    if key not in _made:
        _made[key] = [] if subject.goals.excluded(row) else list(row_cases(subject, row))
    return _made[key]


_whole: dict[str, list[tuple[Case, set[str]]]] = {}


def corpus(subject: Subject) -> list[tuple[Case, set[str]]]:
    """The corpus of all rows and what lies beside it, made once: each case with the functions of generated code that it runs."""
    if subject.name not in _whole:
        made = [c for row in subject.machine.rows() for c in cases_of(subject, row)]
        explorer = Explorer(subject)
        beside = list(explorer.explore([(c.events, c.cells) for c in made]))
        made += [Case("", (event,), observe(subject.reference(), (event,), subject)) for event in beside]
        # an invariant may not hold in some, and then a table may be silent
        pairs = zip(made, explorer.reached, strict=True)
        _whole[subject.name] = [(c, names) for c, names in pairs if c.row or c.expected[-1].error in ("", "endless")]
    return _whole[subject.name]


def row_cases(subject: Subject, row: Row, seed: str = "") -> Iterator[Case]:
    """Cases in which `row` fires, then those beside them: one condition fails alone, or a comparison is at its boundary."""
    random = Random(f"{subject.name} {row.id} {seed}")
    found = 0
    for attempt in range(ATTEMPTS):
        goal = subject.goals.way(row, random)
        if goal is None:
            continue
        start: Values = {}
        if attempt % 2:
            start = anywhere(subject, goal, random)
        world = aimed(subject, goal, [*goal.given, *goal.own], random, start)
        if world is None:
            continue
        case = case_of(subject, goal, world, random)
        yield case
        if row.id in case.met:
            found += 1
            yield from _shaken(subject, case, random)
            if found == 1 and row.role != "gate":  # what a gate demands is a condition of each row that sends
                yield from _neighbours(subject, goal, world, random)
        if found == TIMES:
            return


def _neighbours(subject: Subject, goal: Goal, world: World, random: Random) -> Iterator[Case]:
    every = list(flips(goal))
    for conditions in random.sample(every, min(len(every), NEIGHBOURS)):
        beside = aimed(subject, goal, conditions, random, world.values, NEARBY)
        if beside is not None:
            yield case_of(subject, goal, beside, random)


def _shaken(subject: Subject, case: Case, random: Random) -> Iterator[Case]:
    """The same event with one or two numbers or flags a little different, among debts and timers of any kind."""
    first = case.events[0]
    for _ in range(SHAKEN):
        parts = {n: dict(getattr(first, n) or {}) for n in ("places", "values", "answers")}
        spots = [(part, n) for part, of in parts.items() for n, v in of.items() if isinstance(v, int)]
        for part, name in random.sample(spots, min(len(spots), random.choice((0, 1, 2)))):
            value = parts[part][name]
            parts[part][name] = not value if isinstance(value, bool) else max(value + random.choice((1, -1)), 0)
        at = first.at or NOW
        event = replace(
            first,
            places=parts["places"],
            values=parts["values"],
            answers=parts["answers"],
            timers={**_running(subject, at, random), **first.timers},
        )
        event = replace(event, debts={**_open(subject, event, random), **first.debts})
        events = (event, *case.events[1:])
        expected = observe(subject.reference(), events, subject)
        if expected[-1].error in ("", "endless"):  # an invariant may not hold here, and then a table may be silent
            yield Case(case.row, events, expected, case.cells)


def _running(subject: Subject, at: int, random: Random) -> dict[str, int | None]:
    return {n: at + 10**8 for n in subject.machine.timers if random.random() < 0.5}


def _open(subject: Subject, event: Event, random: Random) -> dict[str, tuple[tuple[Any, ...], int] | None]:
    """Some debts that may be owed in the states of `event`."""
    found: dict[str, tuple[tuple[Any, ...], int] | None] = {}
    for n in sorted(subject.owed):
        if random.random() < 0.6:
            found |= owed(subject, event, random, n)
    return found


def case_of(subject: Subject, goal: Goal, world: World, random: Random) -> Case:
    """The case of one world: the event aimed at, then time passing, then any input."""
    events = (event_of(subject, goal, world, random), Event("advance", later=random.choice((0, 40_000, 10**6))), any_input(subject, random))
    return Case(goal.row, events, observe(subject.reference(), events, subject), _turns(subject, goal))


def _turns(subject: Subject, goal: Goal) -> frozenset[Cell]:
    """The cells on which a row turns, and those that it changes."""
    found = {c for e in (*goal.own, *goal.atoms, *goal.given) for n in walk(e) if (c := cell_of(n)) is not None}
    row = subject.machine.row(goal.row)
    kinds = {"assign": "var", "owe": "debt", "start": "timer", "ensure": "timer", "stop": "timer"}
    found |= {(kinds[s.kind], s.name) for s in row.actions if s.kind in kinds}
    return frozenset(c for c in found if c[0] != "debt" or c[1] in subject.owed)


def any_input(subject: Subject, random: Random) -> Event:
    """Some message with values near those of the guards; sequence numbers near variables."""
    machine = subject.machine
    kinds = [x.name for x in machine.messages.values() if x.is_kind and any(n in machine.inputs for n in x.lineage)]
    if not kinds:
        return Event("advance", later=1000)
    kind = random.choice(kinds)
    world = World(machine, subject.externs, kind)
    aim = Aim(world, subject.pool, random)
    near = [n for n, v in machine.variables.items() if v.type.kind == "seq"]
    values = {
        n: Near(random.choice(near), random.choice((0, 1, -1, 1460))) if f.type.kind == "seq" and near else aim.any(("field", n))
        for n, f in machine.messages[kind].fields.items()
        if n != "kind"
    }
    return Event("input", kind, subject.full(kind, values), later=random.choice((0, 1000)))


def anywhere(subject: Subject, goal: Goal, random: Random) -> Values:
    """Any values for all that an event meets."""
    world = world_of(subject, goal)
    Aim(world, subject.pool, random).scatter(scattered(subject, goal))
    return world.values


def world_of(subject: Subject, goal: Goal) -> World:
    """The cells on which `goal` turns, as at the start."""
    message = goal.event if goal.what == "input" else ""
    return World(subject.machine, subject.externs, message, goal.event if goal.what == "call" else "")


def scattered(subject: Subject, goal: Goal) -> list[Cell]:
    """Cells that may hold anything when an event comes."""
    variables = [("var", n) for n, v in subject.machine.variables.items() if v.kind != "ghost" and v.type.kind not in ("message", "opaque")]
    regions = [("var", n) for n in subject.machine.regions]
    fields = [("field", n) for n in subject.machine.messages[goal.event].fields if n != "kind"] if goal.what == "input" else []
    asks = [
        ("ask", f.name) for f in subject.machine.functions.values() if f.kind == "ask" and f.result and f.result.kind in (*NUMBERS, "bool")
    ]
    return [*regions, *variables, *fields, *asks]


def event_of(subject: Subject, goal: Goal, world: World, random: Random) -> Event:
    """The event that `world` describes."""
    values = world.values
    now = values.get(("now",), NOW)
    places = _grouped(values, "var")
    answers = _grouped(values, "ask")
    for name, told in answers.items():
        result = subject.machine.functions[name].result
        if result is not None and result.kind == "message":
            answers[name] = subject.full(result.name, told)
    answers = {n: ({k: v for k, v in a.items() if v is not None} if isinstance(a, dict) else a) for n, a in answers.items()}
    timers: dict[str, int | None] = {c[1]: now + 10**6 for c, v in values.items() if c[0] == "timer" and v}
    debts = {c[1]: (_frozen(subject, world, c[1], random), now) for c, v in values.items() if c[0] == "debt" and v and c[1] in subject.owed}
    given: dict[str, Any] = {}
    what, name = goal.what, goal.event
    if what == "input":
        given = subject.full(name, _grouped(values, "field"))
    elif what == "call":
        params = subject.machine.functions[name].params
        given = {p: values.get(("arg", p), zero(t, world)) for p, t in params}
    elif what == "timer":
        timers[name] = now
    what, name = (what, name) if what in ("input", "call") else ("advance", "")
    families = subject.machine.families.values()
    key = next((given[f.key] for f in families if f.key in given), next((world.get(("var", f.variable)) for f in families), 1))
    return Event(what, name, given, now, 0, answers, places, key, timers, debts, _grouped(values, "count"))


def _grouped(values: Values, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cell, value in values.items():
        if cell[0] == kind and len(cell) == 2:
            found[cell[1]] = value
        elif cell[0] == kind:
            found.setdefault(cell[1], {})[cell[2]] = value
    return found


def _frozen(subject: Subject, world: World, debt: str, random: Random) -> tuple[Any, ...]:
    near = [v for c, v in world.values.items() if c[0] == "var" and len(c) == 2 and world.type_of(c).kind == "seq"] or [0]
    return tuple((random.choice(near) + random.choice((0, 0, 1, -1))) % 2**32 for _ in subject.machine.debts[debt].params)


def aimed(subject: Subject, goal: Goal, conditions: Sequence[Expr], random: Random, start: Values, steps: int = STEPS) -> World | None:
    """A world in which `conditions` and the machine's invariants hold, found from `start`; None: not found."""
    world = world_of(subject, goal)
    aim = Aim(world, subject.pool, random)
    for cell, value in start.items():
        world.put(cell, value)
    return world if aim.satisfy([*subject.goals.invariants, *conditions], steps) else None
