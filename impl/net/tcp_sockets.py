"""TCP sockets shaped like the standard library's, blocking and for asyncio, over one host."""

import asyncio
import contextlib
import errno
import socket
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Self, TypeVar

from wirelaw.impl.net.ipv4 import UNMARKED
from wirelaw.impl.net.tcp import REFUSALS, Connection, Listener, Tcp
from wirelaw.impl.net.udp_sockets import (
    AsyncDriver,
    Driver,
    Marked,
    SocketAddress,
    async_look_up,
    local_address,
    look_up,
    mark,
    marked,
    outcome,
    to_text,
)
from wirelaw.impl.wire.checksum import Address, Octets

T = TypeVar("T")
_SIZES: Final = {socket.SO_RCVBUF: "receive", socket.SO_SNDBUF: "send"}
CONGESTION_BITS: Final = 0b11
"""The part of the TOS octet that tells of congestion (RFC 3168): TCP's own, never an application's."""


def tcp_of(driver: Driver) -> Tcp:
    """The TCP of the host that `driver` runs."""
    tcp = driver.stack.stream
    assert isinstance(tcp, Tcp)
    return tcp


def mark_tcp(target: Marked, level: int, option: int, value: int) -> None:
    """Like `mark`, without the bits that TCP decides on."""
    mark(target, level, option, value & ~CONGESTION_BITS if option == socket.IP_TOS else value)


class TcpSocket:
    """A blocking stream socket: the methods of `socket.socket(AF_INET, SOCK_STREAM)` with their meaning.

    On a virtual host nothing waits: calls that would raise `BlockingIOError`.
    """

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, driver: Driver, connection: Connection | None = None) -> None:
        self._driver = driver
        self._connection = connection
        self._listener: Listener | None = None
        self._port = 0
        self._timeout: float | None = None
        self._options: dict[tuple[int, int], int] = {}
        self.marking = connection.marking if connection is not None else UNMARKED
        self._reset_on_close = False
        self._closed = False

    # --- opening -----------------------------------------------------------------------------------------------

    def bind(self, address: SocketAddress) -> None:
        """Choose the local port (0: any). `OSError` when the address is not ours."""
        local_address(self._driver, address[0])
        self._port = address[1]

    def listen(self, backlog: int | None = None) -> None:
        """Begin a passive open (RFC 9293 3.10.1)."""
        self._check_open()
        if self._listener is None:
            self._listener = self._driver.call(lambda: tcp_of(self._driver).listen(self._port, backlog))
            self._port = self._listener.port
            self._apply_marking()

    def accept(self) -> tuple["TcpSocket", SocketAddress]:
        """The next connection and its peer."""
        listener = self._listener
        if listener is None:
            raise OSError(errno.EINVAL, "the socket does not listen")
        future = self._driver.call(listener.accept)
        connection = self._wait(future, lambda: listener.forget(future))
        accepted = TcpSocket(self._driver, connection)
        _, _, address, port = connection.four_tuple
        return accepted, (to_text(address), port)

    def connect(self, address: SocketAddress) -> None:
        """Open a connection. `ConnectionRefusedError`, `TimeoutError` and other `OSError` as the standard library has them."""
        self._check_open()
        if self._connection is not None:
            raise OSError(errno.EISCONN, "the socket is connected already")
        remote = look_up(self._driver, address[0])
        connection = self._connection = self._driver.call(
            lambda: tcp_of(self._driver).connect(remote, address[1], self._port, self.marking)
        )
        self._apply_options()
        self._wait(connection.connected, lambda: None)

    def connect_ex(self, address: SocketAddress) -> int:
        """`connect`, with the error number as its result."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    # --- octets ------------------------------------------------------------------------------------------------

    def send(self, data: Octets, flags: int = 0) -> int:
        """Hand over octets; how many were taken is returned."""
        connection = self._connected()
        future = self._driver.call(lambda: connection.send(data))
        return self._wait(future, lambda: connection.forget(future))

    def sendall(self, data: Octets, flags: int = 0) -> None:
        """Hand over all octets."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view) :]

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Up to `bufsize` octets; empty when the peer has finished."""
        connection = self._connected()
        future = self._driver.call(lambda: connection.receive(bufsize))
        return self._wait(future, lambda: connection.forget(future))

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:
        """Like `recv`, into `buffer`; the number of octets is returned."""
        data = self.recv(nbytes or len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)

    # --- closing -----------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """`SHUT_WR` or `SHUT_RDWR`: no more to send (RFC 9293 3.10.4)."""
        connection = self._connected()
        if how != socket.SHUT_RD:
            self._driver.call(lambda: connection.call("close"))

    def close(self) -> None:
        """Close; with unread text, or SO_LINGER 0, the connection is reset. What was sent is still delivered. May be called twice."""
        self._closed = True
        listener, self._listener = self._listener, None
        connection, self._connection = self._connection, None
        with contextlib.suppress(OSError):  # the host is closed, and everything on it
            if listener is not None:
                self._driver.call(listener.close)
            if connection is not None:
                self._driver.call(lambda: self._leave(connection))

    def _leave(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # nothing is left to close
            if self._reset_on_close:
                connection.call("abort")
            else:
                connection.call("leave", connection.incoming.readable > 0)

    def detach(self) -> Connection | None:
        """Give up the connection without closing it."""
        connection, self._connection = self._connection, None
        return connection

    # --- the rest ----------------------------------------------------------------------------------------------

    def settimeout(self, value: float | None) -> None:
        """Seconds that a call may wait; None for ever, 0 not at all."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = value

    def gettimeout(self) -> float | None:
        """The timeout in seconds."""
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        """Wait for ever, or not at all."""
        self._timeout = None if flag else 0.0

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """TCP_NODELAY, SO_RCVBUF, SO_SNDBUF, SO_LINGER (on with 0 seconds: reset on close), SO_REUSEADDR (always so here).

        IP_TOS (the low two bits stay TCP's, RFC 3168) and IP_TTL hold for segments from now on (RFC 9293 3.9.1.9, 3.9.2);
        those of a listening socket for its connections to come.
        """
        if level == socket.IPPROTO_IP and isinstance(value, int):
            mark_tcp(self, level, option, value)
            self._apply_marking()
        elif (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER) and isinstance(value, bytes):
            self._reset_on_close = value[:4] != bytes(4) and value[4:8] == bytes(4)
        elif isinstance(value, int) and (option == socket.TCP_NODELAY if level == socket.IPPROTO_TCP else level == socket.SOL_SOCKET):
            if level == socket.SOL_SOCKET and option not in {*_SIZES, socket.SO_REUSEADDR}:
                raise OSError(errno.ENOPROTOOPT, "TCP sockets know SO_RCVBUF, SO_SNDBUF, SO_LINGER and SO_REUSEADDR")
            self._options[level, option] = value
            self._apply_options()
        else:
            raise OSError(errno.ENOPROTOOPT, "TCP sockets know TCP_NODELAY, IP_TOS and IP_TTL")

    def getsockopt(self, level: int, option: int) -> int:
        """The value of an option; SO_ERROR is the pending error, once."""
        connection = self._connection
        if level == socket.IPPROTO_IP:
            return marked(self, level, option, self._driver.stack.config.ttl)
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            error = connection.error if connection is not None else None
            return error.errno or errno.EIO if isinstance(error, OSError) else 0
        if level == socket.SOL_SOCKET and connection is not None and option in _SIZES:
            return connection.incoming.capacity if option == socket.SO_RCVBUF else connection.outgoing.capacity
        return self._options.get((level, option), 0)

    def getsockname(self) -> SocketAddress:
        """Our address and port."""
        if self._connection is not None:
            address, port, _, _ = self._connection.four_tuple
            return to_text(address), port
        return str(self._driver.stack.config.ip) if self._listener else "0.0.0.0", self._port  # noqa: S104 - reported, not bound

    def getpeername(self) -> SocketAddress:
        """The peer's address and port; `OSError` when there is no connection any more (RFC 9293 3.10.6)."""
        connection = self._connected()
        refusal = self._driver.call(lambda: connection.ask("status"))
        if refusal is not None:
            raise OSError(*REFUSALS[refusal])
        _, _, address, port = connection.four_tuple
        return to_text(address), port

    @property
    def connection(self) -> Connection | None:
        """What stands behind the socket."""
        return self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _apply_options(self) -> None:
        connection = self._connection
        if connection is None:
            return
        sizes = {_SIZES[o]: v for (level, o), v in self._options.items() if level == socket.SOL_SOCKET and o in _SIZES}
        nodelay = self._options.get((socket.IPPROTO_TCP, socket.TCP_NODELAY))

        def apply() -> None:
            connection.resize(**sizes)
            if nodelay is not None:
                connection.call("push", bool(nodelay))

        self._driver.call(apply)

    def _apply_marking(self) -> None:
        for target in (self._connection, self._listener):
            if target is not None:
                self._driver.call(partial(setattr, target, "marking", self.marking))

    def _check_open(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, "the socket is closed")

    def _connected(self) -> Connection:
        self._check_open()
        if self._connection is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return self._connection

    def _wait(self, future: "Future[T]", forget: Any) -> T:
        """The future's value within the timeout; what came too late for it is not lost."""
        try:
            return self._driver.wait(future, self._timeout)
        except (TimeoutError, BlockingIOError, KeyboardInterrupt):
            self._driver.call(forget)
            if future.done():
                return future.result()
            if self._timeout == 0:
                raise BlockingIOError(errno.EAGAIN, "the call would have to wait") from None
            raise


class AsyncTcpStream:
    """A connection for asyncio; made by `Host.async_connect` and `AsyncTcpListener.accept`."""

    def __init__(self, driver: AsyncDriver, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._unread = b""  # what came for a reader that was cancelled; touched where the stack runs only

    @property
    def sockname(self) -> SocketAddress:
        """Our address and port."""
        address, port, _, _ = self._connection.four_tuple
        return to_text(address), port

    @property
    def peername(self) -> SocketAddress:
        """The peer's address and port."""
        _, _, address, port = self._connection.four_tuple
        return to_text(address), port

    async def setsockopt(self, level: int, option: int, value: int) -> None:
        """IP_TOS and IP_TTL, as `TcpSocket.setsockopt` has them."""
        await asyncio.wrap_future(self._driver.submit(lambda: mark_tcp(self._connection, level, option, value)))

    def getsockopt(self, level: int, option: int) -> int:
        """The value of IP_TOS or IP_TTL."""
        return marked(self._connection, level, option, self._driver.stack.config.ttl)

    async def read(self, count: int) -> bytes:
        """Up to `count` octets; empty when the peer has finished. Cancelling it loses nothing."""

        def start() -> "Future[bytes]":
            if not self._unread:
                return self._connection.receive(count)
            kept, self._unread = self._unread[:count], self._unread[count:]
            future: Future[bytes] = Future()
            future.set_result(kept)
            return future

        def undo(future: "Future[bytes]") -> None:
            self._connection.forget(future)
            if future.done() and future.exception() is None:
                self._unread = future.result() + self._unread

        return await outcome(self._driver, start, undo)

    async def write(self, data: Octets) -> None:
        """Hand over all octets, waiting for room as needed. When cancelled, some of them may have been handed over."""
        view = memoryview(data).cast("B")
        while view:
            start = partial(self._connection.send, view)
            view = view[await outcome(self._driver, start, self._connection.forget) :]

    async def finish(self) -> None:
        """No more to write."""
        await asyncio.wrap_future(self._driver.submit(lambda: self._connection.call("close")))

    async def close(self) -> None:
        """Close the connection; what was written is still delivered, unless something was left unread. May be called twice."""

        def leave() -> None:
            with contextlib.suppress(OSError):
                self._connection.call("leave", self._connection.incoming.readable > 0 or bool(self._unread))

        with contextlib.suppress(OSError):  # the host is closed, and everything on it
            await asyncio.wrap_future(self._driver.submit(leave))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


class AsyncTcpListener:
    """A passive open for asyncio; made by `Host.async_listen`."""

    def __init__(self, driver: AsyncDriver, listener: Listener) -> None:
        self._driver = driver
        self._listener = listener
        self._closed = False

    @property
    def port(self) -> int:
        """The local port."""
        return self._listener.port

    async def setsockopt(self, level: int, option: int, value: int) -> None:
        """IP_TOS and IP_TTL of the connections to come."""
        await asyncio.wrap_future(self._driver.submit(lambda: mark_tcp(self._listener, level, option, value)))

    def getsockopt(self, level: int, option: int) -> int:
        """The value of IP_TOS or IP_TTL."""
        return marked(self._listener, level, option, self._driver.stack.config.ttl)

    async def accept(self) -> AsyncTcpStream:
        """The next connection. Cancelling it loses none."""

        def undo(future: "Future[Connection]") -> None:
            self._listener.forget(future)
            if future.done() and future.exception() is None:
                self._listener.connected(future.result())  # for whoever accepts next

        return AsyncTcpStream(self._driver, await outcome(self._driver, self._listener.accept, undo))

    async def close(self) -> None:
        """Stop listening. May be called twice."""
        closing, self._closed = not self._closed, True
        if closing:
            with contextlib.suppress(OSError):  # the host is closed, and everything on it
                await asyncio.wrap_future(self._driver.submit(self._listener.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


async def async_connect(driver: AsyncDriver, address: SocketAddress) -> AsyncTcpStream:
    """Open a connection for asyncio; one whose opening is cancelled is aborted."""
    remote: Address = await async_look_up(driver, address[0])
    opened: list[Connection] = []

    def start() -> "Future[None]":
        opened.append(tcp_of(driver).connect(remote, address[1]))
        return opened[0].connected

    def undo(_: "Future[None]") -> None:
        with contextlib.suppress(OSError):  # it ended by itself
            opened[0].call("abort")

    await outcome(driver, start, undo)
    return AsyncTcpStream(driver, opened[0])


async def async_listen(driver: AsyncDriver, port: int = 0, backlog: int | None = None) -> AsyncTcpListener:
    """Listen for asyncio."""
    return AsyncTcpListener(driver, await asyncio.wrap_future(driver.submit(lambda: tcp_of(driver).listen(port, backlog))))
