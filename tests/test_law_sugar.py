"""What the language says shorter means what it says in full: rows in order, and groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from exhaustive import ExhaustiveSolver
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import tiny_table
from wirelaw.conformance.mutants import mutants
from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.steps import ANY_ACT, Event, Steps
from wirelaw.oracle.engine.verdict import Environment
from wirelaw.spec.language import queues
from wirelaw.spec.language.binding import bind
from wirelaw.spec.language.check import check_machine
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Call, Expr, Lit, Name, text, walk
from wirelaw.spec.language.interpret import Interpreter
from wirelaw.spec.language.load import load
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.parse import parse_law, parse_profiles
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.effects import put
from wirelaw.spec.language.proof.subject import Subject
from wirelaw.spec.language.resolve import resolve
from wirelaw.spec.language.types import BOOL, NUMBER, Type
from wirelaw.tools.draw.labels import Labeller
from wirelaw.tools.generate import generate

STATES = ("", "A", "B", "A | B", "X", "Y")
GUARDS = ("", "m.n > 1", "m.n == 2", "m.f", "m.n > 1 and m.f", "not m.f", "c == p", "c == p and m.f", "v == 1", "other == X")
HIDDEN = ("c == p", "c == p and m.f")
EDITIONS = ("", " edition 1", " edition 2", " edition 1, 2")
HOLDS = {
    "": lambda n, f, s: True, "m.n > 1": lambda n, f, s: n > 1, "m.n == 2": lambda n, f, s: n == 2, "m.f": lambda n, f, s: f,
    "m.n > 1 and m.f": lambda n, f, s: n > 1 and f, "not m.f": lambda n, f, s: not f, "c == p": lambda n, f, s: True,
    "c == p and m.f": lambda n, f, s: f, "v == 1": lambda n, f, s: False, "other == X": lambda n, f, s: "X" in s,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One row or group of a drawn table, as text and as what it means."""

    states: str
    guard: str
    edition: str
    likely: bool
    rows: tuple[Said, ...]  # of a group; empty: a row


Meant = list[tuple[str, Said, tuple[str, ...]]]


def rows_or_groups(depth: int) -> st.SearchStrategy[Said]:
    inner = st.lists(rows_or_groups(depth - 1), min_size=1, max_size=3).map(tuple) if depth else st.just(())
    row = st.builds(Said, st.sampled_from(STATES), st.sampled_from(GUARDS), st.sampled_from(EDITIONS), st.booleans(), st.just(()))
    group = st.builds(Said, st.just(""), st.sampled_from(GUARDS[1:]), st.just(""), st.just(False), inner)
    return row | group if depth else row


def written(items: list[Said] | tuple[Said, ...], made: list[str], meant: Meant, around: tuple[str, ...] = ()) -> None:
    """Lines of law for `items`, and for each row its id and the guards of the groups around it."""
    for item in items:
        condition = f" if {item.guard}" if item.guard else ""
        if item.rows:
            made.append(f"{condition} {{")
            written(item.rows, made, meant, (*around, item.guard))
            made.append("}")
            continue
        name = f"r{len(meant)}"
        meant.append((name, item, around))
        made.append(f"{'likely ' if item.likely else ''}[{name}] {item.states}{condition} next{item.edition}")


def law_of(lines: list[str]) -> tuple[Machine, Profile]:
    body = "\n    ".join(lines)
    law = f"""machine toy {{
  region st : A initial, B
  region other : X initial, Y
  message pkt {{ n : u8; f : bool }}
  input pkt(m) through t, end
  choice c {{ p, q }}
  var v : u8
  table t on pkt(m) first {{
    {body}
  }}
  table end on pkt(m) {{ [e1] stop edition 1 [e2] stop edition 2 }}
}}"""
    machine = resolve(parse_law(law, "toy.law")[0])
    (profile,) = parse_profiles("profile p for toy { choose c = p }", "toy.profile")
    return machine, bind(profile, machine)


def first_of(meant: Meant, states: Sequence[str], n: int, f: bool, edition: int) -> str | None:
    """The plain reading: the first row from the top whose states, edition and guards hold."""
    for name, row, around in meant:
        in_states = not row.states or set(row.states.split(" | ")) & set(states)
        of_edition = not row.edition or str(edition) in row.edition.split(" edition ")[1].split(", ")
        if in_states and of_edition and all(HOLDS[g](n, f, states) for g in (row.guard, *around)):
            return name
    return None


def emitted_code(machine: Machine, profile: Profile, edition: int) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "builtins"}  # dataclasses look their module up
    exec(compile(generate(machine, profile, edition), "<toy>", "exec"), space)
    return space


def taken(steps: list[str]) -> str | None:
    return next((s for s in steps if s.startswith("r")), None)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows_or_groups(2), min_size=1, max_size=6), st.sampled_from((1, 2)))
def test_first_takes_the_first_row_that_holds(items: list[Said], edition: int) -> None:
    lines: list[str] = []
    meant: Meant = []
    written([*items, Said("", "", "", False, ())], lines, meant)
    machine, profile = law_of(lines)
    space = emitted_code(machine, profile, edition)
    for states, n, f in product(product("AB", "XY"), range(4), (False, True)):
        steps: list[str] = []
        expected = first_of(meant, states, n, f, edition)
        running = Interpreter(machine, profile, SimpleNamespace(), lambda s, to=steps: to.append(s.row), edition)  # type: ignore[misc, arg-type]
        running.put("st", states[0])
        running.put("other", states[1])
        running.input("pkt", SimpleNamespace(n=n, f=f, kind="pkt"), 0)
        assert taken(steps) == expected
        steps.clear()
        emitted = space["Toy"](SimpleNamespace(), lambda s, to=steps: to.append(s.row))
        emitted.st, emitted.other = states
        emitted.on_pkt(space["Pkt"](n=n, f=f), 0)
        assert taken(steps) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(rows_or_groups(1), min_size=1, max_size=6), st.sampled_from((1, 2)))
def test_a_judge_follows_the_rows_that_may_come_first(items: list[Said], edition: int) -> None:
    """Where a free choice hides whether a row is taken, that row and the next; otherwise the one that an implementation takes."""
    lines: list[str] = []
    meant: Meant = []
    written([*items, Said("", "", "", False, ())], lines, meant)
    machine, _ = law_of(lines)
    law = compile_law(machine, edition)
    for states, n, f in product(product("AB", "XY"), range(4), (False, True)):
        expected: list[str | None] = []
        for name, *_ in meant:
            shorter = [x for x in meant if x[0] == name or int(x[0][1:]) > int(name[1:])]
            if first_of(shorter, states, n, f, edition) == name:
                expected.append(name)
        (first, *_rest), steps = expected, Steps(law, Environment.exact())
        hides = {x[0]: bool(set(HIDDEN) & {x[1].guard, *x[2]}) for x in meant}
        possible = expected[: next(k for k, x in enumerate(expected) if not hides[str(x)]) + 1]
        c = law.initial({"st": states[0], "other": states[1]})
        done = steps.consume(c, Event("pkt", SimpleNamespace(n=n, f=f, kind="pkt"), 0, 1, 0), ANY_ACT)
        taken_rows = {next(law.rows[r].id for r in trail_of(d) if law.rows[r].row.table == "t") for d in done}
        assert taken_rows <= set(possible)
        assert first in taken_rows


def trail_of(c: Configuration) -> list[int]:
    found: list[int] = []
    trail = c.trail
    while trail is not None:
        trail, row, *_ = trail
        found.append(row)
    return found


@settings(max_examples=25, deadline=None)
@given(st.lists(rows_or_groups(1), min_size=1, max_size=4))
def test_rows_in_order_are_disjoint_and_complete(items: list[Said]) -> None:
    lines: list[str] = []
    written([*items, Said("", "", "", False, ())], lines, [])
    machine, profile = law_of(lines)
    subject = Subject(machine, (profile,), None, ExhaustiveSolver())
    found = [d.message for d in check_machine(subject)]
    assert [x for x in found if "can both hold" in x or "no row of table" in x or "both `otherwise`" in x] == []
    assert subject.undecided == []


def test_no_conjunct_of_order_where_rows_cannot_meet() -> None:
    machine, _ = law_of(["[a] A if m.f next", "[b] B if m.n > 1 next", "[old] A next edition 1", "[new] A next edition 2", "[c] B next"])
    said = {r.id: [text(c) for c in r.guard] for r in machine.tables["t"].rows}
    assert said == {"a": ["m.f"], "b": ["m.n > 1"], "old": [], "new": [], "c": []}
    assert [r.id for r in machine.tables["t"].rows if r.otherwise] == ["old", "new", "c"]


def test_a_row_is_in_order_only_with_its_own_event_level_and_first() -> None:
    law = """machine toy {
  region st : A initial
  var v : u8
  message any { n : u8 }
  message x : any { }
  input any(m) through t
  table t on any(m) {
    first {
      [a]  if m.n > 1            next
      [b]  on x(k) if k.n > 2    next
      [c]  on x() if v == 0      next
      [d]  if m.n < 1            next
    }
    [e]  if m.n == 1           next
  }
}"""
    rows = resolve(parse_law(law, "toy.law")[0]).tables["t"].rows
    assert {r.id: [text(c) for c in r.guard] for r in rows} == {
        "a": ["m.n > 1"], "b": ["k.n > 2"], "c": ["v == 0", "not [b]"], "d": ["m.n < 1", "not [a]"], "e": ["m.n == 1"],
    }  # fmt: skip
    assert [text(c, expand=True) for c in rows[2].guard] == ["v == 0", "not k.n > 2"]
    assert rows[2].binders == ("k",)
    assert not any(r.otherwise for r in rows)


def test_a_deleted_row_leaves_its_cases_to_the_next() -> None:
    """As a fault of an implementation, not as an incomplete table."""
    machine, profile = law_of(["[a] if m.n > 1 next", "[b] if m.f next", "[c] next"])
    (without,) = (x.machine for x in mutants(machine) if x.row == "a" and x.change == "deleted")
    space, steps = emitted_code(without, profile, 1), []
    space["Toy"](SimpleNamespace(), lambda s: steps.append(s.row)).on_pkt(space["Pkt"](n=2, f=True), 0)
    assert steps[0] == "b"


def test_a_kind_by_content_is_drawn_by_its_name() -> None:
    machine = tiny_table("24_content").machine
    captions = {r.id: str(Labeller(machine).label(r, r.ending, ())) for r in machine.rows() if r.role != "gate"}
    assert captions["again"].startswith("rcv retry")
    assert captions["hello"].startswith("rcv hello")
    assert captions["refuse"] == "snd refusal"
    assert captions["answer"] == "snd answer"


def test_a_kind_by_content_is_above_its_base_where_it_has_rows() -> None:
    rows = {r.id: r for r in tiny_table("24_content").machine.tables["t"].rows}
    assert [text(c) for c in rows["again"].guard] == ["m.f", "m.n > 2", "m.n < 5"]
    assert [text(c) for c in rows["hello"].guard] == ["k.n > 0", "not (k.f and k.n > 2)"]
    assert rows["done"].guard == ()  # no row on the kind stands in that state


OPERATIONS = st.lists(st.one_of(st.just("pop"), st.tuples(st.integers(0, 9), st.booleans())), max_size=12)


@given(OPERATIONS, st.integers(1, 4))
def test_what_the_solver_knows_of_a_queue_is_true_of_it(operations: list[Any], bound: int) -> None:
    """`len` and `first` after pushes and pops, as expressions over the queue before, have the values of the queue after."""
    kind = Type("queue", str(bound))
    before: tuple[tuple[int, bool], ...] = ((7, True),)
    after: Expr = Name("q", "var", type=kind)
    for step in operations:
        entry = () if step == "pop" else (Lit(step[0], type=NUMBER), Lit(step[1], type=BOOL))
        after = Call("rest" if step == "pop" else "pushed", (after, *entry), "queue", type=kind)
    context = Context(lambda _: before, lambda _: "", lambda *_: None)
    for read in (queues.length(Name("q", "var", type=kind)), *(_first(kind, place) for place in (0, 1))):
        assert evaluate(put(read, {"q": after}), context) == evaluate(_read_of(read, after), context)
    names_left = {n.name for n in walk(put(queues.length(Name("q", "var", type=kind)), {"q": after})) if isinstance(n, Name)}
    assert names_left <= {"q"}
    assert len(evaluate(after, context)) <= max(bound, 1)


def _first(kind: Type, place: int) -> Call:
    return Call("first", (Name("q", "var", type=kind), Lit(place, type=NUMBER), Lit(0, type=NUMBER)), "queue", type=NUMBER)


def _read_of(read: Call, q: Expr) -> Call:
    return Call(read.function, (q, *read.args[1:]), "queue", type=read.type)


@pytest.mark.parametrize(("written_as", "microseconds"), [("1d", 86_400_000_000), ("7d", 604_800_000_000), ("36h", 129_600_000_000)])
def test_days_are_a_unit(written_as: str, microseconds: int) -> None:
    law = f"machine toy {{ region st : A initial param longest : duration in 1s .. {written_as} }}"
    bound = resolve(parse_law(law, "toy.law")[0]).params["longest"].high
    assert isinstance(bound, Lit)
    assert bound.value == microseconds
    assert text(bound) == written_as


def test_the_shipped_law_mentions_every_name() -> None:
    assert [x for machine in load().machines.values() for x in machine.unused] == []
