"""The SSH client against OpenSSH's server: login, programs, rekeys from either side, refusals; each run judged by the client's law."""

from __future__ import annotations

import os
import pwd
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from live import Link, Log, Server, serving, wanted
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.ssh import Offer, Password, Program, SshClient, UserKey, host_key
from wirelaw.impl.ssh.packets import CIPHERS
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.load import SPEC, load

SSHD = "/usr/sbin/sshd"
pytestmark = wanted(SSHD)
USER = pwd.getpwuid(os.geteuid()).pw_name


@cache
def machine() -> Any:
    return load([SPEC / "ssh"]).machine("ssh.transport.client")


@cache
def compiled() -> CompiledLaw:
    return compile_law(machine())


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@dataclass
class Keys:
    """The server's key and a user's, with the files that sshd reads."""

    folder: Path
    host: Ed25519PrivateKey
    user: Ed25519PrivateKey


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("ssh"), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    secret = made.folder / "host"
    secret.write_bytes(made.host.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    secret.chmod(0o600)
    (made.folder / "authorized").write_text(public(made.user) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it, and no service has made it
    return made


@dataclass
class Run:
    """One connection under way."""

    client: SshClient
    link: Link
    log: Log
    server: Server

    def log_in(self) -> None:
        assert self.link.until(lambda: self.client.logged_in or self.client.rejected), self.client.refusal
        assert self.client.logged_in

    def run(self, command: str, data: bytes = b"") -> Program:
        program = self.client.run(command, data, self.log.now())
        self.link.flush()
        return program

    def leave(self) -> None:
        self.client.close(self.log.now())
        self.link.flush()
        assert (self.client.over, self.client.refusal) == (True, "by_application")
        self.judge()

    def judge(self) -> None:
        verdict = self.log.verdict(compiled())
        assert verdict.grade <= Grade.NOTE, "\n".join(render(f, {}) for f in verdict.findings) + verdict.reason


@contextmanager
def run(keys: Keys, *options: str, known: str = "", credentials: Any = None, **offer: Any) -> Iterator[Run]:
    """A connection to a server of its own, which has one end of a pair of sockets as its standard input and output."""
    settings = (
        f"HostKey={keys.folder / 'host'}", f"AuthorizedKeysFile={keys.folder / 'authorized'}", "StrictModes=no", "UsePAM=no",
        "PermitRootLogin=yes", "PidFile=none", *options,
    )  # fmt: skip
    ours, theirs = socket.socketpair()
    command = [SSHD, "-i", "-e", "-f", "/dev/null", *(f"-o{s}" for s in settings)]
    with ours, serving(command, theirs) as server:
        theirs.close()
        log = Log(machine())
        ways = [UserKey(keys.user)] if credentials is None else credentials
        client = SshClient(USER, [host_key(known or public(keys.host))], ways, Offer(**offer), now=log.now(), watch=log.watch)
        yield Run(client, Link(ours, client, log.now), log, server)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_program_runs(keys: Keys, cipher: str, strict: bool) -> None:
    with run(keys, ciphers=(cipher,), strict=strict) as r:
        r.log_in()
        program = r.run("cat; echo problem >&2; exit 7", b"over there and back")
        assert r.link.until(lambda: program.over)
        assert (bytes(program.output), bytes(program.errors), program.status) == (b"over there and back", b"problem\n", 7)
        assert program.accepted
        r.leave()


def test_programs_share_a_connection(keys: Keys) -> None:
    data = [random.Random(n).randbytes(300_000) for n in range(3)]
    with run(keys) as r:
        r.log_in()
        programs = [r.run("cat", octets) for octets in data]
        assert r.link.until(lambda: all(p.over for p in programs))
        assert [bytes(p.output) for p in programs] == data
        again = r.run("echo again")  # on a number that is free once more
        assert r.link.until(lambda: again.over)
        assert (bytes(again.output), again.status) == (b"again\n", 0)
        r.leave()


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("strict", [True, False])
def test_client_asks_for_new_keys(keys: Keys, cipher: str, strict: bool) -> None:
    data = random.Random(1).randbytes(500_000)
    with run(keys, ciphers=(cipher,), strict=strict) as r:
        r.log_in()
        program = r.run("cat", data)
        for wanted_length in (1, 200_000, 400_000):
            assert r.link.until(lambda n=wanted_length: len(program.output) >= n or program.over)  # type: ignore[misc]
            r.client.update_keys(r.log.now())
            r.link.flush()
        assert r.link.until(lambda: program.over)
        assert r.link.until(lambda: r.log.kinds(sent=False).count("newkeys") == 4)
        assert bytes(program.output) == data
        r.leave()


def test_server_asks_for_new_keys(keys: Keys) -> None:
    data = random.Random(2).randbytes(400_000)
    with run(keys, "RekeyLimit=64K") as r:
        r.log_in()
        program = r.run("cat", data)
        assert r.link.until(lambda: program.over)
        assert bytes(program.output) == data
        assert r.log.kinds(sent=False).count("kexinit") > 3
        r.leave()


def test_host_key_that_is_not_known_is_refused(keys: Keys) -> None:
    with run(keys, known=public(Ed25519PrivateKey.generate())) as r:
        assert not r.link.until(lambda: r.client.logged_in)
        assert (r.client.refusal, r.client.over) == ("host_key_not_verifiable", True)
        assert "newkeys" not in r.log.kinds(sent=True)
        r.judge()


def test_wrong_key_and_password_are_rejected(keys: Keys) -> None:
    wrong = [UserKey(Ed25519PrivateKey.generate()), Password("wrong")]
    with run(keys, credentials=wrong) as r:
        assert r.link.until(lambda: r.client.rejected)
        assert not r.client.logged_in
        assert r.log.kinds(sent=True).count("userauth_request") == 2
        r.leave()


def test_second_credential_is_tried(keys: Keys) -> None:
    with run(keys, credentials=[Password("wrong"), UserKey(keys.user)]) as r:
        r.log_in()
        r.leave()


def test_nothing_in_common_ends_the_connection(keys: Keys) -> None:
    with run(keys, "Ciphers=aes256-ctr") as r:
        assert not r.link.until(lambda: r.client.logged_in)
        assert r.client.refusal == "key_exchange_failed" or r.client.over
        r.judge()


def test_line_without_a_key_is_refused() -> None:
    with pytest.raises(UserError, match="holds no ssh-ed25519 key"):
        host_key("ssh-rsa AAAA")
