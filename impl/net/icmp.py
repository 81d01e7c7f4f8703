"""ICMP for a host around the generated machines (RFC 792, RFC 1122 3.2.2): octets, who waits for an answer, and what is quoted.

What is answered, passed on, reported or ignored stands in spec/net/icmp.law; nothing in this file looks at a machine's state.
"""

import errno
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple

from wirelaw.impl.generated.icmp_echo import Answer as EchoAnswer
from wirelaw.impl.generated.icmp_echo import IcmpEcho, Request, Trouble
from wirelaw.impl.generated.icmp_host import Answer, Echo, Error, Heard, IcmpHost, Other, Quench, Redirect, Reply, Stray
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

ErrorHandler = Callable[[IcmpError], None]

Key = tuple[Address, int, int]
"""Whom an echo request goes to, its identifier and its number."""


class PingReply(NamedTuple):
    """An echo reply: round-trip time in microseconds, payload octets, sequence number."""

    rtt: int
    size: int
    sequence: int


class Ping:
    """One echo request: its machine, its timer, and the future of the user who waits."""

    def __init__(self, icmp: "Icmp", key: Key, size: int, timeout: int) -> None:
        self.future: Future[PingReply] = Future()
        self.future.set_running_or_notify_cancel()
        self.machine = IcmpEcho(self)
        self._icmp = icmp
        self._key = key
        self._size = size
        self._sent = 0
        self._timer: Timer | None = None
        self.machine.call_ask(timeout, icmp.timers.now)
        self.pump()

    def answered(self, size: int) -> None:
        """The reply has come, with so many octets."""
        self._size = size
        self.machine.on_answer(EchoAnswer(), self._icmp.timers.now)
        self.pump()

    def failed(self, error: IcmpError) -> None:
        """An error about the request has come."""
        self.machine.on_trouble(Trouble(type=error.type, code=error.code), self._icmp.timers.now)
        self.pump()

    def pump(self) -> None:
        """Let the machine do what is due, and set the clock for the next time."""
        timers = self._icmp.timers
        self.machine.tick(timers.now)
        self.machine.pump(timers.now)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.machine.deadline()
        if deadline is not None:
            self._timer = timers.at(deadline, self.pump)

    def end(self, error: OSError) -> None:
        """Nobody waits for the reply any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._icmp.forget(self._key)
        self.future.set_exception(error)

    def emit_request(self, _: Request) -> None:
        self._sent = self._icmp.timers.now
        self._icmp.request(self._key, self._size)

    def tell_answered(self) -> None:
        self._icmp.forget(self._key)
        self.future.set_result(PingReply(self._icmp.timers.now - self._sent, self._size, self._key[2]))

    def tell_unreachable(self, type: int, code: int) -> None:  # noqa: A002 - the law's name
        number = errno.ENETUNREACH if type == wire.UNREACHABLE and code in wire.NETWORK_CODES else errno.EHOSTUNREACH
        self.end(OSError(number, f"destination unreachable (ICMP type {type}, code {code})"))

    def tell_timed_out(self) -> None:
        self.end(TimeoutError("no echo reply"))


class Icmp:
    """The ICMP module. `error_handlers` maps protocol numbers to the transports that hear of errors about their own."""

    def __init__(self, ip: Ipv4, pings: int, timers: Timers, statistics: Statistics, entropy: Entropy) -> None:
        """`pings` bounds the echo requests that wait for an answer at one time."""
        self.error_handlers: dict[int, ErrorHandler] = {ICMP: self._request_failed}
        self.timers = timers
        self._ip = ip
        self._statistics = statistics
        self._idents = Permutation16(entropy)
        self._ping_limit = pings
        self._pings: dict[Key, Ping] = {}
        self._machine = IcmpHost(self)
        # What the message at hand is to the machine's news of it.
        self._error: IcmpError | None = None
        self._answer: tuple[Key, int] | None = None
        self._must_report = False
        ip.handlers[ICMP] = self.input
        ip.unknown = self._unknown_protocol

    # --- the user's side ---------------------------------------------------------------------------------------

    def ping(self, dst: Address, timeout: int = 1_000_000, size: int = 56, sequence: int = 1) -> "Future[PingReply]":
        """Send one echo request with `size` payload octets; the future ends within `timeout` microseconds.

        It fails with `TimeoutError`, or with `OSError` when the network reports that `dst` cannot be reached.
        """
        key = (dst, self._idents.next(), sequence & 0xFFFF)
        refused: Future[PingReply] = Future()
        if self._ip.route(dst) is None:
            refused.set_exception(OSError(errno.ENETUNREACH, "no route to that network"))
        elif len(self._pings) >= self._ping_limit or key in self._pings:
            refused.set_exception(OSError(errno.ENOBUFS, "too many pings at one time"))
        else:
            ping = self._pings[key] = Ping(self, key, size, timeout)
            return ping.future
        return refused

    def close(self) -> None:
        """Fail the pings that wait."""
        for ping in list(self._pings.values()):
            ping.end(OSError(errno.ENETDOWN, "the host was closed"))

    # --- the network's side ------------------------------------------------------------------------------------

    def input(self, datagram: memoryview, header_length: int, src: Address, dst: Address, verify: bool, unicast: bool, _gso: int) -> None:
        """One received ICMP message."""
        message = wire.parse_icmp(datagram[header_length:], verify)
        if message is None:
            self._statistics.drop("icmp.malformed")
            return
        self._machine.on_heard(self._heard(message, src, unicast), self.timers.now)

    def _heard(self, message: IcmpMessage, source: Address, unicast: bool) -> Heard:
        """The message of the law that was received."""
        if message.type == wire.ECHO_REQUEST:
            return Echo(source, unicast, message.first, message.second, message.body)
        if message.type == wire.ECHO_REPLY:
            self._answer = (source, message.first, message.second), len(message.body)
            return Answer(source, unicast, message.first, message.second, message.body)
        if message.type == wire.REDIRECT:
            return Redirect(source, unicast)
        if message.type == wire.SOURCE_QUENCH:
            return Quench(source, unicast)
        if message.type in wire.ERRORS:
            self._error = wire.parse_error(message, source)
            return Error(source, unicast, ours=self._error is not None and self._error.src == self._ip.address)
        return Other(source, unicast)

    def report(self, kind: int, code: int, datagram: memoryview) -> None:
        """Send an error about the received `datagram`, if that may be (RFC 1122 3.2.2)."""
        header = parse_header(datagram)
        if header is None:
            return
        facts = Stray(
            initial=not header.fragment & OFFSET_MASK,
            unicast=header.dst == self._ip.address,
            single=0 < header.src[0] < 224 and not self._ip.is_broadcast(header.src),
            error=header.protocol == ICMP and not self._is_query(datagram, header),
        )
        self._must_report = False
        self._machine.on_stray(facts, self.timers.now)
        if self._must_report:
            self._ip.send(header.src, ICMP, wire.build_icmp(kind, code, 0, 0, datagram[:QUOTE_LIMIT]))

    def time_exceeded(self, start: bytes) -> None:
        """Say that the datagram beginning with `start` was never completed (RFC 1122 3.3.2)."""
        self.report(wire.TIME_EXCEEDED, wire.REASSEMBLY_TIME_EXCEEDED, memoryview(start))

    def undelivered(self, datagram: bytes) -> None:
        """Tell the transport that its datagram could not be sent: the neighbour does not answer (RFC 1122 3.2.2.1)."""
        message = IcmpMessage(wire.UNREACHABLE, wire.HOST_UNREACHABLE, 0, 0, memoryview(datagram))
        self._machine.on_heard(self._heard(message, self._ip.address, True), self.timers.now)

    # --- what the machine does ---------------------------------------------------------------------------------

    def emit_reply(self, o: Reply) -> None:
        self._ip.send(o.to, ICMP, wire.build_icmp(wire.ECHO_REPLY, 0, o.ident, o.number, o.data))

    def tell_answered(self) -> None:
        key, size = self._answer or ((b"", 0, 0), 0)
        ping = self._pings.get(key)
        if ping is None:
            self._statistics.drop("icmp.unexpected_reply")
        else:
            ping.answered(size)

    def tell_reported(self) -> None:
        error = self._error
        handler = self.error_handlers.get(error.protocol) if error is not None else None
        if error is None or handler is None:
            self._statistics.drop("icmp.no_transport")
        else:
            handler(error)

    def tell_report(self) -> None:
        self._must_report = True

    def tell_limited(self) -> None:
        self._statistics.drop("icmp.rate_limited")

    def tell_misquoted(self) -> None:
        self._statistics.drop("icmp.bad_quotation")

    def tell_ignored(self) -> None:
        self._statistics.drop("icmp.ignored")

    def tell_unknown(self) -> None:
        self._statistics.drop("icmp.unknown_type")

    def tell_broadcast_echo(self) -> None:
        self._statistics.drop("icmp.broadcast_echo")

    # --- what pings need ---------------------------------------------------------------------------------------

    def request(self, key: Key, size: int) -> None:
        """Send an echo request with `size` octets."""
        dst, ident, number = key
        body = bytes(octet & 0xFF for octet in range(size))
        self._ip.send(dst, ICMP, wire.build_icmp(wire.ECHO_REQUEST, 0, ident, number, body))

    def forget(self, key: Key) -> None:
        """A ping is over."""
        self._pings.pop(key, None)

    @staticmethod
    def _is_query(datagram: memoryview, header: Ipv4Header) -> bool:
        return len(datagram) > header.header_length and datagram[header.header_length] == wire.ECHO_REQUEST

    def _request_failed(self, error: IcmpError) -> None:
        ping = self._pings.get((error.dst, error.seq >> 16, error.seq & 0xFFFF))
        if ping is not None:
            ping.failed(error)

    def _unknown_protocol(
        self, datagram: memoryview, _header: int, _src: Address, _dst: Address, _verify: bool, _unicast: bool, _gso: int
    ) -> None:
        self._statistics.drop("ipv4.unknown_protocol")
        self.report(wire.UNREACHABLE, wire.PROTOCOL_UNREACHABLE, datagram)
