"""Expected deviations: what a peer is known to do otherwise than the law, weighed against the text and kept narrow.

Where a stack departs from the text in a way that is understood, the law has a row (or a gate of SHOULD) that says exactly
that and is graded a warning; a deviation names this row. Whatever goes beyond it still fails: a failure is expected only as
the consequence of such a row, and then `after` names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wirelaw.conformance.trace import Call, Trace
from wirelaw.oracle.engine.verdict import Finding, Grade


@dataclass(frozen=True, slots=True)
class Deviation:
    """One understood behaviour of a peer.

    `row` is the row or gate of the law that a finding must name, `clause` and `level` the requirement it departs from, `reason`
    says what is done and what the text has instead. A finding counts only where all that is given holds as well: `after`, a row
    that the walk took; `state`, the control state of the finding; `is_short`, that the walk gave the peer a receive buffer of a
    few segments; `called`, that the peer's user made one of these calls; `fails`, that it is a failure.
    """

    row: str
    clause: str
    level: str
    reason: str
    after: str = ""
    state: str = ""
    is_short: bool = False
    called: tuple[str, ...] = ()
    fails: bool = False

    def __post_init__(self) -> None:
        if self.fails and not self.after:
            raise ValueError(f"deviation [{self.row}]: a failure is expected only after a row that explains it")

    def covers(self, finding: Finding, rows: Mapping[str, int], trace: Trace) -> bool:
        """Whether `finding`, of a walk that took `rows` and is written down in `trace`, is this behaviour and nothing more."""
        return (
            finding.grade is (Grade.FAIL if self.fails else Grade.WARN)
            and finding.row == self.row
            and self.state in ("", finding.configuration.partition(",")[0])
            and (not self.after or bool(rows.get(self.after)))
            and (not self.is_short or trace.buffer > 0)
            and (not self.called or any(isinstance(s, Call) and s.name in self.called for s in trace.steps))
        )


def expected(deviations: Iterable[Deviation], finding: Finding, rows: Mapping[str, int], trace: Trace) -> str:
    """The reason for which `finding` is expected; empty when it is not."""
    return next((d.reason for d in deviations if d.covers(finding, rows, trace)), "")
