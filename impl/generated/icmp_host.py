# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/net/icmp.law
#   spec/profiles/net.profile
"""What a host does with ICMP messages, and which datagrams it reports an error about (RFC 792, RFC 1122
section 3.2.2)

Machine icmp.host under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import (
    EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step, UnmetEventError,
)

# States of region `host`.
UP: Final = "UP"

# Parameters of profile `wirelaw`; durations in microseconds.
BURST: Final = 50
INTERVAL: Final = 20000


@dataclass(slots=True)
class Heard:
    """Message `heard`."""

    kind: ClassVar[str] = "heard"
    source: Any = None
    unicast: bool = False


@dataclass(slots=True)
class Echo(Heard):
    """Message `echo`."""

    kind: ClassVar[str] = "echo"
    ident: int = 0
    number: int = 0
    data: Any = None


@dataclass(slots=True)
class Answer(Heard):
    """Message `answer`."""

    kind: ClassVar[str] = "answer"
    ident: int = 0
    number: int = 0
    data: Any = None


@dataclass(slots=True)
class Error(Heard):
    """Message `error`."""

    kind: ClassVar[str] = "error"
    ours: bool = False


@dataclass(slots=True)
class Redirect(Heard):
    """Message `redirect`."""

    kind: ClassVar[str] = "redirect"


@dataclass(slots=True)
class Quench(Heard):
    """Message `quench`."""

    kind: ClassVar[str] = "quench"


@dataclass(slots=True)
class Other(Heard):
    """Message `other`."""

    kind: ClassVar[str] = "other"


@dataclass(slots=True)
class Stray:
    """Message `stray`."""

    kind: ClassVar[str] = "stray"
    initial: bool = False
    unicast: bool = False
    single: bool = False
    error: bool = False


@dataclass(slots=True)
class Reply:
    """Message `reply`."""

    kind: ClassVar[str] = "reply"
    to: Any = None
    ident: int = 0
    number: int = 0
    data: Any = None


class IcmpHostHost(Protocol):
    """What surrounds the machine."""

    def emit_reply(self, o: Reply) -> None:
        """Carry the message away."""

    def tell_answered(self, /) -> None:
        """Take news from the machine."""

    def tell_reported(self, /) -> None:
        """Take news from the machine."""

    def tell_report(self, /) -> None:
        """Take news from the machine."""

    def tell_limited(self, /) -> None:
        """Take news from the machine."""

    def tell_misquoted(self, /) -> None:
        """Take news from the machine."""

    def tell_ignored(self, /) -> None:
        """Take news from the machine."""

    def tell_unknown(self, /) -> None:
        """Take news from the machine."""

    def tell_broadcast_echo(self, /) -> None:
        """Take news from the machine."""


class IcmpHost:
    """One icmp.host: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: IcmpHostHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: IcmpHostHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.host_: str = UP
        self.spent: int = 0
        self.last: int = 0

    def on_heard(self, m: Any, now: int) -> None:
        """Take `heard` through reception; then `pump`."""
        kind = m.kind
        if kind == "heard":
            raise UnmetEventError("icmp.host", "heard", self.host_)
            return
        self._reception(m, now)

    def _reception(self, m: Any, now: int) -> bool:
        """Table `reception` (rfc1122:3.2.2.6)."""
        kind = m.kind
        if kind == "echo":
            if m.unicast:  # [echo] rfc1122:3.2.2.6 MUST
                self.host.emit_reply(Reply(to=m.source, ident=m.ident, number=m.number, data=m.data))
                if self.on_step is not None:
                    self.on_step(Step(now, "reception", "echo", m.kind, m))
                return False
            # [echo.group] rfc1122:3.2.2.6/broadcast MAY
            self.host.tell_broadcast_echo()
            if self.on_step is not None:
                self.on_step(Step(now, "reception", "echo.group", m.kind, m))
            return False
        if kind == "answer":
            # [answer] rfc792:echo MUST
            self.host.tell_answered()
            if self.on_step is not None:
                self.on_step(Step(now, "reception", "answer", m.kind, m))
            return False
        if kind == "error":
            if m.ours:  # [error] rfc1122:3.2.2/transport MUST
                self.host.tell_reported()
                if self.on_step is not None:
                    self.on_step(Step(now, "reception", "error", m.kind, m))
                return False
            # [misquoted] rfc1122:3.2.2/transport MUST
            self.host.tell_misquoted()
            if self.on_step is not None:
                self.on_step(Step(now, "reception", "misquoted", m.kind, m))
            return False
        if kind == "redirect":
            # [redirect] rfc1122:3.2.2.2/discard
            self.host.tell_ignored()
            if self.on_step is not None:
                self.on_step(Step(now, "reception", "redirect", m.kind, m))
            return False
        if kind == "quench":
            # [quench] rfc6633:3 MAY
            self.host.tell_ignored()
            if self.on_step is not None:
                self.on_step(Step(now, "reception", "quench", m.kind, m))
            return False
        # [unknown] rfc1122:3.2.2/unknown MUST
        self.host.tell_unknown()
        if self.on_step is not None:
            self.on_step(Step(now, "reception", "unknown", m.kind, m))
        return False

    def on_stray(self, d: Stray, now: int) -> None:
        """Take `stray` through restraint, rate; then `pump`."""
        self._restraint(d, now) and self._rate(d, now)

    def _restraint(self, d: Stray, now: int) -> bool:
        """Table `restraint` (rfc1122:3.2.2.1)."""
        if d.initial and d.unicast and d.single and not d.error:  # [fit] rfc1122:3.2.2.1 SHOULD
            if self.on_step is not None:
                self.on_step(Step(now, "restraint", "fit", "stray", d))
            return True
        # [unfit] rfc1122:3.2.2/errors MUST_NOT
        if not (d.initial and d.unicast and d.single and not d.error):
            if self.on_step is not None:
                self.on_step(Step(now, "restraint", "unfit", "stray", d))
            return False
        raise IncompleteTableError("icmp.host", "restraint", "stray")

    def _rate(self, d: Stray, now: int) -> bool:
        """Table `rate` (rfc1122:3.2.2.1)."""
        # [report] rfc1122:3.2.2.1 SHOULD, rfc1812:4.3.2.8 SHOULD
        if self._still_spent(now) + INTERVAL <= BURST * INTERVAL:
            self.spent = self._still_spent(now) + INTERVAL
            self.last = now
            self.host.tell_report()
            if self.on_step is not None:
                self.on_step(Step(now, "rate", "report", "stray", d))
            return False
        # [limited] rfc1812:4.3.2.8 SHOULD
        self.host.tell_limited()
        if self.on_step is not None:
            self.on_step(Step(now, "rate", "limited", "stray", d))
        return False

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        return None

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            return
        raise EndlessOutputError("icmp.host", self.host_)

    def _still_spent(self, now: int) -> int:
        """`still_spent` of the law."""
        if now - self.last >= self.spent:
            return 0
        return self.spent - (now - self.last)
