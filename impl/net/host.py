"""`Host`: one network host of ours, in virtual time (frames in, frames out) or on a device in real time."""

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, SocketKind
from typing import Final, Literal, Self, TypeVar, overload

from wirelaw.impl.device.link import MAX_FRAME, Link, Offload
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.icmp import PingReply
from wirelaw.impl.net.loop import Loop
from wirelaw.impl.net.open_device import opener
from wirelaw.impl.net.stack import Stack
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.tcp_sockets import AsyncTcpListener, AsyncTcpStream, TcpSocket, async_connect, async_listen
from wirelaw.impl.net.udp_sockets import AsyncUdpSocket, UdpSocket, async_look_up, look_up
from wirelaw.impl.runtime.entropy import SeededEntropy
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.dns import AAAA, A

T = TypeVar("T")

UNTAKEN_FRAMES: Final = 65536
"""Frames a virtual host keeps until they are taken; then its device is full, as a real one would be."""


def _record_type(family: int) -> int:
    if family not in {AF_INET, AF_INET6}:
        raise OSError(errno.EAFNOSUPPORT, "names resolve to AF_INET or AF_INET6 addresses")
    return A if family == AF_INET else AAAA


class MemorySink:
    """Collects the frames of a virtual host. It takes no work off the stack: no offloads."""

    tx_csum = False
    tx_tso = False

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self._buffer = memoryview(bytearray(MAX_FRAME))

    def transmit_buffer(self) -> memoryview | None:
        """The buffer, while fewer than `UNTAKEN_FRAMES` wait."""
        return self._buffer if len(self.frames) < UNTAKEN_FRAMES else None

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        """Keep a copy of the frame."""
        self.frames.append(bytes(self._buffer[:length]))


class VirtualHost:
    """A host wholly inside the caller: it acts only in the caller's calls, and only the caller moves its clock.

    Socket calls that would wait raise `BlockingIOError`. The same configuration, seed and calls give the same frames.
    """

    def __init__(self, config: HostConfig | None = None, seed: int = 0) -> None:
        self.config = config or HostConfig()
        self._sink = MemorySink()
        self.stack = Stack(self.config, self._sink, SeededEntropy(seed))

    @property
    def now(self) -> int:
        """The clock in microseconds; it starts at 0."""
        return self.stack.now

    @property
    def statistics(self) -> Statistics:
        """What the host has counted."""
        return self.stack.statistics

    def receive(self, frame: bytes) -> None:
        """A frame arrives now."""
        self.stack.input(memoryview(frame), False, 0, self.stack.now)
        self.stack.poll(self.stack.now)

    def frames(self) -> list[bytes]:
        """Take the frames sent since the last call, in order."""
        taken = list(self._sink.frames)
        self._sink.frames.clear()
        return taken

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline on the way, so that each thing happens at its own time."""
        self.advance_to(self.now + round(seconds * 1_000_000))

    def advance_to(self, target: int) -> None:
        """Let time pass until `target` (microseconds), which must not lie in the past."""
        if target < self.now:
            raise ValueError(f"the clock stands at {self.now} and cannot go back to {target}")
        while (deadline := self.next_deadline()) is not None and deadline <= target:
            self.stack.poll(max(deadline, self.now))
        self.stack.poll(target)

    def next_deadline(self) -> int | None:
        """The time (microseconds) at which the host next acts by itself; None when it waits for frames only."""
        return self.stack.next_deadline()

    def ping(self, address: str, timeout: float = 1.0, size: int = 56, sequence: int = 1) -> "Future[PingReply]":
        """Send an echo request to a literal address; the future ends within `timeout` virtual seconds."""
        return self.stack.icmp.ping(IPv4Address(address).packed, round(timeout * 1_000_000), size, sequence)

    def resolve(self, name: str, family: int = AF_INET) -> "Future[tuple[Address, ...]]":
        """Look up the packed addresses of `name` in virtual time."""
        return self.stack.dns.resolve(name, _record_type(family))

    @overload
    def socket(self, kind: Literal[SocketKind.SOCK_STREAM] = ...) -> TcpSocket: ...
    @overload
    def socket(self, kind: Literal[SocketKind.SOCK_DGRAM]) -> UdpSocket: ...
    def socket(self, kind: SocketKind = SOCK_STREAM) -> TcpSocket | UdpSocket:
        """A socket of this host: `SOCK_STREAM` (TCP) or `SOCK_DGRAM` (UDP)."""
        return _make_socket(self, kind)

    # The driver of sockets under a virtual clock: everything happens at once, and nobody can wait.

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` now, and let the stack act on it."""
        result = function()
        self.stack.poll(self.stack.now)
        return result

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """Run `function` now; its outcome as a future."""
        future: Future[T] = Future()
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, future: "Future[T]", timeout: float | None) -> T:
        """The result if it is there; `BlockingIOError` otherwise, whatever the timeout."""
        if not future.done():
            raise BlockingIOError("virtual time does not pass inside a call")
        return future.result()


class LiveHost:
    """A host on a device, in real time. Close it, or use it as a context manager. Any thread may call its methods."""

    def __init__(self, loop: Loop, index: int = 0) -> None:
        self._loop = loop
        self.stack = loop.stacks[index]
        self.link: Link = loop.links[index]
        self.config = self.stack.config
        self.peer = LiveHost(loop, index + 1) if index + 1 < len(loop.stacks) else None
        """The other host of a `memory` device."""
        self.call = loop.call
        self.submit = loop.submit
        self.wait = loop.wait
        self.watched = loop.watched

    @property
    def statistics(self) -> Statistics:
        """What the host has counted; the loop's thread goes on counting."""
        return self.stack.statistics

    @property
    def forwards(self) -> Mapping[int, int]:
        """Our TCP ports -> ports of this machine's 127.0.0.1 that QEMU's user network forwards to them."""
        return self._loop.forwards

    def ping(self, host: str, timeout: float = 1.0, size: int = 56, sequence: int = 1) -> PingReply:
        """Ping an address or a name once. `TimeoutError` when no reply comes, `OSError` when none can."""
        address = look_up(self, host)
        request = self.call(lambda: self.stack.icmp.ping(address, round(timeout * 1_000_000), size, sequence))
        return self.wait(request, None)

    def resolve(self, name: str, family: int = AF_INET) -> list[IPv4Address | IPv6Address]:
        """The addresses of a name; `socket.gaierror` when there are none or no server answers."""
        kind = _record_type(family)
        lookup = self.call(lambda: self.stack.dns.resolve(name, kind))
        return [ip_address(address) for address in self.wait(lookup, None)]

    @overload
    def socket(self, kind: Literal[SocketKind.SOCK_STREAM] = ...) -> TcpSocket: ...
    @overload
    def socket(self, kind: Literal[SocketKind.SOCK_DGRAM]) -> UdpSocket: ...
    def socket(self, kind: SocketKind = SOCK_STREAM) -> TcpSocket | UdpSocket:
        """A blocking socket of this host: `SOCK_STREAM` (TCP) or `SOCK_DGRAM` (UDP)."""
        return _make_socket(self, kind)

    async def async_connect(self, address: tuple[str, int]) -> AsyncTcpStream:
        """Open a TCP connection for asyncio."""
        return await async_connect(self, address)

    async def async_listen(self, port: int = 0, backlog: int | None = None) -> AsyncTcpListener:
        """Listen on a TCP port (0: any) for asyncio."""
        return await async_listen(self, port, backlog)

    async def async_ping(self, host: str, timeout: float = 1.0, size: int = 56, sequence: int = 1) -> PingReply:
        """`ping` for asyncio."""
        address = await async_look_up(self, host)
        request = self.submit(lambda: self.stack.icmp.ping(address, round(timeout * 1_000_000), size, sequence))
        reply = await asyncio.wrap_future(request)
        return await asyncio.wrap_future(reply)

    async def async_resolve(self, name: str, family: int = AF_INET) -> list[IPv4Address | IPv6Address]:
        """`resolve` for asyncio."""
        kind = _record_type(family)
        lookup = await asyncio.wrap_future(self.submit(lambda: self.stack.dns.resolve(name, kind)))
        return [ip_address(address) for address in await asyncio.wrap_future(lookup)]

    async def async_udp_socket(self, port: int = 0) -> AsyncUdpSocket:
        """A datagram socket for asyncio, bound to `port` (0: any)."""
        return AsyncUdpSocket(self, await asyncio.wrap_future(self.submit(lambda: self.stack.udp.bind(port))))

    def close(self) -> None:
        """Stop the host and give its device back; calls that wait fail with `OSError`. May be called twice."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _make_socket(driver: VirtualHost | LiveHost, kind: SocketKind) -> TcpSocket | UdpSocket:
    if kind == SOCK_STREAM:
        return TcpSocket(driver)
    if kind == SOCK_DGRAM:
        return UdpSocket(driver)
    raise OSError(errno.EPROTONOSUPPORT, "a host has SOCK_STREAM and SOCK_DGRAM sockets")


class Host:
    """Where hosts come from."""

    @staticmethod
    def virtual(config: HostConfig | None = None, seed: int = 0) -> VirtualHost:
        """A host in virtual time; see `VirtualHost`."""
        return VirtualHost(config, seed)

    @staticmethod
    def on(device: str, config: HostConfig | None = None, **options: object) -> LiveHost:
        """A host in real time on `device`: `qemu` (options `tap`, `forwards`, `capture`), `tap` (`name`, `offload`) or
        `memory` (`peer`: the other host's configuration). A TAP interface that is named must exist; without a name,
        tap0 is made where it does not exist, given the neighbour's address, and goes with the host.

        Raises `UserError` for a wrong device or option and `MissingMeans` where the machine lacks what it takes.
        """
        return LiveHost(Loop(opener(device, config or HostConfig(), options)))
