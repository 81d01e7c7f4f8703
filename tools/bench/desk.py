"""Figures that need no network: the faulty link, the judge, checking and generating."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.host import Host
from wirelaw.impl.net.lan import Lan
from wirelaw.oracle.capture import LinkType, PcapWriter, read_packets
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.spec.language.load import load


def transfer(octets: int, faults: Faults, tap: Callable[[int, bytes], None] | None = None) -> dict[str, float]:
    """Move `octets` between two virtual hosts and compare what arrives. Raises RuntimeError if anything was lost or altered."""
    one = Host.virtual(HostConfig.of("10.7.0.1/24", mac="52:54:00:00:00:01"), seed=1)
    two = Host.virtual(HostConfig.of("10.7.0.2/24", mac="52:54:00:00:00:02"), seed=2)
    lan = Lan(one, two, faults=faults, seed=3)
    lan.tap = tap
    began = time.perf_counter()
    listener = two.socket()
    listener.bind(("", 80))
    listener.listen()
    sender = one.socket()
    sender.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        sender.connect(("10.7.0.2", 80))
    listener.settimeout(0)
    lan.run_until(lambda: sender.connection is not None and sender.connection.connected.done(), 60)
    receiver = None
    while receiver is None:
        lan.run(0.05)
        with contextlib.suppress(BlockingIOError):
            receiver, _ = listener.accept()
    receiver.settimeout(0)
    sent, received = hashlib.sha256(), hashlib.sha256()
    put = got = 0
    block = hashlib.shake_128(b"wirelaw").digest(1 << 18)
    while got < octets:
        with contextlib.suppress(BlockingIOError):
            while put < octets:
                count = sender.send(memoryview(block)[put % 65536 : put % 65536 + min(octets - put, 65536)])
                sent.update(memoryview(block)[put % 65536 : put % 65536 + count])
                put += count
        lan.run(0.02)
        with contextlib.suppress(BlockingIOError):
            while got < octets:
                data = receiver.recv(1 << 20)
                received.update(data)
                got += len(data)
    if sent.digest() != received.digest():
        raise RuntimeError("octets were altered on the way")
    seconds = time.perf_counter() - began
    return {"MB": octets / 1e6, "seconds": seconds, "virtual_seconds": lan.now / 1e6, "frames": lan.carried, "struck": lan.struck}


def judge_rate(octets: int) -> dict[str, float]:
    """Packets a second that the judge takes from a capture of a transfer of `octets`, both ends judged; memory in MB."""
    law = compile_law(load().machine("tcp.connection"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transfer.pcap"
        with PcapWriter(path, LinkType.ETHERNET) as writer:
            transfer(octets, Faults(), writer.write)
        packets = sum(1 for _ in read_packets(path))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        grades = [j.verdict.grade for j in judge_capture(law, read_packets(path))]
        seconds = time.perf_counter() - began
    if not grades or max(grades) >= Grade.INCONCLUSIVE:
        raise RuntimeError(f"the transfer was judged {[str(g) for g in grades]}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"packets": packets, "seconds": seconds, "packets_per_second": packets / seconds, "memory_grown_MB": grown}


def commands() -> dict[str, float]:
    """Seconds of `wirelaw check` cold and again, and of `wirelaw generate --check`, as whole processes."""

    def timed(*words: str) -> float:
        began = time.perf_counter()
        words = (sys.executable, "-m", "wirelaw.tools.cli", *words)
        subprocess.run(words, check=True, capture_output=True, env={**os.environ, "XDG_CACHE_HOME": folder})
        return time.perf_counter() - began

    with tempfile.TemporaryDirectory() as folder:
        return {"check_cold": timed("check"), "check_again": timed("check"), "generate": timed("generate", "--check")}
