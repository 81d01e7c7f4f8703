"""Which rows may have been taken when guards speak of what a judge cannot see.

A hidden conjunct (on the user, on policy, on a free choice) counts as true, so several rows may be possible at once. The
opposite question decides about `otherwise` and about urgency: can the hidden parts of all these rows be false together?
`gone` beside `not gone` cannot, nor `mode == a` beside `mode == b` when the choice has just these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from wirelaw.spec.language import model as m
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Call, Expr, Lit, Name, Unary, conjoin, names, text, walk

_COMPLEMENTS = {"!=": "==", "<": ">=", "<=": ">"}
_ATOM_LIMIT = 12


def _literal(e: Expr) -> tuple[str, bool]:
    """An atom's name and the sign it stands with: complements share one atom."""
    match e:
        case Binary(op=op, a=a, b=b) if op in _COMPLEMENTS:
            return f"{text(a, expand=True)} {_COMPLEMENTS[op]} {text(b, expand=True)}", False
        case Binary(op=">", a=a, b=Lit(value=0)) if a.type.kind == "uint":
            return f"{text(a, expand=True)} == 0", False
    return text(e, expand=True), True


def _atoms(e: Expr, choices: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    match e:
        case Binary(op="and" | "or", a=a, b=b):
            yield from _atoms(a, choices)
            yield from _atoms(b, choices)
        case Unary(op="not", x=x):
            yield from _atoms(x, choices)
        case Binary(op="==" | "!=", a=Name(kind="choice", name=name), b=Lit()):
            yield name, choices[name]
        case Lit():
            pass
        case _:
            yield _literal(e)[0], (False, True)


def _value(e: Expr, given: Mapping[str, Any]) -> bool:
    match e:
        case Binary(op="and", a=a, b=b):
            return _value(a, given) and _value(b, given)
        case Binary(op="or", a=a, b=b):
            return _value(a, given) or _value(b, given)
        case Unary(op="not", x=x):
            return not _value(x, given)
        case Binary(op="==" | "!=" as op, a=Name(kind="choice", name=name), b=Lit(value=value)):
            return bool((given[name] == value) == (op == "=="))
        case Lit(value=value):
            return bool(value)
    name, sign = _literal(e)
    return bool(given[name]) == sign


def can_all_fail(hidden: list[tuple[Expr, ...]], choices: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether some values of the hidden atoms make each of these conjunctions false."""
    whole = [conjoin(list(h)) for h in hidden]
    atoms = dict(a for e in whole for a in _atoms(e, choices))
    if len(atoms) > _ATOM_LIMIT:
        return True
    for values in product(*atoms.values()):
        given = dict(zip(atoms, values, strict=True))
        if not any(_value(e, given) for e in whole):
            return True
    return False


def holds_at_rest(machine: m.Machine, hidden: tuple[Expr, ...]) -> bool:
    """Whether the hidden conjuncts hold while the user has done nothing (choices and the host's answers aside)."""
    initial = {v.name: v.init for v in machine.variables.values()}
    for e in hidden:
        kinds = {n.kind for n in walk(e) if isinstance(n, Name)}
        if kinds - {"var"} or any(isinstance(n, Call) and n.kind in ("ask", "due", "extern") for n in walk(e)):
            continue
        if not all(machine.variables[n].kind in ("user", "policy") and isinstance(initial[n], Lit) for n in names(e, "var")):
            continue
        c = Context(lambda name: getattr(initial[name], "value", None), lambda _: "", lambda *_: None)
        if not evaluate(e, c):
            return False
    return True
