"""The binary packets of SSH (RFC 4253 section 6) and the ciphers that protect them.

A cipher turns whole packets, length field included, into octets and back. When keys change is not decided here.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305
from wirelaw.impl.runtime.entropy import Entropy

LONGEST: Final = 34_996
"""The greatest packet_length that is waited for: RFC 4253 section 6.1 has 35000 octets in all."""


class PacketCipher(Protocol):
    """Protection of one direction. `sequence` is the packet's number."""

    block: int
    """Octets that a packet is padded to a multiple of."""
    tag: int
    """Octets of authentication behind a packet."""
    length_apart: bool
    """Whether the length field does not count for the padding."""

    def length(self, sequence: int, head: bytes) -> int:
        """packet_length, from the packet's first four octets."""

    def open(self, sequence: int, packet: bytes) -> bytes | None:
        """The packet in the clear, without its tag; None where it is not genuine."""

    def seal(self, sequence: int, packet: bytes) -> bytes:
        """What goes out for a packet."""


class Clear:
    """No protection: before the first NEWKEYS."""

    block, tag, length_apart = 8, 0, False

    def length(self, sequence: int, head: bytes) -> int:
        return int.from_bytes(head, "big")

    def open(self, sequence: int, packet: bytes) -> bytes | None:
        return packet

    def seal(self, sequence: int, packet: bytes) -> bytes:
        return packet


class AesGcm:
    """aes128-gcm@openssh.com and aes256-gcm@openssh.com (RFC 5647): the length is authenticated in the clear."""

    block, tag, length_apart = 16, 16, True

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aead = AESGCM(key)
        self._fixed, self._invocation = iv[:4], int.from_bytes(iv[4:], "big")

    def length(self, sequence: int, head: bytes) -> int:
        return int.from_bytes(head, "big")

    def open(self, sequence: int, packet: bytes) -> bytes | None:
        try:
            return packet[:4] + self._aead.decrypt(self._nonce(), packet[4:], packet[:4])
        except InvalidTag:
            return None

    def seal(self, sequence: int, packet: bytes) -> bytes:
        return packet[:4] + self._aead.encrypt(self._nonce(), packet[4:], packet[:4])

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._invocation.to_bytes(8, "big")
        self._invocation = (self._invocation + 1) % (1 << 64)
        return nonce


class ChaChaPoly:
    """chacha20-poly1305@openssh.com: the length has a key of its own, and the nonce is the packet's number."""

    block, tag, length_apart = 8, 16, True

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._main, self._head = key[:32], key[32:]

    def length(self, sequence: int, head: bytes) -> int:
        return int.from_bytes(_chacha(self._head, sequence, 0, head), "big")

    def open(self, sequence: int, packet: bytes) -> bytes | None:
        body, tag = packet[: -self.tag], packet[-self.tag :]
        if not hmac.compare_digest(self._authenticated(sequence, body), tag):
            return None
        return _chacha(self._head, sequence, 0, body[:4]) + _chacha(self._main, sequence, 1, body[4:])

    def seal(self, sequence: int, packet: bytes) -> bytes:
        body = _chacha(self._head, sequence, 0, packet[:4]) + _chacha(self._main, sequence, 1, packet[4:])
        return body + self._authenticated(sequence, body)

    def _authenticated(self, sequence: int, body: bytes) -> bytes:
        return Poly1305.generate_tag(_chacha(self._main, sequence, 0, bytes(32)), body)


def _chacha(key: bytes, sequence: int, counter: int, data: bytes) -> bytes:
    nonce = counter.to_bytes(8, "little") + sequence.to_bytes(8, "big")
    return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(data)


CIPHERS: Final[dict[str, tuple[Callable[[bytes, bytes], PacketCipher], int, int]]] = {
    "chacha20-poly1305@openssh.com": (ChaChaPoly, 64, 0),
    "aes256-gcm@openssh.com": (AesGcm, 32, 12),
    "aes128-gcm@openssh.com": (AesGcm, 16, 12),
}
"""By name: how it is made from key and initial vector, and the octets of both."""


def framed(cipher: PacketCipher, length: int) -> int:
    """Octets of a packet that must be a multiple of the block size."""
    return length if cipher.length_apart else length + 4


def packet(cipher: PacketCipher, payload: bytes, entropy: Entropy) -> bytes:
    """A packet with as little random padding as the cipher permits."""
    padding = -framed(cipher, 1 + len(payload)) % cipher.block
    if padding < 4:
        padding += cipher.block
    return (1 + len(payload) + padding).to_bytes(4, "big") + bytes([padding]) + payload + entropy.octets(padding)
