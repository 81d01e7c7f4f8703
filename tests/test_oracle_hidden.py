"""What nobody sees: acts behind a reply, gates whose scope is hidden, numbers known modulo 2^32 only."""

from __future__ import annotations

import pytest
from oracle_laws import law, message
from wirelaw.oracle.engine.configuration import Residue
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.verdict import Environment, Grade

# Leaving may answer a request (`gone` was set), or come by itself; after it, every request is refused.
LEAVING = """
machine t.leaving {
  region life : OPEN initial, SHUT
  message ask { n : u32 }
  message answer { n : u32; no : bool }
  input ask(m) through intake
  output answer(o)
  var seen : u32
  user gone, tired : bool
  table intake on ask(m) {
    [a.gone]  OPEN if gone      => SHUT { send answer(n: 0, no) }  @t:gone MUST
    [a.take]  OPEN if not gone  stop { seen = m.n }                @t:take MUST
    [a.late]  SHUT              stop { send answer(n: 0, no) }     @t:late MUST
  }
  may [s.leave] OPEN emit answer(n: 0, no) if tired => SHUT @t:leave MAY
}
"""


@pytest.mark.parametrize("answers", [1, 2])
def test_a_refusal_may_be_the_answer_or_an_act_before_it(answers: int) -> None:
    judge = Judge(law(LEAVING))
    judge.input("ask", message(n=1), 0, 1)
    for n in range(answers):
        judge.output("answer", message(n=0, no=True), 1_000 + n, 2 + n)
    assert judge.finish(5_000_000).grade <= Grade.NOTE


def test_after_either_a_second_request_is_to_be_refused() -> None:
    judge = Judge(law(LEAVING))
    judge.input("ask", message(n=1), 0, 1)
    judge.output("answer", message(n=0, no=True), 1_000, 2)
    judge.input("ask", message(n=2), 2_000_000, 3)
    verdict = judge.finish(5_000_000)
    assert (verdict.grade, verdict.findings[-1].row) == (Grade.FAIL, "a.late")


# The gate counts only while the application wants it to; what it counted decides what may follow.
COUNTING = """
machine t.counting {
  region life : OPEN initial
  message item { n : u32 }
  message ask { }
  input ask(m) through intake
  output item(o)
  var count : u32
  user counting : bool
  choice way { up, down }
  gate g { [g.count]  sent item(o) if %s where o.n <= 3  { count += 1 }  @t:count MUST }
  table intake on ask(m) { [a]  stop  @t:a }
  may [s.item] OPEN emit item() if count < 2 where o.n >= count stay @t:item MUST
}
"""


@pytest.mark.parametrize(
    ("scope", "numbers", "grade"),
    [
        ("counting", [1, 1, 1], Grade.PASS),  # never applied
        ("counting", [1, 2, 9], Grade.PASS),
        ("counting", [9, 9, 0], Grade.PASS),
        ("way == up or way == down", [1, 1], Grade.PASS),
        ("way == up or way == down", [1, 1, 1], Grade.FAIL),  # hidden, yet it always applies
        ("way == up or way == down", [9], Grade.FAIL),
    ],
)
def test_a_gate_of_hidden_scope_may_apply_or_not(scope: str, numbers: list[int], grade: Grade) -> None:
    judge = Judge(law(COUNTING % scope), environment=Environment.exact())
    for at, n in enumerate(numbers, 1):
        judge.output("item", message(n=n), at, at)
    assert judge.finish().grade is grade


def test_a_hidden_gate_leaves_both_pasts_open() -> None:
    judge = Judge(law(COUNTING % "counting"), environment=Environment.exact())
    for at in (1, 2):
        judge.output("item", message(n=1), at, at)
    assert sorted(c.v_count for c in judge.frontier) == [0, 1, 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrapped", [0, 1, -1])
def test_a_literal_number_of_a_reply_counts_modulo_2_to_the_32(wrapped: int) -> None:
    place = "machine t.reset { region r : OPEN initial  message x { n : u32 }  message y { seq : seq32<sender> }  input x(m) through t"
    judge = Judge(law(place + "  output y(o)  table t on x(m) { [a] stop { send y(seq: 0) } @t:a MUST } }"))
    judge.input("x", message(n=1), 0, 1)
    judge.output("y", message(seq=wrapped << 32), 10, 2)
    assert judge.finish(5_000_000).grade is Grade.PASS
    assert Residue(0) == wrapped << 32
    assert Residue(0) != (wrapped << 32) + 1
