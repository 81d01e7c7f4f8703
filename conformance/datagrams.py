"""Conformance of any implementation of a protocol over datagrams: walks drawn by Hypothesis, judged by the law as they go.

The peer is a program behind a descriptor (`AgentWire`) or a server on a UDP port (`UdpWire`). Inputs are drawn near what decides
(`wirelaw.oracle.strategies`); Hypothesis chooses, shrinks what fails, and keeps it for the next run. Nothing here knows a protocol: the
law says which messages there are, the adapter what they look like.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.udp import ipv4_datagram
from wirelaw.oracle.adapter import DatagramAdapter, MakeAdapter, decoded, fields_of
from wirelaw.oracle.capture import LinkType, PcapWriter
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Environment, Finding, Grade, Verdict
from wirelaw.oracle.strategies import Choice, message, walks

LONGEST: Final = 65_535
STEPS: Final = 20
QUIET_US: Final = 5_000
"""How long a walk listens on where nothing more is owed."""
PATIENCE_US: Final = 3_000_000
"""How long a walk waits for what is owed."""
LAG_US: Final = 250_000
"""How late the peer may look at its input: it is a process of its own, on a machine that does other things too."""
ENDING_SECONDS: Final = 2.0
SHRINKING_SECONDS: Final = 10.0


_START: Final = """
import os, sys
given = int(sys.argv[1])
if given != 3:
    os.dup2(given, 3)
    os.close(given)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except (OSError, IndexError):
    os._exit(127)
"""
"""Puts a socket to descriptor 3 and becomes the program."""


class PeerGoneError(Exception):
    """The peer ended, or closed its descriptor."""


class Wire(ABC):
    """The way to a peer: one conversation."""

    @abstractmethod
    def send(self, octets: bytes) -> None:
        """A datagram to the peer. Raises PeerGoneError."""

    @abstractmethod
    def receive(self, seconds: float) -> bytes | None:
        """Its next datagram; None after `seconds` of silence. Raises PeerGoneError."""


class AgentWire(Wire):
    """A program of the user's whose descriptor 3 is a UNIX SEQPACKET socket: `F` and a datagram, in both directions.

    What it sends under other letters than `F` is not looked at.
    """

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours

    def send(self, octets: bytes) -> None:
        try:
            self._socket.send(b"F" + octets)
        except OSError as error:
            raise PeerGoneError from error

    def receive(self, seconds: float) -> bytes | None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message = self._socket.recv(LONGEST + 1)
            except TimeoutError:
                return None
            except OSError as error:
                raise PeerGoneError from error
            if not message:
                raise PeerGoneError
            if message[:1] == b"F":
                return message[1:]
        return None


class UdpWire(Wire):
    """A server on a UDP port; each walk is a client of its own."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours

    def send(self, octets: bytes) -> None:
        with suppress(OSError):  # nobody there (yet): as good as lost; silence is what the law judges
            self._socket.send(octets)

    def receive(self, seconds: float) -> bytes | None:
        self._socket.settimeout(max(seconds, 1e-6))
        with suppress(OSError):
            return self._socket.recv(LONGEST)
        return None


Connect = Callable[[], Any]
"""Makes the context manager of one conversation's wire."""


@contextmanager
def agent(command: str, log: Path) -> Iterator[Wire]:
    """Start the program for one conversation; it is ended with it. What it says goes to `log`.

    Raises UserError where it cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        try:
            with theirs, log.open("ab") as said:
                words = [sys.executable, "-c", _START, str(theirs.fileno()), *shlex.split(command)]
                process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, pass_fds=(theirs.fileno(),))
        except (OSError, ValueError) as error:
            raise UserError(f"--agent {command}: {error}; give a command line that starts your program") from None
        try:
            yield AgentWire(ours)
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_WR)
            try:
                process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.returncode == 127:
                raise UserError(f"--agent {command}: no such program; give the path of one that can be run")


@contextmanager
def udp_server(address: str, port: int) -> Iterator[Wire]:
    """A client socket of its own, connected to the server. Raises UserError."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.connect((address, port))
            yield UdpWire(ours)
    except OSError as error:
        raise UserError(f"--udp {address}:{port}: {error.strerror or error}") from None


@dataclass(slots=True)
class WalkResult:
    """One walk: its verdict, and the datagrams as (time in microseconds, sent by the peer, octets). `gone`: the peer ended."""

    verdict: Verdict
    trace: list[tuple[int, bool, bytes]]
    sent: Counter[str]
    gone: bool = False

    @property
    def key(self) -> tuple[str, str] | None:
        """What the walk's first violation is counted by; None if there is none."""
        failed = next((f for f in self.verdict.findings if f.grade is Grade.FAIL), None)
        return ("", "peer.gone") if failed is None and self.gone else failed.key if failed is not None else None


class Walk:
    """One conversation with the peer."""

    def __init__(self, law: CompiledLaw, adapter: DatagramAdapter, wire: Wire) -> None:
        self.law, self.adapter, self.wire = law, adapter, wire
        self.judge = Judge(law, environment=replace(Environment.near(), lag=LAG_US), subject="the peer")
        self.trace: list[tuple[int, bool, bytes]] = []
        self._fields = fields_of([law.machine])
        self.seen: dict[str, list[Any]] = {}
        self.sent: Counter[str] = Counter()
        self.number = 0

    def run(self, choices: list[Choice]) -> WalkResult:
        """Send what is chosen, and judge what comes back."""
        gone = False
        try:
            self._listen()
            for choice in choices:
                if self.judge.ended:
                    break
                self._input(choice.kind, message(self.law.machine, choice, self._held(), self.seen))
                self._listen()
        except PeerGoneError:
            gone = True
        return WalkResult(self.judge.finish(_now()), self.trace, self.sent, gone)

    def _held(self) -> dict[str, Any]:
        if not self.judge.frontier:
            return {}
        names = [n for n, v in self.law.machine.variables.items() if not v.family and v.kind == "var"]
        return {n: getattr(self.judge.frontier[0], n) for n in names if hasattr(self.judge.frontier[0], n)}

    def _input(self, kind: str, fields: Any) -> None:
        octets = self.adapter.encode(kind, fields)
        message = decoded(self.adapter, octets, self._fields)
        if message is None:
            return  # the wire cannot carry it
        self.number += 1
        now = _now()
        self.trace.append((now, False, octets))
        self.judge.input(*message, now, self.number)
        self.wire.send(octets)

    def _listen(self) -> None:
        """Judge what the peer sends until it may be finished, and is quiet, or longer silent than it may be."""
        until, quiet = _now() + PATIENCE_US, _now() + QUIET_US
        while not self.judge.ended:
            now = _now()
            self.judge.advance(now)
            if now >= until or (now >= quiet and self.judge.settled(now)):
                return
            octets = self.wire.receive(QUIET_US / 2e6)
            if octets is not None:
                self._output(octets)
                quiet = _now() + QUIET_US

    def _output(self, octets: bytes) -> None:
        now = _now()
        self.number += 1
        self.trace.append((now, True, octets))
        message = decoded(self.adapter, octets, self._fields)
        if message is not None:
            self.sent.update(self.law.machine.messages[message[0]].lineage)
            self.judge.output(*message, now, self.number)


def _now() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True)
class Results:
    """What a campaign found: rows taken, kinds and classes of what the peer sent, walks by grade, the shortest walk of each violation.

    `unconfirmed` are violations that did not show again when the walk was repeated.
    """

    rows: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    walks: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str], WalkResult] = field(default_factory=dict)
    unconfirmed: Counter[tuple[str, str]] = field(default_factory=Counter)
    interrupted: bool = False


class _FoundError(Exception):
    pass


class _TimeUpError(BaseException):  # Hypothesis takes an Exception for a violation, and would go on
    pass


def campaign(
    law: CompiledLaw, make: MakeAdapter, connect: Connect, *, most: int, budget: float, start: int, kept: Path | None = None,
    told: Callable[[Results], None] = lambda _: None,
) -> Results:  # fmt: skip
    """Walks until `most` of them or `budget` (seconds) is used up. A violation is shrunk, kept, and not told again.

    `start` is the seed, `kept` a folder for the examples that Hypothesis remembers, `told` is called after each walk. Ctrl-C leaves the
    results so far.
    """
    results = Results()
    until = time.monotonic() + budget
    serial = start
    try:
        while sum(results.walks.values()) < most and time.monotonic() < until:
            before = sum(results.walks.values())
            _round(law, make, connect, results, most - before, until, serial, kept, told)
            serial += 1
            if sum(results.walks.values()) == before:
                break
    except KeyboardInterrupt:
        results.interrupted = True
    return results


def _round(
    law: CompiledLaw, make: MakeAdapter, connect: Connect, results: Results, most: int, until: float, serial: int, kept: Path | None,
    told: Callable[[Results], None],
) -> None:  # fmt: skip
    """Walk until something new is found, and shrink that."""
    shown: list[WalkResult] = []
    wanted: list[tuple[str, str]] = []

    @seed(serial)
    @settings(
        max_examples=max(1, most), deadline=None, database=DirectoryBasedExampleDatabase(kept) if kept is not None else None,
        suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate, Phase.shrink), print_blob=False,
    )  # fmt: skip
    @given(walks(law.machine, STEPS))
    def walk(choices: list[Choice]) -> None:
        if time.monotonic() > until + (SHRINKING_SECONDS if wanted else 0):
            if not wanted:
                raise _TimeUpError
            return
        with connect() as wire:
            result = Walk(law, make(), wire).run(choices)
        results.walks[str(result.verdict.grade) if not result.gone else "gone"] += 1
        results.rows.update(result.verdict.coverage)
        results.sent.update(result.sent)
        told(results)
        key = result.key
        if key is not None and key not in results.found and (not wanted or key == wanted[0]):
            wanted[:] = [key]
            shown.append(result)
            raise _FoundError

    try:
        walk()
    except _TimeUpError:
        pass
    except (_FoundError, Flaky):
        if len(shown) > 1:
            results.found[wanted[0]] = min(reversed(shown), key=lambda r: len(r.trace))
        else:  # a slow moment of this machine, or of the peer
            results.unconfirmed[wanted[0]] += 1


def write_witness(path: Path, result: WalkResult) -> None:
    """The walk as a capture of raw IPv4 packets that `wirelaw judge --adapter` reads: the peer is 127.0.0.2."""
    tester, peer = (socket.inet_aton("127.0.0.1"), 40_000), (socket.inet_aton("127.0.0.2"), 50_000)
    with PcapWriter(path, LinkType.RAW) as writer:
        for number, (at, is_output, octets) in enumerate(result.trace):
            src, dst = (peer, tester) if is_output else (tester, peer)
            packet = ipv4_datagram(src, dst, octets, number & 0xFFFF)
            writer.write(at, packet)


def first_violation(result: WalkResult) -> Finding | None:
    """The finding that ends the walk."""
    return next((f for f in result.verdict.findings if f.grade is Grade.FAIL), None)
