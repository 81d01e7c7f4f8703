# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/tcp/connection.law
#   spec/tcp/segments.law
#   spec/tcp/arrives.law
#   spec/tcp/sends.law
#   spec/tcp/policy.law
#   spec/tcp/calls.law
#   spec/profiles/tcp.profile
"""One TCP connection (RFC 9293)

Machine tcp.connection under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step
from wirelaw.impl.externs.ranges import forget, hold, reach

# States of region `conn`.
CLOSED: Final = "CLOSED"
LISTEN: Final = "LISTEN"
SYN_SENT: Final = "SYN_SENT"
SYN_RECEIVED: Final = "SYN_RECEIVED"
ESTABLISHED: Final = "ESTABLISHED"
FIN_WAIT_1: Final = "FIN_WAIT_1"
FIN_WAIT_2: Final = "FIN_WAIT_2"
CLOSE_WAIT: Final = "CLOSE_WAIT"
CLOSING: Final = "CLOSING"
LAST_ACK: Final = "LAST_ACK"
TIME_WAIT: Final = "TIME_WAIT"
_STATES_OF_QUOTED_FLIGHT: Final = frozenset(
    {SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT}
)
_SYNCED: Final = frozenset(
    {SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT}
)
_RECEIVING: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2})
_TRANSFER: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK})
_CLOSING_OR_LAST_ACK_OR_TIME_WAIT: Final = frozenset({CLOSING, LAST_ACK, TIME_WAIT})
_STATES_OF_RST_SHUT: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT})
_OPEN: Final = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT})
_FLIGHT: Final = frozenset({ESTABLISHED, FIN_WAIT_1, CLOSE_WAIT, CLOSING, LAST_ACK})
_STATES_OF_ACK_ALL: Final = frozenset({ESTABLISHED, FIN_WAIT_2, CLOSE_WAIT, TIME_WAIT})
_RECEIVED: Final = frozenset({CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT})
_CLOSE_WAIT_OR_CLOSING_OR_LAST_ACK: Final = frozenset({CLOSE_WAIT, CLOSING, LAST_ACK})
_STATES_OF_SEND_SHUT: Final = frozenset({SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT})
_STATES_OF_RECV_TEXT: Final = frozenset({SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2})
_SYN_RECEIVED_OR_ESTABLISHED_OR_CLOSE_WAIT: Final = frozenset({SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT})
_STATES_OF_RTO_IDLE: Final = frozenset({CLOSED, LISTEN, FIN_WAIT_2, TIME_WAIT})
_CLOSED_OR_LISTEN_OR_SYN_SENT: Final = frozenset({CLOSED, LISTEN, SYN_SENT})
_STATES_OF_LEAVE_UNREAD: Final = frozenset({SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT})

# Parameters of profile `wirelaw`; durations in microseconds.
ACK_DELAY: Final = 40000
MSL: Final = 30000000
CHALLENGE_INTERVAL: Final = 500000
RTO_INITIAL: Final = 1000000
RTO_MIN: Final = 1000000
RTO_MAX: Final = 60000000
USER_PATIENCE: Final = 100000000
ORPHAN_PATIENCE: Final = 60000000
SYN_PATIENCE: Final = 180000000


@dataclass(slots=True)
class Seg:
    """Message `seg`."""

    kind: ClassVar[str] = "seg"
    seq: int = 0
    ack: int = 0
    wnd: int = 0
    up: int = 0
    syn: bool = False
    fin: bool = False
    rst: bool = False
    ackf: bool = False
    psh: bool = False
    urg: bool = False
    ece: bool = False
    cwr: bool = False
    len: int = 0
    has_mss: bool = False
    has_wscale: bool = False
    sack_ok: bool = False
    mss: int = 0
    wscale: int = 0
    tson: bool = False
    tsval: int = 0
    tsecr: int = 0
    sacks: Any = None
    sum_ok: bool = True
    same: bool = True
    cut: bool = False
    gso_size: int = 0


@dataclass(slots=True)
class Trouble:
    """Message `trouble`."""

    kind: ClassVar[str] = "trouble"
    type: int = 0
    code: int = 0
    seq: int = 0


class TcpConnectionHost(Protocol):
    """What surrounds the machine."""

    def emit_seg(self, o: Seg) -> None:
        """Carry the message away."""

    def ask_isn(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_ts_clock(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_room(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_readable(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_receive_buffer(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_own_mss(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_chunk(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_window_shift(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def ask_ready(self, /) -> bool:
        """Answer a question of the machine."""
        ...

    def tell_arriving(self, /) -> None:
        """Take news from the machine."""

    def tell_connected(self, /) -> None:
        """Take news from the machine."""

    def tell_refused(self, /) -> None:
        """Take news from the machine."""

    def tell_reset_by_peer(self, /) -> None:
        """Take news from the machine."""

    def tell_timed_out(self, /) -> None:
        """Take news from the machine."""

    def tell_unreachable(self, /) -> None:
        """Take news from the machine."""

    def tell_undelivered(self, type: int, code: int, /) -> None:
        """Take news from the machine."""

    def tell_deaf(self, /) -> None:
        """Take news from the machine."""

    def tell_closed(self, /) -> None:
        """Take news from the machine."""

    def tell_abandoned(self, /) -> None:
        """Take news from the machine."""

    def tell_begins(self, start: int, /) -> None:
        """Take news from the machine."""

    def tell_deliver(self, skip: int, count: int, /) -> None:
        """Take news from the machine."""

    def tell_stash(self, skip: int, ahead: int, count: int, /) -> None:
        """Take news from the machine."""

    def tell_finished(self, /) -> None:
        """Take news from the machine."""

    def tell_capacity(self, n: int, /) -> None:
        """Take news from the machine."""

    def tell_acknowledged(self, upto: int, /) -> None:
        """Take news from the machine."""


class TcpConnection:
    """One tcp.connection: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: TcpConnectionHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: TcpConnectionHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.conn: str = CLOSED
        self.iss: int = 0
        self.snd_una: int = 0
        self.snd_nxt: int = 0
        self.snd_edge: int = 0
        self.window_back: bool = False
        self.irs: int = 0
        self.rcv_nxt: int = 0
        self.rcv_edge: int = 0
        self.edge_most: int = 0
        self.last_ack: int = 0
        self.accepted_from: int = 0
        self.held: Any = None
        self.fin_known: bool = False
        self.fin_in: bool = False
        self.fin_at: int = 0
        self.resent: bool = False
        self.slow: bool = False
        self.fin_sent: bool = False
        self.passive: bool = False
        self.syn_pending: bool = False
        self.snd_shift: int = 0
        self.rcv_shift: int = 0
        self.own_shift: int = 0
        self.peer_shift: int = 0
        self.ws_offered: bool = False
        self.peer_ws: bool = False
        self.ts_offered: bool = False
        self.peer_ts: bool = False
        self.ts_on: bool = False
        self.ts_recent: int = 0
        self.ts_sent: int = 0
        self.syn_wnd: int = 0
        self.peer_mss: int = 0
        self.mss_offered: int = 0
        self.syn_at: int = 0
        self.peer_ecn: bool = False
        self.max_seen: int = 65535
        self.opening: bool = False
        self.closing: bool = False
        self.gone: bool = False
        self.aborting: bool = False
        self.nodelay: bool = False
        self.deaf: bool = False
        self.closed_first: bool = False
        self.full: bool = False
        self.unsent: int = 0
        self.calm: int = 0
        self.srtt: int = 0
        self.rttvar: int = 0
        self.rto: int = 1000000
        self.backoff: int = 0
        self.dupacks: int = 0
        self.timing: bool = False
        self.rtt_seq: int = 0
        self.rtt_at: int = 0
        self.last_sent: int = 0
        self.cwnd: int = 0
        self.ssthresh: int = 0
        self.snd_wnd: int = 0
        self.max_wnd: int = 0
        self.snd_wl1: int = 0
        self.snd_wl2: int = 0
        self.largest: int = 0
        self.recovering: bool = False
        self.probing: bool = False
        self.syn_again: bool = False
        self.recover: int = 0
        self.again_from: int = 0
        self.again_upto: int = 0
        self.trouble_type: int = 0
        self.trouble_code: int = 0
        self.rto_at: int | None = None
        self.persist_at: int | None = None
        self.time_wait_at: int | None = None
        self.user_timeout_at: int | None = None
        self.orphan_at: int | None = None
        self.ack_due: int | None = None
        self.ack_upto: int = 0
        self.challenge_due: int | None = None
        self.synack_due: int | None = None

    def on_trouble(self, e: Trouble, now: int) -> None:
        """Take `trouble` through quoted, icmp; then `pump`."""
        self._quoted(e, now) and self._icmp(e, now)

    def _quoted(self, e: Trouble, now: int) -> bool:
        """Table `quoted` (rfc5927:4.1)."""
        st = self.conn
        if st in _STATES_OF_QUOTED_FLIGHT:
            # [quoted.flight]
            if ((e.seq - self.snd_una) & 0xFFFFFFFF) < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF:
                if self.on_step is not None:
                    self.on_step(Step(now, "quoted", "quoted.flight", "trouble", e))
                return True
            # [quoted.stray] rfc5927:4.1 SHOULD
            if self.on_step is not None:
                self.on_step(Step(now, "quoted", "quoted.stray", "trouble", e))
            return False
        return True

    def _icmp(self, e: Trouble, now: int) -> bool:
        """Table `icmp` (rfc9293:SHLD-26)."""
        st = self.conn
        if st == SYN_RECEIVED:
            if e.type == 3 and (e.code == 2 or e.code == 3):  # [icmp.open.hard] rfc9293:3.9.1.8 MUST
                self.trouble_type = e.type
                self.trouble_code = e.code
                self.host.tell_unreachable()
                if self.on_step is not None:
                    self.on_step(Step(now, "icmp", "icmp.open.hard", "trouble", e))
                return False
            # [icmp.open] rfc9293:MUST-56 MUST, rfc9293:SHLD-25, rfc9293:MUST-47 MUST
            if not (e.type == 3 and (e.code == 2 or e.code == 3)):
                self.trouble_type = e.type
                self.trouble_code = e.code
                self.host.tell_unreachable()
                if self.on_step is not None:
                    self.on_step(Step(now, "icmp", "icmp.open", "trouble", e))
                return False
            raise IncompleteTableError("tcp.connection", "icmp", "trouble")
        if st == SYN_SENT:
            # [icmp.refused] rfc9293:SHLD-26 SHOULD, rfc9293:MUST-54 MUST
            if e.type == 3 and (e.code == 2 or e.code == 3):
                self._do_end()
                self.host.tell_refused()
                self.conn = CLOSED
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "icmp", "icmp.refused", "trouble", e))
                return False
            # [icmp.syn] rfc9293:MUST-56 MUST, rfc9293:SHLD-25
            if not (e.type == 3 and (e.code == 2 or e.code == 3)):
                self.trouble_type = e.type
                self.trouble_code = e.code
                self.host.tell_unreachable()
                if self.on_step is not None:
                    self.on_step(Step(now, "icmp", "icmp.syn", "trouble", e))
                return False
            raise IncompleteTableError("tcp.connection", "icmp", "trouble")
        if st == CLOSED or st == LISTEN:
            # [icmp.none] rfc9293:MUST-54
            if self.on_step is not None:
                self.on_step(Step(now, "icmp", "icmp.none", "trouble", e))
            return False
        # [icmp.soft] rfc9293:MUST-56 MUST, rfc9293:SHLD-25, rfc9293:MUST-47 MUST, rfc9293:3.9.1.8 MUST
        if not (e.type == 3 and (e.code == 2 or e.code == 3)):
            self.trouble_type = e.type
            self.trouble_code = e.code
            self.host.tell_unreachable()
            if self.on_step is not None:
                self.on_step(Step(now, "icmp", "icmp.soft", "trouble", e))
            return False
        # [icmp.hard.bear] rfc5927:5.2, rfc5927:5.2/told, rfc9293:3.9.1.8 MUST
        self.trouble_type = e.type
        self.trouble_code = e.code
        self.host.tell_unreachable()
        if self.on_step is not None:
            self.on_step(Step(now, "icmp", "icmp.hard.bear", "trouble", e))
        return False

    def on_seg(self, s: Seg, now: int) -> None:
        """Take `seg` through closed, listen, syn_sent, early, paws, sequence, overrun, stamp, near, reset,
        syn, injection, measure, peer_window, congestion, again, ack, unread, text, fin, finish; then `pump`.
        """
        (
            self._closed(s, now)
            and self._listen(s, now)
            and self._syn_sent(s, now)
            and self._early(s, now)
            and self._paws(s, now)
            and self._sequence(s, now)
            and self._overrun(s, now)
            and self._stamp(s, now)
            and self._near(s, now)
            and self._reset(s, now)
            and self._syn(s, now)
            and self._injection(s, now)
            and self._measure(s, now)
            and self._peer_window(s, now)
            and self._congestion(s, now)
            and self._again(s, now)
            and self._ack(s, now)
            and self._unread(s, now)
            and self._text(s, now)
            and self._fin(s, now)
            and self._finish(s, now)
        )

    def _closed(self, s: Seg, now: int) -> bool:
        """Table `closed` (rfc9293:3.10.7.1)."""
        st = self.conn
        if st == CLOSED:
            if s.rst:  # [closed.rst] rfc9293:3.10.7.1
                if self.on_step is not None:
                    self.on_step(Step(now, "closed", "closed.rst", "seg", s))
                return False
            if s.ackf:  # [closed.ack] rfc9293:3.10.7.1/ack MUST, rfc9293:3.5.2/1 MUST
                self.host.emit_seg(
                    Seg(
                        seq=s.ack,
                        wnd=self._advertise(),
                        rst=True,
                        tson=self.ts_on,
                        tsval=self.host.ask_ts_clock(),
                        tsecr=self.ts_recent,
                        cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                        gso_size=self._mss(),
                    )
                )
                if self.on_step is not None:
                    self.on_step(Step(now, "closed", "closed.ack", "seg", s))
                return False
            # [closed.no.ack] rfc9293:3.10.7.1/no-ack MUST
            self.host.emit_seg(
                Seg(
                    ack=(s.seq + (s.len + s.syn + s.fin)) & 0xFFFFFFFF,
                    wnd=self._advertise(),
                    rst=True,
                    ackf=True,
                    tson=self.ts_on,
                    tsval=self.host.ask_ts_clock(),
                    tsecr=self.ts_recent,
                    cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                    gso_size=self._mss(),
                )
            )
            if self.on_step is not None:
                self.on_step(Step(now, "closed", "closed.no.ack", "seg", s))
            return False
        return True

    def _listen(self, s: Seg, now: int) -> bool:
        """Table `listen` (rfc9293:3.10.7.2/first)."""
        st = self.conn
        if st == LISTEN:
            if s.rst:  # [listen.rst] rfc9293:3.10.7.2/first MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "listen", "listen.rst", "seg", s))
                return False
            if s.ackf:  # [listen.ack] rfc9293:3.10.7.2/second MUST, rfc9293:3.5.2/2 MUST
                self.host.emit_seg(
                    Seg(
                        seq=s.ack,
                        wnd=self._advertise(),
                        rst=True,
                        tson=self.ts_on,
                        tsval=self.host.ask_ts_clock(),
                        tsecr=self.ts_recent,
                        cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                        gso_size=self._mss(),
                    )
                )
                if self.on_step is not None:
                    self.on_step(Step(now, "listen", "listen.ack", "seg", s))
                return False
            if not s.syn:  # [listen.other] rfc9293:3.10.7.2/fourth MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "listen", "listen.other", "seg", s))
                return False
            if self.full:  # [listen.full] rfc4987:2.2/backlog MAY
                if self.on_step is not None:
                    self.on_step(Step(now, "listen", "listen.full", "seg", s))
                return False
            # [listen.syn] rfc9293:3.10.7.2/third MUST, rfc7323:2.2/syn-only MUST, rfc7323:3.2/tsecr-unset
            #     MUST, rfc9293:MUST-15 MUST
            if not (s.len > 0 or s.fin):
                self._do_hear_syn(s, now)
                self.conn = SYN_RECEIVED
                self.ack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "listen", "listen.syn", "seg", s))
                return False
            # [listen.syn.queue] rfc9293:3.10.7.2/third MUST
            self._do_hear_syn(s, now)
            self._do_queue_text(s)
            self.conn = SYN_RECEIVED
            self.ack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "listen", "listen.syn.queue", "seg", s))
            return False
        return True

    def _syn_sent(self, s: Seg, now: int) -> bool:
        """Table `syn_sent` (rfc9293:3.10.7.3/first)."""
        st = self.conn
        if st == SYN_SENT:
            if s.ackf:
                wanted_ack = (
                    ((s.ack - ((self.iss + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                    < (self.snd_nxt - self.iss) & 0xFFFFFFFF
                )
                if not wanted_ack and s.rst:  # [syn_sent.ack.rst] rfc9293:3.10.7.3/first MUST
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.ack.rst", "seg", s))
                    return False
                if not wanted_ack:  # [syn_sent.ack.bad] rfc9293:3.10.7.3/first MUST, rfc9293:3.5.2/2 MUST
                    self.host.emit_seg(
                        Seg(
                            seq=s.ack,
                            wnd=self._advertise(),
                            rst=True,
                            tson=self.ts_on,
                            tsval=self.host.ask_ts_clock(),
                            tsecr=self.ts_recent,
                            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                            gso_size=self._mss(),
                        )
                    )
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.ack.bad", "seg", s))
                    return False
                if s.rst:  # [syn_sent.refused] rfc9293:3.10.7.3/second MUST, rfc9293:MUST-12
                    self._do_end()
                    self.host.tell_refused()
                    self.conn = CLOSED
                    self.ack_due = None
                    self.challenge_due = None
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.refused", "seg", s))
                    return False
            if s.rst:  # [syn_sent.rst] rfc9293:3.10.7.3/second MUST, rfc5961:3.2/syn-sent MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "syn_sent", "syn_sent.rst", "seg", s))
                return False
            if not s.syn:  # [syn_sent.other] rfc9293:3.10.7.3/fifth MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "syn_sent", "syn_sent.other", "seg", s))
                return False
            carries = s.len > 0 or s.fin
            # [syn_sent.open] rfc9293:3.10.7.3/fourth/ESTABLISHED MUST, rfc7323:2.2/syn-window MUST_NOT,
            #     rfc5681:3.1/syn-ack MUST_NOT, rfc6298:5.7 MUST, rfc5681:3.1/ssthresh SHOULD, rfc6582:3.2/1,
            #     rfc7323:2.2 MUST, rfc7323:2.3/on MUST, rfc7323:2.3/off MUST
            if s.ackf and not carries:
                self._do_synchronize(s)
                self._do_open_up(s, now)
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                self.conn = ESTABLISHED
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "syn_sent", "syn_sent.open", "seg", s))
                return False
            # [syn_sent.both] rfc9293:3.10.7.3/fourth/SYN-RECEIVED MUST, rfc9293:MUST-10 MUST
            if not s.ackf and not carries:
                self._do_synchronize(s)
                self.snd_edge = self.snd_nxt
                if self.synack_due is None or now < self.synack_due:
                    self.synack_due = now
                self.conn = SYN_RECEIVED
                self.ack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "syn_sent", "syn_sent.both", "seg", s))
                return False
            if s.ackf:
                fits = s.len + s.fin <= self.syn_wnd
                if not fits:  # [syn_sent.open.ignore] rfc9293:3.10.7.3/fourth/ESTABLISHED MUST
                    self._do_synchronize(s)
                    self._do_open_up(s, now)
                    self.ack_upto = self.rcv_nxt
                    if self.ack_due is None or now < self.ack_due:
                        self.ack_due = now
                    self.conn = ESTABLISHED
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.open.ignore", "seg", s))
                    return False
                if s.len > 0 and not s.fin:  # [syn_sent.open.text] rfc9293:3.10.7.3/fourth/text
                    self._do_synchronize(s)
                    self._do_open_up(s, now)
                    self.host.tell_deliver(0, s.len)
                    self.rcv_nxt = (self.rcv_nxt + s.len) & 0xFFFFFFFF
                    self.ack_upto = self.rcv_nxt
                    if self.ack_due is None or now < self.ack_due:
                        self.ack_due = now
                    self.conn = ESTABLISHED
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.open.text", "seg", s))
                    return False
                if s.fin:  # [syn_sent.open.fin] rfc9293:3.10.7.3/fourth/text
                    self._do_synchronize(s)
                    self._do_open_up(s, now)
                    self.host.tell_deliver(0, s.len)
                    self.rcv_nxt = (self.rcv_nxt + (s.len + 1)) & 0xFFFFFFFF
                    self.fin_in = True
                    self.closed_first = self.closing
                    self.ack_upto = self.rcv_nxt
                    if self.ack_due is None or now < self.ack_due:
                        self.ack_due = now
                    self.host.tell_finished()
                    self.conn = CLOSE_WAIT
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "syn_sent", "syn_sent.open.fin", "seg", s))
                    return False
            # [syn_sent.both.text] rfc9293:3.10.7.3/fourth/text, rfc9293:3.10.7.3/fourth/SYN-RECEIVED MUST
            if not s.ackf:
                self._do_synchronize(s)
                self.snd_edge = self.snd_nxt
                self._do_queue_text(s)
                if self.synack_due is None or now < self.synack_due:
                    self.synack_due = now
                self.conn = SYN_RECEIVED
                self.ack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "syn_sent", "syn_sent.both.text", "seg", s))
                return False
            raise IncompleteTableError("tcp.connection", "syn_sent", "seg")
        return True

    def _early(self, s: Seg, now: int) -> bool:
        """Table `early` (rfc9293:3.5.2/2)."""
        st = self.conn
        if st == SYN_RECEIVED:
            # [early.none]
            if self.on_step is not None:
                self.on_step(Step(now, "early", "early.none", "seg", s))
            return True
        return True

    def _paws(self, s: Seg, now: int) -> bool:
        """Table `paws` (rfc7323:5.2/rst)."""
        st = self.conn
        if st in _SYNCED:
            # [paws.ok]
            if (
                not self.ts_on
                or (s.tson and ((s.tsval - self.ts_recent) & 0xFFFFFFFF) < 0x80000000)
                or (s.rst and not s.tson)
            ):
                if self.on_step is not None:
                    self.on_step(Step(now, "paws", "paws.ok", "seg", s))
                return True
            if s.rst:  # [paws.rst] rfc7323:5.2/rst MUST_NOT
                if self.on_step is not None:
                    self.on_step(Step(now, "paws", "paws.rst", "seg", s))
                return True
            if s.tson:  # [paws.old] rfc7323:5.3/R1
                self._do_challenge(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "paws", "paws.old", "seg", s))
                return False
            # [paws.missing] rfc7323:3.2/no-abort MUST_NOT
            if self.on_step is not None:
                self.on_step(Step(now, "paws", "paws.missing", "seg", s))
            return True
        return True

    def _sequence(self, s: Seg, now: int) -> bool:
        """Table `sequence` (rfc9293:3.10.7.4/first)."""
        st = self.conn
        if st in _SYNCED:
            seglen = s.len + s.syn + s.fin
            rwnd = (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF
            # [seq.acceptable] rfc9293:3.10.7.4/first MUST, rfc9293:3.4/window
            if (
                ((s.seq - self.rcv_nxt) & 0xFFFFFFFF) < rwnd
                or (
                    seglen > 0
                    and ((((((s.seq + seglen) & 0xFFFFFFFF) - 1) & 0xFFFFFFFF) - self.rcv_nxt) & 0xFFFFFFFF)
                    < rwnd
                )
                or (seglen == 0 and s.seq == self.rcv_nxt)
            ):
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.acceptable", "seg", s))
                return True
            if s.rst:  # [seq.rst] rfc9293:3.10.7.4/second/1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.rst", "seg", s))
                return False
            if rwnd == 0 and s.seq == self.rcv_nxt:  # [seq.zero] rfc9293:3.10.7.4/first/zero-window SHOULD
                self._do_challenge(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.zero", "seg", s))
                return True
            # [seq.zero.past] rfc9293:3.10.7.4/first/zero-window
            if st in _RECEIVING and rwnd == 0 and seglen == 0 and s.seq == (self.rcv_nxt + 1) & 0xFFFFFFFF:
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.zero.past", "seg", s))
                return True
            # [seq.syn.crossed] rfc9293:MUST-10 MUST, rfc9293:3.5, rfc7323:2.2/syn-window MUST_NOT
            if (
                st == SYN_RECEIVED
                and s.syn
                and s.seq == self.irs
                and not self.passive
                and s.ackf
                and ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
                and not (s.len > 0 or s.fin)
                and self.held is None
                and not self.fin_known
            ):
                self._do_cross(s, now)
                self.conn = ESTABLISHED
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.syn.crossed", "seg", s))
                return False
            # [seq.syn.again] rfc9293:3.10.7.4/first SHOULD
            if st == SYN_RECEIVED and s.syn and s.seq == self.irs:
                if self.synack_due is None or now < self.synack_due:
                    self.synack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.syn.again", "seg", s))
                return False
            # [seq.fin.again] rfc9293:3.10.7.4/eighth/TIME-WAIT MUST, rfc9293:3.10.7.4/fifth/TIME-WAIT
            if st == TIME_WAIT and s.fin and not s.syn and (s.seq + seglen) & 0xFFFFFFFF == self.rcv_nxt:
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                self.time_wait_at = now + 2 * MSL
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.fin.again", "seg", s))
                return False
            if st in _TRANSFER and s.len > 0:  # [seq.text] rfc9293:3.10.7.4/first SHOULD
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "sequence", "seq.text", "seg", s))
                return False
            # [seq.old] rfc9293:3.10.7.4/first SHOULD, rfc9293:3.5.2/3, rfc9293:3.4/window, rfc7323:5.3/R2
            self._do_challenge(now)
            if self.on_step is not None:
                self.on_step(Step(now, "sequence", "seq.old", "seg", s))
            return False
        return True

    def _overrun(self, s: Seg, now: int) -> bool:
        """Table `overrun` (rfc9293:3.10.7.4/first)."""
        st = self.conn
        if st in _SYNCED:
            # [overrun.none]
            if self.on_step is not None:
                self.on_step(Step(now, "overrun", "overrun.none", "seg", s))
            return True
        return True

    def _stamp(self, s: Seg, now: int) -> bool:
        """Table `stamp` (rfc7323:4.3/2)."""
        st = self.conn
        if st in _SYNCED:
            seglen = s.len + s.syn + s.fin
            rwnd = (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF
            timely = (
                s.tsval == self.ts_recent
                or (
                    (
                        ((s.seq - self.rcv_nxt) & 0xFFFFFFFF) < rwnd
                        or (
                            seglen > 0
                            and (
                                (((((s.seq + seglen) & 0xFFFFFFFF) - 1) & 0xFFFFFFFF) - self.rcv_nxt)
                                & 0xFFFFFFFF
                            )
                            < rwnd
                        )
                        or (seglen == 0 and s.seq == self.rcv_nxt)
                    )
                    and s.ackf
                    and not s.syn
                    and ((s.ack - self.snd_una) & 0xFFFFFFFF)
                    < ((self.snd_nxt - self.snd_una) & 0xFFFFFFFF) + 1
                )
            )
            # [stamp.newer] rfc7323:4.3/2 MUST, rfc7323:5.3/R3 MUST, rfc7323:5.2/kept MUST
            if (
                self.ts_on
                and s.tson
                and not s.rst
                and ((s.tsval - self.ts_recent) & 0xFFFFFFFF) < 0x80000000
                and ((self.last_ack - s.seq) & 0xFFFFFFFF) < 0x80000000
                and timely
            ):
                self.ts_recent = s.tsval
                if self.on_step is not None:
                    self.on_step(Step(now, "stamp", "stamp.newer", "seg", s))
                return True
            # [stamp.skip] rfc7323:5.3/R3 MAY
            if (
                self.ts_on
                and s.tson
                and not s.rst
                and ((s.tsval - self.ts_recent) & 0xFFFFFFFF) < 0x80000000
                and ((self.last_ack - s.seq) & 0xFFFFFFFF) < 0x80000000
                and not timely
            ):
                if self.on_step is not None:
                    self.on_step(Step(now, "stamp", "stamp.skip", "seg", s))
                return True
            if self.ts_on and s.tson and s.rst:  # [stamp.rst] rfc7323:5.2/rst-state MUST_NOT
                if self.on_step is not None:
                    self.on_step(Step(now, "stamp", "stamp.rst", "seg", s))
                return True
            if not self.ts_on and s.tson:  # [stamp.unasked] rfc7323:3.2/unasked MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "stamp", "stamp.unasked", "seg", s))
                return True
            # [stamp.none]
            if self.on_step is not None:
                self.on_step(Step(now, "stamp", "stamp.none", "seg", s))
            return True
        return True

    def _near(self, s: Seg, now: int) -> bool:
        """Table `near` (rfc9293:3.10.7.4/second/3)."""
        st = self.conn
        if st in _SYNCED:
            if s.rst and s.seq != self.rcv_nxt:  # [rst.near] rfc9293:3.10.7.4/second/3 MUST
                self._do_challenge(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "near", "rst.near", "seg", s))
                return False
            # [rst.obey]
            if self.on_step is not None:
                self.on_step(Step(now, "near", "rst.obey", "seg", s))
            return True
        return True

    def _reset(self, s: Seg, now: int) -> bool:
        """Table `reset` (rfc9293:3.10.7.4/second/SYN-RECEIVED)."""
        st = self.conn
        if st == SYN_RECEIVED:
            if not s.rst:  # [rst.none]
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.none", "seg", s))
                return True
            # [rst.passive] rfc9293:3.10.7.4/second/SYN-RECEIVED MUST, rfc9293:3.10.7.4/second/2 MUST,
            #     rfc9293:MUST-11 MUST, rfc9293:3.3.2/note-1
            if self.passive:
                self._do_end()
                self.host.tell_abandoned()
                self.conn = LISTEN
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.passive", "seg", s))
                return False
            # [rst.refused] rfc9293:3.10.7.4/second/SYN-RECEIVED MUST, rfc9293:MUST-11 MUST
            self._do_end()
            self.host.tell_refused()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "reset", "rst.refused", "seg", s))
            return False
        if st in _CLOSING_OR_LAST_ACK_OR_TIME_WAIT:
            if not s.rst:  # [rst.none]
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.none", "seg", s))
                return True
            # [rst.quiet] rfc9293:3.10.7.4/second/2 MUST, rfc9293:MUST-12, rfc9293:3.10.7.4/second/CLOSING
            self._do_end()
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "reset", "rst.quiet", "seg", s))
            return False
        if st in _STATES_OF_RST_SHUT:
            if not s.rst:  # [rst.none]
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.none", "seg", s))
                return True
            rwnd = (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF
            if rwnd == 0:  # [rst.shut] rfc9293:MUST-66 MUST, rfc9293:3.10.7.4/second/ESTABLISHED
                self._do_end()
                self.host.tell_reset_by_peer()
                self.conn = CLOSED
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.shut", "seg", s))
                return False
            # [rst.exact] rfc9293:3.10.7.4/second/2 MUST, rfc9293:MUST-12,
            #     rfc9293:3.10.7.4/second/ESTABLISHED, rfc5961:3.2, rfc9293:SHLD-2 SHOULD, rfc7323:5.2/rst
            #     MUST_NOT
            if rwnd > 0:
                self._do_end()
                self.host.tell_reset_by_peer()
                self.conn = CLOSED
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "reset", "rst.exact", "seg", s))
                return False
            raise IncompleteTableError("tcp.connection", "reset", "seg")
        return True

    def _syn(self, s: Seg, now: int) -> bool:
        """Table `syn` (rfc9293:3.10.7.4/first)."""
        st = self.conn
        if st in _SYNCED:
            if not s.syn:  # [syn.none]
                if self.on_step is not None:
                    self.on_step(Step(now, "syn", "syn.none", "seg", s))
                return True
            if st == SYN_RECEIVED and s.seq == self.irs:  # [syn.again] rfc9293:3.10.7.4/first SHOULD
                if self.synack_due is None or now < self.synack_due:
                    self.synack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "syn", "syn.again", "seg", s))
                return False
            # [syn.challenge] rfc9293:3.10.7.4/fourth/challenge MUST, rfc5961:4.2, rfc5961:7 SHOULD
            self._do_challenge(now)
            if self.on_step is not None:
                self.on_step(Step(now, "syn", "syn.challenge", "seg", s))
            return False
        return True

    def _injection(self, s: Seg, now: int) -> bool:
        """Table `injection` (rfc9293:3.10.7.4/fifth/data-injection)."""
        st = self.conn
        if st in _OPEN:
            # [injection.challenge] rfc9293:3.10.7.4/fifth/data-injection MUST, rfc5961:5.2
            if (
                s.ackf
                and ((self.snd_una - s.ack) & 0xFFFFFFFF) < 0x80000000
                and (self.snd_una - s.ack) & 0xFFFFFFFF > self.max_seen
            ):
                self._do_challenge(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "injection", "injection.challenge", "seg", s))
                return False
            # [injection.none]
            if self.on_step is not None:
                self.on_step(Step(now, "injection", "injection.none", "seg", s))
            return True
        return True

    def _measure(self, s: Seg, now: int) -> bool:
        """Table `measure` (rfc6298:2.2)."""
        st = self.conn
        if st in _FLIGHT:
            ack_new = (
                ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
            )
            # [rtt.first] rfc6298:2.2 MUST, rfc6298:3 MUST, rfc6298:3/karn MUST_NOT, rfc6298:3/rate MUST,
            #     rfc6298:4 MUST, rfc6298:2.4 SHOULD, rfc6298:2.5 MAY
            if (
                s.ackf
                and ack_new
                and self.timing
                and ((s.ack - self.rtt_seq) & 0xFFFFFFFF) < 0x80000000
                and self.srtt == 0
            ):
                self.srtt = max(now - self.rtt_at, 1)
                self.rttvar = (now - self.rtt_at) // 2
                self.rto = self._bound()
                self.timing = False
                if self.on_step is not None:
                    self.on_step(Step(now, "measure", "rtt.first", "seg", s))
                return True
            # [rtt.next] rfc6298:2.3 MUST, rfc6298:2.3/order MUST, rfc6298:2.3/gains SHOULD,
            #     rfc6298:2.3/timeout MUST, rfc9293:MUST-18 MUST
            if (
                s.ackf
                and ack_new
                and self.timing
                and ((s.ack - self.rtt_seq) & 0xFFFFFFFF) < 0x80000000
                and self.srtt > 0
            ):
                self.rttvar = (
                    (
                        3 * self.rttvar
                        + (
                            self.srtt - (now - self.rtt_at)
                            if self.srtt > now - self.rtt_at
                            else now - self.rtt_at - self.srtt
                        )
                    )
                    // 4
                )
                self.srtt = (7 * self.srtt + (now - self.rtt_at)) // 8
                self.rto = self._bound()
                self.timing = False
                if self.on_step is not None:
                    self.on_step(Step(now, "measure", "rtt.next", "seg", s))
                return True
            # [rtt.none]
            if self.on_step is not None:
                self.on_step(Step(now, "measure", "rtt.none", "seg", s))
            return True
        return True

    def _peer_window(self, s: Seg, now: int) -> bool:
        """Table `peer_window` (rfc9293:3.10.7.4/fifth/ESTABLISHED/window)."""
        st = self.conn
        if st in _OPEN:
            if s.ackf:
                ack_new = (
                    ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                    < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
                )
                if (ack_new or s.ack == self.snd_una):
                    if (
                        ((self.snd_wl1 - s.seq) & 0xFFFFFFFF) >= 0x80000000
                        or (self.snd_wl1 == s.seq and ((s.ack - self.snd_wl2) & 0xFFFFFFFF) < 0x80000000)
                    ):
                        # [wnd.moves] rfc9293:3.10.7.4/fifth/ESTABLISHED/window MUST, rfc7323:2.3/shift MUST,
                        #     rfc7323:2.4 MUST, rfc9293:MUST-34 MUST, rfc9293:SHLD-15, rfc9293:REC-1
                        if s.wnd > 0 and self.snd_wnd > 0:
                            self._do_note_window(s)
                            if self.on_step is not None:
                                self.on_step(Step(now, "peer_window", "wnd.moves", "seg", s))
                            return True
                        # [wnd.opens] rfc9293:3.10.7.4/fifth/ESTABLISHED/window MUST
                        if s.wnd > 0 and self.snd_wnd == 0:
                            self._do_note_window(s)
                            self.again_from = self.snd_una
                            self.again_upto = self.snd_nxt
                            self.persist_at = None
                            self.probing = False
                            self.backoff = 0
                            if self.on_step is not None:
                                self.on_step(Step(now, "peer_window", "wnd.opens", "seg", s))
                            return True
                        # [wnd.closed] rfc9293:3.10.7.4/fifth/ESTABLISHED/window MUST, rfc9293:MUST-37 MUST,
                        #     rfc9293:MAY-8, rfc9293:SHLD-17
                        if s.wnd == 0:
                            self._do_note_window(s)
                            self.user_timeout_at = None
                            if self.on_step is not None:
                                self.on_step(Step(now, "peer_window", "wnd.closed", "seg", s))
                            return True
            # [wnd.old]
            if self.on_step is not None:
                self.on_step(Step(now, "peer_window", "wnd.old", "seg", s))
            return True
        return True

    def _congestion(self, s: Seg, now: int) -> bool:
        """Table `congestion` (rfc5681:3.1)."""
        st = self.conn
        if st in _FLIGHT:
            if s.ackf:
                flight = (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
                ack_new = ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF) < flight
                if ack_new:
                    # [cc.slow] rfc5681:3.1 MUST, rfc9293:MUST-19 MUST, rfc5681:3.1/which,
                    #     rfc5681:3.1/slow-start, rfc5681:2 MUST_NOT, rfc6582:6/recover
                    if not self.recovering and self.cwnd < self.ssthresh:
                        self.cwnd = min(
                            self.cwnd + min((s.ack - self.snd_una) & 0xFFFFFFFF, self._mss()),
                            1073741824,
                        )
                        self.dupacks = 0
                        self.recover = (
                            self.snd_una
                            if ((self.recover - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
                            else self.recover
                        )
                        if self.on_step is not None:
                            self.on_step(Step(now, "congestion", "cc.slow", "seg", s))
                        return True
                    # [cc.avoid] rfc5681:3.1 MUST, rfc5681:3.1/avoidance MUST_NOT, rfc5681:3.1/avoidance/each
                    #     MAY, rfc5681:3.1/avoidance/least SHOULD, rfc6582:6/recover
                    if not self.recovering and self.cwnd >= self.ssthresh:
                        self.cwnd = min(
                            self.cwnd + max((self._mss() * self._mss() // self.cwnd if self.cwnd else 0), 1),
                            1073741824,
                        )
                        self.dupacks = 0
                        self.recover = (
                            self.snd_una
                            if ((self.recover - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
                            else self.recover
                        )
                        if self.on_step is not None:
                            self.on_step(Step(now, "congestion", "cc.avoid", "seg", s))
                        return True
                    # [cc.full] rfc6582:3.2/3/full SHOULD, rfc5681:3.2/6 MUST, rfc5681:4.3/after MUST,
                    #     rfc6582:6/again
                    if ((s.ack - self.recover) & 0xFFFFFFFF) < 0x80000000:
                        self.cwnd = min(
                            self.ssthresh,
                            max((self.snd_nxt - s.ack) & 0xFFFFFFFF, self._mss()) + self._mss(),
                        )
                        self.recovering = False
                        self.dupacks = 0
                        if self.on_step is not None:
                            self.on_step(Step(now, "congestion", "cc.full", "seg", s))
                        return True
                    # [cc.partial] rfc6582:3.2/3/partial SHOULD, rfc6582:3.2/3/stay, rfc5681:4.3/advanced
                    #     SHOULD
                    self.cwnd = max(
                        (
                            self.cwnd
                            + (self._mss() if (s.ack - self.snd_una) & 0xFFFFFFFF >= self._mss() else 0)
                            - ((s.ack - self.snd_una) & 0xFFFFFFFF)
                        ),
                        1,
                    )
                    self.again_from = s.ack
                    self.again_upto = (s.ack + self._mss()) & 0xFFFFFFFF
                    if self.on_step is not None:
                        self.on_step(Step(now, "congestion", "cc.partial", "seg", s))
                    return True
                if s.ack == self.snd_una:
                    if s.len == 0:
                        if not s.syn:
                            if not s.fin:
                                if flight > 0:
                                    if s.wnd << self.snd_shift == self.snd_wnd:
                                        # [cc.third] rfc5681:3.2/2 MUST, rfc5681:3.2/3 MUST,
                                        #     rfc5681:3.1/ssthresh/congestion MUST, rfc5681:4.3/first MUST,
                                        #     rfc5681:4.3/half MUST, rfc6582:3.2/2
                                        if (
                                            not self.recovering
                                            and self.dupacks == 2
                                            and ((self.recover - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
                                        ):
                                            self.ssthresh = max(
                                                ((self.snd_nxt - self.snd_una) & 0xFFFFFFFF) // 2,
                                                2 * self._mss(),
                                            )
                                            self.cwnd = self.ssthresh + 3 * self._mss()
                                            self.recover = self.snd_nxt
                                            self.recovering = True
                                            self.dupacks = 3
                                            self.again_from = self.snd_una
                                            self.again_upto = (self.snd_una + self._mss()) & 0xFFFFFFFF
                                            if self.on_step is not None:
                                                self.on_step(Step(now, "congestion", "cc.third", "seg", s))
                                            return True
                                        # [cc.count] rfc5681:3.2/1/cwnd MUST_NOT, rfc5681:2/duplicate,
                                        #     rfc6582:3.2/2/not, rfc6582:4
                                        if (
                                            not self.recovering
                                            and (
                                                self.dupacks != 2
                                                or ((self.recover - self.snd_una) & 0xFFFFFFFF) < 0x80000000
                                            )
                                        ):
                                            self.dupacks += 1
                                            if self.on_step is not None:
                                                self.on_step(Step(now, "congestion", "cc.count", "seg", s))
                                            return True
                                        # [cc.inflate] rfc5681:3.2/4 MUST, rfc5681:3.2/5, rfc6582:6/flag
                                        if self.recovering:
                                            self.cwnd = min(self.cwnd + self._mss(), 1073741824)
                                            if self.on_step is not None:
                                                self.on_step(Step(now, "congestion", "cc.inflate", "seg", s))
                                            return True
            # [cc.none]
            if self.on_step is not None:
                self.on_step(Step(now, "congestion", "cc.none", "seg", s))
            return True
        return True

    def _again(self, s: Seg, now: int) -> bool:
        """Table `again` (rfc9293:3.10.7.4/fifth/ESTABLISHED)."""
        st = self.conn
        if st in _FLIGHT:
            # [again.skip] rfc9293:3.10.7.4/fifth/ESTABLISHED
            if (
                s.ackf
                and ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
                and ((self.again_from - s.ack) & 0xFFFFFFFF) >= 0x80000000
            ):
                self.again_from = s.ack
                if self.on_step is not None:
                    self.on_step(Step(now, "again", "again.skip", "seg", s))
                return True
            # [again.none]
            if self.on_step is not None:
                self.on_step(Step(now, "again", "again.none", "seg", s))
            return True
        return True

    def _ack(self, s: Seg, now: int) -> bool:
        """Table `ack` (rfc9293:3.10.7.4/fifth)."""
        st = self.conn
        if st in _OPEN:
            ack_new = (
                ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
            )
            # [ack.all] rfc9293:3.10.7.4/fifth/ESTABLISHED MUST, rfc6298:5.2
            if st in _STATES_OF_ACK_ALL and ack_new and s.ackf and s.ack == self.snd_nxt:
                self._do_acked_all(s)
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.all", "seg", s))
                return True
            if not s.ackf:  # [ack.none] rfc9293:3.10.7.4/fifth MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.none", "seg", s))
                return False
            if ack_new:
                # [ack.some] rfc9293:3.10.7.4/fifth/ESTABLISHED MUST, rfc6298:5.3, rfc2018:8 MUST_NOT,
                #     rfc6582:3.2/3/timer
                if s.ack != self.snd_nxt:
                    self._do_acked_some(s, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "ack", "ack.some", "seg", s))
                    return True
                if st == FIN_WAIT_1:  # [ack.fin] rfc9293:3.10.7.4/fifth/FIN-WAIT-1 MUST
                    self._do_acked_all(s)
                    self.conn = FIN_WAIT_2
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "ack", "ack.fin", "seg", s))
                    return True
                if st == CLOSING:  # [ack.closing] rfc9293:3.10.7.4/fifth/CLOSING MUST, rfc9293:MUST-13 MUST
                    self._do_acked_all(s)
                    self.time_wait_at = now + 2 * MSL
                    self.conn = TIME_WAIT
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "ack", "ack.closing", "seg", s))
                    return False
                # [ack.last.first] rfc9293:3.10.4/ESTABLISHED MUST, rfc9293:3.10.7.4/fifth/CLOSING MUST
                if st == LAST_ACK and self.closed_first:
                    self._do_acked_all(s)
                    self.time_wait_at = now + 2 * MSL
                    self.conn = TIME_WAIT
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "ack", "ack.last.first", "seg", s))
                    return False
                # [ack.last] rfc9293:3.10.7.4/fifth/LAST-ACK MUST
                if st == LAST_ACK and not self.closed_first:
                    self._do_acked_all(s)
                    self._do_end()
                    self.host.tell_closed()
                    self.conn = CLOSED
                    self.ack_due = None
                    self.challenge_due = None
                    self.synack_due = None
                    if self.on_step is not None:
                        self.on_step(Step(now, "ack", "ack.last", "seg", s))
                    return False
            # [ack.duplicate] rfc9293:3.10.7.4/fifth/ESTABLISHED MUST
            if ((self.snd_una - s.ack) & 0xFFFFFFFF) < 0x80000000:
                self.max_seen = max(self.max_seen, s.wnd << self.snd_shift)
                self.window_back = (
                    self.window_back
                    if ((s.ack - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
                    else ((((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF) - self.snd_edge) & 0xFFFFFFFF)
                    >= 0x80000000
                )
                self.snd_edge = (
                    (s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF
                    if ((self.snd_edge - ((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                    >= 0x80000000
                    else self.snd_edge
                )
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.duplicate", "seg", s))
                return True
            # [ack.unsent] rfc9293:3.10.7.4/fifth/ESTABLISHED/unsent SHOULD, rfc9293:3.5.2/3
            self._do_challenge(now)
            if self.on_step is not None:
                self.on_step(Step(now, "ack", "ack.unsent", "seg", s))
            return False
        if st == SYN_RECEIVED:
            if not s.ackf:  # [ack.none] rfc9293:3.10.7.4/fifth MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.none", "seg", s))
                return False
            # [ack.bad] rfc9293:3.10.7.4/fifth/SYN-RECEIVED MUST, rfc9293:3.5.2/2
            if not (
                ((s.ack - ((self.snd_una + 1) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
            ):
                self.host.emit_seg(
                    Seg(
                        seq=s.ack,
                        wnd=self._advertise(),
                        rst=True,
                        tson=self.ts_on,
                        tsval=self.host.ask_ts_clock(),
                        tsecr=self.ts_recent,
                        cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                        gso_size=self._mss(),
                    )
                )
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.bad", "seg", s))
                return False
            if (self.held is not None or self.fin_known):  # [ack.open.queue] rfc9293:3.10.7.2/third MUST
                self._do_opened(s, now)
                self._do_process_queue(s, now)
                self.conn = ESTABLISHED
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "ack", "ack.open.queue", "seg", s))
                return True
            # [ack.open] rfc9293:3.10.7.4/fifth/SYN-RECEIVED MUST, rfc5681:3.1/syn-ack MUST_NOT,
            #     rfc5681:3.1/syn-lost MUST, rfc5681:3.1/initial MUST, rfc6298:5.7 MUST
            self._do_opened(s, now)
            self.conn = ESTABLISHED
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "ack", "ack.open", "seg", s))
            return True
        return True

    def _unread(self, s: Seg, now: int) -> bool:
        """Table `unread` (rfc9293:SHLD-3)."""
        st = self.conn
        if st in _RECEIVING:
            # [text.gone] rfc9293:SHLD-3 SHOULD, rfc9293:3.6.1
            if (
                self.gone
                and s.len > 0
                and ((self.rcv_nxt - ((s.seq + s.len) & 0xFFFFFFFF)) & 0xFFFFFFFF) >= 0x80000000
            ):
                self._do_end()
                self.host.emit_seg(
                    Seg(
                        seq=s.ack,
                        wnd=self._advertise(),
                        rst=True,
                        tson=self.ts_on,
                        tsval=self.host.ask_ts_clock(),
                        tsecr=self.ts_recent,
                        cut=self.host.ask_chunk() > self.host.ask_own_mss(),
                        gso_size=self._mss(),
                    )
                )
                self.host.tell_closed()
                self.conn = CLOSED
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "unread", "text.gone", "seg", s))
                return False
            # [text.read]
            if self.on_step is not None:
                self.on_step(Step(now, "unread", "text.read", "seg", s))
            return True
        return True

    def _text(self, s: Seg, now: int) -> bool:
        """Table `text` (rfc9293:3.10.7.4/seventh/CLOSE-WAIT)."""
        st = self.conn
        if st in _RECEIVING:
            text_end = (s.seq + s.len) & 0xFFFFFFFF
            rwnd = (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF
            # [text.next] rfc9293:3.10.7.4/seventh MUST, rfc9293:MUST-40 MUST, rfc5681:4.2/time MUST,
            #     rfc9293:SHLD-18, rfc9293:SHLD-19, rfc5681:4.2
            if (
                ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) < 0x80000000
                and ((self.rcv_edge - text_end) & 0xFFFFFFFF) < 0x80000000
                and self.held is None
                and s.len != 0
                and ((self.rcv_nxt - text_end) & 0xFFFFFFFF) >= 0x80000000
                and rwnd != 0
            ):
                self._do_accept(s)
                self.largest = min(s.len, self.host.ask_own_mss()) if s.len > self.largest else self.largest
                self._do_owe_ack_soon(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.next", "seg", s))
                return True
            if s.len == 0:  # [text.none]
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.none", "seg", s))
                return True
            # [text.old] rfc9293:3.10.7.4/first SHOULD
            if ((self.rcv_nxt - text_end) & 0xFFFFFFFF) < 0x80000000:
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.old", "seg", s))
                return True
            if ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) < 0x80000000:
                if rwnd == 0:  # [text.shut] rfc9293:3.10.7.4/first/zero-window SHOULD
                    self._do_challenge(now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "text", "text.shut", "seg", s))
                    return True
                # [text.fill] rfc5681:3.2/fill SHOULD
                if (
                    ((self.rcv_edge - text_end) & 0xFFFFFFFF) < 0x80000000
                    and reach(self.held, text_end) == text_end
                ):
                    self._do_accept(s)
                    self.ack_upto = self.rcv_nxt
                    if self.ack_due is None or now < self.ack_due:
                        self.ack_due = now
                    if self.on_step is not None:
                        self.on_step(Step(now, "text", "text.fill", "seg", s))
                    return True
                # [text.join.fin] rfc9293:3.10.7.4/eighth MUST
                if ((self.rcv_edge - text_end) & 0xFFFFFFFF) < 0x80000000 and s.fin:
                    self._do_accept(s)
                    self.ack_upto = self.rcv_nxt
                    if self.ack_due is None or now < self.ack_due:
                        self.ack_due = now
                    if self.on_step is not None:
                        self.on_step(Step(now, "text", "text.join.fin", "seg", s))
                    return True
            # [text.beyond] rfc9293:3.10.7.4/first/trim MUST
            if (
                ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) >= 0x80000000
                and not ((s.seq - self.rcv_nxt) & 0xFFFFFFFF) < rwnd
            ):
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.beyond", "seg", s))
                return True
            # [text.ahead] rfc5681:3.2/out-of-order SHOULD, rfc9293:MAY-13 MAY
            if (
                ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) >= 0x80000000
                and ((self.rcv_edge - text_end) & 0xFFFFFFFF) < 0x80000000
            ):
                self.host.tell_stash(0, (s.seq - self.rcv_nxt) & 0xFFFFFFFF, s.len)
                self.held = hold(self.held, s.seq, (s.seq + s.len) & 0xFFFFFFFF)
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.ahead", "seg", s))
                return True
            # [text.join] rfc9293:SHLD-31 SHOULD, rfc5681:3.2/fill
            if (
                ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) < 0x80000000
                and ((self.rcv_edge - text_end) & 0xFFFFFFFF) < 0x80000000
            ):
                self.host.tell_stash(
                    (self.rcv_nxt - s.seq) & 0xFFFFFFFF,
                    0,
                    (((s.seq + s.len) & 0xFFFFFFFF) - self.rcv_nxt) & 0xFFFFFFFF,
                )
                self._do_accept_2(s)
                self.rcv_edge = (
                    self.rcv_nxt
                    if ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000
                    else self.rcv_edge
                )
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.join", "seg", s))
                return True
            # [text.over.trim] rfc9293:3.10.7.4/first/trim MUST
            if ((self.rcv_nxt - s.seq) & 0xFFFFFFFF) < 0x80000000:
                self._do_accept_3(s)
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "text", "text.over.trim", "seg", s))
                return True
            # [text.ahead.trim] rfc9293:3.10.7.4/first/trim MUST
            self.host.tell_stash(0, (s.seq - self.rcv_nxt) & 0xFFFFFFFF, (self.rcv_edge - s.seq) & 0xFFFFFFFF)
            self.held = hold(self.held, s.seq, self.rcv_edge)
            self.ack_upto = self.rcv_nxt
            if self.ack_due is None or now < self.ack_due:
                self.ack_due = now
            if self.on_step is not None:
                self.on_step(Step(now, "text", "text.ahead.trim", "seg", s))
            return True
        if st in _RECEIVED:
            # [text.after.fin] rfc9293:3.10.7.4/seventh/CLOSE-WAIT MUST
            if self.on_step is not None:
                self.on_step(Step(now, "text", "text.after.fin", "seg", s))
            return True
        return True

    def _fin(self, s: Seg, now: int) -> bool:
        """Table `fin` (rfc9293:3.10.7.4/eighth/CLOSE-WAIT)."""
        st = self.conn
        if st == TIME_WAIT:
            if not s.fin:  # [fin.over]
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.over", "seg", s))
                return True
            # [fin.again.2msl] rfc9293:3.10.7.4/eighth/TIME-WAIT MUST, rfc9293:3.10.7.4/fifth/TIME-WAIT
            self.ack_upto = self.rcv_nxt
            if self.ack_due is None or now < self.ack_due:
                self.ack_due = now
            self.time_wait_at = now + 2 * MSL
            if self.on_step is not None:
                self.on_step(Step(now, "fin", "fin.again.2msl", "seg", s))
            return False
        if st in _RECEIVING:
            text_end = (s.seq + s.len) & 0xFFFFFFFF
            rwnd = (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF
            if s.fin and text_end == self.rcv_nxt and rwnd > 0:  # [fin.here] rfc9293:3.10.7.4/eighth MUST
                self._do_accept_fin(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.here", "seg", s))
                return True
            # [fin.ahead] rfc5681:3.2/out-of-order SHOULD
            if (
                not (self.fin_known and self.fin_at == self.rcv_nxt)
                and s.fin
                and ((self.rcv_nxt - text_end) & 0xFFFFFFFF) >= 0x80000000
                and ((text_end - self.rcv_nxt) & 0xFFFFFFFF) < rwnd
            ):
                self.fin_known = True
                self.fin_at = (s.seq + s.len) & 0xFFFFFFFF
                self.ack_upto = self.rcv_nxt
                if self.ack_due is None or now < self.ack_due:
                    self.ack_due = now
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.ahead", "seg", s))
                return False
            # [fin.queued] rfc9293:3.10.7.4/eighth MUST
            if not (s.fin and text_end == self.rcv_nxt) and self.fin_known and self.fin_at == self.rcv_nxt:
                self._do_accept_fin(now)
                self.rcv_edge = (
                    self.rcv_nxt
                    if ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000
                    else self.rcv_edge
                )
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.queued", "seg", s))
                return True
            # [fin.edge.wait] rfc9293:3.10.7.4/first/zero-window SHOULD
            if s.fin and text_end == self.rcv_nxt and rwnd == 0:
                self._do_challenge(now)
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.edge.wait", "seg", s))
                return False
            # [fin.none]
            if self.on_step is not None:
                self.on_step(Step(now, "fin", "fin.none", "seg", s))
            return False
        if st in _CLOSE_WAIT_OR_CLOSING_OR_LAST_ACK:
            if not s.fin:  # [fin.over]
                if self.on_step is not None:
                    self.on_step(Step(now, "fin", "fin.over", "seg", s))
                return True
            # [fin.again] rfc9293:3.10.7.4/eighth/CLOSE-WAIT MUST
            self.ack_upto = self.rcv_nxt
            if self.ack_due is None or now < self.ack_due:
                self.ack_due = now
            if self.on_step is not None:
                self.on_step(Step(now, "fin", "fin.again", "seg", s))
            return False
        return True

    def _finish(self, s: Seg, now: int) -> bool:
        """Table `finish` (rfc9293:3.10.7.4/eighth/ESTABLISHED)."""
        st = self.conn
        if st == ESTABLISHED:
            # [finish.established] rfc9293:3.10.7.4/eighth/ESTABLISHED MUST, rfc9293:3.6/case-2
            if self.fin_in:
                self.closed_first = self.closing
                self.conn = CLOSE_WAIT
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "finish", "finish.established", "seg", s))
                return False
            # [finish.none]
            if self.on_step is not None:
                self.on_step(Step(now, "finish", "finish.none", "seg", s))
            return False
        if st == FIN_WAIT_1:
            if self.fin_in:  # [finish.fin.wait.1] rfc9293:3.10.7.4/eighth/FIN-WAIT-1 MUST, rfc9293:3.6/case-3
                self.conn = CLOSING
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "finish", "finish.fin.wait.1", "seg", s))
                return False
            # [finish.none]
            if self.on_step is not None:
                self.on_step(Step(now, "finish", "finish.none", "seg", s))
            return False
        if st == FIN_WAIT_2:
            # [finish.fin.wait.2] rfc9293:3.10.7.4/eighth/FIN-WAIT-2 MUST, rfc9293:MUST-13 MUST,
            #     rfc9293:3.3.2/note-2
            if self.fin_in:
                self.rto_at = None
                self.user_timeout_at = None
                self.time_wait_at = now + 2 * MSL
                self.conn = TIME_WAIT
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "finish", "finish.fin.wait.2", "seg", s))
                return False
            # [finish.none]
            if self.on_step is not None:
                self.on_step(Step(now, "finish", "finish.none", "seg", s))
            return False
        return True

    def call_open_active(self, now: int) -> str | None:
        """The user's call `open_active`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [open.active] rfc9293:3.10.1/CLOSED MUST
            self.opening = True
            if self.on_step is not None:
                self.on_step(Step(now, "open_active", "open.active", "open_active", None))
            return None
        if st == LISTEN:
            # [open.listens] rfc9293:3.10.1/others
            if self.on_step is not None:
                self.on_step(Step(now, "open_active", "open.listens", "open_active", None))
            return "connection_exists"
        if st == SYN_SENT or st == SYN_RECEIVED:
            # [open.twice] rfc9293:3.10.1/others MUST
            if self.on_step is not None:
                self.on_step(Step(now, "open_active", "open.twice", "open_active", None))
            return "connection_opening"
        # [open.exists] rfc9293:3.10.1/others MUST
        if self.on_step is not None:
            self.on_step(Step(now, "open_active", "open.exists", "open_active", None))
        return "connection_exists"

    def call_open_passive(self, now: int) -> str | None:
        """The user's call `open_passive`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [open.passive] rfc9293:3.10.1/CLOSED MUST
            self.conn = LISTEN
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "open_passive", "open.passive", "open_passive", None))
            return None
        if st == LISTEN:
            # [listen.twice] rfc9293:3.10.1/others
            if self.on_step is not None:
                self.on_step(Step(now, "open_passive", "listen.twice", "open_passive", None))
            return "connection_exists"
        if st == SYN_SENT:
            # [listen.late] rfc9293:3.10.1/others MUST
            if self.on_step is not None:
                self.on_step(Step(now, "open_passive", "listen.late", "open_passive", None))
            return "connection_exists"
        # [listen.exists] rfc9293:3.10.1/others MUST
        if self.on_step is not None:
            self.on_step(Step(now, "open_passive", "listen.exists", "open_passive", None))
        return "connection_exists"

    def call_send(self, n: int, now: int) -> str | None:
        """The user's call `send`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [send.closed] rfc9293:3.10.2/CLOSED MUST
            if self.on_step is not None:
                self.on_step(Step(now, "send", "send.closed", "send", None))
            return "no_connection"
        if st == LISTEN:
            # [send.listen] rfc9293:3.10.2/LISTEN MUST
            if self.on_step is not None:
                self.on_step(Step(now, "send", "send.listen", "send", None))
            return "foreign_unspecified"
        if st in _STATES_OF_SEND_SHUT:
            if self.closing:  # [send.shut] rfc9293:3.10.2/FIN-WAIT-1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "send", "send.shut", "send", None))
                return "closing"
            # [send.queue] rfc9293:3.10.2/ESTABLISHED MUST, rfc9293:3.10.2/SYN-SENT, rfc9293:MUST-60,
            #     rfc9293:MAY-16
            if n > 0:
                self.unsent += n
                if self.on_step is not None:
                    self.on_step(Step(now, "send", "send.queue", "send", None))
                return None
            if n == 0:  # [send.full] rfc9293:3.10.2/ESTABLISHED
                if self.on_step is not None:
                    self.on_step(Step(now, "send", "send.full", "send", None))
                return "insufficient_resources"
            raise IncompleteTableError("tcp.connection", "send", "send")
        # [send.closing] rfc9293:3.10.2/FIN-WAIT-1 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "send", "send.closing", "send", None))
        return "closing"

    def call_receive(self, now: int) -> str | None:
        """The user's call `receive`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            if self.host.ask_readable() > 0:  # [recv.over] rfc9293:3.10.3/CLOSE-WAIT
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.over", "receive", None))
                return None
            if self.host.ask_readable() == 0 and self.fin_in:  # [recv.end] rfc9293:3.10.3/CLOSE-WAIT
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.end", "receive", None))
                return "closing"
            if self.host.ask_readable() == 0 and not self.fin_in:  # [recv.closed] rfc9293:3.10.3/CLOSED MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.closed", "receive", None))
                return "no_connection"
            raise IncompleteTableError("tcp.connection", "receive", "receive")
        if st == LISTEN or st == SYN_SENT:
            # [recv.early] rfc9293:3.10.3/LISTEN MUST
            if self.on_step is not None:
                self.on_step(Step(now, "receive", "recv.early", "receive", None))
            return "insufficient_resources"
        if st in _STATES_OF_RECV_TEXT:
            if self.host.ask_readable() > 0:  # [recv.text] rfc9293:3.10.3/ESTABLISHED MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.text", "receive", None))
                return None
            if self.host.ask_readable() == 0 and not self.deaf:  # [recv.wait] rfc9293:3.10.3/ESTABLISHED MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.wait", "receive", None))
                return "insufficient_resources"
            if self.host.ask_readable() == 0 and self.deaf:  # [recv.deaf] rfc9293:3.10.3/CLOSING
                if self.on_step is not None:
                    self.on_step(Step(now, "receive", "recv.deaf", "receive", None))
                return "closing"
            raise IncompleteTableError("tcp.connection", "receive", "receive")
        if self.host.ask_readable() > 0:  # [recv.rest] rfc9293:3.10.3/CLOSE-WAIT MUST
            if self.on_step is not None:
                self.on_step(Step(now, "receive", "recv.rest", "receive", None))
            return None
        # [recv.closing] rfc9293:3.10.3/CLOSE-WAIT MUST, rfc9293:3.10.3/CLOSING MUST
        if self.host.ask_readable() == 0:
            if self.on_step is not None:
                self.on_step(Step(now, "receive", "recv.closing", "receive", None))
            return "closing"
        raise IncompleteTableError("tcp.connection", "receive", "receive")

    def call_resize(self, n: int, now: int) -> str | None:
        """The user's call `resize`; the code of a refusal, or None."""
        # [resize.any] rfc9293:SHLD-14 SHOULD_NOT
        self.host.tell_capacity(
            max(n, ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF) + self.host.ask_readable())
        )
        if self.on_step is not None:
            self.on_step(Step(now, "resize", "resize.any", "resize", None))
        return None

    def call_close(self, now: int) -> str | None:
        """The user's call `close`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [close.closed] rfc9293:3.10.4/CLOSED MUST
            if self.on_step is not None:
                self.on_step(Step(now, "close", "close.closed", "close", None))
            return "no_connection"
        if st == LISTEN:
            # [close.listen] rfc9293:3.10.4/LISTEN MUST
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "close", "close.listen", "close", None))
            return None
        if st in _STATES_OF_SEND_SHUT:
            # [close.wish] rfc9293:3.10.4/ESTABLISHED MUST, rfc9293:3.10.4/SYN-SENT
            self.closing = True
            if self.on_step is not None:
                self.on_step(Step(now, "close", "close.wish", "close", None))
            return None
        # [close.twice] rfc9293:3.10.4/FIN-WAIT-1, rfc9293:3.10.4/CLOSING
        if self.on_step is not None:
            self.on_step(Step(now, "close", "close.twice", "close", None))
        return "closing"

    def call_close_reading(self, now: int) -> str | None:
        """The user's call `close_reading`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED or st == LISTEN:
            # [reading.closed] rfc9293:3.10.3/CLOSED
            if self.on_step is not None:
                self.on_step(Step(now, "close_reading", "reading.closed", "close_reading", None))
            return "no_connection"
        # [reading.open] rfc9293:3.10.3/CLOSING
        self.deaf = True
        self.host.tell_deaf()
        if self.on_step is not None:
            self.on_step(Step(now, "close_reading", "reading.open", "close_reading", None))
        return None

    def call_leave(self, unread: bool, now: int) -> str | None:
        """The user's call `leave`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [leave.closed] rfc9293:3.10.4/CLOSED MUST
            if self.on_step is not None:
                self.on_step(Step(now, "leave", "leave.closed", "leave", None))
            return "no_connection"
        if st == LISTEN:
            # [leave.listen] rfc9293:3.10.4/LISTEN MUST
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "leave", "leave.listen", "leave", None))
            return None
        if st == SYN_SENT:
            # [leave.syn] rfc9293:3.10.4/SYN-SENT MUST
            self.closing = True
            self.gone = True
            if self.on_step is not None:
                self.on_step(Step(now, "leave", "leave.syn", "leave", None))
            return None
        if st == FIN_WAIT_1 or st == FIN_WAIT_2:
            if unread:  # [leave.unread] rfc9293:SHLD-3 SHOULD
                self.aborting = True
                if self.on_step is not None:
                    self.on_step(Step(now, "leave", "leave.unread", "leave", None))
                return None
            # [leave.rest] rfc9293:MAY-1
            self.gone = True
            if self.on_step is not None:
                self.on_step(Step(now, "leave", "leave.rest", "leave", None))
            return None
        if st in _SYN_RECEIVED_OR_ESTABLISHED_OR_CLOSE_WAIT:
            if unread:  # [leave.unread] rfc9293:SHLD-3 SHOULD
                self.aborting = True
                if self.on_step is not None:
                    self.on_step(Step(now, "leave", "leave.unread", "leave", None))
                return None
            # [leave.wish] rfc9293:3.10.4/ESTABLISHED MUST, rfc9293:MAY-1
            self.closing = True
            self.gone = True
            if self.on_step is not None:
                self.on_step(Step(now, "leave", "leave.wish", "leave", None))
            return None
        # [leave.over] rfc9293:MAY-1
        self.gone = True
        if self.on_step is not None:
            self.on_step(Step(now, "leave", "leave.over", "leave", None))
        return None

    def call_abort(self, now: int) -> str | None:
        """The user's call `abort`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [abort.closed] rfc9293:3.10.5/CLOSED MUST
            if self.on_step is not None:
                self.on_step(Step(now, "abort", "abort.closed", "abort", None))
            return "no_connection"
        if st == LISTEN:
            # [abort.listen] rfc9293:3.10.5/LISTEN MUST
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "abort", "abort.listen", "abort", None))
            return None
        if st == SYN_SENT:
            # [abort.syn] rfc9293:3.10.5/SYN-SENT MUST
            self.aborting = True
            if self.on_step is not None:
                self.on_step(Step(now, "abort", "abort.syn", "abort", None))
            return None
        # [abort.wish] rfc9293:3.10.5/ESTABLISHED MUST
        self.aborting = True
        if self.on_step is not None:
            self.on_step(Step(now, "abort", "abort.wish", "abort", None))
        return None

    def call_status(self, now: int) -> str | None:
        """The user's call `status`; the code of a refusal, or None."""
        st = self.conn
        if st == CLOSED:
            # [status.closed] rfc9293:3.10.6
            if self.on_step is not None:
                self.on_step(Step(now, "status", "status.closed", "status", None))
            return "no_connection"
        if st == LISTEN or st == SYN_SENT:
            # [status.open] rfc9293:3.10.6
            if self.on_step is not None:
                self.on_step(Step(now, "status", "status.open", "status", None))
            return None
        # [status.synced] rfc9293:3.10.6
        if self.on_step is not None:
            self.on_step(Step(now, "status", "status.synced", "status", None))
        return None

    def call_push(self, on: bool, now: int) -> str | None:
        """The user's call `push`; the code of a refusal, or None."""
        # [push.set] rfc9293:MUST-17 MUST
        self.nodelay = on
        if self.on_step is not None:
            self.on_step(Step(now, "push", "push.set", "push", None))
        return None

    def timer_rto(self, now: int) -> None:
        """Timer `rto` has expired."""
        st = self.conn
        if st == SYN_SENT or st == SYN_RECEIVED:
            # [rto.syn] rfc9293:3.10.8/retransmission MUST, rfc6298:5.5 MUST
            self.syn_again = True
            self.backoff = min(self.backoff + 1, 16)
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
            if self.on_step is not None:
                self.on_step(Step(now, "retransmission", "rto.syn", "rto", None))
            return
        if st in _STATES_OF_RTO_IDLE:
            # [rto.idle] rfc6298:5.2
            if self.on_step is not None:
                self.on_step(Step(now, "retransmission", "rto.idle", "rto", None))
            return
        flight = (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
        # [rto.data] rfc9293:3.10.8/retransmission MUST, rfc6298:5.4 MUST, rfc5681:3.1,
        #     rfc5681:3.1/timeout-ssthresh MUST, rfc5681:3.1/timeout-cwnd MUST, rfc6298:5 MUST, rfc6298:5.6,
        #     rfc5681:4.3/twice MUST, rfc5681:3.1/timeout-again, rfc6582:3.2/4, rfc9293:SHLD-16, rfc9293:MAY-7
        if flight > 0 and self.snd_wnd > 0:
            self._do_lose_all()
            self.backoff = min(self.backoff + 1, 16)
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
            if self.on_step is not None:
                self.on_step(Step(now, "retransmission", "rto.data", "rto", None))
            return
        if flight > 0 and self.snd_wnd == 0:  # [rto.probe] rfc9293:SHLD-30 SHOULD, rfc9293:MUST-35
            self.again_from = self.snd_una
            self.again_upto = self.snd_nxt
            self.timing = False
            self.backoff = min(self.backoff + 1, 16)
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
            if self.user_timeout_at is None:
                self.user_timeout_at = now + USER_PATIENCE
            if self.on_step is not None:
                self.on_step(Step(now, "retransmission", "rto.probe", "rto", None))
            return
        if flight == 0:  # [rto.none] rfc6298:5.2
            if self.on_step is not None:
                self.on_step(Step(now, "retransmission", "rto.none", "rto", None))
            return
        raise IncompleteTableError("tcp.connection", "retransmission", "rto")

    def timer_persist(self, now: int) -> None:
        """Timer `persist` has expired."""
        st = self.conn
        if st == ESTABLISHED or st == CLOSE_WAIT:
            # [persist.probe] rfc9293:MUST-36 MUST
            self.probing = True
            if self.on_step is not None:
                self.on_step(Step(now, "zero_window", "persist.probe", "persist", None))
            return
        # [persist.none] rfc9293:MUST-36
        if self.on_step is not None:
            self.on_step(Step(now, "zero_window", "persist.none", "persist", None))
        return

    def timer_time_wait(self, now: int) -> None:
        """Timer `time_wait` has expired."""
        st = self.conn
        if st == TIME_WAIT:
            # [timewait.over] rfc9293:3.10.8/time-wait MUST, rfc9293:MUST-13 MUST
            self._do_end()
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "quiet_time", "timewait.over", "time_wait", None))
            return
        if st in _CLOSED_OR_LISTEN_OR_SYN_SENT:
            # [timewait.none] rfc9293:3.10.8/time-wait
            if self.on_step is not None:
                self.on_step(Step(now, "quiet_time", "timewait.none", "time_wait", None))
            return
        # [timewait.not] rfc9293:3.10.8/time-wait
        if self.on_step is not None:
            self.on_step(Step(now, "quiet_time", "timewait.not", "time_wait", None))
        return

    def timer_user_timeout(self, now: int) -> None:
        """Timer `user_timeout` has expired."""
        st = self.conn
        if st == SYN_SENT:
            if self.trouble_type == 0:  # [timeout.syn] rfc9293:MUST-22 MUST, rfc9293:MUST-23
                self._do_end()
                self.host.tell_timed_out()
                self.conn = CLOSED
                self.ack_due = None
                self.challenge_due = None
                self.synack_due = None
                if self.on_step is not None:
                    self.on_step(Step(now, "patience", "timeout.syn", "user_timeout", None))
                return
            # [timeout.syn.trouble] rfc9293:MUST-22 MUST, rfc9293:SHLD-25, rfc9293:3.9.1.8 MUST
            self._do_end()
            self.host.tell_undelivered(self.trouble_type, self.trouble_code)
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "patience", "timeout.syn.trouble", "user_timeout", None))
            return
        if st == CLOSED or st == LISTEN:
            # [timeout.none] rfc9293:3.10.8/user
            if self.on_step is not None:
                self.on_step(Step(now, "patience", "timeout.none", "user_timeout", None))
            return
        # [timeout.user] rfc9293:3.10.8/user MUST, rfc9293:MUST-20, rfc9293:MUST-21, rfc9293:SHLD-11
        if self.trouble_type == 0:
            self._do_end()
            self.host.tell_timed_out()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "patience", "timeout.user", "user_timeout", None))
            return
        # [timeout.user.trouble] rfc9293:3.10.8/user MUST, rfc9293:SHLD-25, rfc9293:3.9.1.8 MUST
        self._do_end()
        self.host.tell_undelivered(self.trouble_type, self.trouble_code)
        self.conn = CLOSED
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "patience", "timeout.user.trouble", "user_timeout", None))
        return

    def timer_orphan(self, now: int) -> None:
        """Timer `orphan` has expired."""
        st = self.conn
        if st == FIN_WAIT_2:
            # [orphan.over] rfc9293:3.6.1, rfc9293:MAY-1 MAY
            self._do_end()
            self.host.tell_closed()
            self.conn = CLOSED
            self.ack_due = None
            self.challenge_due = None
            self.synack_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "forgotten", "orphan.over", "orphan", None))
            return
        if st in _CLOSED_OR_LISTEN_OR_SYN_SENT:
            # [orphan.none] rfc9293:3.6.1
            if self.on_step is not None:
                self.on_step(Step(now, "forgotten", "orphan.none", "orphan", None))
            return
        # [orphan.not] rfc9293:3.6.1
        if self.on_step is not None:
            self.on_step(Step(now, "forgotten", "orphan.not", "orphan", None))
        return

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.orphan_at is not None and self.orphan_at <= at:
                at = self.orphan_at
                which = "orphan"
            if (
                self.persist_at is not None
                and (self.persist_at < at or (not which and self.persist_at <= at))
            ):
                at = self.persist_at
                which = "persist"
            if self.rto_at is not None and (self.rto_at < at or (not which and self.rto_at <= at)):
                at = self.rto_at
                which = "rto"
            if (
                self.time_wait_at is not None
                and (self.time_wait_at < at or (not which and self.time_wait_at <= at))
            ):
                at = self.time_wait_at
                which = "time_wait"
            if (
                self.user_timeout_at is not None
                and (self.user_timeout_at < at or (not which and self.user_timeout_at <= at))
            ):
                at = self.user_timeout_at
                which = "user_timeout"
            if which == "orphan":
                self.orphan_at = None
                self.timer_orphan(now)
            elif which == "persist":
                self.persist_at = None
                self.timer_persist(now)
            elif which == "rto":
                self.rto_at = None
                self.timer_rto(now)
            elif which == "time_wait":
                self.time_wait_at = None
                self.timer_time_wait(now)
            elif which == "user_timeout":
                self.user_timeout_at = None
                self.timer_user_timeout(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.rto_at
        at = self.persist_at
        if at is not None and (best is None or at < best):
            best = at
        at = self.time_wait_at
        if at is not None and (best is None or at < best):
            best = at
        at = self.user_timeout_at
        if at is not None and (best is None or at < best):
            best = at
        at = self.orphan_at
        if at is not None and (best is None or at < best):
            best = at
        at = self.ack_due
        if at is not None and (best is None or at < best):
            best = at
        at = self.challenge_due
        if at is not None and (best is None or at < best):
            best = at
        at = self.synack_due
        if at is not None and (best is None or at < best):
            best = at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.conn
            if st == CLOSED:
                if self.opening and self._out_tx_syn(now):  # [tx.syn]
                    continue
                return
            if st == LISTEN:
                return
            if st == SYN_SENT:
                if (self.closing or self.aborting) and self._out_close_unopened(now):  # [close.unopened]
                    continue
                if self.syn_again and self._out_tx_syn_again(now):  # [tx.syn.again]
                    continue
                return
            if st == SYN_RECEIVED:
                if self.aborting and not self.syn_pending and self._out_tx_abort(now):  # [tx.abort]
                    continue
                if self.syn_pending and self._out_tx_synack(now):  # [tx.synack]
                    continue
                if not self.syn_pending and self._out_tx_synack_again(now):  # [tx.synack.again]
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if st == ESTABLISHED:
                # [tx.abort]
                if (
                    self.aborting
                    and not self.syn_pending
                    and not self._shut_out()
                    and self._out_tx_abort(now)
                ):
                    continue
                if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                    continue
                # [tx.ack.edge]
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):
                    continue
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_again(now):  # [tx.again]
                    continue
                if self.unsent > 0 and self.host.ask_ready() and self._out_tx_data(now):  # [tx.data]
                    continue
                # [tx.probe]
                if self.unsent > 0 and self.snd_nxt == self.snd_edge and self._out_tx_probe(now):
                    continue
                if self.closing and self.unsent == 0 and self._out_tx_fin(now):  # [tx.fin]
                    continue
                if self.unsent > 0 and self._out_persist_arm(now):  # [persist.arm]
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if st == FIN_WAIT_1:
                # [tx.abort]
                if (
                    self.aborting
                    and not self.syn_pending
                    and not self._shut_out()
                    and self._out_tx_abort(now)
                ):
                    continue
                if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                    continue
                # [tx.ack.edge]
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):
                    continue
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_again(now):  # [tx.again]
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if st == FIN_WAIT_2:
                # [tx.abort]
                if (
                    self.aborting
                    and not self.syn_pending
                    and not self._shut_out()
                    and self._out_tx_abort(now)
                ):
                    continue
                if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                    continue
                # [tx.ack.edge]
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):
                    continue
                if self.gone and self.orphan_at is None and self._out_orphan_arm(now):  # [orphan.arm]
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if st == CLOSE_WAIT:
                # [tx.abort]
                if (
                    self.aborting
                    and not self.syn_pending
                    and not self._shut_out()
                    and self._out_tx_abort(now)
                ):
                    continue
                if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                    continue
                # [tx.ack.edge]
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):
                    continue
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_again(now):  # [tx.again]
                    continue
                if self.unsent > 0 and self.host.ask_ready() and self._out_tx_data(now):  # [tx.data]
                    continue
                # [tx.probe]
                if self.unsent > 0 and self.snd_nxt == self.snd_edge and self._out_tx_probe(now):
                    continue
                if self.closing and self.unsent == 0 and self._out_tx_fin_last(now):  # [tx.fin.last]
                    continue
                if self.unsent > 0 and self._out_persist_arm(now):  # [persist.arm]
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if st == TIME_WAIT:
                if self.aborting and self._out_abort_quiet(now):  # [abort.quiet]
                    continue
                if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                    continue
                # [tx.ack.edge]
                if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):
                    continue
                if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                    continue
                return
            if self.aborting and self._out_abort_quiet(now):  # [abort.quiet]
                continue
            if self.aborting and self._out_tx_abort_edge(now):  # [tx.abort.edge]
                continue
            if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_ack_edge(now):  # [tx.ack.edge]
                continue
            if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF > 0 and self._out_tx_again(now):  # [tx.again]
                continue
            if not self.syn_pending and self._out_tx_ack(now):  # [tx.ack]
                continue
            return
        raise EndlessOutputError("tcp.connection", self.conn)

    def _out_tx_abort(self, now: int) -> bool:
        """[tx.abort] rfc9293:3.10.5/ESTABLISHED MUST, rfc9293:MUST-12."""
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            rst=True,
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if not (
            not o.ackf
            or ((o.ack - self.last_ack) & 0xFFFFFFFF) < ((self.rcv_edge - self.last_ack) & 0xFFFFFFFF) + 1
        ):
            return False
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            self.conn in _STATES_OF_RST_SHUT
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        # [g.ts.reply] rfc7323:3.2/reply MUST
        if self.conn == SYN_RECEIVED and o.tson and self.passive and not self.peer_ts:
            return False
        self.challenge_due = None
        self._do_end()
        self.host.tell_closed()
        self.host.emit_seg(o)
        self.conn = CLOSED
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.abort", "seg", o))
        return True

    def _out_abort_quiet(self, now: int) -> bool:
        """[abort.quiet] rfc9293:3.10.5/CLOSING MUST."""
        self._do_end()
        self.host.tell_closed()
        self.conn = CLOSED
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "abort.quiet", "", None))
        return True

    def _out_close_unopened(self, now: int) -> bool:
        """[close.unopened] rfc9293:3.10.4/SYN-SENT MUST, rfc9293:3.10.5/SYN-SENT."""
        self._do_end()
        self.host.tell_closed()
        self.conn = CLOSED
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "close.unopened", "", None))
        return True

    def _out_tx_abort_edge(self, now: int) -> bool:
        """[tx.abort.edge] rfc9293:3.10.5/ESTABLISHED MAY."""
        if not (
            (((self.snd_edge - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000 or self.window_back)
            and ((((self.snd_una + self.snd_wnd) & 0xFFFFFFFF) - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000
            and (
                self.snd_wnd == 0
                or (self.snd_nxt - ((self.snd_una + self.snd_wnd) & 0xFFFFFFFF)) & 0xFFFFFFFF
                >= 1 << self.snd_shift
            )
        ):
            return False
        o = Seg(
            seq=(self.snd_una + self.snd_wnd) & 0xFFFFFFFF,
            ack=self.rcv_nxt,
            rst=True,
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if not (
            ((o.seq - self.snd_una) & 0xFFFFFFFF) < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
            and (
                not o.ackf
                or ((o.ack - self.last_ack) & 0xFFFFFFFF) < ((self.rcv_edge - self.last_ack) & 0xFFFFFFFF) + 1
            )
        ):
            return False
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            self.conn in _OPEN
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        self.challenge_due = None
        self._do_end()
        self.host.tell_closed()
        self.host.emit_seg(o)
        self.conn = CLOSED
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.abort.edge", "seg", o))
        return True

    def _out_tx_syn(self, now: int) -> bool:
        """[tx.syn] rfc9293:3.10.1/CLOSED MUST, rfc9293:MUST-8, rfc9293:MUST-14 MUST, rfc6528:3,
        rfc9293:MUST-67 MUST, rfc9293:MAY-3 MAY, rfc6298:2.1 SHOULD, rfc7323:2.2/prepared SHOULD,
        rfc7323:3.2/no-ack SHOULD, rfc3168:6.1.1/unwilling SHOULD.
        """
        o = Seg(
            seq=self.host.ask_isn(),
            wnd=min(self.host.ask_room(), 65535),
            syn=True,
            has_mss=True,
            has_wscale=True,
            mss=self.host.ask_own_mss(),
            wscale=self.host.ask_window_shift(),
            tson=True,
            tsval=self.host.ask_ts_clock(),
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if o.len > self.unsent:
            return False
        if o.wscale > 14:  # [g.shift] rfc7323:2.3 MUST
            return False
        self._do_chosen(o, now)
        self._do_offer(o, now)
        self.opening = False
        self.passive = False
        self.rto_at = now + RTO_INITIAL
        self.user_timeout_at = now + SYN_PATIENCE
        self.host.emit_seg(o)
        self.conn = SYN_SENT
        self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.syn", "seg", o))
        return True

    def _out_tx_syn_again(self, now: int) -> bool:
        """[tx.syn.again] rfc9293:3.10.8/retransmission MUST, rfc9293:MUST-22."""
        o = Seg(
            seq=self.iss,
            wnd=min(self.host.ask_room(), 65535),
            syn=True,
            has_mss=True,
            has_wscale=self.ws_offered,
            mss=self.host.ask_own_mss(),
            wscale=self.own_shift,
            tson=self.ts_offered,
            tsval=self.host.ask_ts_clock(),
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if o.len >= (self.snd_nxt - self.snd_una) & 0xFFFFFFFF:
            return False
        if o.has_wscale and o.wscale > 14:  # [g.shift] rfc7323:2.3 MUST
            return False
        # [g.syn.pace] rfc6298:2.1 SHOULD
        if (
            not (o.tson and ((self.ts_sent - o.tsval) & 0xFFFFFFFF) >= 0x80000000)
            and now - self.syn_at < 500000
        ):
            return False
        self._do_offer(o, now)
        self.syn_again = False
        self.resent = True
        self.slow = True
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.syn.again", "seg", o))
        return True

    def _out_tx_synack(self, now: int) -> bool:
        """[tx.synack] rfc9293:3.10.7.2/third MUST, rfc7323:2.3/answer SHOULD, rfc9293:MUST-8, rfc9293:MUST-14
        MUST.
        """
        o = Seg(
            seq=self.host.ask_isn(),
            ack=self.rcv_nxt,
            wnd=min(self.host.ask_room(), 65535),
            syn=True,
            ackf=True,
            has_mss=True,
            has_wscale=self.peer_ws,
            mss=self.host.ask_own_mss(),
            wscale=self.host.ask_window_shift(),
            tson=self.peer_ts,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if o.len > self.unsent:
            return False
        if o.has_wscale and o.wscale > 14:  # [g.shift] rfc7323:2.3 MUST
            return False
        self.last_ack = o.ack
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        self._do_chosen(o, now)
        self._do_offer(o, now)
        self.syn_pending = False
        self.snd_shift = self.peer_shift if self.peer_ws and o.has_wscale else 0
        self.rcv_shift = o.wscale if self.peer_ws and o.has_wscale else 0
        self.ts_on = self.peer_ts and o.tson
        self.rcv_edge = (self.rcv_nxt + o.wnd) & 0xFFFFFFFF
        self.edge_most = self.rcv_edge
        self.rto_at = now + RTO_INITIAL
        self.user_timeout_at = now + SYN_PATIENCE
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.synack", "seg", o))
        return True

    def _out_tx_synack_again(self, now: int) -> bool:
        """[tx.synack.again] rfc9293:3.10.8/retransmission MUST, rfc9293:3.5."""
        if not (self.syn_again or (self.synack_due is not None and self.synack_due <= now)):
            return False
        o = Seg(
            seq=self.iss,
            ack=self.rcv_nxt,
            wnd=min(self.host.ask_room(), 65535),
            syn=True,
            ackf=True,
            has_mss=True,
            has_wscale=self.ws_offered and self.peer_ws,
            mss=self.host.ask_own_mss(),
            wscale=self.own_shift,
            tson=self.ts_offered and self.peer_ts,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if o.len >= (self.snd_nxt - self.snd_una) & 0xFFFFFFFF:
            return False
        if o.has_wscale and o.wscale > 14:  # [g.shift] rfc7323:2.3 MUST
            return False
        if o.has_wscale and self.passive and not self.peer_ws:  # [g.scale.reply] rfc7323:2.2/reply MUST
            return False
        # [g.scale.crossed] rfc7323:2.2/reply SHOULD
        if o.has_wscale and not self.passive and not self.peer_ws:
            return False
        if o.tson and self.passive and not self.peer_ts:  # [g.ts.reply] rfc7323:3.2/reply MUST
            return False
        self.last_ack = o.ack
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.synack_due = None
        self.syn_again = False
        self.resent = True
        self.slow = True
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.synack.again", "seg", o))
        return True

    def _out_tx_ack_edge(self, now: int) -> bool:
        """[tx.ack.edge] rfc9293:MUST-34 MAY, rfc9293:3.10.7.4/first/zero-window."""
        if not (
            not self.syn_pending
            and (((self.snd_edge - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000 or self.window_back)
            and (((self.snd_edge - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000 or self.window_back)
            and ((((self.snd_una + self.snd_wnd) & 0xFFFFFFFF) - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000
            and (
                self.snd_wnd == 0
                or (self.snd_nxt - ((self.snd_una + self.snd_wnd) & 0xFFFFFFFF)) & 0xFFFFFFFF
                >= 1 << self.snd_shift
            )
            and self.conn != SYN_RECEIVED
            and (
                (self.ack_due is not None and self.ack_due <= now)
                or (self.challenge_due is not None and self.challenge_due <= now)
                or self._window_news()
            )
        ):
            return False
        o = Seg(
            seq=(self.snd_una + self.snd_wnd) & 0xFFFFFFFF,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        if not ((o.seq - self.snd_una) & 0xFFFFFFFF) < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF:
            return False
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            self.conn in _OPEN
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        # [g.ts.reply] rfc7323:3.2/reply MUST
        if self.conn == SYN_RECEIVED and o.tson and self.passive and not self.peer_ts:
            return False
        gate_g_ack = self.conn in _SYNCED
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            self.conn in _RECEIVING
            and (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        gate_g_edge_up = self.conn in _RECEIVING
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if (
            gate_g_edge_up
            and ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF)
            >= 0x80000000
        ):
            return False
        gate_g_edge_after = (
            self.conn in _RECEIVED
            and ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
        )
        gate_g_ts_clock = self.conn in _OPEN and self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        # [g.alive] rfc9293:MUST-26 MUST
        if (
            self.conn in _OPEN
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge != self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.probe] rfc9293:MUST-36 MUST, rfc9293:3.8.6.1
        if (
            self.conn in _OPEN
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge == self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        if gate_g_ack:
            self.last_ack = o.ack
        if gate_g_edge_up:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            self.edge_most = (
                (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
                if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                >= 0x80000000
                else self.edge_most
            )
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.ack.edge", "seg", o))
        return True

    def _out_tx_again(self, now: int) -> bool:
        """[tx.again] rfc9293:3.10.8/retransmission MUST, rfc6298:5.4."""
        if not (
            self.host.ask_ready()
            and ((self.again_from - self.again_upto) & 0xFFFFFFFF) >= 0x80000000
            and (self.again_from - self.snd_una) & 0xFFFFFFFF < self.cwnd
        ):
            return False
        o = Seg(
            seq=self.again_from,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            ackf=True,
            len=min(
                min(
                    (self.again_upto - self.again_from) & 0xFFFFFFFF,
                    ((self.snd_nxt - self.again_from) & 0xFFFFFFFF) - self.fin_sent,
                ),
                self._limit(),
            ),
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        o.fin = self.fin_sent and (((o.seq + o.len) & 0xFFFFFFFF) + 1) & 0xFFFFFFFF == self.snd_nxt
        if not (
            ((o.seq - self.snd_una) & 0xFFFFFFFF) < (self.snd_nxt - self.snd_una) & 0xFFFFFFFF
            and o.len + o.fin >= 1
            and (self.snd_nxt - o.seq) & 0xFFFFFFFF >= o.len + o.fin
            and (
                not o.fin
                or (self.fin_sent and (((o.seq + o.len) & 0xFFFFFFFF) + 1) & 0xFFFFFFFF == self.snd_nxt)
            )
            and (o.fin or not self.fin_sent or (self.snd_nxt - o.seq) & 0xFFFFFFFF > o.len)
        ):
            return False
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            self.conn in _FLIGHT
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        gate_g_ack = self.conn in _FLIGHT
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            (self.conn == ESTABLISHED or self.conn == FIN_WAIT_1)
            and (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        gate_g_edge_up = (self.conn == ESTABLISHED or self.conn == FIN_WAIT_1)
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if (
            gate_g_edge_up
            and ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF)
            >= 0x80000000
        ):
            return False
        gate_g_edge_after = (
            self.conn in _CLOSE_WAIT_OR_CLOSING_OR_LAST_ACK
            and ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
        )
        gate_g_ts_clock = self.conn in _FLIGHT and self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        # [g.alive] rfc9293:MUST-26 MUST
        if (
            self.conn in _FLIGHT
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and not o.fin
            and self.snd_edge != self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.probe] rfc9293:MUST-36 MUST, rfc9293:3.8.6.1
        if (
            self.conn in _FLIGHT
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and not o.fin
            and self.snd_edge == self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.reminder] rfc9293:SHLD-12 SHOULD
        if self.conn in _FLIGHT and (o.seq + 1) & 0xFFFFFFFF == self.snd_una and not o.fin and o.len != 0:
            return False
        if gate_g_ack:
            self.last_ack = o.ack
        if gate_g_edge_up:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            self.edge_most = (
                (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
                if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                >= 0x80000000
                else self.edge_most
            )
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.again_from = (((o.seq + o.len) & 0xFFFFFFFF) + o.fin) & 0xFFFFFFFF
        self.timing = False
        self.resent = self.resent or o.seq == self.snd_una
        self.slow = self.slow or o.seq == self.snd_una
        if self.rto_at is None:
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.again", "seg", o))
        return True

    def _out_tx_data(self, now: int) -> bool:
        """[tx.data] rfc9293:3.10.2/ESTABLISHED MUST, rfc9293:3.8.6 MUST, rfc9293:3.10.7.3/fourth/data,
        rfc9293:MUST-38, rfc9293:MUST-61, rfc9293:MUST-16, rfc9293:SHLD-7, rfc9293:SHLD-28, rfc5681:4.1,
        rfc6298:5.1.
        """
        if (next_len := self._next_len(now)) <= 0:
            return False
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            ackf=True,
            len=next_len,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        o.psh = o.len == self.unsent
        if not (
            o.len >= 1
            and o.len <= self.unsent
            and ((self.snd_edge - ((o.seq + o.len) & 0xFFFFFFFF)) & 0xFFFFFFFF) < 0x80000000
        ):
            return False
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        gate_g_ack = (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            self.conn == ESTABLISHED
            and (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        gate_g_edge_up = self.conn == ESTABLISHED
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if (
            gate_g_edge_up
            and ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF)
            >= 0x80000000
        ):
            return False
        gate_g_edge_after = (
            self.conn == CLOSE_WAIT
            and ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
        )
        gate_g_ts_clock = (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT) and self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        # [g.alive] rfc9293:MUST-26 MUST
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge != self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.probe] rfc9293:MUST-36 MUST, rfc9293:3.8.6.1
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge == self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.reminder] rfc9293:SHLD-12 SHOULD
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and o.len != 0
        ):
            return False
        if gate_g_ack:
            self.last_ack = o.ack
        if gate_g_edge_up:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            self.edge_most = (
                (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
                if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                >= 0x80000000
                else self.edge_most
            )
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.cwnd = self._window_after_idle(now)
        self._do_sent_text(o, now)
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.data", "seg", o))
        return True

    def _out_tx_probe(self, now: int) -> bool:
        """[tx.probe] rfc9293:MUST-36 MUST, rfc9293:MUST-35."""
        if not (self.host.ask_ready() and self.probing):
            return False
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            ackf=True,
            len=1,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        gate_g_ack = (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            self.conn == ESTABLISHED
            and (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        gate_g_edge_up = self.conn == ESTABLISHED
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if (
            gate_g_edge_up
            and ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF)
            >= 0x80000000
        ):
            return False
        gate_g_edge_after = (
            self.conn == CLOSE_WAIT
            and ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
        )
        gate_g_ts_clock = (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT) and self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        # [g.alive] rfc9293:MUST-26 MUST
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge != self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.probe] rfc9293:MUST-36 MUST, rfc9293:3.8.6.1
        if (
            (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT)
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge == self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.reminder] rfc9293:SHLD-12 SHOULD
        if (self.conn == ESTABLISHED or self.conn == CLOSE_WAIT) and (o.seq + 1) & 0xFFFFFFFF == self.snd_una:
            return False
        if gate_g_ack:
            self.last_ack = o.ack
        if gate_g_edge_up:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            self.edge_most = (
                (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
                if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                >= 0x80000000
                else self.edge_most
            )
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self._do_sent_text(o, now)
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.probe", "seg", o))
        return True

    def _out_tx_fin(self, now: int) -> bool:
        """[tx.fin] rfc9293:3.10.4/ESTABLISHED MUST, rfc9293:3.6/case-1."""
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            fin=True,
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF) >= 0x80000000:
            return False
        gate_g_ts_clock = self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        self.last_ack = o.ack
        self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        self.edge_most = (
            (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
            else self.edge_most
        )
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self._do_sent_fin(o, now)
        self.host.emit_seg(o)
        self.conn = FIN_WAIT_1
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.fin", "seg", o))
        return True

    def _out_tx_fin_last(self, now: int) -> bool:
        """[tx.fin.last] rfc9293:3.10.4/CLOSE-WAIT MUST, rfc9293:3.6/case-2."""
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            fin=True,
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        gate_g_edge_after = (
            ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF) >= 0x80000000
        )
        gate_g_ts_clock = self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        self.last_ack = o.ack
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self._do_sent_fin(o, now)
        self.host.emit_seg(o)
        self.conn = LAST_ACK
        self.synack_due = None
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.fin.last", "seg", o))
        return True

    def _out_persist_arm(self, now: int) -> bool:
        """[persist.arm] rfc9293:SHLD-29."""
        if not (
            (self.snd_nxt - self.snd_una) & 0xFFFFFFFF == 0
            and self._next_len(now) == 0
            and self.persist_at is None
            and not self.probing
        ):
            return False
        self.persist_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "persist.arm", "", None))
        return True

    def _out_orphan_arm(self, now: int) -> bool:
        """[orphan.arm] rfc9293:3.6.1, rfc9293:MAY-1 MAY."""
        self.orphan_at = now + ORPHAN_PATIENCE
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "orphan.arm", "", None))
        return True

    def _out_tx_ack(self, now: int) -> bool:
        """[tx.ack] rfc9293:3.8.6.3 MUST, rfc9293:MUST-58, rfc9293:MUST-39, rfc5681:4.2/one MUST_NOT."""
        if not (
            (
                (self.ack_due is not None and self.ack_due <= now)
                or (self.challenge_due is not None and self.challenge_due <= now)
                or self._window_news()
            )
            and not self._shut_out()
        ):
            return False
        o = Seg(
            seq=self.snd_nxt,
            ack=self.rcv_nxt,
            wnd=self._advertise(),
            ackf=True,
            tson=self.ts_on,
            tsval=self.host.ask_ts_clock(),
            tsecr=self.ts_recent,
            cut=self.host.ask_chunk() > self.host.ask_own_mss(),
            gso_size=self._mss(),
        )
        # [g.size] rfc9293:MUST-16 MUST, rfc9293:MUST-15
        if (
            self.conn in _OPEN
            and not o.cut
            and o.len + (12 if o.tson else 0) <= self.mss_offered
            and o.len + (12 if o.tson else 0) > max(self.peer_mss, 76)
        ):
            return False
        # [g.ts.reply] rfc7323:3.2/reply MUST
        if self.conn == SYN_RECEIVED and o.tson and self.passive and not self.peer_ts:
            return False
        gate_g_ack = self.conn in _SYNCED
        # [g.edge] rfc9293:SHLD-14 SHOULD_NOT, rfc9293:3.10.7.4/seventh/edge
        if (
            self.conn in _RECEIVING
            and (
                (
                    self.rcv_edge
                    - (
                        (((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) + (1 << self.rcv_shift))
                        & 0xFFFFFFFF
                    )
                )
                & 0xFFFFFFFF
            )
            < 0x80000000
        ):
            return False
        gate_g_edge_up = self.conn in _RECEIVING
        # [g.edge.up] rfc7323:2.4/rounding MAY, rfc7323:2.4/track SHOULD
        if (
            gate_g_edge_up
            and ((((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF) - self.rcv_edge) & 0xFFFFFFFF)
            >= 0x80000000
        ):
            return False
        gate_g_edge_after = (
            self.conn in _RECEIVED
            and ((self.rcv_edge - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
        )
        gate_g_ts_clock = self.conn in _OPEN and self.ts_on and o.tson
        # [g.ts.clock] rfc7323:5.2 SHOULD
        if gate_g_ts_clock and ((o.tsval - self.ts_sent) & 0xFFFFFFFF) >= 0x80000000:
            return False
        # [g.alive] rfc9293:MUST-26 MUST
        if (
            self.conn in _OPEN
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge != self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        # [g.probe] rfc9293:MUST-36 MUST, rfc9293:3.8.6.1
        if (
            self.conn in _OPEN
            and (o.seq + 1) & 0xFFFFFFFF == self.snd_una
            and self.snd_edge == self.snd_nxt
            and (self.snd_nxt - self.snd_una) & 0xFFFFFFFF != 0
        ):
            return False
        if gate_g_ack:
            self.last_ack = o.ack
        if gate_g_edge_up:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
            self.edge_most = (
                (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
                if ((self.edge_most - ((o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
                >= 0x80000000
                else self.edge_most
            )
        if gate_g_edge_after:
            self.rcv_edge = (o.ack + (o.wnd << self.rcv_shift)) & 0xFFFFFFFF
        if gate_g_ts_clock:
            self.ts_sent = o.tsval
        if self.ack_due is not None and ((o.ack - self.ack_upto) & 0xFFFFFFFF) < 0x80000000:
            self.ack_due = None
        self.challenge_due = None
        self.host.emit_seg(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "tx.ack", "seg", o))
        return True

    def _do_accept(self, s: Any) -> None:
        """`accept` of the law."""
        self.accepted_from = (
            self.accepted_from
            if (
                ((self.accepted_from - self.last_ack) & 0xFFFFFFFF) >= 0x80000000
                and ((self.last_ack - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000
            )
            else self.rcv_nxt
        )
        self.host.tell_deliver(
            (self.rcv_nxt - s.seq) & 0xFFFFFFFF,
            (((s.seq + s.len) & 0xFFFFFFFF) - self.rcv_nxt) & 0xFFFFFFFF,
        )
        self.rcv_nxt = (s.seq + s.len) & 0xFFFFFFFF
        self.held = forget(self.held, self.rcv_nxt)

    def _do_accept_2(self, s: Any) -> None:
        """`accept` of the law."""
        self.accepted_from = (
            self.accepted_from
            if (
                ((self.accepted_from - self.last_ack) & 0xFFFFFFFF) >= 0x80000000
                and ((self.last_ack - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000
            )
            else self.rcv_nxt
        )
        self.host.tell_deliver(
            (self.rcv_nxt - s.seq) & 0xFFFFFFFF,
            (reach(self.held, (s.seq + s.len) & 0xFFFFFFFF) - self.rcv_nxt) & 0xFFFFFFFF,
        )
        self.rcv_nxt = reach(self.held, (s.seq + s.len) & 0xFFFFFFFF)
        self.held = forget(self.held, self.rcv_nxt)

    def _do_accept_3(self, s: Any) -> None:
        """`accept` of the law."""
        self.accepted_from = (
            self.accepted_from
            if (
                ((self.accepted_from - self.last_ack) & 0xFFFFFFFF) >= 0x80000000
                and ((self.last_ack - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000
            )
            else self.rcv_nxt
        )
        self.host.tell_deliver(
            (self.rcv_nxt - s.seq) & 0xFFFFFFFF,
            (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF,
        )
        self.rcv_nxt = self.rcv_edge
        self.held = forget(self.held, self.rcv_nxt)

    def _do_accept_fin(self, now: int) -> None:
        """`accept_fin` of the law."""
        self.accepted_from = self.rcv_nxt
        self.rcv_nxt = (self.rcv_nxt + 1) & 0xFFFFFFFF
        self.fin_in = True
        self.fin_known = False
        self.ack_upto = self.rcv_nxt
        if self.ack_due is None or now < self.ack_due:
            self.ack_due = now
        self.host.tell_finished()

    def _do_acked_all(self, s: Any) -> None:
        """`acked_all` of the law."""
        self.snd_una = s.ack
        self.max_seen = max(self.max_seen, s.wnd << self.snd_shift)
        self.window_back = (
            self.window_back
            if ((s.ack - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
            else ((((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF) - self.snd_edge) & 0xFFFFFFFF)
            >= 0x80000000
        )
        self.snd_edge = (
            (s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF
            if ((self.snd_edge - ((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
            else self.snd_edge
        )
        self.backoff = 0
        self.trouble_type = 0
        self.host.tell_acknowledged(s.ack)
        self.rto_at = None
        self.user_timeout_at = None
        self.slow = self.resent
        self.resent = False

    def _do_acked_some(self, s: Any, now: int) -> None:
        """`acked_some` of the law."""
        self.snd_una = s.ack
        self.max_seen = max(self.max_seen, s.wnd << self.snd_shift)
        self.window_back = (
            self.window_back
            if ((s.ack - self.snd_una) & 0xFFFFFFFF) >= 0x80000000
            else ((((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF) - self.snd_edge) & 0xFFFFFFFF)
            >= 0x80000000
        )
        self.snd_edge = (
            (s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF
            if ((self.snd_edge - ((s.ack + (s.wnd << self.snd_shift)) & 0xFFFFFFFF)) & 0xFFFFFFFF)
            >= 0x80000000
            else self.snd_edge
        )
        self.backoff = 0
        self.trouble_type = 0
        self.host.tell_acknowledged(s.ack)
        self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
        self.user_timeout_at = now + USER_PATIENCE

    def _do_agree_options(self, s: Any) -> None:
        """`agree_options` of the law."""
        self._do_learn_options(s)
        self.snd_shift = min(s.wscale, 14) if self.ws_offered and s.has_wscale else 0
        self.rcv_shift = self.own_shift if self.ws_offered and s.has_wscale else 0
        self.ts_on = self.ts_offered and s.tson

    def _do_challenge(self, now: int) -> None:
        """`challenge` of the law."""
        due = now + self._challenge_wait(now)
        if self.challenge_due is None or due < self.challenge_due:
            self.challenge_due = due
        self.calm = now + self._challenge_wait(now) + CHALLENGE_INTERVAL

    def _do_chosen(self, o: Any, now: int) -> None:
        """`chosen` of the law."""
        self.iss = o.seq
        self.snd_una = o.seq
        self.snd_nxt = (((o.seq + 1) & 0xFFFFFFFF) + o.len) & 0xFFFFFFFF
        self.unsent -= o.len
        self.snd_edge = (o.seq + 1) & 0xFFFFFFFF
        self.fin_sent = False
        self.resent = False
        self.slow = False
        self.rtt_at = now
        self.host.tell_begins((o.seq + 1) & 0xFFFFFFFF)

    def _do_cross(self, s: Any, now: int) -> None:
        """`cross` of the law."""
        self.snd_edge = s.ack
        self._do_first_window(now)
        self._do_acked_all(s)
        self.snd_edge = (s.ack + s.wnd) & 0xFFFFFFFF
        self.snd_wnd = s.wnd
        self.snd_wl1 = s.seq
        self.snd_wl2 = s.ack
        self.host.tell_connected()

    def _do_end(self) -> None:
        """`end` of the law."""
        self.rto_at = None
        self.persist_at = None
        self.time_wait_at = None
        self.user_timeout_at = None
        self.orphan_at = None

    def _do_first_sample(self, now: int) -> None:
        """`first_sample` of the law."""
        self.srtt = 0 if self.resent else max(now - self.rtt_at, 1)
        self.rttvar = self.srtt // 2
        self.timing = False
        self.rto = 3000000 if self.backoff > 0 else (RTO_INITIAL if self.resent else self._bound())

    def _do_first_window(self, now: int) -> None:
        """`first_window` of the law."""
        self.cwnd = (
            self._mss() if self.backoff > 0 or (self.passive and self.resent) else self._initial_window()
        )
        self.ssthresh = 1073741824
        self.recover = self.iss
        self.again_from = self.snd_una
        self.again_upto = self.snd_una
        self.dupacks = 0
        self.recovering = False
        self.last_sent = now
        self.largest = min(self._mss(), 536)
        self._do_first_sample(now)

    def _do_hear_syn(self, s: Any, now: int) -> None:
        """`hear_syn` of the law."""
        self.passive = True
        self.fin_sent = False
        self.irs = s.seq
        self.rcv_nxt = (s.seq + 1) & 0xFFFFFFFF
        self.rcv_edge = (s.seq + 1) & 0xFFFFFFFF
        self.last_ack = s.seq
        self.accepted_from = self.rcv_nxt
        self.held = None
        self.fin_known = False
        self._do_learn_options(s)
        self.snd_wnd = s.wnd
        self.snd_wl1 = s.seq
        self.max_wnd = s.wnd
        self.syn_pending = True
        self.host.tell_arriving()
        if self.synack_due is None or now < self.synack_due:
            self.synack_due = now

    def _do_learn_options(self, s: Any) -> None:
        """`learn_options` of the law."""
        self.peer_ws = s.has_wscale
        self.peer_shift = min(s.wscale, 14)
        self.peer_ts = s.tson
        self.ts_recent = s.tsval
        self.peer_mss = s.mss if s.has_mss else 536
        self.peer_ecn = s.ece and s.cwr

    def _do_lose_all(self) -> None:
        """`lose_all` of the law."""
        self.ssthresh = (
            max(((self.snd_nxt - self.snd_una) & 0xFFFFFFFF) // 2, 2 * self._mss())
            if self.backoff == 0
            else self.ssthresh
        )
        self.cwnd = self._mss()
        self.recovering = False
        self.recover = self.snd_nxt
        self.dupacks = 0
        self.timing = False
        self.again_from = self.snd_una
        self.again_upto = self.snd_nxt

    def _do_note_window(self, s: Any) -> None:
        """`note_window` of the law."""
        self.snd_wnd = s.wnd << self.snd_shift
        self.max_wnd = max(self.max_wnd, s.wnd << self.snd_shift)
        self.snd_wl1 = s.seq
        self.snd_wl2 = s.ack

    def _do_offer(self, o: Any, now: int) -> None:
        """`offer` of the law."""
        self.own_shift = o.wscale
        self.ws_offered = o.has_wscale
        self.ts_offered = o.tson
        self.ts_sent = o.tsval
        self.syn_wnd = o.wnd
        self.syn_at = now
        self.mss_offered = o.mss if o.has_mss else 536

    def _do_open_up(self, s: Any, now: int) -> None:
        """`open_up` of the law."""
        self.snd_una = s.ack
        self.snd_edge = (s.ack + s.wnd) & 0xFFFFFFFF
        self._do_first_window(now)
        self.rto_at = None
        self.user_timeout_at = None
        self.backoff = 0
        self.trouble_type = 0
        self.host.tell_acknowledged(s.ack)
        self.host.tell_connected()

    def _do_opened(self, s: Any, now: int) -> None:
        """`opened` of the law."""
        self.snd_edge = s.ack
        self._do_first_window(now)
        self._do_acked_all(s)
        self.snd_wnd = s.wnd << self.snd_shift
        self.snd_wl1 = s.seq
        self.snd_wl2 = s.ack
        self.host.tell_connected()

    def _do_owe_ack_soon(self, now: int) -> None:
        """`owe_ack_soon` of the law."""
        self.ack_upto = self.rcv_nxt
        due = now + (0 if (self.rcv_nxt - self.last_ack) & 0xFFFFFFFF >= 2 * self.largest else ACK_DELAY)
        if self.ack_due is None or due < self.ack_due:
            self.ack_due = due

    def _do_process_queue(self, s: Any, now: int) -> None:
        """`process_queue` of the law."""
        self.host.tell_deliver(s.len, (reach(self.held, self.rcv_nxt) - self.rcv_nxt) & 0xFFFFFFFF)
        self.rcv_nxt = reach(self.held, self.rcv_nxt)
        self.held = forget(self.held, self.rcv_nxt)
        self.rcv_edge = (
            self.rcv_nxt if ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF) >= 0x80000000 else self.rcv_edge
        )
        self.ack_upto = self.rcv_nxt
        if self.ack_due is None or now < self.ack_due:
            self.ack_due = now

    def _do_queue_text(self, s: Any) -> None:
        """`queue_text` of the law."""
        self.host.tell_stash(0, 0, s.len)
        self.held = hold(
            self.held,
            (s.seq + 1) & 0xFFFFFFFF,
            (((s.seq + 1) & 0xFFFFFFFF) + s.len) & 0xFFFFFFFF,
        )
        self.fin_known = s.fin
        self.fin_at = (((s.seq + 1) & 0xFFFFFFFF) + s.len) & 0xFFFFFFFF

    def _do_sent_fin(self, o: Any, now: int) -> None:
        """`sent_fin` of the law."""
        self.snd_nxt = (self.snd_nxt + (o.len + 1)) & 0xFFFFFFFF
        self.fin_sent = True
        self.closing = False
        if self.rto_at is None:
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
        if self.user_timeout_at is None:
            self.user_timeout_at = now + USER_PATIENCE

    def _do_sent_text(self, o: Any, now: int) -> None:
        """`sent_text` of the law."""
        self.unsent -= o.len
        self.snd_nxt = (self.snd_nxt + o.len) & 0xFFFFFFFF
        self.rtt_seq = self.rtt_seq if self.timing else self.snd_nxt
        self.rtt_at = self.rtt_at if self.timing else now
        self.timing = True
        self.last_sent = now
        self.probing = False
        self.persist_at = None
        if self.rto_at is None:
            self.rto_at = now + min(max(self.rto, RTO_MIN) << self.backoff, RTO_MAX)
        if self.user_timeout_at is None:
            self.user_timeout_at = now + USER_PATIENCE

    def _do_synchronize(self, s: Any) -> None:
        """`synchronize` of the law."""
        self.irs = s.seq
        self.rcv_nxt = (s.seq + 1) & 0xFFFFFFFF
        self.rcv_edge = (((s.seq + 1) & 0xFFFFFFFF) + self.syn_wnd) & 0xFFFFFFFF
        self.edge_most = self.rcv_edge
        self.last_ack = s.seq
        self.accepted_from = self.rcv_nxt
        self._do_agree_options(s)
        self.snd_wnd = s.wnd
        self.snd_wl1 = s.seq
        self.snd_wl2 = s.ack
        self.max_wnd = s.wnd

    def _advertise(self) -> int:
        """`advertise` of the law."""
        return min(self._offered() + (1 << self.rcv_shift) - 1 >> self.rcv_shift, 65535)

    def _bound(self) -> int:
        """`bound` of the law."""
        return min(max(self.srtt + max(4 * self.rttvar, 1000), RTO_MIN), RTO_MAX)

    def _challenge_wait(self, now: int) -> int:
        """`challenge_wait` of the law."""
        if now >= self.calm:
            return 0
        if self.calm - now > CHALLENGE_INTERVAL:
            return self.calm - now - CHALLENGE_INTERVAL
        return self.calm - now

    def _initial_window(self) -> int:
        """`initial_window` of the law."""
        mss = self._mss()
        if mss > 2190:
            return 2 * mss
        if mss > 1095:
            return 3 * mss
        return 4 * mss

    def _limit(self) -> int:
        """`limit` of the law."""
        if self.host.ask_chunk() > self.host.ask_own_mss():
            return self.host.ask_chunk()
        return self._mss()

    def _mss(self) -> int:
        """`mss` of the law."""
        return max(min(self.peer_mss, self.host.ask_own_mss()) - (12 if self.ts_on else 0), 64)

    def _next_len(self, now: int) -> int:
        """`next_len` of the law."""
        mss = self._mss()
        usable = self._usable(now)
        whole = (min(usable, self.unsent) // mss if mss else 0) * mss
        if self.unsent <= usable and (self.nodelay or self.closing):
            return self.unsent
        if whole > 0:
            return whole
        if (
            (self.nodelay or self.closing or (self.snd_nxt - self.snd_una) & 0xFFFFFFFF == 0)
            and self.unsent <= usable
        ):
            return self.unsent
        if self.probing and ((self.snd_nxt - self.snd_edge) & 0xFFFFFFFF) >= 0x80000000:
            return max(min(usable, self.unsent), 1)
        if (
            (self.nodelay or self.closing or (self.snd_nxt - self.snd_una) & 0xFFFFFFFF == 0)
            and 2 * usable >= self.max_wnd
        ):
            return min(usable, self.unsent)
        return 0

    def _offered(self) -> int:
        """`offered` of the law."""
        if (
            self.host.ask_room()
            >= ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF)
            + max(min(self.host.ask_receive_buffer() // 2, self.host.ask_own_mss()), 1)
        ):
            return self.host.ask_room()
        return (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF

    def _right_edge(self) -> int:
        """`right_edge` of the law."""
        if ((self.snd_edge - ((self.snd_una + self.snd_wnd) & 0xFFFFFFFF)) & 0xFFFFFFFF) >= 0x80000000:
            return self.snd_edge
        return (self.snd_una + self.snd_wnd) & 0xFFFFFFFF

    def _shut_out(self) -> bool:
        """`shut_out` of the law."""
        return (
            (((self.snd_edge - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000 or self.window_back)
            and ((((self.snd_una + self.snd_wnd) & 0xFFFFFFFF) - self.snd_nxt) & 0xFFFFFFFF) >= 0x80000000
            and (
                self.snd_wnd == 0
                or (self.snd_nxt - ((self.snd_una + self.snd_wnd) & 0xFFFFFFFF)) & 0xFFFFFFFF
                >= 1 << self.snd_shift
            )
            and self.conn != SYN_RECEIVED
        )

    def _usable(self, now: int) -> int:
        """`usable` of the law."""
        return min(
            min(
                self._window_left(),
                max(self._window_after_idle(now) - ((self.snd_nxt - self.snd_una) & 0xFFFFFFFF), 0),
            ),
            self._limit(),
        )

    def _window_after_idle(self, now: int) -> int:
        """`window_after_idle` of the law."""
        if (self.snd_nxt - self.snd_una) & 0xFFFFFFFF == 0 and now - self.last_sent > self.rto:
            return min(self.cwnd, self._initial_window())
        return self.cwnd

    def _window_left(self) -> int:
        """`window_left` of the law."""
        right_edge = self._right_edge()
        if ((self.snd_nxt - right_edge) & 0xFFFFFFFF) >= 0x80000000:
            return (right_edge - self.snd_nxt) & 0xFFFFFFFF
        return 0

    def _window_news(self) -> bool:
        """`window_news` of the law."""
        return (
            self.conn in _RECEIVING
            and (
                (
                    (self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF < 2 * self.host.ask_own_mss()
                    and min(self.host.ask_room(), 65535 << self.rcv_shift)
                    >= ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF)
                    + max(min(self.host.ask_receive_buffer() // 2, self.host.ask_own_mss()), 1)
                )
                or (
                    2 * ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF)
                    <= (self.rcv_edge - self.last_ack) & 0xFFFFFFFF
                    and min(self.host.ask_room(), 65535 << self.rcv_shift)
                    >= ((self.rcv_edge - self.rcv_nxt) & 0xFFFFFFFF)
                    + max(
                        max(min(self.host.ask_receive_buffer() // 2, self.host.ask_own_mss()), 1),
                        self.host.ask_receive_buffer() // 4,
                    )
                )
            )
        )
