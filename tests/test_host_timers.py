"""Timers on a clock passed in, and the numbers drawn by entropy sources."""

from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.runtime.entropy import Permutation16, SeededEntropy, SystemEntropy
from wirelaw.impl.runtime.timers import Timers


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=40), st.integers(0, 60))
def test_due_timers_fire_in_order_and_cancelled_ones_never(plan: list[tuple[int, bool]], now: int) -> None:
    timers, fired = Timers(), []
    created = [timers.at(when, lambda entry=(when, index): fired.append(entry)) for index, (when, _) in enumerate(plan)]
    for timer, (_, cancel) in zip(created, plan, strict=True):
        if cancel:
            timer.cancel()
    live = sorted((when, index) for index, (when, cancel) in enumerate(plan) if not cancel)
    assert len(timers) == len(live)
    assert timers.next_deadline() == (live[0][0] if live else None)
    assert timers.run(now) == len(fired)
    assert fired == [entry for entry in live if entry[0] <= now]
    assert all(not timer.pending for timer, (when, _) in zip(created, plan, strict=True) if when <= now)


def test_a_timer_set_by_a_timer_fires_in_the_same_run_when_due() -> None:
    timers, fired = Timers(), []
    timers.at(5, lambda: timers.at(7, lambda: fired.append(timers.now)))
    assert timers.run(10) == 2
    assert fired == [10]


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    for when in range(100_000):
        timers.at(when, lambda: None).cancel()
    assert len(timers._heap) < 200


def test_identifications_do_not_repeat_before_all_were_used() -> None:
    idents = Permutation16(SeededEntropy(1))
    first = [idents.next() for _ in range(65536)]
    assert sorted(first) == list(range(65536))
    assert first[:100] != sorted(first[:100])
    again = Permutation16(SeededEntropy(2))
    assert [again.next() for _ in range(100)] != first[:100]


def test_seeded_entropy_repeats_and_system_entropy_does_not() -> None:
    assert SeededEntropy(3).octets(8) == SeededEntropy(3).octets(8)
    assert SystemEntropy().octets(16) != SystemEntropy().octets(16)
    assert all(SystemEntropy().below(3) < 3 for _ in range(20))
