"""`wirelaw check`: the law proved sound."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from wirelaw.spec.language import cache
from wirelaw.spec.language.check import run_checks
from wirelaw.spec.language.clauses import load_catalogues
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.verbs.output import write_json
from wirelaw.tools.verbs.teaching import add_externs, add_json, add_verb


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check`."""
    check = add_verb(
        verbs,
        "check",
        "Each finding names file, line and column, a case that shows it, and what to do about it. With no path, the law that\n"
        "ships with Wirelaw is checked. Proofs are remembered, so that a second check takes a moment.",
        [
            ("check", "the law that ships"),
            ("check my.law my.profile", "a law of your own"),
            ("check --no-cache", "prove anew"),
            ("check --json report.json", "findings for a program to read"),
        ],
        {0: "sound", 2: "a finding; or bad input, which one line explains"},
    )
    check.add_argument("law", nargs="*", type=Path, help="law files or folders")
    check.add_argument(
        "--clauses", type=Path, help="folder of .req clause catalogues (default: those that ship); those beside your law count as well"
    )
    check.add_argument("--verbose", action="store_true", help="list the clauses of weaker levels that no row cites, too")
    check.add_argument(
        "--no-cache", action="store_true", help="prove everything anew (default: remember proofs in the user's cache folder)"
    )
    add_externs(check)
    add_json(check, "the report")
    check.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """`wirelaw check`."""
    law = load(options.law or None, options.externs)
    catalogues = load_catalogues(options.clauses or SPEC / "clauses", *(options.law or ()))
    documents = None if options.law else catalogues.documents.keys()
    report = run_checks(law, catalogues, None, None if options.no_cache else cache.folder(), documents)
    for diagnostic in (*report.diagnostics, *(report.uncited if options.verbose else ())):
        print(diagnostic)
    print(report.summary)
    print(f"{report.questions} questions put to {report.solver}, {report.seconds:.1f} s")
    write_json(
        options.json,
        {
            "ok": report.ok, "diagnostics": [asdict(d) for d in report.diagnostics], "machines": report.machines, "rows": report.rows,
            "uncited": [asdict(d) for d in report.uncited],
            "states": report.states, "undecided": list(report.undecided), "solver": report.solver, "seconds": round(report.seconds, 3),
            "summary": report.summary,
        },
    )  # fmt: skip
    return 0 if report.ok else 2
