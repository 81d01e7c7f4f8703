# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/net/dns.law
#   spec/profiles/net.profile
"""One lookup of a stub resolver: whom to ask, for how long, what to believe (RFC 1035, RFC 1123 section
6.1.3, RFC 5452)

Machine dns.lookup under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import (
    EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step, UnmetEventError,
)

# States of region `lookup`.
READY: Final = "READY"
ASKING: Final = "ASKING"
ANSWERED: Final = "ANSWERED"
FAILED: Final = "FAILED"

# Parameters of profile `wirelaw`; durations in microseconds.
FIRST_WAIT: Final = 1000000
LONGEST_WAIT: Final = 4000000
MAX_TRIES: Final = 4
LONGEST_TTL: Final = 86400000000


@dataclass(slots=True)
class Query:
    """Message `query`."""

    kind: ClassVar[str] = "query"
    server: int = 0


@dataclass(slots=True)
class Response:
    """Message `response`."""

    kind: ClassVar[str] = "response"
    asked: bool = False
    matches: bool = False
    code: Any = None
    found: bool = False
    truncated: bool = False
    lasting: bool = False
    ttl: int = 0


@dataclass(slots=True)
class Gone:
    """Message `gone`."""

    kind: ClassVar[str] = "gone"


class DnsLookupHost(Protocol):
    """What surrounds the machine."""

    def emit_query(self, o: Query) -> None:
        """Carry the message away."""

    def ask_servers(self, /) -> int:
        """Answer a question of the machine."""
        ...

    def tell_found(self, ttl: int, /) -> None:
        """Take news from the machine."""

    def tell_no_name(self, ttl: int, /) -> None:
        """Take news from the machine."""

    def tell_no_data(self, ttl: int, /) -> None:
        """Take news from the machine."""

    def tell_failed(self, /) -> None:
        """Take news from the machine."""

    def tell_ignored(self, /) -> None:
        """Take news from the machine."""


class DnsLookup:
    """One dns.lookup: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: DnsLookupHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: DnsLookupHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.lookup: str = READY
        self.tries: int = 0
        self.due: bool = False
        self.patience_at: int | None = None

    def on_response(self, r: Response, now: int) -> None:
        """Take `response` through match, verdict; then `pump`."""
        self._match(r, now) and self._verdict(r, now)

    def _match(self, r: Response, now: int) -> bool:
        """Table `match` (rfc1035:7.3/match)."""
        st = self.lookup
        if st == ASKING:
            if not r.asked:  # [stranger] rfc5452:9.1/source MUST
                self.host.tell_ignored()
                if self.on_step is not None:
                    self.on_step(Step(now, "match", "stranger", "response", r))
                return False
            if not r.matches:  # [other] rfc5452:9.1/match MUST
                self.host.tell_ignored()
                if self.on_step is not None:
                    self.on_step(Step(now, "match", "other", "response", r))
                return False
            # [match] rfc5452:9.1/match MUST
            if self.on_step is not None:
                self.on_step(Step(now, "match", "match", "response", r))
            return True
        # [late] rfc1035:7.3/match
        if self.on_step is not None:
            self.on_step(Step(now, "match", "late", "response", r))
        return False

    def _verdict(self, r: Response, now: int) -> bool:
        """Table `verdict` (rfc1035:7.3/answer)."""
        st = self.lookup
        if st == ASKING:
            if (r.code == "no_error" or r.code == "no_name"):
                # [found] rfc1035:7.3/answer MUST, rfc1035:7.3/ttl MAY, rfc1035:7.4/truncated SHOULD_NOT
                if r.found:
                    self.patience_at = None
                    self.host.tell_found(min(r.ttl, LONGEST_TTL) if r.lasting and not r.truncated else 0)
                    self.lookup = ANSWERED
                    if self.on_step is not None:
                        self.on_step(Step(now, "verdict", "found", "response", r))
                    return False
                # [no.name] rfc1035:7.3/answer MUST, rfc1123:6.1.3.3/4 SHOULD
                if not r.truncated and r.code == "no_name":
                    self.patience_at = None
                    self.host.tell_no_name(min(r.ttl, LONGEST_TTL) if r.lasting and not r.truncated else 0)
                    self.lookup = ANSWERED
                    if self.on_step is not None:
                        self.on_step(Step(now, "verdict", "no.name", "response", r))
                    return False
                # [no.data] rfc1035:7.3/answer MUST, rfc1123:6.1.3.3/4 SHOULD
                if not r.truncated and r.code == "no_error":
                    self.patience_at = None
                    self.host.tell_no_data(min(r.ttl, LONGEST_TTL) if r.lasting and not r.truncated else 0)
                    self.lookup = ANSWERED
                    if self.on_step is not None:
                        self.on_step(Step(now, "verdict", "no.data", "response", r))
                    return False
                if r.truncated:  # [cut] rfc1035:7.3/useless
                    self.patience_at = None
                    self.due = True
                    if self.on_step is not None:
                        self.on_step(Step(now, "verdict", "cut", "response", r))
                    return False
            if r.code == "other":  # [failed] rfc1035:7.3/useless
                self.patience_at = None
                self.due = True
                if self.on_step is not None:
                    self.on_step(Step(now, "verdict", "failed", "response", r))
                return False
            raise IncompleteTableError("dns.lookup", "verdict", "response")
        return True

    def on_gone(self, g: Gone, now: int) -> None:
        """Take `gone` through lost; then `pump`."""
        self._lost(g, now)

    def _lost(self, g: Gone, now: int) -> bool:
        """Table `lost` (rfc1123:6.1.3.3/2)."""
        st = self.lookup
        if st == READY or st == ASKING:
            # [lost] rfc1123:6.1.3.3/2 MUST
            self.patience_at = None
            self.due = False
            self.host.tell_failed()
            self.lookup = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "lost", "lost", "gone", g))
            return False
        # [lost.over] rfc1123:6.1.3.3/2
        if self.on_step is not None:
            self.on_step(Step(now, "lost", "lost.over", "gone", g))
        return False

    def timer_patience(self, now: int) -> None:
        """Timer `patience` has expired."""
        st = self.lookup
        if st == ASKING:
            # [silence] rfc1123:6.1.3.3/5 SHOULD
            self.due = True
            if self.on_step is not None:
                self.on_step(Step(now, "silence", "silence", "patience", None))
            return
        raise UnmetEventError("dns.lookup", "patience", self.lookup)

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.patience_at is not None and self.patience_at <= at:
                at = self.patience_at
                which = "patience"
            if which == "patience":
                self.patience_at = None
                self.timer_patience(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.patience_at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.lookup
            if st == READY:
                if self._out_ask_first(now):  # [ask.first]
                    continue
                return
            if st == ASKING:
                if self.due and self.tries < MAX_TRIES and self._out_ask_again(now):  # [ask.again]
                    continue
                if self.due and self.tries >= MAX_TRIES and self._out_give_up(now):  # [give.up]
                    continue
                return
            return
        raise EndlessOutputError("dns.lookup", self.lookup)

    def _out_ask_first(self, now: int) -> bool:
        """[ask.first] rfc1123:6.1.3.2/first MUST."""
        o = Query()
        self.patience_at = now + min(FIRST_WAIT << self.tries, LONGEST_WAIT)
        self.tries += 1
        self.due = False
        self.host.emit_query(o)
        self.lookup = ASKING
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ask.first", "query", o))
        return True

    def _out_ask_again(self, now: int) -> bool:
        """[ask.again] rfc1123:6.1.3.3/1 MUST, rfc1123:6.1.3.3/5 SHOULD, rfc1035:4.2.1/servers."""
        o = Query(server=self.tries % self.host.ask_servers() if self.host.ask_servers() else 0)
        self.patience_at = now + min(FIRST_WAIT << self.tries, LONGEST_WAIT)
        self.tries += 1
        self.due = False
        self.host.emit_query(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ask.again", "query", o))
        return True

    def _out_give_up(self, now: int) -> bool:
        """[give.up] rfc1123:6.1.3.3/2 MUST."""
        self.patience_at = None
        self.due = False
        self.host.tell_failed()
        self.lookup = FAILED
        if self.on_step is not None:
            self.on_step(Step(now, "auto", "give.up", "", None))
        return True
