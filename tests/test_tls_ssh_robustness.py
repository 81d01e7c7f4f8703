"""Whatever octets a peer sends, the TLS and SSH clients raise nothing, keep little, and say at most one thing more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.ssh import Password, SshClient, UserKey
from wirelaw.impl.ssh import codec as ssh
from wirelaw.impl.ssh.messages import parse as parse_ssh
from wirelaw.impl.ssh.packets import CIPHERS, Clear, packet
from wirelaw.impl.tls import TlsClient, Trust
from wirelaw.impl.tls import codec as tls
from wirelaw.impl.tls.keys import KeyShare
from wirelaw.impl.tls.messages import LONGEST
from wirelaw.impl.tls.messages import parse as parse_tls

TODAY = datetime(2030, 1, 1, tzinfo=UTC)
KEY = ssh.string("ssh-ed25519") + ssh.string(bytes(32))


class Fixed:
    """Entropy that tests can name: zeros."""

    def below(self, bound: int) -> int:
        return 0

    def octets(self, count: int) -> bytes:
        return bytes(count)


# --- TLS ---------------------------------------------------------------------------------------------------------------

chunks = st.binary(max_size=60)
codes = st.sampled_from((0, 5, 10, 13, 16, 41, 43, 44, 51, 0xABCD))
bodies = st.one_of(chunks, st.sampled_from((b"\3\4", b"\0\x1d", b"\0\x1d\0\x20" + bytes(31) + b"\x09", b"\0\x17", b"\0\2ab")))
extensions = st.lists(st.tuples(codes, bodies), max_size=5).map(tls.extensions_vector)


def server_hello(random: bytes, session: bytes, suite: int, extensions: bytes) -> bytes:
    return tls.handshake(2, b"\3\3" + random + tls.vector(1, session) + suite.to_bytes(2, "big") + b"\0" + extensions)


RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
hellos = st.builds(
    server_hello, st.sampled_from((bytes(32), RETRY)), st.just(b"SESSION"), st.sampled_from((0x1301, 0x1303, 0x1304, 0)), extensions
)
messages = st.one_of(hellos, st.builds(tls.handshake, st.integers(0, 30), chunks), chunks)
records = st.tuples(st.sampled_from((20, 21, 22, 23, 24, 0)), st.one_of(messages, st.just(b"\1"), st.just(b"\2\x28")))


@settings(max_examples=300, deadline=None)
@given(st.lists(records, max_size=6), st.integers(1, 400), st.booleans())
def test_tls_client_survives_any_records(sent: list[tuple[int, bytes]], step: int, cut: bool) -> None:
    client = TlsClient("server.test", Trust([]), TODAY)
    hello = client.take_output()
    session = hello[44 : 44 + hello[43]]
    octets = b"".join(bytes([kind, 3, 3]) + tls.vector(2, body) for kind, body in sent)
    octets = octets.replace(tls.vector(1, b"SESSION"), tls.vector(1, session))
    for at in range(0, len(octets), step):
        client.receive(octets[at : at + step])
    if cut:
        client.transport_ended()
    assert not client.established
    assert client.over or not (client.alert_sent or client.alert_received)


@given(st.binary(max_size=400))
def test_tls_client_survives_any_octets(octets: bytes) -> None:
    client = TlsClient("192.0.2.1", Trust([]), TODAY)
    client.receive(octets)
    client.transport_ended()
    assert client.over


@pytest.mark.parametrize("name", ["bücher.test", "", "a b"])
def test_names_that_no_certificate_can_have(name: str) -> None:
    with pytest.raises(UserError, match="neither a host name"):
        TlsClient(name, Trust([]), TODAY)


def test_tls_client_waits_for_no_message_without_end() -> None:
    client = TlsClient("server.test", Trust([]), TODAY)
    client.receive(b"\x16\3\3\0\4" + bytes([2]) + (LONGEST + 1).to_bytes(3, "big"))
    assert client.alert_sent == "decode_error"


@given(st.integers(0, 255), st.binary(max_size=200), st.booleans())
def test_any_handshake_message_parses_or_is_broken(kind: int, body: bytes, aligned: bool) -> None:
    message = parse_tls(tls.handshake(kind, body), 2, aligned)
    assert (message.epoch, message.aligned) == (2, aligned)


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=3), st.sampled_from(("a.test", "192.0.2.1", "2001:db8::1")))
def test_what_is_no_certificate_is_corrupt(chain: list[bytes], name: str) -> None:
    assert Trust([]).verdict(chain, name, TODAY) == "corrupt"


@pytest.mark.parametrize("group", [29, 23, 24])
@given(peer=st.binary(max_size=100))
def test_public_values_that_are_none(group: int, peer: bytes) -> None:
    shared = KeyShare(group).exchange(peer)
    assert shared is None or (group == 29 and len(peer) == 32)


# --- SSH ---------------------------------------------------------------------------------------------------------------

payloads = st.one_of(
    st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(0, 255), chunks),
    st.builds(
        lambda follows, kex: b"\x14" + bytes(16) + ssh.names(kex) + b"".join(ssh.names((n,)) for n in NAMES) + bytes(8) + follows,
        st.sampled_from((b"\0" * 5, b"\1" + b"\0" * 4)),
        st.lists(st.sampled_from(("curve25519-sha256", "kex-strict-s-v00@openssh.com", "ext-info-s")), max_size=3),
    ),
    st.builds(
        lambda key, public, signature: b"\x1f" + ssh.string(key) + ssh.string(public) + ssh.string(signature),
        st.sampled_from((KEY, b"", b"x")),
        st.sampled_from((bytes(32), b"\x09" + bytes(31), b"")),
        chunks,
    ),
    st.sampled_from((b"\x15", b"")),
)
NAMES = ("ssh-ed25519", *["aes128-gcm@openssh.com"] * 2, *["hmac-sha2-256"] * 2, *["none"] * 2)
starts = st.sampled_from((b"SSH-2.0-x\r\n", b"hello\nSSH-1.99-x\n", b"SSH-1.5-old\n", b"SSH-\n", b""))


@settings(max_examples=300, deadline=None)
@given(starts, st.lists(payloads, max_size=6), st.binary(max_size=20), st.integers(1, 400))
def test_ssh_client_survives_any_packets(start: bytes, sent: list[bytes], tail: bytes, step: int) -> None:
    client = SshClient("me", [KEY], [Password("secret")])
    octets = start + b"".join(packet(Clear(), payload, Fixed()) for payload in sent) + tail
    for at in range(0, len(octets), step):
        client.receive(octets[at : at + step])
    assert not client.logged_in
    assert b"secret" not in client.take_output()
    assert client.over or not (client.refusal or client.disconnected)


@given(st.binary(max_size=200))
def test_any_payload_parses(payload: bytes) -> None:
    facts: dict[str, Any] = {"number": 7, "length": 20, "framed": 24, "block": 8, "padding": 4}
    assert parse_ssh(payload, facts).number == 7


def test_ssh_client_waits_for_no_line_without_end() -> None:
    client = SshClient("me", [KEY], [])
    client.receive(b"x" * 10_000)
    assert client.refusal == "protocol_error"


@pytest.mark.parametrize("name", CIPHERS)
@given(payloads=st.lists(st.binary(max_size=80), min_size=1, max_size=4), flip=st.integers(0, 10_000))
def test_ciphers_open_what_they_sealed_and_nothing_else(name: str, payloads: list[bytes], flip: int) -> None:
    make, key_size, iv_size = CIPHERS[name]
    sealer, opener, other = (make(b"k" * key_size, b"i" * iv_size) for _ in range(3))
    for number, payload in enumerate(payloads, 3):
        made = packet(sealer, payload, Fixed())
        sealed = sealer.seal(number, made)
        assert opener.length(number, sealed[:4]) == int.from_bytes(made[:4], "big")
        assert opener.open(number, sealed) == made
        at = flip % len(sealed)
        assert other.open(number, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) is None


def test_passwords_and_keys_do_not_show() -> None:
    assert "hunter2" not in repr(Password("hunter2"))
    assert repr(UserKey(Ed25519PrivateKey.generate())) == "UserKey()"
