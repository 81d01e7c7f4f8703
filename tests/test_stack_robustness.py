"""Mutated frames into a host with live connections: no exception, bounded tables and memory, the same for the same seed."""

from __future__ import annotations

from random import Random

import pytest
from tcp_rig import Pair, octets, read_all
from wirelaw.tools.bench.fuzz import fuzz, mutated


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_thousand_mutated_frames_raise_nothing_and_keep_memory_bounded(seed: int) -> None:
    result = fuzz(10_000, seed)
    assert result.ok, "\n".join(result.failures)
    assert result.frames == 10_000
    assert result.peak < 64 << 20
    assert {"ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "SYN_SENT"} <= result.states
    assert result.drops["tcp.checksum"] > 100
    assert result.left == 0


def test_a_seed_makes_the_same_run() -> None:
    first, second = fuzz(2_000, 7), fuzz(2_000, 7)
    assert (first.drops, first.states, first.most, first.left) == (second.drops, second.states, second.most, second.left)


def test_mutants_of_old_frames_do_not_alter_the_stream() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    random, received = Random(4), b""
    for place in range(0, 40_000, 1_000):
        ours.send(octets(place, 1_000))
        pair.run(0.01)
        received += read_all(theirs)
        old = [p.data for p in pair.server.packets if p.data[6:12] == pair.client.config.mac and p.data[12:14] == b"\x08\x00"]
        for _ in range(50):
            frame = bytearray(random.choice(old))
            frame[random.randrange(34, len(frame))] ^= 1 << random.randrange(8)  # the checksum does not agree
            pair.server.receive(bytes(frame))
    pair.run(1)
    assert received + read_all(theirs) == octets(0, 40_000)


@pytest.mark.parametrize("length", [0, 13, 14, 33, 34, 53, 54, 60])
def test_mutation_takes_frames_of_any_length(length: int) -> None:
    frame = (bytes(12) + b"\x08\x00\x45" + bytes(8) + b"\x06" + bytes(60))[: max(length, 1)]
    for seed in range(50):
        assert isinstance(mutated(frame, Random(seed)), bytes)
