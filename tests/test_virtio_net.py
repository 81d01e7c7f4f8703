"""The virtio-net driver over the in-process device: negotiation, data, and rings that fit."""

from __future__ import annotations

import tracemalloc
from functools import reduce
from operator import or_

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtio_rig import MERGING, frame_of, models, small_device
from wirelaw.impl.device.link import Link
from wirelaw.impl.device.memory import DeviceModel, cable
from wirelaw.impl.device.ring import Ring
from wirelaw.impl.device.transport import Status
from wirelaw.impl.device.virtio_net import (
    BIG_BUFFER,
    DEFAULT_FEATURES,
    MERGE_BUFFER,
    PLAIN_FEATURES,
    SMALL_BUFFER,
    Feature,
    VirtioNet,
)
from wirelaw.impl.runtime.errors import UserError

__all__ = ["models"]  # the fixture, used by every test here


def test_the_driver_is_a_link_and_announces_what_was_negotiated():
    model = DeviceModel(mac=b"\x02\0\0\0\0\7")
    link: Link = VirtioNet(model)
    assert link.mac == b"\x02\0\0\0\0\7"
    assert link.mtu == 1500
    assert (link.tx_csum, link.tx_tso, link.rx_csum, link.link_up) == (True, True, True, True)
    assert model.accepted == DEFAULT_FEATURES
    assert model.status == Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK | Status.DRIVER_OK


def test_without_offloads_the_buffers_are_small():
    model = DeviceModel(offered=PLAIN_FEATURES)
    device = VirtioNet(model)
    assert (device.tx_csum, device.tx_tso, device.rx_csum) == (False, False, False)
    assert device._rx.buffer_size == device._tx.buffer_size == SMALL_BUFFER


def test_without_an_address_of_the_device_the_driver_makes_up_a_local_one_and_keeps_it():
    model = DeviceModel(offered=PLAIN_FEATURES & ~Feature.MAC)
    device = VirtioNet(model)
    mac = device.mac
    assert len(mac) == 6
    assert mac[0] & 3 == 2  # locally administered, not a group
    model.need_reset()
    assert device.wait(0.01)
    assert device.mac == mac


@pytest.mark.parametrize(("features", "size"), [(DEFAULT_FEATURES, BIG_BUFFER), (MERGING, MERGE_BUFFER)])
def test_with_tso_a_receive_buffer_holds_the_largest_packet_unless_buffers_merge(features, size):
    device = VirtioNet(DeviceModel(), features)
    assert device._rx.buffer_size == size
    assert device._rx.buffer_size >= 65562 or device.features & Feature.MRG_RXBUF


@given(st.sets(st.sampled_from(list(Feature))), st.sets(st.sampled_from(list(Feature))))
@settings(deadline=None, max_examples=60)
def test_negotiation_accepts_only_what_is_offered_and_complete(offered, wanted):
    model = small_device(offered=reduce(or_, offered, Feature.VERSION_1))
    with VirtioNet(model, reduce(or_, wanted, Feature(0))) as device:
        assert device.features == model.accepted
        assert device.features & ~model.offered == 0
        assert device.features & Feature.VERSION_1
        assert not device.tx_tso or device.tx_csum
    assert model.violations == []  # the model checks the standard's dependencies between features


def test_a_device_without_version_1_is_refused_with_advice():
    model = DeviceModel(offered=DEFAULT_FEATURES & ~Feature.VERSION_1)
    with pytest.raises(UserError, match=r"VERSION_1.*force-legacy=false"):
        VirtioNet(model)
    assert model.status & Status.FAILED


def test_a_device_that_refuses_the_features_is_refused():
    model = DeviceModel()
    model.faults.refuse_features = True
    with pytest.raises(UserError, match="refuses the features"):
        VirtioNet(model)
    assert model.status & Status.FAILED
    assert not model.status & Status.DRIVER_OK


def test_a_device_without_queues_is_refused():
    model = DeviceModel()
    model.faults.no_queues = True
    with pytest.raises(UserError, match="queue 0 is not available"):
        VirtioNet(model)


def test_a_device_that_never_finishes_its_reset_is_refused(monkeypatch):
    monkeypatch.setattr("wirelaw.impl.device.virtio_net.RESET_PATIENCE", 0.01)
    model = DeviceModel()
    model.status = Status.ACKNOWLEDGE
    model.faults.never_reset = True
    with pytest.raises(UserError, match="does not finish its reset"):
        VirtioNet(model)


def test_another_kind_of_device_is_refused(monkeypatch):
    model = DeviceModel()
    monkeypatch.setattr("wirelaw.impl.device.memory.NET_DEVICE", 2)
    with pytest.raises(UserError, match="no virtio-net device"):
        VirtioNet(model)


@pytest.mark.parametrize(("limit", "memory", "expected"), [(1024, 64, 256), (100, 64, 64), (1024, 1, 4), (1, 64, 1)])
def test_the_rings_fit_the_device_and_the_memory(limit, memory, expected):
    device = VirtioNet(DeviceModel(queue_limit=limit, memory_size=memory << 20))
    assert device._rx.size == device._tx.size == expected


def test_frames_are_published_by_flush_with_one_kick():
    model = DeviceModel()
    device = VirtioNet(model)
    before = device.counters.kicks
    frames = [frame_of(60 + n, n) for n in range(10)]
    for frame in frames:
        area = device.transmit_buffer()
        area[: len(frame)] = frame
        device.transmit(len(frame))
    assert not model.sent
    device.flush()
    assert [frame for frame, _ in model.sent] == frames
    assert device.counters.kicks == before + 1
    assert (device.counters.tx_frames, device.counters.tx_bytes) == (10, sum(map(len, frames)))


@given(st.lists(st.lists(st.integers(14, 1514), max_size=12), max_size=30), st.sampled_from([2, 8]), st.booleans())
@settings(deadline=None, max_examples=40)
def test_every_frame_crosses_a_cable_once_in_order(batches, ring_size, event_idx):
    features = DEFAULT_FEATURES if event_idx else DEFAULT_FEATURES & ~Feature.EVENT_IDX
    one, other = small_device(), small_device()
    cable(one, other)
    with VirtioNet(one, features, ring_size=ring_size) as left, VirtioNet(other, features, ring_size=ring_size) as right:
        sent, received = [], []
        for number, batch in enumerate(batches):
            for length in batch:
                frame = frame_of(length, number)
                if not left.send(frame):
                    left.flush()
                    assert left.send(frame)
                sent.append(frame)
            left.flush()
            if number % 3 == 0:
                received += [bytes(frame.data) for frame in right.receive(5)]
        while right.wait(0):
            received += [bytes(frame.data) for frame in right.receive(5)]
        assert received == sent
        assert right.counters.rx_frames == left.counters.tx_frames == len(sent)


def test_a_full_ring_says_so_and_drains():
    model = small_device()
    device = VirtioNet(model, ring_size=4)
    model.faults.swallow_kicks = 1
    for _ in range(4):
        assert device.send(frame_of(60))
    assert not device.send(frame_of(60))
    assert device.transmit_buffer() is None
    assert device.counters.tx_full == 2
    device.flush()  # the kick is lost
    assert device.wait(2), "the repeated kick must free the ring"
    assert device.counters.rekicks >= 1
    assert len(model.sent) == 4
    assert device.send(frame_of(60))


def test_a_kick_suppressed_by_a_stale_event_index_is_made_before_sleeping():
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    ring = device._tx
    truth = ring._used[ring._avail_event]
    ring._used[ring._avail_event] = truth - 100 & 0xFFFF
    device.send(frame_of(60))
    device.flush()
    assert not model.sent
    ring._used[ring._avail_event] = truth
    assert not device.arm()
    assert len(model.sent) == 1
    assert device.counters.rekicks == 1


def test_released_buffers_return_and_memory_stays_bounded():
    model = small_device(backlog=64)
    device = VirtioNet(model, ring_size=8)
    frame = frame_of(1000)

    def burst(count):
        for _ in range(count):
            model.inject(frame)
            if len(device.receive()) == 0:
                device.wait(0)
            device.send(frame)
            device.flush()

    burst(200)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    burst(3000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 200_000
    assert device.counters.rx_frames == 3200


def test_frames_nobody_fetches_are_bounded_by_the_ring_and_the_backlog():
    model = small_device(backlog=16)
    device = VirtioNet(model, ring_size=8)
    accepted = sum(model.inject(frame_of(100)) for _ in range(1000))
    assert accepted == 8 + 16
    assert model.dropped == 1000 - accepted
    assert len(device.receive(100)) == 8
    assert len(device.receive(100)) == 8


@pytest.mark.parametrize("length", [0, 13, 65550, 1 << 20])
def test_a_frame_that_no_device_can_send_is_the_callers_mistake(length):
    device = VirtioNet(DeviceModel())
    with pytest.raises(ValueError, match="cannot be sent"):
        device.send(bytes(length))


def test_rings_do_not_overlap():
    device = VirtioNet(DeviceModel(), ring_size=16)
    first_end = device._rx.desc_address + Ring.footprint(16, device._rx.buffer_size)
    assert first_end <= device._tx.desc_address
