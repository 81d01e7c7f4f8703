"""Lease datagrams (spec/examples/lease.law) for the judge: one octet of kind, the client's number in four (big-endian)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from wirelaw.oracle.adapter import DatagramAdapter

_LAYOUT = struct.Struct("!BI")
KINDS: Final = ("request", "leave", "grant", "refusal", "expired")


@dataclass(frozen=True, slots=True)
class Message:
    """Any message of the protocol: all speak of one client."""

    client: int


class Adapter(DatagramAdapter):
    """One conversation with a server."""

    def decode(self, octets: bytes) -> tuple[str, object] | None:
        """The kind is the octet's place in `KINDS`."""
        if len(octets) != _LAYOUT.size or octets[0] >= len(KINDS):
            return None
        kind, client = _LAYOUT.unpack(octets)
        return KINDS[kind], Message(client)

    def encode(self, kind: str, message: Any) -> bytes:
        """The five octets."""
        return _LAYOUT.pack(KINDS.index(kind), message.client)
