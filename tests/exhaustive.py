"""A second solver, to check the encoding of the first: a search over small domains, which shares no code with z3.

Sequence numbers are shrunk to mod 2^4 (serial comparison at half of it), numbers to a few values around the constants that
occur, opaque values to as many as can differ. What cannot be shrunk faithfully (a large constant beside sequence numbers)
counts as unknown: what is impossible whatever the unknown says is impossible, everything else, and what exceeds the budget, is
`Undecided`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from exhaustive_terms import Domains, Exhausted, Search, Term, Terms
from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import COMPARISONS, Binary, Call, Expr, Lit, Member, SetLit, Unary, Window, children, rebuild, walk
from wirelaw.spec.language.proof.solver import (
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
from wirelaw.spec.language.types import BOOL

SEQ_BITS = 4
MODULUS = 1 << SEQ_BITS
HALF = MODULUS // 2
LARGEST_STEP = 3  # the largest constant that keeps its place when sequence numbers shrink to 16 values
BUDGET = 200_000  # simplifications in one question


class ExhaustiveSolver:
    """See the module; `budget` bounds the simplifications made for one question."""

    name = "exhaustive"

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """See `Solver.satisfiable`."""
        found = cells(conjuncts)
        anchors = set(seq_anchors(found, conjuncts).values())
        simplest = shown is None or bool(shown)
        values: dict[Expr, Any] = {}
        postponed: Undecided | None = None
        for part in _components(conjuncts):
            try:
                solution = _Question(part, machine, anchors, self.budget).answer(simplest)
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


class _Question:
    """One component of a question: its cells and their domains."""

    def __init__(self, conjuncts: Sequence[Expr], machine: m.Machine, anchors: set[Expr], budget: int) -> None:
        self.conjuncts, self.machine, self.budget = conjuncts, machine, budget
        self.numbers = candidates(conjuncts)
        self.has_seq = any(n.type.kind == "seq" for c in conjuncts for n in walk(c))
        self.cells = cells(conjuncts)
        self.domains = [(0,) if e in anchors else tuple(self.domain(e)) for e in self.cells]
        self.alike = frozenset(i for i, e in enumerate(self.cells) if sort_of(e.type) == "value")

    def domain(self, e: Expr) -> Sequence[Any]:
        match sort_of(e.type):
            case "bool":
                return (False, True)
            case "seq":
                return range(MODULUS)
            case "enum":
                return [*members(e.type, self.machine), *([None] if may_be_none(e, self.machine) else [])]
            case "number":
                return self.number_domain(e)
        alike = sum(sort_of(x.type) == "value" for x in self.cells)
        constants = {n.value: None for n in literals(self.conjuncts) if isinstance(n.value, str) and sort_of(n.type) == "value"}
        return [None, *constants, *range(alike)]

    def number_domain(self, e: Expr) -> list[int]:
        claim = e.type.bits if e.type.kind == "uint" else 64
        if self.has_seq:
            # A claim of 16 bits is a small part of the circle, a claim of 32 all of it.
            values = range(4) if claim < 32 else range(MODULUS)
        else:
            top = max(self.numbers)
            values = sorted({*self.numbers, 3, top + 1, top + 2})  # type: ignore[assignment]
        return [v for v in values if v < 1 << claim]

    def answer(self, simplest: bool) -> dict[Expr, Any] | None:
        """Values under which all conditions hold, the `simplest` ones if wanted; None when there are none. Raises `Undecided`.

        What cannot be whatever its comparisons say cannot be at all; that takes no numbers to see, and often suffices.
        """
        with contextlib.suppress(Exhausted):
            if self.solve(_is_compared, simplest=False) is None:
                return None
        unfit = [atom for c in self.conjuncts for atom in _atoms(c) if self.has_seq and _is_unfit(atom)]
        try:
            if unfit and self.solve(_is_unfit, simplest=False) is None:
                return None
            if any(x.type.kind == "seq" for atom in unfit for x in walk(atom)):
                raise Undecided(_reason(unfit[0]))
            found = self.solve(lambda atom: False, simplest)
        except Exhausted:
            raise Undecided("the exhaustive search used up its budget") from None
        if found is None and unfit:
            raise Undecided(_reason(unfit[0]))
        return found

    def solve(self, unknown: Callable[[Expr], bool], simplest: bool) -> dict[Expr, Any] | None:
        """A solution in which the `unknown` comparisons are as true as they like to be. Raises Exhausted."""
        encoder = _Encoder(self.cells, unknown)
        conditions = [*map(encoder.term, self.conjuncts)]
        if unknown is not _is_compared:
            conditions += encoder.congruences(self.cells)
        more = len(encoder.place) - len(self.cells)
        domains: Domains = dict(enumerate([*self.domains, *((False, True) for _ in range(more))]))
        search = Search(encoder.terms, self.alike, self.budget)
        solved = search.solve(conditions, domains)
        if solved is None:
            return None
        for i in range(len(self.cells) if simplest else 0):
            for value in domains[i]:
                tried = solved if value == solved[i][0] else search.solve(conditions, {**domains, i: (value,)})
                if tried is not None:
                    solved, domains = tried, {**domains, i: (value,)}
                    break
        return {e: solved[i][0] for i, e in enumerate(self.cells)}


def _is_atom(e: Expr) -> bool:
    return isinstance(e, Window) or (isinstance(e, Binary) and e.op in COMPARISONS)


def _atoms(e: Expr) -> Iterator[Expr]:
    """The comparisons and windows in `e`."""
    return (x for x in walk(e) if _is_atom(x))


def _is_compared(atom: Expr) -> bool:
    """True for a comparison of what is neither a truth value nor an enum's member."""
    return any(sort_of(part.type) not in ("bool", "enum") for part in children(atom))


def _large(e: Expr) -> Iterator[int]:
    """Constants in `e` that do not keep their place when sequence numbers shrink."""
    for n in literals([e]):
        if sort_of(n.type) == "number" and isinstance(n.value, int) and n.value > LARGEST_STEP:
            yield n.value


def _is_unfit(atom: Expr) -> bool:
    return any(_large(atom))


def _reason(atom: Expr) -> str:
    return f"{next(_large(atom))} does not fit sequence numbers shrunk to {SEQ_BITS} bits"


class _Encoder:
    """Expressions as terms over numbered cells; sequence arithmetic mod 2^4. Each `unknown` comparison is a cell of its own."""

    def __init__(self, cells_: Sequence[Expr], unknown: Callable[[Expr], bool]) -> None:
        self.terms = Terms()
        self.unknown = unknown
        self.place = {e: i for i, e in enumerate(cells_)}

    def term(self, e: Expr) -> Term:
        """`e` as a term."""
        if e in self.place:
            return self.terms.cell(self.place[e])
        if _is_atom(e):
            return self.atom(e)
        if isinstance(e, Member) and isinstance(e.set, SetLit):
            return self.terms.some(self.atom(Binary("==", e.x, i, type=BOOL)) for i in e.set.items)
        parts = [self.term(x) for x in children(e)]
        match e:
            case Lit(value=value):
                return self.terms.known(value)
            case Unary(op="not"):
                return self.terms.negation(parts[0])
            case Unary():
                return self.terms.apply(_negative, parts)
            case Binary(op="and"):
                return self.terms.every(parts)
            case Binary(op="or"):
                return self.terms.some(parts)
            case Binary(op=op, a=a, b=b):
                return self.terms.apply((_CIRCULAR if "seq" in (a.type.kind, b.type.kind) else _PLAIN).get(op, _PLAIN[op]), parts)
            case Call(function="select"):
                return self.terms.select(*parts)
            case Call(function=function) if function in BUILTINS:
                return self.terms.apply(min if function == "min" else max, parts)
        raise AssertionError(type(e).__name__)

    def atom(self, e: Expr) -> Term:
        """A comparison, of the few kinds that the others are negations and mirror images of."""
        match e:
            case Binary(op="!=" | ">=" as op):
                return self.terms.negation(self.atom(replace(e, op="==" if op == "!=" else "<")))
            case Binary(op=">", a=a, b=b):
                return self.atom(replace(e, op="<", a=b, b=a))
            case Binary(op="<=", a=a, b=b):
                return self.terms.negation(self.atom(replace(e, op="<", a=b, b=a)))
        for part in children(e):
            if isinstance(part, Call) and part.function == "select":
                test = self.term(part.args[0])
                yes, no = (self.atom(_exchanged(e, part, x)) for x in part.args[1:])
                return self.terms.some([self.terms.every([test, yes]), self.terms.every([self.terms.negation(test), no])])
        if self.unknown(e) and cells([e]):
            return self.terms.cell(self.place.setdefault(e, len(self.place)))
        parts = [self.term(x) for x in children(e)]
        circular = children(e)[0].type.kind == "seq"
        if isinstance(e, Window):
            return self.terms.apply(_circular if circular else _between, parts)
        assert isinstance(e, Binary)
        circular &= e.b.type.kind == "seq"
        return self.terms.apply(_equal if e.op == "==" else _before if circular else _less, parts)

    def congruences(self, found: Sequence[Expr]) -> Iterator[Term]:
        """Each function gives equal values for equal arguments."""
        applied = list(functions(found))
        applied = [(n, e, a) for n, e, a in applied if all(x in self.place for arg in a for x in cells([arg]))]
        for i, (name, e, args) in enumerate(applied):
            for other_name, other, other_args in applied[:i]:
                if name == other_name and len(args) == len(other_args):
                    pairs = [(self.term(a), self.term(b)) for a, b in (*zip(args, other_args, strict=True), (e, other))]
                    *same, alike = [self.terms.apply(_equal, pair) for pair in pairs]
                    yield self.terms.some([*map(self.terms.negation, same), alike])


def _exchanged(e: Expr, old: Expr, new: Expr) -> Expr:
    return rebuild(e, lambda x: new if x is old else x)


def _equal(x: Any, y: Any) -> bool:
    return bool(x == y)


def _less(x: int, y: int) -> bool:
    return x < y


def _before(x: int, y: int) -> bool:
    return (x - y) % MODULUS >= HALF


def _circular(x: int, base: int, length: int) -> bool:
    return (x - base) % MODULUS < length


def _between(x: int, base: int, length: int) -> bool:
    return 0 <= x - base < length


def _negative(x: int) -> int:
    return -x


_PLAIN: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x // y if y else 0,
    "%": lambda x, y: x % y if y else 0, "<<": lambda x, y: x << y, ">>": lambda x, y: x >> y,
}  # fmt: skip
_CIRCULAR: dict[str, Callable[[int, int], int]] = {"+": lambda x, y: (x + y) % MODULUS, "-": lambda x, y: (x - y) % MODULUS}
