# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/examples/stop_and_wait.law
#   spec/examples/stop_and_wait.profile
"""Takes blocks in order and acknowledges every one that arrives

Machine stop_and_wait.receiver under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step, UnmetEventError

# States of region `job`.
OPEN: Final = "OPEN"
LINGER: Final = "LINGER"
CLOSED: Final = "CLOSED"

# Parameters of profile `wirelaw`; durations in microseconds.
PROMPT: Final = 0
STAY_FOR: Final = 20000000


@dataclass(slots=True)
class Data:
    """Message `data`."""

    kind: ClassVar[str] = "data"
    number: int = 0
    last: bool = False
    same: bool = True


@dataclass(slots=True)
class Ack:
    """Message `ack`."""

    kind: ClassVar[str] = "ack"
    number: int = 0


class StopAndWaitReceiverHost(Protocol):
    """What surrounds the machine."""

    def emit_ack(self, o: Ack) -> None:
        """Carry the message away."""

    def tell_take(self, /) -> None:
        """Take news from the machine."""

    def tell_complete(self, /) -> None:
        """Take news from the machine."""


class StopAndWaitReceiver:
    """One stop_and_wait.receiver: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: StopAndWaitReceiverHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: StopAndWaitReceiverHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.job: str = OPEN
        self.got: int = 0
        self.linger_at: int | None = None
        self.receipt_due: int | None = None
        self.receipt_upto: int = 0

    def on_data(self, d: Data, now: int) -> None:
        """Take `data` through blocks; then `pump`."""
        self._blocks(d, now)

    def _blocks(self, d: Data, now: int) -> bool:
        """Table `blocks` (stopwait:2.2)."""
        st = self.job
        if st == CLOSED:
            # [closed] stopwait:4.2
            if self.on_step is not None:
                self.on_step(Step(now, "blocks", "closed", "data", d))
            return False
        # [next] stopwait:2.2 MUST, stopwait:1.3 MUST
        if st == OPEN and d.number == self.got + 1 and not d.last:
            self.got += 1
            self.host.tell_take()
            self.receipt_upto = self.got
            due = now + PROMPT
            if self.receipt_due is None or due < self.receipt_due:
                self.receipt_due = due
            if self.on_step is not None:
                self.on_step(Step(now, "blocks", "next", "data", d))
            return False
        if st == OPEN and d.number == self.got + 1 and d.last:  # [last] stopwait:2.2 MUST, stopwait:4.2 MUST
            self.got += 1
            self.host.tell_take()
            self.host.tell_complete()
            self.receipt_upto = self.got
            due = now + PROMPT
            if self.receipt_due is None or due < self.receipt_due:
                self.receipt_due = due
            self.linger_at = now + STAY_FOR
            self.job = LINGER
            if self.on_step is not None:
                self.on_step(Step(now, "blocks", "last", "data", d))
            return False
        if d.number >= 1 and d.number <= self.got:  # [copy] stopwait:2.2 MUST
            self.receipt_upto = self.got
            due = now + PROMPT
            if self.receipt_due is None or due < self.receipt_due:
                self.receipt_due = due
            if self.on_step is not None:
                self.on_step(Step(now, "blocks", "copy", "data", d))
            return False
        # [ahead] stopwait:1.3 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "blocks", "ahead", "data", d))
        return False

    def timer_linger(self, now: int) -> None:
        """Timer `linger` has expired."""
        st = self.job
        if st == LINGER:
            # [leave] stopwait:4.2 MUST
            self.job = CLOSED
            self.receipt_due = None
            if self.on_step is not None:
                self.on_step(Step(now, "clock", "leave", "linger", None))
            return
        raise UnmetEventError("stop_and_wait.receiver", "linger", self.job)

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.linger_at is not None and self.linger_at <= at:
                at = self.linger_at
                which = "linger"
            if which == "linger":
                self.linger_at = None
                self.timer_linger(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.linger_at
        at = self.receipt_due
        if at is not None and (best is None or at < best):
            best = at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.job
            if st == CLOSED:
                return
            if self.got > 0 and self._out_ack(now):  # [ack]
                continue
            return
        raise EndlessOutputError("stop_and_wait.receiver", self.job)

    def _out_ack(self, now: int) -> bool:
        """[ack] stopwait:2.1 MUST, stopwait:2.3 MUST."""
        if not (self.receipt_due is not None and self.receipt_due <= now):
            return False
        o = Ack(number=self.got)
        if self.receipt_due is not None and o.number >= self.receipt_upto:
            self.receipt_due = None
        self.host.emit_ack(o)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "ack", "ack", o))
        return True
