"""Short captions of rows, in the manner of the RFCs' figures: `rcv SYN,ACK`, `CLOSE / snd FIN`, `◷ time_wait`.

Nothing here knows a protocol. What is shown is read off the row:

* a received or sent message that has no siblings is named by its *flags*: the bool fields that hold in the guard or
  are set in the row, and the enum fields that equal a constant; any other message by its name;
* a wish of the hidden application (a `user` variable) by the call that makes the wish;
* a timer by a clock and its name.

What the law leaves to the implementation bears a diamond. A layout may say how names are written, and give a row words of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, Unary, walk
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.spec.language.types import BOOL
from wirelaw.tools.draw.layout import Layout
from wirelaw.tools.draw.words import Binders, conditions, is_choice, said, shorten

CLOCK = "◷"
CHOICE = "◇"
LONGEST_CONDITION = 34
MOST_SET = 3
FLAGS = 3
"""A message with so many bool fields is named by those that are set, as TCP's segments are."""


@dataclass(frozen=True, slots=True)
class Label:
    """The caption of one row: what sets it off, under which condition (only where needed), and what it does.

    `choice`: the law allows it beside something else. `fixed`: the words come from a layout, and stay as they are.
    """

    trigger: str
    effect: str
    condition: str = ""
    choice: bool = False
    fixed: bool = False

    @property
    def event(self) -> str:
        """The trigger with its condition."""
        condition = f"[{self.condition}]" if self.condition else ""
        return " ".join(part for part in (self.trigger, CHOICE if self.choice else "", condition) if part)

    def __str__(self) -> str:
        return " / ".join(part for part in (self.event, self.effect) if part)


class Labeller:
    """Captions for the rows of one machine."""

    def __init__(self, machine: m.Machine, layout: Layout | None = None) -> None:
        self.machine = machine
        self.layout = layout or Layout()
        self.wishes = dict(_wishes(machine))
        self.notes = self._notes()

    def label(self, row: m.Row, ending: Ending, actions: tuple[Statement, ...]) -> Label:
        """The caption of `row` when it ends with `ending` (the row's own, or one alternative of an `either`)."""
        made = self._made(row, ending, actions)
        choice = row.mode == "may" or any(is_choice(c) for c in row.own)
        words = self.layout.said.get(row.id)
        if words is None or ending.kind == "abort":
            return replace(made, choice=choice)
        trigger, _, effect = words.partition("/")
        return Label(trigger.strip(), effect.strip() or made.effect, choice=choice, fixed=True)

    def _made(self, row: m.Row, ending: Ending, actions: tuple[Statement, ...]) -> Label:
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
        for conjunct in (*row.own, *row.when):
            if isinstance(conjunct, Call) and conjunct.function == "running" and isinstance(conjunct.args[0], Lit):
                return f"{CLOCK} {conjunct.args[0].value}"
        if row.event == "":
            asked = [c for c in (*row.own, *row.when) if not is_choice(c)]
            return f"[{shorten(', '.join(said(c, {}, 2) for c in asked), LONGEST_CONDITION)}]" if asked else "at once"
        return ""

    def wishes_of(self, row: m.Row) -> list[str]:
        found: list[str] = []
        for conjunct in (*row.own, *row.when):
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
        return self.name(row.kind) if row.kind else self.flags_or_name(message, flags(message, row.own))

    def otherwise_unsaid(self, row: m.Row) -> str:
        """A condition for a caption that would name nothing but the one kind of message there is: a late stage of a pipeline."""
        message = self.machine.messages[row.event]
        if message.parent is not None or not message.is_kind or flags(message, row.own):
            return ""
        parts = [words for words, c in conditions(row, self.binders(row)) if not isinstance(c, Unary)]
        return shorten(parts[0], LONGEST_CONDITION) if parts else ""

    def noted(self, row: m.Row) -> Label | None:
        """The caption of the row that raised the flag this one acts on: a later stage of the pipeline, on the same message."""
        if flags(self.machine.messages[row.event], row.own):
            return None
        found = (self.notes.get((row.event, c.name)) for c in row.own if isinstance(c, Name) and c.kind == "var")
        return next((label for label in found if label is not None), None)

    def _notes(self) -> dict[tuple[str, str], Label]:
        """Captions of rows that take note of a flagged message in a `var`, by (message, variable); the first row counts."""
        found: dict[tuple[str, str], Label] = {}
        for table in self.machine.tables.values():
            for row in table.rows:
                held = flags(self.machine.messages[row.event], row.own) if row.event_kind == "message" else []
                for a in row.actions if held else ():
                    if a.kind == "assign" and isinstance(a.value, Lit) and a.value.value is True:
                        label = Label(f"rcv {self.received(row)}", self.effect(row.actions, row))
                        found.setdefault((row.event, a.name), label)
        return found

    def sent(self, row: m.Row) -> str:
        message = self.machine.messages[row.event]
        return self.name(row.kind) if row.kind else self.flags_or_name(message, flags(message, row.where))

    def flags_or_name(self, message: m.Message, found: list[str]) -> str:
        """The flags alone where the one kind of message is known by them; else its name, with what tells its kinds apart."""
        name = self.name(message.name)
        alone = message.parent is None and message.is_kind
        if alone and found and has_flags(message):
            return ",".join(found)
        constants = [n for n in found if n.lower() not in message.fields]
        return f"{name} {', '.join(c.lower() for c in constants)}" if constants else name

    def binders(self, row: m.Row) -> Binders:
        """The binder of the row's message, and its flags as captions have them."""
        message = self.machine.messages.get(row.event)
        named = {n: _shown(message, n) for n, f in message.fields.items() if f.type == BOOL} if message and has_flags(message) else {}
        return dict.fromkeys(row.binders, named)

    def name(self, message: str) -> str:
        """A message's name as its documents write it."""
        match self.layout.names:
            case "CamelCase":
                return "".join(part.capitalize() for part in message.split("_"))
            case "UPPER_CASE":
                return message.upper()
        return message

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
                flagged = [debt.name.upper()] if has_flags(message) else []
                found.append(f"owe {self.flags_or_name(message, flags(message, debt.where) or flagged)}")
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
            named = message.fields.get(conjunct.a.name)
            if conjunct.b.type.kind == "enum" and named is not None and named.default is None:  # a default tells nothing apart
                held.add(str(conjunct.b.value))
        elif not isinstance(conjunct, Unary):
            looked_at |= {n.name for n in walk(conjunct) if isinstance(n, Field)}
    if not held:
        held = {f"{name}f" for name in looked_at if f"{name}f" in message.fields}
    order = {name: i for i, name in enumerate(message.fields)}
    ranked = sorted(held, key=lambda n: (_has_number(message, n), order.get(n, len(order)), n))  # SYN,ACK and FIN,ACK, as the RFCs write
    return [_shown(message, name) for name in ranked]


def has_flags(message: m.Message) -> bool:
    """Whether a message is known by its flags, as a TCP segment is."""
    return message.parent is None and message.is_kind and sum(f.type == BOOL for f in message.fields.values()) >= FLAGS


def spoken(name: str) -> str:
    """A call as the RFCs write it: `open_active` is `OPEN active`."""
    first, _, rest = name.partition("_")
    return f"{first.upper()} {rest.replace('_', ' ')}".strip()


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


def done(labeller: Labeller, row: m.Row, ending: Ending, more: tuple[Statement, ...]) -> str:
    """All that a row does when it ends so, in few words: what it sends, owes, tells, starts and stops, then the variables it sets."""
    actions = [*row.actions, *more]
    parts = [e for e in [labeller.effect(tuple(actions), row)] if e]
    if row.role == "output" and row.event:
        parts.insert(0, f"snd {labeller.sent(row)}")
    if ending.kind == "abort":
        parts.append("abort " + " | ".join(map(str, ending.codes)))
    told = [a.name.replace("_", " ") for a in actions if a.kind == "tell"]
    clocks = [
        f"{'start' if a.kind in ('start', 'ensure') else 'stop'} {CLOCK} {a.name}" for a in actions if a.kind in ("start", "ensure", "stop")
    ]
    sets = list(dict.fromkeys(a.name for a in actions if a.kind == "assign"))
    seen = [n for n in sets if labeller.machine.variables[n].kind != "policy"]
    sets = seen if parts or seen else sets
    parts += [f"tell {', '.join(dict.fromkeys(told))}"] if told else []
    parts += list(dict.fromkeys(clocks))
    parts += [f"set {', '.join(sets[:MOST_SET])}{', …' if len(sets) > MOST_SET else ''}"] if sets else []
    return "; ".join(parts)
