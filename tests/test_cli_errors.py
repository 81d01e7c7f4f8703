"""The command line on bad input: one clear message, exit code 2, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
from wirelaw.tools.cli import main

FIXTURES = Path(__file__).parent / "fixtures"
CAPTURE = str(FIXTURES / "captures" / "chat-client.pcap")
BAD = str(FIXTURES / "captures" / "bad")
VERBS = ["check", "fmt", "generate", "draw", "judge", "netd", "ping", "get"]
SYNTAX = str(FIXTURES / "bad_law" / "syntax_token.law")
MEMORY = ["--device", "memory"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: wirelaw {verb}")
    assert len(told.splitlines()) > 5


def test_the_help_names_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(f" {verb} " in told for verb in VERBS)
    assert "0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuchverb"], "invalid choice: 'nosuchverb'"),
        (["ping", "-c", "0", "10.0.2.2"], "'0' is no count; give a number above 0"),
        (["netd", "--echo", "99999"], "'99999' is no port; give a number within 1..65535"),
        (["ping", "10.0.2.2", "--device", "carrier-pigeon"], "invalid choice: 'carrier-pigeon'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


ONE_LINE = [
    (["generate", SYNTAX], "wirelaw generate: a law of your own needs a place to go: add -o FOLDER"),
    (["generate", str(FIXTURES / "tables" / "01_pipeline.law"), "-o", "none"], "wirelaw generate: none is no folder; create it first"),
    (["draw", "tcp", "-o", "x.xyz"], "wirelaw draw: x.xyz: cannot tell the format from `.xyz`"),
    (["draw", "tcp", "--state", "NOWHERE", "-o", "x.dot"], "wirelaw draw: machine tcp.connection has no state NOWHERE; it has CLOSED, "),
    (["draw", "tcp", "-o", "none/x.dot"], "wirelaw draw: none/x.dot: cannot write the picture: No such file or directory"),
    (["draw", "tcp", "--coverage", "none.json", "-o", "x.dot"], "wirelaw draw: cannot read none.json: "),
    (["draw", "tcp", "--trace", CAPTURE, "-o", "x.dot"], f"wirelaw draw: cannot read {CAPTURE}: "),
    (["judge", "none.pcap"], "wirelaw judge: cannot read none.pcap: No such file or directory"),
    (["judge", "."], "wirelaw judge: cannot read .: Is a directory"),
    (["judge", f"{BAD}/empty.pcap"], f"wirelaw judge: {BAD}/empty.pcap: byte 0: the file is empty; "),
    (["judge", f"{BAD}/wrong-link-type.pcap"], f"wirelaw judge: {BAD}/wrong-link-type.pcap: byte 20: link type 127 is not supported; "),
    (["judge", f"{BAD}/web-page.pcap"], f"wirelaw judge: {BAD}/web-page.pcap: byte 0: not a pcap or pcapng file"),
    (["judge", "--near", "nonsense", CAPTURE], "wirelaw judge: --near nonsense: no IP address; "),
    (["judge", CAPTURE, "--json", "none/x.json", "-q"], "wirelaw judge: cannot write none/x.json: No such file or directory"),
    (["get", "https://h/"], "wirelaw get: 'https://h/': only http:// URLs can be fetched so far; "),
    (["get", "http:///x"], "wirelaw get: 'http:///x' names no host; "),
    (["get", "http://h:99999/"], "wirelaw get: 'http://h:99999/' is no URL (Port out of range 0-65535); "),
    (["ping", "h", "--address", "1.2.3"], "wirelaw ping: bad IPv4 address: Expected 4 octets in '1.2.3'"),
    (["ping", "h", "--address", "1.2.3.4/99"], "wirelaw ping: bad IPv4 address: '99' is not a valid netmask"),
    (["ping", "h", "--gateway", "door"], "wirelaw ping: bad IPv4 address: "),
    (["ping", "h", "--mac", "zz"], "wirelaw ping: bad MAC address 'zz'; write it as 52:54:00:12:34:56"),
    (["ping", "h", "--mac", "01:00:00:00:00:01"], "wirelaw ping: MAC address 01:00:00:00:00:01 is not a station's: "),
    (["ping", "h", *MEMORY, "--capture", "x.pcap"], "wirelaw ping: --capture is QEMU's; "),
    (["netd", *MEMORY, "--seconds", "0.01", "--json", "none/x"], "wirelaw netd: cannot write none/x: No such file or directory; "),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), ONE_LINE, ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "")
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith(message)
    assert not [p for p in folder.iterdir() if p.name != ".wirelaw-cache"], "nothing is left behind"


@pytest.mark.parametrize(
    "arguments", [["check"], ["generate", "-o", "."], ["draw", "tcp", "-o", "x.dot", "--law"], ["judge", CAPTURE, "--law"]]
)
def test_a_malformed_law_is_named_by_line_and_column(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, SYNTAX]) == 2
    told = capsys.readouterr().err
    assert "syntax_token.law:2:15: error: unexpected 'OPEN'" in told
    assert "Expected `:`." in told
    assert "Traceback" not in told
    assert not [p for p in folder.iterdir() if p.name != ".wirelaw-cache"]


def test_a_law_that_is_not_there_and_a_machine_that_is_not_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "none.law"]) == 2
    assert "none.law: error: no such file or folder" in capsys.readouterr().err
    assert main(["draw", "nosuch", "-o", "x.dot"]) == 2
    told = capsys.readouterr().err
    assert "no machine `nosuch`" in told
    assert "tcp.connection" in told


def test_an_unsound_law_fails_its_check_with_a_witness(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--no-cache", str(FIXTURES / "bad_law" / "overlap.law")]) == 2
    told = capsys.readouterr().out
    assert "overlap.law:" in told
    assert "1 error." in told


def test_programs_that_are_missing_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["get", "http://10.0.2.2:1/"]) == 2
    assert capsys.readouterr().err.strip() == (
        "wirelaw get: qemu-system-aarch64 is not installed; apt install qemu-system-arm (or use another device)"
    )
    assert main(["draw", "tcp", "-o", "x.svg"]) == 2
    told = capsys.readouterr().err
    assert "which is not installed" in told
    assert "ask for dot or mermaid" in told
    assert not list(folder.iterdir())
    assert main(["draw", "tcp", "-o", "x.dot"]) == 0
    assert main(["draw", "tcp", "-o", "x.mmd"]) == 0
    assert 'digraph "tcp.connection"' in (folder / "x.dot").read_text("utf-8")
