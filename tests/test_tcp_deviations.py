"""What TCPs are known to do against the text: who shows it is told so, and nobody else is accused because of it."""

from __future__ import annotations

import pytest
from wirelaw.conformance.interleave import tcp_law
from wirelaw.impl.wire.tcp import Segment
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict

MS = 1_000


class Seen(Segment):
    """A segment with the fact the law also asks about."""

    same = True


def seen(flags: str, seq: int, ack: int = 0, wnd: int = 8_000, **more: int | bool) -> Seen:
    return Seen(seq=seq, ack=ack, wnd=wnd, **dict.fromkeys(flags.split(), True), **more)  # type: ignore[arg-type]


def judged(steps: list[tuple[str, Seen]], peer: str = "linux", after: int = 5_000) -> Verdict:
    judge = Judge(tcp_law(peer), environment=Environment.near())
    for number, (way, s) in enumerate(steps, 1):
        (judge.output if way == ">" else judge.input)("seg", s, number * MS, number)
    return judge.finish((len(steps) + after) * MS)


@pytest.mark.parametrize("offers", [False, True])
@pytest.mark.parametrize("left", [8_000, 7_000])
def test_who_takes_some_of_its_window_back_is_warned_and_trims_to_what_it_offers(offers: bool, left: int) -> None:
    steps = [
        (">", seen("syn", 1_000, has_mss=True, mss=1_460, has_wscale=offers, wscale=7 if offers else 0)),
        ("<", seen("syn ackf", 5_000, 1_001, wnd=65_535, has_mss=True, mss=1_460)),
        (">", seen("ackf", 1_001, 5_001)),
        *([(">", seen("ackf", 1_001, 5_001, wnd=left))] if left < 8_000 else []),
        ("<", seen("ackf", 5_001, 1_001, wnd=65_535, len=20_000)),
        (">", seen("ackf", 1_001, 5_001 + left, wnd=0)),
    ]
    verdict = judged(steps)
    if left < 8_000:
        assert [(f.grade, f.row, f.clause, f.known) for f in verdict.findings] == [(Grade.WARN, "g.edge", "rfc9293:SHLD-14", None)]
    else:
        assert verdict.grade is Grade.PASS
