"""Tables as chains of `if`: every path through the statements of a table leaves its method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import FALSE, Expr, children, rebuild, walk
from wirelaw.spec.language.families import touches
from wirelaw.tools.generate.compile import NO_LOCALS, Compiler, Known, plain
from wirelaw.tools.generate.dispatch import Leaf, Mixed, Node, Split, rows_in
from wirelaw.tools.generate.naming import snake
from wirelaw.tools.generate.rows import STAGE, Exits, RowWriter, note
from wirelaw.tools.generate.sharing import put_locals, shared
from wirelaw.tools.generate.states import among
from wirelaw.tools.generate.wrapping import Lines, branch, indent

ALIKE = 3
"""So many rows that begin with one condition stand under one `if`."""

Guard = tuple[Expr, ...]
Asked = tuple[m.Row, frozenset[str], Guard]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table's statements stand: how they leave, and the Python texts for the event and its message ('' for none)."""

    table: str
    exits: Exits
    event: str
    message: str = ""
    longest: int = 0
    """Rows that do more than so many lines do it in a method of their own; 0: none does."""


@dataclass(frozen=True, slots=True)
class _Here:
    """The place of a chain, the states in which it is reached, and the locals that hold the states of regions."""

    place: Place
    known: frozenset[str]
    held: Mapping[str, str]


class TableWriter:
    """Writes decision trees over the rows `by_id`."""

    def __init__(self, machine: m.Machine, rows: RowWriter, compiler: Compiler, by_id: dict[str, m.Row]) -> None:
        self.machine = machine
        self.rows = rows
        self.compiler = compiler
        self.by_id = by_id
        self.apart: dict[tuple[str, tuple[str, ...]], tuple[str, Lines]] = {}

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
        asked = list(self._asked(rows, known))
        names = shared(list(_needed(asked)), self.machine)
        lines, is_last = self._tests(asked, Known(), names, set(), _Here(place, known, held))
        return lines if is_last else [*lines, f'raise IncompleteTableError("{self.machine.name}", "{place.table}", {place.event})']

    def _asked(self, rows: Iterable[tuple[m.Row, frozenset[str]]], known: frozenset[str]) -> Iterator[Asked]:
        """Each row with the states in which it applies and its folded guard, without what the order of the rows says already."""
        tried: set[str] = set()
        for row, states in rows:
            scope = (among(self.machine, states),) if states and states != known else ()
            asked = tuple(c for c in row.guard if c.before not in tried)
            tried.add(row.id)
            yield row, states, (*scope, *self.compiler.situated(self.compiler.fold_all(asked), states or known))

    def _tests(
        self, asked: list[Asked], ruled_out: Known, names: Mapping[Expr, str], begun: set[str], here: _Here
    ) -> tuple[Lines, bool]:  # fmt: skip
        """One `if` for each row that can be met, several under one where they begin alike; and whether one of them is always met."""
        lines: Lines = []
        while asked:
            row, states, guard = asked[0]
            left = ruled_out.rest(guard)
            if left is None or FALSE in left:
                asked = asked[1:]
                continue
            body = self._apart(row, self._body(row, here.place, states or here.known), here.place)
            if not left:
                return [*lines, f"# {note(row)}", *body], True
            test: Guard = left[:1]
            alike = _alike(asked, ruled_out, test[0])
            if len(left) > 1 and len(alike) >= ALIKE:
                lines += self._begin(names, test, begun, here.held)
                body, is_last = self._tests(alike, ruled_out.where(left[0]), names, set(begun), here)
                if body:  # none where the rest of their guards contradicts what they begin with
                    lines += branch(self._conditions(test, names, here), body)
                failed = [test] if is_last else [g for _, _, g in alike]
            else:
                alike, failed = asked[:1], [left]
                lines += self._begin(names, left, begun, here.held)
                lines += branch(self._conditions(left, names, here), body, note(row))
            for ruled in failed:
                ruled_out.fails(ruled)
            asked = asked[len(alike) :]
        return lines, False

    def _apart(self, row: m.Row, body: Lines, place: Place) -> Lines:
        """`body`, or a call of the method that it becomes where it is long."""
        if not place.longest or len(body) <= place.longest:
            return body
        instances = [n for n in self.rows.names.instances.values() if any(re.search(rf"(?<![\w.]){n}\.", x) for x in body)]
        key = (row.id, tuple(body))
        if key not in self.apart:
            name = f"_row_{snake(row.id)}"
            taken = {method for method, _ in self.apart.values()} | {f"_{table}" for table in self.machine.tables}
            while name in taken:
                name += "_"
            given = "".join(f", {n}: Any" for n in (*instances, place.message))
            head = f"def {name}(self{given}, now: int) -> bool:"
            self.apart[key] = name, [head, *indent([f'"""{note(row)}."""', *body]), ""]
        passed = ", ".join((*instances, place.message, "now"))
        return [f"return self.{self.apart[key][0]}({passed})"]

    def _conditions(self, guard: Guard, names: Mapping[Expr, str], here: _Here) -> Lines:
        return self.compiler.condition(tuple(put_locals(c, names) for c in guard), here.held)

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


def _needed(asked: list[Asked]) -> Iterator[Guard]:
    """What is left to be tested for each row that can be met where those before it did not hold."""
    ruled_out = Known()
    for _, _, guard in asked:
        left = ruled_out.rest(guard)
        if left is not None and FALSE not in left:
            yield left
            if not left:
                return
            ruled_out.fails(guard)


def _alike(asked: list[Asked], ruled_out: Known, condition: Expr) -> list[Asked]:
    """The first rows of `asked` for which `condition` is still to be tested, or which are not met at all."""

    def is_alike(row: Asked) -> bool:
        left = ruled_out.rest(row[2])
        return left is None or plain(condition) in map(plain, left)

    return list(takewhile(is_alike, asked))
