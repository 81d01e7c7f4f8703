"""ICMP for a host (RFC 792, RFC 1122 3.2.2): echo both ways, errors received and sent."""

import errno
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple

from wirelaw.impl.net.ipv4 import Ipv4
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.entropy import Entropy, Permutation16
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire import icmp as wire
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.icmp import IcmpError, IcmpMessage
from wirelaw.impl.wire.ipv4 import ICMP, OFFSET_MASK, Ipv4Header, parse_header

QUOTE_LIMIT: Final = 548
"""Most octets of the offending datagram to quote: the error then fits 576 octets (RFC 1812 4.3.2.3)."""

ERROR_BURST: Final = 50
ERROR_INTERVAL: Final = 20_000
"""Errors we send: up to a burst at once, then one in so many microseconds (RFC 1812 4.3.2.8 asks for a limit)."""

ErrorHandler = Callable[[IcmpError], None]


class PingReply(NamedTuple):
    """An echo reply: round-trip time in microseconds, payload octets, sequence number."""

    rtt: int
    size: int
    sequence: int


class RateLimit:
    """A token bucket: `burst` events at once, then one in each `interval` microseconds."""

    def __init__(self, burst: int, interval: int) -> None:
        self._interval = interval
        self._capacity = burst * interval
        self._level = self._capacity
        self._last = 0

    def allow(self, now: int) -> bool:
        """Whether one more event may happen at `now`; if so it is counted."""
        self._level = min(self._capacity, self._level + now - self._last)
        self._last = now
        if self._level < self._interval:
            return False
        self._level -= self._interval
        return True


class _Ping(NamedTuple):
    future: "Future[PingReply]"
    sent: int
    timer: Timer


class Icmp:
    """The ICMP module. `error_handlers` maps protocol numbers to the transports that hear of errors about their own."""

    def __init__(self, ip: Ipv4, pings: int, timers: Timers, statistics: Statistics, entropy: Entropy) -> None:
        """`pings` bounds the echo requests that wait for an answer at one time."""
        self.error_handlers: dict[int, ErrorHandler] = {ICMP: self._request_failed}
        self._ip = ip
        self._timers = timers
        self._statistics = statistics
        self._idents = Permutation16(entropy)
        self._ping_limit = pings
        self._pings: dict[tuple[Address, int, int], _Ping] = {}
        self._rate = RateLimit(ERROR_BURST, ERROR_INTERVAL)
        ip.handlers[ICMP] = self.input
        ip.unknown = self._unknown_protocol

    def ping(self, dst: Address, timeout: int = 1_000_000, size: int = 56, sequence: int = 1) -> "Future[PingReply]":
        """Send one echo request with `size` payload octets; the future ends within `timeout` microseconds.

        It fails with `TimeoutError`, or with `OSError` when the network reports that `dst` cannot be reached.
        """
        future: Future[PingReply] = Future()
        future.set_running_or_notify_cancel()
        ident = self._idents.next()
        key = (dst, ident, sequence & 0xFFFF)
        if self._ip.route(dst) is None:
            future.set_exception(OSError(errno.ENETUNREACH, "no route to that network"))
        elif len(self._pings) >= self._ping_limit or key in self._pings:
            future.set_exception(OSError(errno.ENOBUFS, "too many pings at one time"))
        else:
            timer = self._timers.after(timeout, lambda: self._fail(key, TimeoutError("no echo reply")))
            self._pings[key] = _Ping(future, self._timers.now, timer)
            body = bytes(octet & 0xFF for octet in range(size))
            self._ip.send(dst, ICMP, wire.build_icmp(wire.ECHO_REQUEST, 0, ident, key[2], body))
        return future

    def close(self) -> None:
        """Fail the pings that wait."""
        for key in list(self._pings):
            self._fail(key, OSError(errno.ENETDOWN, "the host was closed"))

    def input(self, datagram: memoryview, header_length: int, src: Address, dst: Address, verify: bool, unicast: bool, _gso: int) -> None:
        """One received ICMP message."""
        message = wire.parse_icmp(datagram[header_length:], verify)
        if message is None:
            self._statistics.drop("icmp.malformed")
        elif message.type == wire.ECHO_REQUEST:
            self._answer(message, src, unicast)
        elif message.type == wire.ECHO_REPLY:
            self._reply_received(message, src)
        elif message.type in wire.ERRORS:
            self._error_received(message, src)
        else:
            self._statistics.drop("icmp.unknown_type")  # RFC 1122 3.2.2: silently

    def report(self, kind: int, code: int, datagram: memoryview) -> None:
        """Send an error about the received `datagram`, unless RFC 1122 3.2.2 forbids one or the rate is exceeded.

        None is sent about an ICMP error, a broadcast or multicast, a fragment other than the first, or a datagram
        whose source is not one host.
        """
        header = parse_header(datagram)
        if header is None or header.fragment & OFFSET_MASK or header.dst != self._ip.address:
            return
        if header.protocol == ICMP and not self._is_query(datagram, header):
            return
        if not 0 < header.src[0] < 224 or self._ip.is_broadcast(header.src):
            return
        if not self._rate.allow(self._timers.now):
            self._statistics.drop("icmp.rate_limited")
            return
        self._ip.send(header.src, ICMP, wire.build_icmp(kind, code, 0, 0, datagram[:QUOTE_LIMIT]))

    def time_exceeded(self, start: bytes) -> None:
        """Say that the datagram beginning with `start` was never completed (RFC 1122 3.3.2)."""
        self.report(wire.TIME_EXCEEDED, wire.REASSEMBLY_TIME_EXCEEDED, memoryview(start))

    def undelivered(self, datagram: bytes) -> None:
        """Tell the transport that its datagram could not be sent: the neighbour does not answer (RFC 1122 3.2.2.1)."""
        message = IcmpMessage(wire.UNREACHABLE, 1, 0, 0, memoryview(datagram))
        self._error_received(message, self._ip.address)

    @staticmethod
    def _is_query(datagram: memoryview, header: Ipv4Header) -> bool:
        return len(datagram) > header.header_length and datagram[header.header_length] == wire.ECHO_REQUEST

    def _answer(self, message: IcmpMessage, src: Address, unicast: bool) -> None:
        if not unicast:
            self._statistics.drop("icmp.broadcast_echo")  # RFC 1122 3.2.2.6 leaves the choice; silence cannot amplify
            return
        self._ip.send(src, ICMP, wire.build_icmp(wire.ECHO_REPLY, 0, message.first, message.second, message.body))

    def _reply_received(self, message: IcmpMessage, src: Address) -> None:
        ping = self._pings.pop((src, message.first, message.second), None)
        if ping is None:
            self._statistics.drop("icmp.unexpected_reply")
            return
        ping.timer.cancel()
        ping.future.set_result(PingReply(self._timers.now - ping.sent, len(message.body), message.second))

    def _error_received(self, message: IcmpMessage, reporter: Address) -> None:
        error = wire.parse_error(message, reporter)
        if error is None or error.src != self._ip.address:
            self._statistics.drop("icmp.bad_quotation")
        elif message.type in {wire.REDIRECT, wire.SOURCE_QUENCH}:
            # One gateway leaves nothing to redirect to; source quench is to be ignored (RFC 6633).
            self._statistics.drop("icmp.ignored")
        elif (handler := self.error_handlers.get(error.protocol)) is None:
            self._statistics.drop("icmp.no_transport")
        else:
            handler(error)

    def _request_failed(self, error: IcmpError) -> None:
        key = (error.dst, error.seq >> 16, error.seq & 0xFFFF)
        self._fail(key, OSError(errno.EHOSTUNREACH, "destination unreachable"))

    def _fail(self, key: tuple[Address, int, int], error: OSError) -> None:
        ping = self._pings.pop(key, None)
        if ping is not None:
            ping.timer.cancel()
            ping.future.set_exception(error)

    def _unknown_protocol(
        self, datagram: memoryview, _header: int, _src: Address, _dst: Address, _verify: bool, _unicast: bool, _gso: int
    ) -> None:
        self._statistics.drop("ipv4.unknown_protocol")
        self.report(wire.UNREACHABLE, wire.PROTOCOL_UNREACHABLE, datagram)
