# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/examples/lease.law
#   spec/examples/lease.profile
"""Lends at most four places, each to one client until the client goes or stays silent

Machine lease.server under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.instances import Instances
from wirelaw.impl.runtime.machine import EndlessOutputError, OUTPUTS_PER_PUMP, Step, UnmetEventError

# States of region `place`.
FREE: Final = "FREE"
LENT: Final = "LENT"
OVER: Final = "OVER"
LEFT: Final = "LEFT"

# Parameters of profile `wirelaw`; durations in microseconds.
PROMPT: Final = 0
PATIENCE: Final = 2000000


@dataclass(slots=True)
class LeaseMessage:
    """Message `lease_message`."""

    kind: ClassVar[str] = "lease_message"
    client: int = 0


@dataclass(slots=True)
class Request(LeaseMessage):
    """Message `request`."""

    kind: ClassVar[str] = "request"


@dataclass(slots=True)
class Leave(LeaseMessage):
    """Message `leave`."""

    kind: ClassVar[str] = "leave"


@dataclass(slots=True)
class Grant(LeaseMessage):
    """Message `grant`."""

    kind: ClassVar[str] = "grant"


@dataclass(slots=True)
class Refusal(LeaseMessage):
    """Message `refusal`."""

    kind: ClassVar[str] = "refusal"


@dataclass(slots=True)
class Expired(LeaseMessage):
    """Message `expired`."""

    kind: ClassVar[str] = "expired"


class LeaseServerHost(Protocol):
    """What surrounds the machine."""

    def emit_grant(self, o: Grant) -> None:
        """Carry the message away."""

    def emit_refusal(self, o: Refusal) -> None:
        """Carry the message away."""

    def emit_expired(self, o: Expired) -> None:
        """Carry the message away."""


class LeaseServer:
    """One lease.server: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: LeaseServerHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: LeaseServerHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.lease: Instances[LeaseServerLease] = Instances(2, "term", "answer")

    def _lease_of(self, key: Any) -> LeaseServerLease:
        """The instance of family `lease` for this key; where none is kept, a fresh one."""
        found = self.lease.by_key.get(key)
        return LeaseServerLease(key) if found is None else found

    def on_lease_message(self, m: Any, now: int) -> None:
        """Take `lease_message` through requests; then `pump`."""
        self._requests(m, now)

    def _requests(self, m: Any, now: int) -> bool:
        """Table `requests` (lease:1.1)."""
        lease = self._lease_of(m.client)
        kind = m.kind
        if kind == "request":
            st = lease.place
            if st == FREE:
                if self.lease.count < 4:  # [lend] lease:1.1 MUST
                    lease.term_at = now + PATIENCE
                    lease.answer_to = lease.key
                    due = now + PROMPT
                    if lease.answer_due is None or due < lease.answer_due:
                        lease.answer_due = due
                    lease.place = LENT
                    self._settle_lease(lease, now)
                    if self.on_step is not None:
                        self.on_step(Step(now, "requests", "lend", m.kind, m))
                    return False
                # [full] lease:1.3 MUST
                self.host.emit_refusal(Refusal(client=lease.key))
                if self.on_step is not None:
                    self.on_step(Step(now, "requests", "full", m.kind, m))
                return False
            if st == LENT:
                # [renew] lease:1.2 MUST
                lease.term_at = now + PATIENCE
                lease.answer_to = lease.key
                due = now + PROMPT
                if lease.answer_due is None or due < lease.answer_due:
                    lease.answer_due = due
                self._settle_lease(lease, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "requests", "renew", m.kind, m))
                return False
            # [stray] lease:3 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "requests", "stray", m.kind, m))
            return False
        if kind == "leave":
            st = lease.place
            if st == FREE:
                # [gone] lease:2.1 MUST
                if self.on_step is not None:
                    self.on_step(Step(now, "requests", "gone", m.kind, m))
                return False
            if st == LENT:
                # [leave] lease:2.1 MUST
                lease.term_at = None
                lease.place = LEFT
                lease.answer_due = None
                self._settle_lease(lease, now)
                if self.on_step is not None:
                    self.on_step(Step(now, "requests", "leave", m.kind, m))
                return False
            # [stray] lease:3 MUST
            if self.on_step is not None:
                self.on_step(Step(now, "requests", "stray", m.kind, m))
            return False
        # [stray] lease:3 MUST
        if self.on_step is not None:
            self.on_step(Step(now, "requests", "stray", m.kind, m))
        return False

    def timer_term(self, lease: LeaseServerLease, now: int) -> None:
        """Timer `term` has expired."""
        st = lease.place
        if st == LENT:
            # [over] lease:2.2 MUST
            lease.place = OVER
            lease.answer_due = None
            self._settle_lease(lease, now)
            if self.on_step is not None:
                self.on_step(Step(now, "clock", "over", "term", None))
            return
        raise UnmetEventError("lease.server", "term", "")

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""
        while True:
            at = now
            which = ""
            first_lease = self.lease.timers.first()
            if first_lease is not None and first_lease[:2] < (at, which or "~"):
                at, which = first_lease[:2]
            if first_lease is not None and which == "term":
                lease = first_lease[2]
                lease.term_at = None
                self.timer_term(lease, now)
                self._settle_lease(lease, now)
                continue
            return

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        best: int | None = None
        first = self.lease.timers.first()
        if first is not None and (best is None or first[0] < best):
            best = first[0]
        first = self.lease.dues.first()
        if first is not None and (best is None or first[0] < best):
            best = first[0]
        return best

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        while (lease := self.lease.waking(now)) is not None:
            self._settle_lease(lease, now)
        for _ in range(OUTPUTS_PER_PUMP * (1 + len(self.lease.by_key))):
            if self._each_grant(now):  # [grant] lease:1.1 MUST, lease:1.2 MUST
                continue
            if self._each_expire(now):  # [expire] lease:2.2 MUST
                continue
            return
        raise EndlessOutputError("lease.server", "")

    def _each_grant(self, now: int) -> bool:
        for lease in self.lease.lines[0].values():
            if self._out_grant(lease, now):
                return True
        return False

    def _out_grant(self, lease: LeaseServerLease, now: int) -> bool:
        """[grant] lease:1.1 MUST, lease:1.2 MUST."""
        o = Grant(client=lease.key)
        if lease.answer_due is not None and o.client == lease.answer_to:
            lease.answer_due = None
        self.host.emit_grant(o)
        self.lease.lines[0].pop(lease.key, None)
        self._settle_lease(lease, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "grant", "grant", o))
        return True

    def _each_expire(self, now: int) -> bool:
        for lease in self.lease.lines[1].values():
            if self._out_expire(lease, now):
                return True
        return False

    def _out_expire(self, lease: LeaseServerLease, now: int) -> bool:
        """[expire] lease:2.2 MUST."""
        o = Expired(client=lease.key)
        self.host.emit_expired(o)
        lease.place = LEFT
        lease.answer_due = None
        self.lease.lines[1].pop(lease.key, None)
        self._settle_lease(lease, now)
        if self.on_step is not None:
            self.on_step(Step(now, "out", "expire", "expired", o))
        return True

    def _settle_lease(self, lease: LeaseServerLease, now: int) -> None:
        """Keep the instance unless it is as instances begin or has ended; line it up for the rows that it may
        fire.
        """
        if (
            lease.place == LEFT
            or (lease.place == FREE and lease.term_at is None and lease.answer_due is None)
        ):
            self.lease.forget(lease)
            return
        self.lease.keep(lease, lease.place != FREE)
        self.lease.timers.set("term", lease, lease.term_at)
        self.lease.owe("answer", lease, lease.answer_due, now)
        self.lease.line_up(
            0,
            lease,
            lease.place == LENT and (lease.answer_due is not None and lease.answer_due <= now),
        )
        self.lease.line_up(1, lease, lease.place == OVER)


class LeaseServerLease:
    """One instance of family `lease`."""

    def __init__(self, key: Any) -> None:
        self.key = key
        self.place: str = FREE
        self.term_at: int | None = None
        self.answer_due: int | None = None
        self.answer_to: int = 0
        self.serial = 0
        self.counted = False
