"""One direction of a connection: its sequence numbers without wrap-around, and what was first sent at them.

Numbers on the wire are residues modulo 2^32 (RFC 9293 3.4). Each is taken as the integer nearest to a *reference* of its
direction. The reference moves only to numbers that both ends confirm (sent by one, acknowledged by the other), so no
forged segment of one side can shift it.
"""

from dataclasses import dataclass, field

from wirelaw.oracle.tcp.ghost import GhostStore

_MODULUS = 1 << 32
_HALF = 1 << 31
# Octets kept below the confirmed point: a retransmission may cross its own acknowledgment.
KEPT_BEHIND = 1 << 16
# An RST may carry sequence number 0 literally (RFC 9293 3.10.7.1); nearer to the reference it is an ordinary number.
_LITERAL_ZERO = 1 << 20


_GAPS = 64


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers from `start` up to `end` that were passed over; it showed at packet `number`, at `time` (µs)."""

    start: int
    end: int
    number: int
    time: int


@dataclass(slots=True)
class SequenceSpace:
    """State of one direction; `isn`, `end` and `acked` are unwrapped, None until seen.

    `end` is the highest number sent, plus one; `acked` the highest acknowledgment of the other side. `gaps` are those not sent
    yet, at most 64, `ahead` the packet and time at which the other side first acknowledged more than was seen.
    """

    store: GhostStore
    reference: int | None = None
    isn: int | None = None
    end: int | None = None
    acked: int | None = None
    last_ack: int | None = None
    packets: int = 0
    fin: bool = False
    rst: bool = False
    gaps: list[Gap] = field(default_factory=list)
    ahead: tuple[int, int] | None = None

    def unwrap(self, number: int) -> int:
        """The integer congruent to `number` that is nearest to the reference; the first number stands for itself."""
        reference = self.reference
        if reference is None:
            self.reference = number
            return number
        return reference + ((number - reference + _HALF) % _MODULUS) - _HALF

    def unwrap_reset(self, number: int, acked_by_peer: int | None) -> int:
        """The sequence number of an RST of this direction: the acknowledgment it answers, a literal 0, or any other."""
        if acked_by_peer is not None and (acked_by_peer - number) % _MODULUS == 0:
            return acked_by_peer
        if number == 0 and (self.reference is None or abs(self.unwrap(0) - self.reference) > _LITERAL_ZERO):
            return 0
        return self.unwrap(number)

    def sent(self, start: int, end: int, one_way: bool, number: int, time: int) -> None:
        """Note a segment from `start` up to `end`, packet `number` at `time`; `one_way`: the other direction has not been seen."""
        if self.gaps and end > start:
            self._fill(start, end)
        if self.end is None or end > self.end:
            if self.end is not None and start > self.end and len(self.gaps) < _GAPS:
                self.gaps.append(Gap(self.end, start, *(self.ahead or (number, time))))
            self.end, self.ahead = end, None
            if one_way:
                self.reference = end
            elif self.acked is not None:
                self._confirm(end, self.acked)

    def _fill(self, start: int, end: int) -> None:
        parts = ((g, a, b) for g in self.gaps for a, b in ((g.start, min(g.end, start)), (max(g.start, end), g.end)))
        self.gaps = [Gap(a, b, g.number, g.time) for g, a, b in parts if a < b][:_GAPS]

    def acknowledged(self, ack: int, number: int, time: int) -> None:
        """Note an acknowledgment, by the other direction, of everything below `ack`, in packet `number` at `time`."""
        if self.acked is None or ack > self.acked:
            self.acked = ack
            if self.end is not None:
                self._confirm(self.end, ack)
                if ack > self.end and self.ahead is None:
                    self.ahead = number, time

    @property
    def holes(self) -> list[Gap]:
        """What both ends agree was sent, and nobody saw: passed over by the one, never resent, acknowledged by the other."""
        acked = self.acked
        return [Gap(g.start, min(g.end, acked), g.number, g.time) for g in self.gaps if acked is not None and g.start < acked]

    def _confirm(self, end: int, acked: int) -> None:
        confirmed = min(end, acked)
        if self.reference is None or confirmed > self.reference:
            self.reference = confirmed
            self.store.release(confirmed - KEPT_BEHIND)
