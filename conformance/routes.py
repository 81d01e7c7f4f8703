"""Ways from one control state to another, read from the table: what to send, or what the peer's user must call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from wirelaw.conformance.binding import MESSAGE
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow
from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Span
from wirelaw.spec.language.expressions import Expr, Unary, names


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge: taken by a segment for `row`, or by one of the user's `calls`."""

    target: str
    row: CompiledRow | None = None
    calls: tuple[str, ...] = ()


def _choices(e: Expr) -> set[str]:
    return names(e, "choice")


class Routes:
    """The control graph of a law as a tester can walk it."""

    def __init__(self, law: CompiledLaw) -> None:
        self.machine = law.machine
        self.region = next(iter(law.machine.regions.values()))
        self._granted: dict[tuple[str, Span, frozenset[str]], bool] = {}
        self._edges: dict[str, list[Hop]] = {s.name: [] for s in self.region.states}
        final = {s.name for s in self.region.states if s.final}
        for r in law.rows:
            for outcome in r.outcomes:
                if outcome.target is not None and r.row.level != "MAY" and not any(_choices(e) for e in r.row.guard):
                    for state in (r.row.states or frozenset(self._edges)) - final:
                        self._add(state, outcome.target.get("") or outcome.target.get(state, ""), r)

        wished = {n for r in law.rows if r.row.role == "input" and r.row.event == MESSAGE for n in self.wishes(r.row)}
        self.telling = frozenset(
            r.event for r in law.machine.rows() if r.event_kind == "call" and wished & {s.name for s in r.actions if s.kind == "assign"}
        )
        """Calls after which inputs may meet other rows."""

    def _add(self, state: str, target: str, r: CompiledRow) -> None:
        if not target or target == state:
            return
        if r.row.role == "input" and r.row.event == MESSAGE:
            self._edges[state].append(Hop(target, r))
        elif r.row.role == "output" and (calls := self.calls_for(r.row, state)):
            self._edges[state].append(Hop(target, None, calls))

    def wishes(self, row: m.Row) -> frozenset[str]:
        """User variables that must be set for `row`."""
        wanted = {n for e in row.guard if not isinstance(e, Unary) for n in names(e, "var")}
        return frozenset(n for n in wanted if self.machine.variables[n].kind == "user")

    def is_granted(self, row: m.Row, called: frozenset[str]) -> bool:
        """Whether users that have made these calls may wish what `row` asks of them."""
        key = (row.id, row.span, called)  # what stands instead of a row has its id
        if key not in self._granted:
            given = {s.name for r in self.machine.rows() if r.event_kind == "call" and r.event in called for s in r.actions}
            asked = (
                {n for n in names(e, "var") if self.machine.variables[n].kind == "user"} for e in row.guard if not isinstance(e, Unary)
            )
            self._granted[key] = all(wishes & given for wishes in asked if wishes)
        return self._granted[key]

    def may_be_refused(self, call: str, states: set[str], called: set[str]) -> bool:
        """Whether `call` may be refused in one of `states` on account of calls made before."""
        refusals = [r for r in self.machine.rows() if r.event == call and r.ending.kind == "refuse" and (not r.states or states & r.states)]
        return any(self.is_granted(r, frozenset(called)) for r in refusals)

    def surely_wishes(self, call: str, row: m.Row, state: str) -> bool:
        """Whether `call` in `state`, where it is not refused, sets something that `row` wishes whatever its arguments."""
        met = [r for r in self.machine.rows() if r.event == call and r.ending.kind != "refuse" and (not r.states or state in r.states)]
        return bool(met) and all(self.wishes(row) & {s.name for s in r.actions if s.kind == "assign"} for r in met)

    def calls_for(self, row: m.Row, state: str) -> tuple[str, ...]:
        """Calls of the user that, in `state`, set something that `row` wishes."""
        wished = self.wishes(row)
        found = []
        for r in self.machine.rows():
            if r.event_kind == "call" and (not r.states or state in r.states) and r.ending.kind != "refuse":
                assigned = {s.name for s in r.actions if s.kind == "assign"}
                if wished & assigned:
                    found.append(r.event)
        return tuple(found)

    def leads_away(self, calls: tuple[str, ...], state: str) -> bool:
        """Whether one of `calls` lets the peer leave `state` by itself."""
        return any(set(calls) & set(hop.calls) for hop in self._edges[state])

    def next_hop(self, state: str, goals: frozenset[str]) -> Hop | None:
        """The first edge of a shortest way from `state` to one of `goals`; None when there is no way, or one is reached."""
        seen, queue = {state}, deque((hop, hop) for hop in self._edges[state])
        if state in goals:
            return None
        while queue:
            first, hop = queue.popleft()
            if hop.target in goals:
                return first
            if hop.target not in seen:
                seen.add(hop.target)
                queue += ((first, after) for after in self._edges[hop.target])
        return None
