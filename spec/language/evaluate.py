"""The meaning of expressions, by direct evaluation of the tree.

Two number systems exist for sequence numbers. The implementation's is mod 2^32 (`unbounded=False`). The oracle's adapter
unwraps them to plain integers (`unbounded=True`); there comparison is plain and `+` needs no mask. `a - b` is a length
mod 2^32 in both, so the two agree wherever true distances stay below 2^31.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wirelaw.spec.language import queues
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Member, Name, SetLit, Unary, Window

MASK = 0xFFFF_FFFF
HALF = 0x8000_0000

# Serial comparison: `a < b` iff (a - b) mod 2^32 >= 2^31, `>` is its mirror image, `>=` and `<=` their negations. At a
# distance of exactly 2^31, where no order exists, both `<` and `>` hold.
SERIAL = {"<": (True, True), ">=": (True, False), ">": (False, True), "<=": (False, False)}


@dataclass(slots=True)
class Context:
    """Everything an expression can refer to. `function(kind, name, args)` answers externs, asks, and `due`/`running`."""

    variable: Callable[[str], Any]
    region: Callable[[str], str]
    function: Callable[[str, str, tuple[Any, ...]], Any]
    params: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    binders: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    now: int = 0
    unbounded: bool = False


def evaluate(e: Expr, c: Context) -> Any:
    """The value of `e` in `c`."""
    match e:
        case Lit(value=value):
            return value
        case Name(name=name, kind=kind):
            return _name(name, kind, c)
        case Field(base=base, name=name):
            return getattr(evaluate(base, c), name)
        case Unary(op="not", x=x):
            return not evaluate(x, c)
        case Unary(x=x):
            return -evaluate(x, c)
        case Binary(op="and", a=a, b=b):
            return bool(evaluate(a, c)) and bool(evaluate(b, c))
        case Binary(op="or", a=a, b=b):
            return bool(evaluate(a, c)) or bool(evaluate(b, c))
        case Binary(op=op, a=a, b=b):
            return binary(op, evaluate(a, c), evaluate(b, c), a.type.kind == "seq", b.type.kind == "seq", unbounded=c.unbounded)
        case Window(x=x, base=base, length=length):
            distance = evaluate(x, c) - evaluate(base, c)
            if e.x.type.kind == "seq":
                distance &= MASK
            return bool(0 <= distance < evaluate(length, c))
        case Member(x=x, set=s):
            return evaluate(x, c) in (evaluate(s, c) or ())
        case SetLit(items=items):
            return tuple(evaluate(i, c) for i in items)
        case Call(function="select", kind="builtin", args=(test, yes, no)):
            return evaluate(yes if evaluate(test, c) else no, c)
        case Call(kind="queue", args=args):
            return queues.value(e, tuple(evaluate(a, c) for a in args))
        case Call(function=function, kind="builtin", args=args):
            values = [evaluate(a, c) for a in args]
            return min(values) if function == "min" else max(values)
        case Call(function=function, kind=kind, args=args):
            return c.function(kind, function, tuple(evaluate(a, c) for a in args))
    raise AssertionError(type(e).__name__)


def _name(name: str, kind: str, c: Context) -> Any:
    match kind:
        case "var":
            return c.variable(name)
        case "binder":
            return c.binders[name]
        case "arg":
            return c.args[name]
        case "param":
            return c.params[name]
        case "choice":
            return c.choices[name]
        case "region":
            return c.region(name)
        case "now":
            return c.now
    raise AssertionError(f"unresolved name {name}")


def binary(op: str, a: Any, b: Any, a_seq: bool, b_seq: bool, *, unbounded: bool) -> Any:
    """`a op b`; serial arithmetic (RFC 9293 section 3.4) where sequence numbers are concerned. `x / 0` is 0."""
    if a_seq and b_seq and not unbounded and op in SERIAL:
        behind, wanted = SERIAL[op]
        return (((a - b) if behind else (b - a)) & MASK >= HALF) == wanted
    match op:
        case "==":
            return a == b
        case "!=":
            return a != b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "+":
            return (a + b) & MASK if a_seq and not unbounded else a + b
        case "-":
            return (a - b) & MASK if a_seq and (b_seq or not unbounded) else a - b
        case "*":
            return a * b
        case "/":
            return a // b if b else 0
        case "%":
            return a % b if b else 0
        case "<<":
            return a << b
        case ">>":
            return a >> b
    raise AssertionError(op)
