"""How large the numbers of a question can get: what declared types promise, carried through the arithmetic.

A solver needs vectors wide enough that nothing overflows, and no wider. What the types promise is not believed but proved, by
`out_of_range`; what comes from outside (messages, calls, answers, parameters, the clock) is the duty of whoever hands it in.
"""

from __future__ import annotations

from collections.abc import Sequence

from wirelaw.spec.language.expressions import Binary, Call, Expr, Lit, Member, SetLit, Unary, Window, children, conjuncts, walk
from wirelaw.spec.language.types import SEQ_BITS, Type

Span = tuple[int, int]  # least and greatest value

SHIFT = 63  # the most that anything is shifted by
TIME_BITS = 50  # microseconds: 35 years
NARROWEST = SEQ_BITS + 2


def of_type(type_: Type) -> Span:
    """What a type promises of a value."""
    match type_.kind:
        case "bool":
            return 0, 1
        case "uint":
            return 0, (1 << type_.bits) - 1
        case "seq":
            return 0, (1 << SEQ_BITS) - 1
        case "duration" | "time":
            return -(1 << TIME_BITS), 1 << TIME_BITS
    return 0, 0


def declared(e: Expr) -> Span:
    """What the declaration of a name, a field or a function promises; parameters and the clock are not negative."""
    low, high = of_type(e.type)
    return (0, high) if getattr(e, "kind", "") in ("param", "now") else (low, high)


class Spans:
    """The spans of all numbers in one question. Each of its conditions holds, so one that bounds a name by a literal counts."""

    def __init__(self, question: Sequence[Expr]) -> None:
        self._bounds: dict[Expr, int] = {}
        self._known: dict[int, tuple[Expr, Span]] = {}
        for c in (part for e in question for part in conjuncts(e)):
            match c:
                case Binary(op="<=" | "<" | "==" as op, a=a, b=Lit(value=int(value))) if a.type.kind == "uint":
                    self._bounds[a] = min(value - (op == "<"), self._bounds.get(a, value))
        numbers = (n for e in question for n in walk(e))
        reach = max((max(-low, high) for low, high in map(self.span, numbers)), default=0)
        self.width = max(NARROWEST, reach.bit_length() + 2)

    def span(self, e: Expr) -> Span:
        """The least and the greatest value of `e`; of what is no number, (0, 0)."""
        held = self._known.get(id(e))
        if held is None:
            low, high = self._span(e)
            bound = self._bounds.get(e, high)
            held = self._known[id(e)] = (e, (min(low, bound), min(high, bound)))
        return held[1]

    def _span(self, e: Expr) -> Span:
        match e:
            case Lit(value=int(value)):
                return int(value), int(value)
            case Unary(op="-", x=x):
                low, high = self.span(x)
                return -high, -low
            case Binary(op=op, a=a, b=b) if e.type.kind in ("uint", "duration", "time"):
                return _calculated(op, self.span(a), self.span(b)) if (a.type.kind, b.type.kind) != ("seq", "seq") else of_type(a.type)
            case Call(function="select", args=(_, yes, no)):
                return _hull([self.span(yes), self.span(no)])
            case Call(function="min" | "max" as function, args=args):
                spans = [self.span(a) for a in args]
                pick = min if function == "min" else max
                return pick(low for low, _ in spans), pick(high for _, high in spans)
            case Unary() | Window() | Member() | SetLit():
                return 0, 1
            case Binary() if not children(e):
                return 0, 0
        return declared(e)


def _calculated(op: str, x: Span, y: Span) -> Span:
    match op:
        case "+":
            return x[0] + y[0], x[1] + y[1]
        case "-":
            return x[0] - y[1], x[1] - y[0]
        case "*":
            return _hull([(a * b, a * b) for a in x for b in y])
        case "<<":
            most = 1 << max(0, min(y[1], SHIFT))
            return min(x[0] * most, x[0]), max(x[1] * most, x[1])
        case ">>":
            return min(x[0], 0), max(x[1], 0)
        case "/":
            far = max(abs(x[0]), abs(x[1]))
            return (0 if x[0] >= 0 and y[0] >= 0 else -far), far
        case "%":
            return min(y[0], 0), max(y[1], 0)
    return 0, 1


def _hull(spans: Sequence[Span]) -> Span:
    return min(low for low, _ in spans), max(high for _, high in spans)
