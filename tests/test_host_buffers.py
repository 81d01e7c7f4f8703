"""Send and receive buffers of a byte stream against plain models."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from wirelaw.impl.net.buffers import HELD_RANGES, ReceiveBuffer, SendBuffer

CAPACITY = 10_000
STREAM = bytes(index * 7 % 251 for index in range(400_000))


class SendModel(RuleBasedStateMachine):
    """A send buffer against a bytes object."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = SendBuffer(CAPACITY)
        self.model = b""
        self.written = 0

    @rule(count=st.integers(0, 6000))
    def append(self, count: int) -> None:
        data = STREAM[self.written : self.written + count]
        accepted = self.buffer.append(data)
        assert accepted == min(len(data), CAPACITY - len(self.model))
        self.model += data[:accepted]
        self.written += accepted

    @precondition(lambda self: self.model)
    @rule(fraction=st.floats(0, 1))
    def release(self, fraction: float) -> None:
        count = round(fraction * len(self.model))
        self.buffer.release(count)
        self.model = self.model[count:]

    @rule(offset=st.integers(0, CAPACITY), length=st.integers(0, CAPACITY))
    def slices(self, offset: int, length: int) -> None:
        pieces = self.buffer.slices(offset, length)
        assert len(pieces) <= 2
        assert b"".join(pieces) == self.model[offset : offset + length]

    @invariant()
    def counts(self) -> None:
        assert len(self.buffer) == len(self.model)
        assert self.buffer.space == CAPACITY - len(self.model)


class ReceiveModel(RuleBasedStateMachine):
    """A receive buffer against the set of stream positions it must have."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = ReceiveBuffer(CAPACITY)
        self.read_to = 0
        self.edge = 0
        self.have: set[int] = set()

    @rule(offset=st.integers(-3000, CAPACITY + 500), length=st.integers(0, 3000))
    def insert(self, offset: int, length: int) -> None:
        start = max(0, self.edge + offset)
        before = self.edge
        moved = self.buffer.insert(start - before, STREAM[start : start + length])
        limit = self.read_to + CAPACITY
        self.have.update(range(max(start, self.edge), min(start + length, limit)))
        while self.edge in self.have:
            self.have.remove(self.edge)
            self.edge += 1
        assert moved == self.edge - before

    @rule(count=st.integers(0, CAPACITY), into=st.booleans())
    def read(self, count: int, into: bool) -> None:
        expected = STREAM[self.read_to : min(self.read_to + count, self.edge)]
        if into:
            target = bytearray(count)
            data = bytes(target[: self.buffer.readinto(target)])
        else:
            assert self.buffer.peek(count) == expected
            data = self.buffer.read(count)
        assert data == expected
        self.read_to += len(data)

    @invariant()
    def counts(self) -> None:
        assert self.buffer.readable == self.edge - self.read_to
        assert self.buffer.space == CAPACITY - self.buffer.readable
        held = self.buffer.held
        assert {self.edge + place for start, end in held for place in range(start, end)} == self.have
        ordered = sorted(held)
        assert all(one[1] < other[0] for one, other in pairwise(ordered))


TestSendBuffer = SendModel.TestCase
TestReceiveBuffer = ReceiveModel.TestCase
for case in (TestSendBuffer, TestReceiveBuffer):
    case.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_first_copy_of_an_octet_is_the_one_delivered() -> None:
    buffer = ReceiveBuffer(100)
    buffer.insert(2, b"CD")
    assert buffer.insert(0, b"abXXef") == 6
    assert buffer.read(10) == b"abCDef"


def test_most_recent_range_comes_first() -> None:
    buffer = ReceiveBuffer(1000)
    for offset in (10, 30, 50):
        buffer.insert(offset, b"12345")
    assert buffer.held == ((50, 55), (30, 35), (10, 15))
    buffer.insert(15, b"x")
    assert buffer.held[0] == (10, 16)


def test_number_of_held_ranges_is_bounded() -> None:
    buffer = ReceiveBuffer(100_000)
    for index in range(1000):
        buffer.insert(10 + 2 * index, b"x")
    assert len(buffer.held) == HELD_RANGES
    assert buffer.insert(0, bytes(10)) == 11


def test_an_idle_buffer_of_large_capacity_is_small() -> None:
    buffer = ReceiveBuffer(1 << 30)
    buffer.insert(0, b"hello")
    assert sys.getsizeof(buffer._store._octets) < 10_000


@given(st.integers(-5, 200))
def test_release_of_more_than_held_is_refused(count: int) -> None:
    buffer = SendBuffer(100)
    buffer.append(bytes(50))
    if 0 <= count <= 50:
        buffer.release(count)
        assert len(buffer) == 50 - count
    else:
        with pytest.raises(ValueError, match="cannot release"):
            buffer.release(count)
