"""TCP sockets shaped like the standard library's, blocking and for asyncio, over one host."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final, Self, TypeVar

from wirelaw.impl.net.connection import REFUSALS, Connection, Options
from wirelaw.impl.net.tcp import Listener
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
LINGER: Final = struct.Struct("ii")
SENT_FLAGS: Final = socket.MSG_NOSIGNAL
"""Flags that `send` knows: this one asks for what is always so, for no signal is ever raised here."""
KNOWN_OPTIONS: Final = (
    "TCP sockets know TCP_NODELAY, SO_RCVBUF, SO_SNDBUF, SO_LINGER, SO_REUSEADDR, IP_TOS and IP_TTL; they also tell SO_ERROR and SO_TYPE"
)
PENDING: Final = {
    errno.EAGAIN: "the call would have to wait",
    errno.EINPROGRESS: "the connection is being opened",
    errno.EALREADY: "the connection is being opened already",
}
CONGESTION_BITS: Final = 0b11
"""The part of the TOS octet that tells of congestion (RFC 3168): TCP's own, never an application's."""


def mark_tcp(target: Marked, level: int, option: int, value: int) -> None:
    """Like `mark`, without the bits that TCP decides on."""
    mark(target, level, option, value & ~CONGESTION_BITS if option == socket.IP_TOS else value)


def _check_flags(flags: int, known: int) -> None:
    if flags & ~known:
        raise OSError(errno.EOPNOTSUPP, f"flags {flags & ~known:#x} are not known: recv has MSG_PEEK, send MSG_NOSIGNAL")


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
        # Shared with the listener and the connection; changed where the stack runs only.
        self._options = connection.options if connection is not None else Options.of(driver.stack.config.limits)
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
            self._listener = self._driver.call(lambda: self._driver.stack.tcp.listen(self._port, backlog, self._options))
            self._port = self._listener.port

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
        """Open a connection. `ConnectionRefusedError`, `TimeoutError` and other `OSError` as the standard library has them.

        Without waiting it raises `BlockingIOError` with EINPROGRESS. A second call waits for the same connection, or without waiting
        raises EALREADY; after an attempt that failed it tells why, once, and then the next call tries again.
        """
        self._check_open()
        if self._listener is not None:
            raise OSError(errno.EISCONN, "the socket listens")
        if self._connection is None:
            remote = look_up(self._driver, address[0])
            self._connection = self._driver.call(lambda: self._driver.stack.tcp.connect(remote, address[1], self._port, self._options))
            self._options = self._connection.options
            pending = errno.EINPROGRESS
        else:
            pending = self._connect_again(self._connection)
        connection = self._connection
        try:
            self._wait(connection.connected, lambda: None, pending)
        except OSError:
            if connection.ended.done():
                self._driver.call(connection.take_error)
                self._connection = None
            raise

    def _connect_again(self, connection: Connection) -> int:
        """The error of a `connect` that would have to wait for an attempt under way; raises where there is none."""
        if connection.ended.done():
            self._connection = None
            raise self._driver.call(connection.take_error) or OSError(*REFUSALS["no_connection"])
        refusal = self._driver.call(lambda: connection.ask("open_active")) or ""
        number, told = REFUSALS[refusal]
        if number != errno.EALREADY:
            raise OSError(number, told)
        return number

    def connect_ex(self, address: SocketAddress) -> int:
        """`connect`, with the error number as its result."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    # --- octets ------------------------------------------------------------------------------------------------

    def send(self, data: Octets, flags: int = 0) -> int:
        """Hand over octets; how many were taken is returned. Of the flags MSG_NOSIGNAL is known."""
        _check_flags(flags, SENT_FLAGS)
        connection = self._connected()
        future = self._driver.call(lambda: connection.send(data))
        return self._wait(future, lambda: connection.forget(future))

    def sendall(self, data: Octets, flags: int = 0) -> None:
        """Hand over all octets."""
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(view, flags) :]

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Up to `bufsize` octets; empty when the peer has finished. With MSG_PEEK, the only flag known, they are not taken out."""
        _check_flags(flags, socket.MSG_PEEK)
        connection = self._connected()
        future = self._driver.call(lambda: connection.receive(bufsize, bool(flags & socket.MSG_PEEK)))
        return self._wait(future, lambda: connection.forget(future))

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0, flags: int = 0) -> int:
        """Like `recv`, into `buffer`; the number of octets is returned."""
        data = self.recv(nbytes or len(buffer), flags)
        memoryview(buffer)[: len(data)] = data
        return len(data)

    # --- closing -----------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """`SHUT_RD`: reads give nothing from now on, and what comes is thrown away. `SHUT_WR`: no more to send (RFC 9293 3.10.4).

        `SHUT_RDWR`: both.
        """
        if how not in {socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR}:
            raise OSError(errno.EINVAL, "shut down SHUT_RD, SHUT_WR or SHUT_RDWR")
        connection = self._connected()
        if how != socket.SHUT_WR:
            self._driver.call(lambda: connection.call("close_reading"))
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
                self._driver.call(connection.leave)

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
        """TCP_NODELAY, SO_RCVBUF, SO_SNDBUF (octets), SO_LINGER (on with 0 seconds: reset on close), SO_REUSEADDR (always so here).

        IP_TOS (the low two bits stay TCP's, RFC 3168) and IP_TTL hold for segments from now on (RFC 9293 3.9.1.9, 3.9.2).
        What a listening socket has is what its connections begin with. `OSError` (ENOPROTOOPT) for any other option.
        """
        options = self._options
        match level, option, value:
            case socket.IPPROTO_IP, _, int():
                self._driver.call(lambda: mark_tcp(options, level, option, value))
            case socket.SOL_SOCKET, socket.SO_LINGER, bytes() if len(value) == LINGER.size:
                on, seconds = LINGER.unpack(value)
                options.reset_on_close = bool(on) and seconds == 0
            case socket.SOL_SOCKET, socket.SO_REUSEADDR, int():
                pass
            case socket.SOL_SOCKET, (socket.SO_RCVBUF | socket.SO_SNDBUF), int():
                self._driver.call(lambda: self._resize(option, max(value, 1)))
            case socket.IPPROTO_TCP, socket.TCP_NODELAY, int():
                self._driver.call(lambda: self._set_nodelay(bool(value)))
            case _:
                raise OSError(errno.ENOPROTOOPT, KNOWN_OPTIONS)

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int | bytes:
        """The value of an option; SO_ERROR is the pending error, once. SO_LINGER is octets where `buflen` says how many.

        `OSError` (ENOPROTOOPT) for an option that is not known.
        """
        options, connection = self._options, self._connection
        match level, option:
            case socket.IPPROTO_IP, _:
                return marked(options, level, option, self._driver.stack.config.ttl)
            case socket.SOL_SOCKET, socket.SO_ERROR:
                error = self._driver.call(connection.take_error) if connection is not None else None
                return 0 if error is None else getattr(error, "errno", None) or errno.EIO
            case socket.SOL_SOCKET, socket.SO_RCVBUF:
                return options.receive_buffer if connection is None else connection.incoming.capacity
            case socket.SOL_SOCKET, socket.SO_SNDBUF:
                return options.send_buffer if connection is None else connection.outgoing.capacity
            case socket.SOL_SOCKET, socket.SO_LINGER:
                value = LINGER.pack(options.reset_on_close, 0)
                return value[:buflen] if buflen else int(options.reset_on_close)
            case socket.SOL_SOCKET, socket.SO_REUSEADDR:
                return 1
            case socket.SOL_SOCKET, socket.SO_TYPE:
                return int(self.type)
            case socket.IPPROTO_TCP, socket.TCP_NODELAY:
                return int(options.nodelay)
        raise OSError(errno.ENOPROTOOPT, KNOWN_OPTIONS)

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

    def _resize(self, option: int, octets: int) -> None:
        if option == socket.SO_RCVBUF:
            self._options.receive_buffer = octets
        else:
            self._options.send_buffer = octets
        if self._connection is not None:
            self._connection.resize()

    def _set_nodelay(self, on: bool) -> None:
        self._options.nodelay = on
        if self._connection is not None:
            self._connection.call("push", on)

    def _check_open(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, "the socket is closed")

    def _connected(self) -> Connection:
        self._check_open()
        if self._connection is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return self._connection

    def _wait(self, future: "Future[T]", forget: Callable[[], object], pending: int = errno.EAGAIN) -> T:
        """The future's value within the timeout; what came too late for it is not lost. `pending` is told where nobody may wait."""
        try:
            return self._driver.wait(future, self._timeout)
        except (TimeoutError, BlockingIOError, KeyboardInterrupt):
            self._driver.call(forget)
            if future.done():
                return future.result()
            if self._timeout == 0:
                raise BlockingIOError(pending, PENDING[pending]) from None
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
        await asyncio.wrap_future(self._driver.submit(lambda: mark_tcp(self._connection.options, level, option, value)))

    def getsockopt(self, level: int, option: int) -> int:
        """The value of IP_TOS or IP_TTL."""
        return marked(self._connection.options, level, option, self._driver.stack.config.ttl)

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
                self._connection.leave(bool(self._unread))

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
        await asyncio.wrap_future(self._driver.submit(lambda: mark_tcp(self._listener.options, level, option, value)))

    def getsockopt(self, level: int, option: int) -> int:
        """The value of IP_TOS or IP_TTL."""
        return marked(self._listener.options, level, option, self._driver.stack.config.ttl)

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
        opened.append(driver.stack.tcp.connect(remote, address[1]))
        return opened[0].connected

    def undo(_: "Future[None]") -> None:
        with contextlib.suppress(OSError):  # it ended by itself
            opened[0].call("abort")

    await outcome(driver, start, undo)
    return AsyncTcpStream(driver, opened[0])


async def async_listen(driver: AsyncDriver, port: int = 0, backlog: int | None = None) -> AsyncTcpListener:
    """Listen for asyncio."""
    return AsyncTcpListener(driver, await asyncio.wrap_future(driver.submit(lambda: driver.stack.tcp.listen(port, backlog))))
