"""Both readings of the TCP law agree: two interpreted ends talk over a bad path, and the oracle passes each near its host."""

from __future__ import annotations

from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from wirelaw.impl.device.faulty_link import Faults, FaultyLink
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.interpret import Interpreter
from wirelaw.spec.language.load import SPEC, Law, load

DELAY = 5_000


class End:
    """One end: an interpreted machine, its host, and the trace near it. Payload is only counted."""

    def __init__(self, law: Law, isn: int, wire: Wire) -> None:
        self.wire, self.isn = wire, isn
        self.it = Interpreter(law.machine("tcp.connection"), law.profile("wirelaw", "tcp.connection"), self)
        self.trace: list[Observed] = []
        self.peer: End

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        match name:
            case "isn":
                return self.isn
            case "ts_clock":
                return self.wire.now // 1_000 + 77
            case "own_mss" | "chunk":
                return 1_000
            case "room" | "receive_buffer":
                return 60_000
            case "window_shift":
                return 2
            case "ready":
                return True
        raise AssertionError(name)

    def tell(self, name: str, args: tuple[Any, ...]) -> None:
        pass

    def emit(self, message: str, segment: SimpleNamespace) -> None:
        self.trace.append(Observed("seg", segment, self.wire.now, next(self.wire.numbers), True))
        self.wire.carry(segment, self.peer)

    def receive(self, segment: SimpleNamespace) -> None:
        self.trace.append(Observed("seg", segment, self.wire.now, next(self.wire.numbers), False))
        self.it.input("seg", segment, self.wire.now)
        self.it.pump(self.wire.now)

    def call(self, name: str, *args: Any) -> None:
        self.it.call(name, *args, now=self.wire.now)
        self.it.pump(self.wire.now)


class Wire:
    """A path in virtual time that loses, repeats and reorders, from a seed."""

    def __init__(self, seed: int, loss: float) -> None:
        faults = Faults(loss, loss / 2, 0.5 if loss else 0.0, delay=DELAY, reorder_by=DELAY)
        self.link = FaultyLink[tuple[End, SimpleNamespace]](faults, seed)
        self.random = Random(seed)
        self.now = 0
        self.numbers = count(1)

    def carry(self, segment: SimpleNamespace, to: End) -> None:
        self.link.offer((to, segment), self.now)

    def run(self, ends: tuple[End, End], until: int) -> None:
        """Everything that happens up to `until`."""
        while True:
            sources = [*(e.it.deadline() for e in ends), self.link.next_deadline()]
            at = min([d for d in sources if d is not None], default=until + 1)
            if at > until:
                break
            self.now = max(self.now, at)
            for to, segment in self.link.due(self.now):
                to.receive(segment)
            for e in ends:
                e.it.tick(self.now)
                e.it.pump(self.now)
            if any((d := e.it.deadline()) is not None and d <= self.now for e in ends):
                self.now += 1_000
        self.now = until


@pytest.fixture(scope="module")
def tcp() -> tuple[Law, CompiledLaw]:
    found = load([SPEC])
    return found, compile_law(found.machine("tcp.connection"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [0.0, 0.08])
def test_both_ends_of_our_own_machine_pass(tcp: tuple[Law, CompiledLaw], seed: int, loss: float) -> None:
    law, compiled = tcp
    wire = Wire(seed, loss)
    client, server = End(law, 1_000_000, wire), End(law, 5_000_000, wire)
    client.peer, server.peer = server, client
    ends = (client, server)
    server.call("open_passive")
    client.call("open_active")
    wire.run(ends, 20_000_000)
    for end in wire.random.sample(ends, 2):
        end.call("send", wire.random.randrange(1, 30_000))
        wire.run(ends, wire.now + wire.random.randrange(300_000))
    first, second = wire.random.sample(ends, 2)
    first.call("close")
    wire.run(ends, wire.now + wire.random.randrange(3_000_000))
    second.call(wire.random.choice(["close", "close", "abort"]))
    wire.run(ends, wire.now + 30_000_000)
    for end in ends:
        assert len(end.trace) >= 8
        verdict = judge_trace(compiled, end.trace, known_until=wire.now)
        assert verdict.grade <= Grade.NOTE, f"{verdict}\n" + "\n".join(map(render, verdict.findings))
