"""Families: three readings agree on any events for several instances; what rests costs nothing; what has ended is forgotten."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from oracle_laws import machine, profile
from tables import GeneratedDriver, InterpreterDriver, tiny_table
from wirelaw.impl.runtime.instances import Timetable
from wirelaw.oracle.engine.configuration import Shared
from wirelaw.oracle.engine.judge import Judge, Observed, judge_trace
from wirelaw.oracle.engine.mutate import feed
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade
from wirelaw.spec.language import interpret
from wirelaw.spec.language.check import run_checks
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.profile import Profile
from wirelaw.tools.draw import draw

KEYS = st.integers(1, 3)
FEW, MANY = 10, 10_000


@dataclass(frozen=True)
class Happening:
    """What happens `wait` microseconds after the one before: `what` is input or call."""

    what: str
    name: str
    values: dict[str, Any]
    wait: int


def happenings(*kinds: tuple[str, str, dict[str, st.SearchStrategy[Any]]]) -> st.SearchStrategy[list[Happening]]:
    waits = st.sampled_from([0, 0, 1, 40_000, 100_000, 950_000, 1_000_000])
    each = [st.builds(Happening, st.just(what), st.just(name), st.fixed_dictionaries(fields), waits) for what, name, fields in kinds]
    return st.lists(st.one_of(each), max_size=20)


FLAG, SMALL, NAMES = st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b", "c"])
RUNS = {
    "16_family": happenings(
        ("input", "open", {"chan": KEYS, "w": st.integers(0, 12)}),
        ("input", "data", {"chan": KEYS, "n": SMALL}),  # not its call: that moves a state, which no judge sees
    ),
    "24_family_times": happenings(
        ("input", "piece", {"peer": KEYS, "n": SMALL, "last": FLAG}),
        ("input", "piece", {"peer": KEYS, "n": st.just(0), "last": st.just(False)}),
        ("input", "receipt", {"peer": KEYS}),
        ("call", "forget", {"peer": KEYS}),
    ),
    "25_family_sent_as": happenings(
        ("input", "hello", {"to": KEYS, "room": st.integers(0, 40)}),
        ("input", "opened", {"to": KEYS, "by": st.integers(1, 6), "room": st.integers(0, 40)}),
        ("input", "data", {"to": KEYS, "len": st.sampled_from([0, 1, 60])}),
        ("input", "close", {"to": KEYS}),
        ("call", "dial", {"to": KEYS, "room": SMALL}),
        ("call", "write", {"to": KEYS, "len": st.integers(0, 9)}),
        ("call", "hang_up", {"to": KEYS}),
    ),
    "26_family_urgent": happenings(
        ("input", "request", {"context": NAMES, "n": SMALL}),
        ("input", "certificate", {"context": NAMES}),
        ("input", "ping", {}),
        ("input", "leave", {}),
    ),
}


@cache
def judged(name: str) -> CompiledLaw:
    return compile_law(tiny_table(name).machine)


@dataclass
class Both:
    """Interpreter and generated code under the same events, compared after each; `seen` is what an observer sees."""

    name: str
    now: int = 0
    seen: list[Observed] = field(default_factory=list)

    def __post_init__(self) -> None:
        table = tiny_table(self.name)
        self.drivers = [InterpreterDriver(table.machine, table.profile), GeneratedDriver(table.machine, table.profile)]

    def observe(self, kind: str, message: Any, is_output: bool) -> None:
        self.seen.append(Observed(kind, message, self.now, len(self.seen) + 1, is_output))

    def do(self, act: Callable[[Any], Any], what: object) -> None:
        """`act` on both, then let both send; they must have done the same."""
        done = [(act(d), d.attempt("pump", self.now), d.host.log, d.rows, d.snapshot()) for d in self.drivers]
        note(f"{self.now} {what}: {done[0][2]}")
        assert done[0] == done[1]
        for entry in self.drivers[0].host.log:
            if entry[0] == "emit":
                self.observe(entry[1], self.drivers[0].message(entry[1], entry[2]), is_output=True)
        for d in self.drivers:
            d.host.log = []

    def wait(self, until: int) -> None:
        """Let time pass, from one deadline to the next."""
        while True:
            due = [d.it.deadline() for d in self.drivers]
            assert due[0] == due[1]
            if due[0] is None or due[0] > until:
                break
            later = max(due[0], self.now)
            if later == self.now and due[0] < self.now:
                break  # a debt that cannot be paid yet stays due
            self.now = later
            before = [d.snapshot() for d in self.drivers]
            self.do(lambda d: d.attempt("advance", self.now), "time")
            if [d.snapshot() for d in self.drivers] == before:
                break
        self.now = until

    def take(self, event: Happening) -> None:
        self.wait(self.now + event.wait)
        if event.what == "call":
            self.do(lambda d: d.attempt("call", event.name, tuple(event.values.values()), self.now), event)
            return
        self.observe(event.name, self.drivers[0].message(event.name, event.values), is_output=False)
        self.do(lambda d: d.attempt("input", event.name, event.values, self.now), event)


@pytest.mark.parametrize("name", RUNS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_all_readings_agree_on_several_instances(name: str, data: st.DataObject) -> None:
    both = Both(name)
    for event in data.draw(RUNS[name]):
        both.take(event)
    verdict = judge_trace(judged(name), both.seen, Environment(lag=0, swap=0, losses=0), known_until=both.now)
    assert verdict.grade <= Grade.NOTE, verdict.findings
    assert {len(d.rows) for d in both.drivers} == {len(both.drivers[0].rows)}


@pytest.mark.parametrize("name", ["24_family_times", "25_family_sent_as", "26_family_urgent"])
def test_what_is_run_here_passes_the_checks(name: str) -> None:
    assert run_checks(tiny_table(name).law).diagnostics == ()


@pytest.mark.parametrize("fmt", ["dot", "mermaid"])
@pytest.mark.parametrize("name", ["24_family_times", "25_family_sent_as", "26_family_urgent"])
def test_what_is_run_here_is_drawn(name: str, fmt: str) -> None:
    machine = tiny_table(name).machine
    drawn = draw(machine, fmt)
    for row in machine.rows():
        moves = [s for e in (row.ending, *(x for x, _ in row.ending.alternatives)) if isinstance(e.target, dict) for s in e.target.values()]
        assert not moves or set(moves) <= row.states or row.id in drawn
    assert all(f"one for each {f.key}" in drawn for f in machine.families.values())


# --- cost and memory ---------------------------------------------------------------------------------------------------

SERVER = """
machine toy.server {
  region life : UP initial
  message all { from_ : u32 }
  message piece : all { n : u32; end : bool }
  message receipt : all { upto : u32 }
  message tell : all { }
  input all(m) through pieces
  output all(o)
  var busy : u32
  family peer by from_ {
    region at : NEW initial, OPEN, OVER final
    timer idle within 1h .. 2h
    debt receipt(upto : u32) : receipt(o) where o.upto >= upto within 500ms while OPEN
    var got : u32
    table pieces {
      [first] NEW on piece(m) if not m.end => OPEN { got = m.n; owe receipt(got) pay 10ms; start idle for 1h }
      [none]  NEW on piece(m) if m.end drop
      [more]  OPEN on piece(m) if not m.end stay { got = m.n; owe receipt(got) pay 10ms; start idle for 1h }
      [end]   OPEN on piece(m) if m.end => OVER
      [role]  on all(m) drop
    }
    table quiet { [idle] on idle() => OVER }
    lazy [ack] OPEN emit receipt(upto: got) when due(receipt) stay
    urgent [odd] OPEN emit tell() if got == 7 stay { got = 8 }
    owed [news] OPEN emit tell() if got == 9 and busy < 5 stay { got = 10; busy += 1 } within 1s
  }
}
"""


@cache
def server() -> tuple[Machine, Profile]:
    made = machine(SERVER)
    return made, profile("profile p for toy.server { order odd, news, ack }", made)


@cache
def served() -> CompiledLaw:
    return compile_law(server()[0])


def machine_with(instances: int) -> GeneratedDriver:
    """A server with so many peers, all of them acknowledged."""
    driver = GeneratedDriver(*server())
    for n in range(instances):
        driver.input("piece", {"from_": n, "n": 1}, n)
    driver.pump(10_000_000)
    assert driver.it.peer.count == instances
    driver.host.log.clear()
    return driver


def steps_of(act: Callable[[], None], files: str) -> int:
    """How many calls of Python functions in `files` (a part of their names) an act makes."""
    made = 0

    def count(frame: Any, event: str, _: object) -> None:
        nonlocal made
        made += event == "call" and files in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return made


def test_an_event_costs_the_same_however_many_instances_rest() -> None:
    def costs(instances: int) -> list[int]:
        it = machine_with(instances).it
        module = sys.modules[type(it).__module__]

        def event() -> None:
            it.on_all(module.Piece(from_=3, n=9), 20_000_000)
            it.pump(20_000_000)

        def payment() -> None:
            it.tick(20_010_000)
            it.pump(20_010_000)
            it.deadline()

        return [steps_of(event, ""), steps_of(payment, ""), steps_of(it.deadline, "")]

    few, many = costs(FEW), costs(MANY)
    assert few == many
    assert few[0] > 5


def test_a_judge_asks_no_more_however_many_instances_rest() -> None:
    def costs(instances: int) -> int:
        judge = Judge(served(), environment=Environment(lag=0, swap=0, losses=0))
        driver = InterpreterDriver(*server())
        number = 0

        def see(name: str, values: dict[str, Any], at: int, *, is_output: bool) -> None:
            nonlocal number
            number += 1
            assert feed(judge, Observed(name, driver.message(name, values), at, number, is_output)) is None

        for n in range(instances):
            see("piece", {"from_": n, "n": 1}, 2 * n, is_output=False)
            see("receipt", {"from_": n, "upto": 1}, 2 * n + 1, is_output=True)

        def event() -> None:
            see("piece", {"from_": 3, "n": 7}, 1_000_000, is_output=False)
            see("tell", {"from_": 3}, 1_000_001, is_output=True)
            see("receipt", {"from_": 3, "upto": 8}, 1_000_002, is_output=True)

        return steps_of(event, "<oracle of")

    few, many = costs(FEW), costs(1_000)
    assert few == many
    assert few > 5


def test_outputs_of_many_instances_are_no_endless_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpret, "OUTPUTS_PER_PUMP", 2)
    drivers = [d(*server()) for d in (InterpreterDriver, GeneratedDriver)]
    monkeypatch.setitem(sys.modules[type(drivers[1].it).__module__].__dict__, "OUTPUTS_PER_PUMP", 2)
    for d in drivers:
        for n in range(FEW):
            d.input("piece", {"from_": n, "n": 9}, 0)
        d.pump(10_000)
    assert len(drivers[0].host.log) == 5 + FEW
    assert drivers[0].host.log == drivers[1].host.log


def test_instances_that_have_ended_leave_nothing_behind() -> None:
    driver = machine_with(MANY)
    held = driver.it.peer
    for n in range(MANY):
        driver.input("piece", {"from_": n, "n": 2, "end": n % 2 == 0}, 20_000_000)
    driver.pump(20_000_000)
    assert held.count == len(held.by_key) == len(held.timers) == MANY // 2
    for n in range(MANY):
        driver.input("piece", {"from_": n, "n": 2, "end": True}, 20_000_000)
    assert held.count == 0
    assert not held.by_key
    assert not any(held.lines)
    assert driver.it.deadline() is None
    for table in (held.timers, held.dues, held.wakes):
        assert len(table) == 0
        assert len(table._heap) <= 64


def test_what_is_refused_is_not_kept() -> None:
    driver = machine_with(0)
    for n in range(MANY):
        driver.input("piece", {"from_": n, "n": 2, "end": True}, 0)
        driver.input("receipt", {"from_": n}, 0)
    assert not driver.it.peer.by_key


class Thing:
    """An instance, as a timetable needs one."""

    counted = False

    def __init__(self, serial: int) -> None:
        self.key = self.serial = serial


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 9))), max_size=200))
def test_a_timetable_knows_what_is_first(changes: list[tuple[str, int, int | None]]) -> None:
    things = [Thing(n) for n in range(6)]
    table: Timetable[Thing] = Timetable()
    known: dict[tuple[str, int], int] = {}
    for name, n, at in changes:
        table.set(name, things[n], at)
        known = {k: v for k, v in {**known, (name, n): at}.items() if v is not None}
        first = min(((at, *k) for k, at in known.items()), default=None)
        found = table.first()
        assert (None if found is None else (found[0], found[1], found[2].serial)) == first
        assert len(table) == len(known)
        assert len(table._heap) <= max(64, 2 * len(known)) + 1


@given(st.lists(st.tuples(st.integers(0, 600), st.one_of(st.none(), st.integers(0, 3))), max_size=60))
def test_what_configurations_share_never_changes(changes: list[tuple[int, int | None]]) -> None:
    made, known, older = Shared(), dict[int, int](), []
    for key, value in changes:
        older.append((made, dict(known)))
        made = made.put(key, value)
        known = {k: v for k, v in {**known, key: value}.items() if v is not None}
        assert dict(made) == known
        assert len(made) == len(known)
        assert made.get(key) == value
    assert all(dict(m) == k for m, k in older)
    again = Shared()
    for key, value in known.items():
        again = again.put(key, value)
    assert made.same(again)
    assert made.same(Shared()) == (not known)


def test_two_families_by_one_key() -> None:
    """Each calls its key by the name of the field, in guards, actions, defaults, gates and internal rows."""
    text = """
    machine toy.pair {
      region life : UP initial
      message msg { id : u8 }
      message a : msg { }
      message b : msg { }
      message c : msg { n : u8 }
      message d : msg { n : u8 }
      var last : u8
      input msg(m) through ones, twos
      output msg(o)
      family one by id {
        region x : X0 initial, X1
        table ones { [one] X0 on a(m) => X1 [one.2] X1 on a(m) => X0 [one.3] on msg(m) next }
        urgent [move] X1 auto if id > 4 => X0 { last = id }
        lazy [out] X1 emit c(n: id) => X0
        gate g { [g] sent c(o) where o.n == id and last != id }
      }
      family two by id {
        var seen : u8
        table twos { [two] on b(m) if seen == 0 stop { seen = id } [two.2] on b(m) if seen > 0 stop { seen = 0 } [two.3] on msg(m) drop }
        lazy [say] emit d() if seen > 2 default { n: id + last } stay { seen = 1 }
      }
    }
    """
    pair = machine(text)
    drivers = [d(pair, profile("profile p for toy.pair { order move, out, say }", pair)) for d in (InterpreterDriver, GeneratedDriver)]
    for name, key in (("a", 3), ("b", 4), ("a", 4), ("a", 3), ("b", 3), ("b", 4), ("a", 5)):
        for d in drivers:
            d.input(name, {"id": key}, 0)
            d.pump(0)
        assert drivers[0].host.log == drivers[1].host.log
        assert drivers[0].snapshot() == drivers[1].snapshot()
    sent = [(x[1], x[2]["id"], x[2]["n"]) for x in drivers[0].host.log]
    assert sent == [("c", 3, 3), ("d", 4, 4), ("c", 4, 4), ("c", 3, 3), ("d", 3, 3)]
    assert drivers[0].snapshot()["last"] == 5
