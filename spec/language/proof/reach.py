"""Where a condition may hold: states of one region, found by following the steps of the machine from its start."""

from __future__ import annotations

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, Expr, Lit, negate, text
from wirelaw.spec.language.proof.effects import Way, in_states, keys, put, starts
from wirelaw.spec.language.proof.subject import Subject


def where_possible(subject: Subject, claim: Expr, region: str) -> frozenset[str]:
    """The states of `region` in which `claim` may hold; none but these, since each step was asked whether it leads out of them."""
    machine, found = subject.machine, set[str]()
    for start in starts(machine):
        begun = start[region]
        assert isinstance(begun, Lit)
        if put(claim, start) != FALSE and subject.possible([put(claim, start)], f"may `{text(claim)}` hold at the start"):
            found.add(str(begun.value))
    touching = [
        w for w in subject.ways if put(claim, w.path.after) != FALSE and (region in w.path.after or keys(claim) & set(w.path.after))
    ]
    while more := {t for w in touching for t in _reached(subject, w, claim, region, found)}:
        found |= more
    return frozenset(found)


def _reached(subject: Subject, way: Way, claim: Expr, region: str, found: set[str]) -> set[str]:
    """States not in `found` in which `claim` may hold after `way`."""
    machine, path = subject.machine, way.path
    moves = path.target and machine.states[path.target].region == region
    reached: set[str] = set()
    for before in _sources(way, machine.regions[region]):
        target = path.target if moves else before
        if target in found or target in reached or (before not in found and keys(claim).isdisjoint(path.after)):
            continue
        asked = [*in_states(region, (before,), machine), *way.when, *way.sent, put(claim, path.after)]
        asked += [] if before in found else [negate(claim)]
        if subject.possible(asked, f"may `{text(claim)}` hold in {target}"):
            reached.add(target)
    return reached


def _sources(way: Way, region: m.Region) -> list[str]:
    row = way.row
    return [s.name for s in region.states if row is None or row.region != region.name or not row.states or s.name in row.states]
