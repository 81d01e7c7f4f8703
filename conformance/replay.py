"""Playing a witness again: the same steps against a peer, and what was observed this time."""

from __future__ import annotations

from dataclasses import dataclass

from wirelaw.conformance.interleave import run_traces, tcp_law
from wirelaw.conformance.peer import Peer
from wirelaw.conformance.trace import Relative, Trace
from wirelaw.conformance.walk import WalkResult
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.tcp import parse_segment
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.capture.ip import locate
from wirelaw.oracle.capture.packet import ip_offset
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Grade

_FLAGS = (("syn", "S"), ("fin", "F"), ("rst", "R"), ("psh", "P"), ("ackf", "."))


@dataclass(frozen=True, slots=True)
class Replay:
    """`shows` tells whether the finding of the trace (if it names one) was seen again."""

    result: WalkResult
    shows: bool

    @property
    def text(self) -> str:
        """The packets, the verdict, and every finding as it would stand in a bug report."""
        verdict = self.result.verdict
        blocks = [render(f) for f in verdict.findings if f.grade >= Grade.WARN]
        return "\n".join([*packets(self.result), f"verdict {verdict}", *blocks])


def packets(result: WalkResult) -> list[str]:
    """One line a packet: number, milliseconds since the first, direction, flags, numbers relative to the first of each side."""
    lines: list[str] = []
    first: dict[int, int] = {}
    ours = None
    for number, (at, frame) in enumerate(result.frames, 1):
        packet = Packet(number, at, frame, LinkType.ETHERNET, len(frame))
        start = ip_offset(packet)
        located = locate(packet, start) if start >= 0 else "not IP"  # without the padding of short frames
        if isinstance(located, str):
            continue
        s = parse_segment(memoryview(frame)[located.at : located.at + located.size], b"", b"", False)
        if s is None:
            continue
        ours = (s.dst_port if result.trace.role == "server" else s.src_port) if ours is None else ours
        seq = s.seq - first.setdefault(s.src_port, s.seq)
        ack = f" ack {s.ack - first.get(s.dst_port, s.ack)}" if s.ackf else ""
        flags = "".join(shown for name, shown in _FLAGS if getattr(s, name)) or "none"
        way = "peer  " if s.src_port == ours else "tester"
        lines.append(
            f"{number:4} {(at - result.frames[0][0]) / 1000:10.3f} ms  {way}  {flags:4} seq {seq}{ack} wnd {s.wnd}"
            + (f" len {s.len}" if s.len else "") + (f" ts {s.tsval} {s.tsecr}" if s.tson else "")
        )  # fmt: skip
    return lines


def replay(trace: Trace, peer: Peer, law: CompiledLaw | None = None, patience: int = 1) -> Replay:
    """Play `trace` against `peer`, started; `patience` multiplies the time that silence gets before it counts.

    UserError where a number of the trace is relative to what the law does not know.
    """
    law = law or tcp_law(peer.deviations)
    _check_names(trace, law)
    result = run_traces(law, peer, [trace], patience)[0]
    failure = result.failure
    shows = failure is not None and (trace.fails is None or failure.key == trace.fails)
    return Replay(result, shows)


def _check_names(trace: Trace, law: CompiledLaw) -> None:
    known = {v.name for v in law.machine.variables.values() if v.kind in ("var", "ghost") and v.type.kind == "seq"} | {"isn", ""}
    for number, step in enumerate(trace.steps, 1):
        numbers = (getattr(step, name, None) for name in ("seq", "ack", "tsval", "tsecr"))
        for n in numbers:
            if isinstance(n, Relative) and n.base not in known:
                raise UserError(
                    f"step {number}, `{step}`: {n.base!r} is no sequence number of the law; one is {', '.join(sorted(known - {''}))}"
                )
