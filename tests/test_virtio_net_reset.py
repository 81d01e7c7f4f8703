"""Faults of a virtio-net device: a reset, impossible ring entries, contradictory headers, a device given up; and the driver's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtio_rig import LARGE, MERGING, frame_of, models, small_device, tcp_packet
from wirelaw.impl.device.link import Frame
from wirelaw.impl.device.memory import DeviceModel
from wirelaw.impl.device.transport import Register, Status
from wirelaw.impl.device.virtio_net import (
    DEFAULT_FEATURES,
    MAX_FRUITLESS_RESETS,
    OFFLOADS,
    PLAIN_FEATURES,
    Feature,
    VirtioNet,
)

__all__ = ["models"]  # the fixture, used by every test here


def works(model: DeviceModel, device: VirtioNet) -> bool:
    """Frames cross in both directions."""
    model.sent.clear()
    sent = device.send(frame_of(70))
    device.flush()
    model.inject(frame_of(80))
    device.wait(0.01)
    return sent and len(model.sent) == 1 and [len(frame.data) for frame in device.receive()] == [80]


@pytest.mark.parametrize("features", [DEFAULT_FEATURES, MERGING, PLAIN_FEATURES, PLAIN_FEATURES & ~Feature.EVENT_IDX])
def test_needs_reset_leads_to_a_new_start(features):
    model = small_device()
    device = VirtioNet(model, features, ring_size=8)
    assert works(model, device)
    model.inject(frame_of(60))
    held = device.receive()
    model.need_reset()
    assert bytes(held[0].data) == frame_of(60)
    assert device.wait(0.01)
    assert device.counters.resets == 1
    for _ in range(20):
        assert works(model, device)
    assert device.features == features
    assert device.broken is None


def test_frames_in_the_rings_are_lost_in_a_reset_and_counted():
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    model.faults.swallow_kicks = 1
    for _ in range(3):
        device.send(frame_of(60))
    device.flush()
    area = device.transmit_buffer()
    model.need_reset()
    assert device.wait(0.01)
    area[:60] = frame_of(60)
    device.transmit(60)  # asked for before the reset: lost with the others
    assert device.counters.tx_dropped == 4
    assert works(model, device)


IMPOSSIBLE = [{"used_id": 8}, {"used_id": 0xFFFFFFFF}, {"index_jump": 77}, {"index_jump": 0xFFF0}]


@pytest.mark.parametrize(
    ("direction", "fault"),
    [("tx", fault) for fault in IMPOSSIBLE] + [("rx", fault) for fault in [*IMPOSSIBLE, {"used_length": 1 << 20}]],
)
def test_an_impossible_entry_is_counted_and_the_device_restarted(direction, fault):
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    for name, value in fault.items():
        setattr(model.faults, name, value)
    if direction == "rx":
        model.inject(frame_of(60))
        assert device.receive() == []
    else:
        device.send(frame_of(60))
        device.flush()
        device.transmit_buffer()
    assert device.counters.ring_errors == 1
    assert device.receive() == []
    assert device.counters.resets == 1
    assert works(model, device)


def test_a_device_that_lies_for_ever_is_given_up():
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    for _ in range(MAX_FRUITLESS_RESETS + 3):
        model.faults.used_id = 4000
        model.inject(frame_of(60))
        assert device.receive() == []
    assert device.broken is not None
    assert "descriptor 4000" in device.broken
    assert not device.link_up
    assert device.counters.resets == MAX_FRUITLESS_RESETS + 1
    assert device.transmit_buffer() is None
    assert not device.send(frame_of(60))
    device.flush()
    device.release()
    assert device.receive() == []
    assert not device.wait(0.01)


def test_a_device_that_fails_but_moves_frames_is_kept():
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    for _ in range(3 * MAX_FRUITLESS_RESETS):
        model.inject(frame_of(60))
        assert len(device.receive()) == 1
        model.need_reset()
        assert device.wait(0.01)
    assert device.broken is None
    assert device.counters.resets == 3 * MAX_FRUITLESS_RESETS


def test_a_device_that_cannot_be_started_again_is_given_up():
    model = small_device()
    device = VirtioNet(model)
    model.offered = OFFLOADS
    model.need_reset()
    device.wait(0.01)
    assert device.broken is not None
    assert "VERSION_1" in device.broken
    assert "DEVICE_NEEDS_RESET" in device.broken
    assert not device.link_up


HEADERS = {
    "runt": (13, bytes(12)),
    "empty": (0, bytes(12)),
    "gso type unknown": (60, bytes([0, 4]) + bytes(10)),
    "gso without size": (60, bytes([1, 1]) + bytes(10)),
    "checksum field outside the frame": (60, bytes([1, 0, 0, 0, 0, 0, 50, 0, 9, 0, 0, 0])),
    "checksum start outside the frame": (60, bytes([1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0])),
}


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("features", [DEFAULT_FEATURES, MERGING])
def test_a_header_that_contradicts_itself_costs_only_its_frame(case, features):
    length, header = HEADERS[case]
    model = small_device()
    device = VirtioNet(model, features, ring_size=8)
    for _ in range(20):  # the buffers come back
        model.faults.malform_header = header
        model.inject(frame_of(length))
        model.inject(frame_of(90))
        assert [len(frame.data) for frame in device.receive()] == [90]
    assert device.counters.rx_malformed == 20
    assert device.counters.resets == 0


@given(st.binary(min_size=10, max_size=10), st.integers(0, 5000), st.sampled_from([DEFAULT_FEATURES, MERGING]))
@settings(deadline=None, max_examples=60)
def test_no_header_raises(header, length, features):
    model = small_device()
    with VirtioNet(model, features, ring_size=8) as device:
        model.faults.malform_header = header + bytes(2)
        model.inject(frame_of(length))
        for frame in device.receive():
            assert isinstance(frame, Frame)
            assert len(frame.data) == length
        assert device.counters.rx_frames + device.counters.rx_malformed == 1


@pytest.mark.parametrize("count", [0, 2, 200])
def test_a_merged_frame_with_missing_buffers_restarts_the_device(count):
    model = small_device()
    device = VirtioNet(model, MERGING, ring_size=8)
    model.inject(frame_of(60))
    device._rx.buffers[0][10] = count  # the first buffer posted is number 0
    assert device.receive() == []
    assert device.counters.ring_errors == 1
    assert works(model, device)


def test_merged_frames_cross_the_limit_of_one_call():
    model = small_device()
    device = VirtioNet(model, MERGING, ring_size=32)
    packets = [tcp_packet(frame_of(20_000, n)) for n in range(4)]
    for packet in packets:
        model.inject(packet, LARGE)
    received = []
    while frames := device.receive(3):
        received += [bytes(frame.data) for frame in frames]
    assert received == packets


def test_the_device_model_catches_a_driver_that_breaks_the_rules(models):
    """The model's checks can fail: without this, `violations == []` above would prove nothing."""
    model = small_device()
    device = VirtioNet(model, ring_size=8)
    device._tx._desc[4 * device._tx.free[-1] + 2] = 0
    device._tx.post(device._tx.free.pop(), 0)
    device.flush()
    model.writel(Register.STATUS, 0)
    model.writel(Register.STATUS, Status.DRIVER)
    model.writel(Register.DRIVER_FEATURES, 1 << 30)
    model.writel(Register.STATUS, Status.DRIVER | Status.FEATURES_OK)
    model.writel(Register.STATUS, Status.DRIVER_OK)
    model.kick(1)
    found = "\n".join(model.violations)
    for words in (
        "zero-length buffer",
        "without <Status.ACKNOWLEDGE",
        "accepted but not offered",
        "VERSION_1 not accepted",
        "withdrawn",
        "DRIVER_OK although the features were refused",
        "before the queues were ready",
    ):
        assert words in found
    model.violations.clear()
