"""Connections whose opening was not captured: judged from a standstill on, never wrongly failed, still caught at a breach."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade, Verdict
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.oracle.tcp.midway import MidwayJudge, Watch
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, Observation, ObservedSegment, observe
from wirelaw.spec.language.load import SPEC, load

CAPTURES = Path(__file__).parent / "fixtures" / "captures"
NAMES = sorted(p.stem for p in CAPTURES.glob("*.pcap"))
CLIENT, SERVER = Direction.CLIENT, Direction.SERVER


@cache
def tcp() -> CompiledLaw:
    return compile_law(load([SPEC / "tcp"]).machine("tcp.connection"))


def near_end(name: str, connection: Connection) -> Direction:
    said = json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))
    return CLIENT if connection.client.address == said["near"]["address"] else SERVER


def judged_from(name: str, cut: int) -> list[Verdict]:
    """Verdicts on the near end of the connections that `cut` left without their opening."""
    packets = list(read_packets(CAPTURES / f"{name}.pcap"))[cut:]
    until = json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))["running_until_us"]
    judged = judge_capture(tcp(), iter(packets), lambda c: [(near_end(name, c), True)], until)
    return [j.verdict for j in judged if j.connection.starts_midway]


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_passes_from_wherever_the_capture_begins(name: str) -> None:
    for cut in (3, 6, 20):
        for verdict in judged_from(name, cut):
            assert verdict.grade <= Grade.NOTE or "never stood still" in verdict.reason, "\n".join(map(render, verdict.findings))
            assert verdict.grade > Grade.NOTE or verdict.reason.startswith("from the middle: judged from packet ")


def test_most_connections_stand_still_at_some_time() -> None:
    verdicts = [v for name in NAMES if not name.startswith(("lossy", "corrupting")) for v in judged_from(name, 4)]
    assert sum(v.grade <= Grade.NOTE for v in verdicts) >= 0.75 * len(verdicts) > 0


def observations(name: str, cut: int) -> tuple[list[Observation], Direction]:
    packets = list(read_packets(CAPTURES / f"{name}.pcap"))[cut:]
    seen = [(c, o) for c, o in observe(iter(packets), Demultiplexer()) if c.number == 1]
    return [o for _, o in seen], near_end(name, seen[0][0])


def outcome(seen: list[Observation], end: Direction) -> Verdict:
    judge = MidwayJudge(tcp(), end)
    for o in seen:
        judge.observe(o)
    return judge.finish()


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (lambda s: {"ack": s.ack + 1_000}, "rfc9293:3.4/ack"),
        (lambda s: {"same": False}, "rfc9293:3.8.1"),
        (lambda s: {"sum_ok": False}, "rfc9293:MUST-2"),
    ],
    ids=["acknowledges what never came", "other octets than before", "checksum"],
)  # type: ignore[misc]
@pytest.mark.parametrize("name", ["chat-client", "chat-server", "echo-plain-client", "lossy-2pct-seed2-server"])
def test_a_breach_after_the_standstill_fails(name: str, change, clause: str) -> None:  # type: ignore[no-untyped-def]
    seen, end = observations(name, 5)
    at = [n for n, o in enumerate(seen) if o.direction is end and not o.segment.fin][-3]
    seen[at] = replace(seen[at], segment=replace(seen[at].segment, **change(seen[at].segment)))
    verdict = outcome(seen, end)
    assert (verdict.grade, verdict.findings[-1].clause, verdict.findings[-1].number) == (Grade.FAIL, clause, seen[at].number)


def segment(direction: Direction, number: int, seq: int, ack: int, size: int = 0, wnd: int = 500) -> Observation:
    """A plain segment, one millisecond after the one before."""
    flags = dict.fromkeys(("syn", "fin", "rst", "psh", "urg", "ece", "cwr", "has_mss", "has_wscale", "sack_ok", "tson"), False)
    s = ObservedSegment(
        1, 2, seq, ack, wnd, 0, ackf=True, len=size, mss=0, wscale=0, tsval=0, tsecr=0, sacks=(), sum_ok=True, gso_size=0,
        payload=b"", same=True, **flags,
    )  # fmt: skip
    return Observation(number, number * 1_000, direction, s)


def still() -> list[Observation]:
    """Both ends say where they stand: the client at 1000, the server at 9000."""
    return [segment(CLIENT, 1, 1_000, 9_000), segment(SERVER, 2, 9_000, 1_000)]


def test_a_small_window_is_found_though_its_scale_is_unknown() -> None:
    # 600 octets come, the window was 500: only without a scale is taking 500 of them what the law says.
    trimmed = [segment(SERVER, 3, 9_000, 1_000, 600), segment(CLIENT, 4, 1_000, 9_500, wnd=0)]
    after = [segment(CLIENT, 400, 1_000, 9_500), segment(CLIENT, 401, 1_000, 9_500, 10), segment(SERVER, 402, 9_600, 1_010)]
    assert outcome(still() + trimmed + after, CLIENT).grade <= Grade.NOTE
    never = [segment(SERVER, 3, 9_000, 1_000, 600), segment(CLIENT, 4, 1_000, 9_700)]
    assert outcome(still() + never, CLIENT).grade is Grade.FAIL


def test_either_end_may_have_sent_its_fin_before() -> None:
    closed = [segment(SERVER, 3, 9_000, 1_000, 10)]
    text = segment(CLIENT, 4, 1_000, 9_010, 10)
    assert outcome([*still(), *closed, text], CLIENT).grade <= Grade.NOTE
    fin = [replace(segment(SERVER, n, 9_000, 1_000), segment=replace(segment(SERVER, n, 9_000, 1_000).segment, fin=True)) for n in (3,)]
    # Its own FIN was sent before: it is in FIN-WAIT-2, and the peer's FIN is all it waits for.
    assert outcome([*still(), *fin, segment(CLIENT, 4, 1_000, 9_001)], CLIENT).grade <= Grade.NOTE


def test_what_is_not_sure_does_not_fail() -> None:
    """The server has only ever sent text: more of it may have come before the capture and be held."""
    begin = [segment(CLIENT, 1, 1_000, 8_000), segment(SERVER, 2, 8_000, 1_000, 1_000), segment(CLIENT, 3, 1_000, 9_000)]
    jump = [segment(SERVER, 4, 9_000, 1_000, 100), segment(CLIENT, 5, 1_000, 9_900)]
    assert outcome(begin + jump, CLIENT).grade is Grade.INCONCLUSIVE
    shown = segment(SERVER, 4, 9_000, 1_000)
    later = [segment(SERVER, 5, 9_000, 1_000, 100), segment(CLIENT, 6, 1_000, 9_900)]
    assert outcome([*begin, shown, *later], CLIENT).grade is Grade.FAIL


def test_a_connection_that_never_stands_still_is_not_judged() -> None:
    flow = [o for n in range(1, 40, 2) for o in (segment(SERVER, n, n * 500, 7), segment(CLIENT, n + 1, 7, 3))]
    verdict = outcome([replace(o, segment=replace(o.segment, len=500 * o.direction)) for o in flow], SERVER)
    assert (verdict.grade, verdict.findings) == (Grade.INCONCLUSIVE, ())
    assert "never stood still" in verdict.reason


def test_a_close_seen_before_a_standstill_ends_the_watch() -> None:
    watch = Watch(CLIENT)
    fin = segment(SERVER, 1, 9_000, 1_000)
    assert watch.observe(replace(fin, segment=replace(fin.segment, fin=True))) is None
    assert watch.is_lost
    assert all(watch.observe(o) is None for o in still())
