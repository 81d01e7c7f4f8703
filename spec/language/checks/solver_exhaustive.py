"""The solver without dependencies: every assignment over small domains.

Sequence numbers are shrunk to mod 2^4 (serial comparison at half of it), numbers to a few values around the constants that
occur, opaque values to as many as can differ. Conditions are tested as soon as their names have values, and conditions
without a name in common are solved apart, so few assignments are ever tried. What cannot be shrunk faithfully (a large
constant added to a sequence number), and what exceeds the budget, is `Undecided`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wirelaw.spec.language import model as m
from wirelaw.spec.language.checks.solver import (
    BUILTINS,
    Undecided,
    Value,
    Witness,
    as_witness,
    candidates,
    cells,
    functions,
    literals,
    may_be_none,
    members,
    seq_anchors,
    sort_of,
)  # fmt: skip
from wirelaw.spec.language.expressions import Binary, Call, Expr, Lit, Member, SetLit, Unary, Window, children, walk

SEQ_BITS = 4
MODULUS = 1 << SEQ_BITS
HALF = MODULUS // 2
LARGEST_STEP = 3  # the largest constant that keeps its place when sequence numbers shrink to 16 values
BUDGET = 200_000  # assignments tried in one question

Test = Callable[[dict[Expr, Any]], Any]


class ExhaustiveSolver:
    """See the module; `budget` bounds the partial assignments tried for one question."""

    name = "exhaustive"

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """See `Solver.satisfiable`."""
        found = cells(conjuncts)
        anchors = set(seq_anchors(found, conjuncts).values())
        values: dict[Expr, Any] = {}
        postponed: Undecided | None = None
        for part in _components(conjuncts):
            try:
                solution = _Search(part, machine, anchors, self.budget).run()
            except Undecided as reason:
                postponed = reason  # another part may be impossible, which settles the whole
                continue
            if solution is None:
                return None
            values |= solution
        if postponed is not None:
            raise postponed
        return as_witness({e: _named(e, values[e], machine) for e in found}, machine, conjuncts, shown, MODULUS)


def _named(e: Expr, value: Any, machine: m.Machine) -> Value:
    sort = sort_of(e.type)
    if sort == "enum":
        return "none" if value is None else str(value)
    if sort == "value":
        return "none" if value is None else "something"
    return bool(value) if sort == "bool" else int(value)


def _components(conjuncts: Sequence[Expr]) -> Iterator[list[Expr]]:
    """Groups of conditions that share cells, directly or by way of others; applications of one function belong together."""
    groups: list[tuple[set[object], list[Expr]]] = []
    for c in conjuncts:
        found = cells([c])
        keys: set[object] = set(found) | {name for name, _, _ in functions(found) if not name.startswith("field ")}
        together, apart = [c], []
        for other_keys, members_ in groups:
            if keys & other_keys:
                keys |= other_keys
                together = members_ + together
            else:
                apart.append((other_keys, members_))
        groups = [*apart, (keys, together)]
    for _, group in groups:
        yield group


class _Search:
    def __init__(self, conjuncts: Sequence[Expr], machine: m.Machine, anchors: set[Expr], budget: int) -> None:
        self.machine, self.budget = machine, budget
        self.numbers = candidates(conjuncts)
        self.has_seq = any(n.type.kind == "seq" for c in conjuncts for n in walk(c))
        self.conjuncts = conjuncts
        _refuse_large_steps(conjuncts)
        self.cells = self.order(cells(conjuncts))
        self.domains = [[0] if e in anchors else self.domain(e) for e in self.cells]
        self.tests = self.schedule(conjuncts)

    def order(self, found: list[Expr]) -> list[Expr]:
        """Cells so that conditions become testable early: those of the condition with the fewest open cells first."""
        waiting = [set(cells([c])) for c in self.conjuncts]
        placed: list[Expr] = []
        while waiting:
            best = min(waiting, key=len)
            placed += [e for e in found if e in best]
            waiting = [w - best for w in waiting if w - best]
        return placed

    def domain(self, e: Expr) -> list[Any]:
        match sort_of(e.type):
            case "bool":
                return [False, True]
            case "seq":
                return list(range(MODULUS))
            case "enum":
                return [*members(e.type, self.machine), *([None] if may_be_none(e, self.machine) else [])]
            case "number":
                return self.number_domain(e)
        alike = sum(sort_of(x.type) == "value" for x in self.cells)
        constants = [n.value for n in literals(self.conjuncts) if isinstance(n.value, str) and sort_of(n.type) == "value"]
        return [None, *constants, *range(min(alike, 4))]

    def number_domain(self, e: Expr) -> list[int]:
        claim = int(e.type.name) if e.type.kind == "uint" else 64
        if self.has_seq:
            # A claim of 16 bits is a small part of the circle, a claim of 32 all of it.
            values = range(4) if claim < 32 else range(MODULUS)
        else:
            top = max(self.numbers)
            values = sorted({*self.numbers, 3, top + 1, top + 2})  # type: ignore[assignment]
        return [v for v in values if v < 1 << claim]

    def schedule(self, conjuncts: Sequence[Expr]) -> list[list[Test]]:
        """Per cell, the conditions that can be tested once it has a value."""
        place = {e: i for i, e in enumerate(self.cells)}
        tests: list[list[Test]] = [[] for _ in range(len(self.cells) + 1)]
        for c in conjuncts:
            tests[max((place[e] + 1 for e in cells([c])), default=0)].append(_compile(c))
        applied = [(n, e, a) for n, e, a in functions(self.cells) if all(x in place for arg in a for x in cells([arg]))]
        for i, (name, e, args) in enumerate(applied):
            for other_name, other, other_args in applied[:i]:
                if name == other_name and len(args) == len(other_args):
                    at = max(place[x] + 1 for x in (e, other, *cells([*args, *other_args])))
                    tests[at].append(_congruent(e, args, other, other_args))
        return tests

    def run(self) -> dict[Expr, Any] | None:
        values: dict[Expr, Any] = {}
        if not all(test(values) for test in self.tests[0]):
            return None
        return values if self.extend(0, values) else None

    def extend(self, index: int, values: dict[Expr, Any]) -> bool:
        if index == len(self.cells):
            return True
        e, tests = self.cells[index], self.tests[index + 1]
        for value in self.domains[index]:
            self.budget -= 1
            if self.budget < 0:
                raise Undecided("the exhaustive search used up its budget")
            values[e] = value
            if all(test(values) for test in tests) and self.extend(index + 1, values):
                return True
        return False


def _congruent(e: Expr, args: tuple[Expr, ...], other: Expr, other_args: tuple[Expr, ...]) -> Test:
    mine, others = [_compile(a) for a in args], [_compile(a) for a in other_args]

    def test(values: dict[Expr, Any]) -> bool:
        same = all(a(values) == b(values) for a, b in zip(mine, others, strict=True))
        return not same or values[e] == values[other]

    return test


def _refuse_large_steps(conjuncts: Sequence[Expr]) -> None:
    for c in conjuncts:
        for node in walk(c):
            if not isinstance(node, Binary | Window) or not any(x.type.kind == "seq" for x in walk(node)):
                continue
            for part in children(node):
                if isinstance(part, Lit) and isinstance(part.value, int) and part.type.kind == "uint" and part.value > LARGEST_STEP:
                    raise Undecided(f"{part.value} does not fit sequence numbers shrunk to {SEQ_BITS} bits")


def _compile(e: Expr) -> Test:
    """`e` as a function of the values of its cells; sequence arithmetic mod 2^4."""
    match e:
        case Lit(value=value):
            return lambda v: value
        case Unary(op="not", x=x):
            inner = _compile(x)
            return lambda v: not inner(v)
        case Unary(x=x):
            inner = _compile(x)
            return lambda v: -inner(v)
        case Binary(op="and", a=a, b=b):
            left, right = _compile(a), _compile(b)
            return lambda v: left(v) and right(v)
        case Binary(op="or", a=a, b=b):
            left, right = _compile(a), _compile(b)
            return lambda v: left(v) or right(v)
        case Binary(op=op, a=a, b=b):
            return _binary(op, _compile(a), _compile(b), a.type.kind == "seq", b.type.kind == "seq")
        case Window(x=x, base=base, length=length):
            at, start, size = _compile(x), _compile(base), _compile(length)
            if x.type.kind == "seq":
                return lambda v: (at(v) - start(v)) % MODULUS < size(v)
            return lambda v: 0 <= at(v) - start(v) < size(v)
        case Member(x=x, set=SetLit(items=items)):
            item, known = _compile(x), [_compile(i) for i in items]
            return lambda v: any(item(v) == k(v) for k in known)
        case Call(function=function, args=args) if function in BUILTINS:
            parts = [_compile(a) for a in args]
            if function == "select":
                return lambda v: parts[1](v) if parts[0](v) else parts[2](v)
            choose = min if function == "min" else max
            return lambda v: choose(p(v) for p in parts)
        case _:
            return lambda v: v[e]


_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda x, y: x == y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y, ">=": lambda x, y: x >= y, "+": lambda x, y: x + y, "-": lambda x, y: x - y,
    "*": lambda x, y: x * y, "/": lambda x, y: x // y if y else 0, "%": lambda x, y: x % y if y else 0,
    "<<": lambda x, y: x << y, ">>": lambda x, y: x >> y,
}  # fmt: skip
_SERIAL: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda x, y: (x - y) % MODULUS >= HALF, ">=": lambda x, y: (x - y) % MODULUS < HALF,
    ">": lambda x, y: (y - x) % MODULUS >= HALF, "<=": lambda x, y: (y - x) % MODULUS < HALF,
}  # fmt: skip


def _binary(op: str, left: Test, right: Test, a_seq: bool, b_seq: bool) -> Test:
    if a_seq and b_seq and op in _SERIAL:
        serial = _SERIAL[op]
        return lambda v: serial(left(v), right(v))
    plain = _PLAIN[op]
    if op in ("+", "-") and (a_seq or b_seq):
        return lambda v: plain(left(v), right(v)) % MODULUS
    return lambda v: plain(left(v), right(v))
