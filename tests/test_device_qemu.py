"""The virtio-net driver against QEMU's device: its user network answers, its checks bite, and it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from wirelaw.impl.device.qtest import (
    MMIO_START,
    MMIO_STEP,
    PROGRAM,
    DatagramNet,
    Forward,
    QemuMachine,
    QtestTransport,
    TapNet,
    UserNet,
    open_qemu,
)
from wirelaw.impl.device.segmentation import internet_checksum
from wirelaw.impl.device.transport import Interrupt, Register, Status, TransportLost
from wirelaw.impl.device.virtio_net import PLAIN_FEATURES, Feature, VirtioNet
from wirelaw.impl.runtime.errors import MissingMeans, UserError

pytestmark = pytest.mark.net
needs_qemu = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")

MAC = bytes.fromhex("525400123456")
OUR_ADDRESS, GATEWAY = bytes([10, 0, 2, 15]), bytes([10, 0, 2, 2])
PATIENCE = 10.0  # seconds; the machine may be busy


def arp_request(target: bytes) -> bytes:
    return b"\xff" * 6 + MAC + bytes.fromhex("08060001080006040001") + MAC + OUR_ADDRESS + bytes(6) + target


def echo_request(gateway_mac: bytes, payload: bytes) -> bytes:
    icmp = bytearray(b"\x08\0\0\0\x12\x34\0\x01" + payload)
    icmp[2:4] = internet_checksum(icmp).to_bytes(2)
    ip = bytearray.fromhex("4500000000010000400100000000000000000000")
    ip[2:4] = (20 + len(icmp)).to_bytes(2)
    ip[12:20] = OUR_ADDRESS + GATEWAY
    ip[10:12] = internet_checksum(ip).to_bytes(2)
    return gateway_mac + MAC + b"\x08\0" + ip + icmp


def exchange(device: VirtioNet, frame: bytes, wanted: bytes, at: int) -> bytes:
    """Send `frame` and return the first answer that has the bytes `wanted` at offset `at`."""
    assert device.send(frame)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        device.wait(1)
        for answer in device.receive():
            data = bytes(answer.data)
            if data[at : at + len(wanted)] == wanted:
                return data
    raise AssertionError(f"no answer in {PATIENCE} s: {device.counters}")


def arp(device: VirtioNet) -> bytes:
    return exchange(device, arp_request(GATEWAY), b"\x00\x02", 20)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # ended, and only its new parent has not looked yet


@pytest.fixture
def machine():
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    with QemuMachine() as started:
        yield started
    assert not running(started.pid)


@pytest.fixture
def device(machine):
    with VirtioNet(machine.find_device()) as started:
        yield started


def test_arp_and_ping_are_answered_by_the_user_network(machine, device):
    assert device.mac == MAC
    assert device.link_up
    assert os.getsid(machine.pid) != os.getsid(0), "an interrupt from the keyboard must not end the device under us"
    assert device.features & PLAIN_FEATURES == PLAIN_FEATURES
    answer = arp(device)
    assert answer[28:32] == GATEWAY
    gateway_mac = answer[22:28]
    echoed = exchange(device, echo_request(gateway_mac, b"forty-two bytes" * 20), b"\x01", 23)
    assert echoed[34:36] == b"\0\0"
    assert echoed[42:] == b"forty-two bytes" * 20


def test_many_frames_both_ways_lose_nothing(device):
    gateway_mac = arp(device)[22:28]
    answered = set()
    for start in range(0, 1000, 50):  # batches, more than the ring has descriptors in all
        for number in range(start, start + 50):
            assert device.send(echo_request(gateway_mac, b"%08d" % number * 100))
        deadline = time.monotonic() + PATIENCE
        while len(answered) < start + 50 and time.monotonic() < deadline:
            device.wait(1)
            answered |= {bytes(frame.data[42:50]) for frame in device.receive() if frame.data[23] == 1}
    assert answered == {b"%08d" % number for number in range(1000)}
    assert device.counters.kicks < 1000


def test_posted_kicks_that_nobody_waits_for_do_not_block_the_emulator(machine):
    transport = machine.find_device()
    for _ in range(5000):
        transport.kick(0)
    assert transport.readl(Register.DEVICE_ID) == 1
    assert machine.done_count == 5000


def test_without_event_idx_the_interrupt_flag_serves(machine):
    with VirtioNet(machine.find_device(), PLAIN_FEATURES & ~Feature.EVENT_IDX) as device:
        assert not device.features & Feature.EVENT_IDX
        for _ in range(5):
            arp(device)


def test_an_idle_wait_lasts_as_asked_and_a_claimed_device_is_passed_over():
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    with QemuMachine([UserNet(), UserNet()]) as machine:
        first = machine.find_device()
        first.writel(Register.STATUS, Status.ACKNOWLEDGE)
        second = machine.find_device()
        assert second.address != first.address
        assert (second.address - MMIO_START) % MMIO_STEP == 0
        with VirtioNet(second) as device:
            arp_answered = device.send(arp_request(GATEWAY))
            device.flush()
            assert arp_answered
            while device.wait(0.3):
                device.receive()
            start = time.monotonic()
            assert not device.wait(0.2)
            assert time.monotonic() - start >= 0.2
            with pytest.raises(UserError, match=r"no free virtio-net device.*2 claimed"):
                machine.find_device()


def test_the_cable_pulled_and_plugged(machine, device):
    for up in (False, True):
        machine.set_link(up)
        deadline = time.monotonic() + PATIENCE
        while device.link_up != up and time.monotonic() < deadline:
            device.wait(1)
        assert device.link_up == up
    assert device.counters.link_changes == 2
    arp(device)


def post_empty(device: VirtioNet) -> None:
    device._tx.post(device._tx.free.pop(), 0)


def post_loop(device: VirtioNet) -> None:
    index = device._tx.free.pop()
    device._tx._desc[4 * index + 3] = 1 | index << 16  # NEXT, to itself
    device._tx.post(index, 100)


def post_outside(device: VirtioNet) -> None:
    device._tx.post(device._tx.free.pop(), 100)
    device._tx._avail[2 + (device._tx._next - 1) % device._tx.size] = 999


@pytest.mark.parametrize(
    ("misdeed", "reason"),
    [(post_empty, "zero sized buffers"), (post_loop, "Looped descriptor"), (post_outside, "999 is available")],
)
def test_a_bad_descriptor_makes_the_device_need_a_reset_and_the_driver_recovers(machine, device, misdeed, reason):
    arp(device)
    misdeed(device)
    device.flush()
    deadline = time.monotonic() + PATIENCE
    while not device.counters.resets and time.monotonic() < deadline:
        device.wait(1)
    assert device.counters.resets == 1
    assert reason in machine.diagnostics()
    for _ in range(3):
        arp(device)
    assert device.broken is None


def test_a_forwarded_port_opens_on_the_loopback():
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")
    with QemuMachine([UserNet((Forward(80), Forward(7)))]) as machine:
        ports = machine.forwarded_ports()
        assert sorted(ports) == [7, 80]
        with VirtioNet(machine.find_device()) as device:
            arp(device)
            with socket.create_connection(("127.0.0.1", ports[80])):
                deadline = time.monotonic() + PATIENCE
                seen: list[bytes] = []
                while not seen and time.monotonic() < deadline:
                    device.wait(1)
                    seen = [bytes(f.data) for f in device.receive() if f.data[23] == 6 and f.data[12:14] == b"\x08\0"]
                assert seen, "the connection's SYN should arrive"
                assert seen[0][36:38] == b"\0P"
                assert seen[0][47] & 0x02


@needs_qemu
def test_a_datagram_network_carries_raw_frames(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE)
        peer.bind(str(tmp_path / "peer"))
        with open_qemu(DatagramNet(tmp_path / "qemu", tmp_path / "peer"), mac=MAC) as device:
            frame = arp_request(GATEWAY)
            device.send(frame)
            device.flush()
            assert peer.recv(2000) == frame
            peer.sendto(frame + b"x", str(tmp_path / "qemu"))
            assert device.wait(PATIENCE)
            assert [bytes(f.data)[: len(frame) + 1] for f in device.receive()] == [frame + b"x"]


@needs_qemu
def test_qemu_records_the_frames_itself(tmp_path):
    capture = tmp_path / "a,b.pcap"
    with open_qemu(capture=capture) as device:
        arp(device)
    assert capture.read_bytes().count(arp_request(GATEWAY)) == 1


def test_qemu_killed_is_a_broken_link_and_not_an_exception(machine, device):
    arp(device)
    machine._process.kill()
    machine._process.wait()
    deadline = time.monotonic() + PATIENCE
    while device.broken is None and time.monotonic() < deadline:
        device.send(arp_request(GATEWAY))
        device.flush()
        device.wait(0.1)
        device.receive()
    assert "QEMU has gone" in device.broken
    assert not device.link_up
    assert not device.send(arp_request(GATEWAY))
    with pytest.raises(TransportLost):
        machine.find_device()


@needs_qemu
def test_qemu_ends_with_the_process_that_started_it():
    program = """
import time
from wirelaw.impl.device.qtest import open_qemu
device = open_qemu()
print(device._transport.machine.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        try:
            pid = int(parent.stdout.readline())
            assert running(pid)
        finally:
            parent.kill()
    deadline = time.monotonic() + PATIENCE
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    left_behind = running(pid)
    if left_behind:
        os.kill(pid, signal.SIGKILL)
    assert not left_behind


def test_a_program_that_cannot_run_leaves_nothing_behind(tmp_path):
    program = tmp_path / "qemu"
    program.write_text("no program\n")
    program.chmod(0o755)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Exec format"):
        QemuMachine(program=str(program))
    assert sorted(os.listdir("/proc/self/fd")) == before
    program.write_text("#!/bin/sh\necho it is broken >&2; exit 1\n")
    with pytest.raises(UserError, match="QEMU did not start: it is broken"):
        QemuMachine(program=str(program))
    assert sorted(os.listdir("/proc/self/fd")) == before


@needs_qemu
def test_a_closed_machine_leaves_no_descriptor_behind():
    before = sorted(os.listdir("/proc/self/fd"))
    device = open_qemu()
    device.close()
    device.close()
    del device  # the shared memory, and its descriptor, live as long as somebody holds a frame
    assert sorted(os.listdir("/proc/self/fd")) == before


class ScriptedMachine:
    """Stands in for a machine: what QEMU says at each look at the socket is a script of calls."""

    def __init__(self) -> None:
        self.memory = memoryview(b"")
        self.lines_up: dict[int, int] = {}
        self.done_count = 0
        self.posted: list[bytes] = []
        self.script: list[Callable[[], object]] = []

    def post(self, command: bytes) -> int:
        self.posted.append(command)
        return len(self.posted)

    def wait(self, timeout: float | None) -> None:
        if self.script:
            self.script.pop(0)()

    def answer(self) -> None:
        self.done_count = len(self.posted)
        self.lines_up.clear()


def test_a_return_hidden_by_the_acknowledgement_is_looked_for():
    """The device returns a buffer while the line is still up: no new interrupt, then the acknowledgement lowers it."""
    machine = ScriptedMachine()
    transport = QtestTransport(machine, MMIO_START)
    machine.script = [lambda: machine.lines_up.update({16: 1})]
    assert transport.wait(1)
    assert transport.take_interrupt() == Interrupt.USED
    assert transport.take_interrupt() == Interrupt.NONE
    assert not transport.wait(0)
    machine.script = [machine.answer]
    assert transport.wait(1)  # once, for the driver to look at its rings again
    assert transport.take_interrupt() == Interrupt.NONE
    assert not transport.wait(0)
    assert len(machine.posted) == 1


def test_a_missing_program_is_named_with_its_package():
    with pytest.raises(MissingMeans, match="apt install qemu-system-arm") as caught:
        QemuMachine(program="qemu-system-none")
    assert "apt install" in caught.value.remedy


@needs_qemu
def test_a_port_in_use_is_the_users_mistake():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=r"may not forward a port: .*in use.*choose another"):
            QemuMachine([UserNet((Forward(80, port),))])


@needs_qemu
def test_a_tap_that_does_not_exist_is_reported():
    with pytest.raises(UserError, match="QEMU"):
        QemuMachine([TapNet("no/such")])
