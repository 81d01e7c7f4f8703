"""`wirelaw conform NAME --law .. --adapter .. --agent ..`: any implementation of a datagram protocol, walked and judged by its law."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from wirelaw.conformance.datagrams import Connect, Results, WalkResult, agent, campaign, first_violation, udp_server, write_witness
from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.adapter import load_adapter
from wirelaw.oracle.engine.explanation import as_data as finding_data
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.spec.language.clauses import Clause, load_catalogues
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.verbs.output import cannot_write, write_json

MANY = 1_000_000


def run(options: argparse.Namespace) -> int:
    """1 when the peer breaks a clause, 3 when a violation did not show again, else 0."""
    if not options.law or options.adapter is None or (options.agent is None) == (options.udp is None):
        raise UserError("a law of your own is tested with --law, --adapter, and one of --agent COMMAND or --udp ADDRESS:PORT")
    law = load(options.law, options.externs)
    compiled = compile_law(law.machine(options.protocol), deviations=law.known_deviations(options.protocol))
    clauses = {c.name: c for c in load_catalogues(SPEC / "clauses", *options.law)}
    make = load_adapter(options.adapter)
    try:
        (options.out / "witness").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(options.out, error) from None
    console = Console(stderr=True)
    with Status("", console=console) as status:

        def told(results: Results) -> None:
            if console.is_terminal:
                status.update(f"{sum(results.walks.values()):,} walks, {len(results.found)} violations")

        results = campaign(
            compiled, make, _connect(options), most=options.walks or MANY, budget=options.budget, start=options.seed,
            kept=options.out / "examples", told=told,
        )  # fmt: skip
    witnesses = {key: _save(options.out, options.protocol, key, walk) for key, walk in results.found.items()}
    print(report(results, compiled, clauses, witnesses))
    data = _data(results, compiled, clauses, witnesses)
    write_json(options.out / "results.json", data)
    write_json(options.json, data)
    if results.interrupted:
        print("interrupted: this is what was found so far", file=sys.stderr)
        return 130
    return 1 if results.found else 3 if results.unconfirmed else 0


def _connect(options: argparse.Namespace) -> Connect:
    if options.agent is not None:
        return partial(agent, options.agent, options.out / "agent.log")
    matched = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+):(\d+)", options.udp)
    if matched is None or not 0 < int(matched[2]) < 65536:
        raise UserError(f"--udp {options.udp}: write an IPv4 address and a port, such as 127.0.0.1:4000")
    return partial(udp_server, matched[1], int(matched[2]))


def _save(out: Path, machine: str, key: tuple[str, str], walk: WalkResult) -> Path:
    path = out / "witness" / f"{machine}-{key[1]}.pcap"
    write_witness(path, walk)
    return path


def standing(results: Results, law: CompiledLaw) -> dict[str, str]:
    """Clause -> `FAIL`, `pass` (a row that cites it was taken) or `not exercised`, in the order of the law."""
    broken = {clause for walk in results.found.values() if (f := first_violation(walk)) for clause, _ in f.clauses or ((f.clause, ""),)}
    said: dict[str, str] = {}
    # a gate without a condition has been put to every message of its kind
    bound = {r.id for r in law.machine.gates if not r.states and not r.guard and results.sent[r.event]}
    for row in law.machine.rows():
        for clause in row.clauses:
            if said.get(clause) != "pass":
                said[clause] = "pass" if results.rows[row.id] or row.id in bound else "not exercised"
    return {clause: "FAIL" if clause in broken else verdict for clause, verdict in said.items()}


def report(results: Results, law: CompiledLaw, clauses: Mapping[str, Clause], witnesses: Mapping[tuple[str, str], Path]) -> str:
    """What people read."""
    said = standing(results, law)
    width = max((len(c) for c in said), default=0)
    lines = [f"{c:<{width}}  {s:<13}  {clauses[c].text if c in clauses else ''}".rstrip() for c, s in said.items()]
    titles = {name: clause.text for name, clause in clauses.items()}
    for key, walk in results.found.items():
        failed = first_violation(walk)
        lines += ["", render(failed, titles) if failed is not None else "the peer ended in the middle of a conversation"]
        lines += [f"witness: {witnesses[key]}   ({len(walk.trace)} datagrams)"]
    for (clause, row), n in results.unconfirmed.items():
        lines += ["", f"{clause} [{row}]: {n} violation{'s' if n > 1 else ''} that did not show again; not counted"]
    taken = sum(1 for r in law.machine.rows() if results.rows[r.id])
    walks = ", ".join(f"{n} {g}" for g, n in results.walks.items())
    return "\n".join(
        [
            *lines,
            "",
            f"{sum(results.walks.values()):,} walks ({walks or 'none'}); {taken} of {sum(1 for _ in law.machine.rows())} rows taken.",
        ]
    )


def _data(results: Results, law: CompiledLaw, clauses: Mapping[str, Clause], witnesses: Mapping[tuple[str, str], Path]) -> dict[str, Any]:
    levels = {name: str(clause.level) for name, clause in clauses.items()}
    found = [
        {
            "witness": str(witnesses[key]),
            "finding": finding_data(f, levels) if (f := first_violation(walk)) is not None else "the peer ended",
        }
        for key, walk in results.found.items()
    ]
    return {
        "machine": law.machine.name, "clauses": standing(results, law), "walks": dict(results.walks), "rows": dict(results.rows),
        "found": found, "unconfirmed": [[*key, n] for key, n in results.unconfirmed.items()], "interrupted": results.interrupted,
    }  # fmt: skip
