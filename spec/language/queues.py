"""Queues: bounded sequences of entries that leave in the order in which they came.

A queue is a variable whose value is a tuple of tuples. What is done with it is a `Call` of kind `queue`: `queue()` is an empty one,
`pushed(q, ..)` and `rest(q)` are what it becomes, `len(q)` and `first(q, place, zero)` what is read. All of them are total: a push
to a full queue and a pop of an empty one change nothing, and the first entry of an empty queue is all zero.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from wirelaw.spec.language.expressions import Binary, Call, Expr, Lit, negate, rebuild
from wirelaw.spec.language.types import BOOL, NUMBER, Type


def limit(q: Expr) -> int:
    """How many entries the queue `q` has room for."""
    return int(q.type.name)


def empty(type_: Type) -> Call:
    """A queue in which nothing waits."""
    return Call("queue", (), "queue", type=type_)


def length(q: Expr) -> Call:
    """How many entries wait in `q`."""
    return Call("len", (q,), "queue", type=NUMBER)


def is_full(q: Expr) -> Expr:
    """The condition that there is no room."""
    return Binary(">=", length(q), Lit(limit(q), type=NUMBER), type=BOOL)


def is_empty(q: Expr) -> Expr:
    """The condition that nothing waits."""
    return Binary("==", length(q), Lit(0, type=NUMBER), type=BOOL)


def value(e: Call, args: tuple[Any, ...]) -> Any:
    """What a call of kind `queue` comes to."""
    match e.function:
        case "queue":
            return ()
        case "pushed":
            return (args[0] + (args[1:],))[: limit(e)]
        case "rest":
            return args[0][1:]
        case "len":
            return len(args[0])
    q, place, zero = args
    return q[0][place] if q else zero


def simplified(e: Call) -> Expr:
    """`e` in terms of the queue before: what `len` and `first` are after a push or a pop."""
    inner = e.args[0] if e.args else None
    if isinstance(inner, Call) and inner.function == "select" and e.function in ("len", "first"):
        test, *ways = inner.args
        yes, no = (simplified(replace(e, args=(way, *e.args[1:]), origin="")) for way in ways)
        return Call("select", (test, yes, no), "builtin", type=e.type)
    if not isinstance(inner, Call) or inner.kind != "queue":
        return e
    one, none = Lit(1, type=NUMBER), Lit(0, type=NUMBER)
    match (e.function, inner.function):
        case ("len", "queue"):
            return none
        case ("len", "pushed"):
            more = Binary("+", simplified(length(inner.args[0])), one, type=NUMBER)
            return Call("min", (more, Lit(limit(inner), type=NUMBER)), "builtin", type=NUMBER)
        case ("len", "rest"):
            before = simplified(length(inner.args[0]))
            some = Binary(">", before, none, type=BOOL)
            return Call("select", (some, Binary("-", before, one, type=NUMBER), none), "builtin", type=NUMBER)
        case ("first", "queue"):
            return e.args[2]
        case ("first", "pushed"):
            q, place = inner.args[0], e.args[1]
            assert isinstance(place, Lit)
            alone = Binary("==", simplified(length(q)), none, type=BOOL)
            before = simplified(replace(e, args=(q, *e.args[1:]), origin=""))
            return Call("select", (alone, inner.args[1 + int(place.value or 0)], before), "builtin", type=e.type)
    return e


def written(e: Call, args: list[str]) -> str:
    """A call of kind `queue` as Python text, of its arguments as Python text."""
    match e.function:
        case "queue":
            return "()"
        case "pushed":
            return f"(*{args[0]}, ({', '.join(args[1:])},))[:{limit(e)}]"
        case "rest":
            return f"{args[0]}[1:]"
        case "len":
            return f"len({args[0]})"
    entry = f"{args[0]}[0][{args[1]}]"
    return f"({entry} if {args[0]} else {args[2]})" if len(args) > 2 else entry


def sure(e: Expr, known: Collection[Expr]) -> Expr:
    """`e` where the conditions `known` hold: what is first in a queue that is known not to be empty needs no zero."""
    if isinstance(e, Call) and e.kind == "queue" and e.function == "first" and negate(is_empty(e.args[0])) in known:
        return replace(e, args=e.args[:2])
    return rebuild(e, lambda x: sure(x, known))
