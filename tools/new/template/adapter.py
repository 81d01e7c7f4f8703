"""How datagrams of NAME look: octets to messages of the law, and back. No decision stands here.

    wirelaw judge x.pcap --law law --adapter adapter.py

A datagram is one octet of kind, the number in four octets (big-endian), and text.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace

from wirelaw.oracle.adapter import DatagramAdapter

HEADER = struct.Struct("!BI")
QUESTION, ANSWER = 1, 2


class Adapter(DatagramAdapter):
    """One conversation. Keeps the text of the newest question, to see whether an answer is right."""

    def __init__(self) -> None:
        self.asked: dict[int, bytes] = {}

    def decode(self, octets: bytes) -> tuple[str, object] | None:
        """`question` or `answer` with its fields; None for what is neither."""
        if len(octets) < HEADER.size:
            return None
        kind, number = HEADER.unpack_from(octets)
        text = octets[HEADER.size :]
        if kind == QUESTION:
            self.asked = {number: text}
            return "question", SimpleNamespace(id=number)
        if kind == ANSWER:
            return "answer", SimpleNamespace(id=number, right=text == self.asked.get(number, text).upper())
        return None

    def encode(self, kind: str, message: object) -> bytes:
        """The octets of a message that a tester sends."""
        fields = vars(message)
        if kind == "question":
            return HEADER.pack(QUESTION, fields["id"]) + b"what is %d" % fields["id"]
        text = self.asked.get(fields["id"], b"")
        return HEADER.pack(ANSWER, fields["id"]) + (text.upper() if fields["right"] else b"nonsense")

    def begins(self, kind: str, message: object) -> bool:
        """A conversation begins with a question."""
        return kind == "question"
