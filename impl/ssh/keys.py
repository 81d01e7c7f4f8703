"""Keys of SSH: curve25519-sha256 (RFC 8731), what is derived from it (RFC 4253 section 7.2), host keys and keys of users."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.ssh.codec import DecodeError, Reader, mpint, string
from wirelaw.impl.ssh.packets import CIPHERS, PacketCipher

ED25519 = "ssh-ed25519"


def host_key(line: str) -> bytes:
    """The key in a line of known_hosts or of a .pub file, as it goes over the wire. UserError where there is none."""
    for word, following in zip(line.split(), line.split()[1:], strict=False):
        if word == ED25519:
            try:
                return base64.b64decode(following, validate=True)
            except binascii.Error:
                break
    raise UserError(f"{line[:60]!r} holds no {ED25519} key; give a line of known_hosts or of a .pub file")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one key exchange came to. `secret` is K as it enters hashes, `digest` is H."""

    secret: bytes = field(repr=False)
    digest: bytes

    def cipher(self, name: str, session: bytes, to_server: bool) -> PacketCipher:
        """The cipher `name` of one direction under the keys of this exchange."""
        make, key_size, iv_size = CIPHERS[name]
        iv, key = (b"A", b"C") if to_server else (b"B", b"D")
        return make(self._derived(key, session, key_size), self._derived(iv, session, iv_size))

    def _derived(self, letter: bytes, session: bytes, size: int) -> bytes:
        made = hashlib.sha256(self.secret + self.digest + letter + session).digest()
        while len(made) < size:
            made += hashlib.sha256(self.secret + self.digest + made).digest()
        return made[:size]


class Agreement:
    """Our side of one curve25519 exchange."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def finish(self, hashed: Iterable[bytes], host: bytes, peer: bytes) -> Exchange | None:
        """The exchange with public value `peer`, over the identifications and KEXINITs `hashed`; None where `peer` is no good."""
        try:
            secret = mpint(self._private.exchange(X25519PublicKey.from_public_bytes(peer)))
        except ValueError:
            return None
        text = b"".join(string(part) for part in (*hashed, host, self.public, peer))
        return Exchange(secret, hashlib.sha256(text + secret).digest())


def is_known(key: bytes, known: Iterable[bytes]) -> bool:
    """Whether `key` is one of the `known`."""
    return any(hmac.compare_digest(key, k) for k in known)


def key_algorithm(key: bytes) -> str:
    """The algorithm that a public key names; empty where it does not parse."""
    try:
        return Reader(key).text()
    except DecodeError:
        return ""


def is_signed(key: bytes, signature: bytes, content: bytes) -> bool:
    """Whether `signature` over `content` was made with the Ed25519 key `key` (both as they go over the wire)."""
    try:
        public, made = Reader(key), Reader(signature)
        if (public.text(), made.text()) != (ED25519, ED25519):
            return False
        Ed25519PublicKey.from_public_bytes(public.string()).verify(made.string(), content)
    except (DecodeError, InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Password:
    """A password to log in with."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserKey:
    """A key pair to log in with."""

    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """The public key as it goes over the wire."""
        return string(ED25519) + string(self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, content: bytes) -> bytes:
        """A signature as it goes over the wire."""
        return string(ED25519) + string(self.private.sign(content))


Credential = Password | UserKey
