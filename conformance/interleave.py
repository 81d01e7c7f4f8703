"""Many walks at once against one peer, in one thread: their waits overlap."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from random import Random

from wirelaw.conformance.binding import MACHINE
from wirelaw.conformance.inputs import Composer, Options
from wirelaw.conformance.peer import Peer, PeerCrashError, ports
from wirelaw.conformance.routes import Routes
from wirelaw.conformance.trace import Trace
from wirelaw.conformance.walk import PLAIN, Plan, Replayed, Walk, WalkResult
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.spec.language.deviations import Deviation
from wirelaw.spec.language.load import SPEC, Law, load
from wirelaw.spec.language.model import Machine


@lru_cache(maxsize=1)
def _files() -> Law:
    return load([SPEC / "tcp"])


def tcp_machine() -> Machine:
    """The shipped law of TCP."""
    return _files().machine(MACHINE)


def known_deviations(peer: str) -> tuple[Deviation, ...]:
    """What `peer` is known to do against the law of TCP; nothing where it has no name."""
    return tuple(d for known in _files().known_deviations(MACHINE, peer) for d in known.deviations) if peer else ()


@lru_cache
def tcp_law(peer: str = "") -> CompiledLaw:
    """The shipped law of TCP as its judge reads it; also what its user's wishes start that only time will show.

    `peer` is whose deviations are known beside it, if any are.
    """
    law = compile_law(tcp_machine(), deviations=_files().known_deviations(MACHINE, peer) if peer else ())
    known = {r.id for r in law.autos}
    arming = (r for r in law.rows if r.row.event_kind == "auto" and any(s.kind == "start" and s.name in law.windows for s in r.row.actions))
    return replace(law, autos=(*law.autos, *(r for r in arming if r.id not in known)))


_routes: dict[int, Routes] = {}


def routes_of(law: CompiledLaw) -> Routes:
    """The control graph of `law`, made once."""
    if id(law) not in _routes:
        _routes[id(law)] = Routes(law)
    return _routes[id(law)]


class Bench:
    """Drives walks against `peer`. Iterate over `drive`; leaving early lets every open connection go."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._active: dict[tuple[int, int], tuple[Walk, Iterator[int]]] = {}
        self._wakes: list[tuple[int, int, tuple[int, int]]] = []
        self._serial = itertools.count()
        self._pending: dict[tuple[int, int], int] = {}
        self.ignored: Counter[str] = Counter()

    def drive(
        self, walks: Iterable[tuple[Walk, Plan]], at_once: int | None = None, until: Callable[[], bool] | None = None
    ) -> Iterator[WalkResult]:
        """The results, in the order in which walks end. No further walk is begun once `until` says so."""
        source = iter(walks)
        limit = at_once or self.peer.at_once
        exhausted = False
        try:
            while True:
                while not exhausted and len(self._active) < limit:
                    exhausted = until is not None and until()
                    started = None if exhausted else next(source, None)
                    if started is None:
                        exhausted = True
                        break
                    self._start(*started)
                if not self._active:
                    return
                yield from self._turn()
        finally:
            for walk, _ in self._active.values():
                walk.finish()
            self._active.clear()

    def _start(self, walk: Walk, plan: Plan) -> None:
        walk.drain = self.drain
        self._active[walk.key] = (walk, walk.run(plan))
        self._wake(walk.key, self.peer.now())

    def _wake(self, key: tuple[int, int], time: int) -> None:
        serial = next(self._serial)
        self._pending[key] = serial
        heapq.heappush(self._wakes, (time, serial, key))

    def _turn(self) -> Iterator[WalkResult]:
        time, serial, key = self._wakes[0]
        if key not in self._active or self._pending.get(key) != serial:
            heapq.heappop(self._wakes)
            return
        walk, running = self._active[key]
        try:
            self._take(self.peer.wait(time))
            if self._wakes[0][1] != serial or self.peer.now() < time:
                return
            heapq.heappop(self._wakes)
            self._wake(key, next(running))
        except (StopIteration, PeerCrashError) as end:
            if isinstance(end, PeerCrashError):
                walk.crashed(end)
            del self._active[key], self._pending[key]
            yield walk.finish()

    def drain(self) -> None:
        """Take what the peer has sent up to now."""
        while frames := self.peer.wait(self.peer.now()):
            self._take(frames)

    def _take(self, frames: list[tuple[int, bytes]]) -> None:
        for time, frame in frames:
            pair = ports(frame)
            known = self._active.get(pair) if pair is not None else None
            if known is None or pair is None:
                self.ignored["other frames" if pair is None else "frames of ended walks"] += 1
                continue
            walk = known[0]
            walk.receive(time, frame)
            if walk.impatient:
                self._wake(pair, time)


def make_walk(
    law: CompiledLaw, peer: Peer, role: str, random: Random, buffer: int, isn: int, options: Options, patience: int = 1, number: int = 0
) -> Walk:
    """A walk with what composes its segments."""
    walk = Walk(law, routes_of(law), peer, role, buffer, isn, patience, number)
    walk.composer = Composer(law, walk.search.steps, random, isn, options)
    return walk


def run_traces(law: CompiledLaw, peer: Peer, traces: Iterable[Trace], patience: int = 1, at_once: int | None = None) -> list[WalkResult]:
    """Play traces again, side by side; results in the order given."""

    def walks() -> Iterator[tuple[Walk, Plan]]:
        for n, trace in enumerate(traces):
            walk = make_walk(law, peer, trace.role, Random(0), trace.buffer, trace.isn, PLAIN, patience, n)
            yield walk, Replayed(trace.steps)

    return sorted(Bench(peer).drive(walks(), at_once), key=lambda r: r.number)
