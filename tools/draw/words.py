"""Conditions of rows in few words: `acceptable, not over` rather than law text with its binders and parentheses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Member, Name, SetLit, Unary, Window, text, walk

SIGNS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}
Binders = Mapping[str, Mapping[str, str]]
"""The names a row gives its message, and how the fields of that message are written where that is not their name."""
_LEVELS = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "<<": 6, ">>": 6}


def shorten(words: str, longest: int) -> str:
    """`words`, cut with an ellipsis between two words where they are longer than `longest` characters."""
    if len(words) <= longest:
        return words
    cut = words[: longest - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip(" ,(") + "…"


def said(e: Expr, known: Binders, outer: int = 0) -> str:
    """`e` for a reader: macros by their names, fields without the binder, the signs of mathematics."""
    if e.origin:
        return re.sub(r"\((?:" + "|".join(map(re.escape, known)) + r")\)", "", e.origin) if known else e.origin
    match e:
        case Field(base=Name(name=base), name=name) if base in known:
            return known[base].get(name, name)
        case Field(base=base, name=name):
            return f"{said(base, known, 9)}.{name}"
        case Unary(op="not", x=Member(x=x, set=s)):
            return f"{said(x, known, 5)} not in {said(s, known, 5)}"
        case Unary(op="not", x=x):
            return f"not {said(x, known, 3)}"
        case Unary(op=op, x=x):
            return f"{op}{said(x, known, 8)}"
        case Binary(op=op, a=a, b=b):
            level = _LEVELS.get(op, 4)
            inner = f"{said(a, known, level)} {SIGNS.get(op, op)} {said(b, known, level if op in ('and', 'or') else level + 1)}"
            return f"({inner})" if outer > level else inner
        case Window(x=x, base=Binary(op="+", a=base, b=Lit(value=1)), length=length):
            return f"{said(x, known, 5)} in ({said(base, known)}, {said(base, known)} + {said(length, known, 6)}]"
        case Window(x=x, base=base, length=length):
            return f"{said(x, known, 5)} in [{said(base, known)}, {said(base, known)} + {said(length, known, 6)})"
        case Member(x=x, set=s):
            return f"{said(x, known, 5)} in {said(s, known, 5)}"
        case SetLit(items=items):
            return "{" + ", ".join(said(i, known) for i in items) + "}"
        case Call(function=function, args=args, kind="ask"):
            return _spaced(function, [said(a, known) for a in args if not isinstance(a, Name)])
        case Call(function=function, args=args):
            return f"{function}({', '.join(said(a, known) for a in args)})"
    return text(e)


def _spaced(function: str, args: Sequence[str]) -> str:
    return function.replace("_", " ") + (f" ({', '.join(args)})" if args else "")


def is_choice(e: Expr) -> bool:
    """Whether `e` asks which of several behaviours the implementation has chosen."""
    return any(isinstance(n, Name) and n.kind == "choice" for n in walk(e))


def conditions(row: m.Row, known: Binders) -> list[tuple[str, Expr]]:
    """The conjuncts of a row as words, those about the message last: the rest tells rows of one trigger apart better.

    Choices are left out (a caption marks them), and so are tests of the state, which the figure shows.
    """
    parts = [c for c in (*row.own, *row.when, *row.where) if not is_choice(c)]
    parts = [c for c in parts if not any(isinstance(n, Name) and n.kind == "region" for n in walk(c))]
    return sorted(((said(c, known), c) for c in parts), key=lambda p: any(isinstance(n, Field) for n in walk(p[1])))


def asked(row: m.Row, known: Binders) -> tuple[str, ...]:
    """What a row asks for, a condition each; for a row of ours also what makes us act."""
    if row.otherwise:
        return ("otherwise",)
    return tuple(said(c, known, 2) for c in (row.own if row.role != "output" else (*row.own, *row.when)))


def one_line(parts: Sequence[str], common: Mapping[str, int], longest: int) -> str:
    """Conditions in one line; where there is no room for all, those that fewest others share (`common`) come first."""
    if len(", ".join(parts)) <= longest:
        return ", ".join(parts)
    kept: list[str] = []
    for part in sorted(parts, key=lambda p: common.get(p, 0)):
        if len(", ".join((*kept, part))) + 3 <= longest:
            kept.append(part)
    kept = kept or [shorten(min(parts, key=lambda p: common.get(p, 0)), longest)]
    return ", ".join((*sorted(kept, key=lambda p: parts.index(p) if p in parts else 0), "…"))
