"""Forbids a generated message with a field that nothing gives a value: it would go out as zero by accident."""

from __future__ import annotations

from collections.abc import Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import Field, Name, walk
from wirelaw.spec.language.proof.subject import Subject, finding


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each output row (modes but `may`) with such fields.

    A field counts as bound by the row, its `default`, every profile's `fill`, or a default of the message; fields that
    `unsaid` calls free and no condition mentions may stay zero.
    """
    machine = subject.machine
    for row in machine.emissions:
        if row.mode == "may" or row.event_kind != "message" or row.default_message is not None:
            continue
        mentioned = {n.name for c in row.where for n in walk(c) if isinstance(n, Field) and n.base == _message(row, n)}
        free = {f for o in machine.outputs.values() if o.message in machine.messages[row.event].lineage for f in o.free}
        unbound = []
        for name, f in machine.messages[row.event].fields.items():
            bound = name in row.fields or name in row.defaults or f.default is not None or _is_key(machine, row, name)
            filled = bool(subject.profiles) and all(name in p.fills.get(row.event, {}) for p in subject.profiles)
            if not bound and not filled and (name in mentioned or name not in free):
                unbound.append(name)
        if unbound:
            fields = ", ".join(f"`{n}`" for n in unbound)
            yield finding(
                row.span, f"row [{row.id}] emits `{row.event}` without a value for {fields}",
                "Give each one in the parentheses, in `default`, in a profile's `fill`, or call it free in `unsaid`.",
            )  # fmt: skip


def _message(row: m.Row, node: Field) -> Name | None:
    base = node.base
    return base if isinstance(base, Name) and base.kind == "binder" and base.name == row.binders[0] else None


def _is_key(machine: m.Machine, row: m.Row, name: str) -> bool:
    return bool(row.family) and machine.families[row.family].key == name
