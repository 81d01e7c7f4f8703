"""Short captions of rows, in the manner of the RFCs' figures: `rcv SYN,ACK`, `CLOSE / snd FIN`, `◷ time_wait`.

Nothing here knows a protocol. What is shown is read off the row:

* a received or sent message that has no siblings is named by its *flags*: the bool fields that hold in the guard or
  are set in the row, and the enum fields that equal a constant; any other message by its name;
* a wish of the hidden application (a `user` variable) by the call that makes the wish;
* a timer by a clock and its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, Unary, text, walk
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import BOOL

CLOCK = "◷"
LONGEST_CONDITION = 26


@dataclass(frozen=True, slots=True)
class Label:
    """The caption of one row: what sets it off, under which condition (only where needed), and what it does."""

    trigger: str
    effect: str
    condition: str = ""

    @property
    def event(self) -> str:
        """The trigger with its condition."""
        condition = f"[{self.condition}]" if self.condition else ""
        return " ".join(part for part in (self.trigger, condition) if part)

    def __str__(self) -> str:
        return " / ".join(part for part in (self.event, self.effect) if part)


def shorten(words: str, longest: int = LONGEST_CONDITION) -> str:
    """`words`, cut with an ellipsis where they are longer than `longest` characters."""
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


class Labeller:
    """Captions for the rows of one machine."""

    def __init__(self, machine: m.Machine) -> None:
        self.machine = machine
        self.wishes = dict(_wishes(machine))
        self.notes = self._notes()

    def label(self, row: m.Row, ending: Ending, actions: tuple[Statement, ...]) -> Label:
        """The caption of `row` when it ends with `ending` (the row's own, or one alternative of an `either`)."""
        if row.role == "output":
            return Label(self.cause(row), f"snd {self.sent(row)}" if row.event else "")
        effect = self.effect((*row.actions, *actions), row)
        if ending.kind == "abort":
            effect = "abort " + "|".join(str(c) for c in ending.codes)
        match row.event_kind:
            case "timer":
                return Label(f"{CLOCK} {row.event}", effect)
            case "call":
                return Label(spoken(row.event), effect)
            case _:
                noted = self.noted(row)
                if noted is not None:
                    return Label(noted.trigger, effect or noted.effect)
                return Label(f"rcv {self.received(row)}", effect, self.otherwise_unsaid(row))

    def kind(self, row: m.Row) -> str:
        """`input`, `timer`, `user`, `output` or `internal`: who moves."""
        if row.role != "output":
            return {"timer": "timer", "call": "user"}.get(row.event_kind, "input")
        cause = self.cause(row)
        if cause.startswith(CLOCK):
            return "timer"
        if self.wishes_of(row):
            return "user"
        return "output" if row.event else "internal"

    # --- parts ---------------------------------------------------------------------------------------------------

    def cause(self, row: m.Row) -> str:
        """What moves our own side: a wish of the user, a timer, or for a silent step its condition."""
        wishes = self.wishes_of(row)
        if wishes:
            return ", ".join(wishes[:2])
        for conjunct in (*row.guard, *row.when):
            if isinstance(conjunct, Call) and conjunct.function == "running" and isinstance(conjunct.args[0], Lit):
                return f"{CLOCK} {conjunct.args[0].value}"
        if row.event == "":
            return f"[{shorten(text(row.guard[0]))}]" if row.guard else "at once"
        return ""

    def wishes_of(self, row: m.Row) -> list[str]:
        found: list[str] = []
        for conjunct in (*row.guard, *row.when):
            if isinstance(conjunct, Unary) or _is_zero_test(conjunct):
                continue
            for node in walk(conjunct):
                if isinstance(node, Name) and node.kind == "var" and self.machine.variables[node.name].kind == "user":
                    wish = self.wishes.get(node.name, spoken(node.name))
                    if wish not in found:
                        found.append(wish)
        return found

    def received(self, row: m.Row) -> str:
        message = self.machine.messages[row.event]
        return self.flags_or_name(message, flags(message, row.guard))

    def otherwise_unsaid(self, row: m.Row) -> str:
        """A condition for a caption that would name nothing but the one kind of message there is: a late stage of a pipeline."""
        message = self.machine.messages[row.event]
        if message.parent is not None or not message.is_kind or flags(message, row.guard):
            return ""
        said = [words for words, c in conditions(row) if not isinstance(c, Unary)]
        return said[0] if said else ""

    def noted(self, row: m.Row) -> Label | None:
        """The caption of the row that raised the flag this one acts on: a later stage of the pipeline, on the same message."""
        if flags(self.machine.messages[row.event], row.guard):
            return None
        found = (self.notes.get((row.event, c.name)) for c in row.guard if isinstance(c, Name) and c.kind == "var")
        return next((label for label in found if label is not None), None)

    def _notes(self) -> dict[tuple[str, str], Label]:
        """Captions of rows that take note of a flagged message in a `var`, by (message, variable); the first row counts."""
        found: dict[tuple[str, str], Label] = {}
        for table in self.machine.tables.values():
            for row in table.rows:
                said = flags(self.machine.messages[row.event], row.guard) if row.event_kind == "message" else []
                for a in row.actions if said else ():
                    if a.kind == "assign" and isinstance(a.value, Lit) and a.value.value is True:
                        label = Label(f"rcv {self.received(row)}", self.effect(row.actions, row))
                        found.setdefault((row.event, a.name), label)
        return found

    def sent(self, row: m.Row) -> str:
        message = self.machine.messages[row.event]
        return self.flags_or_name(message, flags(message, row.where))

    def flags_or_name(self, message: m.Message, found: list[str]) -> str:
        alone = message.parent is None and message.is_kind
        if not alone or not found:
            return message.name
        kinds = {self.machine.messages[i].root for i in self.machine.inputs}
        has_flags = any(f.type == BOOL for f in message.fields.values())
        return ",".join(found) if has_flags or len(kinds) == 1 else f"{message.name} {','.join(found)}"

    def effect(self, actions: tuple[Statement, ...], row: m.Row) -> str:
        """The reply or the debt that a row of input brings: `snd RST`, `owe ACK`."""
        found: list[str] = []
        for action in actions:
            if action.kind == "send":
                message = self.machine.messages[action.name]
                made = [
                    _shown(message, n)
                    for n, v in action.fields
                    if isinstance(v, Lit) and v.value is True and message.fields[n].type == BOOL
                ]
                found.append(f"snd {self.flags_or_name(message, made)}")
            elif action.kind == "owe" and row.role != "output":
                debt = self.machine.debts[action.name]
                message = self.machine.messages[debt.message]
                found.append(f"owe {self.flags_or_name(message, flags(message, debt.where) or [debt.name.upper()])}")
        return ", ".join(dict.fromkeys(found))


def flags(message: m.Message, conjuncts: Iterable[Expr]) -> list[str]:
    """Flags that `conjuncts` demand of `message`, in the order of its fields; with none, the numbers they look at.

    A number counts only if a flag says that it is there (`ack` beside `ackf`): `s.ack == snd_nxt` speaks of an ACK.
    """
    held: set[str] = set()
    looked_at: set[str] = set()
    for conjunct in conjuncts:
        if isinstance(conjunct, Field):
            if message.fields.get(conjunct.name) and message.fields[conjunct.name].type == BOOL:
                held.add(conjunct.name)
        elif isinstance(conjunct, Binary) and conjunct.op == "==" and isinstance(conjunct.a, Field) and isinstance(conjunct.b, Lit):
            if conjunct.b.type.kind == "enum":
                held.add(str(conjunct.b.value))
        elif not isinstance(conjunct, Unary):
            looked_at |= {n.name for n in walk(conjunct) if isinstance(n, Field)}
    if not held:
        held = {f"{name}f" for name in looked_at if f"{name}f" in message.fields}
    order = {name: i for i, name in enumerate(message.fields)}
    ranked = sorted(held, key=lambda n: (_has_number(message, n), order.get(n, len(order)), n))  # SYN,ACK and FIN,ACK, as the RFCs write
    return [_shown(message, name) for name in ranked]


def spoken(name: str) -> str:
    """A call as the RFCs write it: `open_active` is `OPEN active`."""
    first, _, rest = name.partition("_")
    return f"{first.upper()} {rest.replace('_', ' ')}".strip()


def conditions(row: m.Row) -> list[tuple[str, Expr]]:
    """The conjuncts of a row's guard as text, those about the message last: the rest tells rows of one trigger apart better."""
    parts = [(shorten(text(c)), c) for c in row.guard]
    return sorted(parts, key=lambda p: any(isinstance(n, Field) for n in walk(p[1])))


def _alike(a: str, b: str) -> int:
    """How many letters two names have in common at their beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _is_zero_test(e: Expr) -> bool:
    return isinstance(e, Binary) and e.op == "==" and isinstance(e.b, Lit) and not e.b.value


def _shown(message: m.Message, name: str) -> str:
    """`ackf` beside a field `ack` is the flag of that field, shown as `ACK`."""
    return name[:-1].upper() if _has_number(message, name) else name.upper()


def _has_number(message: m.Message, flag: str) -> bool:
    return flag.endswith("f") and flag[:-1] in message.fields


def _wishes(machine: m.Machine) -> Iterator[tuple[str, str]]:
    """For each user variable the call that sets it, the last one yielded being the one meant."""
    made: dict[str, list[tuple[bool, str]]] = {}
    for row in machine.rows():
        if row.event_kind != "call":
            continue
        for action in row.actions:
            if action.kind == "assign" and machine.variables[action.name].kind == "user":
                clears = isinstance(action.value, Lit) and not action.value.value
                made.setdefault(action.name, []).append((clears, spoken(row.event)))
    for variable, calls in made.items():
        # Several calls may make one wish; the one that is named like it means it (`abort` and `aborting`).
        yield variable, min(calls, key=lambda c: (c[0], -_alike(c[1].lower(), variable)))[1]
