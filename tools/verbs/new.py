"""`wirelaw new`: a project for a protocol of one's own."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.load import shown
from wirelaw.tools.new import make_project
from wirelaw.tools.verbs.teaching import add_verb


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `new`."""
    new = add_verb(
        verbs,
        "new",
        "A law with its clauses and profile, the machines generated from it, an adapter that tells the judge what datagrams look like,\n"
        "both ends to run over UDP, an agent for `wirelaw conform`, and a test. Change the law; all else follows.",
        [("new knock", "the folder knock, with a client that asks and a server that answers"), ("new knock --in src", "in another place")],
        {0: "made"},
    )
    new.add_argument("name", help="lower-case letters, digits and _; the folder and the machines are called so")
    new.add_argument("--in", dest="place", type=Path, default=Path(), metavar="FOLDER", help="where (default: here)")
    new.set_defaults(run=run_new)


def run_new(options: argparse.Namespace) -> int:
    """`wirelaw new`."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", options.name) or keyword.iskeyword(options.name):
        raise UserError(f"{options.name!r} cannot be a machine's name; use lower-case letters, digits and _, beginning with a letter")
    try:
        made = make_project(options.name, options.place)
    except FileExistsError:
        raise UserError(f"{shown(options.place / options.name)} exists already; choose another name, or move it away") from None
    print(f"{shown(made)}: made. Next:\n  cd {shown(made)}\n  pytest\n  wirelaw check law\n  cat README.md")
    return 0
