"""Judging a connection whose opening was not captured: from a moment at which both ends are seen to stand still.

At such a moment each end has acknowledged all that the other has sent. What the captured segments say then is what the
protocol remembers, but for the control state (either end may have sent its FIN before) and the scale of windows. The law
itself finds the configurations: a short invented history (a handshake, perhaps a FIN, the octets last seen) is played to
it, and whatever it may have become is where judging begins. Windows are taken at their largest scale, which permits most;
a contradiction counts only if it stands under every scale.

That an end has nothing outstanding is *sure* once a bare acknowledgment has shown its next number. Until then (one end
sends text without pause) a contradiction proves nothing. A warning becomes a note: what it rests on may have been agreed
before the capture began.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Bounds, Environment, Finding, Grade, Verdict
from wirelaw.oracle.tcp.segments import Direction, Observation, ObservedSegment

MESSAGE = "seg"
LARGEST_SCALE = 14
"""The largest window scale there is (RFC 7323 2.3)."""
KEPT = 16_384
"""Observations kept to try other scales with."""
_BEFORE = 4_000_000  # the invented history lies this many µs before the first observation, longer than any lag


@dataclass(slots=True)
class _Side:
    """What one direction has shown: the next number to be sent, the last segment, the lowest octet of text seen."""

    end: int | None = None
    last: Observation | None = None
    acked: int | None = None
    lowest: int | None = None
    is_sure: bool = False


@dataclass(frozen=True, slots=True)
class Standstill:
    """A moment at which both ends stand still, seen from the judged end.

    `own` and `peer` are the last segments; their sender's next number is `own_end`, `peer_end`. `lowest` is the first octet
    that the judged end may still resend (its acknowledgment may lie captured but unread).
    """

    own: Observation
    peer: Observation
    own_end: int
    peer_end: int
    lowest: int
    is_sure: bool

    @property
    def time(self) -> int:
        """When it was seen, µs."""
        return max(self.own.time, self.peer.time)


class Watch:
    """Follows both directions of a connection until they stand still."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._sides = (_Side(), _Side())
        self.is_lost = False
        """A SYN, FIN or RST passed before the ends stood still: no moment after it will do."""

    def observe(self, seen: Observation) -> Standstill | None:
        """Note one segment; the standstill that it makes, if it does."""
        s = seen.segment
        if not s.sum_ok or self.is_lost:
            return None
        if s.syn or s.fin or s.rst or not s.ackf:
            self.is_lost = True
            return None
        own, other = self._sides[seen.direction], self._sides[1 - seen.direction]
        own.last, own.acked = seen, s.ack
        if own.end is None or s.seq + s.len > own.end:
            own.end, own.is_sure = s.seq + s.len, False if own.end is None else own.is_sure
        if other.end is None or s.ack > other.end:
            other.end, other.is_sure = s.ack, False
        if s.len == 0 and s.seq == own.end:
            own.is_sure = True
        if s.len and (own.lowest is None or s.seq < own.lowest):
            own.lowest = s.seq
        return self._standstill()

    def _standstill(self) -> Standstill | None:
        own, peer = self._sides[self._direction], self._sides[1 - self._direction]
        if own.last is None or peer.last is None or own.end is None or peer.end is None:
            return None
        if own.acked != peer.end or peer.acked != own.end or not own.last.segment.wnd or not peer.last.segment.wnd:
            return None
        lowest = own.lowest if own.lowest is not None else own.end
        return Standstill(own.last, peer.last, own.end, peer.end, lowest, own.is_sure and peer.is_sure)


class MidwayJudge:
    """One end of a connection whose opening is missing; takes and answers what `ConnectionJudge` does."""

    def __init__(
        self, law: CompiledLaw, direction: Direction, near: bool = True, bounds: Bounds | None = None, subject: str = ""
    ) -> None:  # fmt: skip
        self.direction = direction
        self._law, self._alone = law, replace(law, instead={}, beside=())
        self._bounds, self._subject = bounds, subject or direction.name.lower()
        self._environment = Environment.near() if near else Environment.far_side()
        self._watch = Watch(direction)
        self._from: Standstill | None = None
        self._judge: Judge | None = None
        self._kept: list[Observation] = []
        self._overflowed = False

    def observe(self, seen: Observation) -> Finding | None:
        """Judge one segment, once it is known where the connection stands."""
        if self._from is None or not self._from.is_sure:
            found = self._watch.observe(seen)
            if found is not None and (self._from is None or found.is_sure):
                self._begin(found)
                return None
        if self._judge is None or self._judge.ended:
            return None
        self._keep(seen)
        finding = _feed(self._judge, seen, self.direction)
        return self._again(finding) if finding is not None else None

    def finish(self, known_until: int | None = None) -> Verdict:
        """The verdict; its reason says where judging began."""
        if self._judge is None or self._from is None:
            return Verdict(Grade.INCONCLUSIVE, (), "the opening was not captured, and the two ends never stood still")
        verdict = self._judge.finish(known_until)
        if self._failed(verdict) and self._again(verdict.findings[-1]) is None:
            verdict = self._judge.finish(known_until)
        reason = f"from the middle: judged from packet {max(self._from.own.number, self._from.peer.number)} on"
        reason += f"; {verdict.reason}" if verdict.reason else ""
        findings = tuple(self._tempered(f) for f in verdict.findings)
        grade = verdict.grade if verdict.reason else max((f.grade for f in findings), default=Grade.PASS)
        return replace(verdict, grade=grade, findings=findings, reason=reason)

    # --- inside ------------------------------------------------------------------------------------------------

    def _begin(self, standstill: Standstill) -> None:
        self._from = standstill
        self._kept, self._overflowed = [], False
        self._judge = self._started(self._alone, range(LARGEST_SCALE, LARGEST_SCALE + 1))

    def _started(self, law: CompiledLaw, scales: range) -> Judge | None:
        """A judge of whatever the connection may be at the standstill; None if the law knows no such connection."""
        at = self._from
        assert at is not None
        begun = [c for scale in scales for history in _histories(at, scale, self.direction) for c in self._after(history)]
        if not begun:
            return None
        judge = Judge(law, self._bounds, self._environment, self._subject, begun)
        for seen in _last(at):
            _feed(judge, seen, self.direction)
        return None if judge.ended else judge

    def _after(self, history: list[Observation]) -> list[Configuration]:
        """What the law may have become after an invented history."""
        judge = Judge(self._alone, self._bounds, replace(self._environment, swap=0, losses=0), self._subject)
        for seen in history:
            _feed(judge, seen, self.direction)
        judge.advance(history[-1].time + _BEFORE // 2)
        for c in judge.frontier:
            c.next = c.order = c.scanned = c.cost = 0
            c.trail = c.remarks = None
            c.debts = tuple(d._replace(order=0) for d in c.debts)
        return judge.frontier if not judge.ended else []

    def _keep(self, seen: Observation) -> None:
        if len(self._kept) >= KEPT:
            self._kept, self._overflowed = [], True
        if not self._overflowed:
            self._kept.append(seen)

    def _again(self, finding: Finding) -> Finding | None:
        """Try every other scale, then each with known deviations; the finding stands if all of that leads to a contradiction."""
        tries = [(self._alone, range(LARGEST_SCALE))]
        if self._law.instead or self._law.beside:
            tries.append((self._law, range(LARGEST_SCALE + 1)))
        for law, scales in tries if not self._overflowed else ():
            judge = self._started(law, scales)
            for seen in self._kept if judge is not None else ():
                assert judge is not None
                _feed(judge, seen, self.direction)
            if judge is not None and not judge.ended:
                self._judge = judge
                return None
        return finding

    @staticmethod
    def _failed(verdict: Verdict) -> bool:
        return bool(verdict.findings) and verdict.findings[-1].grade is Grade.FAIL

    def _tempered(self, finding: Finding) -> Finding:
        assert self._from is not None
        if finding.grade is Grade.FAIL and (self._overflowed or not self._from.is_sure):
            return replace(finding, grade=Grade.INCONCLUSIVE)
        return replace(finding, grade=Grade.NOTE) if finding.grade is Grade.WARN else finding


def _feed(judge: Judge, seen: Observation, direction: Direction) -> Finding | None:
    if seen.direction == direction:
        return judge.output(MESSAGE, seen.segment, seen.time, seen.number)
    if seen.segment.sum_ok:
        return judge.input(MESSAGE, seen.segment, seen.time, seen.number)
    return judge.advance(seen.time)


def _bare(seen: Observation, seq: int, ack: int) -> Observation:
    """The bare acknowledgment that `seen` amounts to at the standstill."""
    s = replace(seen.segment, seq=seq, ack=ack, len=0, psh=False, urg=False, up=0, payload=b"", sacks=(), same=True)
    return replace(seen, segment=s)


def _last(at: Standstill) -> list[Observation]:
    """The two segments of the standstill, bare and in order. What the judged end echoes tells which timestamp it has noted."""
    own, peer = _bare(at.own, at.own_end, at.peer_end), _bare(at.peer, at.peer_end, at.own_end)
    s = at.peer.segment
    if own.number < peer.number and s.len == 0 and s.seq == at.peer_end:
        return [own, peer]
    noted = replace(peer, segment=replace(peer.segment, tsval=at.own.segment.tsecr))
    return sorted((own, noted), key=lambda o: o.number)


def _histories(at: Standstill, scale: int, direction: Direction) -> Iterator[list[Observation]]:
    """Invented histories of the judged end that lead to the standstill: nobody, it, or its peer has sent a FIN."""
    yield list(_history(at, scale, direction, own_fin=False, peer_fin=False))
    yield list(_history(at, scale, direction, own_fin=True, peer_fin=False))
    yield list(_history(at, scale, direction, own_fin=False, peer_fin=True))


def _history(at: Standstill, scale: int, direction: Direction, own_fin: bool, peer_fin: bool) -> Iterator[Observation]:
    """A handshake that leaves the judged end where text from `lowest` on is sent but not acknowledged, then the FINs."""
    stamped = at.own.segment.tson and at.peer.segment.tson
    own, peer = min(at.lowest, at.own_end - own_fin), at.peer_end - peer_fin
    text = at.own_end - own_fin - own

    def sent(is_own: bool, seq: int, ack: int, **more: object) -> Observation:
        like = _bare(at.own if is_own else at.peer, seq, ack)
        ts = like.segment.tsval if is_own else at.own.segment.tsecr
        s: ObservedSegment = replace(like.segment, tson=stamped, tsval=ts, cut=True, **more)  # type: ignore[arg-type]
        return Observation(0, at.time - _BEFORE, direction if is_own else Direction(1 - direction), s)

    offer = {"syn": True, "has_mss": True, "mss": 0xFFFF, "has_wscale": True, "wnd": 0xFFFF}
    yield sent(True, own - 1, 0, ackf=False, **offer, wscale=scale)
    yield sent(False, peer - 1, own, **offer, wscale=LARGEST_SCALE)
    yield sent(True, own, peer)
    yield sent(False, peer, own, wnd=min((text >> LARGEST_SCALE) + 1, 0xFFFF), fin=peer_fin)
    if peer_fin:
        yield sent(True, own, peer + 1)
    if text or own_fin:
        yield sent(True, own, peer + peer_fin, len=text, fin=own_fin)
