"""IPv4 reassembly: any order, repetitions, overlaps, and its bounds in number, octets and time."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.net.reassembly import FRAGMENT_COST, TIMEOUT, Reassembler
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.timers import Timers

KEY = (b"aaaa", b"bbbb", 17, 1)
HEADER = b"\x45" + bytes(19)
MESSAGE = bytes(index * 7 % 251 for index in range(4000))


class Bench:
    """A reassembler with what surrounds it."""

    def __init__(self, datagrams: int = 16, octets: int = 1 << 20) -> None:
        self.timers = Timers()
        self.statistics = Statistics()
        self.reported: list[bytes] = []
        self.reassembler = Reassembler(datagrams, octets, self.timers, self.statistics, self.reported.append)

    def add(self, start: int, end: int, ident: int = 1, message: bytes = MESSAGE, more: bool | None = None) -> bytes | None:
        """Octets `start..end` of the message arrive; the last ones end it unless told otherwise."""
        more = end < len(message) if more is None else more
        field = start // 8 | (0x2000 if more else 0)
        return self.reassembler.add((*KEY[:3], ident), memoryview(HEADER + message[start:end]), 20, field)

    def run(self, seconds: float) -> None:
        self.timers.run(self.timers.now + round(seconds * 1e6))


@given(st.sets(st.integers(1, 499), max_size=40), st.randoms(), st.floats(0, 0.5))
def test_fragments_join_in_any_order_with_repetitions(cuts: set[int], order: random.Random, repeat: float) -> None:
    edges = [0, *(8 * cut for cut in sorted(cuts)), len(MESSAGE)]
    pieces = list(pairwise(edges))
    order.shuffle(pieces)
    bench, wholes = Bench(), []
    for index, (start, end) in enumerate(pieces):
        wholes.append(bench.add(start, end))
        if index < len(pieces) - 1 and order.random() < repeat:
            wholes.append(bench.add(start, end))
    assert [whole for whole in wholes if whole] == [HEADER + MESSAGE]
    assert len(bench.reassembler) == 0
    assert bench.reassembler.octets == 0
    assert bench.timers.next_deadline() is None


@pytest.mark.parametrize(("start", "end"), [(8, 24), (0, 16), (0, 40), (16, 24), (16, 32), (24, 40)])
def test_an_overlap_discards_the_datagram(start: int, end: int) -> None:
    bench = Bench()
    bench.add(8, 32)
    assert bench.add(start, end) is None
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}
    assert len(bench.reassembler) == 0


@pytest.mark.parametrize(("start", "end"), [(0, 8), (32, 40)])
def test_neighbouring_fragments_do_not_overlap(start: int, end: int) -> None:
    bench = Bench()
    bench.add(8, 32)
    bench.add(start, end)
    assert not bench.statistics.drops
    assert len(bench.reassembler) == 1


def test_a_repetition_with_other_content_is_an_overlap() -> None:
    bench = Bench()
    bench.add(0, 16)
    bench.add(0, 16, message=bytes(4000))
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}


@pytest.mark.parametrize("last", [(3200, 3600), (3992, 4000)])
def test_fragments_that_disagree_about_the_end_discard_the_datagram(last: tuple[int, int]) -> None:
    bench = Bench()
    bench.add(*last, more=False)
    bench.add(2000, 2400, more=False)
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}
    bench = Bench()
    bench.add(2000, 2400, more=False)
    bench.add(2400, 2800, more=True)
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}


@pytest.mark.parametrize(
    ("start", "end", "more"),
    [(0, 0, True), (0, 9, True), (0, 12, True), (65520, 65528, False), (65528, 65536, False), (65528, 65536, True)],
)
def test_impossible_fragments_are_dropped(start: int, end: int, more: bool) -> None:
    bench = Bench()
    assert bench.add(start, end, message=bytes(66000), more=more) is None
    assert bench.statistics.drops == {"ipv4.bad_fragment": 1}
    assert len(bench.reassembler) == 0


def test_time_ends_an_unfinished_datagram_and_is_reported_only_with_its_start() -> None:
    bench = Bench()
    bench.add(0, 16, ident=1)
    bench.add(8, 16, ident=2)
    bench.run(TIMEOUT / 1e6 - 1)
    bench.add(16, 24, ident=1)
    assert len(bench.reassembler) == 2
    bench.run(1)
    assert len(bench.reassembler) == 0
    assert bench.reported == [HEADER + MESSAGE[:8]]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 400), st.integers(1, 100)), max_size=300))
def test_number_and_octets_are_bounded(fragments: list[tuple[int, int, int]]) -> None:
    bench = Bench(datagrams=8, octets=5000)
    for ident, start, count in fragments:
        bench.add(start * 8, (start + count) * 8, ident, bytes(8000), more=True)
        assert len(bench.reassembler) <= 8
        assert 0 <= bench.reassembler.octets <= 5000
    bench.run(TIMEOUT / 1e6)
    assert bench.reassembler.octets == 0


def test_the_oldest_datagram_gives_way() -> None:
    bench = Bench(datagrams=2)
    for ident in (1, 2, 3):
        bench.add(0, 2000, ident)
    assert bench.add(2000, 4000, 2) is not None
    assert bench.add(2000, 4000, 1) is None


@pytest.mark.parametrize(("held", "last"), [((2000, 2400), (0, 800)), ((2000, 2400), (1600, 2000)), ((3992, 4000), (0, 8))])
def test_an_end_before_a_piece_that_is_held_discards_the_datagram(held: tuple[int, int], last: tuple[int, int]) -> None:
    bench = Bench()
    bench.add(*held, more=True)
    assert bench.add(*last, more=False) is None
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}
    assert (len(bench.reassembler), bench.reassembler.octets) == (0, 0)


@pytest.mark.parametrize(("start", "end"), [(2400, 2800), (2408, 2416), (2000, 2408)])
def test_a_piece_beyond_the_known_end_discards_the_datagram(start: int, end: int) -> None:
    bench = Bench()
    bench.add(1600, 2000)
    bench.add(2000, 2400, more=False)
    assert bench.add(start, end, more=True) is None
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}
    assert (len(bench.reassembler), bench.reassembler.octets) == (0, 0)


@given(st.integers(1, 60), st.integers(1, 20))
def test_each_fragment_is_charged_for_itself_and_for_its_data(count: int, eights: int) -> None:
    size = 8 * eights
    bench = Bench(octets=60 * (size + FRAGMENT_COST))
    for n in range(1, count + 1):
        bench.add(2 * n * size, (2 * n + 1) * size, message=bytes(20_000), more=True)
        assert bench.reassembler.octets == n * (size + FRAGMENT_COST)
    assert not bench.statistics.drops
    bench.add(0, 8, 2, more=True)
    for n in range(count + 1, 62):
        bench.add(2 * n * size, (2 * n + 1) * size, message=bytes(20_000), more=True)
    assert bench.statistics.drops["ipv4.reassembly_full"], "tiny fragments fill the memory too"


def test_a_datagram_that_alone_is_too_much_is_given_up() -> None:
    bench = Bench(octets=2 * FRAGMENT_COST + 16)
    bench.add(0, 8)
    bench.add(16, 24)
    assert (len(bench.reassembler), bench.reassembler.octets) == (1, 2 * FRAGMENT_COST + 16)
    bench.add(32, 40)
    assert bench.statistics.drops == {"ipv4.reassembly_full": 1}
    assert (len(bench.reassembler), bench.reassembler.octets) == (0, 0)


def test_a_repetition_that_claims_to_be_the_end_is_an_overlap() -> None:
    bench = Bench()
    bench.add(0, 16, more=True)
    bench.add(0, 16, more=False)
    assert bench.statistics.drops == {"ipv4.overlapping_fragment": 1}


def test_the_memory_may_be_filled_to_its_last_octet() -> None:
    bench = Bench(octets=2 * FRAGMENT_COST + 16)
    bench.add(0, 8, 1)
    bench.add(0, 8, 2)
    assert not bench.statistics.drops
    assert len(bench.reassembler) == 2
