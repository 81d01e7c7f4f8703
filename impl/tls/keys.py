"""Keys of TLS 1.3: key shares, the key schedule, record protection (RFC 9846 sections 4.3.8, 5.2, 5.3 and 7).

Nothing here decides when a key is used: the tables number epochs (2 handshake, 3 + n application), and keys follow from them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from wirelaw.impl.externs.transcript import HASH_OF, Transcript
from wirelaw.impl.generated.tls13_client import ClientHello
from wirelaw.impl.tls.codec import vector

X25519: Final = 29
P256: Final = 23
P384: Final = 24
CURVES: Final[dict[int, ec.EllipticCurve]] = {P256: ec.SECP256R1(), P384: ec.SECP384R1()}

AES_128_GCM: Final = 0x1301
AES_256_GCM: Final = 0x1302
CHACHA20: Final = 0x1303
KEY_SIZE: Final = {AES_128_GCM: 16, AES_256_GCM: 32, CHACHA20: 32}

EARLY: Final = 1
HANDSHAKE: Final = 2
APPLICATION: Final = 3


class Transcripts(Protocol):
    """Where the transcripts are that keys depend on: the machine."""

    ch: ClientHello
    tr_hello: Transcript
    tr_server: Transcript


class KeyShare:
    """A private key of ours for one group, and what the peer sees of it."""

    def __init__(self, group: int) -> None:
        self.group = group
        self._private = X25519PrivateKey.generate() if group == X25519 else ec.generate_private_key(CURVES[group])

    @property
    def public(self) -> bytes:
        """The public value as it stands in a key share entry."""
        if isinstance(self._private, X25519PrivateKey):
            return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, peer: bytes) -> bytes | None:
        """The shared secret; None where `peer` is no valid public value of the group, or makes the secret zero."""
        try:
            if isinstance(self._private, X25519PrivateKey):
                return self._private.exchange(X25519PublicKey.from_public_bytes(peer))
            point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[self.group], peer)
            return self._private.exchange(ec.ECDH(), point) if peer[:1] == b"\4" else None
        except ValueError:
            return None


def expand_label(algorithm: str, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label: `size` octets from `secret`."""
    info = size.to_bytes(2, "big") + vector(1, b"tls13 " + label) + vector(1, context)
    made = block = b""
    for counter in range(1, -(-size // hashlib.new(algorithm).digest_size) + 1):
        block = hmac.digest(secret, block + info + bytes([counter]), algorithm)
        made += block
    return made[:size]


class Protection:
    """Seals or opens the records of one direction under one key, in order. A key's records are counted from 0."""

    def __init__(self, suite: int, secret: bytes) -> None:
        algorithm = HASH_OF[suite]
        cipher = ChaCha20Poly1305 if suite == CHACHA20 else AESGCM
        self._aead: ChaCha20Poly1305 | AESGCM = cipher(expand_label(algorithm, secret, b"key", b"", KEY_SIZE[suite]))
        self._iv = int.from_bytes(expand_label(algorithm, secret, b"iv", b"", 12), "big")
        self._count = 0

    def seal(self, head: bytes, inner: bytes) -> bytes:
        """The record's body for `inner` (content, its type, padding) under header `head`."""
        return self._aead.encrypt(self._nonce(), inner, head)

    def open(self, head: bytes, body: bytes) -> bytes | None:
        """What `body` holds, or None where it is not genuine."""
        try:
            return self._aead.decrypt(self._nonce(), body, head)
        except InvalidTag:
            return None

    def _nonce(self) -> bytes:
        nonce = (self._iv ^ self._count).to_bytes(12, "big")
        self._count += 1
        return nonce


class KeySchedule:
    """The secrets that follow from a pre-shared key (empty: none) and a shared secret (RFC 9846 section 7.1).

    Without the shared secret there is what comes before the ServerHello: binders, and keys for early data.
    """

    def __init__(self, suite: int, psk: bytes, shared: bytes = b"") -> None:
        self.suite = suite
        self.algorithm = HASH_OF[suite]
        self.size = hashlib.new(self.algorithm).digest_size
        zero = bytes(self.size)
        self._early = hmac.digest(zero, psk or zero, self.algorithm)
        self._handshake = hmac.digest(self._next_salt(self._early), shared, self.algorithm)
        self._master = hmac.digest(self._next_salt(self._handshake), zero, self.algorithm)

    def binder(self, digest: bytes) -> bytes:
        """The binder of the pre-shared key from a ticket, over the transcript `digest` up to the truncated ClientHello."""
        return self.finished(self._derive(self._early, b"res binder", hashlib.new(self.algorithm).digest()), digest)

    def resumption(self, digest: bytes, nonce: bytes) -> bytes:
        """The pre-shared key of the ticket with `nonce`, over the transcript `digest` up to the client's Finished."""
        return self._derive(self._derive(self._master, b"res master", digest), b"resumption", nonce)

    def traffic(self, sender: str, epoch: int, transcripts: Transcripts) -> bytes:
        """The traffic secret of `sender` ("c" or "s") in `epoch` (1, 2 or 3)."""
        if epoch == EARLY:
            return self._derive(self._early, b"c e traffic", hashlib.new(self.algorithm, transcripts.ch.raw).digest())
        if epoch == HANDSHAKE:
            return self._derive(self._handshake, f"{sender} hs traffic".encode(), transcripts.tr_hello.digest)
        return self._derive(self._master, f"{sender} ap traffic".encode(), transcripts.tr_server.digest)

    def updated(self, secret: bytes) -> bytes:
        """The traffic secret that follows `secret` at a KeyUpdate."""
        return self._derive(secret, b"traffic upd", b"")

    def finished(self, secret: bytes, digest: bytes) -> bytes:
        """The `verify_data` of the Finished of whom traffic secret `secret` belongs to, over the transcript `digest`."""
        return hmac.digest(self._derive(secret, b"finished", b""), digest, self.algorithm)

    def _derive(self, secret: bytes, label: bytes, context: bytes) -> bytes:
        return expand_label(self.algorithm, secret, label, context, self.size)

    def _next_salt(self, secret: bytes) -> bytes:
        return self._derive(secret, b"derived", hashlib.new(self.algorithm).digest())


class Direction:
    """The keys of one direction, as its epoch moves forward. Older keys are forgotten."""

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._epoch = 0
        self._secret = b""
        self._protection: Protection | None = None

    def at(self, epoch: int, schedule: KeySchedule, transcripts: Transcripts) -> Protection:
        """The protection of `epoch`, which is that of the last call or a later one."""
        if self._protection is None or epoch != self._epoch:
            if epoch > APPLICATION:
                self._secret = schedule.updated(self._secret)
            else:
                self._secret = schedule.traffic(self._sender, epoch, transcripts)
            self._epoch = epoch
            self._protection = Protection(schedule.suite, self._secret)
        return self._protection
