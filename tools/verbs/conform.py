"""Verbs that test other people's stacks: conform, peers, replay."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from wirelaw.conformance.campaign import Progress as Reached
from wirelaw.conformance.campaign import Results, judged_clauses, run
from wirelaw.conformance.interleave import known_deviations, tcp_law
from wirelaw.conformance.peer import Missing, Peer
from wirelaw.conformance.peers import linux, wirelaw, wirelaw_qemu
from wirelaw.conformance.replay import replay
from wirelaw.conformance.report import as_data, table, write
from wirelaw.conformance.trace import Call, Send, Trace, Trouble, Wait, parse_trace
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.impl.runtime.errors import MissingMeans, UserError
from wirelaw.spec.language.deviations import Deviation
from wirelaw.tools.verbs import conform_datagrams
from wirelaw.tools.verbs.output import cannot_write, write_json
from wirelaw.tools.verbs.quantities import count, seconds, whole
from wirelaw.tools.verbs.teaching import INTERRUPTED, add_externs, add_json, add_verb

LONGEST_WAIT = 100 * 3_600_000_000
"""µs; longer than any timer of the law, so that every witness can be played."""
LONGEST_TEXT = 65_483
MOST = 1 << 30

PEERS: dict[str, tuple[Callable[[], Peer], Callable[[], Missing | None]]] = {
    "linux": (linux.LinuxPeer, linux.missing),
    "wirelaw": (wirelaw.WirelawPeer, wirelaw.missing),
    "wirelaw-qemu": (wirelaw_qemu.WirelawQemuPeer, wirelaw_qemu.missing),
}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    conform = add_verb(
        verbs,
        "conform",
        "Inputs are made from the guards of the law's rows and sent to each peer that is here; its answers are judged. Each finding\n"
        "comes with a witness: replay it with `wirelaw replay FILE.trace`. The same seed walks the same way.",
        [
            ("conform tcp", "every peer that is here, for a minute"),
            ("conform tcp --peer linux --budget 5min", "the Linux kernel, for longer"),
            ("conform tcp --clause 3.10.7.4/second", "only clauses with that in their name"),
            ("conform tcp --walks 50 --seed 7 --json r.json", "so many walks a peer; results as JSON"),
            ("conform knock.door --law mine --adapter mine/adapter.py --agent ./door", "a protocol of your own, over datagrams"),
        ],
        {
            0: "no peer breaks a clause otherwise than it is known to",
            1: "one does",
            3: "none does, and something stays undecided",
            **INTERRUPTED,
        },
    )
    conform.add_argument("protocol", help="tcp, or with --law the machine that your peer is to be")
    conform.add_argument("--law", action="append", type=Path, help="your law: files or folders")
    conform.add_argument(
        "--adapter", type=Path, metavar="FILE.py", help="your program that reads and writes its datagrams; it is run, so trust it"
    )
    conform.add_argument(
        "--agent", metavar="COMMAND", help="starts your peer, one process a walk: `F` + datagram on descriptor 3, a SEQPACKET socket"
    )
    conform.add_argument("--udp", metavar="ADDRESS:PORT", help="where your peer serves already")
    conform.add_argument("--peer", action="append", choices=sorted(PEERS), help="only this peer (default: all that are here)")
    conform.add_argument("--seed", type=whole, default=0, help="the same seed gives the same walks (default: 0)")
    conform.add_argument(
        "--budget", type=seconds, default=60.0, metavar="TIME", help="for all peers together, such as 60s or 5min (default: 60s)"
    )
    conform.add_argument("--walks", type=count, help="so many walks a peer, instead of a time")
    conform.add_argument("--clause", default="", help="only clauses whose name contains this, such as 3.10.7.4/second")
    conform.add_argument("--all", action="store_true", help="show clauses nothing was found out about, too")
    conform.add_argument(
        "--out", type=Path, default=Path("report"), help="folder for results.json, index.html and witnesses (default: report)"
    )
    add_externs(conform)
    add_json(conform, "the results, here as well,")
    conform.set_defaults(run=run_conform)

    peers = add_verb(
        verbs,
        "peers",
        "A peer is a TCP that `wirelaw conform` can test: in this process, behind QEMU's device, or the kernel's.",
        [("peers", "the list, with versions"), ("peers --json peers.json", "the same as JSON, with the deviations known")],
        {0: "listed"},
    )
    add_json(peers, "the list")
    peers.set_defaults(run=run_peers)

    again = add_verb(
        verbs,
        "replay",
        "A witness is the .trace file that `wirelaw conform` writes beside each finding: text, one step a line.",
        [
            ("replay report/witness/NAME.trace", "against the peer it was found with"),
            ("replay NAME.trace --peer wirelaw", "against another one"),
            ("replay NAME.trace --json seen.json", "what is observed, as JSON"),
        ],
        {0: "no violation this time", 1: "a violation"},
    )
    again.add_argument("trace", type=Path)
    again.add_argument("--peer", choices=sorted(PEERS), help="another peer than the one it was found with")
    add_json(again, "what was observed")
    again.set_defaults(run=run_replay)


def run_conform(options: argparse.Namespace) -> int:
    """`wirelaw conform`: 1 when a peer breaks a clause that its file does not expect, else 3 when one stays undecided, else 0."""
    if options.law or options.adapter or options.agent or options.udp:
        return conform_datagrams.run(options)
    if options.protocol != "tcp":
        raise UserError(f"{options.protocol}: `tcp` is tested as it is; a law of your own needs --law, --adapter, and --agent or --udp")
    _check_clause(options.clause)
    chosen = options.peer or sorted(PEERS)
    absent = {name: missing for name in chosen if (missing := PEERS[name][1]()) is not None}
    for name, missing in absent.items():
        print(f"skipped {name}: {missing.reason}; {missing.command}")
    present = [name for name in chosen if name not in absent]
    if not present:
        raise MissingMeans("none of the peers asked for is here", "see `wirelaw peers`")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(options.out, error) from None
    results = _campaign(options, present)
    results.missing.update({name: f"{missing.reason}; {missing.command}" for name, missing in absent.items()})
    console = Console(width=max(100, shutil.get_terminal_size().columns))
    console.print(table(results, options.all))
    try:
        witnesses = write(results, options.out)
    except OSError as error:
        raise cannot_write(options.out, error) from None
    for path in witnesses:
        print(f"witness: wirelaw replay {path}")
    print(f"{options.out}/index.html   {options.out}/results.json")
    write_json(options.json, as_data(results))
    if results.interrupted:
        print("interrupted: this is what was found so far", file=sys.stderr)
        return 130
    return 1 if results.failures else 3 if results.undecided else 0


def _check_clause(wanted: str) -> None:
    """`UserError` when no judged clause has `wanted` in its name."""
    judged = judged_clauses(tcp_law())
    if any(wanted in name for name in judged):
        return
    unseen = next((name for name in sorted(UNSEEN) if wanted in name), None)
    if unseen is not None:
        raise UserError(f"{unseen} is not judged: {UNSEEN[unseen]}; choose another clause (`wirelaw conform --all` lists them)")
    near = get_close_matches(wanted, [*judged, *(name.partition(":")[2] for name in judged)], 3, 0.5)
    said = f"did you mean {' or '.join(near)}?" if near else "give a part of a name, such as 3.10.7.4/second"
    raise UserError(f"no clause is called like {wanted!r}; {said}")


def _campaign(options: argparse.Namespace, present: list[str]) -> Results:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
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
                known = [_deviation_data(d) for d in known_deviations(peer.deviations)]
                print(f"{name:10} {peer.version}   {len(known)} known deviations")
                listed.append({"name": name, "version": peer.version, "missing": None, "deviations": known})
        else:
            print(f"{name:10} not here: {lacking.reason}; {lacking.command}")
            listed.append({"name": name, "version": None, "missing": lacking.reason, "command": lacking.command})
    write_json(options.json, listed)
    return 0


def _deviation_data(d: Deviation) -> dict[str, object]:
    against = sorted({(c.clause, c.level or "") for a in d.alternatives for c in a.row.citations})
    return {"name": d.name, "reason": d.reason, "versions": d.versions, "against": [{"clause": c, "level": n} for c, n in against]}


def _check_sound(trace: Trace, path: Path) -> None:
    """`UserError` for a trace that is well formed and that no peer can be made to play."""
    if trace.role not in ("client", "server"):
        raise UserError(f"{path}: role {trace.role!r} is none; write `role client` or `role server`")
    if not 0 <= trace.buffer <= MOST or not 0 <= trace.isn < 1 << 32:
        raise UserError(f"{path}: `buffer` is within 0..{MOST} octets and `isn` within 0..{(1 << 32) - 1}; correct them")
    for number, step in enumerate(trace.steps, 1):
        match step:
            case Wait(us=us) if not 0 <= us <= LONGEST_WAIT:
                raise UserError(f"{path}: step {number}, `{step}`: a wait is within 0..{LONGEST_WAIT} microseconds; correct it")
            case Trouble(type=kind, code=code) if not (0 <= kind < 256 and 0 <= code < 256):
                raise UserError(f"{path}: step {number}, `{step}`: an ICMP type or code is within 0..255; correct it")
            case Call(n=n) if not 0 <= n <= MOST:
                raise UserError(f"{path}: step {number}, `{step}`: a call is about 0..{MOST} octets; correct it")
            case Send(len=length, wnd=wnd, up=up) if not (0 <= length <= LONGEST_TEXT and 0 <= wnd < 65536 and 0 <= up < 65536):
                raise UserError(f"{path}: step {number}, `{step}`: a segment has no such length, window or urgent pointer; correct it")


def run_replay(options: argparse.Namespace) -> int:
    """`wirelaw replay`: 1 when the finding shows again (or any other violation), else 0."""
    try:
        text = options.trace.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {options.trace}: {error}") from None
    trace = parse_trace(text, str(options.trace))
    _check_sound(trace, options.trace)
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
