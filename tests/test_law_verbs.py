"""The verbs on law: they load what they need and nothing else, and keep between runs what takes time to make."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from wirelaw.spec.language import grammar
from wirelaw.spec.language.load import SPEC
from wirelaw.spec.language.parse import parse_law
from wirelaw.tools.cli import MODULES, main

EXAMPLE = str(SPEC / "examples")
HEAVY = {"z3", "rich", "cryptography", "hypothesis", "graphviz", "dns", "h11", "asyncio"}


def loaded_by(folder: Path, *words: str) -> set[str]:
    """The heavy modules that a command has loaded when it ends."""
    program = f"import sys; from wirelaw.tools.cli import main; main({list(words)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.splitlines()[-1].split())


def test_a_check_of_what_is_proved_loads_no_solver(tmp_path: Path) -> None:
    pytest.importorskip("z3", reason="the solver z3 is not installed")
    assert loaded_by(tmp_path, "check", EXAMPLE) == {"z3"}
    assert loaded_by(tmp_path, "check", EXAMPLE) == set()


@pytest.mark.parametrize("words", [("generate", "--check"), ("fmt", "--check", EXAMPLE), ("check", EXAMPLE, "--solver", "exhaustive")])
def test_other_verbs_load_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_by(tmp_path, *words) == set()


def test_every_verb_is_found_in_its_module() -> None:
    made: dict[str, str] = {}
    for module in dict.fromkeys(MODULES.values()):
        verbs = argparse.ArgumentParser().add_subparsers()
        import_module(f"wirelaw.tools.verbs.{module}").add_verbs(verbs)
        made |= dict.fromkeys(verbs.choices, module)
    assert made == MODULES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    grammar.parser.cache_clear()
    yield tmp_path
    grammar.parser.cache_clear()


def test_no_folder_is_made_by_reading_law(folder: Path) -> None:
    parse_law("machine m { }", "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"data": {}, "memo": {}}'])
def test_parse_tables_are_kept_and_torn_ones_made_again(content: str | None, folder: Path) -> None:
    text = "machine m { var x : u32 = 1 + 2 * 3 region r : A initial }"
    first = parse_law(text, "")
    grammar.make_folder()
    grammar.parser.cache_clear()
    assert parse_law(text, "") == first
    (kept,) = (folder / grammar.CACHE).glob("grammar.*.json")
    if content is not None:
        kept.write_text(content, "utf-8")
    grammar.parser.cache_clear()
    assert parse_law(text, "") == first
    assert json.loads(kept.read_text("utf-8"))["data"]["parser"]


def test_mistakes_are_told_alike_with_kept_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.law").write_text("machine m { region : A }", "utf-8")
    told = []
    for _ in range(3):
        grammar.parser.cache_clear()
        assert main(["check", "a.law"]) == 2
        told.append(capsys.readouterr().err)
    assert told[0] == told[1] == told[2]
    assert "unexpected ':'" in told[0]
