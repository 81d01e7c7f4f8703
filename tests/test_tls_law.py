"""The client of TLS 1.3 as law: handshakes, alerts, key updates, closure, and every message in every state."""

from __future__ import annotations

import hashlib
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import READINGS, Rig
from wirelaw.impl.externs import transcript
from wirelaw.spec.language.check import run_checks
from wirelaw.spec.language.load import SPEC, Law, load

RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").hexdigest()
SHA256_AES, SHA384_AES, CHACHA = 0x1301, 0x1302, 0x1303
X25519, P256, P384 = 29, 23, 24
PSS, ECDSA, PKCS1 = 0x0804, 0x0403, 0x0401
OFFERED = (0, 10, 13, 16, 43, 51)
ROOT = "7" * 64


@cache
def law() -> Law:
    return load([SPEC / "tls", SPEC / "profiles" / "tls.profile"])


def raw(kind: str, n: int = 0) -> bytes:
    return f"{kind}/{n};".encode()


def hello(compatible: bool = True, **changed: Any) -> SimpleNamespace:
    fields = {
        "ok": True, "aligned": True, "raw": raw("client_hello"), "extensions": OFFERED, "legacy_version": 0x0303, "random": "c" * 64,
        "session_id": "5" * 64 if compatible else "", "compression": "00", "suites": (SHA256_AES, SHA384_AES, CHACHA),
        "versions": (0x0304,), "groups": (X25519, P256, P384), "shares": (X25519, P256), "signatures": (PSS, ECDSA, PKCS1),
        "share_count": 2,
        "cookie": "", "epoch": 0, "identities": 0, "psk_suite": 0, "binders_ok": True,
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **changed})


RESUMING = {"extensions": (*OFFERED, 45, 41), "identities": 1, "psk_suite": SHA256_AES}
EARLY = {**RESUMING, "extensions": (*OFFERED, 45, 42, 41)}


def second_hello(rig: Rig, first: Any, request: Any) -> SimpleNamespace:
    changed: dict[str, Any] = {**vars_of(rig, "client_hello", first), "raw": raw("client_hello", 2)}
    changed["extensions"] = tuple(x for x in first.extensions if x != 42)
    if 51 in request.extensions:
        changed |= {"shares": (request.group,), "share_count": 1}
    if 44 in request.extensions:
        changed |= {"cookie": request.cookie, "extensions": (*first.extensions, 44)}
    return SimpleNamespace(**changed)


def vars_of(rig: Rig, kind: str, message: Any) -> dict[str, Any]:
    return {n: getattr(message, n) for n in rig.machine.messages[kind].fields}


def made(kind: str, **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(ok=True, aligned=True, raw=raw(kind, 9), extensions=None, epoch=0, **fields)


def client(
    reading: str = "interpreted", *, certified: bool = False, edition: int | None = None, offer: dict[str, Any] | None = None
) -> Rig:
    answers: dict[str, Any] = {
        "first_hello": lambda rig, compatible: hello(compatible, **(offer or {})),
        "own_eoed": lambda rig: made("end_of_early_data"),
        "early_piece": lambda rig, count: bytes(count),
        "second_hello": second_hello,
        "has_certificate": lambda rig, request: certified,
        "own_certificate": lambda rig, request: made(
            "certificate", context=request.context, count=2, chain=None, entry_extensions=(), path="trusted"
        ),
        "no_certificate": lambda rig, request: made(
            "certificate", context=request.context, count=0, chain=None, entry_extensions=(), path="trusted"
        ),
        "own_signature": lambda rig, request, tr: made("certificate_verify", algorithm=PSS, signature=None, fits_key=True, signed=True),
        "own_finished": lambda rig, tr: made("finished", verify_data=None, verified=True),
        "piece": lambda rig, count: bytes(count),
    }
    facts = {"epoch": lambda rig: rig["rd"]}
    rig = Rig(law(), "tls13.client", answers, facts, reading, edition)
    rig.pump()
    return rig


# What an honest server says, in the order it may say it.
SERVER_HELLO: dict[str, Any] = {
    "raw": raw("server_hello"), "extensions": (43, 51), "legacy_version": 0x0303, "random": "d" * 64, "downgrade": "d" * 16,
    "session_id": "5" * 64, "suite": SHA256_AES, "version": 0x0304, "group": X25519, "share_ok": True, "aligned": True,
}  # fmt: skip
RETRY_REQUEST = SERVER_HELLO | {"raw": raw("hrr"), "random": RETRY_RANDOM, "group": P384, "aligned": False, "downgrade": RETRY_RANDOM[-16:]}
SAYS: dict[str, dict[str, Any]] = {
    "server_hello": SERVER_HELLO,
    "encrypted_extensions": {"raw": raw("ee"), "extensions": (0, 10, 16)},
    "certificate_request": {"raw": raw("cr"), "extensions": (13, 47, 0xFAFA), "signatures": (PSS, ECDSA)},
    "certificate": {"raw": raw("cert"), "count": 2, "path": "trusted", "entry_extensions": ()},
    "certificate_verify": {"raw": raw("cv"), "algorithm": PSS, "fits_key": True, "signed": True},
    "finished": {"raw": raw("fin"), "verified": True},
    "new_session_ticket": {"raw": raw("nst"), "lifetime": 7200},
    "key_update": {"raw": raw("ku"), "request": 0},
}
HANDSHAKE = ("server_hello", "encrypted_extensions", "certificate", "certificate_verify", "finished")
ASKING = (*HANDSHAKE[:2], "certificate_request", *HANDSHAKE[2:])


def walk(rig: Rig, kinds: tuple[str, ...]) -> Rig:
    for kind in kinds:
        rig.receive(kind, **SAYS[kind])
    return rig


def connected(reading: str = "interpreted") -> Rig:
    rig = walk(client(reading), HANDSHAKE)
    assert rig["hs"] == "CONNECTED"
    rig.sent.clear()
    return rig


def reach(state: str) -> Rig:
    """The shortest way to a state in which the client waits."""
    waits = ["WAIT_SH", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CV", "WAIT_FINISHED", "CONNECTED"]
    if state == "RETRIED":
        rig = client()
        rig.receive("server_hello", **RETRY_REQUEST)
        return rig
    if state in ("RESUMING", "NOT RESUMED"):
        rig = client(offer=EARLY)
        if state == "NOT RESUMED":
            rig.receive("server_hello", **SERVER_HELLO)
        return rig
    if state == "WAIT_CERT":
        return walk(client(), ASKING[:3])
    if state == "CLOSED":
        rig = connected()
        rig.call("close")
        rig.receive("alert", desc="close_notify", level="warning")
        return rig
    if state == "FAILED":
        rig = connected()
        rig.receive("sealed")
        return rig
    return walk(client(), HANDSHAKE[: waits.index(state)])


# --- handshakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("suite", [SHA256_AES, SHA384_AES])
def test_full_handshake(reading: str, suite: int) -> None:
    rig = client(reading)
    assert rig.kinds() == ["client_hello"]
    rig.receive("ccs", epoch=0)
    rig.receive("server_hello", **SERVER_HELLO | {"suite": suite})
    assert (rig["rd"], rig["wr"], rig["hs"]) == (2, 2, "WAIT_EE")
    walk(rig, HANDSHAKE[1:])
    assert [(o.kind, o.epoch) for o in rig.sent] == [("client_hello", 0), ("ccs", 0), ("finished", 2)]
    assert (rig["rd"], rig["wr"], rig["hs"]) == (3, 3, "CONNECTED")
    assert ("established", ()) in rig.told
    said = b"".join([raw("client_hello"), raw("server_hello"), raw("ee"), raw("cert"), raw("cv"), raw("fin"), raw("finished", 9)])
    algorithm = {SHA256_AES: "sha256", SHA384_AES: "sha384"}[suite]
    assert rig["tr_client"].digest == hashlib.new(algorithm, said).digest()
    assert rig["tr_server"].digest == hashlib.new(algorithm, said[: -len(raw("finished", 9))]).digest()
    assert rig["tr_hello"].digest == hashlib.new(algorithm, raw("client_hello") + raw("server_hello")).digest()


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("cookie", [False, True])
def test_handshake_after_a_retry_request(reading: str, cookie: bool) -> None:
    rig = client(reading)
    request = RETRY_REQUEST | ({"extensions": (43, 44, 51), "cookie": "c00c1e"} if cookie else {})
    sent = rig.receive("server_hello", **request)
    assert [o.kind for o in sent] == ["ccs", "client_hello"]
    assert (sent[1].shares, sent[1].random, sent[1].cookie) == ((P384,), "c" * 64, "c00c1e" if cookie else "")
    rig.receive("server_hello", **SERVER_HELLO | {"group": P384})
    assert rig["hs"] == "WAIT_EE"
    first = hashlib.sha256(raw("client_hello")).digest()
    said = bytes([254, 0, 0, 32]) + first + raw("hrr") + raw("client_hello", 2) + raw("server_hello")
    assert rig["tr_hello"].digest == hashlib.sha256(said).digest()
    walk(rig, HANDSHAKE[1:])
    assert rig["hs"] == "CONNECTED"
    assert rig.kinds() == ["client_hello", "ccs", "client_hello", "finished"]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("certified", [False, True])
def test_certificate_request_is_answered(reading: str, certified: bool) -> None:
    rig = client(reading, certified=certified)
    walk(rig, ASKING)
    flight = ["certificate", "certificate_verify", "finished"] if certified else ["certificate", "finished"]
    assert rig.kinds() == ["client_hello", "ccs", *flight]
    assert rig.sent[2].count == (2 if certified else 0)
    assert {o.epoch for o in rig.sent[2:]} == {2}
    assert rig["hs"] == "CONNECTED"


# --- resumption and early data --------------------------------------------------------------------------------------------

PSK_HELLO = SERVER_HELLO | {"extensions": (43, 51, 41), "selected": 0}


@pytest.mark.parametrize("reading", READINGS)
def test_resumption_needs_no_certificate(reading: str) -> None:
    rig = client(reading, offer=RESUMING)
    rig.receive("server_hello", **PSK_HELLO)
    rig.receive("encrypted_extensions", **SAYS["encrypted_extensions"])
    assert rig["hs"] == "WAIT_FINISHED"
    walk(rig, ("finished",))
    assert (rig["hs"], rig.kinds()) == ("CONNECTED", ["client_hello", "ccs", "finished"])


@pytest.mark.parametrize("reading", READINGS)
def test_server_that_takes_no_ticket_shows_its_certificate(reading: str) -> None:
    rig = walk(client(reading, offer=RESUMING), HANDSHAKE)
    assert (rig["hs"], rig["psk"]) == ("CONNECTED", False)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("taken", [False, True])
def test_early_data(reading: str, taken: bool) -> None:
    rig = client(reading, offer=EARLY)
    assert [(o.kind, o.epoch) for o in rig.call("write_early", 20_000)] == [("app", 1), ("app", 1)]
    rig.receive("server_hello", **PSK_HELLO)
    rig.receive("encrypted_extensions", raw=raw("ee"), extensions=(0, 42) if taken else (0,))
    walk(rig, ("finished",))
    end = [("end_of_early_data", 1)] if taken else []
    assert [(o.kind, o.epoch) for o in rig.sent[4:]] == [*end, ("finished", 2)]
    assert [(o.kind, o.epoch) for o in rig.sent[:2]] == [("client_hello", 0), ("ccs", 0)]
    assert (rig["hs"], rig["wr"]) == ("CONNECTED", 3)


def test_retry_request_refuses_early_data() -> None:
    rig = client(offer=EARLY)
    rig.call("write_early", 100)
    sent = rig.receive("server_hello", **RETRY_REQUEST)
    assert [(o.kind, o.epoch) for o in sent] == [("client_hello", 0)]
    assert 42 not in sent[0].extensions
    assert rig.call("write_early", 100) == []


# --- what ends a handshake, and with which alert -------------------------------------------------------------------------

BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("WAIT_SH", "server_hello", {"ok": False}, "decode_error"),
    ("WAIT_SH", "server_hello", {"aligned": False}, "unexpected_message"),
    ("WAIT_SH", "server_hello", {"extensions": (43, 51, 43)}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"legacy_version": 0x0304}, "protocol_version"),
    ("WAIT_SH", "server_hello", {"extensions": (51,), "version": 0}, "protocol_version"),
    ("WAIT_SH", "server_hello", {"extensions": (), "version": 0, "downgrade": "444f574e47524401"}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"version": 0x0303}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"session_id": ""}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"suite": 0x1304}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"compression": 1}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"extensions": (43, 51, 41)}, "unsupported_extension"),
    ("WAIT_SH", "server_hello", {"extensions": (43, 51, 16)}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"extensions": (43,)}, "missing_extension"),
    ("WAIT_SH", "server_hello", {"group": P384}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", {"share_ok": False}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"group": X25519}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"group": 25}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"extensions": (43,)}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"extensions": (51,)}, "missing_extension"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"extensions": (43, 51, 41)}, "unsupported_extension"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"extensions": (43, 51, 16)}, "illegal_parameter"),
    ("WAIT_SH", "server_hello", RETRY_REQUEST | {"suite": 0x1304}, "illegal_parameter"),
    ("RETRIED", "server_hello", RETRY_REQUEST, "unexpected_message"),
    ("RETRIED", "server_hello", {"group": P384, "suite": SHA384_AES}, "illegal_parameter"),
    ("RETRIED", "server_hello", {"group": X25519}, "illegal_parameter"),
    ("RESUMING", "server_hello", {"extensions": (43, 51, 41), "selected": 1}, "illegal_parameter"),
    ("RESUMING", "server_hello", {"extensions": (43, 51, 41), "suite": SHA384_AES}, "illegal_parameter"),
    ("NOT RESUMED", "encrypted_extensions", {"extensions": (42,)}, "illegal_parameter"),
    ("WAIT_EE", "encrypted_extensions", {"extensions": (0, 99)}, "unsupported_extension"),
    ("WAIT_EE", "encrypted_extensions", {"extensions": (51,)}, "illegal_parameter"),
    ("WAIT_CERT_CR", "certificate_request", {"context": "01"}, "illegal_parameter"),
    ("WAIT_CERT_CR", "certificate_request", {"extensions": (47,)}, "missing_extension"),
    ("WAIT_CERT", "certificate_request", {}, "unexpected_message"),
    ("WAIT_CERT", "certificate", {"context": "01"}, "illegal_parameter"),
    ("WAIT_CERT_CR", "certificate", {"count": 0}, "decode_error"),
    ("WAIT_CERT_CR", "certificate", {"entry_extensions": (5,)}, "unsupported_extension"),
    ("WAIT_CERT_CR", "certificate", {"path": "expired"}, "certificate_expired"),
    ("WAIT_CERT_CR", "certificate", {"path": "unanchored"}, "unknown_ca"),
    ("WAIT_CERT_CR", "certificate", {"path": "corrupt"}, "bad_certificate"),
    ("WAIT_CV", "certificate_verify", {"algorithm": PKCS1}, "illegal_parameter"),
    ("WAIT_CV", "certificate_verify", {"algorithm": 0x0807}, "illegal_parameter"),
    ("WAIT_CV", "certificate_verify", {"fits_key": False}, "illegal_parameter"),
    ("WAIT_CV", "certificate_verify", {"signed": False}, "decrypt_error"),
    ("WAIT_FINISHED", "finished", {"verified": False}, "decrypt_error"),
    ("WAIT_FINISHED", "finished", {"aligned": False}, "unexpected_message"),
    ("WAIT_FINISHED", "key_update", {}, "unexpected_message"),
    ("WAIT_FINISHED", "app", {}, "unexpected_message"),
    ("WAIT_EE", "encrypted_extensions", {"epoch": 0}, "unexpected_message"),
    ("WAIT_SH", "server_hello", {"epoch": 2}, "unexpected_message"),
    ("WAIT_EE", "sealed", {}, "bad_record_mac"),
    ("WAIT_SH", "sealed", {}, "unexpected_message"),
    ("WAIT_EE", "overflow", {}, "record_overflow"),
    ("WAIT_EE", "empty", {}, "unexpected_message"),
    ("WAIT_EE", "foreign", {}, "unexpected_message"),
    ("WAIT_EE", "interleaved", {}, "unexpected_message"),
    ("WAIT_EE", "ccs", {"epoch": 2}, "unexpected_message"),
    ("WAIT_EE", "ccs", {"epoch": 0, "ok": False}, "unexpected_message"),
    ("WAIT_EE", "alert", {"ok": False}, "decode_error"),
    ("CONNECTED", "ccs", {"epoch": 0}, "unexpected_message"),
    ("CONNECTED", "key_update", {"request": 2}, "illegal_parameter"),
    ("CONNECTED", "key_update", {"epoch": 4}, "bad_record_mac"),
    ("CONNECTED", "key_update", {"aligned": False}, "unexpected_message"),
    ("CONNECTED", "certificate_request", {}, "unexpected_message"),
    ("CONNECTED", "end_of_early_data", {}, "unexpected_message"),
    ("CONNECTED", "unknown_handshake", {}, "unexpected_message"),
    ("CONNECTED", "server_hello", {}, "unexpected_message"),
]


@pytest.mark.parametrize(("state", "kind", "changed", "alert"), BAD)
def test_fault_ends_the_connection_with_its_alert(state: str, kind: str, changed: dict[str, Any], alert: str) -> None:
    rig = reach(state)
    keys = rig["wr"]
    sent = rig.receive(kind, **SAYS.get(kind, {}) | changed)
    assert [(o.kind, o.desc, o.level, o.epoch) for o in sent] == [("alert", alert, "fatal", keys)]
    assert rig["hs"] == "FAILED"
    rig.call("write", 5)
    rig.call("close")
    assert rig.receive("app") == []
    assert rig.sent[-1].kind == "alert"


def test_each_abort_row_has_a_fault_of_its_own() -> None:
    """Every row of the law that aborts is taken by some case above."""
    taken: set[str] = set()
    for state, kind, changed, _ in BAD:
        rig = reach(state)
        rig.receive(kind, **SAYS.get(kind, {}) | changed)
        taken |= set(rig.rows)
    for path in ("unfit", "revoked", "unacceptable"):
        rig = reach("WAIT_CERT_CR")
        rig.receive("certificate", **SAYS["certificate"] | {"path": path})
        taken |= set(rig.rows)
    machine = law().machine("tls13.client")
    aborts = {r.id for t in machine.tables.values() for r in t.rows if r.ending.kind == "abort" and 8446 not in r.editions}
    assert aborts - taken == {"sh.other.version"}  # only TLS 1.3 is offered: no other version can follow a retry request


@pytest.mark.parametrize(
    ("version", "edition", "refused"), [(0x0300, 8446, True), (0x0300, 9846, True), (0x0304, 8446, False), (0x0304, 9846, True)]
)
def test_editions_differ_in_the_legacy_version(version: int, edition: int, refused: bool) -> None:
    rig = client(edition=edition)
    sent = rig.receive("server_hello", **SERVER_HELLO | {"legacy_version": version})
    assert [o.desc for o in sent if o.kind == "alert"] == ["protocol_version"] * refused
    assert rig["hs"] == ("FAILED" if refused else "WAIT_EE")


# --- keys, data, closure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_key_update_is_answered_before_the_next_data(reading: str) -> None:
    rig = connected(reading)
    sent = rig.receive("key_update", **SAYS["key_update"] | {"request": 1})
    assert [(o.kind, o.request, o.epoch) for o in sent] == [("key_update", 0, 3)]
    assert (rig["rd"], rig["wr"]) == (4, 4)
    assert [(o.kind, o.len, o.epoch) for o in rig.call("write", 20000)] == [("app", 16384, 4), ("app", 3616, 4)]
    assert rig.receive("app", content=b"x", epoch=4) == []
    assert rig.told[-1] == ("received", (b"x",))


@pytest.mark.parametrize("reading", READINGS)
def test_own_key_update_asks_once_until_answered(reading: str) -> None:
    rig = connected(reading)
    assert [(o.kind, o.request, o.epoch) for o in rig.call("rekey")] == [("key_update", 1, 3)]
    assert rig.call("rekey") == []
    assert [(o.request, o.epoch) for o in rig.receive("key_update", **SAYS["key_update"])] == [(1, 4)]
    assert (rig["rd"], rig["wr"]) == (4, 5)


def test_keys_are_renewed_before_their_limit() -> None:
    rig = connected()
    rig.put("sent_records", 16777216 - 1)
    assert [o.kind for o in rig.call("write", 2 * 16384)] == ["app", "key_update", "app"]
    assert rig["sent_records"] == 1
    rig.put("sent_records", 16777216)
    assert [(o.kind, o.request) for o in rig.pump()] == [("key_update", 0)]


@pytest.mark.parametrize("reading", READINGS)
def test_each_side_closes_its_own_direction(reading: str) -> None:
    rig = connected(reading)
    rig.receive("alert", desc="close_notify", level="warning")
    assert (rig["hs"], rig.told[-1]) == ("CONNECTED", ("ended", ()))
    assert rig.receive("app") == []
    assert rig.receive("sealed") == []
    assert [o.kind for o in rig.call("write", 3)] == ["app"]
    assert [(o.desc, o.level) for o in rig.call("close")] == [("close_notify", "warning")]
    assert rig["hs"] == "CLOSED"
    assert rig.call("write", 3) == []


def test_end_of_transport_without_close_notify_is_truncation() -> None:
    rig = connected()
    rig.receive("eof")
    assert (rig["hs"], rig.told[-1][0]) == ("FAILED", "truncated")


@pytest.mark.parametrize("level", ["warning", "fatal"])
def test_error_alert_ends_the_connection_whatever_its_level(level: str) -> None:
    rig = connected()
    assert rig.receive("alert", desc="unknown_alert", level=level) == []
    assert (rig["hs"], rig.told[-1]) == ("FAILED", ("failed", ("unknown_alert",)))


def test_user_canceled_waits_for_close_notify() -> None:
    rig = client()
    rig.receive("alert", desc="user_canceled", level="warning")
    assert rig["hs"] == "WAIT_SH"


def test_ticket_is_handed_over_unless_it_outlives_a_week() -> None:
    rig = connected()
    rig.receive("new_session_ticket", **SAYS["new_session_ticket"])
    assert rig.told[-1][0] == "ticket"
    before = len(rig.told)
    rig.receive("new_session_ticket", **SAYS["new_session_ticket"] | {"lifetime": 604801})
    assert (rig["hs"], len(rig.told)) == ("CONNECTED", before)


@pytest.mark.parametrize("state", ["WAIT_SH", "WAIT_EE", "WAIT_CERT", "WAIT_FINISHED"])
def test_closing_in_the_handshake_says_so(state: str) -> None:
    rig = reach(state)
    assert [(o.kind, o.desc) for o in rig.call("close")] == [("alert", "close_notify")]
    assert rig["hs"] == "CLOSED"


# --- every message in every state -----------------------------------------------------------------------------------------

STATES = ("WAIT_SH", "RETRIED", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED", "FAILED", "CLOSED")
KINDS = sorted(m.name for m in law().machine("tls13.client").messages.values() if m.is_kind)
DUE = {
    "WAIT_SH": {"server_hello"}, "RETRIED": {"server_hello"}, "WAIT_EE": {"encrypted_extensions"},
    "WAIT_CERT_CR": {"certificate_request", "certificate"}, "WAIT_CERT": {"certificate"}, "WAIT_CV": {"certificate_verify"},
    "WAIT_FINISHED": {"finished"}, "CONNECTED": {"new_session_ticket", "key_update"}, "FAILED": set(), "CLOSED": set(),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_every_message_in_every_state(state: str) -> None:
    """A message that is not due ends the connection; after the end nothing is answered."""
    machine = law().machine("tls13.client")
    for kind in KINDS:
        rig = reach(state)
        before = rig["hs"]
        sent = rig.receive(kind, **SAYS.get(kind, {}))
        if state in ("FAILED", "CLOSED"):
            assert (sent, rig["hs"]) == ([], before), kind
        elif "handshake" in machine.messages[kind].lineage and kind not in DUE[state]:
            assert [o.desc for o in sent] == ["unexpected_message"], kind
        elif kind in DUE[state] and state != "RETRIED":
            assert rig["hs"] != "FAILED", kind


EXTENSIONS = st.none() | st.lists(st.sampled_from((0, 5, 10, 13, 16, 41, 43, 44, 47, 51, 99)), max_size=4).map(tuple)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "epoch": st.sampled_from((0, 2, 3, 4)), "ok": st.booleans(), "aligned": st.booleans(), "extensions": EXTENSIONS,
    "legacy_version": st.sampled_from((0x0300, 0x0303, 0x0304)), "random": st.sampled_from(("d" * 64, RETRY_RANDOM)),
    "session_id": st.sampled_from(("", "5" * 64)), "downgrade": st.sampled_from(("0" * 16, "444f574e47524401", "444f574e47524400")),
    "suite": st.sampled_from((SHA256_AES, SHA384_AES, 0x1304, 0)), "compression": st.sampled_from((0, 1)),
    "version": st.sampled_from((0, 0x0303, 0x0304)), "group": st.sampled_from((0, X25519, P256, P384, 25)), "share_ok": st.booleans(),
    "context": st.sampled_from(("", "01")), "count": st.sampled_from((0, 1)), "entry_extensions": EXTENSIONS,
    "path": st.sampled_from(("trusted", "corrupt", "unfit", "revoked", "expired", "unacceptable", "unanchored")),
    "algorithm": st.sampled_from((PSS, PKCS1, 0)), "fits_key": st.booleans(), "signed": st.booleans(), "verified": st.booleans(),
    "lifetime": st.sampled_from((0, 604800, 604801)), "request": st.sampled_from((0, 1, 2, 255)),
    "desc": st.sampled_from(("close_notify", "user_canceled", "handshake_failure", "unknown_alert")),
    "level": st.sampled_from(("warning", "fatal")), "raw": st.just(b"m"),
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(state=st.sampled_from(STATES), data=st.data(), edition=st.sampled_from((8446, 9846)))
def test_any_messages_meet_exactly_one_row_in_each_table(state: str, data: st.DataObject, edition: int) -> None:
    """The interpreter raises where no row or several are enabled; whatever happens, nothing is sent after the end."""
    rig = reach(state)
    rig.it.edition = edition
    known = rig.machine.messages
    for _ in range(4):
        kind = data.draw(st.sampled_from(KINDS))
        fields = {n: data.draw(FIELDS[n]) for n in known[kind].fields if n in FIELDS and data.draw(st.booleans())}
        over = rig["hs"] in ("FAILED", "CLOSED")
        sent = rig.receive(kind, **SAYS.get(kind, {}) | fields)
        assert not (over and sent)
        assert (rig["hs"] == "CONNECTED") <= (rig["own_fin"] and rig["peer_fin"])


# --- the table itself --------------------------------------------------------------------------------------------------


def test_table_passes_every_check() -> None:
    report = run_checks(law())
    assert [str(d) for d in report.diagnostics if d.severity == "error"] == []
    assert report.undecided == ()


def test_every_row_cites_a_clause() -> None:
    assert [r.id for r in law().machine("tls13.client").rows() if not r.citations] == []


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(0, 6), st.sampled_from((SHA256_AES, SHA384_AES)))
def test_transcript_is_the_hash_of_what_was_absorbed(messages: list[bytes], at: int, suite: int) -> None:
    tr = None
    for i, message in enumerate(messages):
        tr = transcript.absorb(transcript.keyed(tr, suite) if i == at else tr, message)
    whole = b"".join(messages)
    assert transcript.keyed(tr, suite).digest == hashlib.new(transcript.HASH_OF[suite], whole).digest()
    assert transcript.absorb(tr, b"a") != transcript.absorb(tr, b"b")


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9), unique=True))
def test_questions_about_lists(some: list[int], others: list[int]) -> None:
    assert transcript.distinct(some) == (len(set(some)) == len(some))
    assert transcript.subset(some, others) == all(x in others for x in some)
    assert transcript.in_order(some, others) == (
        some == sorted(set(some), key=lambda x: others.index(x) if x in others else -1) and set(some) <= set(others)
    )
    assert transcript.without(others, 3) == tuple(x for x in others if x != 3)
