"""Recorded TCP connections replayed: what a host received, in its order and time, does the same to table and generated code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tables import Driver, GeneratedDriver, InterpreterDriver, generated_module
from wirelaw.oracle.capture.reader import read_packets
from wirelaw.oracle.tcp.segments import Demultiplexer, Direction, Observation, ObservedSegment, observe
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.generate import generate

CAPTURES = sorted((Path(__file__).parent / "fixtures" / "captures").glob("*.json"))
PACKETS = 1000  # of each connection, most of which are shorter
LAW = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
MACHINE, PROFILE = LAW.machine("tcp.connection"), LAW.profile("wirelaw", "tcp.connection")
MODULE = generated_module(generate(MACHINE, PROFILE))
BUFFER = 65535


def host(segment: ObservedSegment, count: int) -> dict[str, Any]:
    """Answers that vary as the capture does: a buffer that fills with its text, a device that is busy or cuts at times."""
    mss = (1460, 1448, 536)[segment.seq % 3] if segment.syn else 1460
    return {
        "room": (BUFFER - segment.ack - segment.len * count) % (BUFFER + 1),
        "receive_buffer": BUFFER,
        "own_mss": mss,
        "chunk": mss * (1, 1, 4, 44)[segment.wnd % 4],
        "window_shift": segment.seq % 8,
        "ready": (segment.seq + count) % 5 != 0,
    }


def fields(segment: ObservedSegment) -> dict[str, Any]:
    """A segment as the machine takes it: numbers mod 2^32."""
    made = {n: getattr(segment, n) for n in MACHINE.messages["seg"].fields if hasattr(segment, n)}
    made |= {n: made[n] % 2**32 for n in ("seq", "ack")}
    return made | {"sacks": tuple((a % 2**32, b % 2**32) for a, b in segment.sacks)}


class Pair:
    """Both readings, driven alike and compared after each event."""

    def __init__(self, isn: int) -> None:
        self.drivers: tuple[Driver, Driver] = (InterpreterDriver(MACHINE, PROFILE), GeneratedDriver(MACHINE, PROFILE, MODULE))
        for driver in self.drivers:
            driver.host.answers |= {"isn": isn}

    def do(self, now: int, host: dict[str, Any], what: str, *args: Any) -> None:
        """One event at `now` (microseconds) with these answers of the host, then all outputs."""
        left, right = self.drivers
        for driver in self.drivers:
            driver.host.answers |= host | {"ts_clock": now // 1000}
            for step in (("advance", now), (what, *args, now), ("pump", now)):
                assert driver.attempt(*step) == "", step
        assert right.host.log == left.host.log
        assert right.rows == left.rows
        assert right.snapshot() == left.snapshot()
        for driver in self.drivers:
            driver.host.log.clear()
            driver.rows.clear()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda p: p.stem)
def test_capture(path: Path) -> None:
    about = json.loads(path.read_text("utf-8"))
    near = Direction.CLIENT if about["near"]["role"] == "client" else Direction.SERVER
    connections: dict[int, list[Observation]] = {}
    for connection, observation in observe(read_packets(path.with_suffix(".pcap")), Demultiplexer()):
        connections.setdefault(connection.number, []).append(observation)
    states = {state for observations in connections.values() for state in replay(observations[:PACKETS], near)}
    assert states - {"CLOSED", "LISTEN"}


def replay(observations: list[Observation], near: Direction) -> set[str]:
    """The states that a connection passes when it receives what the near host received, and speaks when that spoke."""
    active = observations[0].direction == near
    own = [o.segment.seq for o in observations if o.direction == near]
    pair = Pair(own[0] % 2**32 if own else 0)
    first = observations[0]
    pair.do(first.time, host(first.segment, 0), "call", "open_active" if active else "open_passive", ())
    states = set()
    for count, o in enumerate(observations):
        s = o.segment
        given = host(s, count)
        if o.direction != near:
            pair.do(o.time, given, "input", "seg", fields(s))
        elif s.len:
            pair.do(o.time, given, "call", "send", (s.len,))
        elif s.fin:
            pair.do(o.time, given, "call", "close", ())
        states.add(str(pair.drivers[1].snapshot()["conn"]))
    return states
