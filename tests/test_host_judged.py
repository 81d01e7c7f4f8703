"""Our stack and the Linux kernel over a TAP that loses frames: captured at both ends, both ends keep the law."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tcp_rig import sized, tcp_law
from wirelaw.conformance.netns import Namespace, missing_means
from wirelaw.conformance.recorder import Recorder, wait_for_silence
from wirelaw.impl.device.faulty_link import Faults, FaultyLink
from wirelaw.impl.device.link import Frame, Offload
from wirelaw.impl.device.tap import TapLink
from wirelaw.impl.net.config import WIRELAW, HostConfig, Limits
from wirelaw.impl.net.host import LiveHost
from wirelaw.impl.net.loop import Loop, Opened
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.oracle.tcp.segments import Connection, Direction

pytestmark = pytest.mark.net
KERNEL, OURS = "10.9.0.1", "10.9.0.2"
PATIENCE = 30.0  # seconds
SIZE = 400_000
DATA = bytes(octet % 251 for octet in range(SIZE))
LITTLE = 16_384  # octets of a receive buffer
BOTH_PROBE = 1.5  # seconds after which both ends have sent an octet beyond a closed window


class LossyTap(TapLink):
    """A TAP that loses frames both ways, and keeps what the stack above it sent and got, with times of the wall clock."""

    def __init__(self, interface: str, rate: float, seed: int) -> None:
        super().__init__(interface, offload=False)
        self.seen: list[tuple[int, bytes]] = []
        self._way = FaultyLink[bytes](Faults(loss=rate, delay=0), seed)

    @property
    def lost(self) -> int:
        return self._way.counters.lost

    def _lose(self) -> bool:
        self._way.offer(b"", 0)
        return not self._way.due(0)

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        area = self.transmit_buffer()
        assert area is not None
        self.seen.append((time.time_ns() // 1000, bytes(area[:length])))
        if not self._lose():
            super().transmit(length, offload)

    def receive(self, limit: int = 64) -> list[Frame]:
        arrived = super().receive(limit)
        frames = [frame for frame in arrived if not self._lose()]
        self.seen += [(time.time_ns() // 1000, bytes(frame.data)) for frame in frames]
        if arrived and not frames:
            return self.receive(limit)  # an empty answer would mean that nothing is left
        return frames


@contextmanager
def lossy_host(space: Namespace, rate: float, seed: int, limits: Limits = WIRELAW) -> Iterator[tuple[LiveHost, LossyTap]]:
    made: list[LossyTap] = []

    def opener() -> Opened:
        with space.entered():
            made.append(LossyTap("tap0", rate, seed))
        return Opened([(made[0], replace(HostConfig.of(f"{OURS}/24"), limits=limits))])

    with LiveHost(Loop(opener)) as host:
        yield host, made[0]


@pytest.fixture
def space() -> Iterator[Namespace]:
    reason = missing_means(tap=True)
    if reason:
        pytest.skip(reason)
    with Namespace() as made:
        made.ip("tuntap", "add", "tap0", "mode", "tap", "vnet_hdr")
        made.ip("addr", "add", f"{KERNEL}/24", "dev", "tap0")
        made.ip("link", "set", "tap0", "up")
        yield made


def all_of(stream: Any) -> bytes:
    return b"".join(iter(lambda: stream.recv(1 << 16), b""))


def converse(opener: Any, listener: Any) -> None:
    """Data both ways at once; then the opener finishes, and the listener after it."""
    got: dict[Any, bytes] = {}
    threads = [threading.Thread(target=lambda s=s: got.update({s: all_of(s)})) for s in (opener, listener)]
    threads.append(threading.Thread(target=lambda: listener.sendall(DATA)))
    for thread in threads:
        thread.start()
    opener.sendall(DATA)
    opener.shutdown(socket.SHUT_WR)
    for thread in threads[1:]:
        thread.join(PATIENCE)
    listener.shutdown(socket.SHUT_WR)
    threads[0].join(PATIENCE)
    assert got == {opener: DATA, listener: DATA}


def send_before_reading(opener: Any, listener: Any) -> None:
    """The kernel's end reads nothing before it has sent everything; ours waits until both windows are closed and both ends probe.

    To go on, the kernel has to heed acknowledgments that come to its closed window.
    """
    kernel, ours = (opener, listener) if isinstance(opener, socket.socket) else (listener, opener)
    got: dict[Any, bytes] = {}

    def kernel_end() -> None:
        kernel.sendall(DATA)
        kernel.shutdown(socket.SHUT_WR)
        got[kernel] = all_of(kernel)

    thread = threading.Thread(target=kernel_end)
    thread.start()
    ours.sendall(DATA)
    ours.shutdown(socket.SHUT_WR)
    time.sleep(BOTH_PROBE)
    got[ours] = all_of(ours)
    thread.join(PATIENCE)
    assert got == {kernel: DATA, ours: DATA}


Talk = Callable[[Any, Any], None]


def small(stream: socket.socket) -> socket.socket:
    """A kernel socket that holds little, so that a conversation fills its window."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        stream.setsockopt(socket.SOL_SOCKET, option, LITTLE)
    return stream


def we_open(space: Namespace, host: LiveHost, talk: Talk = converse) -> None:
    with space.entered():
        server = socket.create_server((KERNEL, 0))
    if talk is not converse:
        small(server)
    with server, host.socket() as ours:
        server.settimeout(PATIENCE)
        ours.settimeout(PATIENCE)
        ours.connect((KERNEL, server.getsockname()[1]))
        theirs, _ = server.accept()
        with theirs:
            theirs.settimeout(PATIENCE)
            talk(ours, theirs)


def the_kernel_opens(space: Namespace, host: LiveHost, talk: Talk = converse) -> None:
    with host.socket() as listener:
        listener.bind(("", 7000))
        listener.listen()
        listener.settimeout(PATIENCE)
        with space.entered():
            kernel = socket.socket()
        if talk is not converse:
            small(kernel)
        with kernel:
            kernel.settimeout(PATIENCE)
            kernel.connect((OURS, 7000))
            ours, _ = listener.accept()
            with ours:
                ours.settimeout(PATIENCE)
                talk(kernel, ours)


def judge(frames: list[tuple[int, bytes]], until: int, near: str) -> dict[str, tuple[Grade, str]]:
    """Judged address -> grade and what was found, in a capture taken at `near`."""

    def sides(connection: Connection) -> list[tuple[Direction, bool]]:
        return [(Direction.CLIENT, connection.client.address == near), (Direction.SERVER, connection.server.address == near)]

    packets = [Packet(n, at, data, LinkType.ETHERNET, len(data)) for n, (at, data) in enumerate(frames, 1)]
    judged = list(judge_capture(tcp_law(), packets, sides, until))
    return {
        j.subject.split(":")[0]: (j.verdict.grade, f"{j.verdict.reason} " + "\n".join(render(f) for f in j.verdict.findings))
        for j in judged
    }


def run_judged(space: Namespace, rate: float, limits: Limits, run: Callable[[LiveHost], None]) -> None:
    """Do `run` on a host beside the kernel, and judge both ends by captures taken at each."""
    with lossy_host(space, rate, 5, limits) as (host, tap):
        with Recorder(space, "tap0") as recorder:
            run(host)
            wait_for_silence([recorder], 0.5, 5)
        ours = [frame for frame in tap.seen if frame[1][12:14] == b"\x08\x00" and frame[1][23] == 6]
        until = time.time_ns() // 1000
    assert (tap.lost > 10) == (rate > 0)
    recording = recorder.recording
    assert recording is not None
    assert recording.lost == 0
    for frames, end, near in ((ours, until, OURS), (list(recording.frames), recording.running_until_us, KERNEL)):
        verdicts = judge(frames, end, near)
        assert verdicts.keys() == {OURS, KERNEL}
        for address, (grade, found) in verdicts.items():
            assert grade not in {Grade.FAIL, Grade.ERROR}, f"{address}, captured at {near}: {found}"
            if address == near and not rate:
                assert grade <= Grade.NOTE, f"{address}, captured at {near}: {grade} {found}"


@pytest.mark.parametrize("rate", [0.0, 0.03])
@pytest.mark.parametrize("roles", [we_open, the_kernel_opens])
def test_both_ends_of_a_run_with_the_kernel_keep_the_law(roles: Any, rate: float, space: Namespace) -> None:
    run_judged(space, rate, WIRELAW, lambda host: roles(space, host))


@pytest.mark.parametrize("rate", [0.0, 0.03])
@pytest.mark.parametrize("roles", [we_open, the_kernel_opens])
def test_an_end_that_sends_before_it_reads_does_not_stall_with_the_kernel(roles: Any, rate: float, space: Namespace) -> None:
    limits = sized(LITTLE, 2 * SIZE)
    run_judged(space, rate, limits, lambda host: roles(space, host, send_before_reading))
