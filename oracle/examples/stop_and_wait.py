"""Judging one end of a stop-and-wait transfer (spec/examples/stop_and_wait.law) from a capture taken at that end.

The judge reads the octets for itself and shares no code with what it judges. A block says who its sender is, so the
direction of a datagram is its kind. `python -m wirelaw.oracle.examples.stop_and_wait sender|receiver CAPTURE` prints verdicts.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.ipv4 import UDP, parse_header
from wirelaw.impl.wire.udp import parse_udp
from wirelaw.oracle.capture import Packet, read_packets
from wirelaw.oracle.capture.packet import ip_offset
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Judge, Observed
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import SPEC, load

ROLES = ("sender", "receiver")
_SENDS = {"sender": "data", "receiver": "ack"}
_HEADER = struct.Struct("!BI")
_DATA, _LAST, _ACK = 1, 2, 3
_EXIT = {Grade.INCONCLUSIVE: 3, Grade.FAIL: 1, Grade.ERROR: 2}
End = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Data:
    """A block. `same` is the fact that a copy holds the octets of the first sending; true where nobody can tell."""

    number: int
    last: bool
    same: bool


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgment."""

    number: int


class Reader:
    """Turns the datagrams of one transfer, in the order they were captured, into observations of one role. Constant memory."""

    def __init__(self, role: str) -> None:
        self._output = _SENDS[role]
        self._newest = 0
        self._digest = b""

    def read(self, octets: bytes, time: int, number: int) -> Observed | None:
        """The observation that a datagram is (`time` in microseconds); None for one that is not of this protocol."""
        message = self._message(octets)
        if message is None:
            return None
        kind = "data" if isinstance(message, Data) else "ack"
        return Observed(kind, message, time, number, kind == self._output)

    def _message(self, octets: bytes) -> Data | Ack | None:
        if len(octets) < _HEADER.size:
            return None
        kind, number = _HEADER.unpack_from(octets)
        block = octets[_HEADER.size :]
        if kind == _ACK and not block:
            return Ack(number)
        if kind in {_DATA, _LAST}:
            return Data(number, kind == _LAST, self._is_same(number, block))
        return None

    def _is_same(self, number: int, block: bytes) -> bool:
        digest = blake2b(block, digest_size=16).digest()
        if number > self._newest:
            self._newest, self._digest = number, digest
        return number != self._newest or digest == self._digest


def stop_and_wait(role: str, folder: Path = SPEC / "examples") -> CompiledLaw:
    """The law of one role, compiled for judging."""
    return compile_law(load([folder]).machine(f"stop_and_wait.{role}"))


class EndJudge:
    """Judges one role of one transfer, datagram by datagram. `count` counts those of the protocol."""

    def __init__(self, law: CompiledLaw, role: str, environment: Environment | None = None, subject: str = "") -> None:
        self.judge = Judge(law, environment=environment, subject=subject or f"the {role}")
        self.reader = Reader(role)
        self.count = 0

    def observe(self, octets: bytes, time: int, number: int) -> None:
        """Judge what the end sent or took at `time` (microseconds), datagram `number` of its trace."""
        seen = self.reader.read(octets, time, number)
        if seen is not None:
            self.count += 1
            (self.judge.output if seen.is_output else self.judge.input)(seen.kind, seen.message, seen.time, seen.number)


def judge_datagrams(law: CompiledLaw, role: str, datagrams: Iterable[tuple[int, bytes]], environment: Environment | None = None) -> Verdict:
    """The verdict on `role` from (time in microseconds, octets) in order, as that end sent and took them."""
    end = EndJudge(law, role, environment)
    for number, (time, octets) in enumerate(datagrams, 1):
        end.observe(octets, time, number)
    return end.judge.finish()


@dataclass(frozen=True, slots=True)
class Judged:
    """A transfer found in a capture: who sends blocks to whom, and the verdict on the judged role."""

    sender: End
    receiver: End
    datagrams: int
    verdict: Verdict


def judge_capture(law: CompiledLaw, role: str, packets: Iterable[Packet]) -> Iterator[Judged]:
    """A verdict for each transfer among `packets`, which were captured at the end that plays `role`.

    A transfer begins with block 1; what goes before it, and other traffic, is not judged.
    """
    transfers: dict[tuple[End, End], EndJudge] = {}
    for packet in packets:
        found = _datagram(packet)
        if found is None:
            continue
        source, target, octets = found
        if (source, target) not in transfers and (target, source) not in transfers and _is_first(octets):
            subject = "{}:{}".format(*(source if role == "sender" else target))
            transfers[source, target] = EndJudge(law, role, subject=subject)
        end = transfers.get((source, target)) or transfers.get((target, source))
        if end is not None:
            end.observe(octets, packet.time_us, packet.number)
    for (sender, receiver), end in transfers.items():
        yield Judged(sender, receiver, end.count, end.judge.finish())


def _is_first(octets: bytes) -> bool:
    return len(octets) >= _HEADER.size and _HEADER.unpack_from(octets) in {(_DATA, 1), (_LAST, 1)}


def _datagram(packet: Packet) -> tuple[End, End, bytes] | None:
    at = ip_offset(packet)
    if at < 0:
        return None
    octets = memoryview(packet.data)[at:]
    header = parse_header(octets)
    if header is None or header.protocol != UDP:
        return None
    parsed = parse_udp(octets[header.header_length : header.total_length], header.src, header.dst, verify=False)
    if parsed is None:
        return None
    source, target = (".".join(map(str, a)) for a in (header.src, header.dst))
    return (source, parsed[0]), (target, parsed[1]), bytes(parsed[2])


def main(arguments: Sequence[str] | None = None) -> int:
    """0: conformant; 1: a violation; 2: bad input; 3: inconclusive."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelaw.oracle.examples.stop_and_wait", description="Judge one end of stop-and-wait transfers in a capture."
    )
    parser.add_argument("role", choices=ROLES, help="the end to judge; the capture must have been taken there")
    parser.add_argument("capture", type=Path, help="a pcap or pcapng file")
    options = parser.parse_args(arguments)
    try:
        titles = {c.name: c.text for c in load_catalogues(SPEC / "clauses")}
        judged = list(judge_capture(stop_and_wait(options.role), options.role, read_packets(options.capture)))
        if not judged:
            raise UserError(f"{options.capture}: no stop-and-wait transfer in it; record one with --record")
    except (LawError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    for one in judged:
        ends = "{}:{} > {}:{}".format(*one.sender, *one.receiver)
        print(f"{ends}   {options.role}   {one.datagrams} datagrams   {one.verdict}")
        for finding in one.verdict.findings:
            print(render(finding, titles))
    return max(_EXIT.get(one.verdict.grade, 0) for one in judged)


if __name__ == "__main__":
    sys.exit(main())
