"""Which rows of a table apply where: a small decision tree over control states, equal branches merged.

Rows that a set of states share are thereby emitted once per distinct set, not once per state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wirelaw.spec.language import model as m


@dataclass(frozen=True, slots=True)
class Leaf:
    """The rows to choose from by their guards; none when the table says nothing here."""

    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """One branch for each group of states of `region`."""

    region: str
    branches: tuple[tuple[frozenset[str], Node], ...]


@dataclass(frozen=True, slots=True)
class Mixed:
    """Rows of several groups of states that have most in common: each with the states in which it applies, none for all."""

    rows: tuple[tuple[str, frozenset[str]], ...]


Node = Leaf | Split | Mixed
Choose = Callable[[list[m.Row]], tuple[str, ...]]


def decide(machine: m.Machine, rows: list[m.Row], choose: Choose) -> Node:
    """The tree for `rows`; `choose` picks among those whose states hold (the most specific event level)."""
    named = {r.region for r in rows if r.region}
    return _split(machine, [name for name in machine.regions if name in named], rows, choose)


def _split(machine: m.Machine, regions: list[str], rows: list[m.Row], choose: Choose) -> Node:
    if not regions:
        return Leaf(choose(rows))
    region, *rest = regions
    groups: list[tuple[set[str], Node]] = []
    for state in machine.regions[region].states:
        here = [r for r in rows if r.region != region or state.name in r.states]
        node = _split(machine, rest, here, choose)
        for states, other in groups:
            if other == node:
                states.add(state.name)
                break
        else:
            groups.append(({state.name}, node))
    if len(groups) == 1:
        return groups[0][1]
    return Split(region, tuple((frozenset(states), node) for states, node in groups))


def by_level(lineage: tuple[str, ...]) -> Choose:
    """Rows of the most specific event of `lineage` that has one."""

    def choose(rows: list[m.Row]) -> tuple[str, ...]:
        for level in lineage:
            found = tuple(r.id for r in rows if r.event == level)
            if found:
                return found
        return ()

    return choose


def rows_in(node: Node) -> tuple[str, ...]:
    """All rows below `node`."""
    if isinstance(node, Leaf):
        return node.rows
    if isinstance(node, Mixed):
        return tuple(row for row, _ in node.rows)
    return tuple(row for _, below in node.branches for row in rows_in(below))


def is_silent(node: Node) -> bool:
    """True when somewhere below no row applies."""
    if isinstance(node, Split):
        return any(is_silent(below) for _, below in node.branches)
    return not node.rows


def share(node: Node, order: tuple[str, ...]) -> Node:
    """`node` with groups of states that have more than half of their rows in common drawn together.

    `order` is the order of the rows in the table.
    """
    if not isinstance(node, Split):
        return node
    clusters: list[list[tuple[frozenset[str], Leaf]]] = []
    others: list[tuple[frozenset[str], Node]] = []
    for states, below in sorted(node.branches, key=lambda b: -len(rows_in(b[1]))):
        if not isinstance(below, Leaf) or not below.rows:
            others.append((states, share(below, order)))
            continue
        for cluster in clusters:
            held = {row for _, leaf in cluster for row in leaf.rows}
            if len(held & set(below.rows)) * 2 > len(below.rows):
                cluster.append((states, below))
                break
        else:
            clusters.append([(states, below)])
    merged = tuple((frozenset[str]().union(*(s for s, _ in c)), _mix(c, order)) for c in clusters)
    if len(merged) == 1 and not others:
        return merged[0][1]
    return Split(node.region, (*merged, *others))


def _mix(cluster: list[tuple[frozenset[str], Leaf]], order: tuple[str, ...]) -> Node:
    if len(cluster) == 1:
        return cluster[0][1]
    everywhere = frozenset[str]().union(*(s for s, _ in cluster))
    found = []
    for row in order:
        states = frozenset[str]().union(*(s for s, leaf in cluster if row in leaf.rows))
        if states:
            found.append((row, frozenset[str]() if states == everywhere else states))
    return Mixed(tuple(found))
