"""The virtio-net driver over the in-process device: negotiation, data, offloads, link changes, faults and recovery."""

from __future__ import annotations

import select
import tracemalloc
from functools import partial, reduce
from operator import or_

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.device.link import Frame, Link, Offload
from wirelaw.impl.device.memory import DeviceModel, cable
from wirelaw.impl.device.ring import Ring
from wirelaw.impl.device.segmentation import internet_checksum
from wirelaw.impl.device.transport import Register, Status
from wirelaw.impl.device.virtio_net import (
    BIG_BUFFER,
    DEFAULT_FEATURES,
    MAX_FRUITLESS_RESETS,
    MERGE_BUFFER,
    OFFLOADS,
    PLAIN_FEATURES,
    SMALL_BUFFER,
    Feature,
    VirtioNet,
)
from wirelaw.impl.runtime.errors import UserError

MERGING = DEFAULT_FEATURES | Feature.MRG_RXBUF
LARGE = Offload(needs_csum=True, csum_start=34, csum_offset=16, gso_size=1460, hdr_len=54)
small_device = partial(DeviceModel, memory_size=4 << 20)


def frame_of(length: int, seed: int = 0) -> bytes:
    return (bytes(range(seed % 256, 256)) + bytes(range(256)) * (length // 256 + 1))[:length]


def tcp_packet(payload: bytes, flags: int = 0x18) -> bytes:
    """A TCP/IPv4 frame whose TCP checksum field holds the folded pseudo-header sum, as for checksum offload."""
    tcp_length = 20 + len(payload)
    ip = bytearray.fromhex("45000000123440004006" + "0000" + "0a000001" + "0a000002")
    ip[2:4] = (20 + tcp_length).to_bytes(2)
    ip[10:12] = internet_checksum(ip).to_bytes(2)
    pseudo = (sum(int.from_bytes(ip[i : i + 2]) for i in range(12, 20, 2)) + 6 + tcp_length) % 0xFFFF
    tcp = bytes.fromhex("1f90c350" + "fffffff0" + "00000001" + "50") + bytes([flags]) + bytes.fromhex("ffff")
    return bytes(12) + b"\x08\x00" + ip + tcp + pseudo.to_bytes(2) + b"\0\0" + payload


def tcp_checksum_holds(frame: bytes) -> bool:
    tcp = frame[34:]
    pseudo = sum(int.from_bytes(frame[i : i + 2]) for i in range(26, 34, 2)) + 6 + len(tcp)
    padded = tcp + b"\0" * (len(tcp) % 2)
    return (int.from_bytes(padded) + pseudo) % 0xFFFF == 0 and int.from_bytes(frame[14:34]) % 0xFFFF == 0


@pytest.fixture(autouse=True)
def models(monkeypatch):
    """Every device model made by a test: closed at its end, and the driver has kept the standard's rules on it."""
    made: list[DeviceModel] = []
    original = DeviceModel.__init__

    def remember(self, **options):
        original(self, **options)
        made.append(self)

    monkeypatch.setattr(DeviceModel, "__init__", remember)
    yield made
    for model in made:
        model.close()
        assert model.violations == []


# --- start ----------------------------------------------------------------------------------------------------------


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


# --- data -----------------------------------------------------------------------------------------------------------


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


# --- offloads -------------------------------------------------------------------------------------------------------


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


# --- sleep and link -------------------------------------------------------------------------------------------------


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


# --- faults and recovery --------------------------------------------------------------------------------------------


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


def test_rings_do_not_overlap():
    device = VirtioNet(DeviceModel(), ring_size=16)
    first_end = device._rx.desc_address + Ring.footprint(16, device._rx.buffer_size)
    assert first_end <= device._tx.desc_address
