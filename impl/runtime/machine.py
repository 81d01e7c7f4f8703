"""What generated machines stand on: the record of a step, and the errors that a checked table cannot raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

OUTPUTS_PER_PUMP: Final = 100_000


class TableError(Exception):
    """A table does not say what happens next. `wirelaw check` proves of a law that this cannot be raised."""


class IncompleteTableError(TableError):
    """No row of a table holds for an event that the table has rows for."""

    def __init__(self, machine: str, table: str, event: str) -> None:
        super().__init__(f"{machine}: no row of table {table} holds for {event}")


class UnmetEventError(TableError):
    """An event for which no table has a row in the current state."""

    def __init__(self, machine: str, event: str, state: str) -> None:
        super().__init__(f"{machine}: no row for {event} in {state}")


class EndlessOutputError(TableError):
    """Output rows enable one another without end."""

    def __init__(self, machine: str, state: str) -> None:
        super().__init__(f"{machine}: output rows fire for ever in {state}")


@dataclass(frozen=True, slots=True)
class Step:
    """One row taken at `time` (microseconds). `event` is the message, call or timer; `message` the message, if any."""

    time: int
    table: str
    row: str
    event: str
    message: object


class Recorder:
    """Turns the steps of one machine into (step, changed variables as {name: (before, after)}) for `sink`.

    All changes of a machine are made by its rows, so the difference between two steps is what the later row changed.
    """

    def __init__(self, machine: Any, sink: Callable[[Step, dict[str, tuple[object, object]]], None]) -> None:
        self._machine = machine
        self._sink = sink
        self._before = _variables(machine)
        machine.on_step = self._take

    def _take(self, step: Step) -> None:
        after = _variables(self._machine)
        before = self._before
        self._before = after
        self._sink(step, {k: (before.get(k), v) for k, v in after.items() if before.get(k) != v})


def _variables(machine: Any) -> dict[str, object]:
    return {k: v for k, v in vars(machine).items() if k not in ("host", "on_step")}
