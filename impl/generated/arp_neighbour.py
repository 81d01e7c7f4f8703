# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/net/arp.law
#   spec/profiles/net.profile
"""What is known of one neighbour on the link: its MAC, and whether to believe it still (RFC 826, RFC 1122
section 2.3.2)

Machine arp.neighbour under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step, UnmetEventError

# States of region `entry`.
ABSENT: Final = "ABSENT"
INCOMPLETE: Final = "INCOMPLETE"
REACHABLE: Final = "REACHABLE"
PROBED: Final = "PROBED"
_NOT_ABSENT: Final = frozenset({INCOMPLETE, REACHABLE, PROBED})

# Parameters of profile `wirelaw`; durations in microseconds.
RETRY_INTERVAL: Final = 1000000
MAX_TRIES: Final = 3
ENTRY_TIMEOUT: Final = 60000000


@dataclass(slots=True)
class Arp:
    """Message `arp`."""

    kind: ClassVar[str] = "arp"
    source: Any = None
    group: bool = False
    ours: bool = False
    for_us: bool = False
    named: bool = True


@dataclass(slots=True)
class Request(Arp):
    """Message `request`."""

    kind: ClassVar[str] = "request"
    to: Any = None


@dataclass(slots=True)
class Reply(Arp):
    """Message `reply`."""

    kind: ClassVar[str] = "reply"
    to: Any = None


@dataclass(slots=True)
class Other(Arp):
    """Message `other`."""

    kind: ClassVar[str] = "other"


class ArpNeighbourHost(Protocol):
    """What surrounds the machine."""

    def emit_request(self, o: Request) -> None:
        """Carry the message away."""

    def emit_reply(self, o: Reply) -> None:
        """Carry the message away."""

    def tell_entered(self, /) -> None:
        """Take news from the machine."""

    def tell_confirmed(self, mac: Any, /) -> None:
        """Take news from the machine."""

    def tell_forgotten(self, /) -> None:
        """Take news from the machine."""

    def tell_unreachable(self, /) -> None:
        """Take news from the machine."""

    def tell_malformed(self, /) -> None:
        """Take news from the machine."""

    def tell_conflict(self, /) -> None:
        """Take news from the machine."""


class ArpNeighbour:
    """One arp.neighbour: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: ArpNeighbourHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: ArpNeighbourHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.entry: str = ABSENT
        self.known: Any = None
        self.ever: bool = False
        self.asked: int = 0
        self.wanted: bool = False
        self.used: bool = False
        self.due: bool = False
        self.tries: int = 0
        self.retry_at: int | None = None
        self.lifetime_at: int | None = None

    def on_arp(self, p: Any, now: int) -> None:
        """Take `arp` through sound, merge, answer; then `pump`."""
        kind = p.kind
        if kind == "request":
            self._sound(p, now) and self._merge(p, now) and self._answer(p, now)
            return
        self._sound(p, now) and self._merge(p, now)

    def _sound(self, p: Any, now: int) -> bool:
        """Table `sound` (rfc826:reception/operation)."""
        kind = p.kind
        if kind == "other":
            # [operation] rfc826:reception/operation
            self.host.tell_malformed()
            if self.on_step is not None:
                self.on_step(Step(now, "sound", "operation", p.kind, p))
            return False
        if p.group:  # [group] rfc1812:3.3.2/group MUST_NOT
            self.host.tell_malformed()
            if self.on_step is not None:
                self.on_step(Step(now, "sound", "group", p.kind, p))
            return False
        if p.ours:  # [conflict] rfc5227:2.4/heard
            self.host.tell_conflict()
            if self.on_step is not None:
                self.on_step(Step(now, "sound", "conflict", p.kind, p))
            return False
        # [sound]
        if self.on_step is not None:
            self.on_step(Step(now, "sound", "sound", p.kind, p))
        return True

    def _merge(self, p: Any, now: int) -> bool:
        """Table `merge` (rfc826:reception/merge)."""
        kind = p.kind
        if kind == "request":
            st = self.entry
            if st == ABSENT:
                if p.for_us and p.named:  # [add] rfc826:reception/add MUST
                    self.host.tell_entered()
                    self._do_confirm(p, now)
                    self.entry = REACHABLE
                    if self.on_step is not None:
                        self.on_step(Step(now, "merge", "add", p.kind, p))
                    return True
                if p.for_us and not p.named:  # [probe] rfc5227:2.1.1/zero
                    if self.on_step is not None:
                        self.on_step(Step(now, "merge", "probe", p.kind, p))
                    return True
                # [others] rfc826:reception/add
                if self.on_step is not None:
                    self.on_step(Step(now, "merge", "others", p.kind, p))
                return True
            # [merge] rfc826:reception/merge MUST, rfc1122:2.3.2.2 SHOULD
            self._do_confirm(p, now)
            self.entry = REACHABLE
            if self.on_step is not None:
                self.on_step(Step(now, "merge", "merge", p.kind, p))
            return True
        if kind == "reply":
            st = self.entry
            if st == ABSENT:
                # [ignore] rfc826:reception/add MAY
                if self.on_step is not None:
                    self.on_step(Step(now, "merge", "ignore", p.kind, p))
                return True
            # [merge] rfc826:reception/merge MUST, rfc1122:2.3.2.2 SHOULD
            self._do_confirm(p, now)
            self.entry = REACHABLE
            if self.on_step is not None:
                self.on_step(Step(now, "merge", "merge", p.kind, p))
            return True
        st = self.entry
        if st in _NOT_ABSENT:
            # [merge] rfc826:reception/merge MUST, rfc1122:2.3.2.2 SHOULD
            self._do_confirm(p, now)
            self.entry = REACHABLE
            if self.on_step is not None:
                self.on_step(Step(now, "merge", "merge", p.kind, p))
            return True
        return True

    def _answer(self, p: Any, now: int) -> bool:
        """Table `answer` (rfc826:reception/reply)."""
        if p.for_us:  # [answer] rfc826:reception/reply MUST
            self.host.emit_reply(Reply(to=p.source))
            if self.on_step is not None:
                self.on_step(Step(now, "answer", "answer", p.kind, p))
            return False
        # [not.asked] rfc826:reception/reply
        if self.on_step is not None:
            self.on_step(Step(now, "answer", "not.asked", p.kind, p))
        return False

    def call_use(self, now: int) -> str | None:
        """The user's call `use`; the code of a refusal, or None."""
        st = self.entry
        if st == ABSENT or st == INCOMPLETE:
            # [use.unknown] rfc826:generation MUST
            if self.on_step is not None:
                self.on_step(Step(now, "use", "use.unknown", "use", None))
            return "unresolved"
        # [use.known] rfc826:generation MUST
        self.used = True
        if self.on_step is not None:
            self.on_step(Step(now, "use", "use.known", "use", None))
        return None

    def call_resolve(self, now: int) -> str | None:
        """The user's call `resolve`; the code of a refusal, or None."""
        st = self.entry
        if st == ABSENT:
            # [resolve.first] rfc826:generation MUST
            self.wanted = True
            if self.on_step is not None:
                self.on_step(Step(now, "resolve", "resolve.first", "resolve", None))
            return None
        if st == INCOMPLETE:
            # [resolve.under.way] rfc1122:2.3.2.2 SHOULD, rfc1122:2.3.2.1/flood MUST
            if self.on_step is not None:
                self.on_step(Step(now, "resolve", "resolve.under.way", "resolve", None))
            return None
        # [resolve.known] rfc826:generation MUST
        self.used = True
        self.host.tell_confirmed(self.known)
        if self.on_step is not None:
            self.on_step(Step(now, "resolve", "resolve.known", "resolve", None))
        return None

    def timer_retry(self, now: int) -> None:
        """Timer `retry` has expired."""
        st = self.entry
        if st == INCOMPLETE or st == PROBED:
            if self.tries < MAX_TRIES:  # [silence.again] rfc1122:2.3.2.1/flood MUST
                self.due = True
                if self.on_step is not None:
                    self.on_step(Step(now, "silence", "silence.again", "retry", None))
                return
            # [silence.end] rfc1122:2.3.2.1 MUST, rfc1122:2.3.2.1/poll
            self.tries = 0
            self.host.tell_forgotten()
            self.host.tell_unreachable()
            self.entry = ABSENT
            if self.on_step is not None:
                self.on_step(Step(now, "silence", "silence.end", "retry", None))
            return
        raise UnmetEventError("arp.neighbour", "retry", self.entry)

    def timer_lifetime(self, now: int) -> None:
        """Timer `lifetime` has expired."""
        st = self.entry
        if st == REACHABLE:
            if self.used:  # [age.used] rfc1122:2.3.2.1/poll
                self.due = True
                if self.on_step is not None:
                    self.on_step(Step(now, "age", "age.used", "lifetime", None))
                return
            # [age.over] rfc1122:2.3.2.1 MUST
            self.host.tell_forgotten()
            self.entry = ABSENT
            if self.on_step is not None:
                self.on_step(Step(now, "age", "age.over", "lifetime", None))
            return
        raise UnmetEventError("arp.neighbour", "lifetime", self.entry)

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.lifetime_at is not None and self.lifetime_at <= at:
                at = self.lifetime_at
                which = "lifetime"
            if self.retry_at is not None and (self.retry_at < at or (not which and self.retry_at <= at)):
                at = self.retry_at
                which = "retry"
            if which == "lifetime":
                self.lifetime_at = None
                self.timer_lifetime(now)
            elif which == "retry":
                self.retry_at = None
                self.timer_retry(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.retry_at
        at = self.lifetime_at
        if at is not None and (best is None or at < best):
            best = at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.entry
            if st == ABSENT:
                if self.wanted and self._out_ask_first(now):  # [ask.first]
                    continue
                return
            if st == INCOMPLETE:
                if self.due and self._out_ask_again(now):  # [ask.again]
                    continue
                return
            if st == REACHABLE:
                if self.due and self._out_poll_first(now):  # [poll.first]
                    continue
                return
            if self.due and self._out_poll_again(now):  # [poll.again]
                continue
            return
        raise EndlessOutputError("arp.neighbour", self.entry)

    def _out_ask_first(self, now: int) -> bool:
        """[ask.first] rfc826:generation MUST."""
        if self.ever and now - self.asked < 1000000:  # [pace] rfc1122:2.3.2.1/flood MUST
            return False
        o = Request()
        self.host.tell_entered()
        self.wanted = False
        self._do_sending(now)
        self.host.emit_request(o)
        self.entry = INCOMPLETE
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ask.first", "request", o))
        return True

    def _out_ask_again(self, now: int) -> bool:
        """[ask.again] rfc826:generation."""
        if self.ever and now - self.asked < 1000000:  # [pace] rfc1122:2.3.2.1/flood MUST
            return False
        o = Request()
        self._do_sending(now)
        self.host.emit_request(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ask.again", "request", o))
        return True

    def _out_poll_first(self, now: int) -> bool:
        """[poll.first] rfc1122:2.3.2.1/poll."""
        if self.ever and now - self.asked < 1000000:  # [pace] rfc1122:2.3.2.1/flood MUST
            return False
        o = Request(to=self.known)
        self.lifetime_at = None
        self._do_sending(now)
        self.host.emit_request(o)
        self.entry = PROBED
        if self.on_step is not None:
            self.on_step(Step(now, "out", "poll.first", "request", o))
        return True

    def _out_poll_again(self, now: int) -> bool:
        """[poll.again] rfc1122:2.3.2.1/poll."""
        if self.ever and now - self.asked < 1000000:  # [pace] rfc1122:2.3.2.1/flood MUST
            return False
        o = Request(to=self.known)
        self._do_sending(now)
        self.host.emit_request(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "poll.again", "request", o))
        return True

    def _do_confirm(self, p: Any, now: int) -> None:
        """`confirm` of the law."""
        self.known = p.source
        self.wanted = False
        self.used = False
        self.due = False
        self.tries = 0
        self.retry_at = None
        self.lifetime_at = now + ENTRY_TIMEOUT
        self.host.tell_confirmed(p.source)

    def _do_sending(self, now: int) -> None:
        """`sending` of the law."""
        self.ever = True
        self.asked = now
        self.tries += 1
        self.due = False
        self.retry_at = now + RETRY_INTERVAL
