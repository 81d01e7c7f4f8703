"""Where a walk goes: towards the row taken least so far, by routes read from the table, through ordinary traffic and lies.

Everything is drawn from one seeded generator a walk. The same seed gives the same walk wherever the peer's answers are
the same; a peer in virtual time always gives the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from wirelaw.conformance.inputs import LONGEST_TEXT, Options, value
from wirelaw.conformance.routes import Hop, Routes
from wirelaw.conformance.trace import Call, Send, Step, Wait
from wirelaw.conformance.walk import Walk
from wirelaw.oracle.configuration import Configuration
from wirelaw.oracle.rows import CompiledLaw, CompiledRow

_SHORT_WAITS = (1_000, 15_000, 45_000, 60_000, 250_000)
_LONG_WAITS = (600_000, 1_100_000)
_VIRTUAL_WAITS = (3_000_000, 20_000_000, 61_000_000, 125_000_000)
_TEXTS = (1, 2, 10, 100, 536, 1000, LONGEST_TEXT)
_WRITES = (1, 10, 100, 1460, 3000, 20_000)
_WINDOWS = (0, 1, 10, 536, 2000, 65_535)
_BUFFERS = (0, 0, 0, 2304, 4608, 16_384)
_PATIENCE_WITH_GOAL = 8
_PROBES_WHEN_CLOSED = 2
_LISTENS = 0.3


@dataclass(slots=True)
class Goals:
    """What has been reached so far, over all walks of a peer: rows taken, and rows aimed at."""

    law: CompiledLaw
    routes: Routes
    only: frozenset[str] = frozenset()
    taken: Counter[str] = field(default_factory=Counter)
    aimed: Counter[str] = field(default_factory=Counter)
    _ways: dict[tuple[str, int], bool] = field(default_factory=dict)

    def weight(self, row: CompiledRow) -> float:
        """How much a row is worth a try."""
        wanted = 20.0 if row.id in self.only else 1.0
        return wanted / ((1 + self.taken[row.id]) * (1 + self.aimed[row.id] / 4))

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


class Explorer:
    """Chooses the steps of one walk of at most `length` steps."""

    def __init__(self, goals: Goals, random: Random, length: int) -> None:
        self.goals = goals
        self.random = random
        self.left = length
        self._goal: CompiledRow | None = None
        self._tries = 0
        self._closed = 0

    def next(self, walk: Walk) -> Step | None:
        """The next step; None when the walk has had its length or there is nothing left to see."""
        if not walk.steps:
            return Call("open_passive" if walk.role == "server" else "open_active")
        self.left -= 1
        c = walk.view()
        if self.left < 0 or c is None or walk.composer is None:
            return None
        state = str(walk.search.steps.control(c))
        if self.goals.law.machine.states[state].final:
            self._closed += 1
            if self._closed > _PROBES_WHEN_CLOSED:
                return None
        if walk.peer.is_virtual and isinstance(walk.steps[-1], Send) and self.random.random() < _LISTENS:
            return Wait(_LONG_WAITS[-1])  # time is free there, and only silence shows an answer that is missing
        self._tries += 1
        if self._goal is None or self._tries > _PATIENCE_WITH_GOAL or not self.goals.reachable(state, self._goal):
            self._goal, self._tries = self.goals.choose(state, walk.composer.input_rows, self.random), 0
        step = self._towards_goal(walk, c, state) if self.random.random() < 0.55 else None
        return step or self._noise(walk, c, state)

    def _towards_goal(self, walk: Walk, c: Configuration, state: str) -> Step | None:
        goal = self._goal
        if goal is None or walk.composer is None:
            return None
        if goal.row.states and state not in goal.row.states:
            hop = self.goals.routes.next_hop(state, goal.row.states)
            return self._take_hop(walk, c, hop) if hop is not None else None
        self.goals.aimed[goal.id] += 1
        calls = self.goals.routes.calls_for(goal.row, state) if self.goals.routes.wishes(goal.row) else ()
        if calls and not any(isinstance(s, Call) and s.name in calls for s in walk.steps):
            return self._call(calls)
        step = walk.composer.aimed(c, goal, walk.peer.now())
        if step is not None:
            self._goal = None
        return step

    def _take_hop(self, walk: Walk, c: Configuration, hop: Hop) -> Step | None:
        if hop.row is not None and walk.composer is not None:
            return walk.composer.aimed(c, hop.row, walk.peer.now())
        return self._call(hop.calls)

    def _call(self, names: tuple[str, ...]) -> Call:
        name = self.random.choice(names)
        return Call(name, self.random.choice(_WRITES) if name == "send" else 0)

    def _noise(self, walk: Walk, c: Configuration, state: str) -> Step | None:
        random = self.random
        kind = random.choices(("row", "lie", "text", "ack", "user", "end", "wait"), (12, 14, 16, 16, 18, 2, 8))[0]
        if kind == "user":
            return self._user()
        if kind == "end":
            return Call(random.choice(("close", "close", "leave", "abort")))
        if kind == "wait":
            return self._wait(walk)
        return self._segment(walk, c, kind) or self._user()

    def _user(self) -> Call:
        name = self.random.choice(("send", "send", "send", "receive", "receive", "push"))
        return Call(name, self.random.choice(_WRITES) if name == "send" else int(name == "push"))

    def _wait(self, walk: Walk) -> Wait:
        waits = _SHORT_WAITS * 4 + _LONG_WAITS + (_VIRTUAL_WAITS if walk.peer.is_virtual else ())
        return Wait(self.random.choice(waits))

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
        if kind == "text":
            room = max(0, min(value(c, "rcv_edge") - value(c, "rcv_nxt"), LONGEST_TEXT))
            draft.len, draft.psh = random.choice((*_TEXTS, room)), random.random() < 0.5
        elif random.random() < 0.4:
            draft.wnd = random.choice(_WINDOWS)
        return composer.send(draft, c)
