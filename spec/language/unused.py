"""Names that a law declares and nothing mentions.

This is asked of the syntax, before macros vanish, and of the whole law: what a fragment declares need serve only one of the machines
that include it. Choices, calls and timers are left to the checks that call for a row for each.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import Span
from wirelaw.spec.language.expressions import Call, Expr, Name, walk
from wirelaw.spec.language.model import Unused
from wirelaw.spec.language.types import Type

_DECLARED: tuple[tuple[type, str], ...] = (
    (t.Const, "const"), (t.Param, "param"), (t.Queue, "queue"), (t.Debt, "debt"),
    (t.DefExpr, "def"), (t.DefStmt, "def"), (t.Group, "states"), (t.Refinement, "message"),
)  # fmt: skip


def unused_names(
    machines: Mapping[str, t.Machine], fragments: Mapping[str, t.Machine], others: Iterable[object]
) -> dict[str, tuple[Unused, ...]]:
    """For each machine the declarations in it, or in its fragments, that nothing mentions; `others` are profiles and the like.

    Each is given once, a fragment that no machine includes with the first machine.
    """
    beside = {name for other in others for name in _mentions(other)}
    found: dict[Span, tuple[str, Unused]] = {}
    used: set[Span] = set()
    included: set[str] = set()
    for machine in machines.values():
        parts = list(_parts(machine, fragments, included))
        by = [(d, set(_mentions(d))) for d in parts]
        count = Counter(name for _, names in by for name in names)
        for d, names in by:
            for what, name, span in _declares(d):
                if count[name] > (name in names) or name in beside or _is_met(d, parts, count):
                    used.add(span)
                else:
                    found.setdefault(span, (machine.name, Unused(what, name, span)))
    made: dict[str, list[Unused]] = {name: [] for name in machines}
    for span, (where, one) in found.items():
        if span not in used:
            made[where].append(one)
    for name, fragment in fragments.items() if made else ():
        if name not in included:
            made[next(iter(made))].append(Unused("fragment", name, fragment.span))
    return {name: tuple(ones) for name, ones in made.items()}


def _parts(machine: t.Machine | t.Family, fragments: Mapping[str, t.Machine], included: set[str]) -> Iterator[object]:
    """All declarations of a machine, those of its fragments and families too."""
    for d in machine.declarations:
        if isinstance(d, t.Include):
            included.add(d.name)
            yield from _parts(fragments[d.name], fragments, included) if d.name in fragments else ()
        elif isinstance(d, t.Family):
            yield from _parts(d, fragments, included)
        else:
            yield d


def _declares(d: object) -> Iterator[tuple[str, str, Span]]:
    match d:
        case t.Variable(kind=kind, name=name, span=span):
            yield kind, name, span
        case t.Function(kind=kind, name=name, span=span) if kind != "call":
            yield kind, name, span
        case t.Message(name=name, span=span):
            yield "message", name, span
        case t.Table(name=name, is_gate=False, span=span):
            yield "table", name, span
    for cls, what in _DECLARED:
        if isinstance(d, cls):
            yield what, d.name, d.span  # type: ignore[attr-defined]


def _is_met(d: object, parts: list[object], count: Mapping[str, int]) -> bool:
    """A message comes or goes by the name of its class too, and a table on calls and timers is in no pipeline."""
    if isinstance(d, t.Message):
        by_name = {x.name: x for x in parts if isinstance(x, t.Message)}
        above = d.parent
        while above in by_name:
            if count.get(above, 0) > sum(x.parent == above for x in by_name.values()):
                return True
            above = by_name[above].parent
        return False
    if isinstance(d, t.Table):
        events = {x.name for x in parts if isinstance(x, t.Timer) or (isinstance(x, t.Function) and x.kind == "call")}
        return not events.isdisjoint(_mentions(d))
    return False


def _mentions(node: object) -> Iterator[str]:
    """Every name that `node` and what is in it speaks of."""
    match node:
        case Expr():
            for e in walk(node):
                if isinstance(e, Name):
                    yield e.name
                elif isinstance(e, Call):
                    yield e.function
            return
        case Type(kind="named" | "set", name=name):
            yield name
        case t.Statement(name=name) | t.Event(name=name) | t.Refinement(base=name) | t.Output(message=name):
            yield name
        case t.Input(message=name, tables=tables):
            yield from (name, *tables)
        case t.Message(parent=str(name)) | t.Abort(message=str(name)):
            yield name
        case t.Debt(message=name, states=states):
            yield from (name, *states)
        case t.Row(states=states) | t.RowGroup(states=states) | t.Property(states=states) | t.Group(members=states):
            yield from states
    if isinstance(node, tuple | list):
        parts: Iterable[object] = node
    elif isinstance(node, dict):
        parts = node.values()
    elif dataclasses.is_dataclass(node):
        parts = [getattr(node, f.name) for f in dataclasses.fields(node)]
    else:
        return
    for part in parts:
        yield from _mentions(part)
