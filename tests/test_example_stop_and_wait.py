"""The example protocol: transfers through loss, the judge on honest and wrong ends, the picture, each command of docs/example.md."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.apps import stop_and_wait as app
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.adapter import judge_octets
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Finding, Grade, Verdict
from wirelaw.oracle.examples.stop_and_wait import Adapter
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools import cli
from wirelaw.tools.draw import draw
from wirelaw.tools.generate import write_all

ROOT = SPEC.parent
LAW = SPEC / "examples" / "stop_and_wait.law"
PAGE = ROOT / "docs" / "example.md"
ROLES = ("sender", "receiver")
LAWS: dict[str, CompiledLaw] = {role: compile_law(load([LAW.parent]).machine(f"stop_and_wait.{role}")) for role in ROLES}
OWN = ["--law", str(LAW.parent), "--adapter", str(ROOT / "oracle" / "examples" / "stop_and_wait.py")]
CONTENT = Random(7).randbytes(16_000)
ATTEMPTS = 10  # one sending and nine copies (stopwait:3.2)


def judged(role: str, end: app.End, environment: Environment | None = None) -> Verdict:
    return judge_octets(LAWS[role], Adapter(), end.seen, environment or Environment.exact())


def virtual(content: bytes, loss: float, seed: int, machines: app.Machines | None = None) -> tuple[app.Sender, app.Receiver]:
    sender, receiver = app.Sender(content, machines), app.Receiver(machines)
    app.simulate(sender, receiver, app.Loss(loss, seed))
    return sender, receiver


def broken(folder: Path, *edits: tuple[str, str]) -> app.Machines:
    """Machines made from a law and profile in which the first text of each edit reads as the second."""
    folder.mkdir(exist_ok=True)
    texts = {path.name: path.read_text("utf-8") for path in (LAW, LAW.with_suffix(".profile"))}
    for old, new in edits:
        assert sum(text.count(old) for text in texts.values()) == 1, old
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    write_all(load([folder]), folder)
    return app.Machines.load(folder)


def failure(verdict: Verdict) -> Finding:
    assert verdict.grade is Grade.FAIL, verdict
    return verdict.findings[-1]


# --- transfers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, app.BLOCK - 1, app.BLOCK, app.BLOCK + 1, 3 * app.BLOCK])
def test_any_size_without_loss(size: int) -> None:
    sender, receiver = virtual(CONTENT[:size], 0, 1)
    blocks = max(1, -(-size // app.BLOCK))
    assert receiver.content == CONTENT[:size]
    assert (sender.complete, receiver.complete, sender.error) == (True, True, None)
    assert sum(s.is_output for s in sender.seen) == blocks == receiver.machine.got


@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.3), size=st.integers(0, len(CONTENT)))
@settings(max_examples=60, deadline=None)
def test_through_loss_it_is_intact_or_given_up_and_conformant_in_any_case(seed: int, loss: float, size: int) -> None:
    sender, receiver = virtual(CONTENT[:size], loss, seed)
    if sender.error is None:
        assert (sender.complete, bytes(receiver.content)) == (True, CONTENT[:size])
    assert CONTENT[:size].startswith(receiver.content)
    assert judged("sender", sender).grade <= Grade.NOTE
    assert judged("receiver", receiver).grade <= Grade.NOTE


def test_over_udp_through_a_lossy_relay() -> None:
    loss = app.Loss(0.2, seed=3)
    sending, receiving = app.transfer(CONTENT[:8_000], loss)
    assert isinstance(receiving.end, app.Receiver)
    assert bytes(receiving.end.content) == CONTENT[:8_000]
    assert loss.lost > 0
    assert judged("sender", sending.end, Environment.near()).grade <= Grade.NOTE
    assert judged("receiver", receiving.end, Environment.near()).grade <= Grade.NOTE
    assert {r.row for r in sending.end.rows} >= {"send", "again", "next", "done", "due"}


def test_retry_limit_ends_the_transfer_with_an_error() -> None:
    sender, receiver = virtual(CONTENT, 1.0, 1)
    assert sender.error is not None
    with pytest.raises(UserError, match=f"^block 1 was sent {ATTEMPTS} times and never acknowledged; check"):
        raise sender.error
    assert (sender.machine.job, len(sender.seen), receiver.seen) == ("FAILED", ATTEMPTS, [])
    assert [r.row for r in sender.rows][-1] == "give.up"
    assert judged("sender", sender).grade is Grade.PASS


def test_last_acknowledgment_lost_is_what_lingering_is_for() -> None:
    sender, receiver = app.Sender(b"all"), app.Receiver()
    sender.poll(0)
    receiver.input(sender.out.pop(), 0)
    receiver.out.clear()
    sender.poll(100_000)
    receiver.input(sender.out.pop(), 100_000)
    sender.input(receiver.out.pop(), 100_000)
    assert sender.complete
    receiver.poll(20_000_000)
    assert receiver.machine.job == "CLOSED"
    assert judged("receiver", receiver).grade is Grade.PASS


def datagram(kind: int, number: int, block: bytes) -> bytes:
    return app.HEADER.pack(kind, number) + block


datagrams = st.one_of(
    st.binary(max_size=8),
    st.builds(datagram, st.integers(0, 4), st.integers(0, 4) | st.integers(0, 2**32 - 1), st.binary(max_size=4)),
)


@given(events=st.lists(st.tuples(st.integers(0, 300_000), datagrams), max_size=30), role=st.sampled_from(ROLES))
@settings(max_examples=150, deadline=None)
def test_hostile_datagrams_neither_break_an_end_nor_make_it_break_the_law(events: list[tuple[int, bytes]], role: str) -> None:
    end: app.End = app.Sender(CONTENT[:3000]) if role == "sender" else app.Receiver()
    now = 0
    end.poll(now)
    for wait, octets in events:
        until = now + wait
        while (at := end.deadline()) is not None and at <= until:
            now = at
            end.poll(now)
            assert end.deadline() != at
        now = until
        end.input(octets, now)
    assert judged(role, end).grade <= Grade.NOTE
    assert end.ignored + sum(not s.is_output for s in end.seen) == len(events)


# --- wrong ends are caught -----------------------------------------------------------------------------------------


def test_receiver_that_acknowledges_the_wrong_number(tmp_path: Path) -> None:
    machines = broken(tmp_path, ("emit ack(number: got)", "emit ack(number: got + 1)"))
    sender, receiver = virtual(CONTENT, 0, 1, machines)
    finding = failure(judged("receiver", receiver))
    assert (finding.row, finding.clause, finding.level, finding.number) == ("ack", "stopwait:2.1", "MUST", 2)
    assert finding.nearest[0].failed == (("number == got", "number is 1 too high"),)
    assert judged("sender", sender).grade is Grade.PASS
    assert sender.error is not None


WRONG = [
    ("receiver that does not answer copies", "receiver", "stay  { owe receipt(got) pay prompt }", "stay", "copy", "stopwait:2.2"),
    ("sender with a longer limit", "sender", "const limit : u8 = 9", "const limit : u8 = 12", "again", "stopwait:3.1"),
    ("sender that skips a block", "sender", "current += 1", "current += 2", "send", "stopwait:1.1"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "old", "new", "row", "clause"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_end_is_named_with_row_and_clause(tmp_path: Path, role: str, old: str, new: str, row: str, clause: str) -> None:
    machines = broken(tmp_path, (old, new))
    findings = []
    for seed in range(10):
        sender, receiver = (
            app.Sender(CONTENT, machines if role == "sender" else None),
            app.Receiver(machines if role == "receiver" else None),
        )
        app.simulate(sender, receiver, app.Loss(0.6, seed))
        verdict = judged(role, sender if role == "sender" else receiver)
        findings += [failure(verdict)] if verdict.grade > Grade.NOTE else []
        other = "receiver" if role == "sender" else "sender"
        assert judged(other, receiver if role == "sender" else sender).grade <= Grade.NOTE
    assert findings
    assert {(f.row, f.clause) for f in findings} == {(row, clause)}


@pytest.mark.parametrize("is_broken", [True, False])
def test_sender_that_answers_a_stale_acknowledgment_with_a_copy(tmp_path: Path, is_broken: bool) -> None:
    """The sorcerer's apprentice: each late acknowledgment breeds a copy, each copy another acknowledgment."""
    edit = ("a.number != current                                        drop", "a.number != current => DUE")
    sender = app.Sender(CONTENT, broken(tmp_path, edit) if is_broken else None)
    sender.poll(0)
    sender.poll(100_000)
    sender.input(app.HEADER.pack(app.ACK, 1), 110_000)
    sender.input(app.HEADER.pack(app.ACK, 1), 111_000)
    verdict = judged("sender", sender)
    if is_broken:
        finding = failure(verdict)
        assert (finding.row, finding.clause, finding.number) == ("again", "stopwait:3.1", 6)
    else:
        assert verdict.grade is Grade.PASS


def test_copy_with_other_octets_is_caught() -> None:
    first, other = app.HEADER.pack(app.LAST, 1) + b"one", app.HEADER.pack(app.LAST, 1) + b"two"
    finding = failure(judge_octets(LAWS["sender"], Adapter(), [(0, True, first), (100_000, True, other)]))
    assert finding.row in {"again", "same"}  # the row that sends copies, or the gate that refuses this one
    assert finding.clause == "stopwait:3.1"
    assert "not same" in finding.observed
    assert judge_octets(LAWS["sender"], Adapter(), [(0, True, first), (100_000, True, first)]).grade is Grade.PASS


def test_copy_that_comes_too_soon_is_caught() -> None:
    block = app.HEADER.pack(app.LAST, 1)
    for wait, grade in ((49_999, Grade.FAIL), (50_000, Grade.PASS)):
        assert judge_octets(LAWS["sender"], Adapter(), [(0, True, block), (wait, True, block)], Environment.exact()).grade is grade


# --- the command line, the picture, the page ------------------------------------------------------------------------


def test_send_and_receive(tmp_path: Path) -> None:
    """The two ends as two programs use them, with a receiver that lingers shorter than the law wants."""
    brief = tmp_path / "brief"
    broken(
        brief, ("= 20s", "= 200ms"), ("stay_for : duration in 20s", "stay_for : duration in 0s"), ("linger within 20s", "linger within 0s")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (tmp_path / "in").write_bytes(CONTENT)
    receive = ["--receive", str(tmp_path / "out"), "--port", port, "--machines", str(brief), "--record", str(tmp_path)]
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(app.main(receive)), daemon=True)
    thread.start()
    assert app.main(["--send", str(tmp_path / "in"), "--port", port, "--record", str(tmp_path)]) == 0
    thread.join(10)
    assert ended == [0]
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert [cli.main(["judge", str(tmp_path / f"{role}.pcap"), "--machine", f"stop_and_wait.{role}", *OWN]) for role in ROLES] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--send", "/nowhere/at/all"], "cannot read /nowhere/at/all"),
        (["--selftest", "--loss", "3"], "0 to 1, not 3.0"),
        (["--selftest", "--machines", "/nowhere"], "wirelaw generate"),
        (["--selftest", "--size", "10", "--loss", "1"], "block 1 was sent 10 times"),
        (["--selftest", "--size", "10", "--loss", "0", "--record", "/dev/null/x"], "cannot write to /dev/null/x"),
    ],
)
def test_mistakes_end_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_capture_without_a_transfer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(app._FILE_HEADER)
    assert cli.main(["judge", str(empty), *OWN]) == 2
    assert "no message of this law in it" in capsys.readouterr().err


def test_generated_modules_are_fresh() -> None:
    assert write_all(load([SPEC / "examples"]), ROOT / "impl" / "generated", check=True, prune=False) == []


def words(svg: bytes | str) -> list[str]:
    """What a picture says; its coordinates depend on the version of Graphviz and its fonts."""
    return [t for e in ElementTree.fromstring(svg).iter() if e.tag.endswith(("}text", "}title")) for t in e.itertext()]


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's `dot` is not installed")
@pytest.mark.parametrize(("role", "name"), [("sender", "stop_and_wait"), ("receiver", "stop_and_wait_receiver")])
def test_pictures_are_fresh(role: str, name: str) -> None:
    made = draw(load([SPEC / "examples"]).machine(f"stop_and_wait.{role}"), "svg")
    assert words((ROOT / "docs" / f"{name}.svg").read_bytes()) == words(made)


def page_blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)


def test_page_shows_the_law_as_it_is() -> None:
    law = " ".join(LAW.read_text("utf-8").split())
    shown = page_blocks("law")
    assert shown
    for block in shown:
        for piece in block.split("...\n"):
            assert " ".join(piece.split()) in law


def same_but_for_numbers(text: str) -> str:
    return re.sub(r"\d+", "0", text).strip()


def ran(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, int]:
    """What a command says, and its exit code. Ours run in this process, which saves the start of a dozen interpreters."""
    words = shlex.split(command)
    if words[0] == "wirelaw":
        status = cli.main(words[1:])
    elif words[:2] == ["python", "-m"]:
        assert words[2] == app.__name__
        status = app.main(words[3:])
    else:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr, done.returncode
    said = capsys.readouterr()
    return said.out + said.err, status


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's `dot` is not installed")
def test_every_command_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the page's order, in an empty folder beside the law; each prints what the page shows, but for numbers."""
    (tmp_path / "spec").symlink_to(SPEC)
    (tmp_path / "oracle").symlink_to(ROOT / "oracle")
    monkeypatch.chdir(tmp_path)
    count = 0
    for block in page_blocks("console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            lines = [line for line in expected.splitlines() if not line.startswith("exit ")]
            said, status = ran(command, capsys)
            assert f"exit {status}" == next((line for line in expected.splitlines() if line.startswith("exit ")), "exit 0"), said
            for line in lines:
                assert same_but_for_numbers(line) in same_but_for_numbers(said), f"{command}: {line}\n{said}"
            count += 1
    assert count == PAGE.read_text("utf-8").count("\n$ ") >= 15
