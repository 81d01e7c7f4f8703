"""What must hold for a row to fire, as conditions on one event and the configuration that it meets.

A row of a table needs a way through the tables before its own; a row that sends, that no row before it in the order does. Beside
the row itself each of its conditions is negated alone, and each comparison and flag in its actions is brought to its boundary.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from translation_aim import INPUT, cells
from wirelaw.spec.language.expressions import (
    FALSE,
    TRUE,
    Binary,
    Call,
    Expr,
    Field,
    Lit,
    Name,
    Window,
    children,
    conjoin,
    conjuncts,
    negate,
    rebuild,
    walk,
)
from wirelaw.spec.language.model import Machine, Row, Table
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.effects import as_claims, assignments, demanded, in_states, others, put, rename
from wirelaw.spec.language.python import fold
from wirelaw.spec.language.sugar import at_edition
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import BOOL, Type

COMPARED = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Goal:
    """One event (`what` is input, call, timer or pump) and what must hold when it comes; `own` are the row's own conditions."""

    row: str
    what: str
    event: str
    given: tuple[Expr, ...]
    own: tuple[Expr, ...]
    atoms: tuple[Expr, ...]


class Goals:
    """Goals of one machine in one edition under one profile."""

    def __init__(self, machine: Machine, profile: Profile, edition: int) -> None:
        self.machine = of_edition(machine, edition)
        self.profile = profile
        self._held: dict[tuple[str, str], tuple[Expr, ...]] = {}
        self._changed: dict[str, dict[str, Expr]] = {}
        self._excluded: dict[str, str] = {}
        self._rows = {r.id: r for r in self.machine.rows()}
        always = {v.name for v in machine.variables.values() if v.type.kind == "message"}  # a case gives each a message
        claims = [self.fold(c) for _, c in as_claims(machine)]
        self.invariants = tuple(c for c in claims if not any(isinstance(n, Name) and n.name in always for n in walk(c)))

    def fold(self, e: Expr) -> Expr:
        """`e` with the profile's choices and parameters put in."""
        return fold(e, self.profile.choices, self.profile.params)

    def excluded(self, row: Row) -> str:
        """Why this implementation never takes `row`, derived from edition, profile and mode; empty when it may."""
        if row.id not in self._excluded:
            self._excluded[row.id] = self._reason(row)
        return self._excluded[row.id]

    def _reason(self, row: Row) -> str:
        if row.id not in self._rows:
            return f"not of edition: {row.editions}"
        row = self._rows[row.id]
        if row.role == "output" and row.id not in self.profile.order:
            return f"`{row.mode}` and not in the profile's order"
        folded = [self.fold(c) for c in row.guard + row.when]
        if FALSE in folded:
            false = (row.guard + row.when)[folded.index(FALSE)]
            bound = {n.name: self.profile.choices.get(n.name) for n in walk(false) if isinstance(n, Name) and n.kind == "choice"}
            return f"the profile chooses {bound}"
        if row.role == "gate":
            sent = {r.event for r in self.machine.emissions if not self.excluded(r)}
            if not any(row.event in self.machine.messages[x].lineage for x in sent if x in self.machine.messages):
                return f"nothing that is generated sends `{row.event}`"
        if row.role == "input" and row.event_kind == "message" and row.states and not row.otherwise and self._shut(row):
            return "whatever the table before it lets go on makes its guard false"
        if row.role == "input" and row.event_kind == "message" and all(self._stopped(kind, row.table) for kind in self._kinds(row)):
            return "a table before it lets no such message go on"
        return ""

    def _kinds(self, row: Row) -> list[str]:
        """The kinds of message that a row of a table speaks of."""
        machine = self.machine
        inputs = [x for x in machine.messages.values() if x.is_kind and any(n in machine.inputs for n in x.lineage)]
        return [x.name for x in inputs if row.event in x.lineage]

    def _tables(self, kind: str) -> tuple[str, ...]:
        """The tables that a message comes through."""
        return next(self.machine.inputs[n].tables for n in self.machine.messages[kind].lineage if n in self.machine.inputs)

    def _going(self, level: list[Row]) -> list[Row]:
        """Those that let the event go on to the next table."""
        return [r for r in level if "next" in (self._ending(r)[0].kind, self._ending(r)[0].continuation) and not self.excluded(r)]

    def _stopped(self, kind: str, before: str) -> bool:
        """Whether some table before this one lets no message of a kind go on, in any state."""
        tables, lineage = self._tables(kind), self.machine.messages[kind].lineage
        return any(self._stops(self.machine.tables[n], lineage) for n in tables[: tables.index(before)])

    def _stops(self, table: Table, lineage: tuple[str, ...]) -> bool:
        regions = sorted({r.region for r in table.rows if r.event in lineage and r.region})
        places = itertools.product(*([s.name for s in self.machine.regions[n].states] for n in regions))
        levels = [_level(table, lineage, dict(zip(regions, place, strict=True))) for place in places]
        return all(level and not self._going(level) for level in levels)

    def _shut(self, row: Row) -> bool:
        """Whether each row of the table before, in each state, changes things so that the guard of `row` folds to false."""
        machine = self.machine
        tables = next((p.tables for n, p in machine.inputs.items() if n in machine.messages[row.event].lineage), (row.table,))
        place = tables.index(row.table)
        if not place:
            return False
        for state in row.states:
            here = {row.region: state}
            rows = machine.tables[tables[place - 1]].rows
            if any(r.region not in ("", row.region) or r.event != row.event for r in rows):
                return False
            going = self._going(_level(machine.tables[tables[place - 1]], (row.event,), here))
            if not going:
                return False
            for r in going:
                after = self._changes(r, dict(here))
                if row.region not in after and FALSE not in [self.fold(after_that(c, after)) for c in self._enabled(row)]:
                    return False
        return True

    def way(self, row: Row, random: Random) -> Goal | None:
        """One way in which `row` may fire, at random; None where that way turns out to be none."""
        row = self._rows[row.id]
        if row.role == "gate":
            return self._watched(row, random)
        return self._taken(row, random) if row.role == "input" else self._sent(row, random.random() < 0.7)

    def _watched(self, gate: Row, random: Random) -> Goal | None:
        """An output row that `gate` speaks of, in the gate's scope."""
        lineages = {n: x.lineage for n, x in self.machine.messages.items()}
        rows = [r for r in self.machine.emissions if gate.event in lineages.get(r.event, ()) and not self.excluded(r)]
        ways = [(row, scope) for row in rows if FALSE not in (scope := self._scope(gate, row))]
        if not ways:
            return None
        row, scope = random.choice(ways)
        goal = self._sent(row, random.random() < 0.5)
        # a gate may be one that refuses whatever it speaks of: then nothing is sent, and yet it is asked
        own = goal.own if random.random() < 0.5 else self._folded([*row.guard, *row.when, *self._built_all(row, row.where)])
        return replace(goal, row=gate.id, given=goal.given + scope, own=own)

    def _scope(self, gate: Row, row: Row) -> tuple[Expr, ...]:
        names = dict(zip(gate.binders, row.binders, strict=False))
        scope = [*in_states(gate.region, gate.states, self.machine), *(rename(c, names) for c in gate.guard)]
        return self._once(f"scope of {gate.id}", row, lambda: self._built_all(row, scope))

    # --- input rows ----------------------------------------------------------------------------------------------

    def _taken(self, row: Row, random: Random) -> Goal | None:
        """A random way to a row of a table, or None where that way is none."""
        machine = self.machine
        if row.event_kind == "message":
            event = random.choice(self._kinds(row))
            lineage, tables = machine.messages[event].lineage, self._tables(event)
        else:
            event, lineage = row.event, (row.event,)
            tables = tuple(n for n, t in machine.tables.items() if any(r.event == event for r in t.rows))
        spoken = sorted({r.region for t in tables for r in machine.tables[t].rows if r.event in lineage and r.region})
        here = {n: random.choice(machine.regions[n].states).name for n in spoken}
        if row.states:
            here[row.region] = random.choice(sorted(row.states))
        given = [c for region, state in here.items() for c in self._state(region, state)]
        after: dict[str, Expr] = {}
        for name in tables[: tables.index(row.table)]:
            level = _level(machine.tables[name], lineage, here)
            going = self._going(level)
            if level and not going:
                return None
            if level:
                usual = [r for r in going if r.likely]
                chosen = usual[0] if usual and random.random() < 0.7 else random.choice(going)
                given += [after_that(c, after) for c in self._enabled(chosen)]
                after |= {n: after_that(e, after) for n, e in self._changes(chosen, here).items()}
        if row not in _level(machine.tables[row.table], lineage, here):
            return None
        own = tuple(after_that(c, after) for c in self._enabled(row))
        what = {"message": "input", "call": "call", "timer": "timer"}[row.event_kind]
        return Goal(row.id, what, event, tuple(given), own, tuple(after_that(a, after) for a in self._atoms(row)))

    def _state(self, region: str, state: str) -> tuple[Expr, ...]:
        key = (region, state)
        if key not in self._held:
            self._held[key] = in_states(region, (state,), self.machine)
        return self._held[key]

    def _enabled(self, row: Row) -> tuple[Expr, ...]:
        """The guard of `row`, speaking of the input by the name that goals have for it; of `otherwise`, that no other row holds."""

        def make() -> tuple[Expr, ...]:
            conditions = others(row, self.machine) if row.otherwise else row.guard
            return self._folded([rename(c, self._called(row)) for c in conditions])

        return self._once("enabled", row, make)

    def _once(self, what: str, row: Row, make: Callable[[], tuple[Expr, ...]]) -> tuple[Expr, ...]:
        """What `make` gives for `row`, made only once: readers of conditions are found by identity."""
        if (what, row.id) not in self._held:
            self._held[what, row.id] = make()
        return self._held[what, row.id]

    def _called(self, row: Row) -> dict[str, str]:
        """What goals call the message or the arguments of `row`."""
        if row.event_kind == "message":
            return dict.fromkeys(row.binders, INPUT)
        params = [n for n, _ in self.machine.functions[row.event].params] if row.event_kind == "call" else []
        return dict(zip(row.binders, params, strict=False))

    def _changes(self, row: Row, here: dict[str, str]) -> dict[str, Expr]:
        """What `row` changes, over the configuration before it; its change of state in `here` too."""
        ending, actions = self._ending(row)
        if row.id not in self._changed:
            made = {n: e for n, e in assignments(actions, self.machine).items() if n in self.machine.variables}
            self._changed[row.id] = {n: self.fold(rename(e, self._called(row))) for n, e in made.items()}
        changed = dict(self._changed[row.id])
        if ending.kind == "become" and isinstance(ending.target, dict):
            target = ending.target.get("") or ending.target[here[row.region]]
            region = self.machine.states[target].region
            here[region] = target
            changed[region] = Lit(target, type=Type("enum", region))
        return changed

    def _ending(self, row: Row) -> tuple[Ending, tuple[Statement, ...]]:
        if row.ending.kind != "either":
            return row.ending, row.actions
        wants = self.profile.takes.get(row.id, "go") == "abort"
        ending, more = next((e, acts) for e, acts in row.ending.alternatives if (e.kind == "abort") == wants)
        return ending, row.actions + more

    # --- output rows ---------------------------------------------------------------------------------------------

    def _sent(self, row: Row, first: bool) -> Goal:
        """What lets an output row fire; with `first`, and none that the profile tries before it."""
        machine = self.machine
        given = list(in_states(row.region, row.states, machine))
        if first:
            for other in self.profile.order[: self.profile.order.index(row.id)]:
                r = machine.row(other) if any(x.id == other for x in machine.emissions) else None
                if r is not None and not self.excluded(r):
                    given.append(negate(conjoin([*in_states(r.region, r.states, machine), *r.guard, *r.when])))
        own = [*row.guard, *row.when, *self._built_all(row, demanded(row, machine))]
        return Goal(row.id, "pump", "", self._folded(given), self._folded(own), self._atoms(row))

    def _built_all(self, row: Row, conditions: list[Expr] | tuple[Expr, ...]) -> tuple[Expr, ...]:
        return self._folded([self._built(c, row) for c in conditions])

    def _built(self, e: Expr, row: Row) -> Expr:
        """`e` with the fields of the row's message replaced by what the row puts there."""
        if isinstance(e, Field) and isinstance(e.base, Name) and e.base.name in row.binders:
            return self._made(e.name, row)
        return rebuild(e, lambda x: self._built(x, row))

    def _made(self, name: str, row: Row) -> Expr:
        field = self.machine.messages[row.event].fields[name]
        if name in row.fields or name in row.defaults:
            return self._built(row.fields[name] if name in row.fields else row.defaults[name], row)
        if row.default_message is not None:
            return Field(row.default_message, name, type=field.type)
        filled = self.profile.fills.get(row.event, {}).get(name, field.default)
        if filled is not None:
            return filled
        return Lit({"bool": False, "set": None, "string": None, "enum": None, "opaque": None}.get(field.type.kind, 0), type=field.type)

    # --- what else a row decides ---------------------------------------------------------------------------------

    def _atoms(self, row: Row) -> tuple[Expr, ...]:
        return self._once("atoms", row, lambda: self._decided(row))

    def _decided(self, row: Row) -> tuple[Expr, ...]:
        """Comparisons and flags in actions, and in what is sent: each decides something."""
        spoken = [*self._ending(row)[1]]
        exprs = [
            e for s in spoken for e in (*s.args, *(v for _, v in s.fields if v is not None), *([s.value] if s.value is not None else []))
        ]
        exprs += [*row.fields.values(), *row.defaults.values()]
        called = self._called(row) if row.role == "input" else {}
        made = [self.fold(self._built(e, row) if row.role == "output" else rename(e, called)) for e in exprs]
        return tuple(dict.fromkeys(a for e in made for a in atoms(e)))

    def _folded(self, conditions: list[Expr] | tuple[Expr, ...]) -> tuple[Expr, ...]:
        split = [x for c in conditions for x in conjuncts(self.fold(c))]
        return tuple(c for c in split if c != TRUE)


def after_that(e: Expr, after: dict[str, Expr]) -> Expr:
    """`e` as it is after changes; `e` itself where it does not speak of them."""
    return put(e, after) if after and any(c[0] == "var" and c[1] in after for c in cells(e)) else e


def _level(table: Table, lineage: tuple[str, ...], here: dict[str, str]) -> list[Row]:
    """The rows that compete for an event in these states: those of the most specific level that has any."""
    for event in lineage:
        found = [r for r in table.rows if r.event == event and (not r.states or here[r.region] in r.states)]
        if found:
            return found
    return []


def atoms(e: Expr) -> Iterator[Expr]:
    """Comparisons and flags on which the value of `e` turns."""
    if isinstance(e, Binary) and e.op in COMPARED:
        yield e
    elif isinstance(e, Call) and e.function in ("min", "max") and len(e.args) == 2:
        yield Binary("<", *e.args, type=BOOL)
    elif e.type.kind == "bool" and not isinstance(e, Lit) and not (isinstance(e, Binary) and e.op in ("and", "or")):
        yield e
    for child in children(e):
        yield from atoms(child)


def boundary(atom: Expr) -> list[Expr]:
    """An atom and its negation; for a comparison of numbers: equal, one more, one less."""
    one = Lit(1, type=Type("uint", "8"))
    if isinstance(atom, Binary) and atom.op in COMPARED and atom.a.type.kind in ("uint", "seq", "duration", "time"):
        more, less = (replace(atom, op="==", a=a, b=b) for a, b in ((atom.a, add(atom.b, one)), (add(atom.a, one), atom.b)))
        return [replace(atom, op="=="), more, less]
    if isinstance(atom, Window):
        end = add(atom.base, atom.length)
        return [negate(atom), *(Binary("==", a, b, type=BOOL) for a, b in ((atom.x, end), (add(atom.x, one), end), (atom.x, atom.base)))]
    return [atom, negate(atom)]


def add(e: Expr, n: Expr) -> Expr:
    """`e + n`."""
    return Binary("+", e, n, type=e.type)


def flips(goal: Goal) -> Iterator[tuple[Expr, ...]]:
    """Conditions for the neighbours of a goal: each condition of its row alone fails, or meets its boundary either way."""
    for i, c in enumerate(goal.own):
        rest = goal.given + goal.own[:i] + goal.own[i + 1 :]
        yield (*rest, negate(c))
        for atom in dict.fromkeys(atoms(c)):
            for at in boundary(atom):
                yield (*rest, at)
    for atom in goal.atoms:
        for at in boundary(atom):
            yield (*goal.given, *goal.own, at)


def of_edition(machine: Machine, edition: int) -> Machine:
    """`machine` without the rows of other editions, and with the guards that rows have in this one."""
    machine = at_edition(machine, edition)

    def current(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(replace(r, editions=()) for r in rows if not r.editions or edition in r.editions)

    tables = {n: replace(t, rows=current(t.rows)) for n, t in machine.tables.items()}
    return replace(machine, tables=tables, gates=current(machine.gates), emissions=current(machine.emissions))
