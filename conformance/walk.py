"""One walk: one connection of a peer, driven step by step, every packet of both directions in the judge's hands.

A walk is a coroutine in the plain sense: `run` yields the time until which it wants to sleep, and is resumed then, or
earlier when a frame came while it was waiting for the peer to settle. Dozens run side by side in one thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from wirelaw.conformance.binding import BEFORE, CLOSED, MESSAGE, OPENING, TROUBLE
from wirelaw.conformance.inputs import Composer, Draft, Options, Quoted
from wirelaw.conformance.peer import MASK, Peer, PeerCrashError, build_error, build_frame
from wirelaw.conformance.routes import Routes
from wirelaw.conformance.trace import Call, Step, Trace, Trouble, Wait
from wirelaw.impl.wire.tcp import Segment
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.engine.configuration import NEVER, Configuration
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow
from wirelaw.oracle.engine.search import BudgetError, Search, merge
from wirelaw.oracle.engine.steps import ANY_ACT, NO_ACT, SILENT_ACT, Event, Match, Steps
from wirelaw.oracle.engine.verdict import Bounds, Environment, Finding, Grade, Verdict
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction
from wirelaw.spec.language.model import Row

PAUSE_US = 4_000
"""How long a step waits for the peer to settle before the next one follows."""
REST_US = 1_300_000
"""How long the end of a walk waits for what is still owed within that time."""
SILENCE_US = 100_000_000
"""How long a peer may leave undone what its user has asked for while it sends nothing at all: no timer of TCP runs longer unseen."""


class Plan(Protocol):
    """Where the steps come from."""

    def next(self, walk: Walk) -> Step | None:
        """The next step; None at the end."""


class _OneConnection(Demultiplexer):
    """All segments between the two ends belong to one connection, whatever SYNs pass: the walk has one judge."""

    def _connection(self, packet: Packet, located: object, octets: bytes, s: Segment) -> tuple[Connection, Direction]:
        for connection in self.connections[:1]:
            return connection, Direction(connection.client.port != s.src_port)
        return super()._connection(packet, located, octets, s)  # type: ignore[arg-type]


class _BenchSteps(Steps):
    """The steps of a peer whose user is the bench: what `called` has not asked for, the user does not want."""

    def __init__(self, law: CompiledLaw, environment: Environment, routes: Routes) -> None:
        super().__init__(law, environment)
        self.called: set[str] = set()
        self._routes = routes

    def _wanted(self, row: Row) -> bool:
        return row.event in self.called if row.event_kind == "call" else self._routes.is_granted(row, frozenset(self.called))

    def acts(self, c: Configuration, event: Event) -> Iterator[Configuration]:
        for d in super().acts(c, event):
            if d.trail is None or d.trail is c.trail or self._wanted(self.law.every[d.trail[1]].row):
                yield d

    def matches(self, c: Configuration, event: Event) -> list[Match]:
        return [match for match in super().matches(c, event) if match.is_reply or self._wanted(match.row.row)]


class _BenchSearch(Search):
    """The search of a bench that hands every frame to its peer itself, after all that the peer sent before.

    An input is therefore acted on before any later output (no lag), while deadlines keep the lag of the environment. Also
    counts the gates that agreed to an output.
    """

    def __init__(self, law: CompiledLaw, bounds: Bounds, environment: Environment, routes: Routes) -> None:
        super().__init__(law, bounds, environment)
        self.steps: _BenchSteps = _BenchSteps(law, environment, routes)
        self.gates: Counter[str] = Counter()
        self.acted = False  # the user has done what some input row waits for
        self.visited: set[str] = set()  # control states in which it was thought of what the user's wishes do at once

    def remember(self) -> tuple[frozenset[str], bool, frozenset[str]]:
        return frozenset(self.steps.called), self.acted, frozenset(self.visited)

    def recall(self, known: tuple[frozenset[str], bool, frozenset[str]] | None) -> None:
        called, self.acted, visited = known or (frozenset(), False, frozenset())
        self.steps.called, self.visited = set(called), set(visited)

    def emit(self, c: Configuration, match: Match, event: Event) -> list[Configuration]:
        self.gates.update(g.id for g, _ in match.gates)
        return super().emit(c, match, event)

    def consume(self, c: Configuration, posit: int) -> list[Configuration]:
        return super().consume(c, ANY_ACT if self.acted and posit == SILENT_ACT else posit)

    def is_due(self, c: Configuration, now: int) -> bool:
        at = c.next - self.base
        return c.alarm < now - self.environment.lag or (at < len(self.pending) and self.pending[at].time <= now)

    def pass_time(self, c: Configuration, now: int) -> list[Configuration]:
        overdue = now - self.environment.lag
        work, done = [c], []
        while work:
            self.spend()
            c = work.pop()
            at = c.next - self.base
            captured = self.pending[at].time if at < len(self.pending) else NEVER
            if captured <= now and c.alarm > captured and self.consumable(c, now):
                work += self._forced(c, captured)
            elif c.alarm < overdue:
                work += self._expire(c)
            else:
                done.append(c)
        return merge(done)


@dataclass(frozen=True, slots=True)
class WalkResult:
    """What came of a walk. `frames` are the packets of both directions, numbered from 1 in findings.

    `behind` are rows that the tester's last segment before a failure took, of those that do something or end its way: the
    failure may be theirs, whatever row it looks most like.
    """

    trace: Trace
    verdict: Verdict
    rows: Counter[str]
    frames: tuple[tuple[int, bytes], ...]
    state: str
    number: int = 0
    behind: frozenset[str] = frozenset()

    @property
    def failure(self) -> Finding | None:
        """The contradiction, if there was one."""
        return next((f for f in self.verdict.findings if f.grade is Grade.FAIL), None)


class Walk:
    """A connection in progress. `patience` multiplies every wait of the bench's own (not the steps of the trace)."""

    def __init__(
        self, law: CompiledLaw, routes: Routes, peer: Peer, role: str, buffer: int = 0, isn: int = 0, patience: int = 1, number: int = 0,
    ) -> None:  # fmt: skip
        self.law, self.peer, self.role, self.buffer, self.isn = law, peer, role, buffer, isn
        self.routes = routes
        self.patience = patience
        self.number = number
        self.session = peer.open(buffer)
        environment = peer.environment
        environment = Environment(environment.lag * patience, environment.swap, environment.losses, environment.hidden)
        self.judge = Judge(law, Bounds(configurations=512, seconds=60.0), environment, peer.name)
        self.search = self.judge.search = _BenchSearch(law, self.judge.bounds, environment, routes)
        self.steps: list[Step] = []
        self.frames: list[tuple[int, bytes]] = []
        self.impatient = False
        self.composer: Composer | None = None
        self.drain: Callable[[], None] = lambda: None
        self._demultiplexer = _OneConnection()
        self._over = False
        self._bare = False
        self._heard = 0
        self._wished: dict[str, tuple[CompiledRow, int]] = {}
        self._latest: tuple[Configuration, str, Draft | Quoted] | None = None

    @property
    def key(self) -> tuple[int, int]:
        """The ports of peer and tester."""
        return self.session.ends.key

    # --- packets -------------------------------------------------------------------------------------------------

    def receive(self, time: int, frame: bytes) -> None:
        """A frame of this connection was seen, from either side."""
        if self._over:
            return
        self.frames.append((time, frame))
        seen = self._demultiplexer.feed(Packet(len(self.frames), time, frame, LinkType.ETHERNET, len(frame)))
        if seen is None:
            return
        segment = seen[1].segment
        if segment.src_port == self.session.ends.peer.port:
            if segment.rst and self._bare and segment.seq & MASK == 0:
                segment = replace(segment, seq=0)  # said so by RFC 9293 3.10.7.1, however close to it the peer's own numbers are
            self._heard = time
            self.judge.output(MESSAGE, segment, time, len(self.frames))
            at = [self.search.steps.control(c) for c in self.judge.frontier]
            self._wished = {n: w for n, w in self._wished.items() if w[0].moves and all(x in w[0].row.states for x in at)}
        elif segment.sum_ok:
            self._bare = not segment.ackf
            self.judge.input(MESSAGE, segment, time, len(self.frames))

    def view(self) -> Configuration | None:
        """The likeliest configuration once the peer has acted on all that was sent; None after a contradiction."""
        if self.judge.ended or not self.judge.frontier:
            return None
        search, steps = self.search, self.search.steps
        steps.count = 0
        start = self.judge.frontier
        try:
            reached = search.sweep([c.copy() for c in start], Event("", None, self.peer.now(), 0, 0), None, NO_ACT)
        except BudgetError:
            return None
        done = [c for c in reached if c.next == search.end] or reached
        opening = BEFORE[self.role] if not self.frames else ""
        return min(done, key=lambda c: (steps.control(c) != opening if opening else steps.control(c) == CLOSED, c.cost), default=None)

    def state(self) -> str:
        """The control state of the view."""
        c = self.view()
        return str(self.search.steps.control(c)) if c is not None else ""

    # --- running ---------------------------------------------------------------------------------------------------

    def run(self, plan: Plan) -> Iterator[int]:
        """Drive the connection; yields wake-up times."""
        while not self.judge.ended and (step := plan.next(self)) is not None:
            self.steps.append(step)
            yield from self._perform(step)
        if not self.judge.ended:
            yield from self._settle(REST_US + self.judge.environment.lag, True)

    def _perform(self, step: Step) -> Iterator[int]:
        match step:
            case Call(name=name, n=n):
                self.drain()
                self.judge.advance(self.peer.now())
                self._note_wish(name)
                if self.session.listening and name not in OPENING.values():
                    self.judge.intervene(lambda: self.search.steps.called.add("abort"))  # what nobody has accepted goes with its listener
                self.session.call(name, n)
                self._posit(name)
            case Wait(us=us):
                until = self.peer.now() + us
                while self.peer.now() < until and not self.judge.ended:
                    yield until
                    self.judge.advance(self.peer.now())
                self._posit_arrival()
                self._listen_again()
                self._hear_silence()
                return
            case Trouble():
                self._report_trouble(step)
            case _:
                self.drain()  # what the peer sent before is seen before
                c = self.view()
                if c is None or self.composer is None:
                    return
                draft = self.composer.draft(step, c)
                self._latest = c, MESSAGE, self.composer.draft(step, c)  # building the frame wraps its numbers
                frame = build_frame(self.session.ends, draft, step.sum_ok)
                self.drain()  # whatever it sent while that was made came first, too
                now = self.peer.now()
                try:
                    self.peer.transmit(frame)
                finally:
                    self.receive(now, frame)
                self.session.accept()
        yield from self._settle(PAUSE_US * min(self.patience, 4), False)
        self._posit_arrival()
        self._listen_again()

    def _report_trouble(self, step: Trouble) -> None:
        self.drain()
        c = self.view()
        if c is None or self.composer is None:
            return
        quoted = self.composer.quoted(step, c)
        self._latest = c, TROUBLE, quoted
        now = self.peer.now()
        self.frames.append((now, build_error(self.session.ends, quoted.type, quoted.code, quoted.seq)))
        self.judge.input(TROUBLE, quoted, now, len(self.frames))
        self.peer.transmit(self.frames[-1][1])

    def _note_wish(self, call: str) -> None:
        """Remember what the peer must send now that its user calls `call`, where every configuration agrees that it can."""
        steps = self.search.steps
        states = {str(steps.control(c)) for c in self.judge.frontier}
        if not self.session.listening and not self.routes.may_be_refused(call, states, steps.called):
            for r in self.law.emissions:
                if r.row.mode == "lazy" and states <= r.row.states and all(self.routes.surely_wishes(call, r.row, s) for s in states):
                    self._wished[r.id] = r, self.peer.now()

    def _hear_silence(self) -> None:
        """The finding that the user's wish is not met: nothing has come for long, and in every configuration it could have."""
        steps, now, frontier = self.search.steps, self.peer.now(), self.judge.frontier
        for r, since in self._wished.values():
            able = frontier and all(
                steps.in_states(r, c, None) and r.guard(c, None, None, now) and not self._may_be_over(c) for c in frontier
            )
            if able and now - max(since, self._heard) >= SILENCE_US and not self.judge.ended:
                clause, waited = next(iter(r.row.clauses), ""), (now - since) // 1_000_000
                said = f"{self.peer.name} did not send  [{r.id}] (its user asked for it {waited} s ago)"
                self.judge.findings.append(Finding(Grade.FAIL, clause, r.level, r.id, 0, now, said, (), self.state(), len(frontier)))
                self.judge.ended = True

    def _may_be_over(self, c: Configuration) -> bool:
        """Whether a timer that nobody sees may have ended what goes on."""
        return any(self.law.windows[name][0] <= self.peer.now() - earliest for (name, _), (earliest, _) in c.timers.items())

    def _posit(self, call: str) -> None:
        """What the call may do at once without a packet: the judge need not guess the moment."""
        now = self.peer.now()
        self.judge.intervene(lambda: self._called(call, now))

    def _called(self, call: str, now: int) -> None:
        self.search.steps.called.add(call)
        self.search.acted |= call in self.routes.telling
        self._add_acts(lambda row, state: row.event == call or call in self.routes.calls_for(row, state), now)

    def _posit_arrival(self) -> None:
        """What the user's wishes of before may do at once in the states the peer has come to."""
        now = self.peer.now()
        self.judge.advance(now)
        if not self.judge.ended:
            self.judge.intervene(lambda: self._arrived(now))

    def _arrived(self, now: int) -> None:
        steps = self.search.steps
        fresh = {str(steps.control(c)) for c in self.judge.frontier} - self.search.visited
        self.search.visited |= fresh
        if fresh and steps.called:

            def wanted(row: Row, state: str) -> bool:
                return state in fresh and row.event_kind == "auto" and bool(steps.called & {*self.routes.calls_for(row, state)})

            self._add_acts(wanted, now)

    def _add_acts(self, wanted: Callable[[Row, str], bool], now: int) -> None:
        steps = self.search.steps
        for c in list(self.judge.frontier):
            for d in steps.acts(c, Event("", None, now, len(self.frames), 0)):
                row = self.law.every[d.trail[1]].row if d.trail is not None else None
                if row is not None and wanted(row, str(steps.control(c))):
                    self.judge.frontier.append(d)

    def _listen_again(self) -> None:
        """While the user's passive open stands, a connection that came to nothing leaves the port in LISTEN."""
        if self.session.listening and self.frames:
            now = self.peer.now()
            self.judge.advance(now)
            if not self.judge.ended:
                self.judge.intervene(lambda: self._over_and_listening(now))

    def _over_and_listening(self, now: int) -> None:
        steps, frontier = self.search.steps, self.judge.frontier
        for c in list(frontier):
            for slot, (earliest, _) in c.timers.items():
                if self.law.windows[slot[0]][0] <= now - earliest:
                    frontier += steps.expire(c, slot, now, len(self.frames))
        if any(steps.control(c) == CLOSED for c in frontier):
            self._called(OPENING["server"], now)
            self.judge.frontier = merge([c for c in self.judge.frontier if steps.control(c) != CLOSED] or frontier)

    def _settle(self, limit: int, at_end: bool) -> Iterator[int]:
        """Wait until nothing is left to be done, at most `limit`; at the end, debts due later than that do not count."""
        until = self.peer.now() + limit
        self.impatient = True
        yield self.peer.now()
        while (now := self.peer.now()) < until and not self.judge.ended:
            if self.judge.settled(now) or (at_end and not self._owes_until(until)):
                break
            yield until
            self.judge.advance(self.peer.now())
        self.impatient = False

    def _owes_until(self, time: int) -> bool:
        lag = self.judge.environment.lag
        return self.search.end > min((c.next for c in self.judge.frontier), default=0) or any(
            c.alarm + lag <= time for c in self.judge.frontier
        )

    def crashed(self, error: PeerCrashError) -> None:
        """The peer's code failed: that ends the judgement."""
        self.judge.findings.append(Finding(
            Grade.FAIL, "crash", "MUST", str(error).partition(":")[0], len(self.frames), self.peer.now(),
            f"{self.peer.name} crashed  {error}", configuration=self.state(), possible=len(self.judge.frontier),
        ))  # fmt: skip
        self.judge.ended = True

    def finish(self) -> WalkResult:
        """End the walk, whatever its state; the peer's side is let go."""
        verdict = self.judge.finish(self.peer.now())
        state = self.state()
        self._over = True
        c = self.view()
        if c is not None and self.composer is not None and state in self.composer.synced:
            reset = self.composer.neutral(c)
            reset.rst, reset.ackf = True, False
            with suppress(PeerCrashError):
                self.peer.transmit(build_frame(self.session.ends, reset))
        self.session.close()
        rows = Counter({row: n for row, n in verdict.coverage.items() if n}) + self.search.gates
        fails = next((f.key for f in verdict.findings if f.grade is Grade.FAIL), None)
        trace = Trace(self.peer.name, self.role, self.buffer, self.isn, tuple(self.steps), fails)
        return WalkResult(trace, verdict, rows, tuple(self.frames), state, self.number, self._behind() if fails else frozenset())

    def _behind(self) -> frozenset[str]:
        if self._latest is None or self.composer is None:
            return frozenset()
        taken = (self.law.machine.row(name) for name in self.composer.took(*self._latest, self.peer.now()))
        return frozenset(r.id for r in taken if r.actions or r.ending.kind != "next")


PLAIN = Options(mss=1460, wscale=None, sack=False, timestamps=False, window=65_535)


class Replayed:
    """The steps of a trace, one after the other."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = iter(steps)

    def next(self, walk: Walk) -> Step | None:
        """The next step of the trace."""
        return next(self._steps, None)


__all__ = ["Plan", "Replayed", "Walk", "WalkResult"]
