"""Expected deviations mask what is understood, and nothing beside it."""

from dataclasses import replace

import pytest
from wirelaw.conformance.campaign import judged_clauses
from wirelaw.conformance.deviations import Deviation, expected
from wirelaw.conformance.interleave import tcp_law
from wirelaw.conformance.peers.linux import DEVIATIONS
from wirelaw.conformance.trace import Call, Trace
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.impl.wire.tcp import Segment
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledRow
from wirelaw.oracle.engine.verdict import Environment, Finding, Grade
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC

PEER, TESTER = 7_000, 40_000
WALK = Trace("linux", "server", 0, 1_000, ())
MS = 1_000


class Seen(Segment):
    """A segment with the fact the law also asks about."""

    same = True


def segment(port: int, flags: str, seq: int, ack: int = 0, wnd: int = 1_000, **more: int) -> Seen:
    set_ = {name: name in flags.split() for name in ("syn", "fin", "rst", "ackf", "psh")}
    stamps = {"tson": True, "tsval": more.pop("tsval"), "tsecr": more.pop("tsecr", 0)} if "tsval" in more else {}
    return Seen(src_port=port, dst_port=PEER + TESTER - port, seq=seq, ack=ack, wnd=wnd, **set_, **stamps, **more)  # type: ignore[arg-type]


class Dialogue:
    """A judge fed by hand: `<` is an input, `>` an output of the peer; each a millisecond after the last."""

    def __init__(self) -> None:
        self.judge = Judge(tcp_law("linux"), environment=Environment(lag=0, swap=0, losses=0))
        self.time = 0
        self.number = 0

    def say(self, way: str, s: Seen, after: int = MS) -> Finding | None:
        self.time += after
        self.number += 1
        return (self.judge.output if way == ">" else self.judge.input)("seg", s, self.time, self.number)

    def findings(self, until: int = 3_000 * MS) -> list[Finding]:
        return [f for f in self.judge.finish(self.time + until).findings if f.grade >= Grade.WARN]

    def rows(self) -> dict[str, int]:
        return dict(self.judge.coverage)


def opened(stamps: bool = False) -> Dialogue:
    """A passive open, established; the peer's ISS is 5000, the tester's 100, both windows 1000."""
    d = Dialogue()
    given = {"tsval": 50} if stamps else {}
    own = {"tsval": 900, "tsecr": 50} if stamps else {}
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True, **given))
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True, **own))
    d.say("<", segment(TESTER, "ackf", 101, 5_001, **({"tsval": 51, "tsecr": 900} if stamps else {})))
    return d


def crossing(shift: int | None = None) -> Dialogue:
    """An active open that met the tester's own SYN; the peer offers a window scale of 3, the tester `shift`."""
    d = Dialogue()
    scale = {"wscale": shift, "has_wscale": True} if shift is not None else {}
    d.say(">", segment(PEER, "syn", 5_000, mss=1_000, has_mss=True, wscale=3, has_wscale=True))
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True, **scale))
    return d


def known(d: Dialogue, f: Finding, buffer: int = 0) -> bool:
    return f.known is not None or bool(expected(DEVIATIONS, f, d.rows(), replace(WALK, buffer=buffer)))


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def row(name: str) -> CompiledRow:
    return next(r for r in tcp_law().rows if r.id == name)


def test_each_deviation_names_a_row_that_warns_and_a_clause_at_its_level() -> None:
    catalogues = load_catalogues(SPEC / "clauses")
    for d in DEVIATIONS:
        clause = catalogues.resolve(d.clause)
        assert clause is not None, d.clause
        assert str(clause.level) == d.level, d.clause
        r = row(d.row)
        graded = any(s.kind == "grade" for s in r.row.actions)
        owes = [s.level for s in r.row.actions if s.kind in ("owe", "call")]
        assert graded or owes or r.level in ("SHOULD", "SHOULD_NOT") or d.after, d.row
        assert not d.after or row(d.after)


def test_a_failure_is_expected_only_after_what_explains_it() -> None:
    with pytest.raises(ValueError, match="only after a row"):
        Deviation("tx.data", "rfc9293:3.8.6", "INFO", "no reason", fails=True)
    assert [d.row for d in DEVIATIONS if d.fails] == ["ack.bad"]
    clause = "rfc9293:3.10.7.4/fifth/SYN-RECEIVED"
    failure = Finding(Grade.FAIL, clause, "MUST", "ack.bad", 1, 1, "", configuration="SYN_RECEIVED, x")
    closed = replace(WALK, steps=(Call("close"),))
    assert expected(DEVIATIONS, failure, {"syn_sent.both": 1}, closed)
    assert not expected(DEVIATIONS, failure, {"tx.synack": 1}, closed)
    assert not expected(DEVIATIONS, failure, {"syn_sent.both": 1}, replace(WALK, steps=()))
    assert not expected(DEVIATIONS, replace(failure, configuration="CLOSE_WAIT, x"), {"syn_sent.both": 1}, closed)
    for d in DEVIATIONS:
        if not d.fails:
            finding = Finding(Grade.WARN, "", "MUST", d.row, 1, 1, "")
            rows, walk = {d.after: 1} if d.after else {}, replace(WALK, buffer=2_304)
            assert expected([d], finding, rows, walk)
            assert not expected([d], replace(finding, grade=Grade.FAIL), rows, walk)
            assert not expected([d], replace(finding, row="tx.ack"), rows, walk)


def test_a_repeated_syn_ack_is_known_after_an_acknowledgment_of_nothing_and_fails_once_the_syn_is_acknowledged() -> None:
    d = crossing()
    again = segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True)
    assert d.say(">", again) is None
    d.say("<", segment(TESTER, "ackf", 101, 5_000))
    # that it answers what no segment acknowledges shows that it has opened
    d.say("<", segment(TESTER, "ackf", 101, 105_001))
    assert d.say(">", segment(PEER, "ackf", 5_001, 101)) is None
    assert d.say(">", again) is None
    assert "tx.synack.unheard" in {f.row for f in d.findings(0)}
    assert all(f.grade is Grade.WARN and known(d, f) for f in d.findings(0))
    d.say("<", segment(TESTER, "ackf", 101, 5_001))
    d.say("<", segment(TESTER, "ackf", 101, 5_001, len=1))
    assert d.say(">", segment(PEER, "ackf", 5_001, 102)) is None
    failed = d.say(">", replace(again, ack=102))
    assert failed is not None
    assert failed.grade is Grade.FAIL
    assert not known(d, failed)


def test_window_scale_repeated_to_crossing_syns_is_known_and_in_an_answer_it_fails() -> None:
    d = crossing()
    assert d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True, wscale=3, has_wscale=True)) is None
    f = only(d.findings(0))
    assert (f.row, f.grade) == ("g.scale.crossed", Grade.WARN)
    assert known(d, f)
    d = Dialogue()
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True))
    failure = d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True, wscale=3, has_wscale=True))
    assert failure is not None
    assert (failure.row, failure.grade) == ("g.scale.reply", Grade.FAIL)
    assert not known(d, failure)


@pytest.mark.parametrize(("length", "grade"), [(1_000, Grade.PASS), (8_000, Grade.WARN), (8_001, Grade.FAIL)])
def test_a_scaled_window_of_a_crossed_syn_is_known_up_to_its_scaled_edge(length: int, grade: Grade) -> None:
    d = crossing(3)
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True, wscale=3, has_wscale=True))
    d.say("<", segment(TESTER, "syn ackf", 100, 5_001, mss=1_000, has_mss=True, wscale=3, has_wscale=True))
    failure = d.say(">", segment(PEER, "ackf psh", 5_001, 101, len=length))
    if grade is Grade.FAIL:
        assert failure is not None
        assert not known(d, failure)
    elif grade is Grade.WARN:
        f = only(d.findings(0))
        assert str(f.known) == "linux, scales_syn"
        assert known(d, f)
    else:
        assert d.findings(0) == []


def test_a_reset_with_an_old_timestamp_may_be_missed_by_a_stand_in_only() -> None:
    d = opened(stamps=True)
    d.say("<", segment(TESTER, "rst", 101, tsval=20))
    failure = d.say(">", segment(PEER, "ackf psh", 5_001, 101, len=10, tsval=901, tsecr=51))
    assert failure is not None  # established: the reset counts, and nothing may follow
    assert not known(d, failure)
    d = Dialogue()
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True, tsval=50))
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True, tsval=900, tsecr=50))
    d.say("<", segment(TESTER, "rst", 101, tsval=20))
    d.say("<", segment(TESTER, "ackf psh", 101, 5_001, len=10, tsval=51, tsecr=900))
    assert d.say(">", segment(PEER, "ackf", 5_001, 111, tsval=901, tsecr=51)) is None
    f = only(d.findings(0))
    assert str(f.known) == "linux, stand_in_heeds_age"
    assert known(d, f)


@pytest.mark.parametrize(("length", "is_known"), [(0, True), (5, False)])
def test_silence_at_the_right_edge_is_known_for_bare_segments_only(length: int, is_known: bool) -> None:
    d = opened()
    d.say("<", segment(TESTER, "ackf", 1_101, 5_001, len=length))
    f = only(d.findings())
    assert known(d, f) is is_known
    assert f.row.startswith("seq.edge.bare") is is_known


def test_lost_text_is_known_of_a_short_buffer_only() -> None:
    f = Finding(Grade.WARN, "rfc9293:SHLD-31", "SHOULD", "text.join.lost", 1, 1, "")
    assert expected(DEVIATIONS, f, {}, replace(WALK, buffer=2_304))
    assert not expected(DEVIATIONS, f, {}, WALK)


def test_an_acknowledgment_of_something_unsent_may_go_unanswered_by_a_stand_in_only() -> None:
    d = opened()
    d.say("<", segment(TESTER, "ackf", 101, 6_000))
    f = only(d.findings())
    assert f.row == "ack.unsent"
    assert not known(d, f)
    assert row("ack.unsent.late").row.states == {"FIN_WAIT_2", "TIME_WAIT"}
    assert row("ack.unsent.drop").row.states == {"TIME_WAIT"}
    assert row("ack.unsent.pass").row.states == {"FIN_WAIT_2"}
    for name in ("ack.unsent.late", "ack.unsent.drop", "ack.unsent.pass"):
        assert known(d, replace(f, row=name))


def test_text_that_an_acknowledgment_lets_go_may_acknowledge_what_came_before_it() -> None:
    d = opened()
    d.say("<", segment(TESTER, "ackf", 101, 5_001, len=10))
    assert d.say(">", segment(PEER, "ackf psh", 5_001, 101, len=5)) is None
    d.say(">", segment(PEER, "ackf", 5_006, 111))
    f = only(d.findings(0))
    assert f.row == "g.ack.amid"
    assert known(d, f)
    assert d.say(">", segment(PEER, "ackf psh", 5_006, 101, len=5)) is not None  # no longer the latest


def test_a_reset_of_crossing_syns_may_come_from_the_edge_of_a_closed_window() -> None:
    f = Finding(Grade.WARN, "rfc9293:3.10.5/ESTABLISHED", "MUST", "tx.abort.shut", 1, 1, "")
    assert expected(DEVIATIONS, f, {"syn_sent.both": 1}, WALK)
    assert not expected(DEVIATIONS, f, {}, WALK)


def test_a_bad_acknowledgment_may_be_answered_by_an_ack_only_after_close() -> None:
    f = Finding(Grade.FAIL, "rfc9293:3.10.7.4/fifth/SYN-RECEIVED", "MUST", "ack.bad", 1, 1, "", configuration="SYN_RECEIVED, x")
    closed = replace(WALK, steps=(Call("open_active"), Call("leave")))
    assert expected(DEVIATIONS, f, {"syn_sent.both": 1}, closed)
    assert not expected(DEVIATIONS, f, {"syn_sent.both": 1}, WALK)
    assert not expected(DEVIATIONS, f, {}, closed)


def test_a_syn_counts_as_acknowledged_by_nothing_only_when_syns_crossed() -> None:
    d = crossing()
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True))
    d.say("<", segment(TESTER, "ackf psh", 101, 5_000, len=10))
    assert d.say(">", segment(PEER, "ackf", 5_001, 111)) is None
    f = only(d.findings(0))
    assert str(f.known) == "linux, opens_unheard"
    assert known(d, f)
    d = Dialogue()
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True))
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True))
    d.say("<", segment(TESTER, "ackf psh", 101, 5_000, len=10))
    failure = d.say(">", segment(PEER, "ackf", 5_001, 111))
    assert failure is not None
    assert not known(d, failure)


def test_a_bad_acknowledgment_outside_the_window_may_be_refused_first_of_all() -> None:
    d = Dialogue()
    d.say("<", segment(TESTER, "syn", 100, mss=1_000, has_mss=True))
    d.say(">", segment(PEER, "syn ackf", 5_000, 101, mss=1_000, has_mss=True))
    d.say("<", segment(TESTER, "ackf", 90_000, 4_000))
    assert d.say(">", segment(PEER, "rst", 4_000, wnd=0)) is None
    assert d.findings(0) == []


def test_what_leaves_no_trace_is_cited_and_not_in_the_matrix() -> None:
    law = tcp_law()
    cited = {name for r in law.rows for name in r.row.clauses}
    assert set(UNSEEN) <= cited
    assert not set(UNSEEN) & set(judged_clauses(law))
