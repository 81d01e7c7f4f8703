"""The syntax tree: what a law file says, before names and types are known.

One class per construct of `grammar.lark`, in its order. `resolve.py` turns this into the typed model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wirelaw.spec.language.diagnostics import Span
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.types import Type

Params = tuple[tuple[str, Type], ...]
FieldValues = tuple[tuple[str, Expr | None], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """`machine NAME { ... }` or `fragment NAME { ... }`."""

    name: str
    is_fragment: bool
    declarations: tuple[object, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Doc:
    text: str


@dataclass(frozen=True, slots=True)
class Include:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Externs:
    """The module that holds the pure functions named by `extern`."""

    module: str
    span: Span


@dataclass(frozen=True, slots=True)
class TypeDecl:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Const:
    name: str
    type: Type
    value: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: Type
    low: Expr | None
    high: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class MessageField:
    name: str
    type: Type
    default: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    parent: str | None
    fields: tuple[MessageField, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Refinement:
    """`message NAME : BASE(BINDER) if CONDITION`: the messages of kind BASE of which the condition holds."""

    name: str
    base: str
    binder: str
    condition: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    message: str
    binder: str
    tables: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Unsaid:
    names: tuple[str, ...]
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Output:
    message: str
    binder: str
    unsaid: tuple[Unsaid, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Abort:
    """`abort(code: T) emit alert where P then => FAILED`: what the ending `abort(..)` stands for."""

    argument: str
    type: Type
    message: str | None
    where: Expr | None
    target: dict[str, str] | str
    span: Span


@dataclass(frozen=True, slots=True)
class StateDecl:
    name: str
    marks: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Region:
    name: str
    states: tuple[StateDecl, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    members: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    kind: str
    name: str
    type: Type
    init: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    options: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Queue:
    """`queue NAME(PARAMS) upto LIMIT`: entries that leave in the order in which they came."""

    name: str
    params: Params
    limit: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """`extern` (pure, both readings), `ask` (a question to the host, implementation only), `tell` (news for it), `call` (from the user)."""

    kind: str
    name: str
    params: Params
    result: Type | None
    span: Span


@dataclass(frozen=True, slots=True)
class Timer:
    name: str
    low: Expr | None
    high: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class Debt:
    name: str
    params: Params
    message: str
    binder: str
    where: Expr
    within: Expr
    states: tuple[str, ...]
    unless: Expr | None
    span: Span


@dataclass(frozen=True, slots=True)
class DefExpr:
    name: str
    params: tuple[str, ...]
    body: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class DefStmt:
    name: str
    params: tuple[str, ...]
    body: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Statement:
    """One action.

    `kind`: assign, owe, start, ensure (start unless running), stop, push, pop, tell, send, grade, call (a statement macro).

    `origin` names the macro that it was expanded from, behind those that this one was expanded from: `outer/inner`.
    """

    kind: str
    name: str
    args: tuple[Expr, ...] = ()
    fields: FieldValues = ()
    value: Expr | None = None
    level: str | None = None
    span: Span = Span()
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    binders: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Ending:
    """How a row ends. `kind`: next, stop, stay, drop, become, abort, refuse, either."""

    kind: str
    target: dict[str, str] | str | None = None
    continuation: str = "stop"
    codes: tuple[str | int, ...] = ()
    alternatives: tuple[tuple[Ending, tuple[Statement, ...]], ...] = ()
    span: Span = Span()


@dataclass(frozen=True, slots=True)
class Citation:
    clause: str
    level: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, a gate or the emissions; unused parts are None or empty.

    `role`: input, gate, output. Gates: `guard` is the scope (`if`), `where` the demand.
    """

    role: str
    id: str
    states: tuple[str, ...]
    event: Event | None
    guard: Expr | None
    otherwise: bool
    ending: Ending
    actions: tuple[Statement, ...]
    citations: tuple[Citation, ...]
    editions: tuple[int, ...]
    within: Expr | None
    span: Span
    likely: bool = False
    mode: str = ""
    anytime: bool = False
    fields: FieldValues = ()
    where: Expr | None = None
    defaults: FieldValues = ()
    default_message: Expr | None = None
    when: Expr | None = None


@dataclass(frozen=True, slots=True)
class RowGroup:
    """`first { .. }` (`ordered`), or `STATES on EVENT if GUARD { .. }`: what is said once for all rows in it."""

    ordered: bool
    states: tuple[str, ...]
    event: Event | None
    guard: Expr | None
    items: tuple[Row | RowGroup, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Table:
    """`items` are rows and groups of rows; of a gate, rows alone."""

    name: str
    policy: bool
    event: Event | None
    items: tuple[Row | RowGroup, ...]
    span: Span
    is_gate: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    kind: str
    id: str
    states: tuple[str, ...]
    condition: Expr
    citations: tuple[Citation, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    key: str
    sent_as: str
    declarations: tuple[object, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Profile:
    """`profile NAME for MACHINE { ... }`: every free choice of a machine bound."""

    name: str
    machine: str
    choices: dict[str, str]
    params: dict[str, Expr]
    order: tuple[str, ...]
    takes: dict[str, str]
    fills: dict[str, FieldValues]
    span: Span
    places: dict[str, Span] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """What a peer does in place of the rows `instead`, or beside the law where there are none; `row.ending.kind` may be empty."""

    instead: tuple[str, ...]
    row: Row
    span: Span


@dataclass(frozen=True, slots=True)
class Deviation:
    """`deviation NAME versions ".." { "reason" ... }`: one thing that a peer does against the text, wherever it shows."""

    name: str
    reason: str
    versions: str
    alternatives: tuple[Alternative, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Deviations:
    """`deviations PEER for MACHINE { ... }`; `declarations` are its own `def`s."""

    peer: str
    machine: str
    declarations: tuple[object, ...]
    deviations: tuple[Deviation, ...]
    span: Span
