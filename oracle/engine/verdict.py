"""What a judge says: grades, findings, the verdict; and what it is told: bounds and the environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Grade(IntEnum):
    """The lattice of verdicts; the worst of several counts."""

    PASS = 0
    NOTE = 1
    WARN = 2
    INCONCLUSIVE = 3
    FAIL = 4
    ERROR = 5

    def __str__(self) -> str:
        return self.name.lower() if self is not Grade.FAIL else "FAIL"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The budget of one judge. Whatever is exceeded, the verdict is `inconclusive`.

    `configurations`: those that have read the same inputs; `pending`: inputs not yet consumed; `steps`: rows tried for one observation;
    `seconds`: time spent judging, in all.
    """

    configurations: int = 64
    pending: int = 65_536
    steps: int = 100_000
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Environment:
    """What stands between the capture and the host, as data.

    `lag`: µs an input may wait, captured, before the host acts on it. `swap`: µs within which a packet and the next one may
    have been captured in the wrong order. `losses`: inputs that may have vanished between capture and host, per output to
    explain. `hidden`: acts nobody sees (of the application, of timers) posited per output. `patience`: µs for replies and
    owed messages that name no deadline. `far`: the capture may lack outputs, so a contradiction proves nothing.
    """

    lag: int = 50_000
    swap: int = 100
    losses: int = 1
    hidden: int = 3
    patience: int = 1_000_000
    far: bool = False

    @classmethod
    def near(cls) -> Environment:
        """The capture was taken on the judged host's own interface."""
        return cls()

    @classmethod
    def far_side(cls) -> Environment:
        """The capture was taken on its peer's: inputs may be lost or late, outputs may be missing."""
        return cls(lag=500_000, swap=5_000, losses=3, far=True)

    @classmethod
    def exact(cls) -> Environment:
        """No lag beyond queueing, no faults: for traces in virtual time."""
        return cls(lag=0, swap=0, losses=0)


@dataclass(frozen=True, slots=True)
class Miss:
    """One row that could have explained an output, and why it did not.

    `failed` holds pairs of (conjunct as law text, by how much it does not hold); `clause` is the gate's when a gate refused, and
    `clauses` all that are cited there, with their levels ('' where none is stated).
    """

    row: str
    state: str
    conjuncts: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    clause: str
    level: str
    gate: str = ""
    clauses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """That a finding is what `peer` is known to do: the deviation `name` of its file, and the reason given there."""

    peer: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.peer}, {self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation, with all that is needed to report it.

    `number` and `time` (µs) are the observation's; `observed` is the message in relative terms, or what was missing;
    `clause` is a catalogue id such as `rfc9293:3.10.7.4`, `level` its level; `clauses` are all that the row, gate or debt cites, with
    their levels ('' where none is stated); `possible` counts the configurations that agree. A deviation that some peer is `known`
    for warns, whatever its level is.
    """

    grade: Grade
    clause: str
    level: str
    row: str
    number: int
    time: int
    observed: str
    nearest: tuple[Miss, ...] = ()
    configuration: str = ""
    possible: int = 0
    question: str = ""
    clauses: tuple[tuple[str, str], ...] = ()
    known: Known | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What findings are counted by."""
        return self.clause, self.row


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a judgement. `coverage` counts, per row id, how often the winning configurations took it; `taken` by state.

    Its keys are (row id, control state in which the row was taken).
    """

    grade: Grade
    findings: tuple[Finding, ...]
    reason: str = ""
    coverage: Mapping[str, int] = field(default_factory=dict)
    observations: int = 0
    cost: int = 0
    taken: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def fingerprint(self) -> Mapping[tuple[str, str], int]:
        """What the implementation was seen to do as peers are known to: (peer, deviation) to how often."""
        return Counter((f.known.peer, f.known.name) for f in self.findings if f.known is not None)

    def __str__(self) -> str:
        notes = sum(f.grade is Grade.NOTE for f in self.findings)
        warns = sum(f.grade is Grade.WARN for f in self.findings)
        counted = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((notes, "note"), (warns, "warning")) if n]
        tail = self.reason or ", ".join(counted)
        return f"{self.grade}{f' ({tail})' if tail else ''}"
