"""Words for what a judge saw: messages and variables in relative terms, conjuncts as law text, by how much they fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow, attribute
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Member, Name, Unary, Window, names, text, walk
from wirelaw.spec.language.model import Message, Variable

FAR_AWAY = 1 << 24


def context(law: CompiledLaw, c: Configuration, i: Any, binders: Mapping[str, Any], now: int) -> Context:
    """The slow reading of a configuration, for expressions met outside compiled code."""

    def variable(name: str) -> Any:
        owner = law.machine.variables.get(name) or law.machine.regions.get(name)
        holder = i if owner is not None and owner.family else c
        if isinstance(owner, Variable) and owner.kind == "key":
            return i.key
        value = getattr(holder, attribute(name))
        if value is None and isinstance(owner, Variable) and owner.type.kind == "message":
            return _Absent(law.machine.messages[owner.type.name])
        return value

    def function(kind: str, name: str, args: tuple[Any, ...]) -> Any:
        if kind == "count":
            return len(getattr(c, f"f_{args[0]}"))
        return getattr(law.externs, name)(*args) if kind == "extern" else True

    return Context(variable, variable, function, binders=binders, now=now, unbounded=True)


class _Absent:
    """Stands for a message that has not come, where a conjunct asks for its fields: they are zero, false or none, and it is none."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def __getattr__(self, field: str) -> Any:
        kind = self._message.fields[field].type.kind
        return {"bool": False, "string": ""}.get(kind, 0 if kind in {"uint", "nat", "seq", "duration", "time"} else None)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _Absent)

    def __hash__(self) -> int:
        return hash(None)

    def __str__(self) -> str:
        return "none"


def short(e: Expr, binders: Iterable[str]) -> str:
    """A conjunct as law text without the message's name in front of its fields."""
    said = text(e)
    for b in binders:
        said = re.sub(rf"\b{re.escape(b)}\.", "", said)
    return said


def how_much(law: CompiledLaw, c: Configuration, e: Expr, bound: Context, binders: Iterable[str]) -> str:
    """By how much a conjunct does not hold."""

    def again(x: Expr) -> str:
        return how_much(law, c, x, bound, binders)

    core, flipped = (e.x, True) if isinstance(e, Unary) and e.op == "not" else (e, False)
    match core:
        case Field() | Name() if core.type.kind == "bool":
            return f"{short(core, binders)} is {'set' if flipped else 'not set'}"
        case Binary(op="or", a=a, b=b) if not flipped:
            return f"{again(a)}, and {again(b)}"
        case Binary(op="and", a=a, b=b) if not flipped:
            return next(again(x) for x in (a, b) if not evaluate(x, bound))
        case Binary(op=op, a=a, b=b) if op in ("==", "!=", "<", "<=", ">", ">="):
            left, right = evaluate(a, bound), evaluate(b, bound)
            if a.type.kind == "seq" and abs(left - right) > FAR_AWAY:
                return f"{short(a, binders)} is far away"
            return difference(short(a, binders), left, right, a.type.kind == "seq")
        case Window(x=x, base=base, length=length):
            value, low, size = (evaluate(y, bound) for y in (x, base, length))
            if abs(value - low) > FAR_AWAY:
                return f"{short(x, binders)} is far away"
            where = f"{low - value} before" if value < low else f"{value - low - size + 1} beyond"
            return f"{short(x, binders)} is {where} a window of {size}"
        case Member(x=x):
            return f"{short(x, binders)} is {shown(evaluate(x, bound))}"
    return f"{short(core, binders)} holds" if flipped else "it does not"


def difference(what: str, left: Any, right: Any, is_relative: bool = False) -> str:
    if isinstance(left, bool) or isinstance(right, bool):
        return f"{what} is {'set' if left else 'not set'}"
    if isinstance(left, int) and isinstance(right, int) and left != right and (is_relative or min(abs(left), abs(right)) > 0):
        return f"{what} is {abs(left - right)} too {'high' if left > right else 'low'}"
    return f"{what} is {shown(left)}"


def shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:8].hex() + ("…" if len(value) > 8 else "")
    return "none" if value is None else str(value)


def duration(us: int) -> str:
    return f"{us / 1e6:g} s" if us >= 1_000_000 else f"{us / 1e3:g} ms"


def state_names(law: CompiledLaw, c: Configuration) -> str:
    """The control state."""
    return ", ".join(getattr(c, attribute(r.name)) for r in law.regions)


def relative(law: CompiledLaw, c: Configuration, value: Any, space: str = "", prefer: Iterable[str] = ()) -> str:
    """A sequence number as the nearest variable plus a distance; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int):
        return shown(value)
    best: tuple[int, int, str] | None = None
    wanted = set(prefer)
    for n, (name, v) in enumerate(law.machine.variables.items()):
        if v.type.kind == "seq" and not v.family and v.kind == "var" and space in ("", v.type.name):
            distance = abs(value - getattr(c, attribute(name)))
            rank = (0 if name in wanted and distance < 1 << 16 else 1 + distance, n, name)
            best = min(best, rank) if best is not None else rank
    if best is None or best[0] > FAR_AWAY:
        return str(value)
    offset = value - getattr(c, attribute(best[2]))
    return best[2] if not offset else f"{best[2]} {'+' if offset > 0 else '-'} {abs(offset)}"


def describe(
    law: CompiledLaw, c: Configuration, kind: str, message: Any, used: Iterable[Expr], failed: Iterable[Expr] = (), incoming: bool = False
) -> str:
    """A message in relative terms: its flags, then what is not zero. `incoming`: the judged end did not send it.

    Numbers are told from the variables that the `failed` conjuncts compare them with, else those of `used`.
    """
    o, parts, flags = message, [], []
    compared = {n: names(e, "var") for e in used for n in _fields(e)} | {n: names(e, "var") for e in failed for n in _fields(e)}
    for name, f in law.machine.messages[kind].fields.items():
        value = getattr(o, name, None)
        if isinstance(value, bool):
            flags += _flag(name, value, f.default)
        elif f.type.kind == "seq":
            space = {"sender": ("tx", "rx"), "receiver": ("rx", "tx")}.get(f.type.name, (f.type.name, f.type.name))[incoming]
            parts.append(f"{name} = {relative(law, c, value, space, compared.get(name, ()))}" if value else "")
        elif value or name in compared:
            parts.append(f"{name} {shown(value)}" if isinstance(value, int | str) else f"{name} = {shown(value)}")
    head = [kind] if len(law.machine.messages) > 1 else []
    return "  ".join([*head, *flags, *(p for p in parts if p)])


def _flag(name: str, value: bool, default: Expr | None) -> list[str]:
    """A flag's word; one that is set by default is worth a word when it is clear."""
    if isinstance(default, Lit) and default.value is True:
        return [] if value else [f"not {name}"]
    return [name.upper().removesuffix("F") if name == "ackf" else name.upper()] if value and "_" not in name else []


def _fields(e: Expr) -> set[str]:
    return {n.name for n in walk(e) if isinstance(n, Field)}


def state_text(law: CompiledLaw, c: Configuration, used: list[Expr]) -> str:
    """A configuration in words: its states and the variables that the failing conjuncts read."""
    wanted = {n for e in used for n in names(e, "var")}
    first: dict[str, str] = {}
    parts = [state_names(law, c)]
    for name, v in law.machine.variables.items():
        if v.family or v.kind != "var":
            continue
        value = getattr(c, attribute(name))
        if v.type.kind == "seq":
            anchor = first.setdefault(v.type.name, name)
            if name in wanted and anchor != name:
                offset = value - getattr(c, attribute(anchor))
                parts.append(f"{name} = {anchor} {'+' if offset >= 0 else '-'} {abs(offset)}")
        elif name in wanted:
            parts.append(f"{name} = {shown(value)}")
    return ", ".join(parts)


def breach(law: CompiledLaw, c: Configuration, i: Any, gate: CompiledRow, kind: str, message: Any, now: int) -> str:
    """How a message breaks a gate that only warns."""
    binders = gate.row.binders
    bound = context(law, c, i, {binders[0]: message}, now)
    failed = [e for e in law.machine.visible(gate.row.where) if not evaluate(e, bound)]
    why = "; ".join(f"{short(e, binders)}: {how_much(law, c, e, bound, binders)}" for e in failed)
    return f"{describe(law, c, kind, message, gate.row.guard + gate.row.where)}   [{gate.id}] {why}"
