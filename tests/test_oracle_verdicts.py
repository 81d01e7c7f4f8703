"""What the judge refuses, forgives, and cannot tell: each kind of finding on small laws."""

from __future__ import annotations

from typing import Any

import pytest
from oracle_laws import COUNTER, FLIGHTS, law, message
from wirelaw.oracle.engine.configuration import POSITED, WARNED
from wirelaw.oracle.engine.explanation import as_data, render
from wirelaw.oracle.engine.judge import Judge, Observed, judge_trace
from wirelaw.oracle.engine.mutate import feed
from wirelaw.oracle.engine.verdict import Bounds, Environment, Grade, Verdict

COUNTER_LAW, FLIGHTS_LAW = law(COUNTER), law(FLIGHTS)
MS = 1_000
STRICT = Environment(lag=10 * MS, swap=0, losses=0)


def ask(n: int, at: int) -> Observed:
    return Observed("ask", message(n=n), at * MS, at, False)


def bye(n: int, at: int) -> Observed:
    return Observed("bye", message(n=n), at * MS, at, False)


def answer(n: int, at: int, **fields: Any) -> Observed:
    return Observed("answer", message(**{"n": n, "pad": 3, "last": False, "no": False, **fields}), at * MS, at, True)


def judged(*trace: Observed, environment: Environment = STRICT, bounds: Bounds | None = None, until: int | None = None) -> Verdict:
    return judge_trace(COUNTER_LAW, trace, environment, bounds, until * MS if until is not None else None)


# --- outputs -----------------------------------------------------------------------------------------------------------


def test_an_answer_to_what_was_never_asked_fails_with_its_clause() -> None:
    verdict = judged(ask(1, 1), answer(2, 2))
    (finding,) = verdict.findings
    assert (verdict.grade, finding.clause, finding.row, finding.number) == (Grade.FAIL, "t:answer", "s.answer", 2)
    assert ("n == got", "n is 1 too high") in finding.nearest[0].failed


def test_a_cumulative_answer_pays_for_all_requests() -> None:
    assert judged(ask(1, 1), ask(2, 2), ask(3, 3), answer(3, 4), until=2_000).grade is Grade.PASS


def test_an_answer_may_cross_the_next_request() -> None:
    assert judged(ask(1, 1), ask(2, 2), answer(1, 3), answer(2, 4)).grade is Grade.PASS


def test_old_news_cannot_be_told_again() -> None:
    verdict = judged(ask(1, 1), ask(2, 2), answer(2, 3), answer(1, 4))
    assert verdict.grade is Grade.FAIL


def test_a_gate_that_refuses_is_named_with_its_clause() -> None:
    text = COUNTER.replace("emit answer(n: got) default", "emit answer() default")
    verdict = judge_trace(law(text), [ask(1, 1), answer(1, 2), answer(0, 3)], STRICT)
    (finding,) = verdict.findings
    assert (finding.clause, finding.nearest[0].gate) == ("t:order", "g.up")


def test_a_gate_of_should_warns_and_goes_on() -> None:
    text = COUNTER.replace("emit answer(n: got) default", "emit answer() default").replace("@t:order MUST", "@t:order SHOULD")
    verdict = judge_trace(law(text), [ask(1, 1), answer(1, 2), answer(0, 3), ask(2, 4), answer(2, 5)], STRICT)
    (finding,) = verdict.findings
    assert (verdict.grade, finding.clause, verdict.cost, finding.number) == (Grade.WARN, "t:order", WARNED, 3)


def test_the_last_word_needs_the_user_who_is_never_seen() -> None:
    assert judged(ask(1, 1), answer(1, 2, last=True)).grade is Grade.PASS
    assert judged(answer(0, 2, last=True), answer(0, 3)).grade is Grade.FAIL


# --- silence -----------------------------------------------------------------------------------------------------------


def test_silence_past_a_deadline_fails_with_the_row_that_owed() -> None:
    verdict = judged(ask(1, 1), until=1_000)
    (finding,) = verdict.findings
    assert (verdict.grade, finding.clause, finding.row) == (Grade.FAIL, "t:next", "a.next")
    assert "k = 1" in finding.observed


def test_the_end_of_a_capture_is_not_silence() -> None:
    assert judged(ask(1, 1)).grade is Grade.PASS
    assert judged(ask(1, 1), until=205).grade is Grade.PASS


def test_a_late_answer_is_no_answer() -> None:
    assert judged(ask(1, 1), answer(1, 190)).grade is Grade.PASS
    assert judged(ask(1, 1), answer(1, 400)).grade is Grade.FAIL


def test_a_debt_of_should_warns() -> None:
    verdict = judged(ask(1, 1), answer(1, 2), ask(1, 5), until=1_000)
    (finding,) = verdict.findings
    assert (verdict.grade, finding.clause) == (Grade.WARN, "t:old")


def test_leaving_its_states_voids_a_debt() -> None:
    assert judged(ask(1, 1), answer(0, 2, last=True), until=1_000).grade is Grade.PASS


def test_an_output_captured_after_the_input_pays_however_late_the_input_is_consumed() -> None:
    # at 12 the answer repeats what was known; the old request, consumed only by its age, is paid by it
    verdict = judged(ask(1, 1), answer(1, 2), ask(1, 5), answer(1, 12), until=2_000)
    assert verdict.grade is Grade.PASS


# --- ordered replies -----------------------------------------------------------------------------------------------------


def test_a_reply_is_ordered_and_exact() -> None:
    ended = (bye(0, 1), answer(0, 2))
    assert judged(*ended, ask(5, 3), ask(6, 4), answer(5, 5, no=True), answer(6, 6, no=True)).grade is Grade.PASS
    wrong = judged(*ended, ask(5, 3), ask(6, 4), answer(6, 6, no=True))
    assert (wrong.grade, wrong.findings[0].clause) == (Grade.FAIL, "t:late")


def test_a_reply_that_never_comes_fails() -> None:
    verdict = judged(bye(0, 1), answer(0, 2), ask(5, 3), until=5_000)
    assert (verdict.grade, verdict.findings[0].row) == (Grade.FAIL, "a.late")


def test_free_fields_of_a_reply_are_free() -> None:
    assert judged(bye(0, 1), answer(0, 2), ask(5, 3), answer(5, 4, no=True, pad=99)).grade is Grade.PASS


# --- choices, hidden acts, aborts ------------------------------------------------------------------------------------------


def test_both_sides_of_a_choice_are_possible_until_an_output_shows_which() -> None:
    assert judged(ask(3, 1), ask(1, 2), answer(1, 3), until=3_000).grade is Grade.PASS
    assert judged(ask(3, 1), answer(3, 2, no=True)).grade is Grade.PASS


def flight(*trace: tuple[str, bool, dict[str, Any]], every: int = 1_000) -> Judge:
    judge = Judge(FLIGHTS_LAW, environment=STRICT)
    for n, (kind, is_output, fields) in enumerate(trace, 1):
        feed(judge, Observed(kind, message(**fields), n * every * MS, n, is_output))
    return judge


HELLO = ("hello", False, {"v": 4, "nice": True})
OFFER = ("offer", True, {"v": 4, "extra": 2})


def test_internal_rows_are_taken_at_once_and_flights_follow() -> None:
    judge = flight(HELLO, OFFER, every=1)
    assert judge.settled(3 * MS)
    assert judge.frontier[0].v_hs == "UP"  # type: ignore[attr-defined]
    assert judge.finish().grade is Grade.PASS


def test_an_urgent_flight_that_does_not_come_is_no_settled_machine() -> None:
    judge = flight(HELLO, every=1)
    assert not judge.settled(2 * MS)
    verdict = judge.finish(5_000 * MS)
    assert (verdict.grade, verdict.findings[0].row) == (Grade.FAIL, "f.offer")


def test_nothing_is_consumed_before_an_urgent_output() -> None:
    early = flight(HELLO, ("item", False, {"n": 2}), ("offer", True, {"v": 2, "extra": 0}), every=1)
    assert early.finish().grade is Grade.FAIL
    assert flight(HELLO, ("item", False, {"n": 2}), OFFER, ("offer", True, {"v": 2, "extra": 0}), every=1).finish().grade is Grade.PASS


def test_codes_of_an_abort() -> None:
    low = ("hello", False, {"v": 1, "nice": True})
    assert flight(low, ("alert", True, {"code": "even"}), every=1).finish().grade is Grade.PASS
    other = flight(low, ("alert", True, {"code": "wrong"}), every=1).finish()
    assert (other.grade, other.findings[0].clause) == (Grade.WARN, "f:low")
    silent = flight(low, every=1).finish(9_000 * MS)
    assert silent.grade is Grade.NOTE
    ignored = flight(low, ("offer", True, {"v": 1, "extra": 0}), every=1).finish()
    assert ignored.grade is Grade.FAIL


def test_either_side_is_possible() -> None:
    rude = ("hello", False, {"v": 4, "nice": False})
    assert flight(rude, OFFER, every=1).finish().grade is Grade.PASS
    assert flight(rude, ("alert", True, {"code": "wrong"}), every=1).finish().grade is Grade.PASS


@pytest.mark.parametrize(("seconds", "grade"), [(0.5, Grade.FAIL), (3, Grade.PASS), (7, Grade.PASS)])
def test_a_timer_nobody_sees_expires_only_within_its_bounds(seconds: float, grade: Grade) -> None:
    judge = Judge(FLIGHTS_LAW, environment=STRICT)
    events = [(*HELLO, 0.0), (*OFFER, 0.001), ("item", False, {"n": 0}, 0.002), (*HELLO, seconds), (*OFFER, seconds + 0.001)]
    for n, (kind, is_output, fields, at) in enumerate(events, 1):
        feed(judge, Observed(kind, message(**fields), int(at * 1_000_000), n, is_output))
    assert judge.finish().grade is grade


# --- the environment, bounds ---------------------------------------------------------------------------------------------------


def test_a_lost_input_is_posited_only_where_the_environment_allows_it() -> None:
    trace = (ask(1, 1), ask(1, 2), bye(1, 3), answer(0, 4, last=True))
    assert judged(*trace).grade is Grade.PASS
    lost = (bye(0, 1), ask(1, 2), answer(1, 3))
    assert judged(*lost).grade is Grade.FAIL
    forgiven = judged(*lost, environment=Environment(lag=10 * MS, swap=0, losses=1))
    assert (forgiven.grade, forgiven.cost) == (Grade.NOTE, POSITED)


def test_packets_captured_in_the_wrong_order() -> None:
    first = Observed("answer", message(n=1, pad=0, last=False, no=False), 1_000, 1, True)
    second = Observed("ask", message(n=1), 1_040, 2, False)
    assert judge_trace(COUNTER_LAW, [first, second], STRICT).grade is Grade.FAIL
    swapping = Environment(lag=10 * MS, swap=100, losses=0)
    verdict = judge_trace(COUNTER_LAW, [first, second], swapping)
    assert (verdict.grade, verdict.cost) == (Grade.NOTE, POSITED)
    late = second._replace(time=2_000)
    assert judge_trace(COUNTER_LAW, [first, late], swapping).findings[0].number == 1


def test_a_far_capture_never_fails() -> None:
    far = judged(ask(1, 1), answer(7, 2), environment=Environment.far_side())
    assert far.grade is Grade.INCONCLUSIVE
    assert far.findings


@pytest.mark.parametrize(
    "bounds",
    [Bounds(configurations=0), Bounds(pending=2), Bounds(steps=3), Bounds(seconds=0)],
    ids=["configurations", "pending", "steps", "seconds"],
)
def test_a_bound_reached_is_inconclusive_never_a_verdict(bounds: Bounds) -> None:
    trace = [ask(1, 1), ask(5, 2), ask(6, 3), ask(7, 4), ask(2, 5), ask(3, 30), ask(8, 60), answer(9, 61)]
    assert judged(*trace).grade is Grade.FAIL
    verdict = judged(*trace, bounds=bounds)
    assert verdict.grade is Grade.INCONCLUSIVE
    assert verdict.reason.startswith("budget")


def test_an_input_without_a_row_is_an_error_of_the_law() -> None:
    text = COUNTER.replace("[b.other]  OPEN on bye(m) otherwise          drop                                          @t:bye\n", "")
    verdict = judge_trace(law(text), [bye(4, 1), ask(1, 100)], STRICT)
    assert verdict.grade is Grade.ERROR


def test_the_report_reads_as_a_bug_report() -> None:
    finding = judged(ask(1, 1), answer(2, 2)).findings[0]
    lines = render(finding, {"t:answer": "an answer tells the number reached"}, "case.trace").splitlines()
    assert lines[0] == "t answer, MUST: an answer tells the number reached"
    assert lines[1] == "  observed   the host sent  answer  n 2  pad 3"
    assert lines[2].startswith("  allowed    [s.answer] OPEN")
    assert lines[2].endswith("n == got   <- does not hold: n is 1 too high")
    assert any(line.startswith("  in         OPEN, got = 1") for line in lines)
    assert any("replay: wirelaw replay case.trace" in line for line in lines)


def test_an_ending_among_many_waiting_inputs_is_no_confusion() -> None:
    """It may have been sent before or after each of them; those after it are still to be refused."""
    text = """machine t.ending {
      region life : OPEN initial, SHUT
      message ask { n : u32 }
      message end { n : u32 }
      input ask(m) through intake
      output end(o) unsaid { n free }
      var got : u32
      table intake on ask(m) { [a] OPEN stop { got = m.n } @t:a  [late] SHUT stop { send end(n: m.n) } @t:late MUST }
      may [e] OPEN emit end() => SHUT @t:e
    }"""
    judge = Judge(law(text))
    for n in range(1, 101):
        judge.input("ask", message(n=n), n, n)
    judge.output("end", message(n=0), 200, 101)
    assert len(judge.frontier) == 101
    judge.output("end", message(n=99), 300, 102)
    judge.output("end", message(n=100), 400, 103)
    assert len(judge.frontier) == 1
    assert judge.finish(5_000_000).grade is Grade.PASS


# --- clauses and their levels -------------------------------------------------------------------------------------------


def test_a_finding_is_graded_by_the_clause_it_names_and_lists_all_that_are_cited() -> None:
    text = COUNTER.replace("} @t:order MUST }", "} @t:order SHOULD @t:never MUST_NOT @t:plain }")
    (warned,) = judge_trace(law(text), [ask(1, 1), answer(1, 2), answer(1, 3), answer(0, 4)], STRICT).findings
    assert warned.row != "g.up", "the row itself refuses old news"
    text = text.replace("emit answer(n: got) default", "emit answer() default")
    (warned,) = judge_trace(law(text), [ask(1, 1), answer(1, 2), answer(0, 3)], STRICT).findings
    assert (warned.grade, warned.clause, warned.level) == (Grade.WARN, "t:order", "SHOULD")
    assert warned.clauses == (("t:order", "SHOULD"), ("t:never", "MUST_NOT"), ("t:plain", ""))
    data = as_data(warned, {"t:plain": "MAY"})
    assert [c["level"] for c in data["clauses"]] == ["SHOULD", "MUST_NOT", "MAY"]


def test_a_debt_that_is_not_paid_names_the_clause_at_its_level() -> None:
    text = COUNTER.replace("@t:next MUST", "@t:soft SHOULD @t:next MUST")
    (finding,) = judge_trace(law(text), [ask(1, 1)], STRICT, None, 2_000 * MS).findings
    assert (finding.grade, finding.clause, finding.level) == (Grade.FAIL, "t:next", "MUST")
    assert finding.clauses == (("t:soft", "SHOULD"), ("t:next", "MUST"))
    (row,) = as_data(finding)["expected"]
    assert (row["row"], row["clause"], row["failed"][0]["by"]) == ("a.next", "t:next", "not within 200 ms, k = 1")
    assert as_data(finding)["packet"] is None
