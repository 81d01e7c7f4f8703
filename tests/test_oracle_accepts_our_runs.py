"""Two readings of one table agree: whatever the interpreter does, the oracle finds it possible, for any lag and batching."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_laws import COUNTER, COUNTER_PROFILE, FLIGHTS, FLIGHTS_PROFILE, Recorder, law, machine, message, profile
from wirelaw.oracle.engine.judge import Judge, Observed, judge_trace
from wirelaw.oracle.engine.verdict import Environment, Grade

LAG = 30_000
ENVIRONMENT = Environment(lag=LAG)
COUNTER_LAW, FLIGHTS_LAW = law(COUNTER), law(FLIGHTS)
waits = st.integers(0, 120_000)
lags = st.integers(0, LAG)
# One batch: the inputs of one wake-up, how long the first waits after the batch before, and how long the host takes to act.
asks = st.lists(st.tuples(st.sampled_from(["ask", "ask", "ask", "bye"]), st.integers(0, 2)), min_size=1, max_size=4)
counter_steps = st.lists(st.tuples(waits, lags, asks, st.booleans()), max_size=12)


def counter_run(steps: list[tuple[int, int, list[tuple[str, int]], bool]], strict: str) -> tuple[list[Observed], int]:
    """What a counter does; each request is the number expected next, plus an offset that makes it old or premature."""
    it = machine(COUNTER)
    r = Recorder(it, profile(COUNTER_PROFILE % strict, it))
    now = 0
    for wait, lag, inputs, closes in steps:
        captured = now + wait
        now = captured + lag
        sent = [(kind, message(n=r.machine.get("got") + 1 + offset - (kind == "bye"))) for kind, offset in inputs]
        for kind, fields in sent:
            r.capture(kind, fields, captured)
        r.run_until(now - 1)
        r.now = now
        for kind, fields in sent:
            r.act(kind, fields, now)
        if closes:
            r.machine.call("close", now=now)
        r.pump(now)
    r.run_until(now + 1_000_000)
    return r.observed(), now + 3_000_000


@given(counter_steps, st.sampled_from(["loud", "quiet"]))
@settings(max_examples=150, deadline=None)
def test_every_run_of_the_counter_passes(steps: list[tuple[int, int, list[tuple[str, int]], bool]], strict: str) -> None:
    trace, until = counter_run(steps, strict)
    verdict = judge_trace(COUNTER_LAW, trace, ENVIRONMENT, known_until=until)
    assert verdict.grade <= Grade.NOTE, verdict.findings


hellos = st.tuples(st.just("hello"), st.integers(1, 6), st.booleans())
items = st.tuples(st.just("item"), st.integers(0, 3), st.booleans())
flight_steps = st.lists(st.tuples(st.integers(0, 3_000_000), lags, st.one_of(hellos, items)), max_size=12)


@given(flight_steps, st.sampled_from(["go", "abort"]))
@settings(max_examples=150, deadline=None)
def test_every_run_of_the_flights_passes(steps: list[tuple[int, int, tuple[str, int, bool]]], side: str) -> None:
    it = machine(FLIGHTS)
    r = Recorder(it, profile(FLIGHTS_PROFILE % side, it))
    now = 0
    for wait, lag, (kind, number, nice) in steps:
        captured = now + wait
        now = captured + lag
        fields = message(v=number, nice=nice) if kind == "hello" else message(n=number)
        r.capture(kind, fields, captured)
        r.run_until(now - 1)
        r.act(kind, fields, now)
        r.pump(now)
    verdict = judge_trace(FLIGHTS_LAW, r.observed(), ENVIRONMENT, known_until=now)
    assert verdict.grade <= Grade.NOTE, verdict.findings


@given(counter_steps)
@settings(max_examples=30, deadline=None)
def test_the_winning_trail_counts_the_rows_that_were_taken(steps: list[tuple[int, int, list[tuple[str, int]], bool]]) -> None:
    trace, until = counter_run(steps, "loud")
    verdict = judge_trace(COUNTER_LAW, trace, ENVIRONMENT, known_until=until)
    answers = sum(n for row, n in verdict.coverage.items() if row.startswith("s."))
    refusals = sum(n for row, n in verdict.coverage.items() if row in ("a.gap.l", "a.late"))
    outputs = sum(o.is_output for o in trace)
    assert outputs == answers + refusals


@pytest.mark.parametrize("length", [10, 3_000])
def test_memory_stays_flat_along_a_trace(length: int) -> None:
    judge = Judge(COUNTER_LAW, environment=ENVIRONMENT)
    for n in range(1, length + 1):
        judge.input("ask", message(n=n), n * 1_000, 2 * n)
        judge.output("answer", message(n=n, pad=n, last=False, no=False), n * 1_000 + 10, 2 * n + 1)
    assert len(judge.frontier) == 1
    assert len(judge.search.pending) <= 130
    assert len(judge.search.recent) <= 130
    depth, trail = 0, judge.frontier[0].trail
    while trail is not None:
        depth, trail = depth + 1, trail[0]
    assert depth <= 200
    assert judge.finish().grade is Grade.PASS
