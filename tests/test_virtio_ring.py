"""The split virtqueue: order, wrap of the 16-bit indices, notification suppression, and a device that lies."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.device.memory import DeviceQueue
from wirelaw.impl.device.ring import Ring, event_due

BASE = 0x40000000


class Bench:
    """A ring with its device side, and the plain queue both are compared with."""

    def __init__(self, size: int, *, first: int = 0, event_idx: bool = True, device_writes: bool = True) -> None:
        self.memory = memoryview(bytearray(Ring.footprint(size, 64)))
        self.ring = Ring(self.memory, BASE, 0, size, 64, device_writes=device_writes, event_idx=event_idx, first=first)
        offsets = [a - BASE for a in (self.ring.desc_address, self.ring.avail_address, self.ring.used_address)]
        self.queue = DeviceQueue(self.memory, BASE, size, *offsets, event_idx=event_idx, first=first)
        self.waiting: deque[int] = deque()  # posted, not yet taken by the device
        self.used: deque[tuple[int, int]] = deque()  # returned by the device, not yet reaped
        self.awake = False  # the device was kicked and has not gone to sleep again

    def post(self, count: int) -> None:
        for _ in range(min(count, len(self.ring.free))):
            index = self.ring.free.pop()
            self.ring.post(index)
            self.waiting.append(index)
        self.awake |= self.ring.publish()

    def serve(self, count: int) -> bool:
        """The device takes up to `count` chains and, when none is left, sleeps. True: it interrupts."""
        for _ in range(count):
            chain = self.queue.take()
            if chain is None:
                break
            assert chain.head == self.waiting.popleft()
            length = chain.head % 64
            self.queue.put(chain.head, length)
            self.used.append((chain.head, length))
        self.awake = bool(self.waiting)
        return self.queue.publish()

    def reap(self, limit: int) -> None:
        reaped = self.ring.reap(limit)
        assert reaped == [self.used.popleft() for _ in range(min(limit, len(self.used)))]
        self.ring.free.extend(index for index, _ in reaped)


steps = st.lists(st.tuples(st.sampled_from(["post", "serve", "reap"]), st.integers(1, 9)), max_size=60)


@given(steps, st.sampled_from([1, 2, 8]), st.integers(0, 0xFFFF), st.booleans())
def test_descriptors_come_back_once_in_order_with_their_lengths(script, size, first, event_idx):
    bench = Bench(size, first=first, event_idx=event_idx)
    for action, count in script:
        getattr(bench, action)(count)
        assert bench.ring.broken is None
        assert len(bench.ring.free) + len(bench.waiting) + len(bench.used) == size
        assert bench.ring.outstanding == len(bench.waiting) + len(bench.used)
        assert bench.ring.pending() == bool(bench.used)
        assert bench.ring.lagging() == bool(bench.waiting)


@given(steps, st.integers(0, 0xFFFF), st.booleans())
def test_a_sleeping_device_is_kicked_when_there_is_work(script, first, event_idx):
    bench = Bench(8, first=first, event_idx=event_idx)
    bench.serve(0)
    for action, count in script:
        if action == "serve" and not bench.awake:
            continue
        # A device goes to sleep only when nothing is left.
        getattr(bench, action)(8 if action == "serve" else count)
        assert bench.awake or not bench.waiting


@given(st.integers(0, 0xFFFF), st.integers(1, 8), st.booleans())
def test_an_armed_driver_is_interrupted_at_the_first_return_only(first, count, event_idx):
    bench = Bench(8, first=first, event_idx=event_idx)
    bench.post(8)
    assert not bench.ring.arm()
    assert bench.serve(count)
    assert bench.ring.arm()
    bench.reap(8)
    bench.ring.disarm()
    assert not bench.serve(8)
    bench.reap(8)
    bench.post(8)
    assert not bench.ring.arm()
    assert bench.serve(1)


def test_arming_tells_of_a_return_that_came_before():
    bench = Bench(4)
    bench.post(4)
    bench.serve(1)
    assert bench.ring.arm()


def test_indices_wrap_in_a_long_run():
    bench = Bench(16, device_writes=False)
    total = 0
    while total < 0x10000 + 100:
        bench.post(16)
        bench.serve(16)
        bench.reap(16)
        total += 16
    assert len(bench.ring.free) == 16


@given(st.integers(0, 0xFFFF), st.integers(1, 300), st.integers(0, 0xFFFF))
def test_event_index_means_some_step_passes_the_event(old, steps_made, event):
    new = (old + steps_made) & 0xFFFF
    passed = {(old + step) & 0xFFFF for step in range(steps_made)}
    assert event_due(event, new, old) == (event in passed)


def test_a_missed_kick_is_owed_until_made():
    bench = Bench(8)
    bench.serve(0)  # the device sleeps, asking for a kick at index 0
    bench.memory[bench.ring.used_address - BASE + 4 + 8 * 8] = 5  # the driver reads a stale avail_event
    bench.post(1)
    assert not bench.awake
    bench.memory[bench.ring.used_address - BASE + 4 + 8 * 8] = 0  # and the truth arrives late
    assert bench.ring.owes_kick()
    assert not bench.ring.owes_kick()


@pytest.mark.parametrize(
    ("head", "length", "jump", "words"),
    [
        (999, 4, 0, "descriptor 999 is not outstanding"),
        (0xFFFF_FFFF, 4, 0, "is not outstanding"),
        (0, 65, 0, "used length 65 exceeds"),
        (0, 0xFFFF_FFFF, 0, "exceeds the buffer"),
        (7, 4, 0, "descriptor 7 is not outstanding"),
        (0, 4, 1000, "used index jumped by 1001"),
        (0, 4, 0x8000, "used index jumped"),
        (0, 4, 0xFFFF - 1, "used index jumped"),
    ],
)
def test_an_impossible_used_entry_breaks_the_ring_and_nothing_else(head, length, jump, words):
    bench = Bench(8)
    bench.post(3)  # descriptors 0, 1, 2
    bench.queue.take()
    bench.queue.put(head, length)
    bench.queue.publish(jump)
    assert bench.ring.reap(8) == []
    assert bench.ring.broken is not None
    assert words in bench.ring.broken
    assert not bench.ring.pending()
    assert bench.ring.reap(8) == []


def test_a_descriptor_returned_twice_breaks_the_ring_after_the_good_entry():
    bench = Bench(8)
    bench.post(3)
    for _ in range(2):
        bench.queue.put(1, 10)
    bench.queue.publish()
    assert bench.ring.reap(8) == [(1, 10)]
    assert bench.ring.broken == "used descriptor 1 is not outstanding"


@settings(max_examples=200)
@given(st.binary(min_size=70, max_size=70), st.integers(0, 8))
def test_no_content_of_the_used_ring_raises(content, posted):
    bench = Bench(8)
    bench.post(posted)
    start = bench.ring.used_address - BASE
    bench.memory[start : start + len(content)] = content
    for _ in range(3):
        for index, length in bench.ring.reap(64):
            assert index < 8
            assert length <= 64
        bench.ring.publish()
        bench.ring.arm()
        bench.ring.owes_kick()


@pytest.mark.parametrize(("size", "offset"), [(0, 0), (3, 0), (65536, 0), (8, 1), (8, 4096), (64, 0)])
def test_a_ring_that_cannot_be_laid_out_is_refused(size, offset):
    memory = memoryview(bytearray(Ring.footprint(8, 64)))
    with pytest.raises(ValueError, match="ring"):
        Ring(memory, BASE, offset, size, 64, device_writes=True, event_idx=True)
