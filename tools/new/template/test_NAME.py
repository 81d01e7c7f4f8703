"""NAME: its law is sound, its machines are fresh, its ends keep the law through loss, and a wrong end is caught."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from adapter import ANSWER, HEADER, Adapter
from runner import Client, Server
from wirelaw.oracle.adapter import judge_octets
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade
from wirelaw.spec.language.load import load
from wirelaw.tools.cli import main

HERE = Path(__file__).parent
LAW = load([HERE / "law"])
Trace = list[tuple[int, bool, bytes]]


def play(client: Client, server: Server, loss: float, seed: int) -> tuple[Trace, Trace]:
    """One question in virtual time; what each end saw."""
    chance, now = random.Random(seed), 0
    at_client: Trace = []
    at_server: Trace = []
    while client.answer is None and not client.failed:
        client.poll(now)
        for question in client.out:
            at_client.append((now, True, question))
            if chance.random() >= loss:
                at_server.append((now + 1000, False, question))
                server.input(question, now + 1000)
        client.out.clear()
        for answer in server.out:
            at_server.append((now + 1000, True, answer))
            if chance.random() >= loss:
                at_client.append((now + 2000, False, answer))
                client.input(answer, now + 2000)
        server.out.clear()
        now = max(now + 2000, client.deadline() or 0)
    return at_client, at_server


def verdict(role: str, trace: Trace) -> Grade:
    return judge_octets(compile_law(LAW.machine(f"NAME.{role}")), Adapter(), trace, Environment.exact()).grade


def test_the_law_is_sound() -> None:
    pytest.importorskip("z3", reason="pip install 'wirelaw[check]'")
    assert main(["check", str(HERE / "law")]) == 0


def test_the_machines_are_fresh() -> None:
    assert main(["generate", str(HERE / "law"), "-o", str(HERE / "generated"), "--check"]) == 0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("loss", [0.0, 0.3, 0.6])
def test_both_ends_keep_the_law_through_loss(loss: float, seed: int) -> None:
    client = Client(b"hello")
    at_client, at_server = play(client, Server(), loss, seed)
    assert client.failed or client.answer == b"HELLO"
    assert verdict("client", at_client) is Grade.PASS
    assert not at_server or verdict("server", at_server) is Grade.PASS


class WrongNumber(Server):
    def emit_answer(self, o: object) -> None:
        self.out.append(HEADER.pack(ANSWER, (o.id + 1) % 2**32) + b"HELLO")  # type: ignore[attr-defined]


class WrongText(Server):
    def emit_answer(self, o: object) -> None:
        self.out.append(HEADER.pack(ANSWER, o.id) + b"nonsense")  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [WrongNumber, WrongText])
def test_a_wrong_server_is_caught_and_its_client_is_not_blamed(wrong: type[Server]) -> None:
    at_client, at_server = play(Client(b"hello"), wrong(), 0.0, 1)
    assert verdict("server", at_server) is Grade.FAIL
    assert verdict("client", at_client) is Grade.PASS
