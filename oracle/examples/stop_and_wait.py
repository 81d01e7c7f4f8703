"""Stop-and-wait datagrams (spec/examples/stop_and_wait.law) for the judge.

The judge reads the octets for itself and shares no code with what it judges. A datagram is one octet of kind, the block's number
in four octets (big-endian), and for blocks the block.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from wirelaw.oracle.adapter import DatagramAdapter

_HEADER = struct.Struct("!BI")
_DATA, _LAST, _ACK = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Data:
    """A block. `same` is the fact that a copy holds the octets of the first sending; true where nobody can tell."""

    number: int
    last: bool
    same: bool = True


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgment."""

    number: int


class Adapter(DatagramAdapter):
    """One transfer. Keeps a digest of the newest block, in constant memory."""

    def __init__(self) -> None:
        self._newest = 0
        self._digest = b""

    def decode(self, octets: bytes) -> tuple[str, object] | None:
        """`data` or `ack`."""
        if len(octets) < _HEADER.size:
            return None
        kind, number = _HEADER.unpack_from(octets)
        block = octets[_HEADER.size :]
        if kind == _ACK and not block:
            return "ack", Ack(number)
        if kind in {_DATA, _LAST}:
            return "data", Data(number, kind == _LAST, self._is_same(number, block))
        return None

    def encode(self, kind: str, message: Any) -> bytes:
        """The block of a `data` follows from its number; one that is not the `same` holds other octets."""
        if kind == "ack":
            return _HEADER.pack(_ACK, message.number)
        block = b"block %d" % message.number if message.same else b"other octets"
        return _HEADER.pack(_LAST if message.last else _DATA, message.number) + block

    def begins(self, kind: str, message: Any) -> bool:
        """A transfer begins with block 1."""
        return kind == "data" and message.number == 1

    def _is_same(self, number: int, block: bytes) -> bool:
        digest = blake2b(block, digest_size=16).digest()
        if number > self._newest:
            self._newest, self._digest = number, digest
        return number != self._newest or digest == self._digest
