"""TCP of one host (RFC 9293): segments to and from octets, and the tables of connections and listeners.

What a connection does with a segment its machine decides (`connection.py`); nothing in this file looks at a state or a flag.
"""

import contextlib
import errno
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import Final

from wirelaw.impl.device.link import Offload
from wirelaw.impl.generated.listener_queue import Arrival, ListenerQueue
from wirelaw.impl.generated.tcp_connection import TcpConnection
from wirelaw.impl.net.buffers import Memory
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.connection import Connection, Options, fail, settle
from wirelaw.impl.net.demultiplex import Demultiplexer, FourTuple
from wirelaw.impl.net.ethernet import FrameSink
from wirelaw.impl.net.icmp import Icmp
from wirelaw.impl.net.ipv4 import TRANSPORT_OFFSET, UNMARKED, Ipv4, Marking
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.machine import Step
from wirelaw.impl.runtime.timers import Timers
from wirelaw.impl.wire.checksum import Address, Octets
from wirelaw.impl.wire.icmp import IcmpError
from wirelaw.impl.wire.ipv4 import TCP
from wirelaw.impl.wire.tcp import CHECKSUM_OFFSET, Segment, build_segment, parse_segment

MASK: Final = 0xFFFF_FFFF
HEADERS: Final = 40
"""IPv4 and TCP header without options: what an MSS leaves out of an MTU (RFC 9293 3.7.1)."""
LARGEST_TEXT: Final = 65535 - HEADERS - 12

Tracer = Callable[[Connection, Step], None]

_log = logging.getLogger("wirelaw")


@lru_cache(maxsize=256)
def _offload(gso_size: int, header_length: int) -> Offload:
    return Offload(True, TRANSPORT_OFFSET, CHECKSUM_OFFSET, gso_size, header_length if gso_size else 0)


class SequenceNumbers:
    """Initial sequence numbers: a 4 µs clock plus a keyed function of the 4-tuple (RFC 6528 section 3)."""

    def __init__(self, entropy: Entropy) -> None:
        self._secret = entropy.octets(32)

    def initial(self, four_tuple: FourTuple, now: int) -> int:
        """ISN = M + F(local, remote, secret); `now` in microseconds."""
        return (now // 4 + self._keyed(four_tuple, b"isn")) & MASK

    def timestamp_offset(self, four_tuple: FourTuple) -> int:
        """A start for the timestamp clock that tells nothing of the host's up-time (RFC 7323 section 7.1)."""
        return self._keyed(four_tuple, b"ts")

    def _keyed(self, four_tuple: FourTuple, purpose: bytes) -> int:
        local, local_port, remote, remote_port = four_tuple
        text = local + local_port.to_bytes(2, "big") + remote + remote_port.to_bytes(2, "big")
        return int.from_bytes(hashlib.blake2s(text, key=self._secret, person=purpose.ljust(8, b"\0"), digest_size=4).digest(), "big")


class Listener:
    """A passive open on one port: its half-open connections, and those that wait to be accepted. Who is let in, a machine decides."""

    def __init__(self, tcp: "Tcp", port: int, backlog: int, options: Options) -> None:
        self.port = port
        self.backlog = backlog
        self.options = options
        """What its connections begin with."""
        self._tcp = tcp
        self._machine = ListenerQueue(self)
        self._half_open: dict[Connection, int] = {}  # in order of arrival, with its time
        self._ready: deque[Connection] = deque()
        self._waiting: deque[Future[Connection]] = deque()
        self._arriving: Connection | None = None

    def arriving(self, connection: Connection) -> None:
        """A SYN has come for `connection`: let it in, or leave it to the peer to try again."""
        now = self._tcp.timers.now
        waited = now - next(iter(self._half_open.values()), now)
        self._arriving = connection
        self._machine.on_arrival(Arrival(half=len(self._half_open), ready=len(self._ready), limit=self.backlog, waited=waited), now)

    def tell_admit(self) -> None:
        connection = self._arriving
        if connection is not None and self._tcp.enter(connection):
            self._half_open[connection] = self._tcp.timers.now

    def tell_evict(self) -> None:
        self._tcp.statistics.drop("tcp.evicted")
        next(iter(self._half_open)).discard(ConnectionAbortedError(errno.ECONNABORTED, "the handshake gave its place to another one"))

    def tell_turn_away(self) -> None:
        self._tcp.statistics.drop("tcp.backlog")

    def connected(self, connection: Connection) -> None:
        """A handshake is complete."""
        self._half_open.pop(connection, None)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                settle(future, connection)
                return
        self._ready.append(connection)

    def gone(self, connection: Connection) -> None:
        """A connection ended; one that waits to be accepted stays, its error is for whoever accepts it."""
        self._half_open.pop(connection, None)

    def accept(self) -> "Future[Connection]":
        """The next connection."""
        future: Future[Connection] = Future()
        if self._ready:
            future.set_result(self._ready.popleft())
        else:
            self._waiting.append(future)
        return future

    def forget(self, future: "Future[Connection]") -> None:
        """Nobody waits for `future` any more."""
        self._waiting = deque(f for f in self._waiting if f is not future)

    def close(self) -> None:
        """Stop listening; connections nobody accepted are aborted."""
        self._tcp.table.unlisten(self.port)
        for connection in [*self._half_open, *self._ready]:
            with contextlib.suppress(OSError):  # it has ended
                connection.options.reset_on_close = True
                connection.leave()
        while self._waiting:
            fail(self._waiting.popleft(), OSError(errno.EBADF, "the socket was closed"))


class Tcp:
    """The TCP module. One connection's defect is counted and ends that connection; the others go on."""

    def __init__(
        self, ip: Ipv4, icmp: Icmp, sink: FrameSink, config: HostConfig, timers: Timers, statistics: Statistics, entropy: Entropy
    ) -> None:
        self.limits = config.limits
        self.timers = timers
        self.statistics = statistics
        self.table: Demultiplexer[Connection, Listener] = Demultiplexer(self.limits.tcp_connections, statistics, entropy)
        self.memory = Memory(self.limits.tcp_memory)
        self.trace: Tracer | None = None
        """Called with each step of the connections to come."""
        self.defect: Exception | None = None
        """The latest exception that ended a connection; it was logged, and counted as `tcp.defect`."""
        self.mss = config.mtu - HEADERS
        self.chunk = LARGEST_TEXT if sink.tx_tso else self.mss
        self._ip = ip
        self._sink = sink
        self._numbers = SequenceNumbers(entropy)
        # Dictionaries for their order: the same calls give the same frames in the same order.
        self._awake: dict[Connection, None] = {}
        self._starved: dict[Connection, None] = {}
        ip.handlers[TCP] = self.input
        icmp.error_handlers[TCP] = self.trouble

    # --- the user's side ---------------------------------------------------------------------------------------

    def connect(self, remote: Address, port: int, local_port: int = 0, options: Options | None = None) -> Connection:
        """Begin an active open. `OSError` for an address no connection can be made to (MUST-46) or a full table."""
        if self._ip.is_broadcast(remote) or remote[0] >= 224 or not any(remote):
            raise OSError(errno.EADDRNOTAVAIL, "a connection needs a unicast address")
        local = local_port or self.table.ephemeral_port()
        connection = Connection(self, (self._ip.address, local, remote, port), options or Options.of(self.limits))
        self.table.connect(connection.four_tuple, connection)
        connection.call("open_active")
        return connection

    def listen(self, port: int = 0, backlog: int | None = None, options: Options | None = None) -> Listener:
        """Begin a passive open on `port` (0: any)."""
        chosen = port or self.table.ephemeral_port()
        limit = self.limits.tcp_backlog
        allowed = min(max(backlog, 1), limit) if backlog is not None else limit
        listener = Listener(self, chosen, allowed, options or Options.of(self.limits))
        self.table.listen(chosen, listener)
        return listener

    # --- segments ----------------------------------------------------------------------------------------------

    def input(self, datagram: memoryview, header_length: int, src: Address, dst: Address, verify: bool, unicast: bool, gso: int) -> None:
        """One received TCP segment."""
        if not unicast:
            self.statistics.drop("tcp.broadcast")  # RFC 9293 MUST-57
            return
        segment = parse_segment(datagram[header_length:], src, dst, verify)
        if segment is None:
            self.statistics.drop("tcp.malformed")
            return
        if not segment.sum_ok:
            self.statistics.drop("tcp.checksum")  # MUST-3; the ports may be wrong, so no connection can be told
            return
        segment.gso_size = gso
        self.segment(segment, src, dst)

    def segment(self, segment: Segment, src: Address, dst: Address) -> None:
        """Hand a segment to its connection; one that has none meets a fresh machine, in LISTEN where somebody listens, else in CLOSED."""
        four_tuple = (dst, segment.dst_port, src, segment.src_port)
        connection = self.table.connection(four_tuple)
        if connection is not None:
            try:
                connection.segment(segment)
            except Exception as error:
                self._broken(connection, error)
            return
        listener = self.table.listener(segment.dst_port)
        options = listener.options if listener is not None else Options.of(self.limits)
        connection = Connection(self, four_tuple, options, listener)
        try:
            if listener is not None:
                connection.call("open_passive")
            connection.segment(segment)
        except Exception as error:
            self._broken(connection, error)
        if self.table.connection(four_tuple) is not connection:
            self._awake.pop(connection, None)

    def trouble(self, error: IcmpError) -> None:
        """Hand an ICMP error to the connection between the ends that it quotes; whether it counts there, a row decides."""
        connection = self.table.connection((error.src, error.src_port, error.dst, error.dst_port))
        if connection is None:
            self.statistics.drop("tcp.unclaimed_error")
            return
        try:
            connection.trouble(error)
        except Exception as defect:
            self._broken(connection, defect)

    def emit(self, segment: Segment, dst: Address, text: Sequence[Octets] | None = None, marking: Marking = UNMARKED) -> bool:
        """Send one segment, built in the device's own buffer; False when the device has no room or no route exists.

        With `segment.gso_size` the device cuts it into packets of that many payload octets (its `tx_tso` must hold).
        The checksum is left to a device that can finish it.
        """
        ip = self._ip
        buffer = ip.buffer()
        if buffer is None:
            return False
        partial = self._sink.tx_csum and dst != ip.address
        length = build_segment(buffer, TRANSPORT_OFFSET, segment, ip.address, dst, text, partial)
        if not partial:
            return ip.transmit(buffer, length, dst, TCP, marking)
        payload = segment.len if text is None else sum(map(len, text))
        gso_size = segment.gso_size if payload > segment.gso_size else 0
        return ip.transmit(buffer, length, dst, TCP, marking, offload=_offload(gso_size, TRANSPORT_OFFSET + length - payload))

    def pump(self) -> None:
        """Let every connection that something happened to send what it owes (RFC 9293 MUST-58, MUST-59)."""
        now = self.timers.now
        if self._starved:
            self._awake |= self._starved
            self._starved = {}
        while self._awake:
            awake, self._awake = self._awake, {}
            for connection in awake:
                try:
                    connection.pump(now)
                except Exception as error:
                    self._broken(connection, error)

    def _broken(self, connection: Connection, error: Exception) -> None:
        """A defect of ours: end the connection; one whose remains are broken too is not pumped again."""
        self.statistics.drop("tcp.defect")
        _log.error("a defect ended the connection %s", connection.four_tuple, exc_info=error)
        self.defect = error
        told = OSError(errno.EIO, f"a defect of the host ended the connection ({type(error).__name__}: {error})")
        if connection.ended.done():
            connection.give_up(told)
        else:
            connection.discard(told)

    # --- what connections need ---------------------------------------------------------------------------------

    def machine(self, connection: Connection) -> TcpConnection:
        """A fresh machine for `connection`."""
        trace = self.trace
        return TcpConnection(connection, (lambda step: trace(connection, step)) if trace is not None else None)

    def isn(self, four_tuple: FourTuple) -> int:
        """An initial sequence number for now."""
        return self._numbers.initial(four_tuple, self.timers.now)

    def timestamp_offset(self, four_tuple: FourTuple) -> int:
        """Where the connection's timestamp clock starts."""
        return self._numbers.timestamp_offset(four_tuple)

    def wake(self, connection: Connection) -> None:
        """Have `connection` pumped at the end of this batch."""
        self._awake[connection] = None

    def can_send(self, connection: Connection) -> bool:
        """Whether the device takes a segment now; if not, `connection` is pumped with the next batch."""
        if self._ip.buffer() is not None:
            return True
        self._starved[connection] = None
        return False

    def send(self, segment: Segment, connection: Connection, text: Sequence[Octets]) -> bool:
        """Send a segment of `connection`; False when there is no room or no route."""
        return self.emit(segment, connection.four_tuple[2], text, connection.options.marking)

    def enter(self, connection: Connection) -> bool:
        """Enter a passive connection into the table; False when that is full."""
        try:
            self.table.connect(connection.four_tuple, connection)
        except OSError:
            self.statistics.drop("tcp.connections")
            return False
        return True

    def leave(self, connection: Connection) -> None:
        """Take `connection` out of the table, if it is there."""
        if self.table.connection(connection.four_tuple) is connection:
            self.table.disconnect(connection.four_tuple)
