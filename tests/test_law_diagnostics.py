"""Each mistake in a law has one message, which says where, what, and what to do: one bad file beside its expected message."""

from pathlib import Path

import pytest
from wirelaw.spec.language.check import run_checks
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import load

pytest.importorskip("z3", reason="the solver z3 is not installed")
FOLDER = Path(__file__).parent / "fixtures" / "bad_law"
NAMES = sorted(p.stem for p in FOLDER.glob("*.law"))


TRUSTED = {"impure_extern": ("random",)}  # modules that the person at the keyboard has named


def said_about(name: str) -> str:
    """Everything the tools say about a law, its profile, and its clauses (in the folder of its name)."""
    beside = [p for p in (Path(f"{name}.profile"), Path(f"{name}.deviations")) if p.exists()]
    try:
        law = load([Path(f"{name}.law"), *beside], TRUSTED.get(name, ()))
    except LawError as error:
        return f"{error}\n"
    catalogues = load_catalogues(name) if Path(name).is_dir() else None
    return "\n".join(str(d) for d in run_checks(law, catalogues).diagnostics) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert said_about(name) == (FOLDER / f"{name}.expected").read_text("utf-8")


def test_every_bad_law_has_its_message() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.expected")) == NAMES


def test_every_check_has_a_bad_law() -> None:
    checks = {p.stem for p in (Path(run_checks.__code__.co_filename).parent / "checks").glob("*.py")} - {"__init__"}
    assert checks
    assert checks - set(NAMES) == set()
