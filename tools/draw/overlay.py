"""What is laid over a figure: how often rows were taken, or the course of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.model import Machine
from wirelaw.tools.draw.graph import Graph, Transition

Coverage = Mapping[tuple[str, str], int]
"""How often a row was taken in a state, by (row, state); the state is '' where only the row is known."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of times; not `exact` where it may hold those of other edges too."""

    number: int
    exact: bool

    def __str__(self) -> str:
        return f"×{self.number}" if self.exact else f"×≤{self.number}"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Counts per (row, state) (None: no coverage asked for) and the numbers of a trace's steps per (row, source, target).

    `shared` holds rows that lead from several states, or to several: a count of the row alone is no count of one edge.
    """

    counts: Coverage | None = None
    steps: Mapping[tuple[str, str, str], tuple[int, ...]] | None = None
    most: int = 0
    visited: frozenset[str] = field(default_factory=frozenset)
    shared: frozenset[str] = field(default_factory=frozenset)

    @property
    def exact(self) -> bool:
        """Whether every count is that of one state."""
        return all(state for _, state in self.counts or ())

    def count(self, transitions: Iterable[Transition]) -> Count:
        """How often one of `transitions` was taken; each row counted once a state."""
        counts = self.counts or {}
        keys = dict.fromkeys((t.row, t.source) for t in transitions)
        known = sum(counts.get(key, 0) for key in keys)
        loose = {row: counts.get((row, ""), 0) for row, _ in keys}
        exact = not any(n for row, n in loose.items() if row in self.shared)
        return Count(known + sum(loose.values()), exact)

    def numbers(self, transitions: Iterable[Transition]) -> tuple[int, ...]:
        """Numbers of the steps that took one of `transitions`, rising."""
        found = {n for t in transitions for n in (self.steps or {}).get((t.row, t.source, t.target), ())}
        return tuple(sorted(found))


def overlay(machine: Machine, graph: Graph, coverage: Coverage | None, trace: Sequence[str] | None) -> Overlay:
    """The overlay for `graph`. Raises UserError for rows that the machine does not have, and if both are asked for."""
    if coverage is not None and trace is not None:
        raise UserError("coverage and trace cannot be drawn in one picture; ask for one of them")
    known = {row.id for row in machine.rows()}
    unknown = [row for row in (trace if trace is not None else [row for row, _ in coverage or ()]) if row not in known]
    if unknown:
        source = "trace" if trace is not None else "coverage"
        raise UserError(f"the {source} names row [{unknown[0]}], which machine {machine.name} does not have; was it made from another law?")
    if coverage is not None:
        sources = Counter(row for row, _ in {(t.row, (t.source, t.target)) for t in (*graph.moves, *graph.staying)})
        bare = Overlay(counts=dict(coverage), shared=frozenset(row for row, n in sources.items() if n > 1))
        edges = (*graph.edges, *(f.edge for f in graph.fans))
        most = max((bare.count(e.transitions).number for e in edges), default=0)
        return Overlay(counts=bare.counts, shared=bare.shared, most=most)
    if trace is not None:
        return _walk(machine, graph, trace)
    return Overlay()


def _walk(machine: Machine, graph: Graph, trace: Sequence[str]) -> Overlay:
    """Follow a run from the initial states. A row that the current state does not have is taken where it does lead on.

    Runs begin where their observer began to look, so the first row of a region may start in any state.
    """
    moves: dict[str, list[Transition]] = {}
    for t in graph.moves:
        moves.setdefault(t.row, []).append(t)
    now = {r.name: r.initial[0].name for r in machine.regions.values()}
    steps: dict[tuple[str, str, str], tuple[int, ...]] = {}
    visited: set[str] = set()
    number = 0
    for row in trace:
        options = moves.get(row, [])
        if not options:
            continue
        here = [t for t in options if now[machine.states[t.source].region] == t.source]
        step = (here or options)[0]
        number += 1
        key = (step.row, step.source, step.target)
        steps[key] = (*steps.get(key, ()), number)
        now[machine.states[step.target].region] = step.target
        visited |= {step.source, step.target}
    return Overlay(steps=steps, visited=frozenset(visited))
