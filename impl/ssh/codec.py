"""Data types of SSH (RFC 4251 section 5): read and written."""

from __future__ import annotations

from collections.abc import Iterable


class DecodeError(Exception):
    """Octets that do not parse."""


class Reader:
    """Reads fields from `data` one after the other; DecodeError where they run out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        end = self._at + count
        if end > len(self._data):
            raise DecodeError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def number(self) -> int:
        """A uint32."""
        return int.from_bytes(self.take(4), "big")

    def boolean(self) -> bool:
        """A boolean: everything but 0 is true."""
        return self.take(1) != b"\0"

    def string(self) -> bytes:
        """A string of octets."""
        return self.take(self.number())

    def text(self) -> str:
        """A string that is a name: US-ASCII."""
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError:
            raise DecodeError from None

    def names(self) -> tuple[str, ...]:
        """A name-list."""
        return tuple(name for name in self.text().split(",") if name)


def number(value: int) -> bytes:
    """A uint32."""
    return value.to_bytes(4, "big")


def boolean(value: bool) -> bytes:
    """A boolean."""
    return b"\1" if value else b"\0"


def string(value: bytes | str) -> bytes:
    """A string; text is encoded in UTF-8."""
    octets = value.encode() if isinstance(value, str) else value
    return number(len(octets)) + octets


def names(values: Iterable[str]) -> bytes:
    """A name-list."""
    return string(",".join(values))


def mpint(magnitude: bytes) -> bytes:
    """A multiple precision integer that is not negative, from its octets in network byte order."""
    shortest = magnitude.lstrip(b"\0")
    return string(b"\0" + shortest if shortest and shortest[0] & 0x80 else shortest)
