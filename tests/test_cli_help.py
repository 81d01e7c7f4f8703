"""Every verb teaches: what it is for, examples that parse, its exit codes, where its report goes."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path

import pytest
from wirelaw.tools.cli import main, parser
from wirelaw.tools.verbs import VERBS

FIXTURES = Path(__file__).parent / "fixtures"
CAPTURE = str(FIXTURES / "captures" / "chat-client.pcap")
TABLE = str(FIXTURES / "tables" / "01_pipeline")


def subparser(verb: str) -> argparse.ArgumentParser:
    """The parser of a verb."""
    (action,) = (a for a in parser(verb)._actions if isinstance(a, argparse._SubParsersAction))
    found: argparse.ArgumentParser = action.choices[verb]
    return found


QUIET = {"new", "fmt", "generate", "draw"}
"""Verbs that report nothing but the files they write."""


def test_the_verbs_are_those_of_the_manual() -> None:
    assert set(VERBS) == {"new", "check", "fmt", "generate", "draw", "judge", "replay", "conform", "peers", "netd", "ping", "get", "bench"}


def test_the_help_names_every_verb_its_purpose_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert all(f" {verb} " in told for verb in VERBS)
    assert "0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive" in told


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_teaches(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: wirelaw {verb}")
    assert all(len(line) <= 140 for line in told.splitlines())
    purpose, _, rest = told.partition("\n\n")[2].partition("\n")
    assert re.fullmatch(r"[A-Z].{15,}\.", purpose), "one line says what the verb is for"
    examples, _, codes = rest.partition("examples:\n")[2].partition("\n\nexit codes:\n")
    commands = [line.split("   ")[0].strip() for line in examples.splitlines()]
    assert len(commands) >= 2
    meanings = [line.strip().partition("   ")[2] for line in examples.splitlines()]
    assert all(m.strip() for m in meanings), "each example says what it does"
    for command in commands:
        words = shlex.split(re.split(r" [<>] ", command)[0])
        assert words[:2] == ["wirelaw", verb]
        parser(verb).parse_args(words[1:])  # exits where the example is wrong
    listed = [int(line.split()[0]) for line in codes.splitlines()]
    assert listed == sorted(listed)
    assert {0, 2} <= set(listed) <= {0, 1, 2, 3, 130}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb: str) -> None:
    for action in subparser(verb)._actions:
        assert action.help or not action.option_strings, action.option_strings


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - QUIET))
def test_a_verb_that_reports_writes_json(verb: str) -> None:
    (action,) = (a for a in subparser(verb)._actions if "--json" in a.option_strings)
    assert action.metavar == "FILE"


WITNESS = """wirelaw trace 1
peer wirelaw
role server
call open_passive
send SYN seq=0 wnd=1000
wait 1000
"""
REPORTS = {
    "check": (["check", f"{TABLE}.law", f"{TABLE}.profile"], 2, {"ok", "diagnostics", "rows", "states"}),
    "judge": (["judge", CAPTURE], 0, {"capture", "notes", "connections"}),
    "replay": (["replay", "w.trace"], 0, {"peer", "shows", "verdict", "observed"}),
    "conform": (["conform", "tcp", "--peer", "wirelaw", "--walks", "3"], 0, {"seed", "peers"}),
    "netd": (["netd", "--device", "memory", "--seconds", "0.05"], 0, {"rx_packets", "tx_packets", "drops"}),
    "ping": (["ping", "--device", "memory", "-c", "1", "10.0.2.2"], 0, {"host", "sent", "lost", "times_ms"}),
    "bench": (["bench", "tcp", "--only", "link", "--scale", "0.01"], 0, {"faulty link (2 % each)"}),
}


@pytest.mark.parametrize("verb", REPORTS)
def test_a_report_is_written_as_json(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.trace").write_text(WITNESS, "utf-8")
    arguments, code, keys = REPORTS[verb]
    assert main([*arguments, "--json", "report.json"]) == code
    assert json.loads(Path("report.json").read_text("utf-8")).keys() >= keys
    assert not list(tmp_path.glob(".report*")), "no temporary file is left"
