"""Sets of sequence ranges: what has arrived ahead of its turn.

Pure functions on tuples of (from, upto) pairs, ascending and disjoint. They work on numbers mod 2^32 and on unwrapped ones
alike: values pass through unchanged, and only distances are taken mod 2^32 (RFC 9293 section 3.4).
"""

from __future__ import annotations

Ranges = tuple[tuple[int, int], ...]

MASK = 0xFFFF_FFFF
HALF = 0x8000_0000
MOST = 1024  # ranges remembered; a peer that scatters more octets than this has the farthest forgotten


def _before(a: int, b: int) -> bool:
    return ((a - b) & MASK) >= HALF


def hold(have: Ranges | None, start: int, upto: int) -> Ranges:
    """`have` with [start, upto) added."""
    kept: list[tuple[int, int]] = []
    later: list[tuple[int, int]] = []
    for a, b in have or ():
        if _before(b, start):
            kept.append((a, b))
        elif _before(upto, a):
            later.append((a, b))
        else:
            start = a if _before(a, start) else start
            upto = b if _before(upto, b) else upto
    return (*kept, (start, upto), *later)[:MOST]


def reach(have: Ranges | None, upto: int) -> int:
    """Where `upto` gets to when everything held from there on counts as received."""
    for a, b in have or ():
        if not _before(upto, a) and _before(upto, b):
            upto = b
    return upto


def forget(have: Ranges | None, upto: int) -> Ranges | None:
    """`have` without what lies before `upto`; `None` when nothing is left."""
    if not have:
        return None
    return tuple((upto if _before(a, upto) else a, b) for a, b in have if _before(upto, b)) or None
