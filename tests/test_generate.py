"""What the generator promises of its modules: readable, reproducible, typed, honest about what it cannot generate."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import FOLDER, GeneratedDriver, generated_module, tiny_names, tiny_table
from wirelaw.impl.runtime.machine import Recorder, Step
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.generate import HEADER, generate, module_name, write_all
from wirelaw.tools.generate.wrapping import WIDTH, indent, wrapped

ROOT = SPEC.parent


@pytest.mark.parametrize("name", tiny_names())
def test_text_is_reproducible_and_free_of_places(name: str) -> None:
    table = tiny_table(name)
    text = generate(table.machine, table.profile)
    assert text == generate(load([FOLDER / f"{name}.law"]).machine(table.machine.name), table.profile)
    assert text.startswith(HEADER)
    assert f"#   tests/fixtures/tables/{name}.law" in text
    assert str(ROOT) not in text
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


def test_text_does_not_depend_on_hash_seeds() -> None:
    program = (
        "from pathlib import Path; from wirelaw.spec.language.load import SPEC, load; from wirelaw.tools.generate import generate;"
        "law = load([SPEC / 'tcp', SPEC / 'profiles' / 'tcp.profile']);"
        "print(generate(law.machine('tcp.connection'), law.profile('wirelaw', 'tcp.connection')))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


@pytest.mark.parametrize("name", tiny_names())
def test_every_row_can_be_found_by_its_id(name: str) -> None:
    table = tiny_table(name)
    text = generate(table.machine, table.profile)
    newest = max((e for r in table.machine.rows() for e in r.editions), default=0)
    dropped = {r.id for r in table.machine.emissions} - set(table.profile.order)
    for row in table.machine.rows():
        folded = "near ==" in " ".join(map(str, row.guard)) or any("near" in str(c) for c in row.guard)
        if row.id not in dropped and (not row.editions or newest in row.editions) and row.role != "gate" and not folded:
            assert f"[{row.id}]" in text


SHIPPED = load()


@pytest.mark.parametrize(("profile", "machine"), sorted(SHIPPED.profiles))
def test_no_line_is_wider_than_a_page(profile: str, machine: str) -> None:
    text = generate(SHIPPED.machines[machine], SHIPPED.profiles[profile, machine])
    assert max(map(len, text.splitlines())) <= WIDTH


OPERANDS = st.sampled_from(["seq", "self.rcv_nxt", "min(self.window, 65535)", "(o.len - 1) & 0xFFFFFFFF", "'a, (b or c)'", "x is not None"])
OPERATORS = st.sampled_from([" and ", " or ", " + ", " < ", " not in ", " if far else "])


@settings(deadline=None)
@given(
    st.recursive(
        OPERANDS,
        lambda inner: st.one_of(
            st.builds(lambda a, op, b: f"({a}){op}({b})", inner, OPERATORS, inner),
            st.builds(lambda op, parts: op.join(parts), st.sampled_from([" and ", " or "]), st.lists(inner, min_size=1, max_size=6)),
            st.builds(lambda parts: f"call({', '.join(parts)})", st.lists(inner, max_size=6)),
            inner.map(lambda a: f"not ({a})"),
        ),
        max_leaves=40,
    ),
    st.integers(0, 6),
    st.sampled_from(["if {}:  # [row] rfc0:1 MUST", "x = {}", "self.n += {}", "return {}", "f({})", "x: Final = {{{}}}"]),
)
def test_broken_lines_mean_the_same(expression: str, depth: int, form: str) -> None:
    line = form.format(expression)
    after = ["    pass"] if form.startswith("if") else []
    scope = ["    " * i + "if 1:" for i in range(depth)] if depth else []
    lines = [*scope, *indent([line, *after], depth)]
    made = wrapped(lines)
    assert ast.dump(ast.parse(as_function(made))) == ast.dump(ast.parse(as_function(lines)))
    assert all(len(x) <= WIDTH for x in made)


def as_function(lines: list[str]) -> str:
    return "\n".join(["def f():", *indent(lines)])


def test_generated_code_is_typed(tmp_path: Path) -> None:
    """All tiny tables pass the strict type checker."""
    pytest.importorskip("mypy")
    for name in tiny_names():
        table = tiny_table(name)
        (tmp_path / f"tiny_{name}.py").write_text(generate(table.machine, table.profile), "utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        str(ROOT / "pyproject.toml"),
        *map(str, sorted(tmp_path.glob("*.py"))),
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_stale_modules_are_named_and_written(tmp_path: Path) -> None:
    table = tiny_table("01_pipeline")
    path = tmp_path / f"{module_name(table.machine.name)}.py"
    assert write_all(table.law, tmp_path, check=True) == [path]
    assert not path.exists()
    assert write_all(table.law, tmp_path) == [path]
    assert write_all(table.law, tmp_path, check=True) == []
    path.write_text(path.read_text("utf-8") + "# edited\n", "utf-8")
    assert write_all(table.law, tmp_path, check=True) == [path]


def test_modules_of_machines_that_are_gone_are_removed_but_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "tiny_gone.py").write_text(f"{HEADER}\n", "utf-8")
    (tmp_path / "mine.py").write_text("x = 1\n", "utf-8")
    stale = write_all(tiny_table("01_pipeline").law, tmp_path)
    assert tmp_path / "tiny_gone.py" in stale
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "tiny_pipeline.py"]


def test_other_profiles_have_their_own_module() -> None:
    assert (module_name("tcp.connection"), module_name("tcp.connection", "viperdos")) == ("tcp_connection", "tcp_connection_viperdos")


def law_of(tmp_path: Path, rows: str, profile: str = "", table: str = "t", states: str = "A initial, B") -> tuple[Path, Path]:
    law, bound = tmp_path / "a.law", tmp_path / "a.profile"
    law.write_text(
        f"machine a.b {{ region st : {states}  message x {{ n, k : u8 }}  message z {{ }}\n"
        f"input z(m) through {table}  output x(o)  var v : u8  {rows}\n}}",
        "utf-8",
    )
    bound.write_text(f"profile wirelaw for a.b {{ {profile} }}", "utf-8")
    return law, bound


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("lazy [out] emit x(n: 1) if v > 0 stay { v = 0 }", "leaves field `k` of `x` open"),
        ("lazy [out] emit x(n: 1, k: 2) if v > 0 where o.n == 2 stay { v = 0 }", "can never be sent"),
        ("table t on z(m) { [a] abort(1) }", "does not say what that means"),
        ("timer v2 var v2_at : u8", "clashes"),
        ("var on_z : u8", "clashes"),
        ("call go() var call_go : u8 table t on z(m) { [a] stop { v = 1 } } table g on go() { [g] stop { v = 1 } }", "clashes"),
        ("message c_d { } region s2 : CD initial", "message `c_d` and state CD are both called CD"),
        ("message a_b_host { }", "message `a_b_host` and its host are both called ABHost"),
    ],
)
def test_what_cannot_be_generated_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    law = load(list(law_of(tmp_path, rows if "table t" in rows else rows + " table t on z(m) { [a] stop { v = 1 } }")))
    with pytest.raises(LawError, match=re.escape(message)):
        generate(law.machine("a.b"), law.profile("wirelaw", "a.b"))


def test_an_open_choice_is_refused() -> None:
    table = tiny_table("12_choice")
    with pytest.raises(LawError, match="leaves `near` open"):
        generate(table.machine, replace(table.profile, choices={}))


def test_choices_are_folded_and_impossible_rows_left_out() -> None:
    table = tiny_table("12_choice")
    text = generate(table.machine, table.profile)
    assert "[challenge]" in text
    assert "[reset]" not in text


def test_macros_of_the_law_are_methods_and_worked_out_once(tmp_path: Path) -> None:
    rows = """var a, b, w, last : u32 var c : bool
      def room = max(min(a, b) - select(c, 12, 0), 64)
      def twice = select(room > 70, room * 2, room + 1)
      table t on z(m) { [a] if last < twice stop { last = twice; w = room } [b] otherwise stop { last = room + 5 } }"""
    law = load(list(law_of(tmp_path, rows)))
    text = generate(law.machine("a.b"), law.profile("wirelaw", "a.b"))
    room = "max(min(self.a, self.b) - (12 if self.c else 0), 64)"
    assert text.count(room) == 1
    assert f'def _room(self) -> int:\n        """`room` of the law."""\n        return {room}\n' in text
    assert "room = self._room()\n        if room > 70:\n            return room * 2\n        return room + 1\n" in text
    made = generated_module(text)
    machine = made.AB(None)  # type: ignore[attr-defined]
    machine.a, machine.b, machine.c = 200, 100, True
    for seen in ((176, 88), (93, 88), (176, 88)):
        machine.on_z(made.Z(), 0)  # type: ignore[attr-defined]
        assert (machine.last, machine.w) == seen


def test_what_rows_of_a_chain_share_has_a_name_there(tmp_path: Path) -> None:
    rows = """var low, room : u32
      def left = room - low
      def fits = m.n < left
      table t on y(m) { [a] if fits and low == 0 stop { v = 1 }
                        [b] if fits and low != 0 stop { v = 2 } [c] otherwise stop { v = 3 } }"""
    law = load(list(law_of(tmp_path, f"message y {{ n : u32 }} input y(m) through t {rows} table z on z(m) {{ [z] stop }}", "", "z")))
    text = generate(law.machine("a.b"), law.profile("wirelaw", "a.b"))
    assert "        fits = m.n < self.room - self.low\n        if fits and self.low == 0:  # [a]\n" in text
    assert "        if fits and self.low != 0:  # [b]\n" in text


def test_states_that_are_known_are_not_asked_for(tmp_path: Path) -> None:
    rows = """def busy = st == B or st == C or st == D
      table t on z(m) { [a] A if v == 0 or busy stop [b] A if v != 0 and not busy stop
                        [c] B | C | D if st == B and v > 0 stop [d] B | C | D otherwise stop } """
    law = load(list(law_of(tmp_path, rows, states="A initial, B, C, D")))
    text = generate(law.machine("a.b"), law.profile("wirelaw", "a.b"))
    assert "if self.v == 0:  # [a]" in text
    assert "if st == B and self.v > 0:  # [c]" in text
    assert text.count("= self.st\n") == 1
    assert "self.st ==" not in text


def test_sets_of_states_have_names_of_the_law() -> None:
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine = law.machine("tcp.connection")
    module = generated_module(generate(machine, law.profile("wirelaw", "tcp.connection")))
    made = {name: states for name, states in vars(module).items() if isinstance(states, frozenset)}
    assert len(set(made.values())) == len(made)
    for name, states in made.items():
        assert machine.groups.get(name[1:], states) == states
        assert not name.endswith("_")


def test_parameters_are_module_constants() -> None:
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    module = generated_module(generate(law.machine("tcp.connection"), law.profile("wirelaw", "tcp.connection")))
    assert law.profile("wirelaw", "tcp.connection").params["rto_initial"] == module.RTO_INITIAL  # type: ignore[attr-defined]


def test_gates_that_the_built_message_satisfies_are_elided() -> None:
    table = tiny_table("08_urgent")
    text = generate(table.machine, table.profile)
    hello, cert = (text[text.index(f"def _out_{n}(") :].split("\n    def ")[0] for n in ("hello", "cert"))
    assert "self.wr != " in hello or "o.epoch != self.wr" in hello
    assert "[epoch]" in cert


def test_steps_are_recorded_with_what_they_changed() -> None:
    table = tiny_table("01_pipeline")
    driver = GeneratedDriver(table.machine, table.profile)
    seen: list[tuple[Step, dict[str, tuple[object, object]]]] = []
    Recorder(driver.it, lambda step, changed: seen.append((step, changed)))
    driver.input("p", {"last": True}, 5)
    driver.pump(5)
    assert [(s.time, s.table, s.row, s.event) for s, _ in seen] == [
        (5, "check", "good", "p"), (5, "move", "half", "p"), (5, "count", "ten", "p"), (5, "out", "out", "ack"),
    ]  # fmt: skip
    assert seen[1][1] == {"st": ("OPEN", "HALF")}
    assert seen[2][1] == {"st": ("HALF", "SHUT"), "seen": (0, 10)}


def test_command_says_what_is_stale(tmp_path: Path) -> None:
    law, profile = law_of(tmp_path, "table t on z(m) { [a] stop { v = 1 } }")
    command = [sys.executable, "-m", "wirelaw.tools.generate", "--check", str(law), str(profile)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stdout.strip().endswith("a_b.py: stale")
    law.write_text("machine a.b {", "utf-8")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "a.law:1" in run.stderr
