"""Tables as chains of `if`: every path through the statements of a table leaves its method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, Expr, Name
from wirelaw.spec.language.types import BOOL
from wirelaw.tools.generate.compile import Compiler, Known
from wirelaw.tools.generate.dispatch import Leaf, Mixed, Node, rows_in
from wirelaw.tools.generate.layout import Lines, branch
from wirelaw.tools.generate.naming import attribute
from wirelaw.tools.generate.rows import STAGE, Exits, RowWriter, note


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table's statements stand: how they leave, and the Python texts for the event and its message ('' for none)."""

    table: str
    exits: Exits
    event: str
    message: str = ""


class TableWriter:
    """Writes decision trees over the rows `by_id`."""

    def __init__(self, machine: m.Machine, rows: RowWriter, compiler: Compiler, by_id: dict[str, m.Row]) -> None:
        self.machine = machine
        self.rows = rows
        self.compiler = compiler
        self.by_id = by_id

    def write(self, node: Node, place: Place, depth: int = 0, known: frozenset[str] = frozenset()) -> Lines:
        """Statements for `node`, reached in the states `known` (empty: any)."""
        if isinstance(node, Leaf):
            return self._chain(((row, frozenset()) for row in node.rows), place, "", known)
        st = "st" if depth == 0 else f"st{depth + 1}"
        if isinstance(node, Mixed):
            if depth:
                return self._chain(node.rows, place, "st" if depth == 1 else f"st{depth}", known)
            region = self.by_id[next(row for row, states in node.rows if states)].region
            return [f"{st} = {self.compiler.region(region)}", *self._chain(node.rows, place, st, known)]
        lines = [f"{st} = {self.compiler.region(node.region)}"]
        branches = sorted(node.branches, key=self._urgency)
        for i, (states, below) in enumerate(branches):
            part = self.write(below, place, depth + 1, known | states)
            lines += part if i == len(branches) - 1 else branch([self.rows.in_states(st, states)], part)
        return lines

    def _urgency(self, branch: tuple[frozenset[str], Node]) -> tuple[bool, bool, int]:
        """Likely rows first; states about which the table says nothing last."""
        rows = [self.by_id[x] for x in rows_in(branch[1])]
        return not rows, not any(r.likely for r in rows), len(branch[0])

    def _chain(self, choices: Iterable[tuple[str, frozenset[str]]], place: Place, st: str, known: frozenset[str]) -> Lines:
        rows = sorted(((self.by_id[x], states) for x, states in choices), key=lambda r: (r[0].otherwise, not r[0].likely))
        if not rows:
            return self._silence(place)
        lines: Lines = []
        ruled_out = Known()
        for row, states in rows:
            scope = (Name(self.rows.in_states(st, states), "raw", type=BOOL),) if states else ()
            guard: tuple[Expr, ...] | None = ruled_out.rest((*scope, *self.compiler.fold_all(row.guard)))
            if guard is None or FALSE in guard:
                continue
            body = self._body(row, place, states or known)
            if not guard:
                return [*lines, f"# {note(row)}", *body]
            lines += branch([_grouped(c) for c in self.compiler.condition(guard)], body, note(row), 3)
            ruled_out.fails(guard)
        return [*lines, f'raise IncompleteTableError("{self.machine.name}", "{place.table}", {place.event})']

    def _silence(self, place: Place) -> Lines:
        if place.exits is STAGE:
            return [STAGE.go]
        state = f"self.{attribute(next(iter(self.machine.regions)))}"
        return [f'raise UnmetEventError("{self.machine.name}", {place.event}, {state})']

    def _body(self, row: m.Row, place: Place, known: frozenset[str]) -> Lines:
        ending, actions = self.rows.alternative(row)
        region = self.compiler.region(row.region) if row.region else ""
        lines = self.rows.actions(actions, row.id)
        lines += self.rows.ending(row, ending, row.states & known or row.states, region)
        lines += self.rows.record(row, place.event, place.message or "None")
        if ending.kind == "refuse":
            return [*lines, *place.exits.refusal(str(ending.codes[0]))]
        goes = ending.kind == "next" or (ending.kind == "become" and ending.continuation == "next")
        return [*lines, place.exits.go if goes else place.exits.stop]


def _grouped(condition: str) -> str:
    return f"({condition})" if condition.count(" == ") > 1 and " or " in condition and not condition.startswith("(") else condition
