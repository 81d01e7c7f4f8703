"""Invariants and `never`s, proved of the rows one by one, also hold in every configuration that explains a recorded trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from oracle_laws import machine, message
from wirelaw.conformance.interleave import tcp_law
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.wording import context
from wirelaw.oracle.tcp.connection import ConnectionJudge
from wirelaw.oracle.tcp.segments import Demultiplexer, Direction, observe
from wirelaw.spec.language.evaluate import evaluate
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.proof.effects import as_claims

CAPTURES = Path(__file__).parent / "fixtures" / "captures"
NAMES = sorted(p.stem for p in CAPTURES.glob("*.pcap"))


@cache
def tcp() -> CompiledLaw:
    """The law, and what the recorded kernel is known to do against it: judging goes on behind that."""
    return tcp_law("linux")


def claims(law: CompiledLaw) -> list[tuple[str, Expr]]:
    """What a judge can see of the properties: each holds in every configuration."""
    return [(p.id, claim) for p, claim in as_claims(law.machine) if not law.machine.is_hidden(claim)]


def broken(law: CompiledLaw, frontier: list[Configuration], now: int) -> Iterator[str]:
    """Ids of properties that some configuration of `frontier` breaks."""
    for c in frontier:
        bound = context(law, c, None, {}, now)
        yield from (p for p, claim in claims(law) if not evaluate(claim, bound))


@pytest.mark.parametrize("name", NAMES)
def test_properties_hold_along_a_recorded_trace(name: str) -> None:
    role = Direction[json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))["near"]["role"].upper()]
    judges: dict[int, ConnectionJudge] = {}
    assert claims(tcp())
    for connection, seen in observe(read_packets(CAPTURES / f"{name}.pcap"), Demultiplexer()):
        judge = judges.setdefault(connection.number, ConnectionJudge(tcp(), role))
        judge.observe(seen)
        assert judge.judge.frontier
        assert not list(broken(tcp(), judge.judge.frontier, seen.time)), seen


def test_a_property_that_a_trace_breaks_is_named() -> None:
    text = """machine t.wrong {
      region r : OPEN initial, SHUT
      message x { n : u32 }
      input x(m) through t
      output x(o)
      var got : u32
      user tired : bool
      invariant [small] OPEN holds got < 3
      invariant [hidden] holds not tired
      never [nine] OPEN if got == 9
      table t on x(m) { [a] stop { got = m.n } @t:a }
      may [s] OPEN emit x(n: got) stay @t:s
    }"""
    law = compile_law(machine(text))
    judge = Judge(law)
    found = []
    for n in (2, 3, 9):
        judge.input("x", message(n=n), 0, n)
        judge.output("x", message(n=n), 1, n)
        found.append(list(broken(law, judge.frontier, 1)))
    assert found == [[], ["small"], ["small", "nine"]]
