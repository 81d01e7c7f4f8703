"""Forbids a reply that a gate on the message alone refuses: nothing stands between such a reply and the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.expressions import FALSE, Expr, Field, Lit, Name, conjoin, negate, rebuild, walk
from wirelaw.spec.language.interpret import binds_replies
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.effects import assignments, enabling, put, rename
from wirelaw.spec.language.proof.subject import Subject, finding
from wirelaw.spec.language.tree import Statement

REPLY = "the reply"  # no name of the law looks like this


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each row with a `send` and gate that refuses what it makes, under any profile.

    A field that the reply leaves out has the value that the implementation fills in; one that the host decides counts as
    chosen to please the gate.
    """
    machine = subject.machine
    gates = [g for g in machine.gates if binds_replies(g)]
    for row in machine.rows():
        for before, reply in _replies(row) if gates else ():
            for gate in gates:
                if gate.event in machine.messages[reply.name].lineage:
                    found = _refusal(subject, row, before, reply, gate)
                    yield from found[:1]


def _replies(row: m.Row) -> Iterator[tuple[tuple[Statement, ...], Statement]]:
    """Every `send` of a row with the actions before it."""
    ways = [row.actions, *(row.actions + more for _, more in row.ending.alternatives)]
    seen: list[Statement] = []
    for actions in ways:
        for n, s in enumerate(actions):
            if s.kind == "send" and not any(s is other for other in seen):
                seen.append(s)
                yield actions[:n], s


def _refusal(subject: Subject, row: m.Row, before: tuple[Statement, ...], reply: Statement, gate: m.Row) -> list[Diagnostic]:
    machine, after, found = subject.machine, assignments(before, subject.machine), []
    for profile in subject.profiles or (None,):
        values = {n: put(e, after) for n, e in _filled(machine, profile, reply).items()}
        names = {gate.binders[0]: REPLY}
        scope = [_with(rename(c, names), values) for c in gate.guard]
        refused = [c for c in (_with(rename(c, names), values) for c in gate.where) if not _is_open(c)]
        if not refused or any(_is_open(c) for c in scope):
            continue
        asked = [*enabling(row, machine), *scope, negate(conjoin(refused))]
        witness = subject.witness(asked, f"can gate [{gate.id}] refuse the reply of [{row.id}]")
        if witness is not None:
            where = "in " + (", ".join(s for _, s in witness.states) or "any state")
            where += f", when   {witness}" if witness.assignments else ""
            found.append(
                finding(
                    row.span, f"gate [{gate.id}] refuses the reply `{reply.name}` of row [{row.id}]",
                    "Give the reply what the gate demands, or let an output row send it.",
                    rows=(row.span, gate.span), where=where,
                )
            )  # fmt: skip
    return found


def _filled(machine: m.Machine, profile: Profile | None, reply: Statement) -> dict[str, Expr]:
    """Every field of a reply whose value is known: given, else filled by the profile, the field's default, or zero."""
    known: dict[str, Expr] = {n: e for n, e in reply.fields if e is not None}
    fills = profile.fills.get(reply.name, {}) if profile is not None else {}
    for name, f in machine.messages[reply.name].fields.items():
        if name not in known:
            zero = FALSE if f.type.kind == "bool" else Lit(0, type=f.type) if f.type.kind in ("uint", "seq") else None
            value = fills.get(name) or f.default or zero
            if value is not None and not machine.is_hidden(value):
                known[name] = value
    return known


def _with(e: Expr, values: Mapping[str, Expr]) -> Expr:
    if isinstance(e, Field) and isinstance(e.base, Name) and e.base.name == REPLY and e.name in values:
        return values[e.name]
    return rebuild(e, lambda x: _with(x, values))


def _is_open(e: Expr) -> bool:
    return any(isinstance(n, Name) and n.name == REPLY for n in walk(e))
