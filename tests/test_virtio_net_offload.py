"""Checksum and segmentation offload of the virtio-net driver, both ways, against devices with and without it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtio_rig import LARGE, MERGING, frame_of, models, tcp_checksum_holds, tcp_packet
from wirelaw.impl.device.link import Offload
from wirelaw.impl.device.memory import DeviceModel, cable
from wirelaw.impl.device.virtio_net import (
    DEFAULT_FEATURES,
    PLAIN_FEATURES,
    VirtioNet,
)

__all__ = ["models"]  # the fixture, used by every test here


@pytest.mark.parametrize("features", [DEFAULT_FEATURES, MERGING])
@pytest.mark.parametrize("length", [1460, 5000, 44 * 1460, 65495])
def test_a_large_packet_crosses_whole_when_both_ends_agree(features, length):
    one, other = DeviceModel(), DeviceModel()
    cable(one, other)
    with VirtioNet(one, features) as left, VirtioNet(other, features) as right:
        packet = tcp_packet(frame_of(length))
        assert left.send(packet, LARGE)
        left.flush()
        (frame,) = right.receive()
        assert bytes(frame.data) == packet
        assert (frame.csum_ok, frame.csum_partial, frame.gso_size) == (True, True, 1460)


@given(st.integers(1, 65495), st.integers(536, 1460), st.integers(0, 255))
@settings(deadline=None, max_examples=30)
def test_a_large_packet_is_segmented_for_a_receiver_without_offloads(length, size, flags):
    one, other = DeviceModel(memory_size=8 << 20), DeviceModel(memory_size=8 << 20)
    cable(one, other)
    with VirtioNet(one) as left, VirtioNet(other, PLAIN_FEATURES) as right:
        payload = frame_of(length)
        left.send(tcp_packet(payload, flags), Offload(True, 34, 16, size, 54))
        left.flush()
        parts = []
        while frames := right.receive():
            assert not any(frame.csum_ok or frame.gso_size for frame in frames)
            parts += [bytes(frame.data) for frame in frames]
        assert b"".join(part[54:] for part in parts) == payload
        assert all(len(part) == 54 + size for part in parts[:-1])
        assert all(tcp_checksum_holds(part) for part in parts)
        sequences = [int.from_bytes(part[38:42]) for part in parts]
        assert sequences == [(0xFFFFFFF0 + n * size) % 2**32 for n in range(len(parts))]
        assert [part[47] & 0x09 for part in parts] == [0] * (len(parts) - 1) + [flags & 0x09]  # FIN, PSH: last
        assert [part[47] & 0x80 for part in parts] == [flags & 0x80] + [0] * (len(parts) - 1)  # CWR: first


def test_a_checksum_is_finished_for_a_receiver_without_offloads():
    one, other = DeviceModel(), DeviceModel()
    cable(one, other)
    left, right = VirtioNet(one), VirtioNet(other, PLAIN_FEATURES)
    packet = tcp_packet(b"hello, odd!")
    assert not tcp_checksum_holds(packet)
    left.send(packet, Offload(True, 34, 16))
    left.flush()
    (frame,) = right.receive()
    assert tcp_checksum_holds(bytes(frame.data))
    assert not frame.csum_partial


def test_offloads_that_were_not_negotiated_are_refused():
    device = VirtioNet(DeviceModel(), PLAIN_FEATURES)
    for offload in (Offload(needs_csum=True), LARGE):
        with pytest.raises(ValueError, match="without its feature"):
            device.send(tcp_packet(b"x"), offload)


def test_a_device_that_verified_the_checksum_is_believed_only_after_negotiation():
    for features, believed in ((DEFAULT_FEATURES, True), (PLAIN_FEATURES, False)):
        model = DeviceModel()
        device = VirtioNet(model, features)
        model.faults.malform_header = bytes([2]) + bytes(11)  # DATA_VALID
        model.inject(frame_of(60))
        (frame,) = device.receive()
        assert (frame.csum_ok, frame.csum_partial) == (believed, False)
