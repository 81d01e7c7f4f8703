"""The presentation language of TLS (RFC 9846 section 3): numbers and vectors, read and written."""

from __future__ import annotations

import struct
from collections.abc import Iterable


class DecodeError(Exception):
    """Octets that do not parse: a length that does not fit, or something behind the end."""


class Reader:
    """Reads fields from `data` one after the other; DecodeError where they run out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        end = self._at + count
        if end > len(self._data):
            raise DecodeError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, width: int) -> int:
        """An unsigned number of `width` octets, network byte order."""
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """A vector behind its length of `width` octets."""
        return self.take(self.number(width))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """DecodeError unless everything was read."""
        if self.more:
            raise DecodeError


def vector(width: int, body: bytes) -> bytes:
    """`body` behind its length of `width` octets."""
    return len(body).to_bytes(width, "big") + body


def numbers(data: bytes) -> tuple[int, ...]:
    """The 16-bit numbers that `data` is made of."""
    if len(data) % 2:
        raise DecodeError
    return struct.unpack(f"!{len(data) // 2}H", data)


def numbers_vector(items: Iterable[int]) -> bytes:
    """16-bit numbers behind their length of two octets."""
    return vector(2, b"".join(item.to_bytes(2, "big") for item in items))


def extensions(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """(type, body) of each extension in `data`, in order."""
    reader = Reader(data)
    found = []
    while reader.more:
        found.append((reader.number(2), reader.vector(2)))
    return tuple(found)


def extensions_vector(items: Iterable[tuple[int, bytes]]) -> bytes:
    """Extensions behind their length of two octets."""
    return vector(2, b"".join(kind.to_bytes(2, "big") + vector(2, body) for kind, body in items))


def handshake(kind: int, body: bytes) -> bytes:
    """A handshake message with its header of four octets."""
    return bytes([kind]) + vector(3, body)
