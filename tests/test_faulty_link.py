"""The faulty link: every frame's fate is one of those counted, and follows from the seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.device.faulty_link import Faults, FaultyLink, LinkCounters

rates = st.floats(0, 1)
faults = st.builds(
    Faults,
    loss=rates,
    duplicate=rates,
    reorder=rates,
    corrupt=rates,
    delay=st.integers(0, 5000),
    reorder_by=st.integers(0, 5000),
    queue=st.integers(1, 50),
)
gaps = st.lists(st.integers(0, 3000), max_size=40)
FOREVER = 10**12


def frame(number: int) -> bytes:
    return number.to_bytes(2, "big") + bytes(80)


def run(link: FaultyLink[bytes], gaps: list[int]) -> list[tuple[int, bytes]]:
    """Offer a numbered frame after each gap; (time, frame) of every arrival, taken at its exact time."""
    now, arrivals = 0, list[tuple[int, bytes]]()

    def take(until: int) -> None:
        while (deadline := link.next_deadline()) is not None and deadline <= until:
            due = link.due(deadline)
            assert due
            arrivals.extend((deadline, f) for f in due)

    for number, gap in enumerate(gaps):
        now += gap
        take(now)
        link.offer(frame(number), now)
    take(FOREVER)
    return arrivals


@given(gaps, st.integers(0, 5000), st.integers())
def test_a_link_without_faults_delivers_everything_once_in_order_after_its_delay(gaps: list[int], delay: int, seed: int) -> None:
    arrivals = run(FaultyLink(Faults(delay=delay), seed), gaps)
    times = [sum(gaps[: n + 1]) + delay for n in range(len(gaps))]
    assert arrivals == [(times[n], frame(n)) for n in range(len(gaps))]


@given(faults, gaps, st.integers())
def test_every_frame_is_accounted_for(faults: Faults, gaps: list[int], seed: int) -> None:
    link = FaultyLink(faults, seed)
    arrivals = run(link, gaps)
    c = link.counters
    assert c.offered == len(gaps)
    assert c.delivered == len(arrivals) == c.offered + c.duplicated - c.lost - c.dropped
    assert max(Counter(f[:2] for _, f in arrivals).values(), default=0) <= 2


@given(faults, gaps, st.integers())
def test_the_same_seed_gives_the_same_run(faults: Faults, gaps: list[int], seed: int) -> None:
    assert run(FaultyLink(faults, seed), gaps) == run(FaultyLink(faults, seed), gaps)


@given(gaps, st.integers(), rates, rates)
def test_other_faults_leave_the_losses_of_a_seed_as_they_were(gaps: list[int], seed: int, reorder: float, duplicate: float) -> None:
    def arrived(faults: Faults) -> set[bytes]:
        return {f for _, f in run(FaultyLink(faults, seed), gaps)}

    assert arrived(Faults(loss=0.3)) == arrived(Faults(loss=0.3, reorder=reorder, duplicate=duplicate))


@given(gaps, st.integers(), st.integers(1, 5000))
def test_only_reordered_frames_are_overtaken(gaps: list[int], seed: int, reorder_by: int) -> None:
    link = FaultyLink(Faults(reorder=0.4, delay=100, reorder_by=reorder_by), seed)
    arrivals = run(link, gaps)
    late = {f for t, f in arrivals if t == sum(gaps[: int.from_bytes(f[:2], "big") + 1]) + 100 + reorder_by}
    assert len(late) == link.counters.reordered
    prompt = [f for _, f in arrivals if f not in late]
    assert prompt == sorted(prompt)


@given(st.binary(min_size=0, max_size=200), st.integers())
def test_corruption_flips_one_bit_behind_the_headers(octets: bytes, seed: int) -> None:
    link = FaultyLink(Faults(corrupt=1, delay=0, spared=54), seed)
    link.offer(octets, 0)
    (arrived,) = link.due(0)
    assert arrived[:54] == octets[:54]
    flipped = int.from_bytes(arrived, "big") ^ int.from_bytes(octets, "big")
    assert flipped.bit_count() == (1 if len(octets) > 54 else 0) == link.counters.corrupted


def test_rates_are_met() -> None:
    link = FaultyLink(Faults(loss=0.1, duplicate=0.2, reorder=0.3, corrupt=0.4), seed=1)
    run(link, [0] * 4000)
    c = link.counters
    kept = c.offered - c.lost
    assert c.lost / c.offered == pytest.approx(0.1, abs=0.02)
    assert c.duplicated / kept == pytest.approx(0.2, abs=0.03)
    assert c.reordered / kept == pytest.approx(0.3, abs=0.03)
    assert c.corrupted / kept == pytest.approx(0.4, abs=0.03)


def test_a_full_link_drops_what_comes_next() -> None:
    link = FaultyLink(Faults(delay=10, queue=3), seed=1)
    for number in range(5):
        link.offer(frame(number), 0)
    assert link.due(9) == []
    assert link.due(10) == [frame(0), frame(1), frame(2)]
    assert link.counters == LinkCounters(offered=5, dropped=2, delivered=3)
    assert link.next_deadline() is None


@pytest.mark.parametrize("wrong", [{"loss": 1.5}, {"duplicate": -0.1}, {"delay": -1}, {"queue": -1}])
def test_impossible_faults_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)  # type: ignore[arg-type]


def test_counters_add_up() -> None:
    assert LinkCounters(offered=1, lost=2) + LinkCounters(offered=3, delivered=4) == LinkCounters(4, 2, delivered=4)
