"""Send and receive buffers of a byte stream against plain models."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from wirelaw.impl.net.buffers import ReceiveBuffer, SendBuffer

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

    @rule(offset=st.integers(0, CAPACITY), length=st.integers(0, 3000))
    def write(self, offset: int, length: int) -> None:
        start = self.edge + offset
        end = min(start + length, self.read_to + CAPACITY)
        if end > start:
            self.buffer.write(offset, STREAM[start:end])
            self.have.update(range(start, end))

    @rule()
    def advance(self) -> None:
        before = self.edge
        while self.edge in self.have:
            self.have.remove(self.edge)
            self.edge += 1
        self.buffer.advance(self.edge - before)

    @rule(count=st.integers(0, CAPACITY))
    def read(self, count: int) -> None:
        expected = STREAM[self.read_to : min(self.read_to + count, self.edge)]
        assert self.buffer.peek(count) == expected
        data = self.buffer.read(count)
        assert data == expected
        self.read_to += len(data)

    @invariant()
    def counts(self) -> None:
        assert self.buffer.readable == self.edge - self.read_to
        assert self.buffer.space == CAPACITY - self.buffer.readable


TestSendBuffer = SendModel.TestCase
TestReceiveBuffer = ReceiveModel.TestCase
for case in (TestSendBuffer, TestReceiveBuffer):
    case.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_octets_never_written_are_not_in_order() -> None:
    buffer = ReceiveBuffer(100)
    buffer.write(0, b"abc")
    with pytest.raises(ValueError, match="not all there"):
        buffer.advance(4)


def test_an_idle_buffer_of_large_capacity_is_small() -> None:
    buffer = ReceiveBuffer(1 << 30)
    buffer.write(0, b"hello")
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
