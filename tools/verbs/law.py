"""Verbs on the text of the law: fmt, generate."""

from __future__ import annotations

import argparse
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.load import SPEC, load, shown
from wirelaw.tools.generate import write_all
from wirelaw.tools.verbs.output import write_whole
from wirelaw.tools.verbs.teaching import add_externs, add_verb


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    fmt = add_verb(
        verbs,
        "fmt",
        "A law means the same before and after. With no path, the law that ships is laid out. A file that is not well formed\n"
        "stays as it is.",
        [("fmt my.law", "lay a file out"), ("fmt --check", "say which files of the law that ships are not laid out")],
        {0: "laid out", 1: "with --check: a file is not laid out"},
    )
    fmt.add_argument("law", nargs="*", type=Path, help="law and profile files or folders (default: those that ship)")
    fmt.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is not laid out")
    fmt.set_defaults(run=run_fmt)

    generate = add_verb(
        verbs,
        "generate",
        "One Python module for each machine and profile, with the row and the clause beside each branch. With no path, the law\n"
        "that ships goes to impl/generated. The same law always gives the same octets.",
        [
            ("generate", "the machines that ship"),
            ("generate --check", "fail when an emitted file is stale"),
            ("generate my.law my.profile -o out", "a law of your own, into the folder out"),
        ],
        {0: "written, or fresh already", 1: "with --check: a file is stale"},
    )
    generate.add_argument("law", nargs="*", type=Path, help="law and profile files or folders")
    generate.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="where to write (needed with a path of your own)")
    generate.add_argument("--check", action="store_true", help="change nothing; exit 1 if an emitted file is stale")
    add_externs(generate)
    generate.set_defaults(run=run_generate)


def run_fmt(options: argparse.Namespace) -> int:
    """`wirelaw fmt`."""
    from wirelaw.tools.format import misformatted  # noqa: PLC0415 - and with it the parser, which `generate` rarely needs

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
    stale = write_all(load(options.law or None, options.externs), out, check=options.check, prune=not options.law and options.out is None)
    for path in stale:
        print(f"{shown(path)}: {'stale: run `wirelaw generate`' if options.check else 'written'}")
    if not stale:
        print("all fresh")
    return int(bool(stale) and options.check)
