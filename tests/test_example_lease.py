"""The second example: a server whose leases are a family, with a timer and a debt each. Run, judged, bounded; wrong ones are caught."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.generated import lease_server
from wirelaw.impl.runtime.load import load_module
from wirelaw.oracle.adapter import judge_octets
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict
from wirelaw.oracle.examples.lease import KINDS, Adapter, Message
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools import cli
from wirelaw.tools.generate import write_all

LAW = SPEC / "examples" / "lease.law"
COMPILED = compile_law(load([LAW.parent]).machine("lease.server"))
SECOND = 1_000_000
Trace = list[tuple[int, bool, bytes]]


class Server:
    """The generated machine and what surrounds it, in virtual time; `trace` is what it took and sent."""

    def __init__(self, module: Any = lease_server) -> None:
        self.module = module
        self.trace: Trace = []
        self.now = 0
        self.machine = module.LeaseServer(self)

    def take(self, kind: str, client: int) -> None:
        self.trace.append((self.now, False, Adapter().encode(kind, Message(client))))
        self.machine.on_lease_message(getattr(self.module, kind.capitalize())(client=client), self.now)
        self.machine.pump(self.now)

    def wait(self, until: int) -> None:
        while (at := self.machine.deadline()) is not None and at <= until:
            self.now = max(self.now, at)
            self.machine.tick(self.now)
            self.machine.pump(self.now)
        self.now = until

    def _send(self, kind: str, o: Any) -> None:
        self.trace.append((self.now, True, Adapter().encode(kind, o)))

    def emit_grant(self, o: Any) -> None:
        self._send("grant", o)

    def emit_refusal(self, o: Any) -> None:
        self._send("refusal", o)

    def emit_expired(self, o: Any) -> None:
        self._send("expired", o)

    def said(self) -> Iterator[tuple[float, str, int]]:
        for at, is_output, octets in self.trace:
            if is_output:
                yield at / SECOND, KINDS[octets[0]], int.from_bytes(octets[1:], "big")


def verdict(trace: Trace) -> Verdict:
    return judge_octets(COMPILED, Adapter(), trace, Environment.exact())


def broken(folder: Path, at: str, old: str, new: str) -> Any:
    """The module made from a law in which, behind `at`, `old` reads `new`."""
    head, found, tail = LAW.read_text("utf-8").partition(at)
    assert old in tail
    (folder / "lease.law").write_text(head + found + tail.replace(old, new, 1), "utf-8")
    (folder / "lease.profile").write_text(LAW.with_suffix(".profile").read_text("utf-8"), "utf-8")
    write_all(load([folder]), folder)
    return load_module(folder / "lease_server.py")


def test_four_places_and_the_fifth_client_waits_for_one() -> None:
    server = Server()
    for client in (1, 2, 3, 4, 5):
        server.take("request", client)
    server.wait(SECOND)
    server.take("request", 1)
    server.wait(2 * SECOND)
    server.take("request", 5)
    assert list(server.said()) == [
        *((0.0, "grant", c) for c in (1, 2, 3, 4)), (0.0, "refusal", 5), (1.0, "grant", 1),
        *((2.0, "expired", c) for c in (2, 3, 4)), (2.0, "grant", 5),
    ]  # fmt: skip
    assert verdict(server.trace).grade is Grade.PASS


EVENTS = st.lists(st.tuples(st.integers(0, 3 * SECOND), st.sampled_from(KINDS), st.integers(1, 7)), max_size=40)


@given(EVENTS)
@settings(max_examples=100, deadline=None)
def test_whatever_comes_it_keeps_the_law_and_its_bounds(events: list[tuple[int, str, int]]) -> None:
    server = Server()
    for wait, kind, client in events:
        server.wait(server.now + wait)
        server.take(kind, client)
        assert server.machine.lease.count == len(server.machine.lease.by_key) <= 4
    server.wait(server.now + 4 * SECOND)
    assert len(server.machine.lease.by_key) == 0
    assert verdict(server.trace).grade is Grade.PASS


WRONG = [
    ("five places", "const places", "= 4", "= 5", [(0, "request", c) for c in range(1, 6)], "lease:1"),
    ("a renewal that does not count", "[renew]", "start term for patience; ", "", [(0, "request", 1), (SECOND, "request", 1)], "lease:2.2"),
    ("a place that stays lent", "[leave]", "=> LEFT  { stop term }", "stay", [(0, "request", 1), (SECOND, "leave", 1)], "lease:2.2"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "old", "new", "events", "clause"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_server_is_caught_under_its_clause(
    at: str, old: str, new: str, events: list[tuple[int, str, int]], clause: str, tmp_path: Path
) -> None:
    for module, grade in ((broken(tmp_path, at, old, new), Grade.FAIL), (lease_server, Grade.PASS)):
        server = Server(module)
        for moment, kind, client in events:
            server.wait(moment)
            server.take(kind, client)
        server.wait(server.now + 5 * SECOND)
        said = judge_octets(COMPILED, Adapter(), server.trace, Environment.exact())
        assert said.grade is grade, said
        if grade is Grade.FAIL:
            assert said.findings[-1].clause.startswith(clause)


# --- the page ----------------------------------------------------------------------------------------------------------

PAGE = (SPEC.parent / "docs" / "your-protocol.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


def test_the_page_shows_the_law_as_it_is() -> None:
    (shown,) = blocks("law")
    assert " ".join(shown.split()) in " ".join(LAW.read_text("utf-8").split())


def test_the_program_of_the_page_says_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (program,), (said,) = blocks("python"), blocks("text")
    exec(compile(program, "page", "exec"), {})
    assert capsys.readouterr().out == said


def test_the_commands_of_the_page_are_understood() -> None:
    (commands,) = blocks("console")
    for line in commands.splitlines():
        words = shlex.split(line.removeprefix("$ wirelaw "))
        assert cli.parser(words[0]).parse_args(words).verb == words[0]
