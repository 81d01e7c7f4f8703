"""TCP around the generated machine (RFC 9293): buffers, clocks, tables of connections. The machine decides; this moves octets.

`Connection` is the machine's surroundings: it answers what the machine asks, does what it tells, and builds what it emits.
Nothing in this file looks at the machine's state or at a segment's flags.
"""

import errno
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final, TypeVar, cast

from wirelaw.impl.generated.tcp_connection import Seg, TcpConnection, Trouble
from wirelaw.impl.net.buffers import ReceiveBuffer, SendBuffer
from wirelaw.impl.net.config import Limits
from wirelaw.impl.net.demultiplex import Connection as Entry
from wirelaw.impl.net.demultiplex import Demultiplexer, FourTuple
from wirelaw.impl.net.ipv4 import UNMARKED, Marking
from wirelaw.impl.net.stack import Stack
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.machine import Step
from wirelaw.impl.runtime.timers import Timer
from wirelaw.impl.wire.checksum import Address, Octets
from wirelaw.impl.wire.icmp import IcmpError
from wirelaw.impl.wire.tcp import Segment

MASK: Final = 0xFFFF_FFFF
HEADERS: Final = 40
"""IPv4 and TCP header without options: what an MSS leaves out of an MTU (RFC 9293 3.7.1)."""
LARGEST_TEXT: Final = 65535 - HEADERS - 12
T = TypeVar("T")
Tracer = Callable[["Connection", Step], None]

WAIT: Final = "insufficient_resources"
"""The law's refusal that stands for waiting: there is no room, or nothing to read, yet (RFC 9293 3.10.2, 3.10.3)."""
REFUSALS: Final = {
    WAIT: (errno.EAGAIN, "the call would have to wait"),
    "no_connection": (errno.ENOTCONN, "there is no connection"),
    "connection_exists": (errno.EISCONN, "the socket has a connection already"),
    "foreign_unspecified": (errno.EDESTADDRREQ, "the socket listens; it has no peer"),
    "closing": (errno.EPIPE, "the connection is closing"),
}
"""Codes of the law's `refuse` (RFC 9293 3.10) as errors of the socket API."""


def _settle(future: "Future[T]", value: T) -> None:
    try:
        future.set_result(value)
    except InvalidStateError:  # the waiter has given up
        return


def _fail(future: "Future[Any]", error: Exception) -> None:
    try:
        future.set_exception(error)
    except InvalidStateError:
        return


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


class Connection:
    """One connection: the machine, its two buffers, its timer, and the futures of those who wait for it."""

    def __init__(self, tcp: "Tcp", four_tuple: FourTuple, listener: "Listener | None" = None) -> None:
        limits = tcp.limits
        self.four_tuple = four_tuple
        self.marking = listener.marking if listener is not None else UNMARKED
        self.outgoing = SendBuffer(limits.tcp_send_buffer)
        self.incoming = ReceiveBuffer(limits.tcp_receive_buffer)
        self.error: Exception | None = None
        self.soft_error: Exception | None = None
        self.connected: Future[None] = Future()
        self.ended: Future[None] = Future()
        self.entered = False
        self._tcp = tcp
        self._listener = listener
        self._base = 0  # sequence number of the oldest octet in `outgoing`
        self._segment = Segment()
        self._timer: Timer | None = None
        self._readers: deque[tuple[int, Future[bytes]]] = deque()
        self._writers: deque[tuple[memoryview, Future[int]]] = deque()
        self._offset = tcp.numbers.timestamp_offset(four_tuple)
        trace = tcp.trace
        self.machine = TcpConnection(self, (lambda step: trace(self, step)) if trace is not None else None)

    # --- the user's side ---------------------------------------------------------------------------------------

    def ask(self, name: str, *args: object) -> str | None:
        """What the law says to a user's call (RFC 9293 3.10): the code of its refusal, or None."""
        refusal: str | None = getattr(self.machine, "call_" + name)(*args, now=self._tcp.now)
        return refusal

    def call(self, name: str, *args: object) -> None:
        """A user's call; `OSError` when the law refuses it."""
        refusal = self.ask(name, *args)
        if refusal is not None:
            raise self._fault(refusal)
        self._tcp.wake(self)

    def send(self, data: Octets) -> "Future[int]":
        """Hand over the first octets of `data`; the future tells how many, once there is room for one."""
        future: Future[int] = Future()
        if self._writers or not self._hand_over(data, future):
            self._writers.append((memoryview(bytes(data)), future))
        return future

    def receive(self, count: int) -> "Future[bytes]":
        """Up to `count` octets as soon as there is one; none at all when the peer has finished."""
        future: Future[bytes] = Future()
        self._readers.append((count, future))
        self._serve_readers()
        return future

    def forget(self, future: "Future[Any]") -> None:
        """Nobody waits for `future` any more."""
        self._readers = deque(r for r in self._readers if r[1] is not future)
        self._writers = deque(w for w in self._writers if w[1] is not future)

    def resize(self, *, receive: int = 0, send: int = 0) -> None:
        """Set the capacity of a buffer in octets; 0 leaves it as it is."""
        self.outgoing.capacity = send or self.outgoing.capacity
        if receive:
            self.call("resize", receive)

    def _fault(self, refusal: str) -> Exception:
        """What a refusal is to the user: without a connection, the reason why there is none any more."""
        return self.error if self.error is not None and refusal == "no_connection" else OSError(*REFUSALS[refusal])

    def _hand_over(self, data: Octets, future: "Future[int]") -> bool:
        """Give the law octets to send, as many as there is room for; False when they have to wait."""
        count = min(len(data), self.outgoing.space)
        refusal = self.ask("send", count) if len(data) else None
        if refusal == WAIT:
            return False
        if refusal is not None:
            _fail(future, self._fault(refusal))
            return True
        self.outgoing.append(data)
        _settle(future, count)
        self._tcp.wake(self)
        return True

    def _serve_readers(self) -> None:
        """Ask the law for each reader: text, the end, an error, or wait."""
        served = False
        while self._readers:
            count, future = self._readers[0]
            if not future.done():
                refusal = self.ask("receive")
                if refusal == WAIT:
                    break
                if refusal is None:
                    _settle(future, self.incoming.read(count))
                    served = True
                elif refusal == "closing":
                    _settle(future, b"")  # the end of the stream
                else:
                    _fail(future, self._fault(refusal))
            self._readers.popleft()
        if served:
            self._tcp.wake(self)  # the window may have opened

    def _serve_writers(self) -> None:
        while self._writers:
            data, future = self._writers[0]
            if not (future.done() or self._hand_over(data, future)):
                break
            self._writers.popleft()

    # --- the network's side -----------------------------------------------------------------------------------

    def segment(self, segment: Segment, _src: Address, _dst: Address) -> None:
        """A segment for this connection."""
        self._segment = segment
        self.machine.on_seg(cast("Seg", segment), self._tcp.now)  # it has every field the law's rows read
        self._tcp.wake(self)

    def trouble(self, error: IcmpError) -> None:
        """An ICMP error about a segment of ours (RFC 9293 3.9.2.2)."""
        self.soft_error = OSError(errno.EHOSTUNREACH, f"the network cannot deliver (ICMP type {error.type}, code {error.code})")
        self.machine.on_trouble(Trouble(type=error.type, code=error.code), self._tcp.now)
        self._tcp.wake(self)

    def pump(self, now: int) -> None:
        """Let the machine send what it owes, and set the clock for the next time it wants to."""
        machine = self.machine
        machine.tick(now)
        if self._readers:
            self._serve_readers()
        machine.pump(now)
        if self._writers:
            self._serve_writers()
            machine.pump(now)
        deadline = machine.deadline()
        timer = self._timer
        if deadline is not None and (timer is None or not timer.pending or timer.when > deadline):
            if timer is not None:
                timer.cancel()
            self._timer = self._tcp.stack.timers.at(deadline, self._wake)

    def _wake(self) -> None:
        self._tcp.wake(self)

    # --- what the machine asks --------------------------------------------------------------------------------

    def ask_isn(self) -> int:
        return self._tcp.numbers.initial(self.four_tuple, self._tcp.now)

    def ask_ts_clock(self) -> int:
        return (self._tcp.now // 1000 + self._offset) & MASK

    def ask_room(self) -> int:
        return self.incoming.space

    def ask_readable(self) -> int:
        return self.incoming.readable

    def ask_receive_buffer(self) -> int:
        return self.incoming.capacity

    def ask_own_mss(self) -> int:
        return self._tcp.mss

    def ask_chunk(self) -> int:
        return self._tcp.chunk

    def ask_window_shift(self) -> int:
        return max(0, min(14, self.incoming.capacity.bit_length() - 16))

    def ask_ready(self) -> bool:
        if self._tcp.stack.ip.buffer() is not None:
            return True
        self._tcp.starved[self] = None
        return False

    # --- what the machine does --------------------------------------------------------------------------------

    def emit_seg(self, o: Seg) -> None:
        """Build and send one segment; the text comes from the send buffer."""
        _, local_port, remote, remote_port = self.four_tuple
        out = Segment(
            local_port, remote_port, o.seq, o.ack, o.wnd, o.up, o.syn, o.fin, o.rst, o.ackf, o.psh, o.urg, o.ece, o.cwr, o.len,
            o.mss, o.has_mss, o.wscale, o.has_wscale, o.sack_ok, o.tson, o.tsval, o.tsecr, gso_size=o.gso_size,
        )  # fmt: skip
        text = self._outgoing_text(o.seq, o.len) if o.len else ()
        if not self._tcp.stack.send_segment(out, remote, text, self.marking):
            self._tcp.stack.statistics.drop("tcp.unsent")

    def _outgoing_text(self, seq: int, count: int) -> list[memoryview]:
        """The text a row said to send, all of it: `ValueError` where the user never gave so much or it was released."""
        offset = (seq - self._base) & MASK
        if offset + count > len(self.outgoing):
            raise ValueError(f"{count} octets at offset {offset} of {len(self.outgoing)} cannot be sent")
        return self.outgoing.slices(offset, count)

    def tell_begins(self, start: int) -> None:
        """Our text begins at `start`."""
        self._base = start

    def tell_deliver(self, skip: int, count: int) -> None:
        """`count` more octets are in order: the segment's text from `skip` on, and behind it what was stashed before."""
        self.incoming.write(0, self._text(skip, count))
        self.incoming.advance(count)

    def tell_stash(self, skip: int, ahead: int, count: int) -> None:
        """Keep `count` octets of the segment's text from `skip` on, `ahead` octets before their turn."""
        self.incoming.write(ahead, self._text(skip, count))

    def tell_capacity(self, n: int) -> None:
        """The receive buffer holds `n` octets from now on."""
        self.incoming.capacity = n

    def _text(self, skip: int, count: int) -> memoryview:
        return memoryview(self._segment.payload)[skip : skip + count]

    def tell_acknowledged(self, upto: int) -> None:
        """The peer has everything before `upto`."""
        count = min((upto - self._base) & MASK, len(self.outgoing))
        self.outgoing.release(count)
        self._base = (self._base + count) & MASK

    def tell_arriving(self) -> None:
        """The first segment of a passive open: the listener takes the connection in."""
        if self._listener is not None:
            self._listener.arriving(self)

    def tell_connected(self) -> None:
        _settle(self.connected, None)
        if self._listener is not None:
            self._listener.connected(self)

    def tell_refused(self) -> None:
        self._end(self.soft_error or ConnectionRefusedError(errno.ECONNREFUSED, "the peer refused the connection"))

    def tell_reset_by_peer(self) -> None:
        self._end(ConnectionResetError(errno.ECONNRESET, "the peer reset the connection"))

    def tell_timed_out(self) -> None:
        self._end(self.soft_error or TimeoutError(errno.ETIMEDOUT, "the peer does not answer"))

    def tell_unreachable(self) -> None:
        self._tcp.stack.statistics.drop("tcp.soft_error")

    def tell_abandoned(self) -> None:
        self._end(ConnectionAbortedError(errno.ECONNABORTED, "the peer gave up opening"))

    def tell_closed(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        """The connection is no more: leave the tables, and have everybody who waits ask again."""
        self.error = self.error or error
        _fail(self.connected, error or OSError(*REFUSALS["no_connection"]))
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.gone(self)
        if self.entered:
            self._tcp.stack.tcp.disconnect(self.four_tuple)
        _settle(self.ended, None)
        self._tcp.wake(self)


class Listener:
    """A passive open on one port: its half-open connections, and those that wait to be accepted."""

    def __init__(self, tcp: "Tcp", port: int, backlog: int) -> None:
        self.port = port
        self.backlog = backlog
        self.marking = UNMARKED
        """What its connections begin with."""
        self._tcp = tcp
        self._half_open: dict[Connection, None] = {}
        self._ready: deque[Connection] = deque()
        self._waiting: deque[Future[Connection]] = deque()

    def segment(self, segment: Segment, src: Address, dst: Address) -> None:
        """A segment of no connection yet: a fresh machine in LISTEN judges it."""
        connection = Connection(self._tcp, (dst, segment.dst_port, src, segment.src_port), self)
        connection.call("open_passive")
        self._tcp.awake.pop(connection, None)
        connection.segment(segment, src, dst)
        if not connection.entered:
            self._tcp.awake.pop(connection, None)

    def arriving(self, connection: Connection) -> None:
        """Take in a half-open connection, or leave it to the peer to try again when the backlog is full."""
        if len(self._half_open) + len(self._ready) >= self.backlog:
            self._tcp.stack.statistics.drop("tcp.backlog")
            return
        if self._tcp.enter(connection):
            self._half_open[connection] = None

    def connected(self, connection: Connection) -> None:
        """A handshake is complete."""
        self._half_open.pop(connection, None)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                _settle(future, connection)
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
        self._tcp.stack.tcp.unlisten(self.port)
        for connection in [*self._half_open, *self._ready]:
            if not connection.ended.done():
                connection.call("abort")
        while self._waiting:
            _fail(self._waiting.popleft(), OSError(errno.EBADF, "the socket was closed"))


class Tcp:
    """All connections of one stack."""

    def __init__(self, stack: Stack, trace: Tracer | None = None) -> None:
        self.stack = stack
        self.trace = trace
        self.limits: Limits = stack.config.limits
        self.numbers = SequenceNumbers(stack.entropy)
        self.mss = stack.config.mtu - HEADERS
        self.chunk = LARGEST_TEXT if stack.interface.sink.tx_tso else self.mss
        # Dictionaries for their order: the same calls give the same frames in the same order.
        self.awake: dict[Connection, None] = {}
        self.starved: dict[Connection, None] = {}
        self._table: Demultiplexer = stack.tcp
        self._table.unmatched = self._closed
        stack.pumps.append(self.pump)

    @property
    def now(self) -> int:
        """The stack's clock, in microseconds."""
        return self.stack.timers.now

    def wake(self, connection: Connection) -> None:
        """Have `connection` pumped at the end of this batch (RFC 9293 MUST-58, MUST-59)."""
        self.awake[connection] = None

    def pump(self) -> None:
        """Let every connection that something happened to send what it owes."""
        now = self.now
        if self.starved:
            self.awake |= self.starved
            self.starved = {}
        while self.awake:
            awake, self.awake = self.awake, {}
            for connection in awake:
                connection.pump(now)

    def connections(self) -> list[Connection]:
        """All connections in the table."""
        return [entry.owner for entry in self._table.entries() if isinstance(entry.owner, Connection)]

    def connect(self, remote: Address, port: int, local_port: int = 0, marking: Marking = UNMARKED) -> Connection:
        """Begin an active open. `OSError` for an address no connection can be made to (MUST-46) or a full table."""
        if self.stack.ip.is_broadcast(remote) or remote[0] >= 224 or not any(remote):
            raise OSError(errno.EADDRNOTAVAIL, "a connection needs a unicast address")
        local = local_port or self._table.ephemeral_port()
        connection = Connection(self, (self.stack.ip.address, local, remote, port))
        connection.marking = marking
        self._table.connect(connection.four_tuple, Entry(connection.segment, connection.trouble, connection))
        connection.entered = True
        connection.call("open_active")
        return connection

    def enter(self, connection: Connection) -> bool:
        """Enter a passive connection into the table; False when that is full."""
        try:
            self._table.connect(connection.four_tuple, Entry(connection.segment, connection.trouble, connection))
        except OSError:
            self.stack.statistics.drop("tcp.connections")
            return False
        connection.entered = True
        return True

    def listen(self, port: int = 0, backlog: int | None = None) -> Listener:
        """Begin a passive open on `port` (0: any)."""
        chosen = port or self._table.ephemeral_port()
        limit = self.limits.tcp_backlog
        listener = Listener(self, chosen, min(max(backlog, 1), limit) if backlog is not None else limit)
        self._table.listen(chosen, listener.segment)
        return listener

    def _closed(self, segment: Segment, src: Address, dst: Address) -> None:
        """A segment for nobody: a fresh machine in CLOSED answers it."""
        connection = Connection(self, (dst, segment.dst_port, src, segment.src_port))
        connection.segment(segment, src, dst)
        self.awake.pop(connection, None)
