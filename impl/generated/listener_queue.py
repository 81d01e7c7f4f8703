# GENERATED, never edit: change the law below and run `python -m wirelaw.tools.generate`.
#   spec/net/listener.law
#   spec/profiles/net.profile
"""The queue of a passive open: handshakes under way, and connections that wait to be accepted

Machine listener.queue under profile wirelaw.
Each branch names the row it stands for: `[row] clause`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from wirelaw.impl.runtime.machine import EndlessOutputError, IncompleteTableError, OUTPUTS_PER_PUMP, Step

# States of region `queue`.
LISTENING: Final = "LISTENING"

# Parameters of profile `wirelaw`; durations in microseconds.
PATIENCE: Final = 1000000
FLOOD: Final = 64


@dataclass(slots=True)
class Arrival:
    """Message `arrival`."""

    kind: ClassVar[str] = "arrival"
    half: int = 0
    ready: int = 0
    limit: int = 0
    waited: int = 0


class ListenerQueueHost(Protocol):
    """What surrounds the machine."""

    def tell_admit(self, /) -> None:
        """Take news from the machine."""

    def tell_evict(self, /) -> None:
        """Take news from the machine."""

    def tell_turn_away(self, /) -> None:
        """Take news from the machine."""


class ListenerQueue:
    """One listener.queue: feed it messages, calls and the time (microseconds), then `pump`."""

    def __init__(self, host: ListenerQueueHost, on_step: Callable[[Step], None] | None = None) -> None:
        self.host: ListenerQueueHost = host
        self.on_step: Callable[[Step], None] | None = on_step
        self.queue: str = LISTENING

    def on_arrival(self, a: Arrival, now: int) -> None:
        """Take `arrival` through admission; then `pump`."""
        self._admission(a, now)

    def _admission(self, a: Arrival, now: int) -> bool:
        """Table `admission` (rfc9293:3.10.7.2/third)."""
        if a.half + a.ready < a.limit:  # [admit] rfc9293:3.10.7.2/third MUST
            self.host.tell_admit()
            if self.on_step is not None:
                self.on_step(Step(now, "admission", "admit", "arrival", a))
            return False
        old = a.waited >= PATIENCE or a.half >= FLOOD
        if a.half > 0 and old:  # [recycle] rfc4987:3.4 MAY
            self.host.tell_evict()
            self.host.tell_admit()
            if self.on_step is not None:
                self.on_step(Step(now, "admission", "recycle", "arrival", a))
            return False
        if a.half > 0 and not old:  # [crowd] rfc4987:3.4
            self.host.tell_turn_away()
            if self.on_step is not None:
                self.on_step(Step(now, "admission", "crowd", "arrival", a))
            return False
        if a.half == 0:  # [unfetched] rfc4987:2.2/backlog
            self.host.tell_turn_away()
            if self.on_step is not None:
                self.on_step(Step(now, "admission", "unfetched", "arrival", a))
            return False
        raise IncompleteTableError("listener.queue", "admission", "arrival")

    def tick(self, now: int) -> None:
        """Fire every timer whose time has come, in the order of their times."""

    def deadline(self) -> int | None:
        """When `tick` or `pump` has something to do by itself; None: never."""
        return None

    def pump(self, now: int) -> None:
        """Send everything that is to be sent now, in the order of the profile."""
        for _ in range(OUTPUTS_PER_PUMP):
            return
        raise EndlessOutputError("listener.queue", self.queue)
