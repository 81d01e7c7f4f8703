"""What stands in a family speaks of one instance: where that may be said, and what of a row depends on its instance alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic, Span
from wirelaw.spec.language.expressions import Call, Expr, Lit, Name, walk
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import fits


class _Part(NamedTuple):
    """A declaration that may speak of instances: what it is called, where it stands, and whose family it is in."""

    name: str
    span: Span
    family: str


def misplaced_in_families(machine: m.Machine) -> Iterator[Diagnostic]:
    """One diagnostic for each thing that stands in no family, or in another, and would need an instance there; and the reverse."""
    for family in machine.families.values():
        yield from _address(machine, family)
    for v in machine.variables.values():
        yield from _initial(machine, v)
    for table in machine.tables.values():
        for row in table.rows:
            yield from _row(machine, row)
    for row in (*machine.gates, *machine.emissions):
        yield from _row(machine, row)
    for debt in machine.debts.values():
        yield from _debt(machine, debt)
    for p in machine.properties:
        yield from _property(machine, p)
    yield from _outside(machine)


def expressions(row: m.Row) -> Iterator[Expr]:
    """Every expression of a row."""
    yield from (*row.guard, *row.where, *row.when, *row.fields.values(), *row.defaults.values())
    if row.default_message is not None:
        yield row.default_message
    for s in statements(row):
        yield from (*s.args, *(e for _, e in s.fields if e is not None), *((s.value,) if s.value is not None else ()))


def statements(row: m.Row) -> Iterator[Statement]:
    """Every action of a row, those of its alternatives included."""
    yield from row.actions
    for _, more in row.ending.alternatives:
        yield from more


def is_own(e: Expr, family: str, machine: m.Machine) -> bool:
    """Whether `e` depends on nothing but an instance of `family`, what the profile binds, and the time at which a debt falls due."""
    asked = [n for n in walk(e) if isinstance(n, Name | Call) and n.kind not in ("param", "choice", "extern", "builtin")]
    return all(n.kind in ("var", "region", "due") and owner_of(machine, n) == family for n in asked)


def own_part(row: m.Row, machine: m.Machine) -> tuple[bool, tuple[Expr, ...], tuple[Expr, ...]]:
    """The moment of an output row of a family: whether its states are the instance's, its own conjuncts, and all others.

    The own part can only change with the instance, so that nobody has to ask instances that rest.
    """
    moment = row.guard + row.when
    own = tuple(c for c in moment if is_own(c, row.family, machine))
    is_inside = bool(row.region) and machine.regions[row.region].family == row.family
    return is_inside, own, tuple(c for c in moment if c not in own)


def touches(actions: Iterable[Statement], ending: Ending, family: str, machine: m.Machine) -> bool:
    """Whether these actions and this ending can change an instance of `family`."""
    if any(_changed(machine, s) == family for s in actions):
        return True
    if ending.kind == "either":
        return any(touches(more, e, family, machine) for e, more in ending.alternatives)
    return isinstance(ending.target, dict) and any(_of_state(machine, s) == family for s in ending.target.values())


def is_coupled(family: str, machine: m.Machine) -> bool:
    """Whether an act of one instance matters to others: they are counted, or a row that needs no message changes what is the machine's."""
    rows = list(machine.rows())
    counts = [n for r in rows for e in expressions(r) for n in walk(e) if isinstance(n, Call) and n.kind == "count"]
    if any(isinstance(n.args[0], Lit) and n.args[0].value == family for n in counts):
        return True
    alone = [r for r in rows if r.family == family and r.event_kind != "message"]
    kinds = ("assign", "owe", "start", "ensure", "stop")
    return any(any(s.kind in kinds and not _changed(machine, s) for s in statements(r)) or _leaves(machine, r.ending) for r in alone)


def _leaves(machine: m.Machine, ending: Ending) -> bool:
    """Whether an ending changes a state of the machine's."""
    if ending.kind == "abort" or any(_leaves(machine, e) for e, _ in ending.alternatives):
        return True
    return isinstance(ending.target, dict) and any(not _of_state(machine, s) for s in ending.target.values())


# --- owners ------------------------------------------------------------------------------------------------------------


def owner_of(machine: m.Machine, e: Expr) -> str:
    """The family of what a name, or a question about a timer or a debt, speaks of; '' for the machine's own."""
    match e:
        case Name(kind="var", name=name):
            return machine.variables[name].family
        case Name(kind="region", name=name):
            return machine.regions[name].family
        case Call(kind="due", function="due", args=(Lit(value=str(name)), *_)):
            return machine.debts[name].family
        case Call(kind="due", args=(Lit(value=str(name)), *_)):
            return machine.timers[name].family
    return ""


def _of_state(machine: m.Machine, state: str) -> str:
    return machine.regions[machine.states[state].region].family


def _changed(machine: m.Machine, s: Statement) -> str:
    """The family of what a statement changes."""
    match s.kind:
        case "assign":
            return machine.variables[s.name].family
        case "owe":
            return machine.debts[s.name].family
        case "start" | "ensure" | "stop":
            return machine.timers[s.name].family
    return ""


def _error(span: Span, message: str, advice: str) -> Diagnostic:
    return Diagnostic(span.file, span.line, span.column, message, advice)


def _stranger(part: _Part, what: str, owner: str) -> Diagnostic:
    where = f"in family `{part.family}`" if part.family else "outside"
    advice = f"Move it into family `{owner}`, or let rows of that family keep a variable of the machine's for it."
    return _error(part.span, f"{part.name} stands {where}, but {what} is of family `{owner}`: each instance has its own", advice)


def _named(machine: m.Machine, part: _Part, found: Iterable[Expr]) -> Iterator[Diagnostic]:
    """What expressions say of instances that are none of the part's."""
    told: set[str] = set()
    for n in (n for e in found for n in walk(e)):
        owner = owner_of(machine, n)
        name = n.name if isinstance(n, Name) else str(n.args[0].value) if isinstance(n, Call) and owner else ""  # type: ignore[attr-defined]
        if owner not in ("", part.family) and name not in told:
            told.add(name)
            yield _stranger(part, f"`{name}`", owner)


def _placed(machine: m.Machine, part: _Part, states: Iterable[str]) -> Iterator[Diagnostic]:
    owners = {_of_state(machine, s): s for s in sorted(states)}
    yield from (_stranger(part, f"state {s}", owner) for owner, s in owners.items() if owner not in ("", part.family))


# --- rows --------------------------------------------------------------------------------------------------------------


def _row(machine: m.Machine, row: m.Row) -> Iterator[Diagnostic]:
    part = _Part(f"row [{row.id}]", row.span, row.family)
    yield from _placed(machine, part, row.states)
    yield from _named(machine, part, expressions(row))
    endings = (row.ending, *(e for e, _ in row.ending.alternatives))
    yield from _placed(machine, part, {s for e in endings if isinstance(e.target, dict) for s in e.target.values()})
    for s in statements(row):
        owner = _changed(machine, s)
        if owner not in ("", row.family):
            yield _stranger(part, f"`{s.name}`", owner)
        if s.kind == "assign" and machine.variables[s.name].kind == "key":
            yield _error(s.span, f"[{row.id}] changes `{s.name}`, the key of its instance", "A key never changes: use another variable.")
    if row.event_kind == "timer" and machine.timers[row.event].family not in ("", row.family):
        yield _stranger(part, f"timer `{row.event}`", machine.timers[row.event].family)
    if row.family:
        yield from _instance(machine, row)
    if row.role == "output" and row.event_kind == "message":
        yield from _foreign(machine, row)


def _instance(machine: m.Machine, row: m.Row) -> Iterator[Diagnostic]:
    """How a row of a family finds its instance."""
    family = machine.families[row.family]
    ended = sorted(s for s in row.states if machine.states[s].final and _of_state(machine, s) == row.family)
    if ended:
        yield _error(
            row.span, f"row [{row.id}] stands in {ended[0]}, a final state: an instance of family `{row.family}` is gone there",
            "Remove the row: what comes for that key meets a fresh instance.",
        )  # fmt: skip
    match row.event_kind:
        case "message" if row.role == "input" and family.key not in machine.messages[row.event].fields:
            yield _error(
                row.span, f"row [{row.id}] of family `{row.family}` is for `{row.event}`, which has no field `{family.key}`",
                "Give the message that field, or move the row out of the family.",
            )  # fmt: skip
        case "call" if family.key not in (n for n, _ in machine.functions[row.event].params):
            yield _error(
                row.span, f"row [{row.id}] of family `{row.family}` is for call `{row.event}`, which has no argument `{family.key}`",
                "Give the call that argument, or move the row out of the family.",
            )  # fmt: skip
        case "message" if row.role == "output" and row.binding is None:
            yield _error(
                row.span, f"row [{row.id}] sends `{row.event}`, in which no field tells the instance of family `{row.family}`",
                f"Give one field the value of `{family.variable}`, or of another variable of the family.",
            )  # fmt: skip
        case "timer" if machine.timers[row.event].family != row.family:
            yield _error(
                row.span, f"row [{row.id}] of family `{row.family}` is for timer `{row.event}`, which is of no instance",
                "Declare the timer in the family, or move the row out of it.",
            )  # fmt: skip


def _foreign(machine: m.Machine, row: m.Row) -> Iterator[Diagnostic]:
    """An output that is for a gate or a debt of a family to which its row does not belong."""
    message = machine.messages[row.event]
    parts = [(g.family, f"gate [{g.id}]", g.event) for g in machine.gates]
    parts += [(d.family, f"debt `{d.name}`", d.message) for d in machine.debts.values()]
    for name, what, event in parts:
        if name not in ("", row.family) and event in message.lineage:
            yield _error(
                row.span, f"row [{row.id}] sends `{row.event}`, of which {what} of family `{name}` speaks, and stands outside of it",
                f"What is said of an instance's outputs binds its own rows: move the row into the family, or the {what.split()[0]} out.",
            )  # fmt: skip


# --- other declarations ------------------------------------------------------------------------------------------------


def _address(machine: m.Machine, family: m.Family) -> Iterator[Diagnostic]:
    v = machine.variables.get(family.address)
    if v is None or v.family != family.name or v.kind not in ("var", "key"):
        yield _error(
            family.span, f"family `{family.name}` is sent as `{family.address}`, which is no `var` of it",
            "Declare the variable in the family: outputs carry its value in the place of the key.",
        )  # fmt: skip
    elif not fits(v.type, machine.variables[family.variable].type):
        yield _error(
            family.span, f"family `{family.name}` is sent as `{family.address}`, which is {v.type}, in a field of another type",
            f"Declare it as {machine.variables[family.variable].type}.",
        )  # fmt: skip


def _initial(machine: m.Machine, v: m.Variable) -> Iterator[Diagnostic]:
    yield from _named(machine, _Part(f"variable `{v.name}`", v.span, v.family), [v.init])
    changing = ("var", "region", "now", "ask", "due", "count")
    if v.family and any(isinstance(n, Name | Call) and n.kind in changing for n in walk(v.init)):
        yield _error(
            v.span, f"`{v.name}` of family `{v.family}` starts from what may change", "Start it from a constant: all instances begin alike."
        )


def _debt(machine: m.Machine, debt: m.Debt) -> Iterator[Diagnostic]:
    part = _Part(f"debt `{debt.name}`", debt.span, debt.family)
    yield from _placed(machine, part, debt.states)
    yield from _named(machine, part, [debt.unless] if debt.unless is not None else [])
    if debt.family and any(not _of_state(machine, s) for s in debt.states):
        yield _error(
            debt.span, f"debt `{debt.name}` of family `{debt.family}` is owed in states of the machine's",
            "Let `while` name states of the family: leaving them voids the instance's debt.",
        )  # fmt: skip


def _property(machine: m.Machine, p: m.Property) -> Iterator[Diagnostic]:
    part = _Part(f"property [{p.id}]", p.span, p.family)
    yield from _placed(machine, part, p.states)
    yield from _named(machine, part, [p.condition])
    if any(isinstance(n, Call) and n.kind == "count" for n in walk(p.condition)):
        yield _error(
            p.span, f"property [{p.id}] speaks of a `count`", "A count is not proved: bound it in a guard, and leave it out of here."
        )


def _outside(machine: m.Machine) -> Iterator[Diagnostic]:
    """The message of an abort, its target, and defaults of fields: what they say is said outside of families."""
    if machine.abort is not None:
        part = _Part("`abort`", machine.abort.span, "")
        yield from _placed(machine, part, machine.abort.target.values())
        yield from _named(machine, part, machine.abort.where)
    for message in machine.messages.values():
        for f in message.fields.values():
            if f.default is not None:
                yield from _named(machine, _Part(f"the default of `{f.name}`", f.span, ""), [f.default])
