"""A sound stack behind a wire that lies: one of its segments is changed, doubled, followed by another, or never comes.

What its tester then sees breaks the law in a known way, so that it must come to a finding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from wirelaw.conformance.peer import Ends, Session, build_frame, ports
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.impl.wire.tcp import Segment, parse_segment

_IPV4 = 34
_NUMBERS = {"seq": 1 << 32, "ack": 1 << 32, "wnd": 1 << 16, "tsval": 1 << 32, "tsecr": 1 << 32, "wscale": 256}
_FLAGS = ("syn", "fin", "rst", "ackf", "tson", "has_mss", "has_wscale", "sack_ok", "ece")


@dataclass(frozen=True, slots=True)
class Lie:
    """What happens to the peer's segment number `at` (from 1): `how` is a word, as a file of witnesses has it.

    `mute`: nothing comes from then on. `lost`: this one does not come. `damaged`: its checksum is wrong. `text`: its text is
    another. `FIELD+N`, `FIELD-N`: a number is off. `flag:NAME`: a flag or option is there that was not, or the other way round.
    `then:rst`, `then:ack`, `then:fin`, `then:text`: a segment of that sort follows. `answer:rst`, `answer:ack`: the same, as an
    answer to the tester's segment number `at`, before any other.
    """

    at: int
    how: str

    def __str__(self) -> str:
        return f"{self.at} {self.how}"


def lies() -> tuple[str, ...]:
    """Every way to lie about a segment that is there."""
    numbers = [f"{name}{by}" for name in ("seq", "ack", "tsval", "tsecr") for by in ("+1", "-1", "+100", "-100", "+100000", "-100000")]
    others = ["wscale+15", "wnd-1000", "wnd-60000", "wnd+1000"]
    return ("mute", "lost", "damaged", "text", *numbers, *others, *(f"flag:{f}" for f in _FLAGS), *(f"then:{t}" for t in _EXTRA))


ANSWERS = ("answer:rst", "answer:ack")
_EXTRA = ("rst", "ack", "fin", "text", "syn")


def _changed(s: Segment, how: str) -> Segment:
    if how.startswith("flag:"):
        name = how[5:]
        turned = replace(s)
        setattr(turned, name, not getattr(s, name))
        return turned
    if how == "text":
        return replace(s, payload=bytes(255 - octet for octet in bytes(s.payload)))
    name = next(n for n in _NUMBERS if how.startswith(n) and how[len(n)] in "+-")
    return replace(s, **{name: (getattr(s, name) + int(how[len(name) :])) % _NUMBERS[name]})


def _extra(s: Segment, what: str) -> Segment:
    bare = replace(s, seq=(s.seq + s.len + s.syn + s.fin) % (1 << 32), syn=False, fin=False, psh=False, len=0, payload=b"",
                   has_mss=False, has_wscale=False, sack_ok=False)  # fmt: skip
    match what:
        case "rst":
            return replace(bare, rst=True)
        case "fin":
            return replace(bare, fin=True)
        case "text":
            return replace(bare, len=1, payload=b"x")
        case "syn":
            return replace(bare, syn=True)
    return bare


class LiarPeer(WirelawPeer):
    """Our own stack in virtual time, about one of whose segments `lie` is told in each connection."""

    def __init__(self, lie: Lie | None, seed: int = 0) -> None:
        super().__init__(seed)
        self._lie = lie
        self._sent = self._heard = 0
        self._ends: Ends | None = None
        self._said: list[bytes] = []
        self._asking = False

    def open(self, buffer: int = 0) -> Session:
        session = super().open(buffer)
        self._sent = self._heard = 0
        turned = Ends(session.ends.tester, session.ends.peer)
        self._ends = turned
        return session

    def transmit(self, frame: bytes) -> None:
        self._heard += 1
        lie = self._lie
        if lie is not None and lie.how.startswith("answer:") and self._heard == lie.at:
            s = _parsed(frame)
            if s is not None:
                seq, ack = (s.ack if s.ackf else 0), (s.seq + s.len + s.syn + s.fin) % (1 << 32)
                reply = Segment(seq=seq, ack=ack, ackf=lie.how != "answer:rst" or not s.ackf, rst=lie.how == "answer:rst")
                self._said.append(self._built(reply, True))
        super().transmit(frame)

    def _frames(self) -> list[tuple[int, bytes]]:
        if self._asking:  # answering a question for an address asks for the frames that waited for it
            return super()._frames()
        said = [(self.now(), f) for f in self._said]
        self._said.clear()
        self._asking = True
        frames = super()._frames()
        self._asking = False
        told: list[tuple[int, bytes]] = []
        for at, frame in frames:
            told += [(at, f) for f in (self._told(frame) if ports(frame) is not None else [frame])]
        return said + told

    def _told(self, frame: bytes) -> list[bytes]:
        self._sent += 1
        lie, s = self._lie, _parsed(frame)
        if lie is None or s is None or lie.how.startswith("answer:"):
            return [frame]
        if lie.how == "mute" and self._sent >= lie.at:
            return []
        if self._sent != lie.at:
            return [frame]
        if lie.how == "lost":
            return []
        if lie.how == "damaged":
            return [self._built(s, False)]
        if lie.how.startswith("then:"):
            return [frame, self._built(_extra(s, lie.how[5:]), True)]
        return [self._built(_changed(s, lie.how), True)]

    def _built(self, s: Segment, sum_ok: bool) -> bytes:
        assert self._ends is not None
        return build_frame(self._ends, s, sum_ok)


def _parsed(frame: bytes) -> Segment | None:
    (length,) = struct.unpack_from("!H", frame, 16)
    s = parse_segment(memoryview(frame)[_IPV4 : 14 + length], b"", b"", False)
    return replace(s, payload=bytes(s.payload)) if s is not None else None
