"""The typed model of a machine: what all four readings of a law start from.

Everything here is resolved: names are bound, macros expanded in place, fragments included, output fields complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wirelaw.spec.language.diagnostics import Span
from wirelaw.spec.language.expressions import Call, Expr, Name, walk
from wirelaw.spec.language.tree import Citation, Ending, Function, Statement
from wirelaw.spec.language.types import Type


@dataclass(frozen=True, slots=True)
class State:
    """A control state of one region."""

    name: str
    region: str
    initial: bool
    urgent: bool
    hot: bool
    final: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Region:
    """A set of control states of which exactly one holds; `family` names the family it is an instance part of."""

    name: str
    states: tuple[State, ...]
    family: str
    span: Span

    @property
    def initial(self) -> tuple[State, ...]:
        """States in which a machine may be found at its start; the first one is where our own implementation starts."""
        return tuple(s for s in self.states if s.initial) or self.states[:1]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable. `kind`: var, user (the hidden application's), policy (implementation only), key (an instance's, never changed)."""

    name: str
    kind: str
    type: Type
    init: Expr
    family: str
    span: Span


@dataclass(frozen=True, slots=True)
class MessageField:
    """A field; its sequence space, if any, is relative to the message's sender."""

    name: str
    type: Type
    default: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Message:
    """A node of the event tree (kind < class < any); `fields` include the inherited ones."""

    name: str
    parent: str | None
    lineage: tuple[str, ...]
    fields: dict[str, MessageField]
    is_kind: bool
    span: Span

    @property
    def root(self) -> str:
        """The topmost event this message belongs to."""
        return self.lineage[-1]


@dataclass(frozen=True, slots=True)
class Param:
    """A number the profile binds; `low`..`high` is what the law permits."""

    name: str
    type: Type
    low: Expr | None
    high: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer. With bounds, its expiry changes the control state and the oracle knows when that may be."""

    name: str
    low: Expr | None
    high: Expr | None
    span: Span
    family: str = ""


@dataclass(frozen=True, slots=True)
class Debt:
    """An obligation: an output of `message` with `where` must come `within` the given time."""

    name: str
    params: tuple[tuple[str, Type], ...]
    message: str
    binder: str
    where: tuple[Expr, ...]
    within: Expr
    states: frozenset[str]
    unless: Expr | None
    span: Span
    family: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the law. `role`: input, gate, output.

    `states` empty means all; otherwise all belong to `region`. `event` is a message, timer or call name ('' for an
    internal row), `event_kind` one of message, timer, call, auto. `guard`, `where`, `when` are tuples of conjuncts.
    For output rows `fields` are the determined fields, `defaults` what the implementation puts where it is free. For those of a
    family `binding` is the field of the message that tells whose it is, and the variable of the instance that it equals.
    `kind` is the name by which the row speaks of messages of `event` with a certain content ('' : of all of them). `anytime` marks a
    step that owes nothing to what came: a judge notes it while inputs wait.
    """

    role: str
    id: str
    table: str
    states: frozenset[str]
    region: str
    event: str
    event_kind: str
    binders: tuple[str, ...]
    guard: tuple[Expr, ...]
    otherwise: bool
    ending: Ending
    actions: tuple[Statement, ...]
    citations: tuple[Citation, ...]
    editions: tuple[int, ...]
    within: Expr | None
    family: str
    likely: bool
    mode: str
    fields: dict[str, Expr]
    where: tuple[Expr, ...]
    defaults: dict[str, Expr]
    default_message: Expr | None
    when: tuple[Expr, ...]
    span: Span
    kind: str = ""
    binding: tuple[str, str] | None = None
    anytime: bool = False

    @property
    def own(self) -> tuple[Expr, ...]:
        """The guard as it is written: without what rows above it in a `first` leave."""
        return tuple(c for c in self.guard if not c.before)

    @property
    def level(self) -> str:
        """The first level stated: that of the clause by which findings name the row; MUST when none is said."""
        return next((c.level for c in self.citations if c.level), "MUST")

    @property
    def clauses(self) -> tuple[str, ...]:
        """Cited clauses, such as `rfc9293:3.10.7.4/first`."""
        return tuple(c.clause for c in self.citations)


@dataclass(frozen=True, slots=True)
class Table:
    """One stage of an input pipeline (or a table on calls or timers)."""

    name: str
    policy: bool
    rows: tuple[Row, ...]
    family: str
    span: Span


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`input seg(s) through a, b, c`."""

    message: str
    binder: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """`output seg(o) unsaid { ... }`: values of unsaid fields; `free` fields are not judged."""

    message: str
    binder: str
    unsaid: dict[str, Expr]
    free: frozenset[str]


@dataclass(frozen=True, slots=True)
class Property:
    """What holds in every configuration (with `states`: in those): the `condition` of an `invariant`, not that of a `never`."""

    kind: str
    id: str
    states: frozenset[str]
    condition: Expr
    citations: tuple[Citation, ...]
    span: Span
    family: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Instances by key: one per value of the message field `key`.

    `variable` holds an instance's key; outputs carry the value of variable `address` in the field `key`.
    """

    name: str
    key: str
    variable: str
    address: str
    span: Span


@dataclass(frozen=True, slots=True)
class AbortRule:
    """What the ending `abort(codes)` stands for in this protocol."""

    argument: str
    message: str | None
    where: tuple[Expr, ...]
    target: dict[str, str]
    span: Span


@dataclass(frozen=True, slots=True)
class Unused:
    """A declaration that nothing mentions: the keyword that makes it, its name, its place."""

    what: str
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Machine:
    """A protocol machine, resolved. All mappings keep the order of the law file."""

    name: str
    doc: str
    externs_module: str
    regions: dict[str, Region]
    states: dict[str, State]
    groups: dict[str, frozenset[str]]
    variables: dict[str, Variable]
    params: dict[str, Param]
    choices: dict[str, tuple[str, ...]]
    enums: dict[str, tuple[str, ...]]
    messages: dict[str, Message]
    inputs: dict[str, Pipeline]
    outputs: dict[str, Output]
    functions: dict[str, Function]
    timers: dict[str, Timer]
    debts: dict[str, Debt]
    tables: dict[str, Table]
    gates: tuple[Row, ...]
    emissions: tuple[Row, ...]
    properties: tuple[Property, ...]
    families: dict[str, Family]
    abort: AbortRule | None
    span: Span
    files: tuple[str, ...] = ()
    unused: tuple[Unused, ...] = ()

    def rows(self) -> Iterator[Row]:
        """Every row, in the order tables, gates, emissions."""
        for table in self.tables.values():
            yield from table.rows
        yield from self.gates
        yield from self.emissions

    def row(self, row_id: str) -> Row:
        """The row of that id; KeyError if there is none."""
        for row in self.rows():
            if row.id == row_id:
                return row
        raise KeyError(row_id)

    def voids(self, target: str, debt: Debt) -> bool:
        """True when entering state `target` leaves the states in which `debt` is owed (of the same region)."""
        return bool(debt.states) and target not in debt.states and self.states[next(iter(debt.states))].region == self.states[target].region

    def is_hidden(self, e: Expr) -> bool:
        """True when a judge cannot evaluate `e`: it depends on the user, on policy, on a free choice or on the host.

        The oracle takes such a conjunct as true (RFC behaviour is judged on what can be seen).
        """
        for node in walk(e):
            if isinstance(node, Name):
                if node.kind in ("choice", "param"):
                    return True
                if node.kind == "var" and self.variables[node.name].kind in ("user", "policy"):
                    return True
            elif isinstance(node, Call) and node.kind in ("ask", "due"):
                return True
        return False

    def visible(self, conjuncts: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The conjuncts a judge can evaluate."""
        return tuple(c for c in conjuncts if not self.is_hidden(c))
