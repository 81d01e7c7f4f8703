"""A resolved machine as a plain graph: states, edges between them, and what each edge is made of.

Every writer (DOT, Mermaid) and every overlay works on this. Parallel transitions are one edge; a row that leads from
many states to one is a *fan*, which a figure states once ("from any state") where drawing it would hide the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Expr, Lit, Member, Name, SetLit, Unary
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.tools.draw.labels import LONGEST_CONDITION, Label, Labeller, done, has_flags
from wirelaw.tools.draw.layout import Layout
from wirelaw.tools.draw.words import asked, conditions, shorten

FAN = 4
"""From so many states on, transitions of one row to one target are a fan."""


@dataclass(frozen=True, slots=True)
class Node:
    """A control state and its marks."""

    name: str
    region: str
    initial: bool
    urgent: bool
    hot: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Transition:
    """One row taking the machine from `source` to `target` (equal if the row stays).

    `kind`: input, timer, user, output, internal, abort. `optional`: one of several endings the row allows. `own`: the row
    is meant for few states of its region. `asks` and `does` say in words what it asks for and does; `message`: what it
    receives, unless that is known by its flags. `refuses`: it turns a call down.
    """

    row: str
    table: str
    source: str
    target: str
    label: Label
    kind: str
    clauses: tuple[str, ...]
    level: str
    optional: bool = False
    own: bool = True
    asks: tuple[str, ...] = ()
    does: str = ""
    role: str = "input"
    message: str = ""
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """All transitions from one state to another, in the order of the law."""

    source: str
    target: str
    transitions: tuple[Transition, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Ids of the rows, each once."""
        return tuple(dict.fromkeys(t.row for t in self.transitions))

    @property
    def captions(self) -> tuple[tuple[str, tuple[Transition, ...]], ...]:
        """Distinct captions and the transitions each stands for; that of a choice is none of its own beside the same without."""
        return tuple((str(ts[0].label), ts) for ts in merged(self.transitions))

    @property
    def kind(self) -> str:
        """The kind of all transitions, or `mixed`; what a law merely allows does not count beside what it demands."""
        kinds = {t.kind for t in self.transitions if not t.label.choice} or {t.kind for t in self.transitions}
        return kinds.pop() if len(kinds) == 1 else "mixed"


@dataclass(frozen=True, slots=True)
class Fan:
    """Transitions from many states to one; `name` says which states in words."""

    name: str
    sources: tuple[str, ...]
    edge: Edge


@dataclass(frozen=True, slots=True)
class Region:
    """The states of one region; `family` and `key` are set where it is instantiated by key."""

    name: str
    family: str
    key: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A machine, ready to be drawn. `staying` holds the transitions that change no state; `stages` what each input passes."""

    name: str
    doc: str
    regions: tuple[Region, ...]
    edges: tuple[Edge, ...]
    fans: tuple[Fan, ...]
    staying: tuple[Transition, ...]
    groups: Mapping[str, frozenset[str]]
    timers: tuple[m.Timer, ...]
    stages: Mapping[str, str]

    @property
    def nodes(self) -> dict[str, Node]:
        """All states by name."""
        return {n.name: n for r in self.regions for n in r.nodes}

    @property
    def moves(self) -> Iterator[Transition]:
        """All transitions that change a state, those of fans too."""
        for edge in (*self.edges, *(f.edge for f in self.fans)):
            yield from edge.transitions

    def words_for(self, sources: tuple[str, ...], target: str) -> str:
        """Words for a set of states: a group of the law, or "any state", or the states themselves."""
        region = next(r for r in self.regions if any(n.name == sources[0] for n in r.nodes))
        missing = [n.name for n in region.nodes if n.name not in sources and n.name != target]
        if not missing:
            return "any state"
        for name, members in self.groups.items():
            if members == set(sources):
                return name
        if len(missing) <= 2 < len(sources):
            return "any state but " + ", ".join(missing)
        return ", ".join(sources)


def build(machine: m.Machine, *, fan: int = FAN, layout: Layout | None = None) -> Graph:
    """The graph of `machine`; rows that lead from `fan` or more states to one become fans (0: none do).

    `layout` may list targets whose every transition becomes (part of) a fan, and says how captions are written.
    """
    layout = layout or Layout()
    found = _told_apart(machine, layout, list(transitions(machine, layout)))
    moves = [t for t in found if t.source != t.target]
    groups: dict[tuple[str, str], list[Transition]] = {}
    for t in moves:
        # Aborts of all rows are one fan: whatever goes wrong, wherever, the connection ends there.
        groups.setdefault(("abort" if t.kind == "abort" else t.row, t.target), []).append(t)
    fans: dict[tuple[tuple[str, ...], str], list[Transition]] = {}
    edges: dict[tuple[str, str], list[Transition]] = {}
    for (_, target), ts in groups.items():
        fanned, drawn = ts, []
        if not fan or len({t.source for t in ts}) < fan:
            spared = layout.listed.get(target)
            drawn = [t for t in ts if spared is None or t.source in spared]
            fanned = [t for t in ts if t not in drawn]
        if fanned:
            sources = {t.source for t in fanned}
            fans.setdefault((tuple(s for s in machine.states if s in sources), target), []).extend(fanned)
        for t in drawn:
            edges.setdefault((t.source, t.target), []).append(t)
    rank = {name: i for i, name in enumerate(machine.states)}
    graph = Graph(
        machine.name,
        machine.doc,
        tuple(_region(machine, r) for r in machine.regions.values()),
        tuple(Edge(*k, tuple(ts)) for k, ts in sorted(edges.items(), key=lambda e: (rank[e[0][0]], rank[e[0][1]]))),
        (),
        tuple(t for t in found if t.source == t.target),
        machine.groups,
        tuple(machine.timers.values()),
        {table: pipeline.message for pipeline in machine.inputs.values() for table in pipeline.tables},
    )
    return replace(graph, fans=tuple(Fan(graph.words_for(*k), k[0], Edge("", k[1], tuple(ts))) for k, ts in fans.items()))


def merged(ts: Iterable[Transition]) -> Iterator[tuple[Transition, ...]]:
    """`ts` in groups of one caption each, in the order of their first; what is no choice comes first in a group."""
    found: dict[Label, list[Transition]] = {}
    for t in ts:
        found.setdefault(replace(t.label, choice=False, fixed=False), []).append(t)
    for group in found.values():
        yield tuple(sorted(group, key=lambda t: t.label.choice))


def transitions(machine: m.Machine, layout: Layout | None = None) -> Iterator[Transition]:
    """Every row (gates aside) in every state it may be taken in, once per alternative ending."""
    labeller = Labeller(machine, layout)
    for row in machine.rows():
        if row.role == "gate":
            continue
        endings = list(_endings(row.ending))
        asks = asked(row, labeller.binders(row))
        kind_of = machine.messages[row.event] if row.event_kind == "message" and row.role == "input" else None
        message = labeller.name(row.event) if kind_of is not None and not has_flags(kind_of) else ""
        for ending, actions in endings:
            label = labeller.label(row, ending, actions)
            kind = "abort" if ending.kind == "abort" else labeller.kind(row)
            for source, target in _moves(machine, row, ending):
                yield Transition(
                    row.id, row.table, source, target, label, kind, row.clauses, row.level, len(endings) > 1, _is_own(machine, row),
                    asks, done(labeller, row, ending, actions), row.role, message, ending.kind == "refuse",
                )  # fmt: skip


def _is_own(machine: m.Machine, row: m.Row) -> bool:
    return bool(row.states) and 2 * len(row.states) <= len(machine.regions[row.region].states)


def _endings(ending: Ending) -> Iterator[tuple[Ending, tuple[Statement, ...]]]:
    if ending.kind != "either":
        yield ending, ()
        return
    for alternative, actions in ending.alternatives:
        for inner, more in _endings(alternative):
            yield inner, (*actions, *more)


def _moves(machine: m.Machine, row: m.Row, ending: Ending) -> Iterator[tuple[str, str]]:
    """(source, target) pairs of a row; equal ones where it stays."""
    target: dict[str, str] = {}
    if ending.kind == "become" and isinstance(ending.target, dict):
        target = ending.target
    elif ending.kind == "abort" and machine.abort is not None:
        target = machine.abort.target
    if not target:
        home = machine.regions[row.region].name if row.region else _home(machine, row)
        for state in _sources(machine, row, home):
            yield state, state
        return
    for key, to in target.items():
        sources = _sources(machine, row, machine.states[to].region)
        for state in sources:
            if key in ("", state):
                yield state, to


def _home(machine: m.Machine, row: m.Row) -> str:
    """The region in which a row that names no state is shown: its family's first, or the machine's first."""
    for region in machine.regions.values():
        if region.family == row.family:
            return region.name
    return next(iter(machine.regions))


def _sources(machine: m.Machine, row: m.Row, region: str) -> list[str]:
    """States of `region` in which `row` may be taken: its own, or those its guard's tests of the region leave."""
    if row.states and row.region == region:
        return [s for s in machine.states if s in row.states]
    return [s.name for s in machine.regions[region].states if all(_may_hold(c, region, s.name) for c in row.guard)]


def _may_hold(e: Expr, region: str, state: str) -> bool:
    return _truth(e, region, state) is not False


def _truth(e: Expr, region: str, state: str) -> bool | None:
    """The value of a condition knowing only that `region` is in `state`; None if that does not decide it."""
    match e:
        case Unary(op="not", x=x):
            inner = _truth(x, region, state)
            return None if inner is None else not inner
        case Binary(op="and" | "or" as op, a=a, b=b):
            sides = {_truth(a, region, state), _truth(b, region, state)}
            decisive = op == "or"
            return decisive if decisive in sides else (None if None in sides else not decisive)
        case Binary(op="==" | "!=" as op, a=Name(kind="region", name=name), b=Lit(value=value)) if name == region:
            return (value == state) == (op == "==")
        case Member(x=Name(kind="region", name=name), set=SetLit(items=items)) if name == region:
            return any(isinstance(i, Lit) and i.value == state for i in items)
    return None


def _region(machine: m.Machine, region: m.Region) -> Region:
    initial = {s.name for s in region.initial}
    nodes = tuple(Node(s.name, s.region, s.name in initial, s.urgent, s.hot, s.final) for s in region.states)
    family = machine.families.get(region.family)
    return Region(region.name, region.family, family.key if family else "", nodes)


def _told_apart(machine: m.Machine, layout: Layout, found: list[Transition]) -> list[Transition]:
    """Transitions with a condition added where one trigger, or one message of ours, leads from one state to several others."""
    groups: dict[tuple[str, str, bool], list[Transition]] = {}
    for t in found:
        if t.source != t.target and (t.label.trigger or t.label.effect) and t.kind != "abort":
            groups.setdefault((t.source, t.label.trigger or t.label.effect, t.label.choice), []).append(t)
    made: dict[Transition, Transition] = {}
    labeller = Labeller(machine, layout)
    for same in groups.values():
        if len({t.target for t in same}) == 1:
            continue
        rows = {t.row: machine.row(t.row) for t in same}
        guards = {name: dict(conditions(row, labeller.binders(row))) for name, row in rows.items()}
        for t in same:
            common = set.intersection(*(set(g) for g in guards.values()))
            own = next((c for c in guards[t.row] if c not in common), "")
            if own and not t.label.fixed:
                made[t] = replace(t, label=replace(t.label, condition=shorten(own, LONGEST_CONDITION)))
    return [made.get(t, t) for t in found]
