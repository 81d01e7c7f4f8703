"""Tables as chains of `if`: every path through the statements of a table leaves its method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, Expr, children, rebuild, walk
from wirelaw.spec.language.families import touches
from wirelaw.tools.generate.compile import NO_LOCALS, Compiler, Known
from wirelaw.tools.generate.dispatch import Leaf, Mixed, Node, Split, rows_in
from wirelaw.tools.generate.rows import STAGE, Exits, RowWriter, note
from wirelaw.tools.generate.sharing import put_locals, shared
from wirelaw.tools.generate.states import among
from wirelaw.tools.generate.wrapping import Lines, branch

Guard = tuple[Expr, ...]


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

    def write(self, node: Node, place: Place, known: frozenset[str] = frozenset(), held: Mapping[str, str] = NO_LOCALS) -> Lines:
        """Statements for `node`, reached in the states `known` (empty: any); `held` are the locals of regions, by name."""
        if isinstance(node, Leaf):
            return self._chain(((row, frozenset()) for row in node.rows), place, known, held)
        region = node.region if isinstance(node, Split) else self.by_id[next(row for row, states in node.rows if states)].region
        st = held.get(region) or f"st{len(held) + 1 if held else ''}"
        lines = [] if region in held else [f"{st} = {self.compiler.region(region)}"]
        held = {**held, region: st}
        if isinstance(node, Mixed):
            return [*lines, *self._chain(node.rows, place, known, held)]
        branches = sorted(node.branches, key=self._urgency)
        for i, (states, below) in enumerate(branches):
            part = self.write(below, place, known | states, held)
            lines += part if i == len(branches) - 1 else branch([self.rows.in_states(st, states)], part)
        return lines

    def _urgency(self, branch: tuple[frozenset[str], Node]) -> tuple[bool, bool, int]:
        """Likely rows first; states about which the table says nothing last."""
        rows = [self.by_id[x] for x in rows_in(branch[1])]
        return not rows, not any(r.likely for r in rows), len(branch[0])

    def _chain(self, choices: Iterable[tuple[str, frozenset[str]]], place: Place, known: frozenset[str], held: Mapping[str, str]) -> Lines:
        """`choices` are rows, each with the states in which it applies (none: all that are `known`)."""
        rows = sorted(((self.by_id[x], states) for x, states in choices), key=lambda r: (r[0].otherwise, not r[0].likely))
        if not rows:
            return self._silence(place)
        guards = list(self._guards(rows, known))
        names = shared([guard for _, _, guard in guards], self.machine)
        lines: Lines = []
        begun: set[str] = set()
        for row, states, guard in guards:
            body = self._body(row, place, states or known)
            if not guard:
                return [*lines, f"# {note(row)}", *body]
            lines += self._begin(names, guard, begun, held)
            lines += branch(self.compiler.condition(tuple(put_locals(c, names) for c in guard), held), body, note(row))
        return [*lines, f'raise IncompleteTableError("{self.machine.name}", "{place.table}", {place.event})']

    def _guards(self, rows: Iterable[tuple[m.Row, frozenset[str]]], known: frozenset[str]) -> Iterator[tuple[m.Row, frozenset[str], Guard]]:
        """What is left to be tested for each row that can be met where those before it did not hold."""
        ruled_out = Known()
        tried: set[str] = set()
        for row, states in rows:
            scope = (among(self.machine, states),) if states and states != known else ()
            here = states or known
            asked = tuple(c for c in row.guard if c.before not in tried)
            tried.add(row.id)
            folded = self.compiler.situated(self.compiler.fold_all(asked), here)
            guard = ruled_out.rest((*scope, *folded))
            if guard is not None and FALSE not in guard:
                yield row, states, guard
                if not guard:
                    return
                ruled_out.fails(guard)

    def _begin(self, names: Mapping[Expr, str], guard: Guard, begun: set[str], held: Mapping[str, str]) -> Lines:
        """Assignments to the local names that `guard` needs first."""
        lines: Lines = []
        for e, name in names.items():
            if name not in begun and any(node == e for c in guard for node in walk(c)):
                begun.add(name)
                inside = rebuild(e, lambda x: put_locals(x, names))
                parts = self._begin({x: n for x, n in names.items() if x != e}, children(e), begun, held)
                lines += [*parts, f"{name} = {self.compiler.text(inside, held)}"]
        return lines

    def _silence(self, place: Place) -> Lines:
        if place.exits is STAGE:
            return [STAGE.go]
        return [f'raise UnmetEventError("{self.machine.name}", {place.event}, {self.rows.state_text()})']

    def _body(self, row: m.Row, place: Place, known: frozenset[str]) -> Lines:
        ending, actions = self.rows.alternative(row)
        region = self.compiler.region(row.region) if row.region else ""
        lines = self.rows.actions(actions, row.id)
        lines += self.rows.ending(row, ending, row.states & known or row.states, region)
        if row.family and touches(actions, ending, row.family, self.machine):
            lines += self.rows.settled(row.family)
        lines += self.rows.record(row, place.event, place.message or "None")
        if ending.kind == "refuse":
            return [*lines, *place.exits.refusal(str(ending.codes[0]))]
        goes = ending.kind == "next" or (ending.kind == "become" and ending.continuation == "next")
        return [*lines, place.exits.go if goes else place.exits.stop]
