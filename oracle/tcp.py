"""Judging one end of a TCP connection from what was captured.

The law is one connection as RFC 9293 has it; which end is judged is a parameter. Segments of that end are outputs, those of
the other are inputs, except damaged ones, which never reach the protocol (RFC 9293 3.1, MUST-3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from wirelaw.oracle.adapters.tcp import Connection, Demultiplexer, Direction, Observation, near, observe
from wirelaw.oracle.capture import Packet
from wirelaw.oracle.judge import Judge
from wirelaw.oracle.midway import MidwayJudge
from wirelaw.oracle.rows import CompiledLaw
from wirelaw.oracle.verdict import Bounds, Environment, Finding, Grade, Verdict

MESSAGE = "seg"


class ConnectionJudge:
    """One end of one connection. `direction` is that end's role; `near` says whether the capture is its own."""

    def __init__(
        self, law: CompiledLaw, direction: Direction, near: bool = True, bounds: Bounds | None = None,
        environment: Environment | None = None, subject: str = "",
    ) -> None:  # fmt: skip
        self.direction = direction
        default = Environment.near() if near else Environment.far_side()
        self.judge = Judge(law, bounds, environment or default, subject or direction.name.lower())

    def observe(self, seen: Observation) -> Finding | None:
        """Judge one segment; a finding ends the judgement."""
        if seen.direction == self.direction:
            return self.judge.output(MESSAGE, seen.segment, seen.time, seen.number)
        if seen.segment.sum_ok:
            return self.judge.input(MESSAGE, seen.segment, seen.time, seen.number)
        return self.judge.advance(seen.time)

    def finish(self, known_until: int | None = None) -> Verdict:
        """The verdict; silence counts until `known_until` (µs), the last moment the capture is known to have been running."""
        return self.judge.finish(known_until)


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one end of one connection."""

    connection: Connection
    direction: Direction
    near: bool
    verdict: Verdict

    @property
    def subject(self) -> str:
        """The judged end's address and port."""
        return str(self.connection.client if self.direction is Direction.CLIENT else self.connection.server)


EndJudge = ConnectionJudge | MidwayJudge
HANDSHAKE = 8
"""Observations of a connection after which it is settled which ends the capture is near to."""


class _Subject:
    """One connection under judgement: its first segments are kept until it is known which readings to follow."""

    def __init__(self, connection: Connection, begin: Callable[[Connection], list[tuple[EndJudge, bool]]]) -> None:
        self.connection = connection
        self._begin = begin
        self._early: list[Observation] = []
        self._judges: list[tuple[EndJudge, bool]] | None = None

    def observe(self, seen: Observation) -> None:
        if self._judges is None:
            self._early.append(seen)
            if len(self._early) >= HANDSHAKE:
                self.judges()
            return
        for judge, _ in self._judges:
            judge.observe(seen)

    def judges(self) -> list[tuple[EndJudge, bool]]:
        if self._judges is None:
            self._judges = self._begin(self.connection)
            for judge, _ in self._judges:
                for seen in self._early:
                    judge.observe(seen)
            self._early.clear()
        return self._judges


def judge_capture(
    law: CompiledLaw,
    packets: Iterable[Packet],
    sides: Callable[[Connection], Iterable[tuple[Direction, bool]]] | None = None,
    known_until: int | None = None,
    bounds: Bounds | None = None,
) -> Iterator[Judged]:
    """Judge every connection in `packets`, both ends unless `sides` chooses; verdicts come as connections end.

    `sides` maps a connection to pairs of (end, whether the capture is near to it). Without it, that is told from the
    connection's first segments.
    """
    retired: list[Connection] = []
    demultiplexer = Demultiplexer(on_retire=retired.append)
    subjects: dict[int, _Subject] = {}

    def begin(connection: Connection) -> list[tuple[EndJudge, bool]]:
        nearer = near(connection).roles
        chosen = tuple(sides(connection)) if sides is not None else tuple((d, d in nearer) for d in Direction)
        ends = {Direction.CLIENT: connection.client, Direction.SERVER: connection.server}
        if connection.starts_midway:
            return [(MidwayJudge(law, d, n, bounds, ends[d].address), n) for d, n in chosen]
        return [(ConnectionJudge(law, d, n, bounds, subject=ends[d].address), n) for d, n in chosen]

    def conclude() -> Iterator[Judged]:
        while retired:
            connection = retired.pop(0)
            subject = subjects.pop(connection.number, None)
            for judge, is_near in subject.judges() if subject is not None else ():
                verdict = judge.finish(known_until)
                if connection.doubts:
                    verdict = Verdict(Grade.INCONCLUSIVE, (), "; ".join(connection.doubts), verdict.coverage, verdict.observations)
                yield Judged(connection, judge.direction, is_near, verdict)

    for connection, seen in observe(packets, demultiplexer):
        if connection.number not in subjects:
            subjects[connection.number] = _Subject(connection, begin)
        yield from conclude()
        subjects[connection.number].observe(seen)
    yield from conclude()
