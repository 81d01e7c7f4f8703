"""Send and receive buffers of a byte stream against plain models."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from wirelaw.impl.net.buffers import BLOCK, LEAST, Memory, ReceiveBuffer, SendBuffer

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
        self.ahead: set[int] = set()

    @rule(offset=st.integers(0, CAPACITY), length=st.integers(0, 3000))
    def stash(self, offset: int, length: int) -> None:
        start = self.edge + offset
        end = min(start + length, self.read_to + CAPACITY)
        if end > start:
            self.buffer.stash(offset, STREAM[start:end])
            self.ahead.update(range(start, end))

    @rule(length=st.integers(0, 9000))
    def deliver(self, length: int) -> None:
        start = self.edge
        upto = end = min(start + length, self.read_to + CAPACITY)
        while upto in self.ahead:
            upto += 1
        self.buffer.deliver(STREAM[start:end], upto - start)
        self.ahead -= set(range(start, upto))
        self.edge = upto

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

    @invariant()
    def memory_is_what_is_held_and_no_block_is_kept_for_nothing(self) -> None:
        blocks = {position // BLOCK for position in self.ahead}
        first = max((len(piece) for piece in self.buffer._pieces), default=0)
        assert self.buffer.readable + BLOCK * len(blocks) <= self.buffer.memory
        assert self.buffer.memory <= self.buffer.readable + first + BLOCK * (len(blocks) + 1)


TestSendBuffer = SendModel.TestCase
TestReceiveBuffer = ReceiveModel.TestCase
for case in (TestSendBuffer, TestReceiveBuffer):
    case.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("stashed", [None, 3, 2 * BLOCK])
def test_octets_never_written_are_not_in_order(stashed: int | None) -> None:
    buffer = ReceiveBuffer(5 * BLOCK)
    if stashed is not None:
        buffer.stash(stashed, b"x")
    with pytest.raises(ValueError, match=r"not all there|never written"):
        buffer.deliver(b"abc", (stashed or 3) + 2)


def test_small_pieces_are_joined_and_one_that_is_read_whole_is_not_copied() -> None:
    buffer = ReceiveBuffer(1 << 20)
    for at in range(1000):
        buffer.deliver(STREAM[at : at + 1], 1)
    assert len(buffer._pieces) == 1
    assert buffer.read(2000) == STREAM[:1000]
    buffer.deliver(bytes(BLOCK), BLOCK)
    assert buffer.read(BLOCK) is not None
    buffer.deliver(bytes(BLOCK), BLOCK)
    assert buffer.peek(BLOCK) is buffer.peek(BLOCK)


@given(st.integers(0, (1 << 30) - 1))
def test_an_octet_costs_a_block_wherever_it_lies(offset: int) -> None:
    buffer = ReceiveBuffer(1 << 30)
    buffer.stash(offset, b"x")
    assert buffer.memory == BLOCK
    assert sys.getsizeof(buffer._store[offset // BLOCK]) < BLOCK + 200


def test_what_nobody_reads_is_not_kept() -> None:
    buffer = ReceiveBuffer(1 << 20)
    buffer.deliver(bytes(5000), 5000)
    buffer.discard()
    assert (buffer.readable, buffer.memory) == (0, 0)
    buffer.stash(10, bytes(10))
    buffer.deliver(bytes(10), 20)
    assert (buffer.readable, buffer.memory) == (0, 0)


def test_an_emptied_send_buffer_gives_its_memory_back() -> None:
    buffer = SendBuffer(1 << 20)
    buffer.append(bytes(100_000))
    buffer.trim()
    assert buffer.memory >= 100_000
    buffer.release(100_000)
    buffer.trim()
    assert buffer.memory == 0
    assert buffer.append(b"again") == 5
    assert b"".join(buffer.slices(0, 5)) == b"again"


@given(octets=st.integers(0, 1 << 30), claims=st.integers(1, 400))
def test_shares_get_smaller_and_only_the_least_is_had_beyond_the_whole(octets: int, claims: int) -> None:
    memory, last = Memory(octets), 1 << 40
    for _ in range(claims):
        share = memory.share(0)
        assert LEAST <= share <= last
        memory.used, last = memory.used + share, share
    assert memory.used <= octets + claims * LEAST


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
