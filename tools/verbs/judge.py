"""`wirelaw judge`: a verdict for each connection of a capture made by anyone."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.adapters.tcp import Connection, Direction
from wirelaw.oracle.capture import Capture
from wirelaw.oracle.explanation import render
from wirelaw.oracle.rows import CompiledLaw, compile_law
from wirelaw.oracle.tcp import Judged, judge_capture
from wirelaw.oracle.verdict import Grade
from wirelaw.spec.language.load import load
from wirelaw.tools.verbs.output import write_json
from wirelaw.tools.verbs.teaching import INTERRUPTED, add_json, add_verb

COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
"""First octets of compressed files -> the program that unpacks them."""

EXIT = {Grade.PASS: 0, Grade.NOTE: 0, Grade.WARN: 0, Grade.INCONCLUSIVE: 3, Grade.FAIL: 1, Grade.ERROR: 2}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `judge`."""
    judge = add_verb(
        verbs,
        "judge",
        "judge the TCP connections of a capture (pcap, pcapng)",
        "Say of each end of each TCP connection whether it kept the law, and if not, which clause it broke, where, and what would\n"
        "have been allowed. An end the capture is not near to can only pass or stay inconclusive: what it sent may have been lost\n"
        "on the way. A capture packed by gzip, xz or the like is unpacked first: zcat FILE.gz | wirelaw judge -",
        [
            ("judge upload.pcap", "each end, one line; findings in full"),
            ("judge upload.pcap --near 192.0.2.7", "the capture was taken at this host"),
            ("judge upload.pcap -q --json verdicts.json", "print what is not a pass; all of it as JSON"),
            ("judge - < upload.pcap", "from standard input"),
        ],
        {0: "every end passes", 1: "an end broke the law", 3: "nothing worse than inconclusive", **INTERRUPTED},
    )
    judge.add_argument("capture", help="a pcap or pcapng file, or - for standard input")
    judge.add_argument("--law", action="append", type=Path, help="law files or folders (default: the law that ships)")
    judge.add_argument(
        "--near", metavar="ADDRESS", action="append", help="the capture was taken at this host (default: told from the times)"
    )
    add_json(judge, "verdicts and findings")
    judge.add_argument("-q", "--quiet", action="store_true", help="print only what is not a pass")
    judge.set_defaults(run=run_judge)


def compiled_tcp(paths: list[Path] | None = None) -> CompiledLaw:
    """The TCP law, compiled for judging."""
    return compile_law(load(paths).machine("tcp.connection"))


def run_judge(options: argparse.Namespace) -> int:
    """`wirelaw judge`."""
    law = compiled_tcp(options.law)
    with _opened(options.capture) as capture:
        return _judge(options, law, capture)


def _judge(options: argparse.Namespace, law: CompiledLaw, capture: Capture) -> int:
    console = Console(stderr=True)
    results: list[Judged] = []
    worst = Grade.PASS
    counts: Counter[str] = Counter()
    interrupted = False
    try:
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[packets]:,} packets"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar:
            task = bar.add_task("", packets=0, total=None)

            def counted() -> Any:
                for number, packet in enumerate(capture, 1):
                    if number % 1000 == 0:
                        bar.update(task, packets=number)
                    yield packet

            for judged in judge_capture(law, counted(), _sides(options.near), capture.running_until_us):
                results.append(judged)
                worst = max(worst, judged.verdict.grade)
                counts[str(judged.verdict.grade)] += 1
                if not options.quiet or judged.verdict.grade >= Grade.WARN:
                    print(_lines(judged), flush=True)
    except KeyboardInterrupt:
        print("interrupted: what was judged so far follows", file=sys.stderr)
        interrupted = True
    for note in capture.notes:
        print(f"note: {note}", file=sys.stderr)
    if not results and not interrupted:
        raise UserError(f"{options.capture}: no TCP connection in it; judge a capture that holds at least one")
    print(f"{len(results)} ends of connections: " + ", ".join(f"{n} {g}" for g, n in counts.items()) + ".")
    write_json(options.json, {"capture": options.capture, "notes": list(capture.notes), "connections": [_as_json(j) for j in results]})
    return 130 if interrupted else EXIT[worst]


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


def _sides(near: list[str] | None) -> Any:
    if not near:
        return None

    for address in near:
        try:
            ip_address(address)
        except ValueError:
            raise UserError(f"--near {address}: no IP address; give the address of the host the capture was taken at") from None

    def sides(connection: Connection) -> list[tuple[Direction, bool]]:
        return [(Direction.CLIENT, connection.client.address in near), (Direction.SERVER, connection.server.address in near)]

    return sides


def _lines(judged: Judged) -> str:
    connection, verdict = judged.connection, judged.verdict
    role = "opener" if judged.direction is Direction.CLIENT else "listener"
    where = "near" if judged.near else "far"
    ends = f"{connection.client} > {connection.server}   {judged.subject} as {role}, {where} capture"
    head = f"{ends}   {connection.packets:,} packets   {verdict.grade}"
    if verdict.reason:
        head += f" ({verdict.reason})"
    return "\n".join([head, *(render(finding) for finding in verdict.findings if finding.grade >= Grade.WARN)])


def _as_json(judged: Judged) -> dict[str, Any]:
    connection, verdict = judged.connection, judged.verdict
    return {
        "client": [connection.client.address, connection.client.port],
        "server": [connection.server.address, connection.server.port],
        "packets": connection.packets,
        "judged": judged.subject,
        "role": judged.direction.name.lower(),
        "near": judged.near,
        "verdict": str(verdict.grade).lower(),
        "reason": verdict.reason,
        "findings": [
            {
                "clause": f.clause, "level": f.level, "row": f.row, "packet": f.number, "time_us": f.time,
                "observed": f.observed, "expected": [str(n) for n in f.nearest],
            }
            for f in verdict.findings
        ],
        "rows": dict(verdict.coverage),
    }  # fmt: skip
