"""Conditions over small domains: terms that exist once each, and the search for values under which all of them hold.

A search that only enumerates values looks at one assignment after another. This one puts a value in, simplifies what is left,
and draws the consequences before it guesses again: a condition on one cell narrows that cell's domain, conditions without a
cell in common are solved apart, and a set of conditions that was refuted once is not tried again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Domains = Mapping[int, tuple[Any, ...]]  # cell: the values that it may still have


class Exhausted(Exception):  # noqa: N818 - it is an answer, not a fault
    """The budget of a search ran out."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One node. `mask` has a bit for each cell in it; `value` counts where there is none; `function` is that of `apply`."""

    kind: str  # known, cell, and, or, not, select, apply
    function: Callable[..., Any] | None
    parts: tuple[Term, ...]
    mask: int
    value: Any = None


class Terms:
    """Makes terms, simplified; equal ones are the same object."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Term] = {}
        self._put: dict[tuple[Term, int, Any], Term] = {}
        self.true, self.false = self.known(True), self.known(False)

    def known(self, value: Any) -> Term:
        """A value."""
        return self._term("known", None, (), 0, bool(value) if isinstance(value, bool) else value)

    def cell(self, number: int) -> Term:
        """The unknown of that number."""
        return self._term("cell", None, (), 1 << number)

    def every(self, parts: Iterable[Term]) -> Term:
        """The conjunction."""
        return self._joined("and", parts, self.true, self.false)

    def some(self, parts: Iterable[Term]) -> Term:
        """The disjunction."""
        return self._joined("or", parts, self.false, self.true)

    def negation(self, term: Term) -> Term:
        """What holds when `term` does not, with `not` moved inwards."""
        match term.kind:
            case "known":
                return self.false if term.value else self.true
            case "not":
                return term.parts[0]
            case "and":
                return self.some(map(self.negation, term.parts))
            case "or":
                return self.every(map(self.negation, term.parts))
        return self._term("not", None, (term,), term.mask)

    def select(self, test: Term, yes: Term, no: Term) -> Term:
        """`yes` where `test` holds, else `no`."""
        if test.kind == "known":
            return yes if test.value else no
        return yes if yes is no else self._term("select", None, (test, yes, no), test.mask | yes.mask | no.mask)

    def apply(self, function: Callable[..., Any], parts: Iterable[Term]) -> Term:
        """`function` of the values of `parts`."""
        parts = tuple(parts)
        mask = 0
        for part in parts:
            mask |= part.mask
        if not mask and all(part.kind == "known" for part in parts):
            return self.known(function(*(part.value for part in parts)))
        return self._term("apply", function, parts, mask)

    def put(self, term: Term, bit: int, value: Any) -> Term:
        """`term` with `value` for the cell of that bit."""
        if not term.mask & bit:
            return term
        key = (term, bit, value)
        made = self._put.get(key)
        if made is None:
            made = self._put[key] = self._placed(term, bit, value)
        return made

    def _placed(self, term: Term, bit: int, value: Any) -> Term:
        parts = [self.put(part, bit, value) for part in term.parts]
        match term.kind:
            case "cell":
                return self.known(value)
            case "and":
                return self.every(parts)
            case "or":
                return self.some(parts)
            case "not":
                return self.negation(parts[0])
            case "select":
                return self.select(*parts)
        assert term.function is not None
        return self.apply(term.function, parts)

    def _joined(self, kind: str, parts: Iterable[Term], neutral: Term, final: Term) -> Term:
        """A conjunction or disjunction: `neutral` parts do not matter, one that is `final` decides."""
        found: dict[Term, None] = {}
        for part in parts:
            for p in part.parts if part.kind == kind else (part,):
                if p.kind == "known":
                    if bool(p.value) == final.value:
                        return final
                    continue
                found[p] = None
        if any(p.kind == "not" and p.parts[0] in found for p in found):
            return final
        if len(found) < 2:
            return next(iter(found), neutral)
        mask = 0
        for p in found:
            mask |= p.mask
        return self._term(kind, None, tuple(found), mask)

    def _term(self, kind: str, function: Callable[..., Any] | None, parts: tuple[Term, ...], mask: int, value: Any = None) -> Term:
        key = (kind, function, parts, mask, type(value), value)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = Term(kind, function, parts, mask, value)
        return made


class Search:
    """Finds values for cells. `alike` are the cells whose numbers are names only: one that no cell has is as good as another."""

    def __init__(self, terms: Terms, alike: frozenset[int], budget: int) -> None:
        self.terms, self.alike, self.budget = terms, alike, budget
        self._refuted: set[tuple[frozenset[Term], tuple[Any, ...]]] = set()

    def solve(self, conditions: Iterable[Term], domains: Domains) -> Domains | None:
        """Domains in which the first value of each cell is part of a solution; None when there is none. Raises Exhausted."""
        narrowed = self._narrow(conditions, domains)
        if narrowed is None:
            return None
        left, domains = narrowed
        for part in sorted(_apart(left), key=len):
            solved = self._branch(part, domains)
            if solved is None:
                return None
            domains = solved
        return domains

    def _narrow(self, conditions: Iterable[Term], domains: Domains) -> tuple[list[Term], Domains] | None:
        """Conditions on a single cell become part of its domain, and a cell with one value left becomes known."""
        narrowed = dict(domains)
        waiting = list(conditions)
        kept: dict[Term, None] = {}
        while waiting:
            c = waiting.pop()
            if c.kind == "known":
                if not c.value:
                    return None
            elif c.kind == "and":
                waiting += c.parts
            elif c.mask & (c.mask - 1):
                kept[c] = None
            else:
                cell = c.mask.bit_length() - 1
                self._spend(1)
                values = tuple([v for v in narrowed[cell] if self.terms.put(c, c.mask, v).value])
                if not values:
                    return None
                narrowed[cell] = values
                if len(values) == 1:
                    touched = [k for k in kept if k.mask & c.mask]
                    for k in touched:
                        del kept[k]
                    waiting = [self.terms.put(x, c.mask, values[0]) for x in (*waiting, *touched)]
        return list(kept), narrowed

    def _branch(self, conditions: list[Term], domains: Domains) -> Domains | None:
        """Try the values of one cell."""
        mask = 0
        for c in conditions:
            mask |= c.mask
        key = (frozenset(conditions), tuple([domains[i] for i in _bits(mask)]))
        if key in self._refuted:
            return None
        cell = self._next(conditions, domains)
        bit = 1 << cell
        for value in self._values(cell, domains):
            self._spend(len(conditions))
            left = [self.terms.put(c, bit, value) for c in conditions]
            if self.terms.false in left:
                continue
            solved = self.solve(left, {**domains, cell: (value,)})
            if solved is not None:
                return solved
        self._refuted.add(key)
        return None

    def _next(self, conditions: list[Term], domains: Domains) -> int:
        """The cell to guess: in the condition with the fewest cases, the one with the fewest values."""
        tightest = min(conditions, key=lambda c: math.prod(len(domains[i]) for i in _bits(c.mask)))
        return min(_bits(tightest.mask), key=lambda i: (len(domains[i]), -sum(c.mask >> i & 1 for c in conditions)))

    def _values(self, cell: int, domains: Domains) -> Iterator[Any]:
        if cell not in self.alike:
            yield from domains[cell]
            return
        taken = {d[0] for i, d in domains.items() if i in self.alike and len(d) == 1}
        fresh = False
        for value in domains[cell]:
            unknown = isinstance(value, int) and value not in taken
            if not (unknown and fresh):
                yield value
            fresh |= unknown

    def _spend(self, amount: int) -> None:
        self.budget -= amount
        if self.budget < 0:
            raise Exhausted


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _apart(conditions: list[Term]) -> list[list[Term]]:
    """Groups of conditions that share no cell, directly or by way of others."""
    groups: list[tuple[int, list[Term]]] = []
    for c in conditions:
        mask, together = c.mask, [c]
        others = []
        for other, members in groups:
            if other & mask:
                mask |= other
                together = members + together
            else:
                others.append((other, members))
        groups = [*others, (mask, together)]
    return [members for _, members in groups]
