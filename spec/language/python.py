"""Expressions as Python source: one compiler for the generated implementation and for the generated oracle.

The two differ in their number system (see `evaluate`) and in what a name turns into; both are parameters here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from wirelaw.spec.language import queues
from wirelaw.spec.language.expressions import (
    FALSE,
    TRUE,
    Binary,
    Call,
    Expr,
    Field,
    Lit,
    Member,
    Name,
    SetLit,
    Unary,
    Window,
    negate,
    rebuild,
)

_LEVEL = {"or": 1, "and": 2, "not": 3, "==": 4, "&": 8, "<<": 9, ">>": 9, "+": 10, "-": 10, "*": 11, "//": 11, "%": 11}
_ATOM = 20
# Exact opposites, of serial comparison too (see `evaluate.SERIAL`).
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class PythonNames:
    """How names look in the emitted code."""

    variable: Callable[[str], str]
    region: Callable[[str], str]
    extern: Callable[[str], str]
    ask: Callable[[str], str]
    due: Callable[[str], str]
    running: Callable[[str], str]
    field: Callable[[str, str], str] = lambda base, name: f"{base}.{name}"
    count: Callable[[str], str] = str


def fold(e: Expr, choices: Mapping[str, str], params: Mapping[str, int]) -> Expr:
    """`e` with the profile's choices and parameters put in, and what follows from them simplified."""
    return fold_here(rebuild(e, lambda x: fold(x, choices, params)), choices, params)


def fold_here(e: Expr, choices: Mapping[str, str], params: Mapping[str, int]) -> Expr:
    """`fold` for an expression whose parts are folded already."""
    match e:
        case Name(kind="choice", name=name) if name in choices:
            return Lit(choices[name], type=e.type)
        case Name(kind="param", name=name) if name in params:
            value: int | bool = bool(params[name]) if e.type.kind == "bool" else params[name]
            return Lit(value, type=e.type)
        case Binary(op="==" | "!=" as op, a=Lit(value=a), b=Lit(value=b)):
            return TRUE if (a == b) == (op == "==") else FALSE
        case Unary(op="not", x=x) if x in (TRUE, FALSE):
            return negate(x)
        case Binary(op="and", a=a, b=b):
            return FALSE if FALSE in (a, b) else b if a == TRUE else a if b == TRUE else e
        case Binary(op="or", a=a, b=b):
            return TRUE if TRUE in (a, b) else b if a == FALSE else a if b == FALSE else e
        case Call(function="select", args=(Lit(value=test), yes, no)):
            return yes if test else no
    return e


class PythonWriter:
    """Writes expressions as Python text with the parentheses they need."""

    def __init__(self, names: PythonNames, *, unbounded: bool) -> None:
        self.names = names
        self.unbounded = unbounded

    def expr(self, e: Expr, outer: int = 0) -> str:
        """`e` as a Python expression."""
        text, level = self._write(e)
        return f"({text})" if level < outer else text

    def all_of(self, conjuncts: tuple[Expr, ...] | list[Expr]) -> str:
        """The conjunction as a Python expression; `True` for none."""
        if len(conjuncts) == 1:
            return self.expr(conjuncts[0])
        return " and ".join(self.expr(c, _LEVEL["and"] + 1) for c in conjuncts) or "True"

    def _write(self, e: Expr) -> tuple[str, int]:
        match e:
            case Lit(value=str(value)) if value.isprintable() and not {'"', "\\"} & set(value):
                return f'"{value}"', _ATOM
            case Lit(value=value):
                return repr(value), _ATOM
            case Name():
                return self._name(e), _ATOM
            case Field(base=base, name=name):
                return self.names.field(self.expr(base, _ATOM), name), _ATOM
            case Unary(op="not", x=x):
                return self._not(x)
            case Unary(x=x):
                return f"-{self.expr(x, 12)}", 12
            case Binary():
                return self._binary(e)
            case Window(x=x, base=base, length=length):
                return self._window(x, base, length)
            case Member(x=x, set=s):
                return self._member(x, s, "in")
            case SetLit(items=items):
                inner = ", ".join(self.expr(i) for i in items)
                return f"({inner},)" if len(items) == 1 else f"({inner})", _ATOM
            case Call():
                return self._call(e)
        raise AssertionError(type(e).__name__)

    def _name(self, e: Name) -> str:
        match e.kind:
            case "var":
                return self.names.variable(e.name)
            case "region":
                return self.names.region(e.name)
            case _:
                return e.name

    def _not(self, x: Expr) -> tuple[str, int]:
        if isinstance(x, Member):
            return self._member(x.x, x.set, "not in")
        if isinstance(x, Binary) and x.op in OPPOSITE:
            return self._binary(replace(x, op=OPPOSITE[x.op]))
        return f"not {self.expr(x, 3)}", 3

    def _member(self, x: Expr, s: Expr, operator: str) -> tuple[str, int]:
        is_collection = isinstance(s, SetLit) or (isinstance(s, Name) and s.kind == "raw")
        collection = self.expr(s, _ATOM) if is_collection else f"({self.expr(s, _LEVEL['or'])} or ())"
        return f"{self.expr(x, 5)} {operator} {collection}", 4

    def _window(self, x: Expr, base: Expr, length: Expr) -> tuple[str, int]:
        if x.type.kind == "seq":
            return f"(({self.expr(x, 10)} - {self.expr(base, 11)}) & 0xFFFFFFFF) < {self.expr(length, 5)}", 4
        return f"0 <= {self.expr(x, 10)} - {self.expr(base, 11)} < {self.expr(length, 5)}", 4

    def _binary(self, e: Binary) -> tuple[str, int]:
        a_seq, b_seq = e.a.type.kind == "seq", e.b.type.kind == "seq"
        match e.op:
            case "and" | "or":
                level = _LEVEL[e.op]
                a, b = (self.expr(x, 3 if isinstance(x, Binary) and x.op != e.op else level) for x in (e.a, e.b))
                return f"{a} {e.op} {b}", level
            case "==" | "!=" if isinstance(e.b, Lit) and e.b.value is None:
                return f"{self.expr(e.a, 5)} {'is' if e.op == '==' else 'is not'} None", 4
            case "<" | ">=" if a_seq and b_seq and not self.unbounded:
                return self._serial(e.a, e.b, e.op == "<")
            case ">" | "<=" if a_seq and b_seq and not self.unbounded:
                return self._serial(e.b, e.a, e.op == ">")
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                return f"{self.expr(e.a, 5)} {e.op} {self.expr(e.b, 5)}", 4
            case "/" | "%":
                return self._division(e)
            case "+" | "-" if a_seq and (not self.unbounded or (e.op == "-" and b_seq)):
                return f"({self.expr(e.a, 10)} {e.op} {self.expr(e.b, 11)}) & 0xFFFFFFFF", 8
            case op:
                level = _LEVEL[op]
                return f"{self.expr(e.a, level)} {op} {self.expr(e.b, level + 1)}", level

    def _serial(self, low: Expr, high: Expr, strictly: bool) -> tuple[str, int]:
        operator = ">=" if strictly else "<"
        return f"(({self.expr(low, 10)} - {self.expr(high, 11)}) & 0xFFFFFFFF) {operator} 0x80000000", 4

    def _division(self, e: Binary) -> tuple[str, int]:
        op = "//" if e.op == "/" else "%"
        quotient = f"{self.expr(e.a, 11)} {op} {self.expr(e.b, 12)}"
        if isinstance(e.b, Lit) and e.b.value:
            return quotient, 11
        return f"({quotient} if {self.expr(e.b, 1)} else 0)", _ATOM

    def _call(self, e: Call) -> tuple[str, int]:
        if e.kind == "builtin" and e.function == "select":
            test, yes, no = e.args
            return f"({self.expr(yes, 1)} if {self.expr(test)} else {self.expr(no, 1)})", _ATOM
        args = [self.expr(a) for a in e.args]
        match e.kind:
            case "builtin":
                return f"{e.function}({', '.join(args)})", _ATOM
            case "queue":
                return queues.written(e, args), _ATOM
            case "extern":
                return f"{self.names.extern(e.function)}({', '.join(args)})", _ATOM
            case "ask":
                return f"{self.names.ask(e.function)}({', '.join(args)})", _ATOM
            case "due":
                assert isinstance(e.args[0], Lit)
                name = str(e.args[0].value)
                return (self.names.due(name) if e.function == "due" else self.names.running(name)), 3
            case "count":
                assert isinstance(e.args[0], Lit)
                return self.names.count(str(e.args[0].value)), _ATOM
        raise AssertionError(e.function)
