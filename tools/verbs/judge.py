"""`wirelaw judge`: a verdict for each connection of a capture made by anyone."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.capture import Capture, Packet, read_packets
from wirelaw.oracle.engine.explanation import as_data as finding_data
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Finding, Grade
from wirelaw.oracle.tcp.connection import Judged, judge_capture
from wirelaw.oracle.tcp.segments import Connection, Direction
from wirelaw.oracle.tcp.witness import save_connections
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.verbs import judge_datagrams
from wirelaw.tools.verbs.output import cannot_write, write_json
from wirelaw.tools.verbs.teaching import INTERRUPTED, add_externs, add_json, add_verb

COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
"""First octets of compressed files -> the program that unpacks them."""

MACHINE = "tcp.connection"
WITNESSES = 100
"""Connections saved at most."""
SHOWN = 4

EXIT = {Grade.PASS: 0, Grade.NOTE: 0, Grade.WARN: 0, Grade.INCONCLUSIVE: 3, Grade.FAIL: 1, Grade.ERROR: 2}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `judge`."""
    judge = add_verb(
        verbs,
        "judge",
        "Say of each end of each TCP connection whether it kept the law, and if not, which clause it broke, where, and what would\n"
        "have been allowed. An end the capture is not near to can only pass or stay inconclusive: what it sent may have been lost\n"
        "on the way. A capture packed by gzip, xz or the like is unpacked first: zcat FILE.gz | wirelaw judge -",
        [
            ("judge upload.pcap", "each end, one line; findings in full"),
            ("judge upload.pcap --near 192.0.2.7", "the capture was taken at this host"),
            ("judge upload.pcap -q --json verdicts.json", "print what is not a pass; all of it as JSON"),
            ("judge upload.pcap --witness found", "save the connections with findings, one small capture each"),
            ("judge - < upload.pcap", "from standard input"),
            ("judge x.pcap --law mine --adapter mine/adapter.py", "a protocol of your own, over UDP"),
        ],
        {0: "every end passes", 1: "an end broke the law", 3: "nothing worse than inconclusive", **INTERRUPTED},
    )
    judge.add_argument("capture", help="a pcap or pcapng file, or - for standard input")
    judge.add_argument("--law", action="append", type=Path, help="law files or folders (default: the law that ships)")
    judge.add_argument("--peer", metavar="NAME", help="what the ends may be known for (default: any peer; none: the law alone)")
    judge.add_argument("--deviations", metavar="FILE", action="append", type=Path, help="deviations of a peer of your own")
    judge.add_argument(
        "--adapter", type=Path, metavar="FILE.py", help="your program that reads datagrams as messages of --law; it is run, so trust it"
    )
    judge.add_argument("--machine", metavar="NAME", help="with --adapter: judge only ends that play this machine")
    judge.add_argument(
        "--near", metavar="ADDRESS", action="append", help="the capture was taken at this host (default: told from the times)"
    )
    judge.add_argument(
        "--witness", metavar="FOLDER", type=Path, help="save each connection with a violation or warning there, as a capture of its own"
    )
    add_externs(judge)
    add_json(judge, "verdicts and findings")
    judge.add_argument("-q", "--quiet", action="store_true", help="print only what is not a pass")
    judge.set_defaults(run=run_judge)


def compiled_tcp(
    paths: list[Path] | None = None, peer: str | None = None, deviations: list[Path] | None = None, externs: Collection[str] = ()
) -> CompiledLaw:
    """The TCP law, compiled for judging, with what `peer` is known to do otherwise (default: all peers; `none`: nobody).

    `deviations` are more files of them.
    """
    law = load([*(paths or [SPEC / "tcp"]), *(deviations or [])], externs)
    return compile_law(law.machine(MACHINE), deviations=judge_datagrams.known(law, MACHINE, peer))


def run_judge(options: argparse.Namespace) -> int:
    """`wirelaw judge`."""
    if options.witness is not None and options.capture == "-":
        raise UserError("--witness reads the capture twice; give it as a file, not as standard input")
    near = _addresses(options.near or [])
    if options.adapter is not None:
        if options.witness is not None:
            raise UserError("--witness saves TCP connections; leave it out with --adapter")
        with _opened(options.capture) as capture:
            return judge_datagrams.run(options, capture, near)
    if options.machine:
        raise UserError("--machine goes with --adapter; TCP has one machine, and --near says whose end it judges")
    law = compiled_tcp(options.law, options.peer, options.deviations, options.externs)
    with _opened(options.capture) as capture:
        report = _Report(options, near)
        code = _judge(report, law, capture)
    if options.witness is not None:
        report.save_witnesses()
    write_json(options.json, report.as_data(capture.notes))
    return code


class _Report:
    """What is said of each end, as it is judged; nothing is said before the addresses given as near have been met."""

    def __init__(self, options: argparse.Namespace, near: frozenset[str]) -> None:
        self.options, self.near = options, near
        self.results: list[Judged] = []
        self.counts: Counter[str] = Counter()
        self.start: int | None = None
        self.witnesses: dict[int, Path] = {}
        self._unmet = set(near)
        self._waiting: list[str] = []

    def add(self, judged: Judged) -> None:
        """Take a verdict, and tell it unless it is to be kept quiet."""
        self.results.append(judged)
        connection, grade = judged.connection, judged.verdict.grade
        self._unmet -= {connection.client.address, connection.server.address}
        self.counts[str(grade)] += 1
        if self.options.witness is not None and grade in (Grade.WARN, Grade.FAIL) and len(self.witnesses) < WITNESSES:
            name = f"{Path(self.options.capture).stem}.connection{connection.number}.pcap"
            self.witnesses[connection.number] = self.options.witness / name
        if not self.options.quiet or grade >= Grade.WARN:
            self._waiting.append(self._lines(judged))
        if not self._unmet:
            self.tell()

    def tell(self) -> None:
        """Print what waits."""
        for text in self._waiting:
            print(text, flush=True)
        self._waiting.clear()

    def tell_fingerprints(self) -> None:
        """Print which known deviations each host showed, where a host has several connections."""
        hosts: dict[str, list[Judged]] = {}
        for j in self.results:
            hosts.setdefault(j.subject.rpartition(":")[0], []).append(j)
        for host, ends in hosts.items():
            shown = _deviations(sum((Counter(j.verdict.fingerprint) for j in ends), Counter()))
            for peer, names in shown.items() if len(ends) > 1 else ():
                print(f"{host}, {len(ends)} connections: deviates as {peer} is known to: {names}")

    def check(self) -> None:
        """UserError where the capture, wholly read, holds nothing to judge or no connection of an address given as near."""
        name = self.options.capture
        if not self.results:
            raise UserError(f"{name}: no TCP connection in it; judge a capture that holds at least one")
        if self._unmet:
            ends = (e.address for j in self.results for e in (j.connection.client, j.connection.server))
            met = list(dict.fromkeys(ends))
            shown = ", ".join(met[:SHOWN]) + (f" and {len(met) - SHOWN} more" if len(met) > SHOWN else "")
            raise UserError(f"--near {sorted(self._unmet)[0]}: no connection of {name} has this address; it holds {shown}")

    def save_witnesses(self) -> None:
        """Write the connections with findings, each to a file of its own, and say so."""
        folder = self.options.witness
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_connections(read_packets(self.options.capture), self.witnesses)
        except OSError as error:
            raise cannot_write(folder, error) from None
        for path in self.witnesses.values():
            print(f"witness: {path}")

    def _lines(self, judged: Judged) -> str:
        connection, verdict = judged.connection, judged.verdict
        role = "opener" if judged.direction is Direction.CLIENT else "listener"
        where = "near" if judged.near else "far"
        head = f"{connection.client} > {connection.server}   {judged.subject} as {role}, {where} capture"
        head += f"   {connection.packets:,} packets   {verdict.grade}"
        failed = next((f for f in verdict.findings if f.grade is Grade.FAIL), None)
        if failed is not None:
            head += f" at {self._place(failed)}"
        head += f" ({verdict.reason})" if verdict.reason else ""
        told = [self._block(f) for f in verdict.findings if f.grade >= Grade.WARN]
        told += [f"deviates as {peer} is known to: {shown}" for peer, shown in _deviations(verdict.fingerprint).items()]
        return "\n".join([head, *(f"  {line}" for block in told for line in block.splitlines())])

    def _block(self, finding: Finding) -> str:
        if finding.grade is Grade.INCONCLUSIVE:  # no violation: it must not look like one
            return f"unexplained at {self._place(finding)}: {finding.observed}"
        titles = {name: text for name, (text, _) in catalogue().items()}
        return render(finding, titles, place=self._place(finding))

    def _place(self, finding: Finding) -> str:
        """Where in the capture: seconds count from its first packet."""
        seconds = f"{(finding.time - (self.start or 0)) / 1e6:.3f} s"
        return f"packet {finding.number} ({seconds})" if finding.number else seconds

    def as_data(self, notes: list[str]) -> dict[str, Any]:
        """The report as plain data."""
        return {"capture": self.options.capture, "notes": notes, "connections": [self._end_data(j) for j in self.results]}

    def _end_data(self, judged: Judged) -> dict[str, Any]:
        connection, verdict = judged.connection, judged.verdict
        levels = {name: level for name, (_, level) in catalogue().items()} if verdict.findings else {}
        return {
            "client": [connection.client.address, connection.client.port],
            "server": [connection.server.address, connection.server.port],
            "packets": connection.packets,
            "judged": judged.subject,
            "role": judged.direction.name.lower(),
            "near": judged.near,
            "verdict": str(verdict.grade).lower(),
            "reason": verdict.reason,
            "findings": [finding_data(f, levels) for f in verdict.findings],
            "deviations": [{"peer": p, "name": name, "times": n} for (p, name), n in sorted(verdict.fingerprint.items())],
            "witness": str(self.witnesses[connection.number]) if connection.number in self.witnesses else None,
            "rows": dict(verdict.coverage),
        }


def _deviations(fingerprint: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """What was seen of the deviations of each peer, in words."""
    found: dict[str, list[str]] = {}
    for (peer, name), n in sorted(fingerprint.items()):
        found.setdefault(peer, []).append(f"{name} ({n})" if n > 1 else name)
    return {peer: ", ".join(names) for peer, names in found.items()}


@lru_cache(maxsize=1)
def catalogue() -> dict[str, tuple[str, str]]:
    """The sentence and the level of each clause, by its full name."""
    return {c.name: (c.text, str(c.level)) for c in load_catalogues(SPEC / "clauses")}


def _judge(report: _Report, law: CompiledLaw, capture: Capture) -> int:
    console = Console(stderr=True)
    interrupted = False
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.fields[packets]:,} packets"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    # started, a bar that is not shown still ends with an empty line
    with bar if console.is_terminal else nullcontext():
        task = bar.add_task("", packets=0, total=None)

        def counting() -> Iterator[Packet]:
            for number, packet in enumerate(capture, 1):
                if report.start is None:
                    report.start = packet.time_us
                if number % 1000 == 0:
                    bar.update(task, packets=number)
                yield packet

        try:
            for judged in judge_capture(law, counting(), _sides(report.near), capture.running_until_us, lost=lambda: capture.lost):
                report.add(judged)
        except KeyboardInterrupt:
            print("interrupted: what was judged so far follows", file=sys.stderr)
            interrupted = True
    for note in capture.notes:
        print(f"note: {note}", file=sys.stderr)
    if not interrupted:
        report.check()
    report.tell()
    report.tell_fingerprints()
    print(f"{len(report.results)} ends of connections: " + ", ".join(f"{n} {g}" for g, n in report.counts.items()) + ".")
    return 130 if interrupted else EXIT[max((j.verdict.grade for j in report.results), default=Grade.PASS)]


def _unpacked(file: Any, name: str) -> Any:
    """`file`, unless it holds a compressed capture: then `UserError`."""
    try:
        start = file.peek(6)
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from None
    for magic, program in COMPRESSED.items():
        if start.startswith(magic):
            raise UserError(f"{name} is compressed; unpack it first: {program} -dc < FILE | wirelaw judge -")
    return file


@contextmanager
def _opened(name: str) -> Iterator[Capture]:
    """The capture of that name; its file is closed afterwards."""
    if name == "-":
        yield Capture(_unpacked(sys.stdin.buffer, "standard input"), "standard input")
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; the error of opening it alone is told here
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from None
    with file:
        yield Capture(_unpacked(file, name), name)


def _addresses(given: list[str]) -> frozenset[str]:
    """The addresses in their usual notation."""
    found = set()
    for address in given:
        try:
            found.add(str(ip_address(address)))
        except ValueError:
            raise UserError(f"--near {address}: no IP address; give the address of the host the capture was taken at") from None
    return frozenset(found)


def _sides(near: frozenset[str]) -> Any:
    if not near:
        return None

    def sides(connection: Connection) -> list[tuple[Direction, bool]]:
        return [(Direction.CLIENT, connection.client.address in near), (Direction.SERVER, connection.server.address in near)]

    return sides
