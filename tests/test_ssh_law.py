"""The SSH transport as law: key exchange, rekeys at every moment, strict mode, services, login, channels, every message in every state."""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import READINGS, Rig
from wirelaw.impl.externs.negotiation import agreed, head
from wirelaw.spec.language.check import run_checks
from wirelaw.spec.language.load import SPEC, Law, load

STRICT = {"client": "kex-strict-c-v00@openssh.com", "server": "kex-strict-s-v00@openssh.com"}
EXT = {"client": "ext-info-c", "server": "ext-info-s"}
OTHER = {"client": "server", "server": "client"}
CURVE = "curve25519-sha256"
FRAME: dict[str, Any] = {"length": 28, "framed": 32, "block": 8, "padding": 10, "mac_ok": True}
ROLES = ("client", "server")


@cache
def law() -> Law:
    return load([SPEC / "ssh", SPEC / "profiles" / "ssh.profile"])


def offer(role: str, first: bool = True, strict: bool = True, ext: bool = True, **changed: Any) -> dict[str, Any]:
    markers = ((EXT[role],) if ext else ()) + ((STRICT[role],) if strict else ())
    fields = {
        "ok": True, "raw": f"{role} kexinit".encode(), "kex": (CURVE, *(markers if first else ())), "host_keys": ("ssh-ed25519",
        "rsa-sha2-512"),
        "enc_cs": ("chacha20-poly1305@openssh.com", "aes256-ctr"), "enc_sc": ("aes256-ctr",), "mac_cs": ("hmac-sha2-256",),
        "mac_sc": ("hmac-sha2-256",),
        "comp_cs": ("none",), "comp_sc": ("none",), "lang_cs": (), "lang_sc": (), "follows": False, "reserved": 0,
    }  # fmt: skip
    return {**fields, **changed}


def make(role: str, reading: str = "interpreted", *, strict: bool = True, ext: bool = True) -> Rig:
    """A machine of `role` after its own first words: identification and KEXINIT."""

    def said(rig: Rig, **fields: Any) -> SimpleNamespace:
        return SimpleNamespace(**{"number": rig["tx_number"], **FRAME, "ok": True, "raw": None, **fields})

    answers: dict[str, Any] = {
        "own_identification": lambda rig: SimpleNamespace(version="2.0", length=20, raw=role.encode()),
        "own_offer": lambda rig, first: said(rig, **offer(role, first, strict, ext)),
        "own_extensions": said,
        "own_ecdh_init": said,
        "own_ecdh_reply": lambda rig: said(
            rig, algorithm="ssh-ed25519", secret_ok=True, trusted=True, signed=True, hash=b"H%d" % len(rig.sent)
        ),
        "next_login": lambda rig, session: said(rig, user="me", service="ssh-connection", method="none", content=session),
        "next_request": lambda rig, key: said(rig, want_reply=True, request="exec", content=b""),
        "piece": lambda rig, key, count: bytes(count),
        "admits": lambda rig, user, method: method != "password",
        "grants": lambda rig, key, request: request == "exec",
        "ways_in": lambda rig: ("publickey",),
        "takes": lambda rig, channel_type: role == "server",
    }
    facts: dict[str, Any] = {n: partial(_as_framed, n) for n in FRAME} | {"number": lambda rig: rig["rx_number"]}
    rig = Rig(law(), f"ssh.transport.{role}", answers, facts, reading)
    if role == "client":
        rig.call("log_in", 1)
    rig.pump()
    return rig


def _as_framed(field: str, rig: Rig) -> Any:
    return FRAME[field]


def named(rig: Rig) -> Rig:
    rig.receive("identification", version="2.0", length=20, raw=b"peer")
    return rig


def role_of(rig: Rig) -> str:
    return str(rig.machine.name.rpartition(".")[2])


def exchange(rig: Rig, first: bool = True, **how: Any) -> Rig:
    """The peer's side of one key exchange, after our KEXINIT or before it."""
    rig.receive("kexinit", **offer(OTHER[role_of(rig)], first, **how))
    if role_of(rig) == "client":
        rig.receive("ecdh_reply", algorithm="ssh-ed25519", secret_ok=True, trusted=True, signed=True, hash=b"H")
    else:
        rig.receive("ecdh_init")
    rig.receive("newkeys")
    return rig


def served(role: str, reading: str = "interpreted", **how: Any) -> Rig:
    rig = exchange(named(make(role, reading, **how)), **how)
    rig.receive(*(("service_accept",) if role == "client" else ("service_request",)), name="ssh-userauth")
    rig.receive("userauth_success" if role == "client" else "userauth_request")
    assert (rig["sv"], rig["kx"], rig["au"]) == ("SERVED", "QUIET", "USER")
    return rig


# --- the first exchange ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("strict", [False, True])
def test_client_exchange_and_service(reading: str, strict: bool) -> None:
    rig = named(make("client", reading, strict=strict))
    assert rig.kinds() == ["identification", "kexinit"]
    assert [o.kind for o in rig.receive("kexinit", **offer("server", strict=strict))] == ["ecdh_init"]
    assert [o.kind for o in rig.receive("ecdh_reply", algorithm="ssh-ed25519", secret_ok=True, trusted=True, signed=True, hash=b"H")] == [
        "newkeys", "ext_info",
    ]  # fmt: skip
    assert [(o.kind, o.name) for o in rig.receive("newkeys")] == [("service_request", "ssh-userauth")]
    assert rig["strict"] is strict
    assert [o.number for o in rig.sent[1:]] == ([0, 1, 2, 0, 1] if strict else [0, 1, 2, 3, 4])
    assert rig["rx_number"] == (0 if strict else 3)
    rig.receive("service_accept", name="ssh-userauth")
    assert (rig["sv"], rig["session"], rig["cipher_cs"], rig["cipher_sc"]) == (
        "SERVED",
        b"H",
        "chacha20-poly1305@openssh.com",
        "aes256-ctr",
    )


@pytest.mark.parametrize("reading", READINGS)
def test_server_exchange_and_service(reading: str) -> None:
    rig = exchange(named(make("server", reading)))
    assert rig.kinds() == ["identification", "kexinit", "ecdh_reply", "newkeys", "ext_info"]
    assert [(o.kind, o.name) for o in rig.receive("service_request", name="ssh-userauth")] == [("service_accept", "ssh-userauth")]


def test_unknown_service_ends_the_connection() -> None:
    rig = exchange(named(make("server")))
    assert [o.reason for o in rig.receive("service_request", name="finger")] == ["service_not_available"]


def test_extensions_are_told_only_to_those_who_asked() -> None:
    assert "ext_info" not in exchange(named(make("client")), ext=False).kinds()


def test_lines_before_the_identification_are_bounded() -> None:
    rig = make("client")
    for _ in range(1024):
        assert rig.receive("text_line", length=80) == []
    assert [o.reason for o in rig.receive("text_line", length=80)] == ["protocol_error"]


NO_FIT = [
    {"kex": ("diffie-hellman-group14-sha256",)}, {"kex": (STRICT["server"],)}, {"host_keys": ("ssh-dss",)}, {"enc_cs": ("3des-cbc",)},
    {"enc_sc": ("3des-cbc",)}, {"mac_sc": ("hmac-md5",)}, {"comp_cs": ("zlib",)}, {"comp_sc": ("zlib",)},
]  # fmt: skip


@pytest.mark.parametrize("changed", NO_FIT)
def test_nothing_in_common_ends_the_exchange(changed: dict[str, Any]) -> None:
    rig = named(make("client"))
    assert [o.reason for o in rig.receive("kexinit", **offer("server", **changed))] == ["key_exchange_failed"]
    assert rig["kx"] == "ENDED"


def test_mac_lists_do_not_matter_to_a_cipher_that_authenticates() -> None:
    rig = named(make("client"))
    assert [o.kind for o in rig.receive("kexinit", **offer("server", mac_cs=("hmac-md5",)))] == ["ecdh_init"]


BAD_REPLY = [
    ({"ok": False}, "key_exchange_failed"), ({"algorithm": "ssh-rsa"}, "key_exchange_failed"),
    ({"trusted": False}, "host_key_not_verifiable"), ({"secret_ok": False}, "key_exchange_failed"),
    ({"signed": False}, "key_exchange_failed"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "reason"), BAD_REPLY)
def test_bad_reply_of_the_server(changed: dict[str, Any], reason: str) -> None:
    rig = named(make("client"))
    rig.receive("kexinit", **offer("server"))
    good: dict[str, Any] = {"algorithm": "ssh-ed25519", "secret_ok": True, "trusted": True, "signed": True, "hash": b"H"}
    assert [o.reason for o in rig.receive("ecdh_reply", **good | changed)] == [reason]


def test_wrong_guess_is_skipped_once() -> None:
    rig = named(make("client", strict=False))
    rig.receive("kexinit", **offer("server", strict=False, follows=True, kex=("sntrup761x25519-sha512", CURVE)))
    assert rig.receive("kex_other") == []
    assert rig["kx"] == "AWAIT"
    assert [o.kind for o in rig.receive("kex_other")] == ["disconnect"]


# --- strict key exchange --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["ignore", "debug", "unimplemented", "unknown", "ext_info"])
@pytest.mark.parametrize("when", ["before", "within"])
def test_strict_exchange_takes_nothing_but_its_messages(role: str, kind: str, when: str) -> None:
    outcomes = {}
    for strict in (False, True):
        rig = named(make(role, strict=strict))
        if when == "before":
            rig.receive(kind)
        rig.receive("kexinit", **offer(OTHER[role], strict=strict))
        if when == "within":
            rig.receive(kind)
        outcomes[strict] = [o.reason for o in rig.sent if o.kind == "disconnect"]
    assert outcomes == {False: [], True: ["protocol_error"]}


@pytest.mark.parametrize("role", ROLES)
def test_marker_of_a_later_exchange_does_not_count(role: str) -> None:
    rig = served(role, strict=False)
    rig.receive("kexinit", **offer(OTHER[role], first=True, strict=True))
    assert rig["strict"] is False
    assert rig.receive("ignore") == []


@pytest.mark.parametrize("role", ROLES)
def test_ignore_is_legal_again_in_a_strict_rekey(role: str) -> None:
    rig = served(role)
    rig.receive("kexinit", **offer(OTHER[role], first=False))
    assert rig.receive("ignore") == []
    assert [o.kind for o in rig.receive("unknown")] == ["unimplemented"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mac_ok": False}, "mac_error"),
        ({"number": 3}, "mac_error"),
        ({"length": 40000}, "protocol_error"),
        ({"framed": 33}, "protocol_error"),
        ({"padding": 3}, "protocol_error"),
        ({"padding": 27}, "protocol_error"),
    ],
)
def test_broken_packets(changed: dict[str, Any], reason: str) -> None:
    rig = served("client")
    assert [o.reason for o in rig.receive("ignore", **changed)] == [reason]


def test_sequence_numbers_wrap() -> None:
    rig = served("client")
    rig.put("rx_number", 2**32 - 1)
    assert [o.what for o in rig.receive("unknown")] == [2**32 - 1]
    assert rig["rx_number"] == 0


# --- rekeys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("role", ROLES)
def test_nothing_of_the_upper_layers_leaves_during_a_rekey(reading: str, role: str) -> None:
    rig = served(role, reading)
    assert [o.kind for o in rig.call("rekey")] == ["kexinit"]
    assert rig.call("open", 7) == []
    assert rig.receive("global_request", want_reply=True) == []  # in flight before the peer's KEXINIT: processed, answered later
    sent = len(rig.sent)
    rig.receive("kexinit", **offer(OTHER[role], first=False))
    if role == "client":
        rig.receive("ecdh_reply", algorithm="ssh-ed25519", secret_ok=True, trusted=True, signed=True, hash=b"H2")
    else:
        rig.receive("ecdh_init")
    own = ["ecdh_init"] if role == "client" else ["ecdh_reply"]
    assert [o.kind for o in rig.sent[sent:]] == [*own, "newkeys", "request_failure", "channel_open"]
    assert rig.receive("newkeys") == []
    assert rig["session"] == (b"H" if role == "client" else rig["session"])
    assert rig["kx"] == "QUIET"


@pytest.mark.parametrize("role", ROLES)
def test_keys_age(role: str) -> None:
    rig = served(role)
    assert rig.wait(3_599_000_000) == []
    assert [o.kind for o in rig.wait(1_000_000)] == ["kexinit"]


@pytest.mark.parametrize("kind", ["userauth_request", "channel_data", "service_request"])
def test_upper_message_of_the_peer_in_its_own_exchange(kind: str) -> None:
    rig = served("server")
    rig.receive("kexinit", **offer("client", first=False))
    assert [o.kind for o in rig.receive(kind, **({"name": "ssh-userauth"} if kind == "service_request" else {}))] == ["disconnect"]


@pytest.mark.parametrize("role", ROLES)
def test_second_kexinit_and_early_newkeys(role: str) -> None:
    for kind, fields in (("kexinit", offer(OTHER[role], first=False)), ("newkeys", {})):
        rig = served(role)
        rig.receive("kexinit", **offer(OTHER[role], first=False))
        assert [o.reason for o in rig.receive(kind, **fields)] == ["protocol_error"]
    assert [o.reason for o in served(role).receive("newkeys")] == ["protocol_error"]


class Pair:
    """Client and server machine with a line each way; who hears next is the caller's choice."""

    def __init__(self, *, strict: bool, reading: str = "interpreted") -> None:
        self.rigs = {role: make(role, reading, strict=strict) for role in ROLES}
        self.heard = dict.fromkeys(ROLES, 0)
        self.opens = dict.fromkeys(ROLES, 0)

    def open(self, role: str) -> None:
        """A side opens a channel: even numbers of the client, odd ones of the server."""
        self.rigs[role].call("open", 2 * self.opens[role] + (role == "server"))
        self.opens[role] += 1

    def waiting(self, role: str) -> int:
        return len(self.rigs[OTHER[role]].sent) - self.heard[role]

    def deliver(self, role: str) -> None:
        """The next message of the other side arrives, under the sequence number that it was sent with."""
        o = self.rigs[OTHER[role]].sent[self.heard[role]]
        self.heard[role] += 1
        fields = {n: v for n, v in vars(o).items() if n not in ("kind", *FRAME)}
        self.rigs[role].receive(o.kind, **({**fields, "length": o.length} if o.kind == "identification" else fields))

    def settle(self) -> None:
        while any(self.waiting(role) for role in ROLES):
            for role in ROLES:
                if self.waiting(role):
                    self.deliver(role)


def answered(pair: Pair) -> None:
    assert [pair.rigs[r]["kx"] for r in ROLES] == ["QUIET", "QUIET"]
    assert [pair.rigs[r]["sv"] for r in ROLES] == ["SERVED", "SERVED"]
    assert [pair.rigs[r]["au"] for r in ROLES] == ["USER", "USER"]
    assert [pair.rigs[r]["rk"] for r in ROLES] == [False, False]
    assert "disconnect" not in pair.rigs["client"].kinds() + pair.rigs["server"].kinds()
    numbers = {r: (pair.rigs[r]["tx_number"], pair.rigs[OTHER[r]]["rx_number"]) for r in ROLES}
    assert all(a == b for a, b in numbers.values()), numbers


@pytest.mark.parametrize("strict", [False, True])
def test_rekey_at_every_moment(strict: bool) -> None:
    """Each side in turn asks for new keys after each of the first thirty deliveries, while messages are on their way."""
    for moment in range(30):
        for who in ROLES:
            pair = Pair(strict=strict)
            for i in range(60):
                if i == moment:
                    pair.rigs[who].call("rekey")
                    pair.open(OTHER[who])
                role = ROLES[i % 2]
                if pair.waiting(role):
                    pair.deliver(role)
            pair.settle()
            answered(pair)
            assert pair.rigs[who].kinds().count("kexinit") == 2


ACTS = st.lists(st.sampled_from([(role, act) for role in ROLES for act in ("hear", "hear", "hear", "rekey", "open")]), max_size=60)


@pytest.mark.parametrize("reading", READINGS)
@settings(max_examples=60, deadline=None)
@given(acts=ACTS, strict=st.booleans())
def test_two_honest_sides_never_disagree(reading: str, acts: list[tuple[str, str]], strict: bool) -> None:
    """Whatever the interleaving, with rekeys of both sides crossing: no disconnect, equal sequence numbers, nothing lost."""
    pair = Pair(strict=strict, reading=reading)
    for role, act in acts:
        if act == "rekey":
            pair.rigs[role].call(act)
        elif act == "open":
            pair.open(role)
        elif pair.waiting(role):
            pair.deliver(role)
    pair.settle()
    answered(pair)
    told = {role: [name for name, _ in pair.rigs[role].told] for role in ROLES}
    assert told["client"].count("opened") == told["server"].count("opened") == pair.opens["client"]
    assert told["server"].count("refused") == pair.opens["server"]


# --- channels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", READINGS)
def test_channels_of_one_connection_are_apart(reading: str) -> None:
    rig = served("server", reading)
    for key in (0, 1, 2):
        sent = rig.receive("channel_open", key=key, sender=10 + key, window=1000, packet=500, channel_type="session")
        assert [(o.kind, o.key, o.sender, o.window) for o in sent] == [("open_confirmation", 10 + key, key, 2097152)]
    assert [(o.kind, o.key, o.add) for o in rig.receive("channel_data", key=1, len=32768)] == []
    for _ in range(31):
        rig.receive("channel_data", key=1, len=32768)
    assert [(o.kind, o.key, o.add) for o in rig.receive("channel_data", key=1, len=32768)] == [("window_adjust", 11, 33 * 32768)]
    assert [(o.kind, o.key) for o in rig.receive("channel_request", key=2, want_reply=True)] == [("channel_failure", 12)]
    assert rig.receive("channel_request", key=2, want_reply=False) == []
    rig.receive("channel_eof", key=0)
    assert [(o.kind, o.key) for o in rig.receive("channel_close", key=0)] == [("channel_close", 10)]
    assert [(o.kind, o.key) for o in rig.receive("channel_open", key=0, sender=7, window=1, packet=1, channel_type="x11")] == [
        ("open_failure", 7)
    ]
    assert rig.sent[-1].reason == "unknown_channel_type"


def test_replies_of_channels_wait_for_the_new_keys() -> None:
    rig = served("server")
    rig.receive("channel_open", key=0, sender=1, window=9, packet=9, channel_type="session")
    rig.call("rekey")
    assert rig.receive("channel_request", key=0, want_reply=True) == []
    assert rig.receive("channel_open", key=1, sender=2, window=9, packet=9, channel_type="session") == []
    rig.receive("kexinit", **offer("client", first=False))
    assert [o.kind for o in rig.receive("ecdh_init")] == ["ecdh_reply", "newkeys", "open_confirmation", "channel_failure"]


def test_client_takes_no_channel_of_the_server() -> None:
    rig = served("client")
    sent = rig.receive("channel_open", key=0, sender=1, window=9, packet=9, channel_type="session")
    assert [(o.kind, o.reason) for o in sent] == [("open_failure", "administratively_prohibited")]


def test_replies_of_a_channel_come_in_the_order_of_its_requests() -> None:
    rig = served("server")
    rig.receive("channel_open", key=0, sender=1, window=9, packet=9, channel_type="session")
    rig.call("rekey")
    for request in ("env", "exec", "env"):
        assert rig.receive("channel_request", key=0, want_reply=True, request=request) == []
    rig.receive("kexinit", **offer("client", first=False))
    assert [o.kind for o in rig.receive("ecdh_init")][2:] == ["channel_failure", "channel_success", "channel_failure"]


def test_client_runs_nothing_for_the_server() -> None:
    rig = served("client")
    rig.call("open", 0)
    rig.receive("open_confirmation", key=0, sender=4, window=9, packet=9)
    assert [(o.kind, o.key) for o in rig.receive("channel_request", key=0, want_reply=True, request="exec")] == [("channel_failure", 4)]


def test_channels_and_requests_are_bounded() -> None:
    rig = served("server", "generated")
    rig.call("rekey")
    for key in range(1024):
        assert rig.receive("channel_open", key=key, sender=key, window=9, packet=9, channel_type="session") == []
    assert [o.reason for o in rig.receive("channel_open", key=1024, sender=1, window=9, packet=9)] == ["by_application"]
    rig = served("server")
    rig.receive("channel_open", key=0, sender=1, window=9, packet=9, channel_type="session")
    rig.call("rekey")
    for _ in range(64):
        assert rig.receive("channel_request", key=0, want_reply=True, request="env") == []
    assert [o.reason for o in rig.receive("channel_request", key=0, want_reply=True, request="env")] == ["by_application"]


def test_attempts_to_log_in_are_answered_in_order_and_bounded() -> None:
    rig = exchange(named(make("server")))
    rig.receive("service_request", name="ssh-userauth")
    rig.call("rekey")
    for method in ("password", "password", "publickey"):
        assert rig.receive("userauth_request", user="me", method=method) == []
    rig.receive("kexinit", **offer("client", first=False))
    assert [o.kind for o in rig.receive("ecdh_init")][2:] == ["userauth_failure", "userauth_failure", "userauth_success"]
    assert rig.receive("newkeys") == []
    assert rig.receive("userauth_request", user="me", method="none") == []
    rig = exchange(named(make("server")))
    rig.receive("service_request", name="ssh-userauth")
    rig.call("rekey")
    for _ in range(20):
        rig.receive("userauth_request", user="me", method="password")
    assert [o.reason for o in rig.receive("userauth_request", user="me", method="password")] == ["no_more_auth_methods_available"]


CHANNEL_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("window_adjust", {"add": 2**32 - 1}), ("channel_data", {"len": 32769}), ("channel_open", {"channel_type": "session"}),
    ("open_confirmation", {}), ("open_failure", {}), ("channel_failure", {}), ("channel_data", {"key": 5, "len": 1}),
    ("channel_eof", {"key": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), CHANNEL_FAULTS)
def test_channel_faults_end_the_connection(kind: str, fields: dict[str, Any]) -> None:
    rig = served("server")
    rig.receive("channel_open", key=0, sender=1, window=9, packet=9, channel_type="session")
    assert [o.kind for o in rig.receive(kind, **{"key": 0, **fields})] == ["disconnect"]


# --- every message in every state -----------------------------------------------------------------------------------------

STATES = ("unnamed", "MINE", "AWAIT", "keys awaited", "keyed", "SERVED", "rekey MINE", "rekey AWAIT", "rekey keys", "ENDED")


def reach(role: str, state: str, strict: bool) -> Rig:
    """The shortest way to a place in which the machine waits."""
    rig = make(role, strict=strict)
    if state == "unnamed":
        return rig
    named(rig)
    if state in ("SERVED", "ENDED") or state.startswith("rekey"):
        rig = served(role, strict=strict)
    if state == "ENDED":
        rig.receive("disconnect", reason="by_application")
    if state == "keyed":
        exchange(rig, strict=strict)
    if state.startswith("rekey"):
        rig.call("rekey")
    if state in ("AWAIT", "keys awaited", "rekey AWAIT", "rekey keys"):
        rig.receive("kexinit", **offer(OTHER[role], first=not state.startswith("rekey"), strict=strict))
    if state in ("keys awaited", "rekey keys"):
        if role == "client":
            rig.receive("ecdh_reply", algorithm="ssh-ed25519", secret_ok=True, trusted=True, signed=True, hash=b"H")
        else:
            rig.receive("ecdh_init")
    return rig


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "ok": st.booleans(), "mac_ok": st.sampled_from((True, True, True, False)),
    "length": st.sampled_from((4, 5, 20, 255, 256, 34996, 34997)),
    "padding": st.sampled_from((3, 4, 10)), "framed": st.sampled_from((32, 33)), "version": st.sampled_from(("2.0", "1.99", "1.5")),
    "name": st.sampled_from(("ssh-userauth", "ssh-connection", "finger")), "reason": st.sampled_from(("by_application", "protocol_error")),
    "what": st.integers(0, 9),
    "want_reply": st.booleans(), "key": st.integers(0, 2), "len": st.sampled_from((0, 1, 32768, 32769)),
    "add": st.sampled_from((0, 1, 2**32 - 1)),
    "channel_type": st.sampled_from(("session", "x11")), "algorithm": st.sampled_from(("ssh-ed25519", "ssh-rsa")), "signed": st.booleans(),
    "secret_ok": st.booleans(), "trusted": st.booleans(), "follows": st.booleans(),
    "kex": st.sampled_from(((), (CURVE,), ("other", CURVE))),
    "sender": st.integers(0, 3), "window": st.sampled_from((0, 5, 2**32 - 1)), "packet": st.sampled_from((0, 32768)),
}  # fmt: skip


def plain(role: str, kind: str) -> dict[str, Any]:
    return {"kexinit": offer(OTHER[role]), "identification": {"version": "2.0", "length": 20}, "text_line": {"length": 20}}.get(kind, {})


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("strict", [False, True])
def test_every_message_in_every_state(role: str, state: str, strict: bool) -> None:
    """One row in each table, or the interpreter raises; nothing is answered after the end; at most one message ends it."""
    kinds = [m.name for m in law().machine(f"ssh.transport.{role}").messages.values() if m.is_kind]
    for kind in kinds:
        rig = reach(role, state, strict)
        sent = rig.receive(kind, **plain(role, kind))
        assert not (state == "ENDED" and sent), kind
        assert (rig["kx"] == "ENDED") == (
            state == "ENDED" or (kind == "disconnect" and state != "unnamed") or "disconnect" in [o.kind for o in sent]
        ), kind


@settings(max_examples=150, deadline=None)
@given(role=st.sampled_from(ROLES), state=st.sampled_from(STATES), strict=st.booleans(), data=st.data())
def test_any_messages_meet_exactly_one_row_in_each_table(role: str, state: str, strict: bool, data: st.DataObject) -> None:
    rig = reach(role, state, strict)
    known = rig.machine.messages
    kinds = sorted(n for n, m in known.items() if m.is_kind)
    for _ in range(5):
        kind = data.draw(st.sampled_from(kinds))
        fields = {n: data.draw(FIELDS[n]) for n in known[kind].fields if n in FIELDS and data.draw(st.integers(0, 3)) == 0}
        over = rig["kx"] == "ENDED"
        sent = rig.receive(kind, **{**plain(role, kind), **({"key": 0} if "key" in known[kind].fields else {}), **fields})
        assert not (over and sent)
        assert rig["kx"] not in ("ASKED", "AGREE", "SPEAK", "KEYS", "GREET")


# --- the tables themselves ------------------------------------------------------------------------------------------------


def test_tables_pass_every_check() -> None:
    report = run_checks(law())
    assert [str(d) for d in report.diagnostics if d.severity == "error"] == []
    assert report.undecided == ()


@pytest.mark.parametrize("role", ROLES)
def test_every_row_cites_a_clause(role: str) -> None:
    assert [r.id for r in law().machine(f"ssh.transport.{role}").rows() if not r.citations] == []


@given(st.lists(st.sampled_from("abcde")), st.lists(st.sampled_from("abcde")))
def test_agreement_is_the_clients_first_choice_that_the_server_has(client: list[str], server: list[str]) -> None:
    name = agreed(client, server)
    if name:
        assert name in server
        assert not set(client[: client.index(name)]) & set(server)
    else:
        assert not set(client) & set(server)
    assert head(client) == (client[0] if client else "")
