"""Real peers on loopback: a server's process, a connection to it, and what both sides said, for the judge."""

from __future__ import annotations

import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import make_dataclass
from typing import Any, Protocol

import pytest
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Environment, Verdict
from wirelaw.spec.language.model import Machine

PATIENCE = 30.0


def wanted(*programs: str) -> pytest.MarkDecorator:
    """Skips where a program is missing, naming it."""
    missing = [p for p in programs if shutil.which(p) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


class Server:
    """A server's process; `output` is what it printed so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""

    def say(self, line: bytes) -> None:
        """Type a line at its keyboard."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def until(self, text: bytes) -> bytes:
        """Wait until it has printed `text`; all it printed."""
        return self.match(re.escape(text)).string

    def match(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until what it has printed matches `pattern` somewhere."""
        end = time.monotonic() + PATIENCE
        stdout = self.process.stdout
        while (found := re.search(pattern, self.output)) is None:
            ready = select.select([stdout], [], [], max(0.0, end - time.monotonic()))[0]
            data = stdout.read1(65536) if ready else b""  # type: ignore[attr-defined]
            assert data, f"the server did not print {pattern!r}: {self.output.decode(errors='replace')}"
            self.output += data
        return found


@contextmanager
def serving(command: Sequence[str], channel: socket.socket | None = None) -> Iterator[Server]:
    """A server while the block runs, with its keyboard and screen or `channel` in their place; it is ended whatever happens."""
    means = {"stdin": channel or subprocess.PIPE, "stdout": channel or subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, **means | ({"stderr": subprocess.DEVNULL} if channel else {}))
    try:
        yield Server(process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Client(Protocol):
    """What the clients of this project have in common."""

    @property
    def over(self) -> bool: ...
    def receive(self, data: bytes, now: int) -> None: ...
    def take_output(self) -> bytes: ...
    def transport_ended(self, now: int) -> None: ...


class Log:
    """What a client sent and took, in order, with times; made to be judged."""

    def __init__(self, machine: Machine) -> None:
        self.start = time.monotonic()
        self.seen: list[Observed] = []
        self._frozen = {
            name: make_dataclass(name, tuple(m.fields), frozen=True, namespace={"kind": name}) for name, m in machine.messages.items()
        }

    def now(self) -> int:
        return int((time.monotonic() - self.start) * 1e6)

    def watch(self, sent: bool, message: Any) -> None:
        made = self._frozen[message.kind]
        fields = {f: getattr(message, f) for f in made.__dataclass_fields__}
        self.seen.append(Observed(message.kind, made(**fields), self.now(), len(self.seen) + 1, sent))

    def kinds(self, sent: bool) -> list[str]:
        return [o.kind for o in self.seen if o.is_output is sent]

    def verdict(self, law: CompiledLaw) -> Verdict:
        """The verdict on the client. The log has the true order, and nothing is missing from it."""
        return judge_trace(law, self.seen, Environment(lag=2_000_000, swap=0, losses=0, patience=10_000_000), known_until=self.now())

    def verdict_on_server(self, law: CompiledLaw) -> Verdict:
        """The verdict on the server, as its client saw it: what crossed on the way may stand in another order."""
        seen = [o._replace(is_output=not o.is_output) for o in self.seen if o.kind in law.machine.messages and o.kind != "eof"]
        return judge_trace(law, seen, Environment(lag=2_000_000, swap=0, losses=0, patience=10_000_000))


class Link:
    """A connection of `client`, driven by hand."""

    def __init__(self, channel: socket.socket, client: Client, now: Callable[[], int]) -> None:
        self._socket, self._client, self._now = channel, client, now
        self.flush()

    def flush(self) -> None:
        if out := self._client.take_output():
            self._socket.sendall(out)

    def until(self, done: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """Carry octets both ways until `done`, the client's end, or the peer's; whether it is done."""
        end = time.monotonic() + patience
        while not done() and not self._client.over:
            self.flush()
            if not select.select([self._socket], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                self._client.transport_ended(self._now())
                break
            self._client.receive(data, self._now())
        self.flush()
        return done()
