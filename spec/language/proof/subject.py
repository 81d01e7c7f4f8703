"""What every check works on: one machine, the solver, the source lines, the invariants that hold."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language.clauses import Catalogues
from wirelaw.spec.language.diagnostics import Diagnostic, Span
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, disjoin, negate, rebuild, text, walk
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.effects import Way, as_claims, in_states, owed, rename, ways
from wirelaw.spec.language.proof.solver import Solver, Undecided, Witness, cells
from wirelaw.spec.language.sugar import at_edition
from wirelaw.spec.language.types import BOOL

SHOWN_STATES = 4


@functools.lru_cache(maxsize=64)
def source_lines(file: str) -> tuple[str, ...]:
    """The lines of a law file; none when it cannot be read (law from memory)."""
    try:
        return tuple(Path(file).read_text("utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def numbered(*spans: Span) -> str:
    """The lines at `spans`, each with its number; with its file too where they stand in several."""
    several = len({s.file for s in spans}) > 1
    shown = []
    for s in spans:
        lines = source_lines(s.file)
        if 0 < s.line <= len(lines):
            where = f"{s.file}:{s.line}" if several else f"{s.line}"
            shown.append(f"    {where} | {lines[s.line - 1].rstrip()}")
    return "\n".join(dict.fromkeys(shown))


def finding(span: Span, message: str, advice: str, *, rows: Sequence[Span] = (), where: str = "", severity: str = "error") -> Diagnostic:
    """A diagnostic at `span`: the circumstances in `where`, then the lines of `rows` (default: that of `span`)."""
    lines = numbered(*(rows or (span,)))
    source = "\n".join(part for part in (f"    {where}" if where else "", lines) if part)
    return Diagnostic(span.file, span.line, span.column, message, advice, source, severity)


def listed(states: Sequence[str]) -> str:
    """State names for a message, shortened."""
    if len(states) <= SHOWN_STATES:
        return ", ".join(states)
    return ", ".join(states[:SHOWN_STATES]) + f" and {len(states) - SHOWN_STATES} more"


@dataclass(frozen=True, slots=True)
class Level:
    """The rows that compete for one event in one table while the regions they name are in `places`."""

    table: m.Table
    event: str
    rows: tuple[m.Row, ...]
    places: tuple[tuple[str, tuple[str, ...]], ...]

    def text(self) -> str:
        """The states concerned, such as `ESTABLISHED, CLOSE_WAIT`."""
        return "; ".join(listed(states) for _, states in self.places) or "any state"


@dataclass(slots=True)
class Subject:
    """One machine under check. `proved` are conditions to lean on; `undecided` fills up with what no solver settled."""

    machine: m.Machine
    profiles: tuple[Profile, ...]
    catalogues: Catalogues | None
    solver: Solver
    proved: list[Expr] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    _cells: dict[int, tuple[Expr, frozenset[Expr]]] = field(default_factory=dict)  # of conditions, by identity
    _declared: dict[int, tuple[Expr, Expr]] = field(default_factory=dict)
    _ways: list[Way] = field(default_factory=list)

    @property
    def ways(self) -> list[Way]:
        """Every step of the machine."""
        if not self._ways:
            self._ways = list(ways(self.machine))
        return self._ways

    def possible(self, conjuncts: Sequence[Expr], question: str) -> bool:
        """Whether `conjuncts` can hold; an undecided question counts as yes."""
        before = len(self.undecided)
        return self.witness(conjuncts, question, shown=()) is not None or len(self.undecided) > before

    def witness(self, conjuncts: Sequence[Expr], question: str, shown: Sequence[Expr] | None = None) -> Witness | None:
        """How `conjuncts` can hold under the proved invariants, or None. An undecided question is kept, and None."""
        conjuncts = [self.declared(c) for c in conjuncts]
        conjuncts += _owed_where_due(conjuncts)
        helpful = self.relevant(conjuncts)
        helpful += _bounds(c for e in (*conjuncts, *helpful) for c in self.cells_of(e))
        try:
            return self.solver.satisfiable([*conjuncts, *helpful], self.machine, shown if shown is not None else conjuncts)
        except Undecided as reason:
            self.undecided.append(f"{self.machine.name}: {question}: {reason}")
            return None

    def declared(self, e: Expr) -> Expr:
        """`e` with each field at its declared width: one field is one unknown, however it was compared."""
        held = self._declared.get(id(e))
        if held is None:
            held = self._declared[id(e)] = (e, self._widened(e) if isinstance(e, Field) else rebuild(e, self.declared))
        return held[1]

    def _widened(self, e: Field) -> Expr:
        if e.type.kind != "uint" or e.base.type.kind != "message":
            return e
        width = self.machine.messages[e.base.type.name].fields[e.name].type
        return e if e.type == width else replace(e, type=width)

    def relevant(self, conjuncts: Sequence[Expr]) -> list[Expr]:
        """Proved invariants that speak, directly or by way of others, of what `conjuncts` speak of."""
        known, waiting = {c for e in conjuncts for c in self.cells_of(e)}, list(self.proved)
        found: list[Expr] = []
        while True:
            near: list[Expr] = []
            far: list[Expr] = []
            for e in waiting:
                (far if known.isdisjoint(self.cells_of(e)) else near).append(e)
            if not near:
                return found
            found += near
            waiting = far
            known.update(c for e in near for c in self.cells_of(e))

    def cells_of(self, e: Expr) -> frozenset[Expr]:
        """The cells of a condition; remembered by identity, which holding `e` keeps to itself."""
        held = self._cells.get(id(e))
        if held is None:
            held = self._cells[id(e)] = (e, frozenset(cells([e])))
        return held[1]

    def assume(self) -> None:
        """Lean on every property: one that is broken is reported once, not by all that follows from it."""
        self.proved = [claim for _, claim in as_claims(self.machine)]

    # --- who competes with whom ----------------------------------------------------------------------------------

    def editions(self) -> tuple[int | None, ...]:
        """The editions to check one by one; (None,) when the law has none."""
        return tuple(sorted({e for r in self.machine.rows() for e in r.editions})) or (None,)

    def levels(self, edition: int | None) -> Iterator[Level]:
        """Every set of competing rows, in the order of the law."""
        for table in at_edition(self.machine, edition).tables.values():
            rows = [r for r in table.rows if not r.editions or edition in r.editions]
            for event in dict.fromkeys(r.event for r in rows):
                yield from self._split(table, event, [r for r in rows if r.event == event], rows)

    def _split(self, table: m.Table, event: str, rows: list[m.Row], all_rows: list[m.Row]) -> Iterator[Level]:
        regions = dict.fromkeys(r.region for r in rows if r.states)
        classes = []
        for region in regions:
            by_rows: dict[frozenset[str], list[str]] = {}
            ending = self.machine.regions[region].family != ""  # an instance is gone in a final state
            for state in (s for s in self.machine.regions[region].states if not (ending and s.final)):
                by_rows.setdefault(frozenset(r.id for r in rows if state.name in r.states), []).append(state.name)
            classes.append([(region, tuple(states)) for states in by_rows.values()])
        for places in itertools.product(*classes):
            here = dict(places)
            chosen = tuple(r for r in rows if not r.states or here[r.region][0] in r.states)
            if chosen and not self._shadowed(event, here, all_rows):
                yield Level(table, event, chosen, places)

    def _shadowed(self, event: str, here: dict[str, tuple[str, ...]], rows: list[m.Row]) -> bool:
        """True when every kind of `event` finds a more specific level in these states."""
        if event not in self.machine.messages:
            return False
        kinds = [k for k in self.machine.messages.values() if k.is_kind and event in k.lineage]
        return all(any(self._covers(r, here) for r in rows if r.event in k.lineage[: k.lineage.index(event)]) for k in kinds)

    @staticmethod
    def _covers(row: m.Row, here: dict[str, tuple[str, ...]]) -> bool:
        return not row.states or (row.region in here and set(here[row.region]) <= row.states)

    def placed(self, level: Level) -> tuple[Expr, ...]:
        """The states of a level as conditions."""
        return tuple(c for region, states in level.places for c in in_states(region, states, self.machine))

    def guards(self, level: Level) -> list[tuple[Expr, ...]]:
        """Guards of the level's rows, all speaking of the message by one name."""
        first = level.rows[0].binders
        return [tuple(rename(c, dict(zip(r.binders, first, strict=False))) for c in r.guard) for r in level.rows]


def _owed_where_due(conjuncts: Sequence[Expr]) -> list[Expr]:
    """That debts are open which the conditions call due."""
    found = {n for c in conjuncts for n in walk(c) if isinstance(n, Call) and n.kind == "due" and n.function == "due"}
    return [disjoin([negate(n), owed(str(n.args[0].value))]) for n in found if len(n.args) == 1 and isinstance(n.args[0], Lit)]


def _bounds(found: Iterable[Expr]) -> list[Expr]:
    """That no queue is longer than its bound, of the lengths among some cells."""
    lengths = dict.fromkeys(c for c in found if isinstance(c, Call) and c.kind == "queue" and c.function == "len")
    ordered = sorted(lengths, key=text)
    return [Binary("<=", c, Lit(queues.limit(c.args[0]), type=c.type), type=BOOL) for c in ordered]


def exclude_each_other(a: Sequence[Expr], b: Sequence[Expr]) -> bool:
    """True when one guard plainly denies a conjunct of the other, or wants another literal of the same thing: no solver needed."""
    denied = {negate(c) for c in a}
    if any(c in denied for c in b):
        return True
    mine, theirs = dict(_fixed(a)), dict(_fixed(b))
    return any(mine[e] != theirs[e] for e in mine.keys() & theirs.keys())


def _fixed(conjuncts: Sequence[Expr]) -> Iterator[tuple[Expr, object]]:
    for c in conjuncts:
        if isinstance(c, Binary) and c.op == "==" and isinstance(c.b, Lit):
            yield c.a, c.b.value
