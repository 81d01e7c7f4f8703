"""The formatter: the same law, one layout, comments kept."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.spec.language.diagnostics import LawError, Span
from wirelaw.spec.language.load import SPEC
from wirelaw.spec.language.parse import parse_law, parse_profiles
from wirelaw.tools.format import WIDTH, _pieces, format_law, line_of, main, tokens

SHIPPED = sorted(SPEC.rglob("*.law"))
PROFILES = sorted([*SPEC.rglob("*.profile"), *(Path(__file__).parent / "fixtures").rglob("*.profile")])
BAD = sorted((Path(__file__).parent / "fixtures" / "bad_law").glob("*.law"))


def meaning(value: object) -> object:
    """A syntax tree without places."""
    if isinstance(value, Span):
        return None
    if is_dataclass(value):
        return (type(value).__name__, *(meaning(getattr(value, f.name)) for f in fields(value) if f.name not in ("span", "origin")))
    if isinstance(value, list | tuple):
        return tuple(meaning(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, meaning(v)) for k, v in value.items())
    return value


def comments(text: str) -> list[str]:
    return [t.text.rstrip() for t in tokens(text) if t.kind == "comment"]


def check_formatting(text: str) -> str:
    made = format_law(text)
    assert meaning(parse_law(made, "")) == meaning(parse_law(text, ""))
    assert format_law(made) == made
    assert comments(made) == comments(text)
    return made


@pytest.mark.parametrize("path", SHIPPED + BAD, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_meaning_and_comments_are_kept_and_twice_is_once(path: Path) -> None:
    text = path.read_text("utf-8")
    try:
        parse_law(text, "")
    except LawError:
        pytest.skip("does not parse")
    check_formatting(text)


def check_profile(text: str) -> str:
    made = format_law(text, "x.profile")
    assert meaning(parse_profiles(made, "")) == meaning(parse_profiles(text, ""))
    assert format_law(made, "x.profile") == made
    assert comments(made) == comments(text)
    return made


@pytest.mark.parametrize("path", PROFILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_profile_keeps_its_meaning_and_comments(path: Path) -> None:
    check_profile(path.read_text("utf-8"))


SPACE = st.sampled_from([" ", "  ", "\n", " \n  ", "\n\n\n"])
ROWS = """[a.{i}] OPEN | CLOSED if s.len > -1 and not (s.syn or s.rst) stay
likely [b.{i}] on seg(s) otherwise => { OPEN: CLOSED, CLOSED: OPEN } next { x = 1; y += 2 }
[c.{i}] if s.seq in rcv_nxt ..+ len drop @rfc9293:3.10.7.4/first MUST @rfc1:1 edition 1,2 within 3s
[d.{i}] OPEN if x in {a, b} either { => S { n = f(1, g(2)) } } or abort(a|b)
[e.{i}] stay { owe ack(rcv_nxt) pay 40ms SHOULD start rto for 2*msl send seg(rst, seq: s.ack) }
[f.{i}] A_VERY_LONG_STATE_NAME_INDEED | ANOTHER_VERY_LONG_STATE_NAME if CONDITIONS true stop
# a comment""".replace("CONDITIONS", ("a_condition == 12 and " * 12).strip())
ROW_PARTS = st.sampled_from([line.split(" ") for line in ROWS.split("\n")])


@settings(deadline=None)
@given(st.lists(st.tuples(ROW_PARTS, st.lists(SPACE, min_size=8, max_size=8)), max_size=6))
def test_any_spacing_gives_one_layout(rows: list[tuple[list[str], list[str]]]) -> None:
    text = "machine m {\n table t on seg(s) {\n"
    for i, (parts, spaces) in enumerate(rows):
        comment = parts[0] == "#"
        for j, part in enumerate(parts):
            text += part.replace("{i}", str(i)) + (" " if comment else spaces[j % len(spaces)])
        text += "\n"
    made = check_formatting(text + "}\n}\n")
    tight = "machine m {\n table t on seg(s) {\n"
    for i, (parts, _) in enumerate(rows):
        tight += " ".join(parts).replace("{i}", str(i)) + "\n"
    assert [x for x in format_law(tight + "}\n}").split("\n") if x] == [x for x in made.split("\n") if x]


ITEMS = """choose c{i} = d
set {long}{i} = 2 * 3s
order tx.a , tx.b, {long}.c
take [a.b{i}] go
fill seg { n{i}: 1, {long}: none }
"what it is for"
# a comment"""


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ITEMS.split("\n")), st.sampled_from(["\n", "\n\n", " # why\n"]), SPACE), max_size=9))
def test_any_spacing_gives_one_profile(items: list[tuple[str, str, str]]) -> None:
    text, tight = "profile  p for m.n{\n", "profile p for m.n {\n"
    for i, (item, end, space) in enumerate(items):
        if item[0] == "#":
            text, tight = text + item + "\n", tight + item + "\n"
            continue
        words = item.replace("{i}", str(i)).replace("{long}", "a_very_long_name_" * (i % 3 * 3 + 1)).split(" ")
        quoted = item[0] == '"'
        text += (" " if quoted else space).join(words) + end
        tight += " ".join(words) + end
    assert check_profile(text + "}\n") == check_profile(tight + "}\n")


def test_values_stand_in_a_column() -> None:
    made = check_profile("profile p for m.n { set a=1s\nchoose longer = x\n\nset b   = 2\norder  a.b,c.d take [r] go\n}")
    assert made == ("profile p for m.n {\n  set a         = 1s\n  choose longer = x\n\n  set b = 2\n  order a.b, c.d\n  take [r] go\n}\n")


def test_rows_stand_in_columns() -> None:
    made = format_law(
        "machine m { table t on s(x) {\n[a] OPEN if x.n>0 stop {y=1} @r:1 MUST\n[long.one] OPEN|CLOSED otherwise drop @r:2 MAY }}"
    )
    assert made == (
        "machine m {\n  table t on s(x) {\n"
        "    [a]         OPEN           if x.n > 0  stop  { y = 1 }  @r:1 MUST\n"
        "    [long.one]  OPEN | CLOSED  otherwise   drop             @r:2 MAY\n"
        "  }\n}\n"
    )


def test_groups_of_rows_nest() -> None:
    made = check_formatting(
        "machine m { table t on s(x)first{\nif x.n in{1,2}{ # small\nOPEN|CLOSED on s(y){[a] if y.n==1 stop}\n}\nfirst {[b] stop\n# c\n}}}"
    )
    assert made == (
        "machine m {\n  table t on s(x) first {\n"
        "    if x.n in {1, 2} {  # small\n"
        "      OPEN | CLOSED on s(y) {\n        [a]  if y.n == 1  stop\n      }\n    }\n"
        "    first {\n      [b]  stop\n      # c\n    }\n  }\n}\n"
    )


def test_long_rows_are_wrapped() -> None:
    text = (
        "machine m { lazy [x] OPEN emit seg(seq: snd_nxt) if ready where "
        + " and ".join(["o.len >= 1"] * 20)
        + " stay { n -= 1 } @r:1 MUST }"
    )
    assert all(len(line) <= WIDTH for line in check_formatting(text).split("\n"))


def test_comments_stay_behind_what_they_follow() -> None:
    body = "  var x : u32     # the x\n  # of the table\n  table t on s(m) {\n    # first\n    [a] stay # why\n  }\n"
    text = f"# top\nmachine m {{\n{body}}}\n# end\n"
    made = check_formatting(text)
    assert "var x : u32     # the x" in made
    assert "[a]  stay  # why" in made


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a+b*-c", "a + b * -c"), ("f ( x , y )", "f(x, y)"), ("if(a or b)and not c", "if (a or b) and not c"), ("x in{a,b}", "x in {a, b}"),
     ("seq:-1", "seq: -1"), ("a.b . c", "a.b.c")],
)  # fmt: skip
def test_spaces(text: str, shown: str) -> None:
    assert line_of(text) == shown
    assert " ".join(_pieces(shown)) == shown


def test_command_checks_and_rewrites(tmp_path: Path) -> None:
    law = tmp_path / "a.law"
    law.write_text("machine   m {\n var x:u32\n}\n", "utf-8")
    said: list[str] = []
    assert main(["--check", str(law)], said.append) == 1
    assert law.read_text("utf-8").startswith("machine   m")
    assert main([str(law)], said.append) == 0
    assert main(["--check", str(law)], said.append) == 0
    assert law.read_text("utf-8") == "machine m {\n  var x:u32\n}\n"


def test_command_reports_what_does_not_parse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = tmp_path / "a.law"
    law.write_text("machine m {", "utf-8")
    assert main([str(law)]) == 2
    assert "the file ends in the middle" in capsys.readouterr().err
