"""UDP (RFC 768, RFC 1122 4.1): a table of local ports, each with a bounded queue of received datagrams."""

import errno
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple

from wirelaw.impl.net.icmp import Icmp
from wirelaw.impl.net.ipv4 import TRANSPORT_OFFSET, UNMARKED, Ipv4
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.wire.checksum import Address, Octets
from wirelaw.impl.wire.icmp import PORT_UNREACHABLE, UNREACHABLE, IcmpError
from wirelaw.impl.wire.ipv4 import HEADER_LENGTH as IP_HEADER
from wirelaw.impl.wire.ipv4 import MAXIMUM_LENGTH, UDP
from wirelaw.impl.wire.udp import HEADER_LENGTH, parse_udp, write_udp

MAXIMUM_PAYLOAD: Final = MAXIMUM_LENGTH - IP_HEADER - HEADER_LENGTH
FIRST_EPHEMERAL: Final = 49152
DATAGRAM_COST: Final = 64
"""Least octets of queue a datagram is charged for, so that empty ones are bounded as well."""


class Datagram(NamedTuple):
    """A received datagram and where it came from."""

    data: bytes
    src: Address
    src_port: int


def ephemeral_port(entropy: Entropy, taken: Callable[[int], bool]) -> int:
    """A free port chosen at random (RFC 6056 3.3.1); `OSError` when all are taken."""
    count = 65536 - FIRST_EPHEMERAL
    start = entropy.below(count)
    for step in range(count):
        port = FIRST_EPHEMERAL + (start + step) % count
        if not taken(port):
            return port
    raise OSError(errno.EADDRINUSE, "all ephemeral ports are in use")


class UdpEndpoint:
    """One bound port. `remote`, when set, is the only peer heard (a connected socket)."""

    def __init__(self, udp: "Udp", port: int, capacity: int) -> None:
        self.port = port
        self.capacity = capacity
        self.remote: tuple[Address, int] | None = None
        self.broadcast = False
        self.marking = UNMARKED
        self.open = True
        self._udp = udp
        self._queue: deque[Datagram] = deque()
        self._queued = 0
        self._waiting: deque[Future[Datagram]] = deque()
        self._error: OSError | None = None

    def send(self, data: Octets, dst: Address, port: int) -> None:
        """Send one datagram; `OSError` when it cannot be (too long, no route, broadcast not allowed, no room)."""
        self._raise_error()
        self._udp.send(self, data, dst, port)

    def take(self) -> Datagram | None:
        """The oldest datagram received, or None. An ICMP error about a connected endpoint is raised first."""
        self._raise_error()
        if not self._queue:
            return None
        datagram = self._queue.popleft()
        self._queued -= max(len(datagram.data), DATAGRAM_COST)
        return datagram

    def receive(self) -> "Future[Datagram]":
        """The next datagram, as soon as there is one; `forget` ends the wait."""
        future: Future[Datagram] = Future()
        future.set_running_or_notify_cancel()
        try:
            if not self.open:
                raise OSError(errno.EBADF, "the socket is closed")
            datagram = self.take()
        except OSError as error:
            future.set_exception(error)
        else:
            if datagram is None:
                self._waiting.append(future)
            else:
                future.set_result(datagram)
        return future

    def forget(self, future: "Future[Datagram]") -> None:
        """End the wait of `future`, unless it has already got its datagram."""
        if future in self._waiting:
            self._waiting.remove(future)
            future.set_exception(TimeoutError("timed out"))

    def abandon(self, future: "Future[Datagram]") -> None:
        """End the wait of `future`, whose datagram, if it has one, nobody took: it is the next to be received again."""
        self.forget(future)
        if future.exception() is None and self.open:
            datagram = future.result()
            self._queue.appendleft(datagram)
            self._queued += max(len(datagram.data), DATAGRAM_COST)

    def deliver(self, datagram: Datagram) -> bool:
        """Queue or hand over a received datagram; False when the queue is full."""
        if self._waiting:
            self._waiting.popleft().set_result(datagram)
            return True
        cost = max(len(datagram.data), DATAGRAM_COST)
        if self._queued + cost > self.capacity:
            return False
        self._queue.append(datagram)
        self._queued += cost
        return True

    def fail(self, error: OSError) -> None:
        """Report an asynchronous error to whoever waits, or to the next call."""
        if self._waiting:
            self._waiting.popleft().set_exception(error)
        else:
            self._error = error

    def close(self) -> None:
        """Free the port. Waiting receives fail; what was queued is dropped. May be called twice."""
        if self.open:
            self.open = False
            self._udp.release(self)
            while self._waiting:
                self._waiting.popleft().set_exception(OSError(errno.EBADF, "the socket was closed"))
            self._queue.clear()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class Udp:
    """The UDP module."""

    def __init__(self, ip: Ipv4, icmp: Icmp, sockets: int, receive_buffer: int, statistics: Statistics, entropy: Entropy) -> None:
        """Up to `sockets` endpoints, each queueing up to `receive_buffer` octets."""
        self._ip = ip
        self._icmp = icmp
        self._limit = sockets
        self._receive_buffer = receive_buffer
        self._statistics = statistics
        self._entropy = entropy
        self._ports: dict[int, UdpEndpoint] = {}
        ip.handlers[UDP] = self.input
        icmp.error_handlers[UDP] = self._error

    def __len__(self) -> int:
        return len(self._ports)

    def bind(self, port: int = 0) -> UdpEndpoint:
        """Take local `port`, or with 0 a random one; `OSError` when it is in use or the table is full."""
        if not 0 <= port <= 65535:
            raise OverflowError(f"port {port} is not within 0..65535")
        if port in self._ports:
            raise OSError(errno.EADDRINUSE, f"UDP port {port} is in use")
        if len(self._ports) >= self._limit:
            raise OSError(errno.ENOBUFS, f"all {self._limit} UDP sockets are in use")
        if port == 0:
            port = ephemeral_port(self._entropy, self._ports.__contains__)
        endpoint = self._ports[port] = UdpEndpoint(self, port, self._receive_buffer)
        self._statistics.udp_sockets = len(self._ports)
        return endpoint

    def release(self, endpoint: UdpEndpoint) -> None:
        """Free the port of a closed endpoint."""
        del self._ports[endpoint.port]
        self._statistics.udp_sockets = len(self._ports)

    def close(self) -> None:
        """Close all endpoints: whoever waits is told."""
        for endpoint in list(self._ports.values()):
            endpoint.close()

    def input(self, datagram: memoryview, header_length: int, src: Address, dst: Address, verify: bool, unicast: bool, _gso: int) -> None:
        """One received UDP datagram."""
        parsed = parse_udp(datagram[header_length:], src, dst, verify)
        if parsed is None:
            self._statistics.drop("udp.malformed")
            return
        src_port, dst_port, payload = parsed
        endpoint = self._ports.get(dst_port)
        if endpoint is None:
            self._statistics.drop("udp.no_port")
            if unicast:
                self._icmp.report(UNREACHABLE, PORT_UNREACHABLE, datagram)
        elif endpoint.remote is not None and endpoint.remote != (src, src_port):
            self._statistics.drop("udp.wrong_peer")
        elif not endpoint.deliver(Datagram(bytes(payload), src, src_port)):
            self._statistics.drop("udp.queue_full")

    def send(self, endpoint: UdpEndpoint, data: Octets, dst: Address, port: int) -> None:
        """Send one datagram from `endpoint`; see `UdpEndpoint.send`."""
        if len(data) > MAXIMUM_PAYLOAD:
            raise OSError(errno.EMSGSIZE, f"a UDP datagram carries at most {MAXIMUM_PAYLOAD} octets, not {len(data)}")
        if not 0 < port <= 65535:
            raise OSError(errno.EINVAL, f"port {port} is not within 1..65535")
        if self._ip.is_broadcast(dst) and not endpoint.broadcast:
            raise OSError(errno.EACCES, "sending to a broadcast address needs the SO_BROADCAST option")
        if dst != self._ip.address and self._ip.route(dst) is None:
            raise OSError(errno.ENETUNREACH, "no route to that network")
        if IP_HEADER + HEADER_LENGTH + len(data) <= self._ip.mtu:
            sent = self._send_in_place(endpoint, data, dst, port)
        else:
            message = bytearray(HEADER_LENGTH + len(data))
            write_udp(message, 0, self._ip.address, dst, endpoint.port, port, data)
            sent = self._ip.send(dst, UDP, message, endpoint.marking)
        if not sent:
            raise OSError(errno.ENOBUFS, "the device has no room for the datagram")

    def _send_in_place(self, endpoint: UdpEndpoint, data: Octets, dst: Address, port: int) -> bool:
        buffer = self._ip.buffer()
        if buffer is None:
            self._statistics.drop("ethernet.tx_full")
            return False
        length = write_udp(buffer, TRANSPORT_OFFSET, self._ip.address, dst, endpoint.port, port, data)
        # Routers may fragment it, so it needs an identification of its own.
        return self._ip.transmit(buffer, length, dst, UDP, endpoint.marking, fragment=0, ident=self._ip.next_ident())

    def _error(self, error: IcmpError) -> None:
        """Pass an ICMP error up (RFC 1122 4.1.3.3): only a connected endpoint can tell whom it is about."""
        endpoint = self._ports.get(error.src_port)
        if endpoint is None or endpoint.remote != (error.dst, error.dst_port):
            self._statistics.drop("udp.unclaimed_error")
        elif error.type == UNREACHABLE and error.code == PORT_UNREACHABLE:
            endpoint.fail(ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens on the peer's port"))
        elif error.type == UNREACHABLE:
            endpoint.fail(OSError(errno.EHOSTUNREACH, "destination unreachable"))
