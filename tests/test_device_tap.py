"""Against the kernel over a TAP interface, straight and through QEMU's device: offloads both ways.

Each case runs in a child process inside a user and network namespace of its own (`unshare -rn`), so nothing is left
behind: this file is both the test and, run as a program, the child.
"""

from __future__ import annotations

import fcntl
import functools
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pyroute2 import IPRoute
from wirelaw.impl.device import tap
from wirelaw.impl.device.link import Link, Offload
from wirelaw.impl.device.qtest import PROGRAM, TapNet, open_qemu
from wirelaw.impl.device.segmentation import internet_checksum
from wirelaw.impl.device.tap import TapLink
from wirelaw.impl.device.virtio_net import DEFAULT_FEATURES, PLAIN_FEATURES, Feature
from wirelaw.impl.runtime.errors import MissingMeans, UserError

KERNEL, OURS = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2])
OUR_MAC = bytes.fromhex("525400123456")
TUNSETPERSIST = 0x400454CB
PATIENCE = 10.0  # seconds
SKIPPED = 77  # exit code of a child that lacks the means
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def in_namespace(case: Callable[[], None], *options: str) -> Callable[[], None]:
    """Turn `case` into a test that runs it in a child under `unshare`, with network and user namespace by default."""

    @pytest.mark.net
    @functools.wraps(case)
    def test() -> None:
        unshare = shutil.which("unshare")
        if unshare is None:
            pytest.skip("unshare is not installed")
        flags = options or ("-rn",)
        probe = subprocess.run([unshare, *flags, "true"], capture_output=True, text=True, check=False)
        if probe.returncode:
            pytest.skip(f"no namespaces: {probe.stderr.strip()}")
        child = subprocess.run(
            [unshare, *flags, sys.executable, "-X", "dev", "-W", "error", __file__, case.__name__],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if child.returncode == SKIPPED:
            pytest.skip(child.stdout.strip())
        assert child.returncode == 0, child.stdout + child.stderr

    return test


def set_up(interface: str) -> None:
    """Give the kernel's end its address and set it up."""
    with IPRoute() as route:
        index = route.link_lookup(ifname=interface)[0]
        route.addr("add", index=index, address="10.9.0.1", prefixlen=24)
        route.link("set", index=index, state="up")


def persistent_tap(interface: str) -> None:
    """A TAP interface that waits for QEMU to attach."""
    with open("/dev/net/tun", "rb+", buffering=0) as tun:
        flags = tap.IFF_TAP | tap.IFF_NO_PI | tap.IFF_VNET_HDR
        fcntl.ioctl(tun, tap.TUNSETIFF, tap.INTERFACE_REQUEST.pack(interface.encode(), flags))
        fcntl.ioctl(tun, TUNSETPERSIST, 1)


@contextmanager
def opened(link: TapLink) -> Iterator[TapLink]:
    with link:
        set_up(link.interface)
        yield link


@contextmanager
def qemu_on_tap(features: Feature) -> Iterator[Link]:
    if shutil.which(PROGRAM) is None:
        raise MissingMeans(f"{PROGRAM} is not installed", "apt install qemu-system-arm")
    try:
        persistent_tap("tap0")
    except OSError as failure:
        raise MissingMeans(f"no TAP interface: {failure}", "run as root") from None
    set_up("tap0")
    with open_qemu(TapNet("tap0"), features=features, mac=OUR_MAC) as device:
        yield device


class Station:
    """The least TCP/IP host: enough to shake hands and to see what the kernel sends."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.kernel_mac = b"\xff" * 6
        arp = bytes.fromhex("0001080006040001") + OUR_MAC + OURS + bytes(6) + KERNEL
        link.send(b"\xff" * 6 + OUR_MAC + b"\x08\x06" + arp)
        answer = self.receive(lambda data: data[12:14] == b"\x08\x06" and data[20:22] == b"\0\2")[0]
        self.kernel_mac = answer[22:28]

    def receive(self, wanted: Callable[[bytes], bool]) -> tuple[bytes, bool, bool, int]:
        """The first frame with `wanted`, with its checksum and segmentation marks; answers ARP meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.link.wait(1)
            for frame in self.link.receive():
                data = bytes(frame.data)
                if data[12:14] == b"\x08\x06" and data[20:22] == b"\0\1":
                    reply = bytes.fromhex("0001080006040002") + OUR_MAC + OURS + data[22:32]
                    self.link.send(data[22:28] + OUR_MAC + b"\x08\x06" + reply)
                if wanted(data):
                    return data, frame.csum_ok, frame.csum_partial, frame.gso_size
        raise AssertionError(f"no such frame in {PATIENCE} s: {self.link.counters}")

    def send_tcp(self, ports: bytes, sequence: int, ack: int, flags: int, payload: bytes = b"", size: int = 0) -> None:
        """Send one TCP packet, as a large one for segments of `size` bytes where that is given."""
        options = bytes.fromhex("020405b4") if flags & SYN else b""
        length = 20 + len(options) + len(payload)
        ip = bytearray.fromhex("45000000123440004006" + "0000") + OURS + KERNEL
        ip[2:4] = (20 + length).to_bytes(2)
        ip[10:12] = internet_checksum(ip).to_bytes(2)
        tcp = bytearray(ports + struct.pack("!IIBBHHH", sequence, ack, (20 + len(options)) << 2, flags, 65535, 0, 0))
        tcp += options
        pseudo = sum(struct.unpack("!4H", OURS + KERNEL)) + 6 + length
        offload = None
        if self.link.tx_csum:
            tcp[16:18] = (pseudo % 0xFFFF).to_bytes(2)
            offload = Offload(True, 34, 16, size, 34 + len(tcp) if size else 0)
        else:
            tcp[16:18] = internet_checksum(bytes(tcp) + payload, pseudo).to_bytes(2)
        assert self.link.send(self.kernel_mac + OUR_MAC + b"\x08\0" + ip + tcp + payload, offload)
        self.link.flush()

    def pinged(self) -> None:
        icmp = bytearray(b"\x08\0\0\0\x12\x34\0\x01" + b"ping" * 50)
        icmp[2:4] = internet_checksum(icmp).to_bytes(2)
        ip = bytearray.fromhex("4500000000010000400100000000")[:12] + OURS + KERNEL
        ip[2:4] = (20 + len(icmp)).to_bytes(2)
        ip[10:12] = internet_checksum(ip).to_bytes(2)
        self.link.send(self.kernel_mac + OUR_MAC + b"\x08\0" + ip + icmp)
        data = self.receive(lambda data: data[12:14] == b"\x08\0" and data[23] == 1)[0]
        assert data[34] == 0, "an echo reply"
        assert data[42:] == b"ping" * 50

    def bulk_sent(self, length: int, size: int) -> None:
        """Data for a closed port: the kernel's reset acknowledges exactly what arrived (RFC 9293, 3.5.2)."""
        self.send_tcp(struct.pack("!HH", 5555, 9), 1000, 0, PSH, bytes(length), size)
        data = self.receive(lambda data: data[12:14] == b"\x08\0" and data[23] == 6)[0]
        assert data[47] == RST | ACK
        assert int.from_bytes(data[42:46]) == 1000 + length

    def bulk_received(self) -> tuple[bytes, bool, bool, int]:
        """The first data packet of a kernel that has ten segments to send."""
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(("10.9.0.2", 7)) != 0
            syn = self.receive(lambda data: data[12:14] == b"\x08\0" and data[23] == 6 and data[47] == SYN)[0]
            ports = syn[36:38] + syn[34:36]
            self.send_tcp(ports, 5000, int.from_bytes(syn[38:42]) + 1, SYN | ACK)
            self.receive(lambda data: data[12:14] == b"\x08\0" and data[23] == 6 and data[47] == ACK)
            assert client.send(bytes(range(256)) * 100) == 25600
            result = self.receive(lambda data: data[12:14] == b"\x08\0" and data[23] == 6 and len(data) > 1000)
            self.send_tcp(ports, 5001, 0, RST)
            return result


def with_offloads(link: Link) -> None:
    assert (link.tx_csum, link.tx_tso, link.rx_csum, link.link_up, link.mtu) == (True, True, True, True, 1500)
    station = Station(link)
    station.pinged()
    station.bulk_sent(100, 0)
    station.bulk_sent(44 * 1460, 1460)
    station.bulk_sent(65495, 1460)
    data, csum_ok, csum_partial, gso_size = station.bulk_received()
    assert (csum_ok, csum_partial, gso_size) == (True, True, 1460)
    assert len(data) > 1514, "two segments in one, at least"
    payload = data[34 + (data[46] >> 4) * 4 :]
    assert payload == (bytes(range(256)) * 100)[: len(payload)]


def without_offloads(link: Link) -> None:
    assert (link.tx_csum, link.tx_tso, link.rx_csum, link.link_up) == (False, False, False, True)
    station = Station(link)
    station.pinged()
    station.bulk_sent(1000, 0)
    data, csum_ok, csum_partial, gso_size = station.bulk_received()
    assert (csum_ok, csum_partial, gso_size) == (False, False, 0)
    assert len(data) <= 1514
    pseudo = sum(struct.unpack("!4H", data[26:34])) + 6 + len(data) - 34
    assert internet_checksum(data[34:], pseudo) == 0xFFFF, "the checksum is finished"


@in_namespace
def test_tap_with_offloads() -> None:
    with opened(TapLink("tap0", mac=OUR_MAC, create=True)) as link:
        with_offloads(link)


@in_namespace
def test_tap_without_offloads() -> None:
    with opened(TapLink("tap0", mac=OUR_MAC, offload=False, create=True)) as link:
        without_offloads(link)
        with pytest.raises(ValueError, match="opened without it"):
            link.transmit(60, Offload(needs_csum=True))


@in_namespace
def test_qemu_on_tap_with_offloads() -> None:
    with qemu_on_tap(DEFAULT_FEATURES) as link:
        with_offloads(link)


@in_namespace
def test_qemu_on_tap_with_offloads_and_merged_buffers() -> None:
    with qemu_on_tap(DEFAULT_FEATURES | Feature.MRG_RXBUF) as link:
        with_offloads(link)


@in_namespace
def test_qemu_on_tap_without_offloads() -> None:
    with qemu_on_tap(PLAIN_FEATURES) as link:
        without_offloads(link)


@in_namespace
def test_a_tap_that_is_down_or_deleted_is_a_link_that_is_down() -> None:
    with TapLink("tap0", create=True) as link, IPRoute() as route:
        assert not link.link_up
        assert link.send(bytes(60))
        assert link.counters.tx_dropped == 1
        set_up("tap0")
        assert link.link_up
        route.link("del", index=route.link_lookup(ifname="tap0")[0])
        assert not link.link_up
        assert link.send(bytes(60))
        assert link.counters.tx_dropped == 2
        while link.receive():
            pass
        start = time.monotonic()
        assert not link.wait(0.03)
        assert time.monotonic() - start >= 0.03


@in_namespace
def test_a_tap_frees_its_interface_and_is_exclusive() -> None:
    with TapLink("tap0", create=True), pytest.raises(UserError, match=r"'tap0' cannot be used: Device or resource busy"):
        TapLink("tap0", create=True)
    assert "tap0" not in [name for _, name in socket.if_nameindex()]
    with pytest.raises(UserError, match="'lo' cannot be used"):
        TapLink("lo")
    link = TapLink("tap0", create=True)
    link.close()
    link.close()
    assert not link.link_up


def without_a_right() -> None:
    with pytest.raises(MissingMeans, match="unshare -rn"):
        TapLink("tap0", create=True)


test_a_tap_in_a_network_of_others_names_the_missing_right = in_namespace(without_a_right, "-r")


def test_a_missing_tun_device_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(tap, "TUN_DEVICE", tmp_path / "tun")
    with pytest.raises(MissingMeans, match="modprobe tun"):
        TapLink("tap0", create=True)
    (tmp_path / "tun").mkdir()
    with pytest.raises(MissingMeans, match="cannot be opened for 'tap0'"):
        TapLink("tap0", create=True)


@pytest.mark.parametrize("name", ["", "x" * 16])
def test_an_impossible_interface_name_is_refused(name):
    with pytest.raises(UserError, match="1 to 15 characters"):
        TapLink(name, create=True)


if __name__ == "__main__":
    function = globals()[sys.argv[1]]
    try:
        getattr(function, "__wrapped__", function)()
    except MissingMeans as means:
        print(means)
        sys.exit(SKIPPED)
