"""Verbs that test other people's stacks: conform, peers, replay."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from wirelaw.conformance.campaign import Progress as Reached
from wirelaw.conformance.campaign import Results, run
from wirelaw.conformance.peer import Missing, Peer
from wirelaw.conformance.peers import linux, wirelaw, wirelaw_qemu
from wirelaw.conformance.replay import replay
from wirelaw.conformance.report import as_data, table, write
from wirelaw.conformance.trace import parse_trace
from wirelaw.impl.runtime.errors import MissingMeans, UserError
from wirelaw.tools.verbs.output import write_json

PEERS: dict[str, tuple[Callable[[], Peer], Callable[[], Missing | None]]] = {
    "linux": (linux.LinuxPeer, linux.missing),
    "wirelaw": (wirelaw.WirelawPeer, wirelaw.missing),
    "wirelaw-qemu": (wirelaw_qemu.WirelawQemuPeer, wirelaw_qemu.missing),
}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    conform = verbs.add_parser(
        "conform",
        help="walk peers through the law and say, clause by clause, where they stand",
        description="Run conformance walks against the peers that are here. Interrupting keeps what was found.",
        epilog="Each finding comes with a witness: replay it with `wirelaw replay FILE.trace`.",
    )
    conform.add_argument("protocol", choices=("tcp",))
    conform.add_argument("--peer", action="append", choices=sorted(PEERS), help="only this peer (default: all that are here)")
    conform.add_argument("--seed", type=int, default=0, help="the same seed gives the same walks (default: 0)")
    conform.add_argument(
        "--budget", type=_seconds, default=60.0, metavar="TIME", help="for all peers together, such as 60s or 5min (default: 60s)"
    )
    conform.add_argument("--walks", type=int, help="so many walks a peer, instead of a time")
    conform.add_argument("--clause", default="", help="only clauses whose name contains this, such as 3.10.7.4/second")
    conform.add_argument("--all", action="store_true", help="show clauses nothing was found out about, too")
    conform.add_argument(
        "--out", type=Path, default=Path("report"), help="folder for results.json, index.html and witnesses (default: report)"
    )
    conform.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON here as well")
    conform.set_defaults(run=run_conform)

    peers = verbs.add_parser("peers", help="list the peers, and what would install those that are missing", description="List the peers.")
    peers.add_argument("--json", type=Path, metavar="FILE", help="write the list as JSON")
    peers.set_defaults(run=run_peers)

    again = verbs.add_parser(
        "replay", help="play a witness again", description="Play a .trace against a peer and say what is observed this time."
    )
    again.add_argument("trace", type=Path)
    again.add_argument("--peer", choices=sorted(PEERS), help="another peer than the one it was found with")
    again.add_argument("--json", type=Path, metavar="FILE", help="write what was observed as JSON")
    again.set_defaults(run=run_replay)


def _seconds(text: str) -> float:
    digits = text.rstrip("smin")
    scale = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0}.get(text[len(digits) :])
    try:
        if scale is None or float(digits) <= 0:
            raise ValueError
        return float(digits) * scale
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one like 60s or 5min") from None


def run_conform(options: argparse.Namespace) -> int:
    """`wirelaw conform`: 1 when a peer breaks a clause that its file does not expect, 3 when something stayed undecided."""
    chosen = options.peer or sorted(PEERS)
    absent = {name: missing for name in chosen if (missing := PEERS[name][1]()) is not None}
    for name, missing in absent.items():
        print(f"skipped {name}: {missing.reason}; {missing.command}")
    present = [name for name in chosen if name not in absent]
    if not present:
        raise MissingMeans("none of the peers asked for is here", "see `wirelaw peers`")
    options.out.mkdir(parents=True, exist_ok=True)
    results = _campaign(options, present)
    results.missing.update({name: f"{missing.reason}; {missing.command}" for name, missing in absent.items()})
    console = Console(width=max(100, shutil.get_terminal_size().columns))
    console.print(table(results, options.all))
    for path in write(results, options.out):
        print(f"witness: wirelaw replay {path}")
    print(f"{options.out}/index.html   {options.out}/results.json")
    write_json(options.json, as_data(results))
    return 1 if results.failures else 0


def _campaign(options: argparse.Namespace, present: list[str]) -> Results:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=1.0, said="waiting") for name in present}
        share = options.budget / len(present)

        def show(reached: Reached) -> None:
            said = f"{reached.walks:,} walks  rows {reached.rows}/{reached.judged_rows}  states {reached.states}  {reached.phase}"
            done = 1.0 if reached.phase == "done" else min(reached.seconds / share, 1.0)
            bars.update(tasks[reached.peer], completed=done, said=said)

        return run([PEERS[n][0] for n in present], options.seed, options.budget, options.clause, show, options.walks)


def run_peers(options: argparse.Namespace) -> int:
    """`wirelaw peers`."""
    listed = []
    for name, (start, missing) in sorted(PEERS.items()):
        lacking = missing()
        if lacking is None:
            with start() as peer:
                print(f"{name:10} {peer.version}   {len(peer.DEVIATIONS)} expected deviations")
                listed.append({"name": name, "version": peer.version, "missing": None, "deviations": dict(peer.DEVIATIONS)})
        else:
            print(f"{name:10} not here: {lacking.reason}; {lacking.command}")
            listed.append({"name": name, "version": None, "missing": lacking.reason, "command": lacking.command})
    write_json(options.json, listed)
    return 0


def run_replay(options: argparse.Namespace) -> int:
    """`wirelaw replay`: 1 when the finding shows again (or any other violation), else 0."""
    try:
        text = options.trace.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {options.trace}: {error}") from None
    trace = parse_trace(text, str(options.trace))
    name = options.peer or trace.peer
    if name not in PEERS:
        raise UserError(
            f"{options.trace} was found with the peer {name!r}, which is not known; choose one with --peer ({', '.join(sorted(PEERS))})"
        )
    start, missing = PEERS[name]
    lacking = missing()
    if lacking is not None:
        raise MissingMeans(f"peer {name} is not here: {lacking.reason}", lacking.command)
    with start() as peer:
        played = replay(trace, peer)
    print(played.text)
    if trace.fails is not None:
        print(f"the finding of this trace ({trace.fails[0]}, row {trace.fails[1]}) {'shows again' if played.shows else 'does not show'}")
    write_json(options.json, {"peer": name, "shows": played.shows, "verdict": str(played.result.verdict), "observed": played.text})
    return int(played.result.failure is not None)
