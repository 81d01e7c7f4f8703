"""Other people's implementations of any datagram protocol, tested and judged without touching the package; and `wirelaw new`."""

from __future__ import annotations

import json
import re
import shlex
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from wirelaw.conformance import datagrams
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.adapter import decoded, judge_octets
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.examples.lease import Adapter
from wirelaw.oracle.examples.stop_and_wait import Adapter as StopAndWait
from wirelaw.oracle.strategies import Choice, kinds, message
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.cli import main

ROOT = SPEC.parent
RECEIVER = Path(__file__).parent / "fixtures" / "agents" / "stop_and_wait_receiver.py"
LAW = ["--law", str(SPEC / "examples"), "--adapter", str(ROOT / "oracle" / "examples" / "stop_and_wait.py")]
CONFORM = ["conform", "stop_and_wait.receiver", *LAW]


def agent(broken: str = "") -> list[str]:
    return ["--agent", shlex.join([sys.executable, str(RECEIVER), *([broken] if broken else [])])]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sound_receiver_is_not_accused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CONFORM, *agent(), "--walks", "15", "--budget", "5min"]) == 0
    told = capsys.readouterr().out
    assert "stopwait:2.1  pass" in told
    results = json.loads(Path("report/results.json").read_text("utf-8"))
    assert (results["found"], results["walks"]) == ([], {"pass": 15})


@pytest.mark.parametrize(("broken", "clause", "row"), [("ahead", "stopwait:2.1", "ack"), ("deaf", "stopwait:2.2", "copy")])
def test_a_broken_receiver_is_found_with_a_witness(broken: str, clause: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CONFORM, *agent(broken), "--walks", "60", "--budget", "5min"]) == 1
    assert f"{clause}  FAIL" in capsys.readouterr().out
    found = json.loads(Path("report/results.json").read_text("utf-8"))["found"]
    assert (clause, row) in {(f["finding"]["clause"], f["finding"]["row"]) for f in found}
    for witness in (f["witness"] for f in found):
        assert main(["judge", witness, "--machine", "stop_and_wait.receiver", *LAW]) in (1, 0 if broken == "deaf" else 1)


KNOWN = """deviations hasty for stop_and_wait.receiver {
  deviation runs_ahead versions "1" {
    "acknowledges one more than it has"
    beside [ack.more] LIVE emit ack(number: got + 1) if got > 0 stay @stopwait:2.1 MUST
  }
}
"""


def test_what_a_receiver_is_known_for_is_told_as_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CONFORM, *agent("ahead"), "--walks", "60", "--budget", "5min"]) == 1
    (witness, *_) = Path("report/witness").glob("*.pcap")
    judge = ["judge", str(witness), "--machine", "stop_and_wait.receiver", *LAW]
    assert main(judge) == 1
    Path("hasty.deviations").write_text(KNOWN, "utf-8")
    capsys.readouterr()
    assert main([*judge, "--deviations", "hasty.deviations"]) == 0
    assert "known      hasty, runs_ahead: acknowledges one more than it has" in capsys.readouterr().out
    assert main([*judge, "--deviations", "hasty.deviations", "--peer", "none"]) == 1
    assert main([*CONFORM, "--law", "hasty.deviations", *agent("ahead"), "--walks", "10", "--budget", "5min"]) == 0


def test_a_peer_that_dies_is_a_finding_with_a_witness(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CONFORM, *agent("dies"), "--walks", "60", "--budget", "5min"]) == 1
    told = capsys.readouterr().out
    assert "the peer ended in the middle of a conversation" in told
    assert Path("report/witness/stop_and_wait.receiver-peer.gone.pcap").is_file()


def test_a_server_on_a_port_is_a_peer() -> None:
    """It keeps a transfer for each client; walks are clients of their own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            got: dict[object, tuple[int, bool]] = {}
            while True:
                octets, source = server.recvfrom(70_000)
                if octets == b"end":
                    return
                kind, number = struct.unpack_from("!BI", octets)
                newest, done = got.get(source, (0, False))
                if number == newest + 1 and not done:
                    got[source] = newest, done = number, kind == 2
                if 1 <= number <= newest:
                    server.sendto(struct.pack("!BI", 3, newest), source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert main([*CONFORM, "--udp", f"127.0.0.1:{server.getsockname()[1]}", "--walks", "5", "--budget", "5min"]) == 0
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"end", server.getsockname())
            thread.join()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*CONFORM, "--agent", "./no-such-program"], "no such program"),
        ([*CONFORM, "--udp", "nowhere"], "write an IPv4 address and a port"),
        (CONFORM, "one of --agent COMMAND or --udp ADDRESS:PORT"),
        (["conform", "knock"], "a law of your own needs --law"),
        (["conform", "stop_and_wait.nobody", *LAW, *agent()], "no machine `stop_and_wait.nobody`"),
        (["judge", "x.pcap", "--adapter", "x.py"], "say where that is: --law FOLDER"),
        (["judge", "x.pcap", "--law", str(SPEC / "examples"), "--adapter", "x.py"], "x.py: no Python file"),
        (["judge", "x.pcap", "--law", str(SPEC / "examples"), "--adapter", "wrong.py"], "wrong.py:2: ZeroDivisionError: division by zero"),
        (["judge", "x.pcap", "--law", str(SPEC / "examples"), "--adapter", "none.py"], "none.py: no class Adapter"),
        (["judge", "x.pcap", *LAW, "--machine", "nobody"], "no such machine in the law; it has lease.server, stop_and_wait.sender"),
        (["judge", "x.pcap", "--machine", "nobody"], "--machine goes with --adapter"),
    ],
)
def test_mistakes_end_in_one_message(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    Path("wrong.py").write_text("x = 0\ny = 1 / x\n", "utf-8")
    Path("none.py").write_text("", "utf-8")
    assert main([*words, *(["--walks", "1"] if words[0] == "conform" else [])]) == 2
    assert said in capsys.readouterr().err


WRONG_ADAPTERS = [
    ("raise KeyError(1)", "the adapter's decode raises KeyError: 1"),
    ("return 'data'", "the adapter's decode gives 'data'; it must give None, or a kind and a message"),
    ("return 'date', None", "the adapter calls a message `date`; the law has `data`, `ack`"),
    ("return 'ack', object()", "the adapter's message `ack` lacks `number`"),
]


@pytest.mark.parametrize(("body", "said"), WRONG_ADAPTERS)
def test_an_adapter_that_is_wrong_is_told_so(body: str, said: str) -> None:
    wrong = type("Wrong", (StopAndWait,), {"decode": None})
    names: dict[str, Any] = {}
    exec(f"def decode(self, octets): {body}", names)
    wrong.decode = names["decode"]  # type: ignore[attr-defined]
    law = compile_law(load([SPEC / "examples"]).machine("stop_and_wait.receiver"))
    with pytest.raises(UserError, match=re.escape(said)):
        judge_octets(law, wrong(), [(0, False, b"x")])


def test_messages_that_cannot_be_hashed_are_kept_all_the_same() -> None:
    fields = {"ack": ("number",)}
    plain = type("Plain", (StopAndWait,), {"decode": lambda self, octets: ("ack", SimpleNamespace(number=octets[0]))})
    first, again, other = (decoded(plain(), octets, fields) for octets in (b"a", b"a", b"b"))
    assert len({first, again, other}) == 2


def test_a_choice_means_a_message_near_what_the_machine_holds() -> None:
    machine = load([SPEC / "examples"]).machine("stop_and_wait.receiver")
    assert kinds(machine) == ["data"]
    fields = machine.messages["data"].fields
    assert list(fields) == ["number", "last", "same"]
    numbers = {message(machine, Choice("data", (2 * n, 0, 2)), {"got": 70}).number for n in range(20)}
    assert {0, 1, 69, 70, 71} <= numbers
    assert message(machine, Choice("data", (2 * 5000 + 1, 2, 0))).number == 5000


# --- wirelaw new ------------------------------------------------------------------------------------------------------


def outside(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["knock", "a_rather_long_name_for_a_protocol"])
def test_a_new_project_passes_its_own_test(name: str, tmp_path: Path) -> None:
    assert main(["new", name]) == 0
    assert [p.name for p in tmp_path.iterdir()] == [name]
    done = outside(tmp_path / name, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert main(["fmt", "--check", f"{name}/law"]) == 0
    assert main(["draw", f"{name}.client", "--law", f"{name}/law", "-o", "client.dot"]) == 0


def test_the_server_of_a_new_project_answers_and_conforms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "knock"])
    serving = subprocess.Popen([sys.executable, "runner.py", "serve"], cwd="knock", stdout=subprocess.PIPE, text=True)
    with serving:
        try:
            assert serving.stdout is not None
            port = serving.stdout.readline().split("port ")[1].split()[0]
            answered = outside(tmp_path / "knock", "runner.py", "ask", "where are you", "--port", port)
        finally:
            serving.kill()
    assert answered.stdout == "WHERE ARE YOU\n"
    own = ["--law", "knock/law", "--adapter", "knock/adapter.py"]
    assert main(["conform", "knock.server", *own, "--agent", shlex.join([sys.executable, "knock/agent.py"]), "--walks", "3"]) == 0
    assert "knock:2.2  pass" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Knock", "knock-knock", "2knock", "", "class", "../knock"])
def test_a_name_that_no_machine_can_have(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", name]) == 2
    assert "cannot be a machine's name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "knock").mkdir()
    assert main(["new", "knock"]) == 2
    assert "knock exists already" in capsys.readouterr().err
    assert list((tmp_path / "knock").iterdir()) == []


def test_the_place_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "knock", "--in", "nowhere"]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_no_further_walk_is_drawn_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(number: int) -> list[Choice]:
        drawn.append(number)
        return []

    def connect() -> datagrams.Wire:
        raise AssertionError("no walk begins")

    monkeypatch.setattr(datagrams, "walks", lambda *_: st.integers().map(draw))
    law = compile_law(load([SPEC / "examples"]).machine("lease.server"))
    datagrams._round(law, Adapter, connect, datagrams.Results(), 1000, 0.0, 1, None, lambda _: None)
    assert len(drawn) == 1
