"""Expressions of the law: one immutable tree, read by the interpreter, the emitters, the solver and the printer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from wirelaw.spec.language.diagnostics import Span
from wirelaw.spec.language.types import ANY, BOOL, UNIT_MICROSECONDS, Type

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
ARITHMETIC = ("+", "-", "*", "/", "%", "<<", ">>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """Base of all nodes. `type` is filled by the resolver; `origin` is the text of the macro it was expanded from.

    `before` is set on a conjunct that says no more than that an earlier row of a `first` is not taken: the id of that row.
    """

    type: Type = ANY
    span: Span = field(default=Span(), compare=False, repr=False)
    origin: str = field(default="", compare=False, repr=False)
    before: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lit(Expr):
    """A literal: number (durations in microseconds), bool, string, `none`, or the name of an enum or choice member."""

    value: int | bool | str | None


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """A name. After resolution `kind` is var, param, choice, binder, arg, state or now; before it is empty."""

    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Field(Expr):
    """A field of a message: `s.seq`."""

    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """`not x` or `-x`."""

    op: str
    x: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """Arithmetic, comparison, `and`, `or`. On sequence numbers `<` is serial (mod 2^32) and `-` gives a length."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Window(Expr):
    """`x in base ..+ length`: the circular window [base, base + length)."""

    x: Expr
    base: Expr
    length: Expr


@dataclass(frozen=True, slots=True)
class Member(Expr):
    """`x in set`."""

    x: Expr
    set: Expr


@dataclass(frozen=True, slots=True)
class SetLit(Expr):
    """`{a, b, c}`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """An application. `kind` is extern, ask, builtin (min, max, select, due, elapsed) after resolution."""

    function: str
    args: tuple[Expr, ...]
    kind: str = ""


TRUE = Lit(True, type=BOOL)
FALSE = Lit(False, type=BOOL)


def children(e: Expr) -> tuple[Expr, ...]:
    """Direct subexpressions, left to right."""
    return _PARTS[type(e)](e)


_PARTS: dict[type[Expr], Callable[[Any], tuple[Expr, ...]]] = {
    Lit: lambda e: (),
    Name: lambda e: (),
    Field: lambda e: (e.base,),
    Unary: lambda e: (e.x,),
    Binary: lambda e: (e.a, e.b),
    Window: lambda e: (e.x, e.base, e.length),
    Member: lambda e: (e.x, e.set),
    SetLit: lambda e: e.items,
    Call: lambda e: e.args,
}


def rebuild(e: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """`e` with `f` applied to each direct subexpression; `e` itself where that changes none of them."""
    before = children(e)
    if not before:
        return e
    after = tuple([f(child) for child in before])
    if all(map(is_, before, after)):
        return e
    match e:
        case Field(name=name):
            return Field(after[0], name, type=e.type, span=e.span, origin=e.origin, before=e.before)
        case Unary(op=op):
            return Unary(op, after[0], type=e.type, span=e.span, origin=e.origin, before=e.before)
        case Binary(op=op):
            return Binary(op, *after, type=e.type, span=e.span, origin=e.origin, before=e.before)
        case Call(function=function, kind=kind):
            return Call(function, after, kind, type=e.type, span=e.span, origin=e.origin, before=e.before)
        case SetLit():
            return SetLit(after, type=e.type, span=e.span, origin=e.origin, before=e.before)
        case Window():
            return Window(*after, type=e.type, span=e.span, origin=e.origin, before=e.before)
        case Member():
            return Member(*after, type=e.type, span=e.span, origin=e.origin, before=e.before)
    raise AssertionError(f"no parts in {type(e).__name__}")


def walk(e: Expr) -> Iterator[Expr]:
    """`e` and all its subexpressions, in preorder."""
    waiting = [e]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(children(node))


def names(e: Expr, kind: str | None = None) -> set[str]:
    """Names that occur in `e`, all or of one kind."""
    return {n.name for n in walk(e) if isinstance(n, Name) and (kind is None or n.kind == kind)}


def conjuncts(e: Expr | None) -> tuple[Expr, ...]:
    """The top-level conjuncts of a predicate; none at all for a missing or trivially true one."""
    if e is None or e == TRUE:
        return ()
    if isinstance(e, Binary) and e.op == "and":
        return conjuncts(e.a) + conjuncts(e.b)
    return (e,)


def conjoin(parts: tuple[Expr, ...] | list[Expr]) -> Expr:
    """The conjunction of `parts`; TRUE for none."""
    result: Expr | None = None
    for part in parts:
        result = part if result is None else Binary("and", result, part, type=BOOL)
    return result if result is not None else TRUE


def disjoin(parts: tuple[Expr, ...] | list[Expr]) -> Expr:
    """The disjunction of `parts`; FALSE for none."""
    result: Expr | None = None
    for part in parts:
        result = part if result is None else Binary("or", result, part, type=BOOL)
    return result if result is not None else FALSE


def negate(e: Expr) -> Expr:
    """The negation of a predicate, without double negations."""
    if isinstance(e, Unary) and e.op == "not":
        return e.x
    if e == TRUE:
        return FALSE
    if e == FALSE:
        return TRUE
    return Unary("not", e, type=BOOL, span=e.span)


_PRECEDENCE = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "<<": 6, ">>": 6}


def _duration_text(microseconds: int) -> str:
    for unit in ("d", "h", "min", "s", "ms"):
        size = UNIT_MICROSECONDS[unit]
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds}us"


def text(e: Expr, outer: int = 0, *, expand: bool = False) -> str:
    """`e` as law text, with the parentheses it needs; macros by their name unless `expand`.

    The conjuncts of a macro stay visible: only a body without `and` at its top is shown by the macro's name. That an earlier
    row is not taken is said by its id.
    """
    if e.before and not expand:
        return f"not [{e.before}]"
    if e.origin and not expand and not (isinstance(e, Binary) and e.op == "and"):
        return e.origin

    def sub(x: Expr, level: int) -> str:
        return text(x, level, expand=expand)

    match e:
        case Lit(value=value):
            return _literal_text(e, value)
        case Name(name=name):
            return name
        case Field(base=base, name=name):
            return f"{sub(base, 9)}.{name}"
        case Unary(op="not", x=x):
            return f"not {sub(x, 3)}" if outer <= 3 else f"(not {sub(x, 3)})"
        case Unary(op=op, x=x):
            return f"{op}{sub(x, 8)}"
        case Binary(op=op, a=a, b=b):
            level = _PRECEDENCE.get(op, 4)
            right = level if op in ("and", "or") else level + 1
            inner = f"{sub(a, level if op not in COMPARISONS else 5)} {op} {sub(b, right)}"
            return f"({inner})" if outer > level else inner
        case Window(x=x, base=base, length=length):
            inner = f"{sub(x, 5)} in {sub(base, 5)} ..+ {sub(length, 5)}"
            return f"({inner})" if outer > 4 else inner
        case Member(x=x, set=s):
            inner = f"{sub(x, 5)} in {sub(s, 5)}"
            return f"({inner})" if outer > 4 else inner
        case SetLit(items=items):
            return "{" + ", ".join(sub(i, 0) for i in items) + "}"
        case Call(function=function, args=args):
            return f"{function}({', '.join(sub(a, 0) for a in args)})"
    raise AssertionError(f"no text for {type(e).__name__}")


def _literal_text(e: Expr, value: int | bool | str | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and e.type.kind in ("duration", "time"):
        return _duration_text(value)
    if isinstance(value, str) and e.type.kind == "string":
        return f'"{value}"'
    return str(value)
