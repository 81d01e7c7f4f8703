"""Where unpredictable numbers come from: the operating system, or a seed when a run must be repeatable."""

import random
import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of random numbers. Hosts on a real network must use one that nobody can predict (RFC 6056, RFC 7739)."""

    def below(self, bound: int) -> int:
        """A number in `range(bound)`."""

    def octets(self, count: int) -> bytes:
        """`count` random octets."""


class SystemEntropy:
    """Numbers from the operating system's cryptographic generator."""

    def below(self, bound: int) -> int:
        return secrets.randbelow(bound)

    def octets(self, count: int) -> bytes:
        return secrets.token_bytes(count)


class SeededEntropy:
    """Numbers fully determined by `seed`: for virtual hosts, whose runs can then be repeated exactly."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)


class Permutation16:
    """All 16-bit numbers in an unpredictable order, none twice before all were used: datagram identifications.

    A counter is run through a small Feistel network keyed by `entropy`, so that uniqueness needs no memory of the past
    and the next number does not follow from those seen (RFC 7739 section 5.4 describes the idea).
    """

    def __init__(self, entropy: Entropy) -> None:
        self._rounds = tuple(entropy.octets(256) for _ in range(4))
        self._counter = entropy.below(1 << 16)

    def next(self) -> int:
        """The next number, 0..65535."""
        self._counter = self._counter + 1 & 0xFFFF
        left, right = divmod(self._counter, 256)
        for table in self._rounds:
            left, right = right, left ^ table[right]
        return left << 8 | right
