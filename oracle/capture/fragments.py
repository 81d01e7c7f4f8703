"""IP fragments of a capture joined to what was sent (RFC 791 3.2, RFC 8200 4.5), bounded in datagrams, octets and time."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

TIMEOUT_US = 30_000_000
"""How long the rest of a datagram may take: identifications are used again."""


@dataclass(slots=True)
class _Pieces:
    """What is there of one datagram."""

    began_us: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    total: int | None = None
    held: int = 0


class Fragments:
    """Joins fragments; `on_lost` is told the key of each datagram that is given up incomplete."""

    def __init__(self, on_lost: Callable[[Hashable], None], datagrams: int = 256, octets: int = 4 << 20) -> None:
        self._on_lost = on_lost
        self._datagrams = datagrams
        self._octets = octets
        self._waiting: dict[Hashable, _Pieces] = {}
        self.held = 0
        """Octets held."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Hashable, start: int, more: bool, data: bytes, now: int) -> bytes | None:
        """Take the fragment `data` at octet `start`, captured at `now` µs; the whole payload once nothing is missing.

        A repetition is ignored; pieces that contradict each other end the datagram.
        """
        waiting = self._waiting.get(key)
        if waiting is not None and now - waiting.began_us > TIMEOUT_US:
            self._lose(key)
            waiting = None
        if waiting is None:
            waiting = self._waiting[key] = _Pieces(now)
        if start in waiting.pieces:
            if waiting.pieces[start] != data:
                self._lose(key)
            return None
        waiting.pieces[start] = data
        waiting.held += len(data)
        self.held += len(data)
        if not more:
            waiting.total = start + len(data)
        whole = _joined(waiting)
        if whole is not None:
            self._forget(key)
        while len(self._waiting) > self._datagrams or self.held > self._octets:
            self._lose(next(iter(self._waiting)))
        return whole

    def _lose(self, key: Hashable) -> None:
        self._forget(key)
        self._on_lost(key)

    def _forget(self, key: Hashable) -> None:
        self.held -= self._waiting.pop(key).held


def _joined(waiting: _Pieces) -> bytes | None:
    if waiting.held != waiting.total:
        return None
    at, parts = 0, []
    for start in sorted(waiting.pieces):
        if start != at:
            return None
        parts.append(waiting.pieces[start])
        at += len(parts[-1])
    return b"".join(parts)
