"""What several rows of one chain ask about gets a local name: the macro's, as the law calls it."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, Unary, Window, rebuild, walk
from wirelaw.tools.generate.naming import local

_VALUES = ("bool", "uint", "seq", "duration", "time")


def shared(guards: Sequence[Iterable[Expr]], machine: m.Machine) -> dict[Expr, str]:
    """The macros that occur more than once in `guards`, with their local names; those that are parts of others last."""
    trees = [c for guard in guards for c in guard]
    found: dict[Expr, str] = {}
    candidates = {e: None for tree in trees for e in walk(tree) if e.origin and _can_be_early(e)}
    for e in sorted(candidates, key=lambda e: -sum(1 for _ in walk(e))):
        name = local_name(e, machine)
        if name and name not in found.values() and sum(node == e for tree in trees for node in walk(tree)) > 1:
            trees = [put_locals(tree, {e: name}) for tree in trees] + [e]
            found[e] = name
    return found


def put_locals(e: Expr, names: Mapping[Expr, str]) -> Expr:
    """`e` with local names in the place of what they stand for."""
    if e in names:
        return Name(names[e], "raw", type=e.type)
    return rebuild(e, lambda x: put_locals(x, names))


def local_name(e: Expr, machine: m.Machine) -> str:
    """The macro's name as a local one; '' when that is taken by a function or argument."""
    name = local(e.origin.partition("(")[0])
    binders = {p.binder for p in machine.inputs.values()}
    return "" if name in machine.functions or name in binders or name in machine.families or hasattr(builtins, name) else name


def _can_be_early(e: Expr) -> bool:
    """True when `e` can be worked out before anybody knows whether it is asked for: it has no effect and cannot fail."""
    return not isinstance(e, Lit | Name) and all(_is_plain(node) for node in walk(e))


def _is_plain(e: Expr) -> bool:
    match e:
        case Field(base=Name(kind="binder")) | Name(kind="var" | "param"):
            return e.type.kind in _VALUES
        case Name(kind=kind):
            return kind in ("binder", "region", "now")
        case Call(kind=kind):
            return kind == "builtin"
    return isinstance(e, Unary | Binary | Window | Lit)
