"""The power of the oracle: legal traces made illegal by one conjunct are caught, and the conjunct is named."""

from __future__ import annotations

from collections import Counter

import pytest
from oracle_laws import COUNTER, FLIGHTS, law, message
from wirelaw.oracle.engine.judge import Judge, Observed, judge_trace
from wirelaw.oracle.engine.mutate import Outcome, replace_output, try_corruptions, with_fields
from wirelaw.oracle.engine.verdict import Environment, Grade

STRICT = Environment(lag=10_000, swap=0, losses=0)


def counter_trace() -> list[Observed]:
    def seen(kind: str, at: int, **fields: object) -> Observed:
        return Observed(kind, message(**fields), at * 1_000, at, kind == "answer")

    plain = {"pad": 3, "last": False, "no": False}
    return [
        seen("ask", 1, n=1), seen("answer", 2, n=1, **plain), seen("ask", 20, n=2), seen("ask", 21, n=3),
        seen("answer", 22, n=3, **plain), seen("bye", 40, n=3), seen("answer", 41, n=3, **plain),
        seen("answer", 60, n=3, pad=0, last=True, no=False), seen("ask", 70, n=9), seen("answer", 71, n=9, pad=0, last=False, no=True),
    ]  # fmt: skip


def flights_trace() -> list[Observed]:
    rows = [("hello", {"v": 4, "nice": True}), ("offer", {"v": 4, "extra": 2}), ("item", {"n": 6}), ("offer", {"v": 6, "extra": 0})]
    return [Observed(kind, message(**fields), n * 1_000, n, kind == "offer") for n, (kind, fields) in enumerate(rows, 1)]


@pytest.mark.parametrize(("text", "trace"), [(COUNTER, counter_trace()), (FLIGHTS, flights_trace())], ids=["counter", "flights"])
def test_corruptions_are_caught_and_named(text: str, trace: list[Observed]) -> None:
    compiled = law(text)
    assert judge_trace(compiled, trace, STRICT).grade is Grade.PASS
    outcomes = list(try_corruptions(Judge(compiled, environment=STRICT), trace))
    assert len(outcomes) >= 3
    for outcome in outcomes:
        assert outcome.corruption.clause, outcome.corruption
        if not outcome.is_absorbed:
            assert outcome.is_late or outcome.is_named, f"{outcome.corruption}: {outcome.finding}"
            assert judge_trace(compiled, replace_output(trace, outcome), STRICT).grade is Grade.FAIL
    caught = [o for o in outcomes if not o.is_absorbed]
    assert len(caught) >= 0.8 * len(outcomes), kinds(outcomes)


def test_a_corruption_edits_one_field_of_a_copy() -> None:
    original = message(a=1, b=2)
    assert (with_fields(original, {"b": 3}).b, original.b) == (3, 2)


def kinds(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(str(o.corruption) for o in outcomes if o.is_absorbed)
