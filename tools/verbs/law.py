"""Verbs on the law itself: check, fmt, generate, draw."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.checks.run import run_checks
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC, Law, load, shown
from wirelaw.tools.draw import FORMATS, View, render
from wirelaw.tools.format import misformatted
from wirelaw.tools.generate import write_all
from wirelaw.tools.verbs.output import write_json, write_whole

CACHE = Path(".wirelaw-cache")
Verbs = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    check = verbs.add_parser(
        "check",
        help="prove a law sound: no two rows overlap, none is missing, every MUST is cited",
        description="Check law, profiles and clause catalogues. With no path, the law that ships with Wirelaw.",
    )
    check.add_argument("law", nargs="*", type=Path, help="law files or folders")
    check.add_argument("--clauses", type=Path, help="folder of .req clause catalogues (default: those that ship)")
    check.add_argument("--solver", choices=("z3", "exhaustive"), help="default: z3 where it is installed")
    check.add_argument("--no-cache", action="store_true", help=f"prove everything anew (default: remember proofs in {CACHE})")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    check.set_defaults(run=run_check)

    fmt = verbs.add_parser("fmt", help="lay out law files", description="Lay out law files: columns aligned, comments kept.")
    fmt.add_argument("law", nargs="*", type=Path, help="law files or folders (default: the law that ships)")
    fmt.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is not laid out")
    fmt.set_defaults(run=run_fmt)

    generate = verbs.add_parser(
        "generate",
        help="write the implementation that a law and a profile determine",
        description="Write one Python module for each machine and profile. With no path, the law that ships goes to impl/generated.",
    )
    generate.add_argument("law", nargs="*", type=Path, help="law and profile files or folders")
    generate.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="where to write (needed with a path of your own)")
    generate.add_argument("--check", action="store_true", help="change nothing; exit 1 if an emitted file is stale")
    generate.set_defaults(run=run_generate)

    draw = verbs.add_parser(
        "draw",
        help="draw a machine",
        description="Draw a machine's states. DOT and Mermaid work without the `dot` program; SVG, PNG and PDF need it.",
        epilog="example: wirelaw draw tcp -o tcp.svg;  wirelaw draw tcp --state ESTABLISHED -o established.svg",
    )
    draw.add_argument("machine", help="a machine's name, such as tcp.connection; `tcp` will do where that is the only one")
    draw.add_argument("--law", action="append", type=Path, default=None, help="law files or folders (default: the law that ships)")
    draw.add_argument("-o", "--out", type=Path, help="file to write; its suffix chooses the format (default: MACHINE.svg)")
    draw.add_argument("--format", choices=FORMATS, default="", help="the format, if not the suffix's")
    draw.add_argument("--state", default="", help="only this state and every row that enters, leaves or stays in it")
    draw.add_argument("--coverage", type=Path, metavar="RESULTS.json", help="colour edges by how often a conformance run took them")
    draw.add_argument("--trace", type=Path, metavar="FILE", help="number the path of a trace (one row id a line, as --trace prints)")
    draw.set_defaults(run=run_draw)


def run_check(options: argparse.Namespace) -> int:
    """`wirelaw check`."""
    law = load(options.law or None)
    catalogues = load_catalogues(options.clauses or SPEC / "clauses")
    report = run_checks(law, catalogues, options.solver, None if options.no_cache else CACHE)
    for diagnostic in report.diagnostics:
        print(diagnostic)
    print(report.summary)
    print(f"{report.questions} questions put to {report.solver}, {report.seconds:.1f} s")
    write_json(
        options.json,
        {
            "ok": report.ok, "diagnostics": [asdict(d) for d in report.diagnostics], "machines": report.machines, "rows": report.rows,
            "states": report.states, "undecided": list(report.undecided), "solver": report.solver, "seconds": round(report.seconds, 3),
            "summary": report.summary,
        },
    )  # fmt: skip
    return 0 if report.ok else 2


def run_fmt(options: argparse.Namespace) -> int:
    """`wirelaw fmt`."""
    changed = list(misformatted(options.law or [SPEC]))
    for path, _, made in changed:
        if options.check:
            print(f"{shown(path)}: not laid out")
        else:
            write_whole(path, made)
            print(f"{shown(path)}: laid out")
    return int(bool(changed) and options.check)


def run_generate(options: argparse.Namespace) -> int:
    """`wirelaw generate`."""
    if options.law and options.out is None:
        raise UserError("a law of your own needs a place to go: add -o FOLDER")
    out = options.out or SPEC.parent / "impl" / "generated"
    if not out.is_dir():
        raise UserError(f"{out} is no folder; create it first")
    stale = write_all(load(options.law or None), out, check=options.check, prune=not options.law and options.out is None)
    for path in stale:
        print(f"{shown(path)}: {'stale: run `wirelaw generate`' if options.check else 'written'}")
    if not stale:
        print("all fresh")
    return int(bool(stale) and options.check)


def machine_named(law: Law, name: str) -> str:
    """The full name of a machine: itself, or the only one that begins with it."""
    begun = [m for m in law.machines if m == name or m.startswith(f"{name}.")]
    return begun[0] if len(begun) == 1 else name


def run_draw(options: argparse.Namespace) -> int:
    """`wirelaw draw`."""
    law = load(options.law)
    machine = law.machine(machine_named(law, options.machine))
    coverage = _read_coverage(options.coverage) if options.coverage else None
    trace = _read_trace(options.trace, {row.id for row in machine.rows()}) if options.trace else None
    out = options.out or Path(f"{options.machine}.{ {'': 'svg', 'mermaid': 'mmd'}.get(options.format, options.format) }")
    print(shown(render(machine, out, options.format, View(options.state, coverage, trace))))
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def _read_coverage(path: Path) -> dict[str, int]:
    try:
        taken: Counter[str] = Counter()
        for peer in json.loads(_read(path))["peers"]:
            taken.update({str(row): int(count) for row, count in peer["rows"].items()})
        return dict(taken)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} holds no coverage: give the results.json of `wirelaw conform`") from None


def _read_trace(path: Path, known: set[str]) -> list[str]:
    """Row ids in the order of the lines; a line may hold other words beside its row id."""
    found = [next((w.strip("[]") for w in line.split() if w.strip("[]") in known), "") for line in _read(path).splitlines()]
    rows = [r for r in found if r]
    if not rows:
        raise UserError(f"{path} names no row of this machine; give the output of a run with --trace")
    return rows
