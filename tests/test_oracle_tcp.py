"""The oracle on TCP: recorded connections of a kernel pass near their host, corrupted ones are caught."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Judge, Observed
from wirelaw.oracle.engine.mutate import feed, try_corruptions, with_fields
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Bounds, Environment, Grade
from wirelaw.oracle.tcp.connection import ConnectionJudge, judge_capture
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, observe
from wirelaw.spec.language.load import SPEC, load

CAPTURES = Path(__file__).parent / "fixtures" / "captures"
NAMES = sorted(p.stem for p in CAPTURES.glob("*.pcap"))


@cache
def tcp() -> CompiledLaw:
    law = load([SPEC / "tcp"])
    return compile_law(law.machine("tcp.connection"), deviations=law.known_deviations("tcp.connection"))


def facts(name: str) -> tuple[Direction, int | None]:
    """The role of the end the capture was taken near to, and until when it ran."""
    said = json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))
    return Direction[said["near"]["role"].upper()], said["running_until_us"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_near_its_own_capture_passes(name: str) -> None:
    role, until = facts(name)
    judged = list(judge_capture(tcp(), read_packets(CAPTURES / f"{name}.pcap"), lambda _: [(role, True)], until))
    assert judged
    for j in judged:
        unknown = [f for f in j.verdict.findings if f.grade > Grade.NOTE and f.known is None]
        assert not unknown, "\n".join(map(render, unknown))
        assert j.verdict.grade is not Grade.FAIL
        assert {peer for peer, _ in j.verdict.fingerprint} <= {"linux"}
        assert sum(j.verdict.coverage.values())


@pytest.mark.parametrize("name", ["bulk-plain-client", "lossy-5pct-seed4-server"])
def test_the_frontier_stays_small(name: str) -> None:
    role, _ = facts(name)
    judge = ConnectionJudge(tcp(), role)
    sizes: Counter[int] = Counter()
    for _, seen in observe(read_packets(CAPTURES / f"{name}.pcap"), Demultiplexer()):
        judge.observe(seen)
        sizes[len(judge.judge.frontier)] += 1
    assert sum(n * k for n, k in sizes.items()) / sizes.total() < 1.5, sizes


def trace_of(name: str, limit: int) -> list[Observed]:
    role, _ = facts(name)
    seen = observe(read_packets(CAPTURES / f"{name}.pcap"), Demultiplexer())
    return [Observed("seg", o.segment, o.time, o.number, o.direction is role) for _, o in seen][:limit]


def test_corrupted_segments_are_caught_and_named() -> None:
    outcomes = [o for name in ("half-close-client", "bare-server") for o in try_corruptions(Judge(tcp()), trace_of(name, 16))]
    assert len(outcomes) > 100
    counts = Counter("absorbed" if o.is_absorbed else "late" if o.is_late else "named" if o.is_named else "misnamed" for o in outcomes)
    # What is absorbed is legal by another row: an ACK with an octet is text, a FIN may come earlier, an RST is an abort.
    assert counts["absorbed"] <= 0.15 * len(outcomes), counts
    assert counts["named"] >= 9 * counts["misnamed"], counts


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (lambda s: {"ack": s.ack + 1_000}, "rfc9293:3.4/ack"),
        (lambda s: {"same": False}, "rfc9293:3.8.1"),
        (lambda s: {"sum_ok": False}, "rfc9293:MUST-2"),
        (lambda s: {"has_mss": True}, "rfc9293:MUST-65"),
    ],
    ids=["acknowledges what never came", "other octets than before", "checksum", "MSS outside a SYN"],
)  # type: ignore[misc]
def test_a_wrong_acknowledgment_names_its_clause(change, clause: str) -> None:  # type: ignore[no-untyped-def]
    judge = Judge(tcp(), subject="10.7.0.2")
    trace = trace_of("half-close-server", 40)
    at = next(n for n, o in enumerate(trace) if o.is_output and n > 4 and not o.message.fin)
    for n, seen in enumerate(trace):
        feed(judge, seen if n != at else seen._replace(message=with_fields(seen.message, change(seen.message))))
    verdict = judge.finish()
    assert verdict.grade is Grade.FAIL
    assert verdict.findings[-1].clause == clause, render(verdict.findings[-1])
    assert verdict.findings[-1].number == trace[at].number


def test_a_reset_that_is_a_reply_has_a_right_checksum() -> None:
    trace = trace_of("refused-server", 4)
    at = next(n for n, o in enumerate(trace) if o.is_output and o.message.rst)
    judge = Judge(tcp(), subject="10.7.0.2")
    for n, seen in enumerate(trace):
        feed(judge, seen if n != at else seen._replace(message=with_fields(seen.message, {"sum_ok": False})))
    verdict = judge.finish()
    assert verdict.grade is Grade.FAIL
    finding = verdict.findings[-1]
    assert (finding.clause, finding.row, finding.number) == ("rfc9293:MUST-2", "g.sum", trace[at].number), render(finding)


def test_replies_are_corrupted_too() -> None:
    outcomes = list(try_corruptions(Judge(tcp()), trace_of("refused-server", 4)))
    assert {(o.corruption.row, o.is_named) for o in outcomes} >= {("g.sum", True), ("g.mss", True), ("g.scale", True)}


def test_an_acknowledgment_that_never_comes_fails_by_silence() -> None:
    trace = trace_of("half-close-server", 40)
    first = next(n for n, o in enumerate(trace) if not o.is_output and o.message.len)
    judge = Judge(tcp(), environment=Environment.near())
    for seen in trace[: first + 1]:
        (judge.output if seen.is_output else judge.input)(seen.kind, seen.message, seen.time, seen.number)
    assert not judge.settled(trace[first].time)
    assert judge.finish(trace[first].time + 100_000).grade is Grade.PASS
    silent = Judge(tcp())
    for seen in trace[: first + 1]:
        (silent.output if seen.is_output else silent.input)(seen.kind, seen.message, seen.time, seen.number)
    verdict = silent.finish(trace[first].time + 2_000_000)
    assert (verdict.grade, verdict.findings[-1].row) == (Grade.FAIL, "text.next")


def test_far_judging_never_fails_and_bounds_are_inconclusive() -> None:
    role, until = facts("bulk-client")

    def sides(_: Connection) -> list[tuple[Direction, bool]]:
        return [(Direction(1 - role), False)]

    for j in judge_capture(tcp(), read_packets(CAPTURES / "bulk-client.pcap"), sides, until):
        assert j.verdict.grade is not Grade.FAIL
    for j in judge_capture(tcp(), read_packets(CAPTURES / "bulk-client.pcap"), lambda _: [(role, True)], until, Bounds(pending=2)):
        assert (j.verdict.grade, j.verdict.reason[:6]) == (Grade.INCONCLUSIVE, "budget")
