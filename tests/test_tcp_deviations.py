"""What TCPs are known to do against the text: who shows it is told so, and nobody else is accused because of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from test_oracle_hindsight import both_ways
from wirelaw.conformance.campaign import judged_clauses
from wirelaw.conformance.interleave import known_deviations, tcp_law
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.impl.wire.tcp import Segment
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.verdict import Environment, Finding, Grade, Verdict
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC

MS = 1_000
EXACT = Environment(lag=0, swap=0, losses=0)
HEARD = Environment(lag=0, swap=0, losses=0, hidden=0)
"""What the user does is known: nothing here."""


class Seen(Segment):
    """A segment with the facts the law also asks about."""

    same = True
    cut = False


Step = tuple[str, object]


def segment(way: str, flags: str, seq: int, ack: int = 0, wnd: int = 1_000, **more: int) -> Step:
    options: dict[str, int | bool] = dict(more)
    if "syn" in flags:
        options |= {"has_mss": True, "mss": 1_000}
    if "wscale" in more:
        options |= {"has_wscale": True}
    if "tsval" in more:
        options |= {"tson": True}
    return way, Seen(seq=seq, ack=ack, wnd=wnd, **dict.fromkeys(flags.split(), True), **options)  # type: ignore[arg-type]


def i(flags: str, seq: int, ack: int = 0, wnd: int = 1_000, **more: int) -> Step:
    """To the judged end, whose ISS is 5000; the other one's is 100."""
    return segment("<", flags, seq, ack, wnd, **more)


def o(flags: str, seq: int, ack: int = 0, wnd: int = 1_000, **more: int) -> Step:
    """From the judged end."""
    return segment(">", flags, seq, ack, wnd, **more)


def wait(ms: int) -> Step:
    return "wait", ms


def error(kind: int, code: int) -> Step:
    return "!", SimpleNamespace(type=kind, code=code, seq=5_000)


def judged(steps: list[Step], peer: str = "linux", environment: Environment = EXACT, after: int = 3_000) -> Verdict:
    """Steps a millisecond apart; what is owed is waited for."""
    judge = Judge(tcp_law(peer), environment=environment)
    now = number = 0
    for way, what in steps:
        if way == "wait":
            assert isinstance(what, int)
            now += what * MS
            judge.advance(now)
            continue
        now, number = now + MS, number + 1
        (judge.output if way == ">" else judge.input)("trouble" if way == "!" else "seg", what, now, number)
    return judge.finish(now + after * MS)


def opened(**stamps: int) -> list[Step]:
    """A passive open, established."""
    own, echo = ({"tsval": 900, "tsecr": stamps["tsval"]}, {"tsval": stamps["tsval"] + 1, "tsecr": 900}) if stamps else ({}, {})
    return [i("syn", 100, **stamps), o("syn ackf", 5_000, 101, **own), i("ackf", 101, 5_001, **echo)]


def crossing(own: int = 3, **other: int) -> list[Step]:
    """An active open that meets the other end's SYN, and answers it."""
    return [
        o("syn", 5_000, wnd=8_000, wscale=own),
        i("syn", 100, **other),
        o("syn ackf", 5_000, 101, wnd=8_000, **({"wscale": own} if other else {})),
    ]


def full() -> list[Step]:
    """Established, the receive buffer full, ten octets in flight."""
    return [*opened(), i("ackf", 101, 5_001, len=1_000), o("ackf", 5_001, 1_101, wnd=0, len=10)]


def closed_by_both() -> list[Step]:
    """In TIME-WAIT."""
    return [*opened(), o("fin ackf", 5_001, 101), i("ackf", 101, 5_002), i("fin ackf", 101, 5_002), o("ackf", 5_002, 102)]


@dataclass(frozen=True)
class Case:
    """A situation, what the deviating end does in it, and what a lawful one does."""

    before: list[Step]
    deviating: list[Step]
    lawful: list[Step]
    alone: Grade = Grade.FAIL
    environment: Environment = field(default_factory=lambda: EXACT)


CASES: dict[str, Callable[[], Case]] = {
    "opens_unheard": lambda: Case(
        [*crossing(), i("ackf psh", 101, 5_000, len=10)], [o("ackf", 5_001, 111, wnd=7_990)], [o("rst", 5_000, wnd=0)]
    ),
    "scales_syn": lambda: Case(
        [*crossing(3, wscale=3), i("syn ackf", 100, 5_001, wscale=3)],
        [o("ackf psh", 5_001, 101, len=8_000)], [o("ackf psh", 5_001, 101, len=1_000)],
    ),
    "scales_unasked": lambda: Case(
        [*crossing(), i("ackf", 101, 5_001)], [o("ackf", 5_001, 101)], [o("ackf", 5_001, 101, wnd=8_000)], Grade.WARN
    ),
    "closes_unopened": lambda: Case([*crossing(), i("ackf", 101, 6_000)], [o("ackf", 5_001, 101)], [o("rst", 6_000, wnd=0)]),
    "aborts_from_una": lambda: Case(crossing(), [o("rst", 5_000)], [o("rst", 5_001)]),
    "counts_from_acknowledgment": lambda: Case(
        [*opened(), i("ackf", 101, 5_001, len=100), i("ackf", 101, 5_001, wnd=5_000)],
        [o("ackf", 5_001, 201, len=3_000)], [o("ackf", 5_001, 201, len=1_000)],
    ),
    "counts_edge": lambda: Case([*opened(), i("ackf", 1_101, 5_001)], [], [o("ackf", 5_001, 101)], Grade.WARN),
    "refuses_text_when_full": lambda: Case(
        [*full(), i("ackf psh", 1_101, 5_011, len=10)],
        [o("ackf", 5_011, 1_101, wnd=0), o("ackf", 5_001, 1_101, wnd=0, len=10)], [o("ackf", 5_011, 1_101, wnd=0)],
    ),
    "hushes_fin_when_full": lambda: Case(
        [*full(), i("fin ackf", 1_101, 5_011)], [], [o("ackf", 5_011, 1_101, wnd=0)], Grade.WARN
    ),
    "forgives_a_tick": lambda: Case(
        [*opened(tsval=50), i("ackf", 101, 5_001, len=10, tsval=50, tsecr=900)],
        [o("ackf", 5_001, 111, tsval=901, tsecr=51)], [o("ackf", 5_001, 101, tsval=901, tsecr=51)],
    ),
    "hushes_old_acknowledgments": lambda: Case(
        [*opened(tsval=50), i("ackf", 101, 5_001, tsval=20, tsecr=900)], [], [o("ackf", 5_001, 101, tsval=901, tsecr=51)], Grade.WARN
    ),
    "obeys_reset_before_fin": lambda: Case(
        [*opened(), i("fin ackf", 101, 5_001), o("ackf", 5_001, 102), i("rst", 101), i("ackf", 102, 4_990)], [o("rst", 4_990, wnd=0)], []
    ),
    "obeys_reset_behind_gap": lambda: Case(
        [*opened(), i("ackf", 1_001, 5_001, len=100), o("ackf", 5_001, 101), i("rst", 1_101)],
        [i("ackf", 101, 4_990, len=10), o("rst", 4_990, wnd=0)], [i("ackf", 101, 5_001, len=10), o("ackf", 5_001, 111)],
    ),
    "stand_in_heeds_age": lambda: Case(
        [*opened(tsval=50)[:2], i("rst", 101, tsval=20), i("ackf psh", 101, 5_001, len=10, tsval=51, tsecr=900)],
        [o("ackf", 5_001, 111, tsval=901, tsecr=51)], [o("rst", 5_001, wnd=0)],
    ),
    "stand_in_keeps_its_stamp": lambda: Case(
        [*opened(tsval=50), o("fin ackf", 5_001, 101, tsval=901, tsecr=51), i("ackf", 101, 5_002, tsval=60, tsecr=901),
         i("fin ackf", 101, 5_002, tsval=61, tsecr=901)],
        [o("ackf", 5_002, 102, tsval=902, tsecr=60)], [o("ackf", 5_002, 102, tsval=902, tsecr=61)],
    ),
    "stand_in_hushes_resets": lambda: Case(
        [*closed_by_both(), i("rst", 110)], [wait(1_500), i("fin ackf", 101, 5_002), o("ackf", 5_002, 102)],
        [o("ackf", 5_002, 102)], Grade.WARN,
    ),
    "stand_in_ignores_numbers": lambda: Case(
        [*closed_by_both(), i("ackf", 102, 9_000)], [wait(1_500), i("fin ackf", 101, 5_002), o("ackf", 5_002, 102)],
        [o("ackf", 5_002, 102)], Grade.WARN,
    ),
    "gives_up_on_soft_errors": lambda: Case(
        [o("syn", 5_000), error(3, 1), i("syn", 100)], [o("rst ackf", 0, 101, wnd=0)], [o("syn ackf", 5_000, 101)], environment=HEARD
    ),
    "acknowledges_late": lambda: Case(
        [*opened(), i("ackf", 101, 5_001, len=10)], [o("ackf psh", 5_001, 101, len=5), o("ackf", 5_006, 111)],
        [o("ackf psh", 5_001, 111, len=5)], Grade.WARN,
    ),
    "drops_when_short": lambda: Case(
        [*opened(), i("ackf", 201, 5_001, len=100), o("ackf", 5_001, 101), i("ackf", 101, 5_001, len=100)],
        [o("ackf", 5_001, 201)], [o("ackf", 5_001, 301)], Grade.WARN,
    ),
    "resets_late_text": lambda: Case(
        [*opened(), i("fin ackf", 101, 5_001), o("ackf", 5_001, 102), i("ackf", 101, 4_990, len=10)], [o("rst", 4_990, wnd=0)], []
    ),
    "hushes_second_fin": lambda: Case(
        [*opened(), i("fin ackf", 101, 5_001), o("ackf", 5_001, 102), i("fin ackf", 102, 5_001)], [], [o("ackf", 5_001, 102)], Grade.WARN
    ),
    "resets_fin_ahead": lambda: Case(
        [*opened(), o("fin ackf", 5_001, 101), i("ackf", 101, 5_002), i("fin ackf", 111, 4_990)],
        [o("rst", 4_990, wnd=0)], [o("ackf", 5_002, 101)],
    ),
}  # fmt: skip


def test_every_deviation_has_its_case() -> None:
    assert {d.name for d in known_deviations("linux")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_who_deviates_is_known_for_it_and_the_law_alone_accuses(name: str) -> None:
    case = CASES[name]()
    steps = case.before + case.deviating
    alone = judged(steps, "", case.environment)
    assert alone.grade is case.alone
    verdict = judged(steps, "linux", case.environment)
    assert {n for _, n in verdict.fingerprint} == {name}
    assert all(f.grade is Grade.WARN and f.known is not None and f.known.peer == "linux" for f in verdict.findings)


@pytest.mark.parametrize("name", CASES)
def test_who_keeps_the_law_there_is_not(name: str) -> None:
    case = CASES[name]()
    verdict = judged(case.before + case.lawful, "linux", case.environment)
    assert verdict.grade is Grade.PASS, verdict.findings
    assert not verdict.fingerprint


def only(verdict: Verdict) -> Finding:
    [found] = verdict.findings
    return found


@pytest.mark.parametrize("offers", [False, True])
@pytest.mark.parametrize("left", [8_000, 7_000])
def test_who_takes_some_of_its_window_back_is_warned_and_trims_to_what_it_offers(offers: bool, left: int) -> None:
    steps = [
        o("syn", 5_000, wnd=8_000, **({"wscale": 7} if offers else {})),
        i("syn ackf", 100, 5_001),
        o("ackf", 5_001, 101, wnd=8_000),
        *([o("ackf", 5_001, 101, wnd=left)] if left < 8_000 else []),
        i("ackf", 101, 5_001, len=20_000),  # runs over the window
        o("ackf", 5_001, 101 + left, wnd=0),
    ]
    verdict = judged(steps, environment=Environment.near())
    if left < 8_000:
        f = only(verdict)
        assert (f.grade, f.row, f.clause, f.known) == (Grade.WARN, "g.edge", "rfc9293:SHLD-14", None)
    else:
        assert verdict.grade is Grade.PASS


def test_a_window_scale_that_answers_none_fails_where_no_syns_crossed() -> None:
    f = only(judged([i("syn", 100), o("syn ackf", 5_000, 101, wscale=3)]))
    assert (f.row, f.grade, f.known) == ("g.scale.reply", Grade.FAIL, None)


@pytest.mark.parametrize(("length", "grade"), [(1_000, Grade.PASS), (8_000, Grade.WARN), (8_001, Grade.FAIL)])
def test_a_scaled_window_of_a_crossed_syn_is_known_up_to_its_scaled_edge(length: int, grade: Grade) -> None:
    steps = [*crossing(3, wscale=3), i("syn ackf", 100, 5_001, wscale=3), o("ackf psh", 5_001, 101, len=length)]
    assert judged(steps).grade is grade


def test_a_repeated_syn_ack_is_known_after_an_acknowledgment_of_nothing_and_fails_once_the_syn_is_acknowledged() -> None:
    first, again = (o("syn ackf", 5_000, ack) for ack in (101, 111))
    opens = [*crossing(), first, i("ackf psh", 101, 5_000, len=10), o("ackf", 5_001, 111, wnd=7_990), again]
    verdict = judged(opens, after=0)
    assert (verdict.grade, {n for _, n in verdict.fingerprint}) == (Grade.WARN, {"opens_unheard"})
    assert "tx.synack.unheard" in {f.row for f in verdict.findings}
    heard = [i("ackf", 111, 5_001), i("ackf", 111, 5_001, len=1), o("ackf", 5_001, 112, wnd=7_989), o("syn ackf", 5_000, 112)]
    assert judged([*opens, *heard]).grade is Grade.FAIL


def test_a_syn_counts_as_acknowledged_by_nothing_only_when_syns_crossed() -> None:
    steps = [*opened()[:2], i("ackf psh", 101, 5_000, len=10), o("ackf", 5_001, 111)]
    f = only(judged(steps))
    assert (f.grade, f.known) == (Grade.FAIL, None)


def test_a_reset_with_an_old_timestamp_is_obeyed_once_the_connection_is_open() -> None:
    steps = [*opened(tsval=50), i("rst", 101, tsval=20), o("ackf psh", 5_001, 101, len=10, tsval=901, tsecr=51)]
    assert judged(steps).grade is Grade.FAIL


@pytest.mark.parametrize(("length", "name"), [(0, {"counts_edge"}), (5, set())])
def test_silence_at_the_right_edge_is_known_for_bare_segments_only(length: int, name: set[str]) -> None:
    verdict = judged([*opened(), i("ackf", 1_101, 5_001, len=length)])
    assert verdict.grade is Grade.WARN
    assert {n for _, n in verdict.fingerprint} == name


def test_who_acknowledges_late_does_so_once() -> None:
    steps = [
        *opened(),
        i("ackf", 101, 5_001, len=10),
        o("ackf psh", 5_001, 101, len=5),
        o("ackf", 5_006, 111),
        o("ackf psh", 5_006, 101, len=5),
    ]
    assert judged(steps).grade is Grade.FAIL


def test_a_bad_acknowledgment_outside_the_window_may_be_refused_first_of_all() -> None:
    assert judged([*opened()[:2], i("ackf", 90_000, 4_000), o("rst", 4_000, wnd=0)], "", after=0).grade is Grade.PASS


@pytest.mark.parametrize(("seed", "rate"), [(14, 0.09), (289, 0.09), (7, 0.07)])
def test_our_own_stack_on_a_bad_cable_shows_none(seed: int, rate: float) -> None:
    for station in both_ways(seed, rate).hosts:
        for j in judge_capture(tcp_law("linux"), iter(station.packets), known_until=station.now):
            assert not j.verdict.fingerprint


def test_each_deviation_is_against_a_clause_at_its_level() -> None:
    catalogues = load_catalogues(SPEC / "clauses")
    for d in known_deviations("linux"):
        assert d.versions
        for a in d.alternatives:
            for c in a.row.citations:
                clause = catalogues.resolve(c.clause)
                assert clause is not None
                assert c.level == str(clause.level) or str(clause.level) in ("INFO", "MAY"), (d.name, c)


def test_what_leaves_no_trace_is_cited_and_not_in_the_matrix() -> None:
    law = tcp_law()
    cited = {name for r in law.rows for name in r.row.clauses}
    assert set(UNSEEN) <= cited
    assert not set(UNSEEN) & set(judged_clauses(law))
