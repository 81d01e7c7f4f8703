"""Deviations held against the law that they depart from, and made ready for a judge."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.deviations import Alternative, Deviation, Deviations
from wirelaw.spec.language.diagnostics import LawError, complain
from wirelaw.spec.language.expressions import Expr, conjuncts
from wirelaw.spec.language.resolve import Resolver, nearest

_KINDS = {"input": "an input row", "gate": "a gate", "output": "an output row"}


def attach(deviations: t.Deviations, resolver: Resolver, machine: m.Machine) -> Deviations:
    """`deviations` in the words of `machine`, which `resolver` has resolved. Raises LawError with every diagnostic found."""
    return _Attacher(deviations, resolver, machine).run()


class _Attacher:
    def __init__(self, deviations: t.Deviations, resolver: Resolver, machine: m.Machine) -> None:
        self.deviations = deviations
        self.rows: Mapping[str, m.Row] = {r.id: r for r in machine.rows()}
        self.policy = {t.name for t in machine.tables.values() if t.policy}
        self.resolver = r = copy.copy(resolver)
        r.diagnostics = []
        r.typer = copy.copy(r.typer)
        declared = deviations.declarations
        own = {d.name: d for d in declared if isinstance(d, t.DefExpr)}
        acts = {d.name: d for d in declared if isinstance(d, t.DefStmt)}
        self.own: tuple[t.DefExpr | t.DefStmt, ...] = (*own.values(), *acts.values())
        r.typer.macros, r.statements = {**r.typer.macros, **own}, {**r.statements, **acts}
        self.known = {*resolver.typer.macros, *resolver.statements}

    def run(self) -> Deviations:
        r = self.resolver
        for d in self.own:
            if d.name in self.known:
                r.report(d.span, f"`{d.name}` is declared twice", "The law has it already: rename one of the two.")
        r.unique((d.name, d, d.span) for d in self.deviations.deviations)
        made = [x for d in self.deviations.deviations for x in r.guarded(self.deviation, d)]
        if r.diagnostics:
            raise LawError(*r.diagnostics)
        return Deviations(self.deviations.peer, self.deviations.machine, tuple(made))

    def deviation(self, d: t.Deviation) -> Deviation:
        if not d.alternatives:
            raise complain(d.span, f"deviation `{d.name}` says nothing", "Give it `instead of [row] ..` or `beside [row] ..`.")
        made = tuple(x for a in d.alternatives for given in self.resolver.guarded(self.alternative, d, a) for x in given)
        return Deviation(self.deviations.peer, d.name, d.reason, d.versions, made)

    def alternative(self, d: t.Deviation, a: t.Alternative) -> tuple[Alternative, ...]:
        if not any(c.level for c in a.row.citations):
            raise complain(
                a.span, f"deviation `{d.name}` does not say against what", "Cite the sentence and its level: `@source:place MUST`."
            )
        if not a.instead:
            if a.row.id in self.rows:
                raise complain(a.row.span, f"row [{a.row.id}] is in the law already", "Give it another id, or write `instead of`.")
            return (Alternative("", self.resolver.emission(a.row, "")),)
        return tuple(Alternative(name, self.instead(a.row, self.row_of(name, a))) for name in a.instead)

    def row_of(self, name: str, a: t.Alternative) -> m.Row:
        """The row of the law that `a` stands instead of."""
        if name not in self.rows:
            raise complain(a.row.span, f"the law has no row [{name}]", nearest(name, self.rows))
        row = self.rows[name]
        if row.table in self.policy:
            raise complain(a.row.span, f"[{name}] stands in a policy table, which no judge sees", "Remove it: policy is never judged.")
        if states := set(self.resolver.state_set(a.row.states, a.row.span)) - set(row.states or self.resolver.states):
            raise complain(a.row.span, f"[{name}] never holds in {', '.join(sorted(states))}", "Keep to the states of the row.")
        return row

    def instead(self, r: t.Row, law: m.Row) -> m.Row:
        if law.role == "output":
            return self.other_output(r, law)
        what = _KINDS[law.role]
        if r.role == "output":
            raise complain(
                r.span, f"[{law.id}] is {what}: it emits nothing", "Leave `emit` out; what is sent beside the law is `beside [row]`."
            )
        if law.role == "gate":
            return self.other_gate(r, law)
        if r.where is not None:
            raise complain(r.span, f"[{law.id}] is {what}: it has no `where`", "Write the condition behind `if`.")
        if not r.ending.kind:
            raise complain(r.span, f"what stands instead of [{law.id}] does not say how it ends", "Write `next`, `stop`, `=> STATE`, ..")
        y = self.resolver
        scope, kind = y.event_scope(t.Event(law.event, law.binders, r.span))
        guard = y.typer.predicate(r.guard, scope, f"guard of [{law.id}]") if r.guard is not None else None
        if kind == "message":
            y.forbid_policy(guard, r)
        states = y.state_set(r.states, r.span) or law.states
        ending = y.ending(r.ending, states, scope, r, law.family)
        return self.made(law, r, states, guard, ending, y.actions(r.actions, scope))

    def other_gate(self, r: t.Row, law: m.Row) -> m.Row:
        if r.ending.kind not in ("", "stay"):
            raise complain(r.span, f"[{law.id}] is a gate: it does not end", "Leave the ending out.")
        y = self.resolver
        scope, _ = y.event_scope(t.Event(law.event, law.binders, r.span), incoming=False)
        guard = y.typer.predicate(r.guard, scope, f"scope of [{law.id}]") if r.guard is not None else None
        where = y.typer.predicate(r.where, scope, f"demand of [{law.id}]") if r.where is not None else None
        y.forbid_policy(guard, r)
        y.forbid_policy(where, r)
        made = self.made(law, r, y.state_set(r.states, r.span) or law.states, guard, t.Ending("stay"), y.actions(r.actions, scope))
        return replace(made, where=conjuncts(where))

    def other_output(self, r: t.Row, law: m.Row) -> m.Row:
        """A whole output row, for the moments at which that of the law is enabled."""
        event = r.event or (t.Event(law.event, (), r.span) if law.event else None)
        given = replace(r, role="output", id=law.id, event=event, states=r.states or tuple(sorted(law.states)), within=None)
        if not given.ending.kind:
            raise complain(r.span, f"what stands instead of [{law.id}] does not say how it ends", "Write `stay` or `=> STATE`.")
        made = self.resolver.emission(given, law.family)
        return replace(made, guard=law.guard + made.guard, editions=law.editions)

    def made(
        self, law: m.Row, r: t.Row, states: frozenset[str], guard: Expr | None, ending: t.Ending, actions: tuple[t.Statement, ...]
    ) -> m.Row:  # fmt: skip
        return replace(
            law, states=states, guard=conjuncts(guard), otherwise=False, ending=ending, actions=actions, citations=r.citations,
            likely=False, where=(), span=r.span,
        )  # fmt: skip
