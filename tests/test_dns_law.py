"""The law of a lookup: its freedom, and what a judge says of resolvers (RFC 1035, RFC 1123 6.1.3, RFC 5452)."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import Driver, GeneratedDriver, InterpreterDriver
from wirelaw.impl.generated.dns_lookup import Query, Response
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade, Verdict
from wirelaw.spec.language.load import SPEC, Law, load

SECOND = 1_000_000
DAY = 24 * 3600 * SECOND
OUTCOMES: dict[str, dict[str, object]] = {
    "found": {"code": "no_error", "found": True},
    "found_cut": {"code": "no_error", "found": True, "truncated": True},
    "no_name": {"code": "no_name"},
    "no_data": {"code": "no_error"},
    "failed": {"code": "other"},
    "cut": {"code": "no_error", "truncated": True},
    "cut_no_name": {"code": "no_name", "truncated": True},
}
"""What a response says, as facts of the law."""
ANSWERS = ("found", "found_cut", "no_name", "no_data")


@cache
def dns_law() -> Law:
    return load([SPEC / "net", SPEC / "profiles" / "net.profile"])


@cache
def judged_law() -> CompiledLaw:
    return compile_law(dns_law().machine("dns.lookup"))


def drivers(servers: int, **params: int) -> list[Driver]:
    """Table and generated code under our profile with other `params`."""
    machine = dns_law().machine("dns.lookup")
    ours = dns_law().profile("wirelaw", machine.name)
    profile = replace(ours, params={**ours.params, **params})
    made: list[Driver] = [InterpreterDriver(machine, profile), GeneratedDriver(machine, profile)]
    for driver in made:
        driver.host.answers["servers"] = servers
    return made


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 16), st.integers(1, 5), st.integers(5, 60))
def test_waits_double_up_to_their_bound_and_servers_take_turns(servers: int, tries: int, first: int, longest: int) -> None:
    for driver in drivers(servers, max_tries=tries, first_wait=first * SECOND, longest_wait=longest * SECOND):
        now, waits = 0, []
        driver.pump(now)
        while (at := driver.snapshot()["patience_at"]) is not None:
            waits.append((at - now) // SECOND)
            now = at
            driver.advance(now)
            driver.pump(now)
        assert waits == [min(first << n, longest) for n in range(tries)]
        sent = [entry[2]["server"] for entry in driver.host.log if entry[:2] == ("emit", "query")]
        assert sent == [n % servers for n in range(tries)]
        assert driver.host.log[-1][1] == "failed"


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, max_size=6))
def test_a_lookup_ends_with_the_first_answer_or_its_last_try(outcomes: list[str]) -> None:
    for driver in drivers(2):
        driver.pump(0)
        for outcome in outcomes:
            driver.input("response", {"asked": True, "matches": True, **OUTCOMES[outcome]}, 0)
            driver.pump(0)
        answers = [n for n, outcome in enumerate(outcomes) if outcome in ANSWERS]
        ends = answers[0] if answers else len(outcomes)
        expected = "ANSWERED" if ends < 4 and answers else "FAILED" if ends >= 4 else "ASKING"
        assert driver.snapshot()["lookup"] == expected


@settings(deadline=None)
@given(st.sampled_from(ANSWERS), st.booleans(), st.integers(0, 10 * DAY))
def test_an_answer_is_remembered_as_long_as_it_says_and_no_longer_than_a_bound(outcome: str, lasting: bool, ttl: int) -> None:
    """One that was truncated, or says of no name for how long there is none, is not remembered."""
    for driver in drivers(1):
        driver.pump(0)
        driver.input("response", {"asked": True, "matches": True, "lasting": lasting, "ttl": ttl, **OUTCOMES[outcome]}, 0)
        kept = min(ttl, DAY) if lasting and outcome != "found_cut" else 0
        assert driver.host.log[-1] == ("tell", outcome.removesuffix("_cut"), (kept,))


def judge(*messages: tuple[int, Query | Response, bool]) -> Verdict:
    """The verdict on (time, message, whether it was sent) in order."""
    return judge_trace(judged_law(), [Observed(m.kind, m, time, n, out) for n, (time, m, out) in enumerate(messages, 1)])


FOUND, USELESS = (Response(asked=True, matches=True, **OUTCOMES[outcome]) for outcome in ("found", "failed"))  # type: ignore[arg-type]


@pytest.mark.parametrize("heard", [replace(FOUND, asked=False), replace(FOUND, matches=False), USELESS])
def test_asking_on_is_right_after_what_is_no_answer(heard: Response) -> None:
    verdict = judge((0, Query(), True), (1000, heard, False), (5 * SECOND, Query(server=3), True), (30 * SECOND, Query(), True))
    assert verdict.grade is Grade.PASS, verdict.findings


@pytest.mark.parametrize("outcome", ANSWERS)
def test_asking_on_after_an_answer_is_wrong(outcome: str) -> None:
    heard = Response(asked=True, matches=True, **OUTCOMES[outcome])  # type: ignore[arg-type]
    verdict = judge((0, Query(), True), (1000, heard, False), (5 * SECOND, Query(), True))
    assert verdict.grade is Grade.FAIL
