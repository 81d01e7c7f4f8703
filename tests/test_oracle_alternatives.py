"""Hidden conjuncts: which rows may have been taken, and when `otherwise` may have been."""

from __future__ import annotations

import pytest
from oracle_laws import machine
from wirelaw.oracle.engine.alternatives import can_all_fail, holds_at_rest
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.model import Machine, Row

LAW = """
machine t.hidden {
  region r : A initial
  message x { n : u32 }
  input x(m) through t
  user gone, busy : bool
  user left : u32
  var seen : u32
  choice way { left_way, right_way }
  table t on x(m) {
    %s
    [rest] otherwise stop @h:rest
  }
}
"""


def rows(*guards: str) -> tuple[Machine, list[Row]]:
    made = machine(LAW % "\n".join(f"[r{n}] if {g} stop @h:r" for n, g in enumerate(guards)))
    return made, [r for r in made.rows() if not r.otherwise]


@pytest.mark.parametrize(
    ("guards", "escapes"),
    [
        (["gone"], True),
        (["gone", "not gone"], False),
        (["gone and busy", "not gone"], True),
        (["gone and busy", "gone and not busy", "not gone"], False),
        (["way == left_way", "way == right_way"], False),
        (["way == left_way", "way != left_way"], False),
        (["way == left_way"], True),
        (["left > 0", "left == 0"], False),
        (["left >= 3", "left < 3"], False),
        (["left >= 3", "left < 2"], True),
        (["gone or m.n > 3", "not gone"], False),
        (["gone or busy", "not gone and not busy"], False),
    ],
)
def test_whether_otherwise_may_have_been_taken(guards: list[str], escapes: bool) -> None:
    of, made = rows(*guards)
    hidden = [tuple(c for c in r.guard if of.is_hidden(c)) for r in made]
    assert can_all_fail(hidden, of.choices) is escapes


@pytest.mark.parametrize(
    ("guard", "rests"), [("gone", False), ("not gone", True), ("left > 0", False), ("left == 0", True), ("way == left_way", True)]
)
def test_what_holds_while_the_user_does_nothing(guard: str, rests: bool) -> None:
    of, (row,) = rows(guard)
    assert holds_at_rest(of, row.guard) is rests


def test_a_variable_cannot_be_set_to_what_no_judge_sees() -> None:
    of = machine(LAW.replace("stop @h:rest", "stop { seen = left } @h:rest") % "")
    with pytest.raises(LawError, match="a judge cannot see"):
        compile_law(of)


def test_the_emitted_text_is_kept() -> None:
    of, _ = rows("m.n > 3 and gone")
    assert "return m.n > 3" in compile_law(of).source
