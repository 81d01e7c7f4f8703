# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/examples/stop_and_wait.law
#   spec/examples/stop_and_wait.profile
"""Sends a file, one block at a time, each again until acknowledged or given up

Machine stop_and_wait.sender under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import (
    EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step, UnmetEventError,
)

# States of region `job`.
READY: Final = "READY"
WAITING: Final = "WAITING"
DUE: Final = "DUE"
DONE: Final = "DONE"
FAILED: Final = "FAILED"

# Parameters of profile `wirelaw`; durations in microseconds.
PATIENCE: Final = 100000


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


class StopAndWaitSenderHost(Protocol):
    """What surrounds the machine."""

    def emit_data(self, o: Data) -> None:
        """Carry the message away."""

    def ask_at_end(self, number: int, /) -> bool:
        """Answer a question of the machine."""
        ...

    def tell_complete(self, /) -> None:
        """Take news from the machine."""

    def tell_gave_up(self, number: int, /) -> None:
        """Take news from the machine."""


class StopAndWaitSender:
    """One stop_and_wait.sender: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: StopAndWaitSenderHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: StopAndWaitSenderHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.job: str = READY
        self.current: int = 1
        self.is_last: bool = False
        self.copies: int = 0
        self.retry_at: int | None = None

    def on_ack(self, a: Ack, now: int) -> None:
        """Take `ack` through acks; then `pump`."""
        self._acks(a, now)

    def _acks(self, a: Ack, now: int) -> bool:
        """Table `acks` (stopwait:1.2)."""
        st = self.job
        if st == WAITING or st == DUE:
            if a.number == self.current:
                if not self.is_last and self.current < 4294967295:  # [next] stopwait:1.2 MUST
                    self.retry_at = None
                    self.current += 1
                    self.job = READY
                    if self.on_step is not None:
                        self.on_step(Step(now, "acks", "next", "ack", a))
                    return False
                if not self.is_last and self.current == 4294967295:  # [full] stopwait:1.2 MUST
                    self.retry_at = None
                    self.host.tell_gave_up(self.current)
                    self.job = FAILED
                    if self.on_step is not None:
                        self.on_step(Step(now, "acks", "full", "ack", a))
                    return False
                if self.is_last:  # [done] stopwait:4.1 MUST
                    self.retry_at = None
                    self.host.tell_complete()
                    self.job = DONE
                    if self.on_step is not None:
                        self.on_step(Step(now, "acks", "done", "ack", a))
                    return False
            if a.number != self.current:  # [other] stopwait:2.4 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "acks", "other", "ack", a))
                return False
            raise IncompleteTableError("stop_and_wait.sender", "acks", "ack")
        # [late] stopwait:2.4 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "acks", "late", "ack", a))
        return False

    def timer_retry(self, now: int) -> None:
        """Timer `retry` has expired."""
        st = self.job
        if st == WAITING:
            if self.copies < 9:  # [due] stopwait:3.1 MUST
                self.copies += 1
                self.job = DUE
                if self.on_step is not None:
                    self.on_step(Step(now, "clock", "due", "retry", None))
                return
            if self.copies == 9:  # [give.up] stopwait:3.2 MUST
                self.host.tell_gave_up(self.current)
                self.job = FAILED
                if self.on_step is not None:
                    self.on_step(Step(now, "clock", "give.up", "retry", None))
                return
            raise IncompleteTableError("stop_and_wait.sender", "clock", "retry")
        raise UnmetEventError("stop_and_wait.sender", "retry", self.job)

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            if self.retry_at is not None and self.retry_at <= at:
                at = self.retry_at
                which = "retry"
            if which == "retry":
                self.retry_at = None
                self.timer_retry(now)
            else:
                return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best = self.retry_at
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            st = self.job
            if st == READY:
                if self._out_send(now):  # [send]
                    continue
                return
            if st == DUE:
                if self._out_again(now):  # [again]
                    continue
                return
            return
        raise EndlessOutputError("stop_and_wait.sender", self.job)

    def _out_send(self, now: int) -> bool:
        """[send] stopwait:1.1 MUST, stopwait:1.2 MUST."""
        o = Data(number=self.current, last=self.host.ask_at_end(self.current))
        self.is_last = o.last
        self.copies = 0
        self.retry_at = now + PATIENCE
        self.host.emit_data(o)
        self.job = WAITING
        if self.on_step is not None:
            self.on_step(Step(now, "out", "send", "data", o))
        return True

    def _out_again(self, now: int) -> bool:
        """[again] stopwait:3.1 MUST, stopwait:3.2 MUST."""
        o = Data(number=self.current, last=self.is_last)
        self.retry_at = now + PATIENCE
        self.host.emit_data(o)
        self.job = WAITING
        if self.on_step is not None:
            self.on_step(Step(now, "out", "again", "data", o))
        return True
