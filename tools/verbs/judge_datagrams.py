"""`wirelaw judge --adapter`: a verdict for each end of each conversation of a protocol of one's own."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.adapter import JudgedEnd, Roles, judge_datagrams, load_adapter
from wirelaw.oracle.capture import Packet
from wirelaw.oracle.engine.explanation import as_data as finding_data
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.clauses import Clause, load_catalogues
from wirelaw.spec.language.deviations import Deviations
from wirelaw.spec.language.load import SPEC, Law, load
from wirelaw.tools.verbs.output import write_json

NOBODY = "none"
EXIT = {Grade.INCONCLUSIVE: 3, Grade.FAIL: 1, Grade.ERROR: 2}


def laws_of(options: argparse.Namespace) -> tuple[dict[str, CompiledLaw], Roles]:
    """The machines that may judge, compiled, and the roles of all. Raises UserError where --law or --machine does not fit."""
    if not options.law:
        raise UserError("--adapter reads messages of your law; say where that is: --law FOLDER")
    law = load([*options.law, *(options.deviations or [])], options.externs)
    chosen = [options.machine] if options.machine else list(law.machines)
    if options.machine and options.machine not in law.machines:
        raise UserError(f"--machine {options.machine}: no such machine in the law; it has {', '.join(law.machines)}")
    made = {name: compile_law(law.machine(name), deviations=known(law, name, options.peer)) for name in chosen}
    return made, Roles.of(law.machines.values())


def known(law: Law, machine: str, peer: str | None) -> tuple[Deviations, ...]:
    """What `peer`, or where it has no name any peer, is known to do against the law of `machine`; UserError where nobody knows it."""
    if peer == NOBODY:
        return ()
    if peer is not None and all(peer != name for name, _ in law.deviations):
        there = ", ".join(sorted({name for name, _ in law.deviations})) or "nobody"
        raise UserError(f"--peer {peer}: no deviations are known of it, but of {there}; give a file of them with --deviations FILE")
    return law.known_deviations(machine, peer) if peer is None or peer in law.peers(machine) else ()


def run(options: argparse.Namespace, packets: Iterable[Packet], near: frozenset[str]) -> int:
    """Judge `packets`; the exit code."""
    laws, roles = laws_of(options)
    clauses = {c.name: c for c in load_catalogues(SPEC / "clauses", *options.law)}
    results: list[JudgedEnd] = []
    interrupted = False
    try:
        for judged in judge_datagrams(laws, roles, load_adapter(options.adapter), packets, near):
            results.append(judged)
            if not options.quiet or judged.verdict.grade >= Grade.WARN:
                print(lines(judged, clauses), flush=True)
    except KeyboardInterrupt:
        print("interrupted: what was judged so far stands", file=sys.stderr)
        interrupted = True
    if not results and not interrupted:
        raise UserError(f"{options.capture}: no message of this law in it, as the adapter reads it; capture one that begins a conversation")
    counts = Counter(str(j.verdict.grade) for j in results)
    print(f"{len(results)} ends of conversations: " + ", ".join(f"{n} {g}" for g, n in counts.items()) + ".")
    write_json(options.json, {"capture": options.capture, "ends": [_data(j, clauses) for j in results]})
    return 130 if interrupted else max((EXIT.get(j.verdict.grade, 0) for j in results), default=0)


def lines(judged: JudgedEnd, clauses: Mapping[str, Clause]) -> str:
    """What is said of one end."""
    where = "near" if judged.near else "far"
    head = f"{judged.source} > {judged.target}   {judged.end} as {judged.machine}, {where} capture   {judged.datagrams} datagrams"
    titles = {name: clause.text for name, clause in clauses.items()}
    told = [render(f, titles) for f in judged.verdict.findings if f.grade >= Grade.WARN]
    return "\n".join([f"{head}   {judged.verdict}", *(f"  {line}" for block in told for line in block.splitlines())])


def _data(judged: JudgedEnd, clauses: Mapping[str, Clause]) -> dict[str, Any]:
    levels = {name: str(clause.level) for name, clause in clauses.items()}
    return {
        "source": list(judged.source), "target": list(judged.target), "end": list(judged.end), "machine": judged.machine,
        "near": judged.near, "datagrams": judged.datagrams, "verdict": str(judged.verdict.grade).lower(), "reason": judged.verdict.reason,
        "findings": [finding_data(f, levels) for f in judged.verdict.findings], "rows": dict(judged.verdict.coverage),
    }  # fmt: skip
