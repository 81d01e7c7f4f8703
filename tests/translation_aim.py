"""Values under which conditions of the law hold: a constructive satisfier that repairs one failing condition after another.

It only aims. What a value does is for the interpreter and the generated code to say, and a row counts as met when it fired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any

from wirelaw.spec.language import queues
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Member, Name, SetLit, Unary, Window, rebuild, walk
from wirelaw.spec.language.model import Machine, Row
from wirelaw.spec.language.python import PythonNames, PythonWriter
from wirelaw.spec.language.tree import Statement
from wirelaw.spec.language.types import NUMBER, TIME, Type

# A place that can hold a value: ("var", v), ("var", v, field) of a stored message, ("field", f) of the input, ("arg", a) of a
# call, ("ask", q) and ("ask", q, field) of an answer, ("timer", t), ("debt", d), ("count", f) of a family's instances, ("now",).
Cell = tuple[str, ...]
Values = dict[Cell, Any]

NOW = 10**9  # microseconds: late enough for every `now - x`
STEPS = 30
OPTIONS = 6
CROWD = 2000  # instances of one family at most: more than any law bounds
INPUT = "m"  # what goals call the message that comes in
DELTAS = (0, 0, 1, -1, 2, 1460, 65535, 2**31, 2**31 - 1, -(2**31))
NUMBERS = ("uint", "seq", "duration", "time")


class Cells(dict[Cell, Any]):
    """Values of cells; what one is at first where nobody set it."""

    def __init__(self, first: Callable[[Cell], Any]) -> None:
        super().__init__()
        self.first = first

    def __missing__(self, cell: Cell) -> Any:
        value = self[cell] = self.first(cell)
        return value


class World:
    """Cells of one machine before one event. `message` is the kind that comes in, `event` the call."""

    def __init__(self, machine: Machine, externs: Mapping[str, Callable[..., Any]], message: str = "", event: str = "") -> None:
        self.machine = machine
        self.externs = externs
        self.values: Values = {}
        self.fields = machine.messages[message].fields if message else {}
        self.params = dict(machine.functions[event].params) if event in machine.functions else {}
        self.cells = Cells(self._first)

    def get(self, cell: Cell) -> Any:
        """The value of a cell."""
        return self.cells[cell]

    def put(self, cell: Cell, value: Any) -> None:
        """Set a cell."""
        self.values[cell] = self.cells[cell] = value

    def type_of(self, cell: Cell) -> Type:
        """The type of what a cell holds."""
        machine = self.machine
        match cell:
            case ("var", name) if name in machine.regions:
                return Type("enum", name)
            case ("var", name):
                return machine.variables[name].type
            case ("var", name, field):
                return machine.messages[machine.variables[name].type.name].fields[field].type
            case ("field", name):
                return self.fields[name].type
            case ("arg", name):
                return self.params[name]
            case ("ask", name):
                return machine.functions[name].result or TIME
            case ("ask", name, field):
                return machine.messages[(machine.functions[name].result or TIME).name].fields[field].type
            case ("now",):
                return TIME
            case ("count", _):
                return NUMBER
        return Type("bool")

    @cached_property
    def entries(self) -> dict[str, tuple[Type, ...]]:
        """The types of what an entry of each queue holds, as rows push it."""
        made = [(s.name, s.value) for r in self.machine.rows() for s in statements(r) if isinstance(s.value, Call)]
        return {name: tuple(a.type for a in pushed.args[1:]) for name, pushed in made if pushed.function == "pushed"}

    def members(self, type_: Type) -> Sequence[Any]:
        """The members of an enum or of a region."""
        if type_.name in self.machine.regions:
            return [s.name for s in self.machine.regions[type_.name].states]
        return self.machine.enums[type_.name]

    def number(self, e: Expr) -> Any:
        """What an expression is worth."""
        known = _known.get(id(e)) or _look_up(e)
        return known[1](self.cells, self.externs)

    def holds(self, e: Expr) -> bool:
        """Whether a condition does."""
        return bool(self.number(e))

    def fitting(self, cell: Cell, value: Any) -> Any:
        """`value` as this cell can hold it; None when it cannot."""
        if cell[0] == "count":
            return value if isinstance(value, int) and 0 <= value <= CROWD else None
        type_ = self.type_of(cell)
        if type_.kind != "queue":
            return self.fit(type_, value)
        fitted = [tuple(map(self.fit, self.entries[cell[1]], entry)) for entry in value[: int(type_.name)]]
        return None if any(v is None for entry in fitted for v in entry) else tuple(fitted)

    def fit(self, type_: Type, value: Any) -> Any:
        """`value` as one of this type; None when it is none."""
        match type_.kind:
            case "bool":
                return bool(value)
            case "seq" if isinstance(value, int):
                return value % 2**32
            case "uint" if isinstance(value, int):
                return value if 0 <= value < 2 ** min(type_.bits, 40) else None
            case "duration" | "time" if isinstance(value, int):
                return value if 0 <= value < 2**50 else None
            case "enum":
                return value if value in self.members(type_) else None
            case "string":
                return value if isinstance(value, str) else None
            case "set":
                return value if isinstance(value, tuple) else None
        return value

    def _first(self, cell: Cell) -> Any:
        match cell:
            case ("var", name) if name in self.machine.regions:
                return self.machine.regions[name].initial[0].name
            case ("var", name) if self.machine.variables[name].kind == "key":
                return zero(self.type_of(cell), self)
            case ("var", name) if isinstance(init := self.machine.variables[name].init, Lit):
                return init.value
            case ("now",):
                return NOW
        return zero(self.type_of(cell), self)


def statements(row: Row) -> Iterator[Statement]:
    """All that a row may do."""
    yield from row.actions
    for _, more in row.ending.alternatives:
        yield from more


def zero(type_: Type, world: World) -> Any:
    """A value of any type: a message is never missing a field."""
    match type_.kind:
        case "bool":
            return False
        case "uint" | "seq" | "duration" | "time":
            return 0
        case "enum":
            return world.members(type_)[0]
        case "string":
            return ""
        case "set" | "queue":
            return ()
    return None


def cell_of(e: Expr) -> Cell | None:
    """The cell that an expression reads, if it is nothing but that."""
    match e:
        case Name(kind="var" | "region", name=name):
            return None if e.type.kind == "message" else ("var", name)
        case Name(kind="arg", name=name):
            return ("arg", name)
        case Name(kind="now"):
            return ("now",)
        case Field(base=Name(kind="var", name=name), name=field):
            return ("var", name, field)
        case Field(base=Name(kind="binder"), name=field):
            return ("field", field)
        case Field(base=Call(kind="ask", function=name), name=field):
            return ("ask", name, field)
        case Call(kind="ask", function=name):
            return None if e.type.kind == "message" else ("ask", name)
        case Call(kind="due", function=function, args=(Lit(value=str(name)),)):
            return ("debt" if function == "due" else "timer", name)
        case Call(kind="count", args=(Lit(value=str(name)),)):
            return ("count", name)
    return None


Reader = Callable[[Mapping[Cell, Any], Mapping[str, Any]], Any]
_known: dict[int, tuple[Expr, Reader, frozenset[Cell]]] = {}  # by identity, which holding the expression keeps to itself
_WRITER = PythonWriter(PythonNames(str, str, lambda n: f"x[{n!r}]", str, str, str), unbounded=False)


def _look_up(e: Expr) -> tuple[Expr, Reader, frozenset[Cell]]:
    if id(e) not in _known:
        text = _WRITER.expr(_by_cell(e))
        _known[id(e)] = e, eval(f"lambda c, x: {text}"), frozenset(c for n in walk(e) if (c := cell_of(n)) is not None)
    return _known[id(e)]


def _by_cell(e: Expr) -> Expr:
    cell = cell_of(e)
    return rebuild(e, _by_cell) if cell is None else Name(f"c[{cell!r}]", "raw", type=e.type)


def cells(e: Expr) -> frozenset[Cell]:
    """Every cell that an expression reads."""
    return _look_up(e)[2]


class Aim:
    """Makes conditions true in a world."""

    def __init__(self, world: World, pool: Mapping[str, Sequence[Any]], random: Random) -> None:
        self.world, self.pool, self.random = world, pool, random
        self.settled: set[Cell] = set()

    def scatter(self, targets: Sequence[Cell]) -> None:
        """Give each of these cells any value of its type."""
        for cell in targets:
            if (value := self.any(cell)) is not None:
                self.world.put(cell, value)

    def satisfy(self, conditions: Sequence[Expr], steps: int = STEPS) -> bool:
        """Change cells until all conditions hold; False when that did not come about."""
        world, random = self.world, self.random
        self.settled = self._settle(conditions)
        holds = [world.holds(c) for c in conditions]
        spoken: dict[Cell, list[int]] = {}
        for i, c in enumerate(conditions):
            for cell in cells(c):
                spoken.setdefault(cell, []).append(i)
        for _ in range(steps):
            failing = [i for i, ok in enumerate(holds) if not ok]
            if not failing:
                return True
            wrong = conditions[random.choice(failing)]
            options = self._options(wrong)
            if not options:
                continue
            scored = [(self._damage(cell, value, conditions, holds, spoken), n) for n, (cell, value) in enumerate(options)]
            best = min(scored)[0]
            chosen = random.choice([n for damage, n in scored if damage == best or random.random() < 0.05])
            cell, value = options[chosen]
            world.put(cell, value)
            for i in spoken.get(cell, ()):
                holds[i] = world.holds(conditions[i])
        return all(holds)

    def _settle(self, conditions: Sequence[Expr]) -> set[Cell]:
        """Put each region that a whole condition speaks of into one of its states: what to look for from then on."""
        allowed: dict[Cell, list[Any]] = {}
        for c in conditions:
            match c:
                case Member(x=Name(kind="region", name=name), set=SetLit(items=items)):
                    states = [i.value for i in items if isinstance(i, Lit)]
                    allowed[("var", name)] = [s for s in allowed.get(("var", name), states) if s in states]
        for cell, states in allowed.items():
            if states and self.world.get(cell) not in states:
                self.world.put(cell, self.random.choice(states))
        return set(allowed)

    def _options(self, wrong: Expr) -> list[tuple[Cell, Any]]:
        """Changes that may mend a condition; one at random among them."""
        world, random = self.world, self.random
        proposed = list(self.changes(wrong, True))
        random.shuffle(proposed)
        options: list[tuple[Cell, Any]] = []
        for cell, wanted in proposed[: 3 * OPTIONS]:
            value = world.fitting(cell, wanted)
            if value is not None and value != world.get(cell) and cell not in self.settled and len(options) < OPTIONS:
                options.append((cell, value))
        if read := sorted(cells(wrong) - self.settled):
            cell = random.choice(read)
            options.append((cell, self.any(cell)))
        return options

    def _damage(self, cell: Cell, value: Any, conditions: Sequence[Expr], holds: list[bool], spoken: dict[Cell, list[int]]) -> int:
        """How many more conditions fail when `cell` becomes `value`."""
        world = self.world
        before = world.cells[cell]
        world.cells[cell] = value
        damage = sum(holds[i] - world.holds(conditions[i]) for i in spoken.get(cell, ()))
        world.cells[cell] = before
        return damage

    # --- what would make a condition true ----------------------------------------------------------------------

    def changes(self, e: Expr, truth: bool) -> Iterator[tuple[Cell, Any]]:
        """Changes that make `e` true, or false."""
        world = self.world
        match e:
            case Unary(op="not", x=x):
                yield from self.changes(x, not truth)
            case Binary(op="and" | "or", a=a, b=b):
                for part in (a, b):
                    if world.holds(part) != truth:
                        yield from self.changes(part, truth)
            case Binary(op="==" | "!=" | "<" | "<=" | ">" | ">=", a=a, b=b):
                x, y = world.number(a), world.number(b)
                for side, value in ((a, y), (b, x)):
                    if isinstance(value, int) and side.type.kind in NUMBERS:
                        for near in (value, value + 1, value - 1):
                            yield from self.become(side, near)
                    elif (e.op == "==") == truth:
                        yield from self.become(side, value)
                    else:
                        yield from self.different(side)
            case Window(x=x, base=base, length=length):
                start, size = world.number(base), world.number(length)
                for value in (start, start + size - 1, start - 1, start + size):
                    yield from self.become(x, value)
                for value in (world.number(x) - start, (world.number(x) - start) % 2**32 + 1):
                    yield from self.become(length, value)
            case Member(x=x, set=s):
                yield from self._belong(x, s, truth)
            case Call(function="select", kind="builtin", args=(test, yes, no)):
                yield from self.changes(yes if world.holds(test) else no, truth)
                yield from self.changes(test, not world.holds(test))
            case _:
                yield from self.become(e, truth)

    def _belong(self, x: Expr, s: Expr, truth: bool) -> Iterator[tuple[Cell, Any]]:
        world = self.world
        if isinstance(s, SetLit):
            for item in s.items:
                if truth:
                    yield from self.become(x, world.number(item))
            if not truth:
                yield from self.different(x)
            return
        item, held = world.number(x), tuple(world.number(s) or ())
        if truth and item is not None:
            yield from self.become(s, (item, *held))
            yield from self.become(s, (*held, item))
            for other in held:
                yield from self.become(x, other)
        else:
            yield from self.become(s, tuple(n for n in held if n != item))
            yield from self.different(x)

    def different(self, e: Expr) -> Iterator[tuple[Cell, Any]]:
        """Some other value for `e`."""
        for cell in sorted(cells(e)):
            yield cell, self.any(cell)

    def become(self, e: Expr, value: Any) -> Iterator[tuple[Cell, Any]]:
        """Changes that make `e` worth `value`."""
        world = self.world
        if (cell := cell_of(e)) is not None:
            yield cell, value
            return
        match e:
            case Binary(op="+" | "-" | "*" | "/" | "<<" | ">>" | "%") if isinstance(value, int):
                yield from self._compute(e, value)
            case Call(function="select", kind="builtin", args=(test, yes, no)):
                yield from self.become(yes if world.holds(test) else no, value)
                yield from self.changes(test, not world.holds(test))
            case Call(function="min" | "max", kind="builtin", args=args):
                for arg in args:
                    yield from self.become(arg, value)
            case Call(kind="queue", function="len", args=(Name(name=name),)) if 0 <= value <= queues.limit(e.args[0]):
                held = world.get(("var", name))[:value]
                yield ("var", name), held + tuple(self._entry(name) for _ in range(value - len(held)))
            case Call(kind="queue", function="first", args=(Name(name=name), Lit(value=int(place)), _)):
                first, *more = world.get(("var", name)) or (self._entry(name),)
                yield ("var", name), ((*first[:place], value, *first[place + 1 :]), *more)
            case Call(kind="extern"):
                for cell in sorted(cells(e)):
                    yield cell, self.any(cell)
                    if world.type_of(cell).kind == "set":
                        yield from self._sets(cell, e)
            case Binary() | Unary() | Member() | Window():
                if world.holds(e) != bool(value):
                    yield from self.changes(e, bool(value))

    def _sets(self, cell: Cell, e: Expr) -> Iterator[tuple[Cell, Any]]:
        """Sets are made alike: empty, that of another cell, one more or one less."""
        world = self.world
        held = tuple(world.get(cell) or ())
        yield cell, ()
        yield cell, held[1:]
        yield cell, held + held[:1]
        for other in sorted(cells(e) - {cell}):
            if world.type_of(other).kind == "set":
                theirs = tuple(world.get(other) or ())
                yield cell, theirs
                yield cell, tuple(dict.fromkeys(held + theirs))

    def _compute(self, e: Binary, value: int) -> Iterator[tuple[Cell, Any]]:
        a, b = self.world.number(e.a), self.world.number(e.b)
        match e.op:
            case "+":
                yield from self.become(e.a, value - b)
                yield from self.become(e.b, value - a)
            case "-":
                yield from self.become(e.a, value + b)
                yield from self.become(e.b, a - value)
            case "*":
                yield from self.become(e.a, value // b if b else 0)
                yield from self.become(e.b, value // a if a else 0)
            case "/":
                yield from self.become(e.a, value * max(b, 1))
            case "<<":
                yield from self.become(e.a, value >> b)
            case ">>":
                yield from self.become(e.a, value << min(b, 64))
            case "%":
                yield from self.become(e.a, value)

    # --- any value -----------------------------------------------------------------------------------------------

    def any(self, cell: Cell) -> Any:
        """A value for a cell: numbers near constants of the guards, sequence numbers near one another."""
        type_ = self.world.type_of(cell)
        if type_.kind == "queue":
            return tuple(self._entry(cell[1]) for _ in range(self.random.randint(0, int(type_.name))))
        if cell[0] == "count":
            return self.random.randrange(4)
        return self._any_of(type_)

    def _entry(self, queue: str) -> tuple[Any, ...]:
        return tuple(self._any_of(t) for t in self.world.entries[queue])

    def _any_of(self, type_: Type) -> Any:
        random = self.random
        match type_.kind:
            case "bool":
                return random.random() < 0.5
            case "seq":
                near = [v for c, v in self.world.values.items() if c[0] in ("var", "field") and self.world.type_of(c).kind == "seq"]
                return (random.choice(near or [0]) + random.choice(DELTAS)) % 2**32
            case "uint":
                return self.world.fit(type_, random.choice(self.pool["uint"])) or 0
            case "duration" | "time":
                return random.choice((0, 1, 1000, 10**6, 10**8, NOW - 10**6, NOW, NOW + 1))
            case "enum":
                return random.choice(self.world.members(type_))
            case "string":
                return random.choice(self.pool["string"])
            case "set":
                items = self.pool["string" if type_.name == "string" else "uint"]
                return tuple(random.choice(items) for _ in range(random.randrange(4)))
        return (type_.name or type_.kind, random.randrange(9))
