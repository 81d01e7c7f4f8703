"""A law of one's own, outside the package: its catalogue, its profile or none, and what a small installation says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from wirelaw.tools.cli import EXTRAS, main
from wirelaw.tools.verbs import VERBS

LAW = """
machine knock.door {
  region door : SHUT initial, OPEN final
  message any { }
  message knock : any { times : u8 }
  input knock(k) through hear
  table hear on knock(k) {
    [enough]  SHUT  if k.times >= 3  => OPEN  @knock:1 MUST
    [few]     SHUT  if k.times < 3   drop     @knock:2 MUST
    [late]    OPEN                   drop     @knock:2 MUST
  }
}
"""
CATALOGUE = """
document knock "Knocking" 2026
1  MUST      1  receiver  nobody  law  "Three knocks open the door"
2  MUST_NOT  2  receiver  nobody  law  "Fewer knocks do not"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "knock.law").write_text(LAW, "utf-8")
    (tmp_path / "knock.req").write_text(CATALOGUE, "utf-8")
    return tmp_path


@pytest.mark.parametrize("named", [".", "knock.law"])
def test_a_catalogue_beside_the_law_is_added_to_those_that_ship(folder: Path, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", named]) == 0
    assert "2 clauses (2 cited" in capsys.readouterr().out


def test_a_clause_that_the_catalogue_beside_the_law_lacks_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "knock.law").write_text(LAW.replace("knock:1", "knock:7"), "utf-8")
    assert main(["check", "."]) == 2
    assert "knock.law:8:" in capsys.readouterr().out


def test_a_catalogue_may_not_take_the_place_of_one_that_ships(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rfc9293.req").write_text(CATALOGUE, "utf-8")
    assert main(["check", "."]) == 2
    assert "rfc9293.req:1:1: error: there is a catalogue `rfc9293` already" in capsys.readouterr().err


def test_a_machine_that_leaves_nothing_open_needs_no_profile(folder: Path) -> None:
    assert main(["generate", ".", "-o", "."]) == 0
    used = "import knock_door as k; m = k.KnockDoor(None); m.on_knock(k.Knock(times=3), 0); print(m.door)"
    done = subprocess.run([sys.executable, "-c", used], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "OPEN\n"


def test_a_machine_that_leaves_something_open_says_which_profile_it_needs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "knock.law").write_text(LAW.replace("  message any", "  choice c { a, b }\n  param p : u8 in 1 .. 3\n  message any"), "utf-8")
    assert main(["generate", ".", "-o", "."]) == 2
    told = capsys.readouterr().err
    assert "knock.law:2:1: error: machine `knock.door` leaves 2 things open and has no profile" in told
    assert "profile wirelaw for knock.door { choose c = a set p = .. }" in told
    assert sorted(p.name for p in folder.iterdir()) == ["knock.law", "knock.req"]


def test_emitted_code_needs_the_standard_library_alone(folder: Path) -> None:
    main(["generate", ".", "-o", "."])
    used = "import sys; had = set(sys.modules); import knock_door; print(*{m.partition('.')[0] for m in sys.modules.keys() - had})"
    done = subprocess.run([sys.executable, "-c", used], cwd=folder, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"knock_door", "wirelaw"}


@pytest.mark.parametrize(
    ("words", "library"), [(["draw", "tcp", "-o", "x.svg"], "graphviz"), (["conform", "tcp"], "rich"), (["ping", "10.0.2.2"], "dns")]
)
def test_what_a_small_installation_lacks_is_named_with_its_extra(words: list[str], library: str, tmp_path: Path) -> None:
    without = f"import sys; sys.modules[{library!r}] = None; from wirelaw.tools.cli import main; sys.exit(main({words!r}))"
    done = subprocess.run([sys.executable, "-c", without], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"wirelaw {words[0]}: {library}")
    assert done.stderr.endswith(f"is not installed; pip install 'wirelaw[{EXTRAS[words[0]]}]'\n")
    assert done.stderr.count("\n") == 1


def test_every_verb_but_those_on_text_knows_its_extra() -> None:
    assert VERBS.keys() - EXTRAS.keys() == {"fmt", "generate", "new"}
