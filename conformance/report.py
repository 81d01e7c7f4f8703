"""The results of a campaign for people and programs: a table, `results.json`, and one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from wirelaw.conformance.campaign import Found, PeerResults, Results, Standing, save_witness, state_of
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.oracle.engine.explanation import as_data as finding_data
from wirelaw.oracle.engine.explanation import render
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC

_STYLES = {
    Standing.PASS: "green", Standing.KNOWN: "yellow", Standing.WARN: "yellow", Standing.INCONCLUSIVE: "magenta",
    Standing.FAIL: "bold red", Standing.FREE: "dim", Standing.UNTRIED: "dim",
}  # fmt: skip
_SHORT = {Standing.KNOWN: "warn*", Standing.INCONCLUSIVE: "incl", Standing.FREE: "free", Standing.UNTRIED: "-"}
_PLAIN = (Standing.PASS, Standing.FREE, Standing.UNTRIED)
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Conformance</title><style>
body{{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}}
table{{border-collapse:collapse}}td,th{{padding:.15rem .7rem;text-align:left;border-bottom:1px solid #ddd}}
.pass{{color:#176b2c}}.FAIL{{color:#b00020;font-weight:700}}.known,.warn{{color:#8a5a00}}.inconclusive{{color:#7a2a8a}}
.not{{color:#999}}pre{{background:#f6f6f4;padding:.8rem;overflow:auto}}summary{{cursor:pointer}}</style>
<h1>Conformance of TCP</h1><p>{head}</p><table><tr><th>clause<th>{names}</tr>
{rows}</table>{findings}</html>
"""


@lru_cache(maxsize=1)
def clause_texts() -> Mapping[str, str]:
    """The sentence of each clause of the catalogues, by its full name."""
    return {c.name: c.text for c in load_catalogues(SPEC / "clauses")}


@lru_cache(maxsize=1)
def clause_levels() -> Mapping[str, str]:
    """The level of each clause of the catalogues, by its full name."""
    return {c.name: str(c.level) for c in load_catalogues(SPEC / "clauses")}


def _summary(results: Results) -> str:
    counts = dict.fromkeys(Standing, 0)
    for clause in results.clauses:
        for peer in results.peers:
            counts[results.standing(clause, peer)] += 1
    parts = [f"{n} {s}" for s, n in counts.items() if n]
    cut = " (interrupted)" if results.interrupted else ""
    return f"{len(results.clauses)} clauses x {len(results.peers)} peers: {', '.join(parts)}.{cut}"


def _known(results: Results) -> list[str]:
    return [
        f"{p.name} [{f.finding.row}{' ' + state_of(f.finding) if state_of(f.finding) else ''}]: {f.reason}"
        for p in results.peers for f in p.found.values() if f.reason
    ]  # fmt: skip


def table(results: Results, everything: bool = False) -> Group:
    """The matrix for a terminal; without `everything`, clauses that all peers pass are only counted."""
    grid = Table(box=None, pad_edge=False)
    grid.add_column("clause")
    grid.add_column("", max_width=60, no_wrap=True)
    for peer in results.peers:
        grid.add_column(peer.name)
    plain = 0
    for clause in results.clauses:
        standings = [results.standing(clause, p) for p in results.peers]
        if not everything and all(s in _PLAIN for s in standings) and Standing.UNTRIED not in standings:
            plain += 1
            continue
        cells = [Text(_SHORT.get(s, str(s)), style=_STYLES[s]) for s in standings]
        grid.add_row(clause.replace("rfc", "RFC ").replace(":", " "), clause_texts().get(clause, ""), *cells)
    lines: list[RenderableType] = [Text("  ".join(f"{p.name} {p.version}" for p in results.peers), style="bold"), grid]
    if plain:
        lines.append(Text(f"... and {plain} clauses that every peer passes, or need not use", style="dim"))
    lines.append(Text(f"{len(UNSEEN)} more leave no trace on the wire and are not judged: results.json says why", style="dim"))
    lines += [Text(f"* known: {k}", style="yellow") for k in _known(results)]
    return Group(*lines, Text(_summary(results)))


def as_data(results: Results) -> dict[str, Any]:
    """The results as plain data, as `results.json` has them."""
    return {
        "seed": results.seed,
        "interrupted": results.interrupted,
        "missing": results.missing,
        "not_judged": dict(sorted(UNSEEN.items())),
        "peers": [_peer_data(results, p) for p in results.peers],
    }


def _peer_data(results: Results, p: PeerResults) -> dict[str, Any]:
    return {
        "name": p.name, "version": p.version, "walks": p.walks, "steps": p.steps, "packets": p.packets, "seconds": round(p.seconds, 3),
        "rows": dict(sorted(p.rows.items())), "taken": _by_row(p.taken), "states": dict(p.states), "undecided": dict(p.budget),
        "clauses": {c: str(results.standing(c, p)) for c in results.clauses},
        "unused": {c: why for c in results.clauses if (why := results.reason(c, p))},
        "findings": [_finding_data(f) for f in p.found.values()],
    }  # fmt: skip


def _by_row(taken: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Row id to state to how often the row was taken in it."""
    found: dict[str, dict[str, int]] = {}
    for (row, state), n in sorted(taken.items()):
        found.setdefault(row, {})[state] = n
    return found


def _finding_data(f: Found) -> dict[str, Any]:
    return {
        "standing": str(f.standing),
        "state": state_of(f.finding), "times": f.times, "confirmed": f.confirmed, "reason": f.reason,
        **finding_data(f.finding, clause_levels()), "trace": str(f.trace),
    }  # fmt: skip


def _page(results: Results, witnesses: Mapping[int, str]) -> str:
    rows = []
    for clause in results.clauses:
        cells = "".join(
            f'<td class="{str(s).split()[0]}">{escape(_SHORT.get(s, str(s)))}' for s in (results.standing(clause, p) for p in results.peers)
        )
        rows.append(f'<tr><td title="{escape(clause_texts().get(clause, ""))}">{escape(clause)}{cells}</tr>')
    blocks = []
    for p in results.peers:
        for f in p.found.values():
            note = f"known: {f.reason}" if f.reason else str(f.standing)
            body = escape(render(f.finding, clause_texts(), witnesses.get(id(f), "")) + "\n\n" + str(f.trace))
            blocks.append(
                f"<details><summary>{escape(p.name)}: {escape(f.finding.clause)} [{escape(f.finding.row)}] "
                f"({escape(note)}, {f.times} times)</summary><pre>{body}</pre></details>"
            )
    head = ", ".join(f"{escape(p.name)} {escape(p.version)}: {p.walks} walks, {p.steps} steps" for p in results.peers)
    names = "<th>".join(escape(p.name) for p in results.peers)
    findings = "<h2>Findings</h2>" + "".join(blocks) if blocks else ""
    unseen = "".join(f'<tr><td title="{escape(clause_texts()[c])}">{escape(c)}<td>{escape(why)}' for c, why in sorted(UNSEEN.items()))
    findings += f"<h2>Not judged</h2><table>{unseen}</table>"
    return _PAGE.format(head=f"{head}. {escape(_summary(results))}", names=names, rows="\n".join(rows), findings=findings)


def write(results: Results, directory: Path) -> list[Path]:
    """Write results.json, index.html, and a witness (.trace and .pcap) of each failure; the paths of the traces."""
    directory.mkdir(parents=True, exist_ok=True)
    witnesses: dict[int, str] = {}
    paths: list[Path] = []
    for peer in results.peers:
        for found in peer.found.values():
            if found.standing in (Standing.FAIL, Standing.INCONCLUSIVE):
                path = save_witness(found, peer.name, directory / "witness", clause_texts())
                witnesses[id(found)] = str(path.relative_to(directory))
                paths.append(path)
    (directory / "results.json").write_text(json.dumps(as_data(results), indent=1) + "\n")
    (directory / "index.html").write_text(_page(results, witnesses))
    return paths
