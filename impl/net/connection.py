"""One TCP connection around the generated machine (RFC 9293): buffers, clock, and those who wait. The machine decides; this moves octets.

`Connection` is the machine's surroundings: it answers what the machine asks, does what it tells, and builds what it emits.
Nothing in this file looks at the machine's state or at a segment's flags.
"""

import errno
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar, cast

from wirelaw.impl.generated.tcp_connection import Seg, TcpConnection, Trouble
from wirelaw.impl.net.buffers import LEAST, Memory, ReceiveBuffer, SendBuffer
from wirelaw.impl.net.config import Limits
from wirelaw.impl.net.demultiplex import FourTuple
from wirelaw.impl.net.ipv4 import UNMARKED, Marking
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.timers import Timer, Timers
from wirelaw.impl.wire.checksum import Octets
from wirelaw.impl.wire.icmp import NETWORK_CODES, UNREACHABLE, IcmpError
from wirelaw.impl.wire.tcp import Segment

MASK: Final = 0xFFFF_FFFF
HALF: Final = 0x8000_0000
T = TypeVar("T")

WAIT: Final = "insufficient_resources"
"""The law's refusal that stands for waiting: there is no room, or nothing to read, yet (RFC 9293 3.10.2, 3.10.3)."""
REFUSALS: Final = {
    WAIT: (errno.EAGAIN, "the call would have to wait"),
    "no_connection": (errno.ENOTCONN, "there is no connection"),
    "connection_opening": (errno.EALREADY, "the socket is being connected already"),
    "connection_exists": (errno.EISCONN, "the socket has a connection already"),
    "foreign_unspecified": (errno.EDESTADDRREQ, "the socket listens; it has no peer"),
    "closing": (errno.EPIPE, "the connection is closing"),
}
"""Codes of the law's `refuse` (RFC 9293 3.10) as errors of the socket API."""


def settle(future: "Future[T]", value: T) -> None:
    """Give `future` its value, unless whoever waited has given up."""
    try:
        future.set_result(value)
    except InvalidStateError:  # the waiter has given up
        return


def fail(future: "Future[Any]", error: Exception) -> None:
    """Give `future` its exception, unless whoever waited has given up."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return


@dataclass(slots=True)
class Options:
    """What a user has said of a socket. A listener's are what its connections begin with."""

    receive_buffer: int
    """Octets, as is `send_buffer`."""
    send_buffer: int
    nodelay: bool = False
    reset_on_close: bool = False
    marking: Marking = UNMARKED

    @classmethod
    def of(cls, limits: Limits) -> "Options":
        """The host's own."""
        return cls(limits.tcp_receive_buffer, limits.tcp_send_buffer)


class Surroundings(Protocol):
    """What a connection needs of its host."""

    timers: Timers
    statistics: Statistics
    memory: Memory
    mss: int
    """What we can receive in one segment: the MTU less two headers."""
    chunk: int
    """The largest text that the device takes at once."""

    def machine(self, connection: "Connection") -> TcpConnection:
        """A fresh machine, in CLOSED, for `connection`."""

    def isn(self, four_tuple: FourTuple) -> int:
        """An initial sequence number."""

    def timestamp_offset(self, four_tuple: FourTuple) -> int:
        """Where the connection's timestamp clock starts."""

    def wake(self, connection: "Connection") -> None:
        """Have `connection` pumped at the end of this batch."""

    def can_send(self, connection: "Connection") -> bool:
        """Whether the device takes a segment now; if not, `connection` is pumped with the next batch."""

    def send(self, segment: Segment, connection: "Connection", text: Sequence[Octets]) -> bool:
        """Send a segment; False when there is no room or no route."""

    def leave(self, connection: "Connection") -> None:
        """Take `connection` out of the tables."""


class Opener(Protocol):
    """Who hears how a passive open goes on."""

    def arriving(self, connection: "Connection") -> None:
        """The first segment has come."""

    def connected(self, connection: "Connection") -> None:
        """The handshake is complete."""

    def gone(self, connection: "Connection") -> None:
        """The connection has ended."""


class Connection:
    """One connection: the machine, its two buffers, its timer, and the futures of those who wait for it."""

    def __init__(self, tcp: Surroundings, four_tuple: FourTuple, options: Options, opener: Opener | None = None) -> None:
        """In CLOSED; `options` are copied."""
        self.four_tuple = four_tuple
        self.options = replace(options)
        self.outgoing = SendBuffer(options.send_buffer)
        self.incoming = ReceiveBuffer(options.receive_buffer)
        self.error: Exception | None = None
        """Why the connection ended, if not in good order."""
        self.connected: Future[None] = Future()
        self.ended: Future[None] = Future()
        self._received = 0  # octets of the host's memory that receiving has: what is held, and what the peer was offered
        self._sending = 0  # ... and sending
        self._finished = False
        self._untold: Exception | None = None
        self._tcp = tcp
        self._opener = opener
        self._base = 0  # sequence number of the oldest octet in `outgoing`
        self._segment = Segment()
        self._timer: Timer | None = None
        self._readers: deque[tuple[int, bool, Future[bytes]]] = deque()
        self._writers: deque[tuple[memoryview, Future[int]]] = deque()
        self._offset = tcp.timestamp_offset(four_tuple)
        self.machine = self._fresh_machine()

    def _fresh_machine(self) -> TcpConnection:
        machine = self._tcp.machine(self)
        if self.options.nodelay:
            machine.call_push(True, now=self._tcp.timers.now)
        return machine

    # --- the user's side ---------------------------------------------------------------------------------------

    def ask(self, name: str, *args: object) -> str | None:
        """What the law says to a user's call (RFC 9293 3.10): the code of its refusal, or None."""
        refusal: str | None = getattr(self.machine, "call_" + name)(*args, now=self._tcp.timers.now)
        return refusal

    def call(self, name: str, *args: object) -> None:
        """A user's call; `OSError` when the law refuses it."""
        refusal = self.ask(name, *args)
        if refusal is not None:
            raise self.fault(refusal)
        self._tcp.wake(self)

    def send(self, data: Octets) -> "Future[int]":
        """Hand over the first octets of `data`; the future tells how many, once there is room for one."""
        future: Future[int] = Future()
        if self._writers or not self._hand_over(data, future):
            self._writers.append((memoryview(bytes(data)), future))
        return future

    def receive(self, count: int, peek: bool = False) -> "Future[bytes]":
        """Up to `count` octets as soon as there is one; none at all when the peer has finished. With `peek` they stay in place."""
        future: Future[bytes] = Future()
        self._readers.append((count, peek, future))
        self._serve_readers()
        return future

    def forget(self, future: "Future[Any]") -> None:
        """Nobody waits for `future` any more."""
        self._readers = deque(r for r in self._readers if r[2] is not future)
        self._writers = deque(w for w in self._writers if w[1] is not future)

    def resize(self) -> None:
        """Give the buffers the sizes that the options say."""
        self.outgoing.capacity = self.options.send_buffer
        self.call("resize", self.options.receive_buffer)

    def take_error(self) -> Exception | None:
        """Why the connection ended, unless somebody was told already."""
        error, self._untold = self._untold, None
        return error

    def discard(self, error: Exception) -> None:
        """Let the connection be no more, without a word to the peer: what a fresh machine says, the user is told, and `error`."""
        self.machine = self._fresh_machine()
        self._end(error)

    def leave(self, unread: bool = False) -> None:
        """The user is gone: close or abort, as the options say. `OSError` when there is nothing left to close.

        What is unread is thrown away; `unread` says that the user had taken something out and not looked at it.
        """
        unread = unread or self.incoming.readable > 0
        self.incoming.discard()
        self._account()
        if self.options.reset_on_close:
            self.call("abort")
        else:
            self.call("leave", unread)

    def give_up(self, error: Exception) -> None:
        """Tell everybody who waits of `error`."""
        while self._readers:
            fail(self._readers.popleft()[2], error)
        while self._writers:
            fail(self._writers.popleft()[1], error)

    def fault(self, refusal: str) -> Exception:
        """What a refusal is to the user: without a connection, the reason why there is none any more."""
        if self.error is None or refusal != "no_connection":
            return OSError(*REFUSALS[refusal])
        self._untold = None
        return self.error

    def _hand_over(self, data: Octets, future: "Future[int]") -> bool:
        """Give the law octets to send, as many as there is room for; False when they have to wait."""
        share = self._tcp.memory.share(self._sending)
        count = max(0, min(len(data), self.outgoing.space, share - len(self.outgoing)))
        refusal = self.ask("send", count) if len(data) else None
        if refusal == WAIT:
            return False
        if refusal is not None:
            fail(future, self.fault(refusal))
            return True
        self.outgoing.append(data if count == len(data) else memoryview(data)[:count])
        settle(future, count)
        self._tcp.wake(self)
        return True

    def _serve_readers(self) -> None:
        """Ask the law for each reader: text, the end, an error, or wait."""
        served = False
        while self._readers:
            count, peek, future = self._readers[0]
            if not future.done():
                refusal = self.ask("receive")
                if refusal == WAIT:
                    break
                if refusal is None:
                    settle(future, self.incoming.peek(count) if peek else self.incoming.read(count))
                    served = served or not peek
                elif refusal == "closing":
                    settle(future, b"")  # the end of the stream
                else:
                    fail(future, self.fault(refusal))
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

    def segment(self, segment: Segment) -> None:
        """A segment for this connection."""
        self._segment = segment
        self.machine.on_seg(cast("Seg", segment), self._tcp.timers.now)  # it has every field the law's rows read
        self._tcp.wake(self)

    def trouble(self, error: IcmpError) -> None:
        """An ICMP error about a segment between these two ends (RFC 9293 3.9.2.2)."""
        self.machine.on_trouble(Trouble(type=error.type, code=error.code, seq=error.seq), self._tcp.timers.now)
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
        self._account()
        deadline = machine.deadline()
        timer = self._timer
        if deadline is not None and (timer is None or not timer.pending or timer.when > deadline):
            if timer is not None:
                timer.cancel()
            self._timer = self._tcp.timers.at(deadline, self._wake)

    def _account(self) -> None:
        """Tell the host's memory what this connection has."""
        machine, memory, outgoing = self.machine, self._tcp.memory, self.outgoing
        if outgoing.memory > LEAST and not len(outgoing) and 2 * memory.used > memory.octets:
            outgoing.trim()
        offered = 0 if self._finished else (machine.rcv_edge - machine.rcv_nxt) & MASK
        if offered >= HALF:  # the edge is behind: nothing is offered
            offered = 0
        received, sending = self.incoming.memory + offered, outgoing.memory
        memory.used += received - self._received + sending - self._sending
        self._received, self._sending = received, sending

    def _wake(self) -> None:
        self._tcp.wake(self)

    # --- what the machine asks --------------------------------------------------------------------------------

    def ask_isn(self) -> int:
        return self._tcp.isn(self.four_tuple)

    def ask_ts_clock(self) -> int:
        return (self._tcp.timers.now // 1000 + self._offset) & MASK

    def ask_room(self) -> int:
        incoming = self.incoming
        return max(0, min(incoming.capacity, self._tcp.memory.share(self._received)) - incoming.readable)

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
        return self._tcp.can_send(self)

    # --- what the machine does --------------------------------------------------------------------------------

    def emit_seg(self, o: Seg) -> None:
        """Build and send one segment; the text comes from the send buffer."""
        _, local_port, _, remote_port = self.four_tuple
        out = Segment(
            local_port, remote_port, o.seq, o.ack, o.wnd, o.up, o.syn, o.fin, o.rst, o.ackf, o.psh, o.urg, o.ece, o.cwr, o.len,
            o.mss, o.has_mss, o.wscale, o.has_wscale, o.sack_ok, o.tson, o.tsval, o.tsecr, gso_size=o.gso_size,
        )  # fmt: skip
        text = self._outgoing_text(o.seq, o.len) if o.len else ()
        if not self._tcp.send(out, self, text):
            self._tcp.statistics.drop("tcp.unsent")

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
        self.incoming.deliver(self._text(skip, count), count)

    def tell_stash(self, skip: int, ahead: int, count: int) -> None:
        """Keep `count` octets of the segment's text from `skip` on, `ahead` octets before their turn."""
        self.incoming.stash(ahead, self._text(skip, count))

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
        if self._opener is not None:
            self._opener.arriving(self)

    def tell_connected(self) -> None:
        settle(self.connected, None)
        if self._opener is not None:
            self._opener.connected(self)

    def tell_refused(self) -> None:
        self._end(ConnectionRefusedError(errno.ECONNREFUSED, "the peer refused the connection"))

    def tell_reset_by_peer(self) -> None:
        self._end(ConnectionResetError(errno.ECONNRESET, "the peer reset the connection"))

    def tell_timed_out(self) -> None:
        self._end(TimeoutError(errno.ETIMEDOUT, "the peer does not answer"))

    def tell_undelivered(self, type: int, code: int) -> None:  # noqa: A002 - the law's name
        number = errno.ENETUNREACH if type == UNREACHABLE and code in NETWORK_CODES else errno.EHOSTUNREACH
        self._end(OSError(number, f"the network cannot deliver (ICMP type {type}, code {code})"))

    def tell_unreachable(self) -> None:
        self._tcp.statistics.drop("tcp.soft_error")

    def tell_finished(self) -> None:
        self._finished = True

    def tell_deaf(self) -> None:
        self.incoming.discard()

    def tell_abandoned(self) -> None:
        self._end(ConnectionAbortedError(errno.ECONNABORTED, "the peer gave up opening"))

    def tell_closed(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        """The connection is no more: leave the tables, and have everybody who waits ask again."""
        if self.error is None:
            self.error = self._untold = error
        fail(self.connected, error or OSError(*REFUSALS["no_connection"]))
        self._finished = True
        self.outgoing = SendBuffer(self.options.send_buffer)
        if self._timer is not None:
            self._timer.cancel()
        if self._opener is not None:
            self._opener.gone(self)
        self._tcp.leave(self)
        settle(self.ended, None)
        self._tcp.wake(self)
