"""How every verb explains itself: one line of purpose, examples to copy, exit codes, where its report goes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wirelaw.tools.verbs import VERBS

EXIT_CODES = {
    0: "done, or conformant",
    1: "a violation found",
    2: "bad input, or something missing on this machine; one line says what to do",
    3: "inconclusive",
}
INTERRUPTED = {130: "interrupted (Ctrl-C); what was found until then is kept"}


def add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    more: str,
    examples: Sequence[tuple[str, str]],
    codes: dict[int, str],
) -> argparse.ArgumentParser:
    """A parser for verb `name` of `VERBS`. `examples` pairs a command line without `wirelaw` and what it does; `codes` are its exit codes.

    Codes left out of `codes` do not occur, but 2, which every verb has.
    """
    _, purpose = VERBS[name]
    width = max(len(command) for command, _ in examples) + len("wirelaw ")
    shown = "\n".join(f"  {'wirelaw ' + command:<{width}}   {meaning}" for command, meaning in examples)
    told = {2: EXIT_CODES[2], **codes}
    ends = "\n".join(f"  {code:<4} {told[code]}" for code in sorted(told))
    return verbs.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.\n\n{more}",
        epilog=f"examples:\n{shown}\n\nexit codes:\n{ends}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_externs(parser: argparse.ArgumentParser) -> None:
    """`--externs MODULE`: let the law take functions from there."""
    parser.add_argument(
        "--externs", action="append", default=[], metavar="MODULE",
        help="let the law take functions from this module, which is imported: it runs code (default: only ours)",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """`--json FILE`: write `what` as JSON."""
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"write {what} as JSON to this file, whole or not at all")
