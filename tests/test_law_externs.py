"""A law that is read from anybody runs no code: its functions come from our modules, or from one that the reader has named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wirelaw.tools.cli import main

LAW = """machine tcp.connection {
  region life : OPEN initial
  message ping { n : u8 }
  input ping(p) through order
  externs "MODULE"
  extern odd(n : u8) : bool

  table order on ping(p) {
    [odd]   OPEN  if odd(p.n)      drop
    [even]  OPEN  if not odd(p.n)  drop
  }
}
"""
VERBS = [("check", "LAW"), ("generate", "LAW", "-o", "."), ("draw", "tcp.connection", "--law", "LAW"), ("judge", "x.pcap", "--law", "LAW")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A law beside a module that leaves a mark when it is imported."""
    (tmp_path / "marking.py").write_text("open('it-ran', 'w').close()\n\n\ndef odd(n):\n    return n % 2 == 1\n", "utf-8")
    (tmp_path / "x.law").write_text(LAW.replace("MODULE", "marking"), "utf-8")
    (tmp_path / "x.profile").write_text("profile ours for tcp.connection { }\n", "utf-8")
    (tmp_path / "x.pcap").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "marking", raising=False)
    return tmp_path


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_foreign_module_is_refused_before_it_is_imported(
    words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["x.law" if w == "LAW" else w for w in words]) == 2
    assert "x.law:5:3: error: the law takes functions from `marking`" in capsys.readouterr().err
    assert not (folder / "it-ran").exists()


def test_a_module_that_is_named_is_used(folder: Path) -> None:
    assert main(["check", "x.law", "x.profile", "--no-cache", "--externs", "marking"]) == 0
    assert (folder / "it-ran").exists()


@pytest.mark.parametrize(
    "module", ["os", "wirelaw.impl.externs", "wirelaw.impl.externs.", "wirelaw.impl.externs.ranges ", "wirelaw.impl.net.host"]
)
def test_only_modules_below_ours_need_no_name(module: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.law").write_text(LAW.replace("MODULE", module), "utf-8")
    assert main(["check", "x.law", "x.profile", "--no-cache"]) == 2
    assert "which is not allowed" in capsys.readouterr().err
