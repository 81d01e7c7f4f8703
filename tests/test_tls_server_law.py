"""The server of TLS 1.3 as law: handshakes with the client's law, what ends one, every message in every state."""

from __future__ import annotations

from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from rig import READINGS, Rig
from test_tls_law import CHACHA, P256, P384, PKCS1, PSS, RETRY_RANDOM, SHA256_AES, SHA384_AES, X25519, client, hello, law, raw
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Grade

SESSION = "5" * 64


def made(kind: str, **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"ok": True, "aligned": True, "raw": raw(kind, 5), "extensions": (), "epoch": 0, **fields})


def server_hello(ch: Any, group: int, random: str = "d" * 64, **changed: Any) -> SimpleNamespace:
    fields = {
        "extensions": (43, 51), "legacy_version": 0x0303, "random": random, "downgrade": random[-16:], "session_id": ch.session_id,
        "suite": SHA256_AES, "compression": 0, "version": 0x0304, "group": group, "cookie": "", "share": None, "share_ok": True,
        "selected": 0,
    }  # fmt: skip
    return made("server_hello", **{**fields, **changed})


def server(
    reading: str = "interpreted", *, group: int = X25519, suites: tuple[int, ...] = (SHA256_AES,), edition: int | None = None
) -> Rig:
    answers: dict[str, Any] = {
        "can_agree": lambda rig, ch: group in ch.groups and bool(set(suites) & set(ch.suites)),
        "can_share": lambda rig, ch: group in ch.shares,
        "own_hello": lambda rig, ch: server_hello(ch, group),
        "own_retry": lambda rig, ch: server_hello(ch, group, RETRY_RANDOM),
        "own_extensions": lambda rig, ch: made("ee", extensions=(0, 10)),
        "own_request": lambda rig: made("cr", context="", extensions=(13,), signatures=(PSS,)),
        "own_certificate": lambda rig: made("certificate", context="", count=2, chain=None, entry_extensions=(), path="trusted"),
        "own_signature": lambda rig, tr: made("certificate_verify", algorithm=PSS, signature=None, fits_key=True, signed=True),
        "own_finished": lambda rig, tr: made("finished", verify_data=None, verified=True),
        "own_ticket": lambda rig: made("ticket", lifetime=7200, age_add=0, early_limit=0, nonce=None, ticket=None),
        "piece": lambda rig, count: bytes(count),
    }
    return Rig(law(), "tls13.server", answers, {"epoch": lambda rig: rig["rd"]}, reading, edition)


def deliver(source: Rig, target: Rig, seen: int) -> int:
    """What `source` has sent since `seen`, to `target`."""
    for o in source.sent[seen:]:
        fields = {n: v for n, v in vars(o).items() if n in target.machine.messages[o.kind].fields}
        target.receive(o.kind, **fields)
    return len(source.sent)


def settle(one: Rig, other: Rig) -> None:
    seen = [0, 0]
    while seen != [len(one.sent), len(other.sent)]:
        seen[0] = deliver(one, other, seen[0])
        seen[1] = deliver(other, one, seen[1])


FLIGHT = ["server_hello", "ccs", "encrypted_extensions", "certificate", "certificate_verify", "finished"]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("group", [X25519, P384])
def test_client_and_server_complete_a_handshake(reading: str, group: int) -> None:
    ours, theirs = client(reading), server(reading, group=group)
    settle(ours, theirs)
    assert (ours["hs"], theirs["hs"]) == ("CONNECTED", "CONNECTED")
    retried = ["server_hello", "ccs", "server_hello", *FLIGHT[2:]] if group == P384 else FLIGHT
    assert theirs.kinds() == [*retried, "new_session_ticket", "new_session_ticket"]
    assert ours["tr_client"].digest == theirs["tr_client"].digest != b""
    assert ours["tr_server"].digest == theirs["tr_server"].digest
    assert ours["tr_hello"].digest == theirs["tr_hello"].digest


@pytest.mark.parametrize("reading", READINGS)
def test_both_sides_update_their_keys_and_close(reading: str) -> None:
    ours, theirs = client(reading), server(reading)
    settle(ours, theirs)
    seen = [len(ours.sent), len(theirs.sent)]
    theirs.call("rekey")
    seen[1] = deliver(theirs, ours, seen[1])
    seen[0] = deliver(ours, theirs, seen[0])
    assert (ours["rd"], ours["wr"], theirs["rd"], theirs["wr"]) == (4, 4, 4, 4)
    theirs.call("close")
    deliver(theirs, ours, seen[1])
    ours.call("close")
    deliver(ours, theirs, seen[0])
    assert (ours["hs"], theirs["hs"]) == ("CLOSED", "CLOSED")


def reach(state: str, edition: int | None = None) -> Rig:
    """The shortest way to a state in which the server waits."""
    if state == "WAIT_CH2":
        rig = server(group=P384, edition=edition)
        rig.receive("client_hello", **vars(hello()))
        return rig
    rig = server(edition=edition)
    if state == "START":
        return rig
    rig.receive("client_hello", **vars(hello()))
    if state == "CONNECTED":
        rig.receive("finished", raw=raw("fin"), verified=True)
    if state in ("WAIT_CERT", "WAIT_CV"):  # where the flight has ended with a request for a certificate
        rig.put("cr", made("cr", context="", signatures=(PSS,)))
        rig.put("hs", state)
    assert rig["hs"] == state, rig["hs"]
    return rig


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("START", "client_hello", {"aligned": False}, "unexpected_message"),
    ("START", "client_hello", {"legacy_version": 0x0304}, "protocol_version"),
    ("START", "client_hello", {"versions": (0x0303,)}, "protocol_version"),
    ("START", "client_hello", {"compression": "0001"}, "illegal_parameter"),
    ("START", "client_hello", {"extensions": (0, 43, 51, 13)}, "missing_extension"),
    ("START", "client_hello", {"extensions": (0, 43, 51, 10)}, "missing_extension"),
    ("START", "client_hello", {"extensions": (0, 10, 41, 13, 43, 51)}, "illegal_parameter"),
    ("START", "client_hello", {"shares": (P256, X25519)}, "illegal_parameter"),
    ("START", "client_hello", {"extensions": (0, 10, 13, 43, 51, 43)}, "illegal_parameter"),
    ("START", "client_hello", {"groups": (P256,), "shares": (P256,)}, "handshake_failure"),
    ("START", "client_hello", {"suites": (CHACHA, SHA384_AES)}, "handshake_failure"),
    ("START", "client_hello", {"ok": False}, "decode_error"),
    ("START", "finished", {"verified": True}, "unexpected_message"),
    ("START", "app", {}, "unexpected_message"),
    ("WAIT_CH2", "client_hello", {}, "illegal_parameter"),
    ("WAIT_CH2", "client_hello", {"shares": (P384,), "share_count": 1, "random": "e" * 64}, "illegal_parameter"),
    ("WAIT_CERT", "certificate", {"context": "01", "path": "trusted", "count": 1}, "illegal_parameter"),
    ("WAIT_CERT", "certificate", {"context": "", "path": "expired", "count": 1}, "unknown_ca"),
    ("WAIT_CV", "certificate_verify", {"algorithm": PKCS1, "fits_key": True, "signed": True}, "illegal_parameter"),
    ("WAIT_CV", "certificate_verify", {"algorithm": PSS, "fits_key": True, "signed": False}, "decrypt_error"),
    ("WAIT_FINISHED", "finished", {"verified": False}, "decrypt_error"),
    ("WAIT_FINISHED", "finished", {"verified": True, "aligned": False}, "unexpected_message"),
    ("WAIT_FINISHED", "end_of_early_data", {}, "unexpected_message"),
    ("WAIT_FINISHED", "sealed", {}, "bad_record_mac"),
    ("CONNECTED", "client_hello", {}, "unexpected_message"),
    ("CONNECTED", "certificate", {}, "unexpected_message"),
]


@pytest.mark.parametrize(("state", "kind", "changed", "alert"), BAD)
def test_what_ends_a_handshake(state: str, kind: str, changed: dict[str, Any], alert: str) -> None:
    rig = reach(state)
    base = {**vars(hello()), "epoch": rig["rd"]} if kind == "client_hello" else {}
    sent = rig.receive(kind, **{**base, **changed})
    assert [(o.kind, o.desc, o.level) for o in sent] == [("alert", alert, "fatal")]
    assert rig["hs"] == "FAILED"


def test_certificate_that_nobody_has_is_no_failure() -> None:
    rig = reach("WAIT_CERT")
    assert rig.receive("certificate", raw=raw("none"), context="", count=0) == []
    assert rig["hs"] == "WAIT_FINISHED"


def test_edition_8446_does_not_look_at_the_old_version_field() -> None:
    rig = server(edition=8446)
    rig.receive("client_hello", **vars(hello(legacy_version=0x0304)))
    assert rig["hs"] == "WAIT_FINISHED"
    rig = server(edition=8446)
    assert [o.desc for o in rig.receive("client_hello", **vars(hello(legacy_version=0x0300)))] == ["protocol_version"]


@pytest.mark.parametrize("state", ["START", "WAIT_CH2", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"])
def test_every_message_in_every_state(state: str) -> None:
    """One row in each table, or the interpreter raises; what is not due ends the connection with one alert."""
    for kind in (m.name for m in law().machine("tls13.server").messages.values() if m.is_kind):
        rig = reach(state)
        sent = rig.receive(kind, **({"raw": raw(kind)} if "raw" in rig.machine.messages[kind].fields else {}))
        assert [o.kind for o in sent if o.kind == "alert"] in ([], ["alert"]), kind
        assert rig["hs"] not in ("NEGOTIATE", "SEND_EE", "SEND_CR", "SEND_CERT", "SEND_CV", "SEND_FINISHED"), kind


def test_answer_before_any_question_is_a_finding_and_no_crash() -> None:
    """What is compared with a message that has not come does not hold, and can be told."""
    machine = law().machine("tls13.server")
    fields = vars(server_hello(hello(), X25519))
    judge = Judge(compile_law(machine, 9846))
    judge.output("server_hello", make_dataclass("ServerHello", fields, frozen=True)(**fields), 1000, 1)
    verdict = judge.finish(2_000_000)
    assert verdict.grade is Grade.FAIL
    said = "\n".join(render(f, {}) for f in verdict.findings)
    assert "[sh] NEGOTIATE" in said
    assert "the state is START" in said
