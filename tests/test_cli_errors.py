"""The command line on bad input: one clear message, exit code 2, nothing half-written."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from wirelaw.impl.device import tap
from wirelaw.tools.cli import main

FIXTURES = Path(__file__).parent / "fixtures"
CAPTURE = str(FIXTURES / "captures" / "chat-client.pcap")
BAD = str(FIXTURES / "captures" / "bad")
SYNTAX = str(FIXTURES / "bad_law" / "syntax_token.law")
MEMORY = ["--device", "memory"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuchverb"], "invalid choice: 'nosuchverb'"),
        (["ping", "-c", "0", "10.0.2.2"], "'0' is no count; give a number above 0"),
        (["ping", "-c", "9" * 5000, "10.0.2.2"], "is no count; give a number above 0"),
        (["ping", "-i", "-1", "10.0.2.2"], "'-1' is no time; give one above 0"),
        (["ping", "-W", "nan", "10.0.2.2"], "'nan' is no time; give one above 0"),
        (["netd", "--seconds", "inf"], "'inf' is no time; give one above 0"),
        (["netd", "--forward", "7:"], "'' is no port; give a number within 1..65535"),
        (["conform", "tcp", "--budget", "-5"], "'-5' is no time; give one above 0, like 2, 0.5, 60s or 5min"),
        (["conform", "tcp", "--budget", "1e999"], "'1e999' is no time"),
        (["conform", "tcp", "--walks", "0"], "'0' is no count"),
        (["conform", "tcp", "--seed", "x"], "'x' is no whole number"),
        (["bench", "tcp", "--scale", "0"], "'0' is no factor; give a number above 0"),
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
    (["ping", "nosuch..x", *MEMORY], "wirelaw ping: nosuch..x: 'nosuch..x' is not a domain name: "),
    (["ping", "::1", *MEMORY], "wirelaw ping: ::1: ::1 is an address of the other family; check the name, "),
    (["get", "http://nosuch..x/", *MEMORY], "wirelaw get: nosuch..x: 'nosuch..x' is not a domain name: "),
    (["get", "http://10.0.2.2:1/", *MEMORY], "wirelaw get: http://10.0.2.2:1/: the peer refused the connection; start a server on port 1"),
    (["get", "http://10.0.2.2:1/", *MEMORY, "-o", "none/x"], "wirelaw get: cannot write none/x: No such file or directory; "),
    (["ping", "10.0.2.2", *MEMORY, "--address", "10.0.2.15/32"], "wirelaw ping: network 10.0.2.15/32 has no room for a second host; "),
    (["netd", *MEMORY, "--tap", "x"], "wirelaw netd: --tap needs --device tap or qemu; "),
    (["netd", *MEMORY, "--forward", "7"], "wirelaw netd: --forward is for QEMU's user network; "),
    (["netd", "--device", "tap", "--tap", "nosuch0"], "wirelaw netd: there is no TAP interface 'nosuch0'; make it with `ip tuntap add "),
    (["netd", "--device", "qemu", "--tap", "nosuch0"], "wirelaw netd: "),
    (["netd", "--device", "tap", "--tap", ""], "wirelaw netd: interface name '' must have 1 to 15 characters"),
    (["conform", "tcp", "--clause", "zzz"], "wirelaw conform: no clause is called like 'zzz'; "),
    (["conform", "tcp", "--out", f"{SYNTAX}/x"], f"wirelaw conform: cannot write {SYNTAX}/x: Not a directory; "),
    (["replay", "none.trace"], "wirelaw replay: cannot read none.trace: "),
    (["check", "x" * 300], f"wirelaw check: {'x' * 300}: File name too long; check the path"),
    (["judge", CAPTURE, "-q", "--json", "."], "wirelaw judge: cannot write .: Is a directory; "),
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
    assert not list(folder.iterdir()), "nothing is left behind"


@pytest.mark.parametrize(
    "arguments", [["check"], ["generate", "-o", "."], ["draw", "tcp", "-o", "x.dot", "--law"], ["judge", CAPTURE, "--law"]]
)
def test_a_malformed_law_is_named_by_line_and_column(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, SYNTAX]) == 2
    told = capsys.readouterr().err
    assert "syntax_token.law:2:15: error: unexpected 'OPEN'" in told
    assert "Expected `:`." in told
    assert "Traceback" not in told
    assert not list(folder.iterdir())


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


ODD = {"empty": b"", "garbage": bytes(range(256)) * 8, "zeroes": bytes(3000), "latin": b"machine caf\xe9 {", "words": b"hello\nworld\n"}
READERS = [
    ["check", "--no-cache"], ["fmt"], ["fmt", "--check"], ["generate", "-o", "out"], ["draw", "tcp", "-o", "x.dot", "--law"],
    ["draw", "tcp", "-o", "x.dot", "--trace"], ["draw", "tcp", "-o", "x.dot", "--coverage"], ["check", "--clauses"], ["judge"], ["replay"],
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=" ".join)
def test_files_of_any_content_are_refused_by_name(reader: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    for name, content in ODD.items():
        (folder / name).write_bytes(content)
        code = main([*reader, name])
        told = capsys.readouterr().err
        if name == "empty" and reader[-1] not in {"judge", "replay", "--law", "--trace", "--coverage", "--clauses"}:
            assert code == 0, "a law of no machines is a law"
            continue
        assert code == 2, (name, told)
        assert name in told or "no machine" in told
        assert len(told.strip().splitlines()) <= 4
        assert (folder / name).read_bytes() == content
    assert not list((folder / "out").iterdir())
    assert not (folder / "x.dot").exists()


def test_a_capture_cut_anywhere_is_judged_or_refused_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(CAPTURE).read_bytes()
    for end in range(0, len(whole), 7 * 97):  # every seventh octet is tried by the reader's own tests; here the whole command
        (folder / "cut.pcap").write_bytes(whole[:end])
        code = main(["judge", "cut.pcap", "-q"])
        lines = capsys.readouterr().err.strip().splitlines()
        assert code in {0, 2, 3}
        assert code != 2 or lines[-1].startswith("wirelaw judge: cut.pcap: ")
        assert len(lines) <= 2


@pytest.mark.parametrize(("pack", "program"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_a_compressed_capture_says_how_to_unpack_it(pack, program, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "packed").write_bytes(pack(Path(CAPTURE).read_bytes()))
    assert main(["judge", "packed"]) == 2
    assert capsys.readouterr().err == f"wirelaw judge: packed is compressed; unpack it first: {program} -dc < FILE | wirelaw judge -\n"


def test_a_capture_comes_through_a_pipe_and_standard_input(folder: Path) -> None:
    command = [sys.executable, "-m", "wirelaw.tools.cli", "judge"]
    with open(CAPTURE, "rb") as capture:
        done = subprocess.run([*command, "-"], stdin=capture, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    os.mkfifo(folder / "pipe")
    with subprocess.Popen([*command, "pipe"], stdout=subprocess.PIPE, text=True) as process:
        (folder / "pipe").write_bytes(Path(CAPTURE).read_bytes())
        assert process.communicate(timeout=60)[0] == done.stdout


def test_a_report_keeps_links_and_modes_and_never_replaces_a_device(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ping = ["ping", "-c", "1", *MEMORY, "10.0.2.2", "--json"]
    (folder / "real.json").write_text("old", "utf-8")
    (folder / "real.json").chmod(0o600)
    (folder / "link.json").symlink_to("real.json")
    assert main([*ping, "link.json"]) == 0
    assert (folder / "link.json").is_symlink()
    assert '"sent": 1' in (folder / "real.json").read_text("utf-8")
    assert (folder / "real.json").stat().st_mode & 0o777 == 0o600
    os.mkfifo(folder / "pipe")
    with open(os.open("pipe", os.O_RDWR), "rb", buffering=0) as reader:
        assert main([*ping, "pipe"]) == 0
        assert b'"sent": 1' in reader.read(4096)
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)
    (folder / "loop").symlink_to("loop")
    assert main([*ping, "loop"]) == 2
    assert "cannot write 'loop'" in capsys.readouterr().err


TRACES = {
    "role king": "role 'king' is none; write `role client` or `role server`",
    "role server\nwait 99999999999999999999": "step 1, `wait 99999999999999999999`: a wait is within 0..360000000000 microseconds",
    "role server\ncall send -1": "step 1, `call send -1`: a call is about 0..1073741824 octets",
    "role server\nbuffer -4": "`buffer` is within 0..1073741824 octets",
    "role server\nisn 4294967296": "`isn` within 0..4294967295",
    "role server\nsend SYN seq=0 wnd=70000": "a segment has no such length, window or urgent pointer",
    "role server\nsend SYN seq=0 frob": "line 4: unknown word 'frob'",
    "role server\nsing": "line 4: unknown step 'sing'",
}


@pytest.mark.parametrize("text", TRACES)
def test_a_trace_that_cannot_be_played_is_refused(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t.trace").write_text(f"wirelaw trace 1\npeer wirelaw\n{text}\n", "utf-8")
    assert main(["replay", "t.trace"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("wirelaw replay: t.trace")
    assert TRACES[text] in told[0]


def test_servers_that_misbehave_are_told_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {
        b"": "the server closed the connection without an answer; ",
        b"SSH-2.0-other\r\n": "the server does not speak HTTP/1.1, or stopped in the middle (",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc": "the server does not speak HTTP/1.1, or stopped in the middle (peer closed",
    }
    for answer, message in answers.items():
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(listener: socket.socket = server, answer: bytes = answer) -> None:
                client, _ = listener.accept()
                with client:
                    client.recv(1000)
                    client.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            url = f"http://10.0.2.2:{server.getsockname()[1]}/"
            assert main(["get", url, *MEMORY, "-o", "page"]) == 2
            thread.join(30)
        assert capsys.readouterr().err.strip().startswith(f"wirelaw get: {url}: {message}")
        assert not list(folder.iterdir()), "no half of a page"


@pytest.mark.net
def test_a_forwarded_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("qemu-system-aarch64 is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert main(["netd", "--echo", "7", "--forward", f"{server.getsockname()[1]}:7"]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("wirelaw netd: QEMU may not forward a port: ")
    assert told.endswith("in use, or not yours: choose another")


def test_a_missing_tun_device_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(tap, "TUN_DEVICE", folder / "tun")
    assert main(["netd", "--device", "tap"]) == 2
    assert capsys.readouterr().err.strip() == f"wirelaw netd: {folder}/tun is missing; load the kernel's tun module: `modprobe tun`"


AS_NOBODY = """
import os, sys
from wirelaw.tools import cli
from wirelaw.tools.verbs import run
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(cli.main(["netd", "--device", "tap"]))
"""


@pytest.mark.net
def test_somebody_without_rights_is_told_what_to_do_for_a_tap() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("/dev/net/tun is missing")
    done = subprocess.run([sys.executable, "-c", AS_NOBODY], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    problem = "(/dev/net/tun cannot be opened for 'tap0'|TAP interface 'tap0' may not be used)"
    assert re.fullmatch(rf"wirelaw netd: {problem}: .*; run as root or under `unshare -rn`\n", done.stderr)


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
