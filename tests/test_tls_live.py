"""The TLS 1.3 client against OpenSSL's server: handshakes, data, key updates, closure, refusals; both ends judged by law."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from live import Link, Log, Server, serving, wanted
from wirelaw.impl.tls import Identity, Offer, Session, TlsClient, Trust
from wirelaw.impl.tls.keys import AES_128_GCM, AES_256_GCM, CHACHA20, P256, P384, X25519
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.load import SPEC, load

pytestmark = wanted("openssl")
EDITIONS = (8446, 9846)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@cache
def machine(role: str) -> Any:
    return load([SPEC / "tls"]).machine(f"tls13.{role}")


@cache
def compiled(role: str, edition: int) -> CompiledLaw:
    return compile_law(machine(role), edition)


class Authority:
    """A root, and what it signs."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.root = self._made(self.name, self.key, timedelta(days=10), authority=True)

    def issue(self, host: str, key: Key, life: timedelta = timedelta(days=5)) -> x509.Certificate:
        return self._made(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key, life, host=host)

    def _made(self, subject: x509.Name, key: Key, life: timedelta, authority: bool = False, host: str = "") -> x509.Certificate:
        begin = datetime.now(UTC) - timedelta(days=6)
        builder = x509.CertificateBuilder(
            self.name, subject, key.public_key(), x509.random_serial_number(), begin, begin + life + timedelta(days=6)
        )
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        builder = builder.add_extension(usage, critical=True)
        if host:
            purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Pki:
    folder: Path
    authority: Authority

    def server(self, kind: str, life: timedelta = timedelta(days=5)) -> list[str]:
        """Arguments that give s_server a certificate for `server.test`."""
        keys = {"ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()), "rsa": lambda: rsa.generate_private_key(65537, 2048),
                "ed25519": ed25519.Ed25519PrivateKey.generate}  # fmt: skip
        key = keys[kind]()
        name = f"{kind}{life.days}"
        cert, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert.write_bytes(self.authority.issue("server.test", key, life).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return ["-cert", str(cert), "-key", str(secret)]

    @property
    def roots(self) -> Path:
        path = self.folder / "roots.pem"
        path.write_bytes(self.authority.root.public_bytes(Encoding.PEM))
        return path


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), Authority("wirelaw test root"))


@dataclass
class Run:
    """One connection under way."""

    client: TlsClient
    link: Link
    log: Log
    server: Server

    def open(self) -> None:
        assert self.link.until(lambda: self.client.established), (self.client.alert_sent, self.client.alert_received, self.server.output)

    def write(self, data: bytes) -> None:
        self.client.write(data, self.log.now())
        self.link.flush()

    def read(self, data: bytes) -> None:
        """Wait for `data` from the server."""
        got = b""

        def arrived() -> bool:
            nonlocal got
            got += self.client.take_received()
            return data in got

        assert self.link.until(arrived), got

    def close(self) -> None:
        self.client.close(self.log.now())
        self.link.flush()

    def judge(self, server: bool = True) -> None:
        """Both ends conform; with a pre-shared key, which the server's law does not know, only the client is judged."""
        for edition in EDITIONS:
            verdicts = [self.log.verdict(compiled("client", edition))]
            if server:
                verdicts.append(self.log.verdict_on_server(compiled("server", edition)))
            for verdict in verdicts:
                assert verdict.grade <= Grade.NOTE, "\n".join(render(f, {}) for f in verdict.findings) + verdict.reason


@dataclass
class Listening:
    """A server that waits for connections, one after the other."""

    pki: Pki
    server: Server
    port: int

    @contextmanager
    def connect(self, name: str = "server.test", trust: Trust | None = None, **offer: Any) -> Iterator[Run]:
        with socket.create_connection(("127.0.0.1", self.port)) as channel:
            log = Log(machine("client"))
            roots = trust or Trust([self.pki.authority.root])
            client = TlsClient(name, roots, datetime.now(UTC), Offer(**offer), now=log.now(), watch=log.watch)
            yield Run(client, Link(channel, client, log.now), log, self.server)


@contextmanager
def listening(pki: Pki, *options: str, key: str = "ecdsa") -> Iterator[Listening]:
    """s_server with `options`, on a port that it has found."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3", *options]
    with serving(command + ([] if "-cert" in options else pki.server(key))) as server:
        port = server.match(rb"ACCEPT 127\.0\.0\.1:(\d+)\n")
        yield Listening(pki, server, int(port[1]))


@contextmanager
def run(pki: Pki, *options: str, key: str = "ecdsa", **how: Any) -> Iterator[Run]:
    """One connection to a server with `options`."""
    with listening(pki, *options, key=key) as server, server.connect(**how) as connected:
        yield connected


def converse(r: Run, server: bool = True) -> None:
    """Data both ways, then closure both ways; judged."""
    r.open()
    r.write(b"from the client\n")
    r.server.until(b"from the client\n")
    r.server.say(b"from the server\n")
    r.read(b"from the server\n")
    r.close()
    assert r.link.until(lambda: r.client.over)
    assert r.client.ended
    assert (r.client.alert_sent, r.client.alert_received, r.client.truncated) == ("", "", False)
    r.judge(server)


@pytest.mark.parametrize("suite", [AES_128_GCM, AES_256_GCM, CHACHA20])
def test_each_suite(pki: Pki, suite: int) -> None:
    with run(pki, suites=(suite,)) as r:
        converse(r)


@pytest.mark.parametrize("group", [X25519, P256, P384])
def test_each_group(pki: Pki, group: int) -> None:
    with run(pki, groups=(group,), shares=(group,)) as r:
        converse(r)


@pytest.mark.parametrize("key", ["ecdsa", "rsa", "ed25519"])
def test_each_kind_of_certificate(pki: Pki, key: str) -> None:
    with run(pki, key=key) as r:
        converse(r)


def test_retry_request(pki: Pki) -> None:
    with run(pki, "-groups", "P-384") as r:
        converse(r)
        assert r.log.kinds(sent=True).count("client_hello") == 2


@pytest.mark.parametrize("options", [("-num_tickets", "3"), ("-num_tickets", "0", "-no_middlebox"), ("-alpn", "h2")])
def test_variants_of_the_server(pki: Pki, options: tuple[str, ...]) -> None:
    with run(pki, *options, protocols=(b"h2",)) as r:
        converse(r)


def test_certificate_is_asked_for(pki: Pki) -> None:
    with run(pki, "-verify", "1") as r:
        converse(r)
        assert r.log.kinds(sent=True) == ["client_hello", "ccs", "certificate", "finished", "app", "alert"]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_certificate_is_shown(pki: Pki, kind: str) -> None:
    keys = {"ecdsa": ec.generate_private_key(ec.SECP384R1()), "rsa": rsa.generate_private_key(65537, 2048),
            "ed25519": ed25519.Ed25519PrivateKey.generate()}  # fmt: skip
    key = keys[kind]
    identity = Identity((pki.authority.issue("client.test", key),), key)
    with run(pki, "-Verify", "1", "-verify_return_error", "-CAfile", str(pki.roots), identity=identity) as r:
        converse(r)
        assert "certificate_verify" in r.log.kinds(sent=True)


def test_keys_are_updated_from_either_side(pki: Pki) -> None:
    with run(pki) as r:
        r.open()
        r.server.say(b"K\n")  # asks for an update in return
        assert r.link.until(lambda: r.log.kinds(sent=True).count("key_update") == 1)
        r.server.say(b"k\n")
        assert r.link.until(lambda: r.log.kinds(sent=False).count("key_update") == 2)
        r.client.update_keys(r.log.now())
        r.write(b"under new keys\n")
        r.server.until(b"under new keys\n")  # it has read the request, and answers it before it says more
        r.server.say(b"after the update\n")
        r.read(b"after the update\n")
        assert r.log.kinds(sent=False).count("key_update") == 3
        converse(r)


def test_long_data_goes_out_in_records(pki: Pki) -> None:
    data = b"".join(b"%07d\n" % i for i in range(25_000))
    with run(pki) as r:
        r.open()
        r.write(data)
        r.server.until(data)
        converse(r)
        assert r.log.kinds(sent=True).count("app") == -(-len(data) // 16384) + 1


def first_session(listener: Listening, **offer: Any) -> Session:
    with listener.connect(**offer) as r:
        converse(r)
        return r.client.sessions[-1]


def test_session_is_resumed(pki: Pki) -> None:
    with listening(pki) as listener:
        session = first_session(listener)
        with listener.connect(session=session) as r:
            converse(r, server=False)
            assert "certificate" not in r.log.kinds(sent=False)
        with listener.connect(session=session, name="other.test") as r:  # a session is of one host
            assert not r.link.until(lambda: r.client.established)
            assert r.client.alert_sent == "certificate_unknown"


def test_session_is_resumed_after_a_retry_request(pki: Pki) -> None:
    with listening(pki, "-groups", "P-256") as listener:
        session = first_session(listener)
        with listener.connect(session=session) as r:
            converse(r, server=False)
            assert r.log.kinds(sent=True).count("client_hello") == 2
            assert "certificate" not in r.log.kinds(sent=False)


def test_early_data_is_taken(pki: Pki) -> None:
    with listening(pki, "-early_data") as listener:
        session = first_session(listener)
        with listener.connect(session=session, early=b"before the handshake is done\n") as r:
            converse(r, server=False)
            assert r.client.early_taken
            r.server.until(b"before the handshake is done\n")
            assert r.log.kinds(sent=True)[:4] == ["client_hello", "ccs", "app", "end_of_early_data"]


def test_early_data_is_refused(pki: Pki) -> None:
    with listening(pki, "-early_data", "-groups", "P-256") as listener:
        session = first_session(listener)
        with listener.connect(session=session, early=b"before the handshake is done\n") as r:
            converse(r, server=False)
            assert not r.client.early_taken
            r.server.match(rb"(?s)from the client.*from the client")
            assert b"before the handshake is done\n" not in r.server.output


def refused(r: Run, alert: str, printed: bytes) -> None:
    assert not r.link.until(lambda: r.client.established)
    assert (r.client.alert_sent, r.client.over) == (alert, True)
    r.server.until(printed)
    r.judge()


def test_certificate_for_another_name_is_refused(pki: Pki) -> None:
    with run(pki, name="other.test") as r:
        refused(r, "certificate_unknown", b"alert certificate unknown")


def test_certificate_of_a_stranger_is_refused(pki: Pki) -> None:
    with run(pki, trust=Trust([Authority("wirelaw test root").root])) as r:
        refused(r, "unknown_ca", b"alert unknown ca")


def test_system_does_not_trust_a_stranger(pki: Pki) -> None:
    with run(pki, trust=Trust.system()) as r:
        refused(r, "unknown_ca", b"alert unknown ca")


def test_expired_certificate_is_refused(pki: Pki) -> None:
    with run(pki, *pki.server("ecdsa", timedelta(days=-1))) as r:
        refused(r, "certificate_expired", b"alert certificate expired")


def test_server_refuses_what_it_cannot_do(pki: Pki) -> None:
    with run(pki, "-groups", "P-521") as r:
        assert not r.link.until(lambda: r.client.established)
        assert r.client.alert_received == "handshake_failure"
        r.judge()


def test_cut_connection_is_told(pki: Pki) -> None:
    with run(pki) as r:
        r.open()
        r.server.process.kill()
        r.link.until(lambda: r.client.truncated)
        assert r.client.truncated
        assert r.client.over
        r.judge()
