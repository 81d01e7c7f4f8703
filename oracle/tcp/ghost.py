"""The ghost byte store: what an endpoint first sent at each sequence number, kept until it can no longer be resent.

The store belongs to the trace, not to a configuration of the judge: it answers one question, whether the octets of a
segment equal those first sent (RFC 9293 3.8.1: a retransmission carries the same octets).
"""

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """Octets held by all stores together, and the most they may hold."""

    limit: int
    used: int = 0


@dataclass(slots=True)
class GhostStore:
    """Octets of one direction at unwrapped sequence numbers, in disjoint ascending pieces of at most `limit` octets."""

    budget: Budget
    limit: int
    _starts: list[int] = field(default_factory=list)
    _pieces: list[bytes] = field(default_factory=list)
    _held: int = 0

    def __len__(self) -> int:
        return self._held

    def check(self, start: int, octets: bytes) -> bool:
        """Whether `octets` at `start` agree with everything first sent there; what is new is kept.

        True where nothing is known any more (released, or never captured).
        """
        starts, pieces = self._starts, self._pieces
        if not starts or start >= starts[-1] + len(pieces[-1]):
            self._insert(len(starts), start, octets)
            return True
        end = start + len(octets)
        index = max(bisect_right(starts, start) - 1, 0)
        same, at = True, start
        while at < end and index < len(starts):
            known, piece = starts[index], pieces[index]
            if known + len(piece) <= at:
                index += 1
                continue
            if known > at:  # a gap: these octets are sent for the first time
                upto = min(known, end)
                index += self._insert(index, at, octets[at - start : upto - start])
                at = upto
                continue
            upto = min(known + len(piece), end)
            same &= piece[at - known : upto - known] == octets[at - start : upto - start]
            at = upto
            index += 1
        if at < end:
            self._insert(len(starts), at, octets[at - start :])
        return same

    def _insert(self, index: int, start: int, octets: bytes) -> int:
        """Keep `octets` as piece `index`; the number of pieces added (none when the store is full)."""
        size = len(octets)
        if self._held + size > self.limit:
            return 0
        self._starts.insert(index, start)
        self._pieces.insert(index, octets)
        self._held += size
        self.budget.used += size
        return 1

    def release(self, upto: int) -> None:
        """Forget the pieces that lie wholly below `upto`."""
        gone = 0
        for start, piece in zip(self._starts, self._pieces, strict=True):
            if start + len(piece) > upto:
                break
            gone += 1
            self._held -= len(piece)
            self.budget.used -= len(piece)
        del self._starts[:gone], self._pieces[:gone]

    def clear(self) -> None:
        """Forget everything."""
        self.budget.used -= self._held
        self._held = 0
        self._starts.clear()
        self._pieces.clear()
