"""Our own stack in real time on QEMU's virtio-net device, whose wire is a UNIX socket of the tester's."""

from __future__ import annotations

import select
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wirelaw.conformance.peer import Ends, Missing, Peer, Session, Station
from wirelaw.conformance.peers.wirelaw import ARP_TYPE, PEER_PORT, TESTER, TESTER_MAC, TESTER_PORT, WirelawSession, neighbour_reply
from wirelaw.impl.net.config import WIRELAW, HostConfig
from wirelaw.impl.net.host import Host, LiveHost
from wirelaw.impl.wire.arp import parse_arp
from wirelaw.impl.wire.ethernet import HEADER_LENGTH
from wirelaw.oracle.engine.verdict import Environment

_FRAME = 65_600
_CROSSING_US = 50_000
"""The longest that a frame is waited for on its way through the device; one lost on a full wire costs that much."""


def missing() -> Missing | None:
    """QEMU is needed."""
    if shutil.which("qemu-system-aarch64") is None:
        return Missing("qemu-system-aarch64 is not installed", "apt-get install qemu-system-arm")
    return None


class _DeviceSession(WirelawSession):
    """One whose calls return when what they send at once has crossed the device: what comes later was sent later."""

    def __init__(self, host: LiveHost, ends: Ends, catch_up: Callable[[], None]) -> None:
        super().__init__(host, ends)
        self._catch_up = catch_up

    def call(self, name: str, n: int = 0) -> None:
        super().call(name, n)
        self._catch_up()


class WirelawQemuPeer(Peer):
    """The stack of this package behind a real virtio-net device. Sessions share the host; each has ports of its own."""

    name = "wirelaw-qemu"
    at_once = 16

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wirelaw-"))
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._theirs = self._folder / "device"
            ours = self._folder / "tester"
            self._wire.bind(str(ours))
            self._wire.setblocking(False)
            limits = replace(WIRELAW, tcp_receive_buffer=1 << 17, tcp_send_buffer=1 << 17)
            self._config = HostConfig(gateway=None, limits=limits)
            self._host = Host.on("qemu", self._config, datagrams=(self._theirs, ours))
        except BaseException:
            self._clear()
            raise
        self._sessions = 0
        self._received = 0
        self._frames: list[tuple[int, bytes]] = []

    @property
    def version(self) -> str:
        return "on QEMU's virtio-net"

    @property
    def environment(self) -> Environment:
        return Environment.near()

    def now(self) -> int:
        return time.monotonic_ns() // 1000

    def open(self, buffer: int = 0) -> Session:
        """A session on ports of its own. Receive buffers have the host's size, whatever `buffer` says."""
        self._sessions += 1
        ends = Ends(
            Station(self._config.mac, self._config.ip.packed, PEER_PORT + self._sessions % 20_000),
            Station(TESTER_MAC, TESTER.packed, TESTER_PORT + self._sessions % 20_000),
        )
        return _DeviceSession(self._host, ends, self.catch_up)

    def transmit(self, frame: bytes) -> None:
        seen, until = self._host.statistics.rx_packets, self.now() + _CROSSING_US
        with suppress(BlockingIOError):  # a full wire loses frames
            self._wire.sendto(frame, str(self._theirs))
        while self._host.statistics.rx_packets == seen and self.now() < until:
            time.sleep(0.0001)
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until the stack's own thread has done with all it was given, and what it sent has crossed the device."""
        self._host.call(lambda: None)
        until = self.now() + _CROSSING_US
        while self._received < self._host.statistics.tx_packets and (left := until - self.now()) > 0:
            if not select.select([self._wire], [], [], left / 1e6)[0]:
                self._received = self._host.statistics.tx_packets  # lost on a full wire
            self._take()

    def wait(self, until: int) -> list[tuple[int, bytes]]:
        while True:
            self._take()
            if self._frames:
                frames, self._frames = self._frames, []
                return frames
            left = until - self.now()
            if left <= 0:
                return []
            select.select([self._wire], [], [], left / 1e6)

    def _take(self) -> None:
        """Take the frames that have come; the stack's questions for our hardware address are answered here."""
        with suppress(BlockingIOError):
            while True:
                frame = self._wire.recv(_FRAME)
                self._received += 1
                asked = parse_arp(memoryview(frame)[HEADER_LENGTH:]) if frame[12:14] == ARP_TYPE else None
                if asked is None:
                    self._frames.append((self.now(), frame))
                elif (answer := neighbour_reply(asked)) is not None:
                    self.transmit(answer)

    def close(self) -> None:
        self._host.close()
        self._clear()

    def _clear(self) -> None:
        self._wire.close()
        shutil.rmtree(self._folder, ignore_errors=True)
