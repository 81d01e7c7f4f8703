"""Hypothesis strategies for messages of any law: what a tester sends to the implementation that a judge watches.

Values are drawn near what decides: the constants of the law, and the numbers that the watched machine holds at the moment. Nothing here
knows a protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Lit, walk
from wirelaw.spec.language.types import Type

SEQUENCE_SPACE = 1 << 32
_NUMBERS = frozenset({"uint", "seq", "duration", "time"})


def kinds(machine: m.Machine) -> list[str]:
    """The kinds of messages that the machine takes, in the order of the law."""
    return [name for name, message in machine.messages.items() if message.is_kind and any(c in machine.inputs for c in message.lineage)]


def constants(machine: m.Machine) -> dict[str, list[Any]]:
    """The literals in guards and actions of the law, by the name of their Python type; ascending."""
    found: dict[str, set[Any]] = {}
    for row in machine.rows():
        for expression in (*row.guard, *row.where, *row.when):
            for node in walk(expression):
                if isinstance(node, Lit) and node.value is not None and not isinstance(node.value, bool):
                    found.setdefault(type(node.value).__name__, set()).add(node.value)
    return {kind: sorted(values) for kind, values in found.items()}


@dataclass(frozen=True, slots=True)
class Choice:
    """A message to send next: its kind, and for each field a number that chooses the value once the state is known."""

    kind: str
    picks: tuple[int, ...]


def walks(machine: m.Machine, longest: int) -> st.SearchStrategy[list[Choice]]:
    """What a tester will do, 1 to `longest` messages. It does not depend on the peer, so that the same walk can be walked again."""
    one = st.one_of([_choices(kind, len(machine.messages[kind].fields)) for kind in kinds(machine)])
    return st.integers(1, longest).flatmap(lambda n: st.lists(one, min_size=n, max_size=n))


def _choices(kind: str, fields: int) -> st.SearchStrategy[Choice]:
    pick = st.integers(0, 40) | st.integers(0, 2 * SEQUENCE_SPACE - 1)
    return st.tuples(*[pick] * fields).map(lambda picks: Choice(kind, picks))


def message(
    machine: m.Machine, choice: Choice, held: Mapping[str, Any] | None = None, seen: Mapping[str, Collection[Any]] | None = None
) -> SimpleNamespace:
    """The message that `choice` stands for in this state: an object with the kind's fields as attributes.

    `held` are variables of the watched machine and their values (`wirelaw.oracle.engine.judge.Judge.frontier` has them), `seen` values of
    opaque types met in its outputs, by the name of the type; an opaque value comes from there or is None.
    """
    literals = constants(machine)
    near = [v for v in (held or {}).values() if isinstance(v, int) and not isinstance(v, bool)]
    fields = machine.messages[choice.kind].fields
    values = {
        name: _value(pick, _candidates(machine, f.type, literals, near, seen or {}, held or {}), f.type)
        for (name, f), pick in zip(fields.items(), choice.picks, strict=True)
    }
    return SimpleNamespace(kind=choice.kind, **values)


def _value(pick: int, candidates: list[Any], of: Type) -> Any:
    """Half of the picks choose a candidate; the other half, where the type is a number, are the value."""
    if pick % 2 and of.kind in _NUMBERS:
        return pick // 2 % (_top(of) + 1)
    return candidates[pick // 2 % len(candidates)]


def _top(of: Type) -> int:
    return (1 << of.bits if of.kind == "uint" else SEQUENCE_SPACE) - 1


def _candidates(
    machine: m.Machine, of: Type, literals: Mapping[str, list[Any]], near: list[int], seen: Mapping[str, Collection[Any]],
    held: Mapping[str, Any],
) -> list[Any]:  # fmt: skip
    if of.kind == "bool":
        return [False, True]
    if of.kind == "enum":
        return list(machine.enums[of.name])
    if of.kind == "string":
        return literals.get("str") or [""]
    if of.kind in _NUMBERS:
        close = {w for v in (*near, *literals.get("int", ()), 0) for w in (v - 1, v, v + 1) if 0 <= w <= _top(of)}
        return sorted(close)
    known = [v for n, v in held.items() if n in machine.variables and machine.variables[n].type == of and v is not None]
    return [None, *seen.get(of.name, ()), *known]
