"""UDP sockets shaped like the standard library's, blocking and for asyncio, over one host.

Both translate: addresses as text to packed octets, waiting to futures. The same blocking class serves virtual hosts, whose
calls never wait: there they raise `BlockingIOError` where a real host would sleep.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import IPv4Address
from typing import Protocol, Self, TypeVar

from wirelaw.impl.net.ipv4 import UNMARKED, Marking
from wirelaw.impl.net.stack import Stack
from wirelaw.impl.net.udp import Datagram, UdpEndpoint
from wirelaw.impl.wire.checksum import Address, Octets

T = TypeVar("T")
SocketAddress = tuple[str, int]


class Driver(Protocol):
    """What runs a stack: at once under a virtual clock, in its own thread in real time."""

    @property
    def stack(self) -> Stack:
        """The stack; to be touched only inside `call` and `submit`."""

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` where the stack runs."""

    def submit(self, function: Callable[[], T]) -> "Future[T]":
        """The same without waiting for the outcome."""

    def wait(self, future: "Future[T]", timeout: float | None) -> T:
        """The future's result; `TimeoutError` after `timeout` seconds, `BlockingIOError` where nobody may wait."""


class AsyncDriver(Driver, Protocol):
    """A driver in real time, for those who do not block."""

    def watched(self, future: "Future[T]") -> "Future[T]":
        """`future`, which fails when the host closes before it is settled. To be called where the stack runs."""


async def outcome(driver: AsyncDriver, start: "Callable[[], Future[T]]", undo: "Callable[[Future[T]], object]") -> T:
    """Run `start` where the stack runs and wait for the future it returns; if the waiter is cancelled, run `undo` on that.

    Cancelling never reaches the future itself: what came between it and `undo` is there for `undo` to save.
    """
    started = driver.submit(lambda: driver.watched(start()))
    for_start = asyncio.wrap_future(started)
    try:
        await asyncio.wait((for_start,))
        future = asyncio.wrap_future(for_start.result())
        await asyncio.wait((future,))
    except asyncio.CancelledError:
        driver.submit(lambda: undo(started.result()))
        raise
    return future.result()


class Marked(Protocol):
    """What has a marking of its own: a UDP endpoint, a connection, a listener."""

    marking: Marking


def mark(target: Marked, level: int, option: int, value: int) -> None:
    """Set IP_TOS or IP_TTL of `target`; to be called where the stack runs. `OSError` for another option or value."""
    if level != socket.IPPROTO_IP:
        raise OSError(errno.ENOPROTOOPT, "for asyncio a socket's options are IP_TOS and IP_TTL")
    target.marking = target.marking.with_option(option, value)


def marked(target: Marked, level: int, option: int, default_ttl: int) -> int:
    """The value of IP_TOS or IP_TTL of `target`; `OSError` for another option."""
    if level != socket.IPPROTO_IP:
        raise OSError(errno.ENOPROTOOPT, "for asyncio a socket's options are IP_TOS and IP_TTL")
    return target.marking.option(option, default_ttl)


def to_text(address: Address) -> str:
    """A packed IPv4 address in dotted form."""
    return str(IPv4Address(address))


def local_address(driver: Driver, host: str) -> None:
    """Check that `host` is an address to bind to: ours, or the unspecified one; else `OSError`."""
    if host not in {"", "0.0.0.0"} and host != str(driver.stack.config.ip):  # noqa: S104 - compared, not bound
        raise OSError(errno.EADDRNOTAVAIL, f"{host} is not this host's address")


def look_up(driver: Driver, host: str) -> Address:
    """The packed address of `host`, a literal or a name; `socket.gaierror` when it has none."""
    try:
        return IPv4Address(host).packed
    except ValueError:
        return driver.wait(driver.call(lambda: driver.stack.dns.resolve(host)), None)[0]


class UdpSocket:
    """A blocking datagram socket: the methods of `socket.socket(AF_INET, SOCK_DGRAM)` with their meaning."""

    family = socket.AF_INET
    type = socket.SOCK_DGRAM
    proto = 0

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._endpoint: UdpEndpoint | None = None
        self._timeout: float | None = None
        self._options: dict[int, int] = {}
        self._marking = UNMARKED
        self._closed = False

    def bind(self, address: SocketAddress) -> None:
        """Take a local port (0: any). `OSError` when it is in use or the address is not ours."""
        host, port = address
        local_address(self._driver, host)
        if self._endpoint is not None:
            raise OSError(errno.EINVAL, "the socket is bound already")
        self._bind(port)

    def connect(self, address: SocketAddress) -> None:
        """Choose the only peer: `send` goes to it, nobody else is heard, and ICMP errors about it are raised."""
        endpoint = self._bound()
        remote = (look_up(self._driver, address[0]), address[1])
        self._driver.call(lambda: setattr(endpoint, "remote", remote))

    def sendto(self, data: Octets, address: SocketAddress) -> int:
        """Send one datagram; its length is returned."""
        endpoint = self._bound()
        dst = look_up(self._driver, address[0])
        self._driver.call(lambda: endpoint.send(data, dst, address[1]))
        return len(data)

    def send(self, data: Octets) -> int:
        """Send one datagram to the connected peer."""
        endpoint = self._bound()
        dst, port = self._peer(endpoint)
        self._driver.call(lambda: endpoint.send(data, dst, port))
        return len(data)

    def recvfrom(self, bufsize: int) -> tuple[bytes, SocketAddress]:
        """The next datagram, cut to `bufsize` octets, and where it came from."""
        datagram = self._receive()
        return datagram.data[:bufsize], (to_text(datagram.src), datagram.src_port)

    def recv(self, bufsize: int) -> bytes:
        """The next datagram, cut to `bufsize` octets."""
        return self._receive().data[:bufsize]

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0) -> int:
        """The next datagram into `buffer`, as far as it fits; the octets written are returned."""
        data = self.recv(nbytes or len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def settimeout(self, value: float | None) -> None:
        """Seconds that receiving may wait; None for ever, 0 not at all."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = value

    def gettimeout(self) -> float | None:
        """The timeout in seconds."""
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        """Wait for ever, or not at all."""
        self._timeout = None if flag else 0.0

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """SO_RCVBUF sets the queue's octets, SO_BROADCAST allows broadcasts, IP_TOS and IP_TTL mark what is sent from now on.

        `OSError` for all others.
        """
        if level == socket.IPPROTO_IP:
            self._marking = self._marking.with_option(option, value)
        elif level == socket.SOL_SOCKET and option in {socket.SO_RCVBUF, socket.SO_BROADCAST}:
            self._options[option] = value
        else:
            raise OSError(errno.ENOPROTOOPT, "UDP sockets know SO_RCVBUF, SO_BROADCAST, IP_TOS and IP_TTL only")
        if self._endpoint is not None:
            self._apply(self._endpoint)

    def getsockopt(self, level: int, option: int) -> int:
        """The value of SO_RCVBUF, SO_BROADCAST, IP_TOS or IP_TTL."""
        if level == socket.IPPROTO_IP:
            return self._marking.option(option, self._driver.stack.config.ttl)
        endpoint = self._bound()
        if level == socket.SOL_SOCKET and option == socket.SO_RCVBUF:
            return endpoint.capacity
        if level == socket.SOL_SOCKET and option == socket.SO_BROADCAST:
            return int(endpoint.broadcast)
        raise OSError(errno.ENOPROTOOPT, "UDP sockets know SO_RCVBUF, SO_BROADCAST, IP_TOS and IP_TTL only")

    def getsockname(self) -> SocketAddress:
        """Our address and port; port 0 before the socket is bound."""
        if self._endpoint is None:
            return "0.0.0.0", 0  # noqa: S104 - reported, not bound
        return str(self._driver.stack.config.ip), self._endpoint.port

    def getpeername(self) -> SocketAddress:
        """The connected peer; `OSError` when there is none."""
        dst, port = self._peer(self._bound())
        return to_text(dst), port

    def close(self) -> None:
        """Free the port. May be called twice."""
        self._closed = True
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            self._driver.call(endpoint.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _bind(self, port: int) -> UdpEndpoint:
        if self._closed:
            raise OSError(errno.EBADF, "the socket is closed")
        endpoint = self._endpoint = self._driver.call(lambda: self._driver.stack.udp.bind(port))
        self._apply(endpoint)
        return endpoint

    def _bound(self) -> UdpEndpoint:
        return self._endpoint or self._bind(0)

    def _apply(self, endpoint: UdpEndpoint) -> None:
        endpoint.capacity = self._options.get(socket.SO_RCVBUF, endpoint.capacity)
        endpoint.broadcast = bool(self._options.get(socket.SO_BROADCAST, endpoint.broadcast))
        endpoint.marking = self._marking

    @staticmethod
    def _peer(endpoint: UdpEndpoint) -> tuple[Address, int]:
        if endpoint.remote is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return endpoint.remote

    def _receive(self) -> Datagram:
        endpoint = self._bound()
        future = self._driver.call(endpoint.receive)
        try:
            return self._driver.wait(future, self._timeout)
        except (TimeoutError, BlockingIOError, KeyboardInterrupt):
            self._driver.call(lambda: endpoint.forget(future))
            # The datagram may have come between the timeout and `forget`: then it must not be lost.
            if future.exception() is None:
                return future.result()
            if self._timeout == 0:
                raise BlockingIOError(errno.EAGAIN, "no datagram is waiting") from None
            raise


class AsyncUdpSocket:
    """A datagram socket for asyncio; made by `Host.async_udp_socket`. Use as an asynchronous context manager."""

    def __init__(self, driver: AsyncDriver, endpoint: UdpEndpoint) -> None:
        self._driver = driver
        self._endpoint = endpoint

    @property
    def port(self) -> int:
        """The local port."""
        return self._endpoint.port

    async def setsockopt(self, level: int, option: int, value: int) -> None:
        """IP_TOS and IP_TTL, for what is sent from now on; `OSError` for all others."""
        await asyncio.wrap_future(self._driver.submit(lambda: mark(self._endpoint, level, option, value)))

    def getsockopt(self, level: int, option: int) -> int:
        """The value of IP_TOS or IP_TTL."""
        return marked(self._endpoint, level, option, self._driver.stack.config.ttl)

    async def sendto(self, data: Octets, address: SocketAddress) -> int:
        """Send one datagram; its length is returned. Names are looked up without blocking."""
        dst = await async_look_up(self._driver, address[0])
        await asyncio.wrap_future(self._driver.submit(lambda: self._endpoint.send(data, dst, address[1])))
        return len(data)

    async def recvfrom(self, bufsize: int) -> tuple[bytes, SocketAddress]:
        """The next datagram, cut to `bufsize` octets, and where it came from. Cancelling it loses no datagram."""
        datagram = await outcome(self._driver, self._endpoint.receive, self._endpoint.abandon)
        return datagram.data[:bufsize], (to_text(datagram.src), datagram.src_port)

    async def close(self) -> None:
        """Free the port."""
        await asyncio.wrap_future(self._driver.submit(self._endpoint.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


async def async_look_up(driver: AsyncDriver, host: str) -> Address:
    """`look_up` without blocking."""
    try:
        return IPv4Address(host).packed
    except ValueError:
        future = await asyncio.wrap_future(driver.submit(lambda: driver.stack.dns.resolve(host)))
        return (await asyncio.wrap_future(future))[0]
