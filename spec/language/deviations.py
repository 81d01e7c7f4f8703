"""Deviations: what a peer is known to do against the text, beside the law that it departs from.

A deviation holds alternatives to rows, typed in the machine's own words. A machine is resolved, checked, generated and drawn
without them; a judge asks for them only where the law alone does not explain a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wirelaw.spec.language import model as m


@dataclass(frozen=True, slots=True)
class Alternative:
    """What is done instead of the row `instead` of the law, or beside it where that is empty.

    `row` is typed like any other. In place of an input row or gate its guard is what must hold besides that of the row of the law.
    """

    instead: str
    row: m.Row


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that `peer` does against the text, wherever it shows; `versions` are those it was seen in."""

    peer: str
    name: str
    reason: str
    versions: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Deviations:
    """All that one peer is known to do against the law of `machine`."""

    peer: str
    machine: str
    deviations: tuple[Deviation, ...]

    def rows(self) -> Iterator[m.Row]:
        """The rows of all alternatives."""
        return (a.row for d in self.deviations for a in d.alternatives)
