"""The laws of ICMP: table and code alike, their freedom, and what a judge says of a host (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3.2.8)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import Driver, GeneratedDriver, InterpreterDriver, generated_module
from wirelaw.impl.generated.icmp_host import Echo, Reply
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.load import SPEC, Law, load
from wirelaw.tools.generate import generate

SECOND = 1_000_000


@cache
def icmp_law() -> Law:
    return load([SPEC / "net", SPEC / "profiles" / "net.profile"])


@cache
def module_of(name: str, **choices: str):  # type: ignore[no-untyped-def]
    profile = icmp_law().profile("wirelaw", name)
    profile = replace(profile, choices={**profile.choices, **choices})
    return icmp_law().machine(name), profile, generated_module(generate(icmp_law().machine(name), profile))


def drivers(name: str, **choices: str) -> list[Driver]:
    machine, profile, module = module_of(name, **choices)
    return [InterpreterDriver(machine, profile), GeneratedDriver(machine, profile, module)]


facts = st.fixed_dictionaries({name: st.booleans() for name in ("initial", "unicast", "single", "error")})


@settings(deadline=None)
@given(facts)
def test_errors_are_sent_about_what_may_be_reported_only(stray: dict[str, bool]) -> None:
    allowed = stray["initial"] and stray["unicast"] and stray["single"] and not stray["error"]
    for driver in drivers("icmp.host"):
        driver.input("stray", stray, 5)
        assert [entry[1] for entry in driver.host.log] == (["report"] if allowed else [])


@settings(deadline=None)
@given(st.lists(st.integers(0, 400_000), max_size=150))
def test_the_rate_of_errors_is_a_burst_and_then_one_in_each_interval(gaps: list[int]) -> None:
    good = {"initial": True, "unicast": True, "single": True, "error": False}
    for driver in drivers("icmp.host"):
        now, level, wanted = 0, 50 * 20_000, []
        for gap in gaps:
            now, level = now + gap, min(50 * 20_000, level + gap)
            wanted.append("report" if level >= 20_000 else "limited")
            level -= 20_000 if wanted[-1] == "report" else 0
            driver.input("stray", good, now)
        assert [entry[1] for entry in driver.host.log] == wanted


@settings(deadline=None)
@given(kind=st.sampled_from(["echo", "answer", "error", "redirect", "quench", "other"]), unicast=st.booleans(), ours=st.booleans())
def test_each_message_has_its_row(kind: str, unicast: bool, ours: bool) -> None:
    wanted = {
        "echo": "reply" if unicast else "broadcast_echo",
        "answer": "answered",
        "error": "reported" if ours else "misquoted",
        "redirect": "ignored",
        "quench": "ignored",
        "other": "unknown",
    }[kind]
    for driver in drivers("icmp.host"):
        driver.input(kind, {"unicast": unicast, **({"ours": ours} if kind == "error" else {})}, 0)
        assert [entry[1] for entry in driver.host.log] == [wanted]


@settings(deadline=None)
@given(st.sampled_from(["answer", "trouble", "silence"]), st.integers(0, 15), st.integers(0, 15), st.sampled_from(["tell", "bear"]))
def test_a_request_ends_by_its_answer_an_error_or_silence(end: str, type_: int, code: int, hint: str) -> None:
    for driver in drivers("icmp.echo", hint=hint):
        driver.call("ask", (SECOND,), 0)
        driver.pump(0)
        borne = False
        if end == "answer":
            driver.input("answer", {}, 10)
        elif end == "trouble":
            borne = hint == "bear" and type_ == 3 and code in (0, 1, 5)
            driver.input("trouble", {"type": type_, "code": code}, 10)
        if end == "silence" or borne:
            driver.advance(SECOND)
        told = "answered" if end == "answer" else "timed_out" if end == "silence" or borne else "unreachable"
        assert [entry[1] for entry in driver.host.log] == ["request", told]
        for late in ("answer", "trouble"):
            driver.input(late, {} if late == "answer" else {"type": 3, "code": 3}, 2 * SECOND)
        assert driver.host.log[-1][1] == told


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        (Reply(to=b"peer", ident=1, number=2, data=b"x"), Grade.PASS),
        (Reply(to=b"peer", ident=1, number=2, data=b"y"), Grade.FAIL),
        (Reply(to=b"peer", ident=1, number=3, data=b"x"), Grade.FAIL),
        (Reply(to=b"other", ident=1, number=2, data=b"x"), Grade.FAIL),
    ],
)
def test_a_judge_wants_the_answer_that_repeats_the_request(answer: Reply, grade: Grade) -> None:
    asked = Echo(source=b"peer", unicast=True, ident=1, number=2, data=b"x")
    law = compile_law(icmp_law().machine("icmp.host"))
    seen = [Observed(m.kind, m, time, n, out) for n, (time, m, out) in enumerate([(0, asked, False), (100, answer, True)], 1)]
    assert judge_trace(law, seen).grade is grade
