# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/net/icmp.law
#   spec/profiles/net.profile
"""One echo request of ours, for a user who wants to know whether it is answered (RFC 792, RFC 1122 section
3.2.2.6)

Machine icmp.echo under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step

# States of region `echo`.
READY: Final = "READY"
WAITING: Final = "WAITING"
ANSWERED: Final = "ANSWERED"
FAILED: Final = "FAILED"


@dataclass(slots=True)
class Request:
    """Message `request`."""

    kind: ClassVar[str] = "request"


@dataclass(slots=True)
class Answer:
    """Message `answer`."""

    kind: ClassVar[str] = "answer"


@dataclass(slots=True)
class Trouble:
    """Message `trouble`."""

    kind: ClassVar[str] = "trouble"
    type: int = 0
    code: int = 0


class IcmpEchoHost(Protocol):
    """What surrounds the machine."""

    def emit_request(self, o: Request) -> None:
        """Carry the message away."""

    def tell_answered(self, /) -> None:
        """Take news from the machine."""

    def tell_unreachable(self, type: int, code: int, /) -> None:
        """Take news from the machine."""

    def tell_timed_out(self, /) -> None:
        """Take news from the machine."""


class IcmpEcho:
    """One icmp.echo: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: IcmpEchoHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: IcmpEchoHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.echo: str = READY
        self.wanted: bool = False
        self.wait: int = 0
        self.patience_at: int | None = None

    def on_answer(self, a: Answer, now: int) -> None:
        """Take `answer` through answered; then `pump`."""
        self._answered(a, now)

    def _answered(self, a: Answer, now: int) -> bool:
        """Table `answered` (rfc792:echo)."""
        st = self.echo
        if st == WAITING:
            # [answered] rfc792:echo MUST
            self.patience_at = None
            self.host.tell_answered()
            self.echo = ANSWERED
            if self.on_step is not None:
                self.on_step(Step(now, "answered", "answered", "answer", a))
            return False
        # [late] rfc792:echo
        if self.on_step is not None:
            self.on_step(Step(now, "answered", "late", "answer", a))
        return False

    def on_trouble(self, e: Trouble, now: int) -> None:
        """Take `trouble` through troubled; then `pump`."""
        self._troubled(e, now)

    def _troubled(self, e: Trouble, now: int) -> bool:
        """Table `troubled` (rfc1122:3.2.2.1/report)."""
        st = self.echo
        if st == WAITING:
            # [failed] rfc1122:3.2.2.1/report MUST
            self.patience_at = None
            self.host.tell_unreachable(e.type, e.code)
            self.echo = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "troubled", "failed", "trouble", e))
            return False
        # [over] rfc1122:3.2.2.1/report
        if self.on_step is not None:
            self.on_step(Step(now, "troubled", "over", "trouble", e))
        return False

    def call_ask(self, wait_for: int, now: int) -> str | None:
        """The user's call `ask`; the code of a refusal, or None."""
        # [ask] rfc1122:3.2.2.6/client SHOULD
        self.wanted = True
        self.wait = wait_for
        if self.on_step is not None:
            self.on_step(Step(now, "ask", "ask", "ask", None))
        return None

    def timer_patience(self, now: int) -> None:
        """Timer `patience` has expired."""
        st = self.echo
        if st == WAITING:
            # [silence] rfc1122:3.2.2.6/client SHOULD
            self.host.tell_timed_out()
            self.echo = FAILED
            if self.on_step is not None:
                self.on_step(Step(now, "silence", "silence", "patience", None))
            return
        # [none] rfc1122:3.2.2.6/client
        if self.on_step is not None:
            self.on_step(Step(now, "silence", "none", "patience", None))
        return

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
            st = self.echo
            if st == READY:
                if self.wanted and self._out_request(now):  # [request]
                    continue
                return
            return
        raise EndlessOutputError("icmp.echo", self.echo)

    def _out_request(self, now: int) -> bool:
        """[request] rfc792:echo MUST."""
        o = Request()
        self.wanted = False
        self.patience_at = now + self.wait
        self.host.emit_request(o)
        self.echo = WAITING
        if self.on_step is not None:
            self.on_step(Step(now, "out", "request", "request", o))
        return True
