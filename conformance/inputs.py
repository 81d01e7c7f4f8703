"""Segments made from the guards of rows.

No rule of TCP stands here, only how an honest segment looks (`neutral`, `_finish`) and which variables hold its numbers
(`binding.py`). What rows ask is not known: a guard's tree is *steered* until it holds (or until one conjunct of it does not), each
comparison to a value at its boundary; the table itself, run on the judge's configuration, then tells which rows such a
segment takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from wirelaw.conformance.binding import ACK_BASES, MESSAGE, SEQ_BASES, SYNCED, TROUBLE
from wirelaw.conformance.peer import octets
from wirelaw.conformance.trace import FLAGS, Relative, Send, Trouble
from wirelaw.impl.wire.tcp import Segment
from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow, attribute
from wirelaw.oracle.engine.search import merge
from wirelaw.oracle.engine.steps import ANY_ACT, Event, LawGapError, Steps
from wirelaw.oracle.engine.wording import context
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Unary, Window, text

LONGEST_TEXT = 1400
ERRORS = ((3, 0), (3, 1), (3, 2), (3, 3), (3, 5), (11, 0), (12, 0))
"""Types and codes of ICMP errors, some of each sort that the law tells apart."""
FAR_OFF = 100_000
_FAR = 1 << 30
_TRIES = 16
_OLD_ACK = 0.2
"""How often a segment acknowledges nothing new: then its effects, and a reset that quotes it, are its own."""
_LIMITS = {"len": LONGEST_TEXT, "wnd": 65_535, "mss": 65_535, "wscale": 255, "up": 65_535}
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(slots=True)
class Draft(Segment):
    """A segment in the judge's numbers (unwrapped), with the fact the table also asks about."""

    same: bool = True


class Quoted(NamedTuple):
    """An ICMP error as the law is told of it; `seq` is the judge's number of the segment that it quotes."""

    type: int
    code: int
    seq: int


class Options(NamedTuple):
    """What the tester offers on its SYN; None or False: not at all. `window` is what it says it can take."""

    mss: int | None
    wscale: int | None
    sack: bool
    timestamps: bool
    window: int


def value(c: Configuration, name: str) -> Any:
    """The value of a variable of the law in `c`."""
    return getattr(c, attribute(name))


class _Guards:
    """What of a law's guards does not change from walk to walk."""

    def __init__(self, law: CompiledLaw) -> None:
        self._machine = law.machine
        self._hidden: dict[int, tuple[Expr, bool]] = {}
        self.rows = tuple(r for r in law.rows if r.row.role == "input" and r.row.event == MESSAGE and not r.row.otherwise)
        self.by_state = {state: [r for r in self.rows if not r.row.states or state in r.row.states] for state in law.machine.states}
        self.visible = {r.id: law.machine.visible(r.row.guard) for r in self.rows}

    def is_hidden(self, e: Expr) -> bool:
        """As `Machine.is_hidden`, looked up."""
        known = self._hidden.get(id(e))
        if known is None:
            known = self._hidden[id(e)] = e, self._machine.is_hidden(e)
        return known[1]


_guards: dict[int, tuple[CompiledLaw, _Guards]] = {}


def _guards_of(law: CompiledLaw) -> _Guards:
    if id(law) not in _guards:
        _guards[id(law)] = law, _Guards(law)
    return _guards[id(law)][1]


class Composer:
    """Makes segments for one walk; `isn` and `options` are the tester's."""

    def __init__(self, law: CompiledLaw, steps: Steps, random: Random, isn: int, options: Options) -> None:
        self.law = law
        self.steps = steps
        self.random = random
        self.isn = isn
        self.options = options
        self.synced = law.machine.groups[SYNCED]
        self._guards = _guards_of(law)

    # --- what may come -------------------------------------------------------------------------------------------

    def rows_here(self, c: Configuration) -> list[CompiledRow]:
        """Input rows of the control state."""
        return self._guards.by_state[self.steps.control(c)]

    def taken(self, c: Configuration, draft: Draft, now: int) -> frozenset[str]:
        """The rows that `draft` may take in `c`, by running the table on a copy."""
        return self.took(c, MESSAGE, draft, now)

    def took(self, c: Configuration, kind: str, message: object, now: int) -> frozenset[str]:
        """The rows that a `message` of that kind may take in `c`."""
        before = c.trail
        try:
            after = merge(self.steps.consume(c.copy(), Event(kind, message, now, 0, 0), ANY_ACT))
        except LawGapError:
            return frozenset()
        found: set[str] = set()
        for d in after:
            trail = d.trail
            while trail is not None and trail is not before:
                trail, row, *_ = trail
                found.add(self.law.every[row].id)
        return frozenset(found)

    def troubled(self, c: Configuration, now: int, row: CompiledRow | None = None) -> Trouble | None:
        """An ICMP error about a segment of the peer's, one that takes `row` if that is given; None when there is none."""
        first, after = int(value(c, "snd_una")), int(value(c, "snd_nxt"))
        if after <= first:
            return None
        numbers = (first, after - 1, after + FAR_OFF, first - FAR_OFF)
        kinds = [
            Quoted(*kind, number)
            for kind in ERRORS
            for number in numbers
            if row is None or row.id in self.took(c, TROUBLE, Quoted(*kind, number), now)
        ]
        if not kinds:
            return None
        kind, code, number = self.random.choice(kinds)
        return Trouble(kind, code, _relative(number, c, ACK_BASES), f"[{row.id}]" if row is not None else "")

    def quoted(self, step: Trouble, c: Configuration) -> Quoted:
        """What the law is told of an ICMP error in `c`."""
        return Quoted(step.type, step.code, self.absolute(step.seq, c))

    def absolute(self, r: Relative, c: Configuration) -> int:
        """The number that `r` means in `c`."""
        return self._absolute(r, c)

    def neutral(self, c: Configuration) -> Draft:
        """The segment a peer sends that has nothing to say: an acknowledgment of everything."""
        d = Draft(seq=self.isn, ack=value(c, "snd_nxt"), wnd=self.options.window)
        if self.steps.control(c) in self.synced:
            d.seq, d.ackf = value(c, "rcv_nxt"), True
            if value(c, "ts_on"):
                d.tson, d.tsval, d.tsecr = True, value(c, "ts_recent") + self.random.choice((0, 0, 1, 10)), value(c, "ts_sent")
        return d

    def aimed(self, c: Configuration, row: CompiledRow, now: int, illegal: bool = False) -> Send | None:
        """A segment that takes `row`; with `illegal`, one that breaks a single conjunct of its guard. None when none was found."""
        visible = self._guards.visible.get(row.id, ())
        for attempt in range(_TRIES if visible else 0):
            draft = self.neutral(c)
            bound = context(self.law, c, None, dict.fromkeys(row.row.binders, draft), now)
            broken = self.random.choice(visible) if illegal else None
            if attempt % 3 == 2 or self.random.random() < _OLD_ACK:
                draft.ack = value(c, "snd_una") - self.random.choice((0, 0, 1))
            if attempt > 1 and not illegal:  # what an earlier table does to the variables may be what the row waits for
                self._steer_all(self.random.choice(self.rows_here(c)), draft, c, now)
            for conjunct in (*visible, *(visible if self.random.random() < 0.5 else ())):
                if conjunct is not broken:
                    self.steer(conjunct, True, draft, bound)
            if broken is not None:
                self.steer(broken, False, draft, bound)
            self._finish(draft, c)
            if illegal:
                failed = [e for e in visible if not evaluate(e, bound)]
                if len(failed) == 1:
                    return self.send(draft, c, f"[{row.id}] without: {text(failed[0])}  @{(row.row.clauses or ('',))[0]}")
            elif row.id in self.taken(c, draft, now):
                return self.send(draft, c, f"[{row.id}]")
        return None

    def _steer_all(self, row: CompiledRow, draft: Draft, c: Configuration, now: int) -> None:
        bound = context(self.law, c, None, dict.fromkeys(row.row.binders, draft), now)
        for conjunct in self._guards.visible.get(row.id, ()):
            self.steer(conjunct, True, draft, bound)

    def _finish(self, draft: Draft, c: Configuration) -> None:
        if draft.syn:
            o = self.options
            draft.has_mss, draft.mss = o.mss is not None, o.mss or 0
            draft.has_wscale, draft.wscale = o.wscale is not None, o.wscale or 0
            draft.sack_ok = o.sack
            if o.timestamps and not draft.tson:
                known = value(c, "ts_recent") if value(c, "ts_on") else 1000
                draft.tson, draft.tsval, draft.tsecr = True, known, value(c, "ts_sent") if draft.ackf else 0
        draft.len = max(0, min(draft.len, LONGEST_TEXT))
        if draft.tson:
            draft.tsval = max(draft.tsval, 0)

    # --- steering a predicate ------------------------------------------------------------------------------------

    def steer(self, e: Expr, wanted: bool, d: Draft, bound: Context) -> None:
        """Change `d` so that `e` is `wanted`, at a boundary where it has one. What is not in the message stays as it is."""
        if self._guards.is_hidden(e) or (bool(evaluate(e, bound)) == wanted and self.random.random() < 0.6):
            return
        match e:
            case Unary(op="not", x=x):
                self.steer(x, not wanted, d, bound)
            case Binary(op="and" | "or" as op, a=a, b=b):
                if (op == "and") == wanted:
                    self.steer(a, wanted, d, bound)
                    self.steer(b, wanted, d, bound)
                else:
                    self.steer(self.random.choice((a, b)), wanted, d, bound)
            case Field(name=name) if isinstance(getattr(d, name, None), bool):
                self._set_flag(d, name, wanted, bound)
            case Window(x=x, base=base, length=length):
                self._into_window(x, evaluate(base, bound), evaluate(length, bound), wanted, d, bound)
            case Binary(op=op, a=a, b=b) if op in _NEGATED:
                self._compare(op if wanted else _NEGATED[op], a, b, d, bound)

    def _set_flag(self, d: Draft, name: str, wanted: bool, bound: Context) -> None:
        setattr(d, name, wanted)
        if name == "tson" and wanted and not d.tsval:
            d.tsval, d.tsecr = bound.variable("ts_recent"), bound.variable("ts_sent")

    def _into_window(self, x: Expr, base: int, length: int, wanted: bool, d: Draft, bound: Context) -> None:
        inside = (0, length - 1, length // 2, 1) if length > 0 else ()
        places = [p for p in inside if 0 <= p < length] if wanted else [-1, length, length + 1, -2, -1000, length + 70_000]
        if places:
            self._move(x, base + self.random.choice(places) - evaluate(x, bound), d, bound)

    def _compare(self, op: str, a: Expr, b: Expr, d: Draft, bound: Context) -> None:
        left, right = evaluate(a, bound), evaluate(b, bound)
        if isinstance(left, bool) and isinstance(right, bool):
            return
        if not isinstance(left, int) or not isinstance(right, int):
            return
        gaps = {"==": (0,), "!=": (1, -1, 100, -100), "<": (-1, -1, -2, -1000), "<=": (0, 0, -1), ">": (1, 1, 2, 1000), ">=": (0, 0, 1)}[op]
        delta = self.random.choice(gaps) - (left - right)
        if not self._move(a, delta, d, bound):
            self._move(b, -delta, d, bound)

    def _move(self, e: Expr, delta: int, d: Draft, bound: Context) -> bool:
        """Add `delta` to the value of `e` by changing one field that it adds or subtracts; whether there is one."""
        leaves = list(_leaves(e, 1))
        self.random.shuffle(leaves)
        for name, sign, shift in leaves:
            old = getattr(d, name)
            if isinstance(old, bool):
                continue
            by = bound.variable(shift) if shift else 0
            new = old + sign * (delta >> by)
            limit = _LIMITS.get(name)
            if limit is not None and not 0 <= new <= limit:
                continue
            setattr(d, name, new)
            return True
        return False

    # --- to and from a trace -------------------------------------------------------------------------------------

    def send(self, d: Draft, c: Configuration, aim: str = "") -> Send:
        """`d` in relative terms."""
        known = self.steps.control(c) in self.synced
        seq = _relative(d.seq, c, SEQ_BASES) if known else Relative("isn", d.seq - self.isn)
        ack = _relative(d.ack, c, ACK_BASES) if d.ackf else Relative()
        flags = tuple(f for f in FLAGS if getattr(d, f))
        tsval = tsecr = None
        if d.tson:
            tsval = _relative(d.tsval, c, ("ts_recent",)) if known else Relative("", d.tsval)
            tsecr = _relative(d.tsecr, c, ("ts_sent",)) if d.tsecr else Relative()
        return Send(
            flags, seq, ack, d.wnd, d.up, d.len, d.mss if d.has_mss else None, d.wscale if d.has_wscale else None, d.sack_ok, tsval, tsecr,
            d.sum_ok, aim,
        )  # fmt: skip

    def draft(self, s: Send, c: Configuration) -> Draft:
        """The segment that `s` means in `c`."""
        d = Draft(seq=self._absolute(s.seq, c), ack=self._absolute(s.ack, c), wnd=s.wnd, up=s.up, len=s.len)
        for flag in s.flags:
            setattr(d, flag, True)
        d.has_mss, d.mss = s.mss is not None, s.mss or 0
        d.has_wscale, d.wscale = s.wscale is not None, s.wscale or 0
        d.sack_ok, d.sum_ok = s.sack_ok, s.sum_ok
        if s.tsval is not None:
            d.tson, d.tsval = True, self._absolute(s.tsval, c)
            d.tsecr = self._absolute(s.tsecr, c) if s.tsecr is not None else 0
        d.payload = octets(d.seq + d.syn - self.isn, s.len)
        return d

    def _absolute(self, r: Relative, c: Configuration) -> int:
        if not r.base:
            return r.offset
        return r.offset + (self.isn if r.base == "isn" else int(value(c, r.base)))


def _relative(number: int, c: Configuration, bases: tuple[str, ...]) -> Relative:
    found = min(((abs(number - value(c, b)), n, b) for n, b in enumerate(bases)), default=None)
    if found is None or found[0] > _FAR:
        return Relative("", number)
    return Relative(found[2], number - value(c, found[2]))


def _leaves(e: Expr, sign: int) -> list[tuple[str, int, str]]:
    """Fields of the message that `e` adds (+1) or subtracts (-1), with the variable that shifts them left, if any."""
    match e:
        case Field(name=name):
            return [(name, sign, "")]
        case Binary(op="+", a=a, b=b):
            return _leaves(a, sign) + _leaves(b, sign)
        case Binary(op="-", a=a, b=b):
            return _leaves(a, sign) + _leaves(b, -sign)
        case Binary(op="<<", a=Field(name=name), b=b) if not isinstance(b, Lit | Call):
            return [(name, sign, text(b))]
    return []
