"""When the virtio-net driver sleeps and wakes: interrupts with and without EVENT_IDX, selectors, the cable."""

from __future__ import annotations

import select

import pytest
from virtio_rig import frame_of, models
from wirelaw.impl.device.memory import DeviceModel
from wirelaw.impl.device.virtio_net import (
    DEFAULT_FEATURES,
    Feature,
    VirtioNet,
)

__all__ = ["models"]  # the fixture, used by every test here


def test_waiting_ends_at_a_frame_and_not_before():
    model = DeviceModel()
    device = VirtioNet(model)
    assert not device.wait(0)
    assert not device.wait(0.06)
    model.inject(frame_of(60))
    assert device.wait(0)
    assert device.wait(None)
    assert len(device.receive()) == 1
    assert not device.wait(0)


def test_the_descriptor_serves_a_selector():
    model = DeviceModel()
    device = VirtioNet(model)
    assert not device.arm()
    assert select.select([device], [], [], 0)[0] == []
    model.inject(frame_of(60))
    assert select.select([device], [], [], 0)[0] == [device]
    assert device.wait(0)
    device.receive()
    assert not device.wait(0)
    assert select.select([device], [], [], 0)[0] == []


@pytest.mark.parametrize("features", [DEFAULT_FEATURES, DEFAULT_FEATURES & ~Feature.EVENT_IDX])
def test_a_polling_driver_is_not_interrupted(features):
    model = DeviceModel()
    device = VirtioNet(model, features)
    for round_ in range(3):
        for _ in range(100):
            model.inject(frame_of(60))
            assert device.receive()
        assert device.counters.interrupts == round_
        assert select.select([device], [], [], 0)[0] == []
        assert not device.arm()
        model.inject(frame_of(60))
        assert device.wait(0)  # interrupted once, then polling again
        assert device.receive()


def test_the_cable_pulled_and_plugged():
    model = DeviceModel()
    device = VirtioNet(model)
    model.set_link(False)
    assert device.wait(0.01)
    assert not device.link_up
    device.send(frame_of(60))
    device.flush()
    assert not model.sent
    assert not model.inject(frame_of(60))
    model.set_link(True)
    assert device.wait(0.01)
    assert device.link_up
    assert device.counters.link_changes == 2
    assert not device.wait(0)
