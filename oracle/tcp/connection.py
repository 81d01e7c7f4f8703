"""Judging one end of a TCP connection from what was captured.

The law is one connection as RFC 9293 has it; which end is judged is a parameter. Segments of that end are outputs, those of
the other are inputs, except damaged ones, which never reach the protocol (RFC 9293 3.1, MUST-3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.capture import Packet, counted
from wirelaw.oracle.engine.hindsight import Allowance
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Bounds, Environment, Finding, Grade, Verdict
from wirelaw.oracle.tcp.midway import MidwayJudge
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, Observation, near, observe

MESSAGE = "seg"


class ConnectionJudge:
    """One end of one connection. `direction` is that end's role; `near` says whether the capture is its own."""

    def __init__(
        self, law: CompiledLaw, direction: Direction, near: bool = True, bounds: Bounds | None = None,
        environment: Environment | None = None, subject: str = "", allowance: Allowance | None = None,
    ) -> None:  # fmt: skip
        self.direction = direction
        default = Environment.near() if near else Environment.far_side()
        self.judge = Judge(law, bounds, environment or default, subject or direction.name.lower(), allowance=allowance)

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


def weighed(verdict: Verdict, demultiplexer: Demultiplexer, connection: Connection, direction: Direction, lost: int = 0) -> Verdict:
    """`verdict` in the light of what the capture itself lacks: where that may explain a violation, it proves nothing.

    `lost` counts packets that the file says were not captured.
    """
    failed = next((f for f in verdict.findings if f.grade is Grade.FAIL), None)
    if connection.doubts:
        return Verdict(Grade.INCONCLUSIVE, (), "; ".join(connection.doubts), verdict.coverage, verdict.observations, 0, verdict.taken)
    reason = _lacking(failed, demultiplexer, connection, direction, lost) if failed is not None else ""
    if not reason:
        return verdict
    findings = tuple(replace(f, grade=min(f.grade, Grade.INCONCLUSIVE)) for f in verdict.findings)
    return replace(verdict, grade=Grade.INCONCLUSIVE, findings=findings, reason="; ".join(filter(None, (verdict.reason, reason))))


def _lacking(failed: Finding, demultiplexer: Demultiplexer, connection: Connection, direction: Direction, lost: int) -> str:
    """What was not captured and may be why `failed` looks like a violation; empty when all was."""
    if lost:
        return f"the capture lost {counted(lost)}"
    hole = connection.hole
    if hole is not None and (hole.number <= failed.number if failed.number else hole.time <= failed.time):
        return f"the capture lacks {hole.end - hole.start} octets that both ends count as sent, missed first at packet {hole.number}"
    end = connection.client if direction is Direction.CLIENT else connection.server
    asked = demultiplexer.resolutions.waiting(end.octets, failed.time) if not failed.number else None
    if asked is not None:
        return f"{end.address} was asking for a link address in vain from packet {asked.number} on: what it sent may not have left"
    return ""


FAR = "far capture: its segments may have been lost before the capture"
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
        if seen.segment.payload:  # of which the facts are told; judges keep what they have seen for a while
            seen = replace(seen, segment=replace(seen.segment, payload=b""))
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
    lost: Callable[[], int] = lambda: 0,
) -> Iterator[Judged]:
    """Judge every connection in `packets`, both ends unless `sides` chooses; verdicts come as connections end.

    `lost` tells, once all packets are read, how many more there were (capture files count them at their end); violations wait
    for that.

    `sides` maps a connection to pairs of (end, whether the capture is near to it). Without it, that is told from the
    connection's first segments.
    """
    allowance = Allowance()
    held: list[tuple[Judged, Verdict]] = []
    retired: list[Connection] = []
    demultiplexer = Demultiplexer(on_retire=retired.append)
    subjects: dict[int, _Subject] = {}

    def begin(connection: Connection) -> list[tuple[EndJudge, bool]]:
        nearer = near(connection).roles
        chosen = tuple(sides(connection)) if sides is not None else tuple((d, d in nearer) for d in Direction)
        ends = {Direction.CLIENT: connection.client, Direction.SERVER: connection.server}
        if connection.starts_midway:
            return [(MidwayJudge(law, d, n, bounds, ends[d].address), n) for d, n in chosen]
        return [(ConnectionJudge(law, d, n, bounds, subject=ends[d].address, allowance=allowance), n) for d, n in chosen]

    def conclude() -> Iterator[Judged]:
        while retired:
            connection = retired.pop(0)
            subject = subjects.pop(connection.number, None)
            for judge, is_near in subject.judges() if subject is not None else ():
                said = judge.finish(known_until)
                verdict = weighed(said, demultiplexer, connection, judge.direction)
                if not is_near and verdict.grade is Grade.INCONCLUSIVE and verdict.findings and not connection.doubts:
                    verdict = replace(verdict, reason="; ".join(filter(None, (verdict.reason, FAR))))
                judged = Judged(connection, judge.direction, is_near, verdict)
                if said.grade is Grade.FAIL:
                    held.append((judged, said))
                else:
                    yield judged

    def release() -> Iterator[Judged]:
        while held:
            judged, said = held.pop(0)
            if lost():
                judged = replace(judged, verdict=weighed(said, demultiplexer, judged.connection, judged.direction, lost()))
            yield judged

    try:
        for connection, seen in observe(packets, demultiplexer):
            if connection.number not in subjects:
                subjects[connection.number] = _Subject(connection, begin)
            yield from conclude()
            subjects[connection.number].observe(seen)
        yield from conclude()
    except (KeyboardInterrupt, UserError):  # what was found stands
        yield from release()
        raise
    yield from release()
