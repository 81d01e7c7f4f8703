"""Where an output and a waiting input do not commute, the judge looks back; and many waiting inputs cost no more than they must."""

from __future__ import annotations

import pytest
from oracle_laws import law, message
from tcp_rig import TWO_MSL, Pair, octets, sized, verdicts, would
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.config import VIPERDOS
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict

SIZE = 60_000


def both_ways(seed: int, rate: float) -> Pair:
    """Text both ways at once on a bad cable, and a close."""
    pair = Pair(Faults(rate, rate / 2, rate / 2, 0), seed, sized() if seed % 7 else VIPERDOS, watch=True)
    sockets = pair.opened()
    left = [memoryview(octets(seed + n, SIZE)) for n in range(2)]
    got, open_ends = [0, 0], {0, 1}
    while open_ends:
        assert pair.lan.now < 4e9
        for n, sock in enumerate(sockets):
            while left[n] and (count := would(lambda s=sock, v=left[n]: s.send(v[: 1 << 17]))):  # type: ignore[misc]
                left[n] = left[n][count:]
                if not left[n]:
                    sock.shutdown(1)
            while n in open_ends and (piece := would(lambda s=sock: s.recv(1 << 20))) is not None:  # type: ignore[misc]
                got[n] += len(piece)
                open_ends -= {n} if not piece else set()
        pair.run(0.05)
    assert got == [SIZE, SIZE]
    for sock in sockets:
        sock.close()
    pair.run(2 * TWO_MSL)
    return pair


@pytest.mark.parametrize(("seed", "rate"), [(14, 0.09), (76, 0.07), (289, 0.09), (1, 0.05), (7, 0.07)])
def test_both_ends_pass_while_both_send_on_a_bad_cable(seed: int, rate: float) -> None:
    pair = both_ways(seed, rate)
    for station in pair.hosts:
        for environment in (Environment.exact(), Environment.near()):
            for verdict in verdicts(station, environment):
                assert verdict.grade is not Grade.FAIL, "\n".join(map(render, verdict.findings))
                assert "budget" not in verdict.reason


# News is noted unless it runs ahead of the latest receipt: reading it before a receipt is not the same as reading it after.
CLOCK = """
machine t.clock {
  region life : OPEN initial
  message news { n : u32; at : u32 }
  message receipt { upto : u32; at : u32 }
  input news(m) through intake
  output receipt(o)
  var told, noted : u32
  table intake on news(m) {
    [n.new]    OPEN if m.n <= told  stop { noted = m.at; }  @t:new MUST
    [n.ahead]  OPEN if m.n > told   stop                    @t:ahead MUST
  }
  lazy [r.send] OPEN emit receipt(at: noted) where o.upto >= told default { upto: told } stay { told = o.upto; } @t:send MUST
}
"""
MS = 1_000


def told(at: int) -> Verdict:
    """A receipt of what has just come, and much later another one that says `at`."""
    trace = [
        Observed("news", message(n=5, at=7), 0, 1, False),
        Observed("receipt", message(upto=5, at=0), 1 * MS, 2, True),
        Observed("receipt", message(upto=5, at=at), 500 * MS, 3, True),
    ]
    return judge_trace(law(CLOCK), trace, Environment(lag=50 * MS, swap=0, losses=0))


@pytest.mark.parametrize("at", [0, 7])
def test_news_may_have_been_read_before_or_after_the_receipt(at: int) -> None:
    assert told(at).grade is Grade.PASS


def test_a_second_look_forgives_nothing() -> None:
    verdict = told(3)
    assert verdict.grade is Grade.FAIL
    assert [(f.row, f.number) for f in verdict.findings] == [("r.send", 3)]


def test_without_a_second_look_one_of_the_two_would_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wirelaw.oracle.engine.judge.look_back", lambda *_: False)
    assert {told(0).grade, told(7).grade} == {Grade.PASS, Grade.FAIL}


def test_what_was_taken_is_counted_once() -> None:
    assert {row: n for row, n in told(0).coverage.items() if n} == {"n.ahead": 1, "r.send": 2}
    assert {row: n for row, n in told(7).coverage.items() if n} == {"n.new": 1, "r.send": 2}
