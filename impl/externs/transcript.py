"""The handshake transcript of TLS 1.3 as a value, and the questions that the tables ask about lists of code points.

Everything here is pure: a row advances `tr = absorb(tr, m.raw)`; what enters the transcript is thereby decided by rows.
Source: RFC 9846 section 4.1 (section 4.4.1 of RFC 8446).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# The hash that each cipher suite of RFC 9846 appendix B.4 names.
HASH_OF: Final = {0x1301: "sha256", 0x1302: "sha384", 0x1303: "sha256", 0x1304: "sha256", 0x1305: "sha256"}
MESSAGE_HASH: Final = 254  # handshake type of the synthetic message that stands for the first ClientHello


@dataclass(frozen=True, slots=True)
class Transcript:
    """All handshake messages so far. `pending`: those before a cipher suite named the hash; `digest`: the hash since."""

    pending: bytes = b""
    algorithm: str = ""
    digest: bytes = b""
    _running: Any = field(default=None, compare=False, repr=False)


def absorb(tr: Transcript | None, raw: bytes) -> Transcript:
    """`tr` (None: the empty one) and one more handshake message, `raw` with its header of four bytes."""
    before = tr or Transcript()
    if not before.algorithm:
        return Transcript(before.pending + raw)
    running = before._running.copy()
    running.update(raw)
    return Transcript(b"", before.algorithm, running.digest(), running)


def keyed(tr: Transcript | None, suite: int) -> Transcript:
    """`tr` hashed with what cipher suite `suite` names; unchanged where that is settled already. KeyError: no TLS 1.3 suite."""
    before = tr or Transcript()
    if before.algorithm:
        return before
    running = hashlib.new(HASH_OF[suite], before.pending)
    return Transcript(b"", HASH_OF[suite], running.digest(), running)


def restarted(tr: Transcript | None, suite: int) -> Transcript:
    """The transcript at a HelloRetryRequest: a `message_hash` message in place of the first ClientHello."""
    first = keyed(tr, suite).digest
    synthetic = bytes([MESSAGE_HASH, 0, 0, len(first)]) + first
    return keyed(Transcript(synthetic), suite)


def same_hash(suite: int, other: int) -> bool:
    """True when both cipher suites name the same hash; false where one is no TLS 1.3 suite."""
    return suite in HASH_OF and HASH_OF[suite] == HASH_OF.get(other)


def distinct(items: Sequence[int] | None) -> bool:
    """True when no item stands twice in the list; a message without the list has none."""
    return items is None or len(set(items)) == len(items)


def subset(some: Sequence[int] | None, others: Sequence[int] | None) -> bool:
    """True when every item of `some` is one of `others`."""
    return set(some or ()) <= set(others or ())


def without(items: Sequence[int] | None, item: int) -> tuple[int, ...]:
    """The list with `item` left out."""
    return tuple(x for x in items or () if x != item)


def last(items: Sequence[int] | None) -> int:
    """The last item of the list; 0 for an empty list."""
    return items[-1] if items else 0


def in_order(some: Sequence[int] | None, others: Sequence[int] | None) -> bool:
    """True when `some` is `others` with items left out: all are there, and in the same order."""
    rest = iter(others or ())
    return all(x in rest for x in some or ())
