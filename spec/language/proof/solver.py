"""What every solver answers: whether conditions can hold together, and an example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Call, Expr, Field, Lit, Member, Name, SetLit, children, text, walk
from wirelaw.spec.language.types import Type

Value = bool | int | str
BUILTINS = ("min", "max", "select")


class Undecided(Exception):  # noqa: N818 - it is an answer, not a fault
    """The solver's budget ran out, or the question is outside what it can shrink."""


@dataclass(frozen=True, slots=True)
class Witness:
    """An assignment under which all the conditions hold.

    `states` maps regions to states, `assignments` the other names to values, both as text in the order of reading.
    """

    states: tuple[tuple[str, str], ...]
    assignments: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.assignments)


class Solver(Protocol):
    """`satisfiable` returns a witness, or None when there is provably none; raises `Undecided`."""

    name: str

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """Whether all of `conjuncts` can hold at once. Only names in `shown` (default: all) appear in the witness; none: it is empty."""


# --- cells: the parts of conditions that a solver gives values to -----------------------------------------------


def sort_of(type_: Type) -> str:
    """How values of a type are represented: bool, seq (mod 2^32), number, enum, or value (anything that is only compared)."""
    match type_.kind:
        case "bool" | "seq":
            return type_.kind
        case "uint" | "duration" | "time":
            return "number"
        case "enum" | "choice":
            return "enum"
        case _:
            return "value"


def is_cell(e: Expr) -> bool:
    """True for what has no meaning known to the solver: names, fields, calls of functions, membership in an opaque set."""
    if isinstance(e, Call):
        return e.function not in BUILTINS
    if isinstance(e, Member):
        return not isinstance(e.set, SetLit)
    return isinstance(e, Name | Field)


def cells(conjuncts: Sequence[Expr]) -> list[Expr]:
    """Distinct cells of the conditions in order of first occurrence; arguments of functions before the functions."""
    found: dict[Expr, None] = {}

    def visit(e: Expr) -> None:
        if not (isinstance(e, Field) and isinstance(e.base, Name)):  # `s` in `s.seq` is no cell of its own
            for child in children(e):
                visit(child)
        if is_cell(e):
            found.setdefault(e)

    for c in conjuncts:
        visit(c)
    return list(found)


def members(type_: Type, machine: m.Machine) -> tuple[str, ...]:
    """Values of an enum, of a choice, or the states of a region."""
    if type_.kind == "choice":
        return machine.choices[type_.name]
    if type_.name in machine.regions:
        return tuple(s.name for s in machine.regions[type_.name].states)
    return machine.enums.get(type_.name, ())


def may_be_none(e: Expr, machine: m.Machine) -> bool:
    """Enum variables start as `none`; fields, choices and regions always have a member."""
    return isinstance(e, Name) and e.kind == "var" and e.name in machine.variables and e.type.kind == "enum"


def functions(found: Sequence[Expr]) -> Iterator[tuple[str, Expr, tuple[Expr, ...]]]:
    """Cells that are applications of an unknown function: (function, cell, arguments)."""
    for e in found:
        match e:
            case Call(function=function, args=args):
                yield f"call {function}", e, args
            case Member(x=x, set=s):
                yield "in", e, (x, s)
            case Field(base=base, name=name):
                yield f"field {name}", e, (base,)


def literals(conjuncts: Sequence[Expr]) -> list[Lit]:
    """All literals, in order of occurrence."""
    return [n for c in conjuncts for n in walk(c) if isinstance(n, Lit)]


def seq_anchors(found: Sequence[Expr], conjuncts: Sequence[Expr]) -> dict[str, Expr]:
    """Per sequence space, the cell all others are measured from.

    Serial arithmetic does not change when all numbers of a space are shifted, so this cell may be taken as 0; a space in
    which a literal or a function's argument stands has none.
    """
    fixed = {n.type.name for n in literals(conjuncts) if n.type.kind == "seq"}
    fixed |= {a.type.name for _, _, args in functions(found) for a in args if a.type.kind == "seq"}
    fixed |= {e.type.name for e in found if isinstance(e, Call) and e.type.kind == "seq"}
    anchors: dict[str, Expr] = {}
    for e in found:
        if e.type.kind == "seq" and e.type.name not in fixed:
            held = anchors.get(e.type.name)
            if held is None or (isinstance(e, Name) and not isinstance(held, Name)):
                anchors[e.type.name] = e
    return anchors


def as_witness(
    values: dict[Expr, Value], machine: m.Machine, conjuncts: Sequence[Expr], shown: Sequence[Expr] | None, modulus: int
) -> Witness:
    """`values` as text: sequence numbers relative to the anchor of their space, fields before variables."""
    wanted = set(cells(shown)) if shown is not None else set(values)
    anchors = seq_anchors(list(values), conjuncts)
    states: list[tuple[str, str]] = []
    fields: list[tuple[str, str]] = []
    names: list[tuple[str, str]] = []
    for e, value in values.items():
        if isinstance(e, Name) and e.kind == "region":
            states.append((e.name, str(value)))
        elif e in wanted and e.type.kind != "queue" and anchors.get(e.type.name if e.type.kind == "seq" else "") != e:
            pair = (text(e), _shown(e, value, anchors, values, modulus))
            (fields if isinstance(e, Field) else names).append(pair)
    for e in anchors.values():
        if e in wanted and not any(o != e and o.type == e.type for o in values if o in wanted):
            names.append((text(e), "any"))
    return Witness(tuple(states), tuple(fields + names))


def _shown(e: Expr, value: Value, anchors: dict[str, Expr], values: dict[Expr, Value], modulus: int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    anchor = anchors.get(e.type.name) if e.type.kind == "seq" else None
    if anchor is None or isinstance(value, str):
        return str(value)
    distance = (value - int(values[anchor])) % modulus
    if distance > modulus // 2:
        return f"{text(anchor)} - {modulus - distance}"
    return f"{text(anchor)} + {distance}" if distance else text(anchor)


def candidates(conjuncts: Sequence[Expr]) -> list[int]:
    """Numbers worth trying first, smallest first, so that witnesses read well: small ones and the neighbours of constants."""
    constants = {n.value for n in literals(conjuncts) if isinstance(n.value, int) and not isinstance(n.value, bool)}
    near = {c + d for c in constants for d in (-1, 0, 1)}
    return sorted(n for n in near | {0, 1, 2} if n >= 0)
