"""The solver z3: sequence numbers as 32-bit vectors with serial comparison, numbers as signed vectors as wide as the question needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3
from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Member, Name, SetLit, Unary, Window
from wirelaw.spec.language.proof.solver import (
    Undecided,
    Value,
    Witness,
    as_witness,
    candidates,
    cells,
    may_be_none,
    members,
    seq_anchors,
    sort_of,
)  # fmt: skip
from wirelaw.spec.language.proof.spans import Spans

BUDGET = 5_000_000  # steps of z3 in one question, some seconds: the same answer on a busy machine as on an idle one
SEQ = 32
NONE = -1


class Z3Solver:
    """Decides every question without multiplication of two unknowns in practice; see `Solver`."""

    name = "z3"

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """See `Solver.satisfiable`."""
        encoder = _Encoder(machine, Spans(conjuncts))
        solver = z3.Solver()
        solver.set("rlimit", BUDGET)
        tests = [encoder.boolean(c) for c in conjuncts]
        found = cells(conjuncts)
        terms = {e: encoder.term(e) for e in found}
        solver.add(*tests, *encoder.claims)
        for anchor in seq_anchors(found, conjuncts).values():
            solver.add(terms[anchor] == 0)
        match solver.check():
            case z3.unsat:
                return None
            case z3.unknown:
                raise Undecided(f"z3 gave up: {solver.reason_unknown()}")
        if shown is not None and not shown:
            return Witness((), ())
        values = _simplest(solver, terms, machine, candidates(conjuncts))
        return as_witness(values, machine, conjuncts, shown, 1 << SEQ)


def _simplest(solver: z3.Solver, terms: dict[Expr, Any], machine: m.Machine, numbers: list[int]) -> dict[Expr, Value]:
    """Values of all cells, each the first of its candidates that is still possible: the same answer from every version."""
    values: dict[Expr, Value] = {}
    for e, term in terms.items():
        sort = sort_of(e.type)
        if sort == "value":
            values[e] = "none" if solver.check(term == _none()) == z3.sat else "something"
            solver.add(term == _none() if values[e] == "none" else term != _none())
            continue
        if sort == "bool":
            options: list[Any] = [False, True]
        elif sort == "enum":
            options = [*range(len(members(e.type, machine))), NONE]
        else:
            options = [*numbers, *((-1, -2) if sort == "seq" else ())]
        chosen = next((o for o in options if solver.check(term == o) == z3.sat), None)
        if chosen is None:
            chosen = _least(solver, term)
        solver.add(term == chosen)
        if sort == "enum":
            values[e] = "none" if chosen == NONE else members(e.type, machine)[chosen]
        else:
            values[e] = chosen % (1 << SEQ) if sort == "seq" else chosen
    return values


def _least(solver: z3.Solver, term: Any) -> int:
    low, high = (0, (1 << SEQ) - 1) if term.size() == SEQ else (-(1 << (term.size() - 1)), (1 << (term.size() - 1)) - 1)
    while low < high:
        middle = (low + high) // 2
        if solver.check(z3.ULE(term, middle) if term.size() == SEQ else term <= middle) == z3.sat:
            high = middle
        else:
            low = middle + 1
    return low


def _value_sort() -> Any:
    return z3.DeclareSort("Value")


def _none() -> Any:
    return z3.Const("none", _value_sort())


class _Encoder:
    """Expressions to terms; `claims` collects what the declared types promise of each cell."""

    def __init__(self, machine: m.Machine, spans: Spans) -> None:
        self.machine, self.spans, self.wide = machine, spans, spans.width
        self.claims: list[Any] = []
        self.made: dict[Expr, Any] = {}
        self.strings: dict[str, Any] = {}

    def boolean(self, e: Expr) -> Any:
        term = self.term(e)
        return term if z3.is_bool(term) else term != 0

    def number(self, e: Expr) -> Any:
        """`e` as a vector of full width: flags as 0 and 1, a sequence number widened."""
        term = self.term(e)
        if z3.is_bool(term):
            return z3.If(term, z3.BitVecVal(1, self.wide), z3.BitVecVal(0, self.wide))
        return z3.ZeroExt(self.wide - term.size(), term) if z3.is_bv(term) and term.size() < self.wide else term

    def seq(self, e: Expr) -> Any:
        """`e` as a 32-bit vector: the low bits of a length."""
        term = self.number(e) if e.type.kind != "seq" else self.term(e)
        return z3.Extract(SEQ - 1, 0, term) if term.size() > SEQ else term

    def term(self, e: Expr) -> Any:
        match e:
            case Lit():
                return self.literal(e)
            case Unary(op="not", x=x):
                return z3.Not(self.boolean(x))
            case Unary(x=x):
                return -self.number(x)
            case Binary(op="and", a=a, b=b):
                return z3.And(self.boolean(a), self.boolean(b))
            case Binary(op="or", a=a, b=b):
                return z3.Or(self.boolean(a), self.boolean(b))
            case Binary():
                return self.binary(e)
            case Window(x=x, base=base, length=length):
                size = self.number(length)
                if x.type.kind == "seq":
                    return z3.ZeroExt(self.wide - SEQ, self.seq(x) - self.seq(base)) < size
                distance = self.number(x) - self.number(base)
                return z3.And(distance >= 0, distance < size)
            case Member(x=x, set=SetLit(items=items)):
                return z3.Or(*(self.equal(x, i) for i in items))
            case Call(function="select", args=(test, yes, no)):
                a, b = self.alike(yes, no)
                return z3.If(self.boolean(test), a, b)
            case Call(function="min" | "max" as function, args=args):
                return self.extreme(function, args)
            case _:
                return self.cell(e)

    def literal(self, e: Lit) -> Any:
        value, sort = e.value, sort_of(e.type)
        if isinstance(value, bool):
            return z3.BoolVal(value)
        if isinstance(value, int):
            return z3.BitVecVal(value, SEQ if sort == "seq" else self.wide) if sort != "value" else self.string(str(value))
        if sort == "enum":
            known = members(e.type, self.machine)
            return z3.BitVecVal(known.index(value) if value in known else NONE, self.wide)
        if value is None:
            return _none()
        return self.string(value)

    def string(self, value: str) -> Any:
        """A constant unlike every other one."""
        if value not in self.strings:
            made = z3.Const(f"string {value}", _value_sort())
            self.claims += [made != other for other in (*self.strings.values(), _none())]
            self.strings[value] = made
        return self.strings[value]

    def cell(self, e: Expr) -> Any:
        if e in self.made:
            return self.made[e]
        match e:
            case Name(name=name, kind=kind):
                made = z3.Const(f"{kind} {name}", self.sort(e))
            case Field(base=base, name=name):
                made = self.apply(f"field {name}", (base,), e)
            case Member(x=x, set=s):
                made = self.apply("in", (x, s), e)
            case Call(function=function, args=args):
                made = self.apply(f"call {function}", args, e)
            case _:
                raise AssertionError(f"no term for {type(e).__name__}")
        self.made[e] = made
        self.claim(e, made)
        return made

    def apply(self, name: str, args: tuple[Expr, ...], e: Expr) -> Any:
        terms = [self.term(a) for a in args]
        sorts = [t.sort() for t in terms]
        function = z3.Function(f"{name} {' '.join(map(str, sorts))} {self.sort(e)}", *sorts, self.sort(e))
        return function(*terms)

    def sort(self, e: Expr) -> Any:
        match sort_of(e.type):
            case "bool":
                return z3.BoolSort()
            case "seq":
                return z3.BitVecSort(SEQ)
            case "number" | "enum":
                return z3.BitVecSort(self.wide)
            case _:
                return _value_sort()

    def claim(self, e: Expr, term: Any) -> None:
        """The range that the declared type of `e` claims."""
        if sort_of(e.type) == "number":
            low, high = self.spans.span(e)
            self.claims += [term >= low, term <= high]
            if isinstance(e, Name) and e.kind == "param" and e.name in self.machine.params:
                param = self.machine.params[e.name]
                self.claims += [term >= self.number(param.low)] if param.low is not None else []
                self.claims += [term <= self.number(param.high)] if param.high is not None else []
        elif e.type.kind == "message" and getattr(e, "kind", "") in ("binder", "ask", "extern"):
            self.claims.append(term != _none())  # what is at hand is there, and what a function gives is its duty
        elif sort_of(e.type) == "enum":
            least = NONE if may_be_none(e, self.machine) else 0
            self.claims += [term >= least, term < len(members(e.type, self.machine))]

    def alike(self, a: Expr, b: Expr) -> tuple[Any, Any]:
        """Both as terms of one sort; a type that fits everything follows the other side."""
        if "seq" in (a.type.kind, b.type.kind) and {sort_of(a.type), sort_of(b.type)} <= {"seq", "number"}:
            return self.seq(a), self.seq(b)
        x, y = self.term(a), self.term(b)
        if x.sort() == y.sort():
            return x, y
        if z3.is_bv(x) or z3.is_bv(y):
            if isinstance(a, Lit) and a.value is None:
                return z3.BitVecVal(NONE, y.size()), y
            if isinstance(b, Lit) and b.value is None:
                return x, z3.BitVecVal(NONE, x.size())
            if _value_sort() not in (x.sort(), y.sort()):
                return self.number(a), self.number(b)
        return self.boxed(x), self.boxed(y)

    def boxed(self, term: Any) -> Any:
        if term.sort() == _value_sort():
            return term
        return z3.Function(f"value of {term.sort()}", term.sort(), _value_sort())(term)

    def equal(self, a: Expr, b: Expr) -> Any:
        x, y = self.alike(a, b)
        return x == y

    def extreme(self, function: str, args: tuple[Expr, ...]) -> Any:
        best = args[0]
        term = self.term(best) if best.type.kind == "seq" else self.number(best)
        for a in args[1:]:
            other = self.seq(a) if best.type.kind == "seq" else self.number(a)
            less = (other - term < 0) if best.type.kind == "seq" else other < term
            term = z3.If(less if function == "min" else z3.Not(less), other, term)
        return term

    def binary(self, e: Binary) -> Any:
        a, b, op = e.a, e.b, e.op
        if op in ("==", "!="):
            return self.equal(a, b) if op == "==" else z3.Not(self.equal(a, b))
        if op in ("<", "<=", ">", ">="):
            return self.ordered(op, a, b)
        if a.type.kind == "seq":
            if b.type.kind == "seq" and op == "-":
                return z3.ZeroExt(self.wide - SEQ, self.seq(a) - self.seq(b))
            return self.seq(a) + self.seq(b) if op == "+" else self.seq(a) - self.seq(b)
        if e.type.kind == "seq":
            return self.seq(a) + self.seq(b)
        x, y = self.number(a), self.number(b)
        match op:
            case "+":
                return x + y
            case "-":
                return x - y
            case "*":
                return x * y
            case "<<" | ">>":
                # Nobody shifts by more than `SHIFT` or less than 0: `out_of_range` proves it of every shift.
                return x << y if op == "<<" else x >> y
        zero = z3.BitVecVal(0, self.wide)
        if self.spans.span(a)[0] >= 0 and self.spans.span(b)[0] >= 0:
            return z3.If(y == 0, zero, z3.UDiv(x, y) if op == "/" else z3.URem(x, y))
        return z3.If(y == 0, zero, (x - x % y) / y if op == "/" else x % y)  # `%` has the sign of the divisor, as in Python

    def ordered(self, op: str, a: Expr, b: Expr) -> Any:
        if a.type.kind == "seq" and b.type.kind == "seq":
            # Serial comparison as `evaluate.SERIAL` has it: a < b iff (a - b) mod 2^32 >= 2^31.
            behind, ahead = self.seq(a) - self.seq(b), self.seq(b) - self.seq(a)
            return {"<": behind < 0, ">=": behind >= 0, ">": ahead < 0, "<=": ahead >= 0}[op]
        x, y = self.number(a), self.number(b)
        return {"<": x < y, ">=": x >= y, ">": x > y, "<=": x <= y}[op]
