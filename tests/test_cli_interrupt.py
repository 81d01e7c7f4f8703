"""Ctrl-C and SIGTERM on verbs that take long: what was found is kept, the exit code says it, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wirelaw.oracle.capture import PcapWriter, read_packets

CAPTURE = Path(__file__).parent / "fixtures" / "captures" / "chat-client.pcap"
PATIENCE = 30.0  # seconds
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="qemu-system-aarch64 is not installed")


def children(pid: int) -> set[int]:
    """All processes below `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | children(child)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from wirelaw.tools.cli import main
sys.exit(main())
"""


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command under way, in a folder of its own, with temporary files in `folder`/tmp.

    It hears Ctrl-C as at a terminal, also where these tests run in the background of a shell, whose children ignore it.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "COLUMNS": "120"}
    command = [sys.executable, "-c", COMMAND, *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def ended(process: subprocess.Popen[str], how: int, folder: Path) -> tuple[int, str, str]:
    """Send the signal; exit code and what was said, once it is sure that nothing is left."""
    offspring = children(process.pid)
    process.send_signal(how)
    out, err = process.communicate(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while any(map(alive, offspring)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, offspring))
    assert not list((folder / "tmp").iterdir()), "sockets and temporary files are gone"
    assert "Traceback" not in out + err
    return process.returncode, out, err


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("peer", ["wirelaw", pytest.param("wirelaw-qemu", marks=[pytest.mark.net, needs_qemu])])
def test_an_interrupted_campaign_keeps_what_it_found(peer: str, tmp_path: Path) -> None:
    with running(tmp_path, "conform", "tcp", "--peer", peer, "--budget", "10min", "--out", "found", "--json", "r.json") as process:
        until((tmp_path / "found").is_dir)
        time.sleep(3)
        code, out, err = ended(process, signal.SIGINT, tmp_path)
    assert code == 130, err
    assert err.strip().endswith("interrupted: this is what was found so far")
    results = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [p["name"] for p in results["peers"]] == [peer]
    assert (tmp_path / "found" / "results.json").is_file()
    assert "found/index.html" in out


DEVICES = ["memory", pytest.param("qemu", marks=[pytest.mark.net, needs_qemu])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_netd_says_its_statistics(device: str, how: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, "netd", "--device", device, "--echo", "7", "--json", "s.json") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"up on {device}: 10.0.2.15/24")
        assert process.stdout.readline() == "echo on TCP port 7\n"
        if device == "qemu":
            here = process.stdout.readline().split()[0].partition(":")[2]
            with socket.create_connection(("127.0.0.1", int(here)), PATIENCE) as client:
                client.sendall(b"echo")
                assert client.recv(100) == b"echo"
        code, out, _ = ended(process, how, tmp_path)
    assert code == 0
    assert "stopping" in out
    assert json.loads((tmp_path / "s.json").read_text("utf-8")) == json.loads(out.splitlines()[-1])


def test_an_interrupted_judge_keeps_the_verdicts_so_far(tmp_path: Path) -> None:
    with PcapWriter(tmp_path / "twice.pcap", 1, 262_144) as writer:
        packets = list(read_packets(CAPTURE))
        for round_ in range(2):
            for packet in packets:
                data = bytearray(packet.data)
                writer.write(packet.time_us + round_ * 600_000_000, bytes(data))
    with running(tmp_path, "judge", "-", "--json", "r.json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        octets = (tmp_path / "twice.pcap").read_bytes()
        process.stdin.buffer.write(octets)  # and no end of file: it waits for more
        process.stdin.buffer.flush()
        assert "10.7.0.2:7000" in process.stdout.readline()
        code, _, err = ended(process, signal.SIGINT, tmp_path)
    assert code == 130
    assert "interrupted: what was judged so far follows" in err
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["connections"]


def test_an_interrupted_bench_keeps_its_figures(tmp_path: Path) -> None:
    with running(tmp_path, "bench", "tcp", "--only", "link", "--json", "b.json") as process:
        time.sleep(2.5)
        code, out, _ = ended(process, signal.SIGINT, tmp_path)
    assert code == 130
    assert "interrupted: what was measured so far" in out
    assert json.loads((tmp_path / "b.json").read_text("utf-8")) == {}


def test_an_interrupted_get_leaves_no_half_of_a_page(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sent = threading.Event()

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(5000))
                sent.set()
                client.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://10.0.2.2:{server.getsockname()[1]}/"
        with running(tmp_path, "get", "--device", "memory", url, "-o", "page") as process:
            assert sent.wait(PATIENCE)
            time.sleep(0.3)
            code, _, err = ended(process, signal.SIGINT, tmp_path)
        thread.join(PATIENCE)
    assert code == 130
    assert err.strip().endswith("wirelaw get: interrupted")
    assert [p.name for p in tmp_path.iterdir()] == ["tmp"]
