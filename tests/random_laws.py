"""Random small laws as text, and the test of the language's promise: a law that passes the checks runs alike in all readings.

    python tests/random_laws.py --laws 1000 --seed 0

writes laws in a loop and prints what it found. A law is made so that it mostly passes by construction (guards are partitions, output
rows end their own condition), with a few liberties that the checks have to judge.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from tables import GeneratedDriver, InterpreterDriver, generated_module
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade
from wirelaw.spec.language.binding import bind
from wirelaw.spec.language.check import check_machine
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.parse import parse_law, parse_profiles
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.proof.cache import CachedSolver
from wirelaw.spec.language.proof.late import make_solver
from wirelaw.spec.language.proof.subject import Subject
from wirelaw.spec.language.resolve import resolve
from wirelaw.tools.generate import generate

MACHINE = "random.law"
KINDS = {"ping": "sort", "pong": "sort", "bell": "wire"}  # kind: its class
EVENTS = 25
EXACT = Environment(lag=0, swap=0, losses=0)

HEAD = """machine random.law {
  enum color { red, green }
  message wire { n : u8; s : seq32<sender>; flag : bool }
  message sort : wire { k : color = red }
  message ping : sort { }
  message pong : sort { }
  message bell : wire { }
  message echo { n : u8; s : seq32<receiver> = x; more : u16 = 3; flag : bool = false }
  message done { n : u8 }
  output echo(o)
  output done(o)
  var a : u8
  var b : nat
  var f, g : bool
  var c : color = green
  var last : wire
  var x : seq32<rx>
  var y : seq32<tx>
  user u : bool
  policy p : nat
  choice taste { mild, hot }
  param wait : duration in 1ms .. 1s
  timer alarm within 1ms .. 1s
  timer clock
  ask room() : u8
  tell news(n : nat)
  call poke(n : u8)
  table ticks on clock() { [tick] stop }
"""


@dataclass
class Writer:
    """Writes one law. `rng` decides everything."""

    rng: Random
    states: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    rows: int = 0
    outputs: list[str] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)

    def row(self, letter: str = "r") -> str:
        self.rows += 1
        return f"[{letter}{self.rows}]"

    def may(self, chance: float) -> bool:
        return self.rng.random() < chance

    # --- conditions and actions ------------------------------------------------------------------------------------

    def atom(self, binder: str, kind: str, *, hidden: bool) -> str:
        """A condition on the configuration and, where there is one, the message; `hidden` ones a judge cannot see."""
        small = self.rng.choice(["0", "1", "5", "9"])
        op = self.rng.choice(["==", "!=", "<", "<=", ">", ">="])
        found = [f"a {op} {small}", "f", "g", f"b {self.rng.choice(['>', '==', '<'])} {small}", "c == red", "last != none"]
        found += [f"(last != none and last.n {op} {small})", f"select(f, a, {small}) {op} 2", f"min(a, {small}) == 1", f"a % 3 == {small}"]
        if self.halves:
            found.append(f"half == {self.rng.choice(self.halves)}")
        if hidden:
            found += ["u", "running(clock)", "taste == hot", "taste == mild"]
        if binder:
            m = binder
            found += [f"{m}.n {op} {small}", f"{m}.flag", f"{m}.n in {{1, {small}}}", f"{m}.n + a > {small}", f"{m}.s == x"]
            found += [f"{m}.s {self.rng.choice(['<', '>', '<=', '>='])} x", f"{m}.s in x ..+ 10", f"{m}.s - x < 5"]
            found += [f"(last == none or last.n != {m}.n)"] + ([f"{m}.k == red"] if kind != "bell" and kind != "wire" else [])
        if self.may(0.01):
            found = ["last.n == 1", f"1 << a == {small}", "a / b == 1", "a - 3 == 1"]
        return self.rng.choice(found)

    def cases(self, binder: str, kind: str, *, hidden: bool = True) -> list[str]:
        """Guards that exclude each other and leave nothing out; now and then they do not."""
        n = self.rng.choice([1, 1, 2, 2, 2, 3])
        atoms = [self.atom(binder, kind, hidden=hidden) for _ in range(n - 1)]
        made: list[str] = []
        for i in range(n):
            parts = [f"not ({a})" for a in atoms[:i]] + atoms[i : i + 1]
            made.append(f"if {' and '.join(parts)}" if parts else "")
        if n > 1 and self.may(0.3):
            made[-1] = "otherwise"
        if n > 1 and self.may(0.01):
            made.pop(self.rng.randrange(n))
        return made

    def action(self, binder: str, kind: str = "") -> str:
        r = self.rng
        m = binder
        found = ["a = min(a + 1, 9)", "a = 0", "a = max(a - 1, 0)", "b += 1", "b = max(b - 2, 0)", "b = min(b, 4)", "f = true", "f = false"]
        found += ["g = not f", "c = red", "last = none", "x += 3", "x = x + a", "y -= 1", "tell news(b + a)", "start clock for wait"]
        found += [
            "stop clock",
            "ensure clock for 2 * wait",
            "start alarm for wait",
            "stop alarm",
            "ensure alarm for wait",
            "owe open() pay 2ms",
        ]
        found += ["owe reply(a) pay 0ms", "owe reply(a) pay 5ms SHOULD", "send done(n: a)"]
        if m:
            found += [f"last = {m}"] * (3 * (kind == "wire"))
            found += [f"a = {m}.n", f"f = {m}.flag", f"x = {m}.s", f"x = {m}.s + 1", f"b += {m}.n"]
            found += [f"a = max(a, {m}.n)", f"owe reply({m}.n) pay 1ms", f"send done(n: {m}.n)"]
        if self.may(0.01):
            found = ["a += 1", "b -= 1", "a = b", "owe reply(b) pay 0ms"]
        return r.choice(found)

    def actions(self, binder: str, kind: str = "", most: int = 3) -> str:
        made = [self.action(binder, kind) for _ in range(self.rng.randint(0, most))]
        return f" {{ {'; '.join(made)} }}" if made else ""

    def ending(self, states: list[str], binder: str, kind: str, *, going: bool) -> str:
        r = self.rng
        plain = ["stop", "stay", "drop"] + (["next", "next"] if going else [])
        way = r.randint(0, 9)
        if way < 4 or not states:
            return r.choice(plain) + self.actions(binder, kind)
        if way < 8 or len(states) < 2:
            return f"=> {r.choice(self.states)}{' next' if going and self.may(0.4) else ''}" + self.actions(binder, kind)
        if way == 8:
            return "=> { " + ", ".join(f"{s}: {r.choice(self.states)}" for s in states) + " }" + self.actions(binder, kind)
        return f"either {{ => {r.choice(self.states)}{self.actions(binder, kind, 1)} }} or abort({r.choice([1, 2])})" + self.actions(
            binder, kind, 1
        )

    # --- tables ----------------------------------------------------------------------------------------------------

    def groups(self) -> list[list[str]]:
        """The states, in groups that share their rows."""
        mixed = self.rng.sample(self.states, len(self.states))
        cut = self.rng.randint(1, len(mixed))
        return [g for g in (mixed[:cut], mixed[cut:]) if g]

    def table(self, name: str, last: bool) -> list[str]:
        lines = [f"  table {name} {{"]
        events = self.rng.choice([["wire"], ["wire", "ping"], ["sort", "bell"], ["ping", "pong", "bell"], ["sort", "bell", "pong"]])
        for event in events:
            m = self.rng.choice("me")
            for group in self.groups():
                if not last and self.may(0.15):
                    continue
                for guard in self.cases(m, event):
                    ending = self.ending(group, m, event, going=not last or self.may(0.3))
                    lines.append(f"    {self.row()} {' | '.join(group)} on {event}({m}) {guard} {ending}")
        return [*lines, "  }"]

    def clocks(self) -> list[str]:
        lines = ["  table alarms on alarm() {"]
        groups = self.groups()
        for group in groups[: len(groups) if self.may(0.97) else 1]:
            for guard in self.cases("", ""):
                lines.append(f"    {self.row('t')} {' | '.join(group)} {guard} {self.ending(group, '', '', going=False)}")
        return [*lines, "  }"]

    def calls(self) -> list[str]:
        changes = ["u = true", "p += 1", "u = false; p = v", "start clock for wait"]
        hot, mild = self.row("c"), self.row("c")
        rows = [f"    {hot} if taste == hot stop {{ {self.rng.choice(changes)}; ensure clock for wait }}"]
        rows += [f"    {mild} if taste == mild stop {{ {self.rng.choice(changes)} }}"]
        return ["  table pokes on poke(v) {", *rows, "  }"]

    # --- outputs ---------------------------------------------------------------------------------------------------

    def output(self) -> str:
        """An output row that mostly uses something up."""
        r, row = self.rng, self.row("o")
        ends = [("if f", "stay { f = false }"), ("if b > 0", "stay { b -= 1 }"), ("if g and a > 2", "stay { g = false; a = 1 }")]
        ends += [("when due(reply)", "stay"), ("when due(open)", "stay"), ("when p > 0", "stay { p -= 1 }"), ("if u", "stay { u = false }")]
        ends += [("if a > 3", "stay { a -= 1 }"), ("if last != none", "stay { b += last.n; last = none }")]
        if len(self.states) > 1:
            other = r.choice(self.states)
            ends += [("if f", f"=> {other} {{ f = false }}"), ("if c == red", f"=> {other} {{ c = green }}")]
        condition, ending = r.choice(ends)
        if self.may(0.05):
            condition, ending = r.choice(
                [("if f", "stay"), ("if a > 3", "stay { a = max(a, 2) }"), ("if f", "stay { f = false; g = true }")]
            )
        mode = r.choice(["lazy", "lazy", "lazy", "owed", "urgent", "may"])
        if mode in ("urgent", "owed") and condition.startswith(("when", "if u")):
            mode = "lazy"
        states = " | ".join(r.sample(self.states, r.randint(1, len(self.states))))
        is_auto = self.may(0.2)
        mode = "lazy" if is_auto and mode in ("may", "owed") else mode
        if mode != "may":
            self.outputs.append(row[1:-1])
        if is_auto:
            return f"  {mode} {row} {states} auto {condition} {ending}"
        guard, when = (condition, "") if condition.startswith("if") else ("", condition)
        pays = "due(reply)" in condition
        fixed = r.choice(["n: a", "n: min(b, 7)", "n: a, flag"] if not pays else ["n: 255", "n: 255", "n: 255", "n: a, s: x"])
        where = r.choice(["", "", "where o.more < 9", "where o.more <= 300 and o.n <= 255"])
        default = r.choice(["", "default { more: 4 }", "default { more: room() }", "default { more: o.n + 2 }"])
        if mode == "urgent":
            default, where = "", ""
        within = " within 1s" if mode == "owed" else ""
        return f"  {mode} {row} {states} emit echo({fixed}) {guard} {where} {default} {when} {ending}{within}"

    def gate(self) -> str:
        r = self.rng
        demand = r.choice(
            ["where o.n < 200", "where o.more != 7", "if f where o.n < 9", "if g where o.flag or o.n != 3", "where o.n >= a or o.flag"]
        )
        states = r.choice(["", r.choice(self.states)])
        acts = r.choice(["", "", " { b = min(b + 1, 9) }", " { y += 1 }"])
        return f"    {self.row('g')} {states} sent echo(o) {demand}{acts}"

    def law(self) -> str:
        r = self.rng
        self.states = ["IDLE", "OPEN", "SHUT", "OVER"][: r.randint(2, 4)]
        self.halves = ["LEFT", "RIGHT"] if self.may(0.4) else []
        marks = ["initial"] + [r.choice(["", "", "final"]) for _ in self.states[1:]]
        lines = [HEAD, f"  region life : {', '.join(f'{s} {k}'.strip() for s, k in zip(self.states, marks, strict=True))}"]
        lines += [f"  region half : {self.halves[0]} initial, {self.halves[1]}"] if self.halves else []
        lines += [f"  abort (code : u8) emit done where o.n == code then => {self.states[-1]}"]
        through = ["one", "two"][: r.randint(1, 2)]
        shared = self.may(0.25)
        inputs = [f"  input {i}({b}) through {', '.join(through)}" for i, b in (("sort", "m"), ("bell", "e"))] if shared else []
        lines += inputs or [f"  input wire(w) through {', '.join(through)}"]
        debt_states = f" while {' | '.join(self.states[:-1])}" if self.may(0.6) else ""
        lines += [f"  debt reply(k : u8) : echo(o) where o.n {r.choice(['>='] * 9 + ['=='])} k within 500ms{debt_states}"]
        lines += [f"  debt open() : echo(o) where {r.choice(['o.more > 0', 'o.n >= 0', 'not o.flag'])} within 500ms{debt_states}"]
        for name in through:
            lines += self.table(name, name == through[-1])
        lines += [*self.clocks(), *self.calls()]
        if self.halves:
            lines.append(f"  lazy {self.row('h')} LEFT auto if {self.atom('', '', hidden=False)} => RIGHT")
            self.outputs.append(f"h{self.rows}")
        lines += [self.output() for _ in range(r.randint(1, 4))]
        row = self.row("o")
        self.outputs.append(row[1:-1])
        lines.append(f"  lazy {row} {self.states[0]} auto if g stay {{ g = false; start alarm for wait }}")
        for state in (s for s in self.states[1:] if not any(f"=> {s}" in line or f": {s}" in line for line in lines[2:])):
            row = self.row("o")
            self.outputs.append(row[1:-1])
            lines.append(f"  lazy {row} {self.states[0]} auto if f => {state} {{ f = false }}")
        if self.may(0.4):
            lines += ["  gate limits {", *(self.gate() for _ in range(r.randint(1, 2))), "  }"]
        if self.may(0.3):
            held = r.choice(["a <= 255", "b >= 0", "not f or a >= 0", "a < 200", "not running(alarm)"])
            lines.append(f"  invariant [i] {r.choice(self.states)} holds {held}")
        return "\n".join([*lines, "}", ""])

    def profile(self) -> str:
        order = ", ".join(self.rng.sample(self.outputs, len(self.outputs)))
        choose = f"choose taste = {self.rng.choice(['mild', 'hot'])} set wait = {self.rng.choice(['1ms', '40ms'])}"
        return f"profile ours for random.law {{ {choose} {f'order {order}' if order else ''} }}\n"


def written(rng: Random) -> tuple[str, str]:
    """A law and its profile."""
    writer = Writer(rng)
    law = writer.law()
    return law, writer.profile()


# --- the promise ----------------------------------------------------------------------------------------------------------


def checked(law: str, profile: str) -> tuple[Machine, Profile] | str:
    """The models where the checks pass, else the first thing that is forbidden."""
    try:
        machine = resolve(parse_law(law, "random.law")[0])
        bound = bind(parse_profiles(profile, "random.profile")[0], machine)
    except LawError as error:
        return f"load: {error.diagnostics[0].message}"
    subject = Subject(machine, (bound,), None, CachedSolver(make_solver(), None, machine.name))
    wrong = [d for d in check_machine(subject) if d.severity == "error"]
    if wrong:
        return wrong[0].message
    return (machine, bound) if not subject.undecided else "undecided"


class Seen(SimpleNamespace):
    """A message as an adapter hands it to the judge: a value like any other."""

    def __hash__(self) -> int:
        return hash(tuple(sorted(vars(self).items(), key=str)))


def _event(rng: Random, now: int, numbers: list[int]) -> tuple[str, str, dict[str, Any], int]:
    """What happens next: (what, name, values, when)."""
    then = now + rng.choice([0, 0, 1, 500, 1_000, 2_000, 40_000, 600_000])
    what = rng.choice(["input", "input", "input", "input", "time", "call"])
    if what == "call":
        return what, "poke", {"n": rng.choice([0, 1, 255])}, then
    kind = rng.choice(list(KINDS))
    values: dict[str, Any] = {
        "n": rng.choice([0, 1, 2, 5, 9, 255]),
        "s": rng.choice(numbers),
        "flag": rng.random() < 0.5,
    }
    if KINDS[kind] == "sort":
        values["k"] = rng.choice(["red", "green"])
    return what, kind, values, then


def _seen(message: Any) -> Seen:
    return Seen(**vars(message))


def broken_promise(machine: Machine, profile: Profile, rng: Random, *, judged: bool) -> str:
    """What goes wrong under random events: a reading raises, two differ, or the judge finds fault with what was sent; '' if nothing."""
    drivers = [InterpreterDriver(machine, profile), GeneratedDriver(machine, profile, generated_module(generate(machine, profile)))]
    near, far = [0, 1, 2, 9], [2**31, 2**32 - 1]  # an observer unwraps sequence numbers, which is nothing that is tested here
    room, always = rng.choice([0, 3, 255]), rng.random() < 0.7  # `always`: pump after each event
    for d in drivers:
        d.host.answers["room"] = room
    seen: list[Observed] = []
    now = 0
    for _ in range(EVENTS):
        what, name, values, then = _event(rng, now, near if always else near + far)
        stops = [at for d in drivers[:1] if (at := d.it.deadline()) is not None and now < at < then] if always else []
        for at in [*stops[:1], then]:
            now = at
            act = (
                ("advance", now)
                if at != then or what == "time"
                else (what, name, values if what == "input" else tuple(values.values()), now)
            )
            if act[0] == "input":
                seen.append(Observed(name, _seen(drivers[0].message(name, values)), now, len(seen) + 1, False))
            done = []
            for d in drivers:
                try:
                    getattr(d, act[0])(*act[1:])
                    if always:
                        d.pump(now)
                    done.append((d.host.log, d.rows, d.snapshot(), d.it.deadline()))
                except Exception as error:
                    return f"{type(d).__name__} raises {type(error).__name__}: {error} at {act}"
            if done[0] != done[1]:
                return f"the readings differ at {act}: {done[0]} and {done[1]}"
            seen += [
                Observed(e[1], _seen(drivers[0].message(e[1], e[2])), now, len(seen) + 1 + i, True)
                for i, e in enumerate(x for x in drivers[0].host.log if x[0] == "emit")
            ]
            for d in drivers:
                d.host.log = []
    if always and judged:
        try:
            verdict = judge_trace(compile_law(machine), seen, EXACT, known_until=now)
        except Exception as error:
            return f"the judge raises {type(error).__name__}: {error}"
        # Whether a debt is paid in time is up to gates and profile: that something was sent which the law does not allow is not.
        wrong = [f for f in verdict.findings if f.grade > Grade.NOTE and "not sen" not in f.observed]
        if wrong and verdict.grade != Grade.INCONCLUSIVE:
            return f"the judge: {[(str(f.grade), f.row, f.observed) for f in wrong[:2]]}"
    return ""


def tried(seed: int, *, judged: bool = False) -> tuple[str, str]:
    """One law of that seed: what the checks say of it ('' for nothing) and what goes wrong all the same."""
    law, profile = written(Random(seed))
    found = checked(law, profile)
    if isinstance(found, str):
        return found, ""
    for n in range(4):
        wrong = broken_promise(*found, Random(seed * 7 + n), judged=judged)
        if wrong:
            return "", wrong
    return "", ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write random laws, check them, and run those that pass in all readings.")
    parser.add_argument("--laws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first law; the others follow")
    parser.add_argument("--keep", type=Path, help="folder for laws that break the promise")
    parser.add_argument("--judge", action="store_true", help="let the judge look at each run as well")
    options = parser.parse_args(arguments)
    said: Counter[str] = Counter()
    broken, began = 0, time.monotonic()
    for seed in range(options.seed, options.seed + options.laws):
        try:
            verdict, wrong = tried(seed, judged=options.judge)
        except Exception as error:
            verdict, wrong = "", f"{type(error).__name__}: {error}"
        said[verdict.split("`")[0].split("[")[0] if verdict else "passes"] += 1
        if wrong:
            broken += 1
            print(f"seed {seed}: {wrong[:600]}", flush=True)
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{seed}.law").write_text("".join(written(Random(seed))), "utf-8")
        sys.modules.pop("", None)
        generated_module.cache_clear()
    took = time.monotonic() - began
    print(f"{options.laws} laws from seed {options.seed}, {said['passes']} pass the checks, {broken} break the promise, {took:.0f} s")
    for what, count in said.most_common():
        print(f"  {count:6} {what}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
