"""The verbs on law: they load what they need and nothing else, and keep between runs what takes time to make."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from wirelaw.spec.language.load import SPEC
from wirelaw.tools.verbs import VERBS

EXAMPLE = str(SPEC / "examples")
CAPTURE = str(Path(__file__).parent / "fixtures" / "captures" / "chat-client.pcap")
HEAVY = {"z3", "rich", "cryptography", "hypothesis", "graphviz", "dns", "h11", "asyncio"}


def loaded_by(folder: Path, *words: str, also: frozenset[str] = frozenset()) -> set[str]:
    """The heavy modules that a command has loaded when it ends."""
    program = f"import sys; from wirelaw.tools.cli import main; main({list(words)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return (HEAVY | also) & set(done.stdout.splitlines()[-1].split())


def test_a_check_of_what_is_proved_loads_no_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("z3", reason="the solver z3 is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))  # nothing is proved there yet, whatever other tests did
    assert loaded_by(tmp_path, "check", EXAMPLE) == {"z3"}
    assert loaded_by(tmp_path, "check", EXAMPLE) == set()


@pytest.mark.parametrize("words", [("generate", "--check"), ("fmt", "--check", EXAMPLE)])
def test_other_verbs_load_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded_by(tmp_path, *words) == set()


def test_help_and_a_word_that_is_no_verb_load_nothing_of_the_project_but_the_command_line(tmp_path: Path) -> None:
    for words in (("--help",), ("-h",), ("nosuchverb",), ()):
        program = f"import sys; from wirelaw.tools.cli import main\ntry: main({list(words)!r})\nfinally: print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not loaded & (HEAVY | {"lark", "socket", "asyncio", "wirelaw.impl.net", "wirelaw.spec.language.model"})
        assert {name for name in loaded if name.startswith("wirelaw.tools.")} == {"wirelaw.tools.cli", "wirelaw.tools.verbs"}


@pytest.mark.parametrize(
    "words", [("draw", "arp", "-o", "a.dot"), ("judge", CAPTURE), ("check", EXAMPLE), ("generate", "--check")], ids=str
)
def test_a_verb_reads_a_law_that_is_kept_without_the_parser(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    parser = frozenset({"lark", "wirelaw.spec.language.resolve"})
    assert parser <= loaded_by(tmp_path, *words, also=parser)
    assert not parser & loaded_by(tmp_path, *words, also=parser)


def test_every_verb_is_found_in_its_module() -> None:
    made: dict[str, str] = {}
    for module in dict.fromkeys(module for module, _ in VERBS.values()):
        verbs = argparse.ArgumentParser().add_subparsers()
        import_module(f"wirelaw.tools.verbs.{module}").add_verbs(verbs)
        made |= dict.fromkeys(verbs.choices, module)
    assert made == {verb: module for verb, (module, _) in VERBS.items()}
