"""Where a walk goes: towards the row taken least so far, by routes read from the table, through ordinary traffic and lies.

Everything is drawn from one seeded generator a walk. The same seed gives the same walk wherever the peer's answers are
the same; a peer in virtual time always gives the same.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from wirelaw.conformance.binding import MESSAGE, OPEN, OPENING, TROUBLE, USER_CALLS
from wirelaw.conformance.inputs import LONGEST_TEXT, Options, value
from wirelaw.conformance.interleave import make_walk
from wirelaw.conformance.peer import Peer
from wirelaw.conformance.routes import Hop, Routes
from wirelaw.conformance.trace import Call, Send, Step, Wait
from wirelaw.conformance.walk import Plan, Walk
from wirelaw.oracle.engine.configuration import NEVER, Configuration
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow
from wirelaw.spec.language.expressions import Expr, Lit, walk
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.types import DURATION

STEPS_A_WALK = 25
_SHORT_WAITS = (1_000, 15_000, 45_000, 60_000, 250_000)
_LONG_WAITS = (600_000, 1_100_000)
_PATIENT_US = 1_200_000
"""The longest single wait for a peer whose clock is the wall's."""
_TEXTS = (1, 2, 10, 100, 536, 1000, LONGEST_TEXT)
_WRITES = (1, 10, 100, 1460, 3000, 20_000)
_WINDOWS = (0, 1, 10, 536, 2000, 65_535)
_BUFFERS = (0, 0, 2304, 2304, 4608, 16_384)
_PATIENCE_WITH_GOAL = 8
_PROBES_WHEN_CLOSED = 2
_LISTENS = 0.3
_SOONEST = 3
"""Among how many of the next deadlines a wait is chosen; the end of a walk waits for the last ones."""
_ASIDE = 0.15
"""What a row that is met by a call or by time is worth against one that is met by a segment: many of these end the connection."""
_BUSY = 0.25
"""How often a row is met while something is in flight or a buffer fills, or only just missed: acting wrongly then shows more."""
_AIMS = 100
"""Aims at a row that a campaign asks for until it counts no more than half."""
_NOISE = {
    "row": 12, "lie": 14, "text": 14, "ack": 12, "partial": 5, "repeat": 2, "user": 16, "end": 2, "wait": 6, "due": 5, "damaged": 1,
    "stray": 1, "transfer": 2, "duplicates": 2, "shut": 2, "hold": 2, "error": 1,
}  # fmt: skip
"""What is done when no goal is pursued, and how often."""
_EXCHANGES = {
    "transfer": ("write", "ack", "partial", "ack", "partial", "ack"),
    "duplicates": ("write", "repeat", "repeat", "repeat", "partial", "ack"),
    "shut": ("close window", "write", "due", "due", "ack"),
    "hold": ("close window", "write", "end", "text", "ack"),
}
"""Steps that only together show something: a flight and its loss, a window that shuts, a close that has to wait for text."""


@dataclass(slots=True)
class Goals:
    """What has been reached so far, over all walks of a peer: rows taken, and rows aimed at."""

    law: CompiledLaw
    routes: Routes
    only: frozenset[str] = frozenset()
    taken: Counter[str] = field(default_factory=Counter)
    aimed: Counter[str] = field(default_factory=Counter)
    rows: tuple[CompiledRow, ...] = field(init=False)
    sending: frozenset[str] = field(init=False)
    """States in which the peer's user may send."""
    durations: list[int] = field(init=False)
    """Every time limit of the law, in µs."""
    _ways: dict[tuple[str, int], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = tuple(r for r in self.law.rows if self._is_met(r))
        self.durations = durations(self.law.machine)
        accepted = (r for r in self.law.machine.rows() if r.event == "send" and r.ending.kind != "refuse")
        self.sending = frozenset(state for r in accepted for state in r.states if state in self.law.machine.groups[OPEN])

    def _is_met(self, r: CompiledRow) -> bool:
        """Whether a walk can make a peer take `r`: by a segment, a call, or by letting time pass."""
        if r.row.role == "input":
            return not r.row.otherwise and (r.row.event in (MESSAGE, TROUBLE) or r.row.event_kind == "timer" or r.row.event in USER_CALLS)
        return r.row.role == "output" and r.level != "MAY"

    def weight(self, row: CompiledRow) -> float:
        """How much a row is worth a try."""
        if row.id in self.only:
            return 20.0 / (1 + self.aimed[row.id] / _AIMS)
        worth = 1.0 if row.row.event == MESSAGE and row.row.role == "input" else _ASIDE
        return worth / ((1 + self.taken[row.id]) * (1 + self.aimed[row.id] / 4))

    def reachable(self, state: str, row: CompiledRow) -> bool:
        """Whether a walk in `state` can still meet `row`."""
        key = (state, row.index)
        if key not in self._ways:
            at = row.row.states
            self._ways[key] = not at or state in at or self.routes.next_hop(state, at) is not None
        return self._ways[key]

    def choose(self, state: str, rows: tuple[CompiledRow, ...], random: Random) -> CompiledRow | None:
        """A row to go for, the rarer the likelier."""
        open_rows = [r for r in rows if self.reachable(state, r)]
        if not open_rows:
            return None
        return random.choices(open_rows, [self.weight(r) for r in open_rows])[0]


def durations(machine: Machine) -> list[int]:
    """Every time limit that `machine` states for debts, timers and parameters, in µs, ascending."""
    said: list[Expr | None] = [d.within for d in machine.debts.values()]
    said += [e for t in machine.timers.values() for e in (t.low, t.high)]
    said += [e for q in machine.params.values() for e in (q.low, q.high)]
    found = {n.value for e in said if e is not None for n in walk(e) if isinstance(n, Lit) and n.type == DURATION}
    return sorted(t for t in found if isinstance(t, int) and t > 0)


def draw_options(random: Random) -> Options:
    """What a tester offers: mostly what stacks offer today, sometimes little, sometimes odd values."""
    return Options(
        random.choice((1460, 1460, 536, 100, None)), random.choice((None, 0, 2, 7, 14)), random.random() < 0.5, random.random() < 0.6,
        random.choice((65_535, 65_535, 8192, 1000, 0)),
    )  # fmt: skip


def draw_isn(random: Random) -> int:
    """An initial sequence number, often close to the wrap."""
    return random.choice((random.randrange(1 << 32), (1 << 32) - random.randrange(1, 3000), (1 << 31) - random.randrange(1, 3000)))


def draw_buffer(random: Random) -> int:
    """A receive buffer for the peer: its own, or one small enough to be filled."""
    return random.choice(_BUFFERS)


def explore(peer: Peer, goals: Goals, seed: int, count: int | None = None, length: int = STEPS_A_WALK) -> Iterator[tuple[Walk, Plan]]:
    """Walk after walk, each from a generator of its own: `count` of them, or for ever."""
    for n in range(count) if count is not None else itertools.count():
        random = Random(f"{seed}:{n}")
        role = random.choice(("server", "client"))
        buffer, isn, options = draw_buffer(random), draw_isn(random), draw_options(random)
        yield make_walk(goals.law, peer, role, random, buffer, isn, options, number=n), Explorer(goals, random, length)


class Explorer:
    """Chooses the steps of one walk: up to `length`, then a silence in which everything owed falls due, and a last question."""

    def __init__(self, goals: Goals, random: Random, length: int) -> None:
        self.goals = goals
        self.random = random
        self.left = length
        self._goal: CompiledRow | None = None
        self._tries = 0
        self._closed = 0
        self._queue: list[str] = []
        self._ending = ["rest", "question"]

    def next(self, walk: Walk) -> Step | None:
        """The next step; None when the walk has had its length or there is nothing left to see."""
        if not walk.steps:
            return Call(OPENING[walk.role])
        self.left -= 1
        c = walk.view()
        if c is None or walk.composer is None:
            return None
        state = str(walk.search.steps.control(c))
        if self.goals.law.machine.states[state].final:
            self._closed += 1
        if self.left < 0 or self._closed > _PROBES_WHEN_CLOSED:
            return self._end(walk, c)
        if walk.peer.is_virtual and isinstance(walk.steps[-1], Send) and self.random.random() < _LISTENS:
            return self._due(walk, c) if self.random.random() < 0.3 else Wait(_LONG_WAITS[-1])  # only silence shows a missing answer
        if self._queue:
            return self._noise(walk, c, self._queue.pop(0))
        self._tries += 1
        if self._goal is None or self._tries > _PATIENCE_WITH_GOAL or not self.goals.reachable(state, self._goal):
            self._goal, self._tries = self.goals.choose(state, self.goals.rows, self.random), 0
        step = self._towards_goal(walk, c, state) if self.random.random() < 0.55 else None
        return step or self._noise(walk, c, self.random.choices(tuple(_NOISE), tuple(_NOISE.values()))[0])

    def _end(self, walk: Walk, c: Configuration) -> Step | None:
        while self._ending:
            kind = self._ending.pop(0)
            if kind == "rest" and walk.peer.is_virtual:
                return Wait(self.random.choice(self.goals.durations) + 1)
            if kind == "question":
                return self._segment(walk, c, self.random.choice(("text", "ack", "row", "stray")))
        return None

    # --- towards a row ---------------------------------------------------------------------------------------------

    def _towards_goal(self, walk: Walk, c: Configuration, state: str) -> Step | None:
        goal = self._goal
        if goal is None or walk.composer is None:
            return None
        routes, row = self.goals.routes, goal.row
        if row.states and state not in row.states:
            hop = routes.next_hop(state, row.states)
            return self._take_hop(walk, c, hop) if hop is not None else None
        self.goals.aimed[goal.id] += 1
        calls = tuple(n for n in routes.calls_for(row, state) if n in USER_CALLS) if routes.wishes(row) else ()
        if calls and not any(isinstance(s, Call) and s.name in calls for s in walk.steps):
            if routes.leads_away(calls, state) and row.role == "input" and self.random.random() < 0.7:
                self._queue = ["close window", "write", "goal call"]  # text that has to wait keeps what is called for waiting too
                return self._noise(walk, c, self._queue.pop(0))
            self._queue = ["stray"] if goal.moves else []  # whether the peer is still there
            return self._call(calls)
        if self.random.random() < _BUSY and state in self.goals.sending:
            return self._noise(walk, c, "write")
        step = self._meet(walk, c, goal)
        if step is None and self.random.random() < _BUSY:
            return self._noise(walk, c, "fill")  # what it waits for may be a window that is full
        if step is not None:
            self._goal = None
            self._queue = ["stray"] if goal.moves and self.random.random() < _BUSY else self._queue
        return step

    def _meet(self, walk: Walk, c: Configuration, goal: CompiledRow) -> Step | None:
        """What makes the peer take `goal` in a state of it."""
        assert walk.composer is not None
        if goal.row.event_kind == "call":
            return self._call((goal.row.event,)) if goal.row.event in walk.peer.calls else None
        if goal.row.role == "input" and goal.row.event == MESSAGE:
            return walk.composer.aimed(c, goal, walk.peer.now(), illegal=self.random.random() < _BUSY)
        if goal.row.role == "input" and goal.row.event == TROUBLE:
            self._queue = ["stray"]  # whether the peer is still there
            return walk.composer.troubled(c, walk.peer.now(), goal)
        self._queue = ["stray"]
        return self._due(walk, c)

    def _take_hop(self, walk: Walk, c: Configuration, hop: Hop) -> Step | None:
        if hop.row is not None and walk.composer is not None:
            return walk.composer.aimed(c, hop.row, walk.peer.now())
        if str(walk.search.steps.control(c)) in self.goals.sending and self.random.random() < _BUSY:
            return self._noise(walk, c, "write")
        calls = tuple(n for n in hop.calls if n in USER_CALLS)  # a session is opened once
        return self._call(calls) if calls else None

    def _call(self, names: tuple[str, ...]) -> Call:
        name = self.random.choice(names)
        return Call(name, self.random.choice(_WRITES) if name == "send" else int(name == "push"))

    # --- ordinary traffic, and the other sort ----------------------------------------------------------------------

    def _noise(self, walk: Walk, c: Configuration, kind: str) -> Step | None:
        random = self.random
        match kind:
            case "transfer" | "duplicates" | "shut" | "hold":
                self._queue = list(_EXCHANGES[kind])
                return self._noise(walk, c, self._queue.pop(0))
            case "user":
                return self._user()
            case "write":
                return Call("send", random.choice(_WRITES[3:]))
            case "end":
                return Call(random.choice(("close", "close", "leave", "abort")))
            case "goal call":
                state = str(walk.search.steps.control(c))
                calls = self.goals.routes.calls_for(self._goal.row, state) if self._goal is not None else ()
                return self._call(calls) if calls else self._user()
            case "wait":
                return Wait(random.choice(_SHORT_WAITS * 4 + _LONG_WAITS))
            case "due":
                return self._due(walk, c)
            case "error" if walk.composer is not None:
                return walk.composer.troubled(c, walk.peer.now()) or self._user()
            case _:
                return self._segment(walk, c, kind) or self._user()

    def _user(self) -> Call:
        name = self.random.choice(("send", "send", "send", "receive", "receive", "push"))
        return Call(name, self.random.choice(_WRITES) if name == "send" else int(name == "push"))

    def _due(self, walk: Walk, c: Configuration) -> Wait:
        """A silence until something is due: what the judge sees run, or one of the law's durations."""
        now, law = walk.peer.now(), self.goals.law
        times = [d.due - now for d in c.debts]
        times += [since + edge - now for (name, _), when in c.timers.items() for since, edge in zip(when, law.windows[name], strict=True)]
        times += [min(self.random.sample(self.goals.durations, 2))]
        limit = NEVER if walk.peer.is_virtual else _PATIENT_US
        times = [t + 1 + walk.judge.environment.lag for t in times if 0 <= t <= limit]
        return Wait(self.random.choice(sorted(times)[:_SOONEST] or _LONG_WAITS))

    def _segment(self, walk: Walk, c: Configuration, kind: str) -> Step | None:
        composer, random = walk.composer, self.random
        assert composer is not None
        rows = composer.rows_here(c)
        if kind in ("row", "lie") or walk.search.steps.control(c) not in composer.synced:
            if not rows:
                return None
            row = random.choices(rows, [self.goals.weight(r) for r in rows])[0]
            return composer.aimed(c, row, walk.peer.now(), illegal=kind == "lie")
        draft = composer.neutral(c)
        una, flight = value(c, "snd_una"), value(c, "snd_nxt") - value(c, "snd_una")
        match kind:
            case "text" | "damaged":
                room = max(0, min(value(c, "rcv_edge") - value(c, "rcv_nxt"), LONGEST_TEXT))
                draft.len, draft.psh = random.choice((*_TEXTS, room, max(room - 1, 0))), random.random() < 0.5
                draft.sum_ok = kind == "text"
            case "fill":
                draft.len = max(0, min(value(c, "rcv_edge") - value(c, "rcv_nxt"), LONGEST_TEXT))
            case "partial":
                draft.ack = una + random.choice((1, flight // 2, flight - 1, min(flight, value(c, "peer_mss")))) if flight > 0 else una
            case "repeat":
                draft.ack = una
            case "stray":  # what only a connection that is there answers as one
                draft.ack += 100_000
                draft.syn, draft.ackf = random.choice(((True, False), (False, True)))
            case "close window":
                draft.wnd = 0
            case _ if random.random() < 0.4:
                draft.wnd = random.choice(_WINDOWS)
        return composer.send(draft, c)
