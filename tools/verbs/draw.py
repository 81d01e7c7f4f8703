"""`wirelaw draw`: pictures of a machine."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from difflib import get_close_matches
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.load import Law, load, shown
from wirelaw.tools.draw import FORMATS, View, render
from wirelaw.tools.verbs.teaching import add_externs, add_verb


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `draw`."""
    draw = add_verb(
        verbs,
        "draw",
        "DOT and Mermaid work without the `dot` program; SVG, PNG and PDF need it.",
        [
            ("draw tcp -o tcp.svg", "the whole machine on a page"),
            ("draw tcp --state ESTABLISHED -o established.svg", "one state and every row around it"),
            ("draw tcp --coverage report/results.json", "how often `wirelaw conform` took each row"),
            ("draw tcp --format mermaid", "text that many wikis show as a picture"),
        ],
        {0: "drawn"},
    )
    draw.add_argument(
        "machine", help="a machine's name, such as tcp.connection; `tcp` means all that begin so, or lie in that folder (a file each)"
    )
    draw.add_argument("--law", action="append", type=Path, default=None, help="law files or folders (default: the law that ships)")
    draw.add_argument("-o", "--out", type=Path, help="file to write; its suffix chooses the format (default: MACHINE.svg)")
    draw.add_argument("--format", choices=FORMATS, default="", help="the format, if not the suffix's")
    draw.add_argument("--state", default="", help="only this state and every row that enters, leaves or stays in it")
    draw.add_argument("--coverage", type=Path, metavar="RESULTS.json", help="colour edges by how often a conformance run took them")
    draw.add_argument("--trace", type=Path, metavar="FILE", help="number the path of a trace (one row id a line, as --trace prints)")
    add_externs(draw)
    draw.set_defaults(run=run_draw)


def machines_named(law: Law, name: str) -> list[str]:
    """The machines that `name` means: the one of that name, those whose name begins with it, or those in a folder of that name."""
    if name in law.machines:
        return [name]
    begun = [m for m in law.machines if m.startswith(f"{name}.")]
    found = begun or [m for m, machine in law.machines.items() if Path(machine.span.file).parent.name == name]
    if found:
        return found
    close = [m for m in law.machines if name and (name in m or get_close_matches(name, (m, *m.split(".")), 1))]
    meant = f"did you mean {' or '.join(sorted(close))}?" if close else f"there are {', '.join(sorted(law.machines))}"
    raise UserError(f"no machine `{name}`, and no folder of machines that is called so; {meant}")


def run_draw(options: argparse.Namespace) -> int:
    """`wirelaw draw`."""
    law = load(options.law, options.externs)
    names = machines_named(law, options.machine)
    if options.state:
        names = [n for n in names if options.state in law.machine(n).states] or names[:1]
    coverage = _read_coverage(options.coverage) if options.coverage else None
    if len(names) > 1 and (options.trace or coverage is not None):
        raise UserError(f"{options.machine} is {len(names)} machines; name the one whose run it is: {', '.join(names)}")
    for name in names:
        machine = law.machine(name)
        trace = _read_trace(options.trace, {row.id for row in machine.rows()}) if options.trace else None
        suffix = {"": "svg", "mermaid": "mmd"}.get(options.format, options.format)
        out = options.out or Path(f"{options.machine if len(names) == 1 else name}.{suffix}")
        if options.out and len(names) > 1:
            out = out.with_name(f"{out.stem}-{name.rpartition('.')[2]}{out.suffix}")
        print(shown(render(machine, out, options.format, View(options.state, coverage, trace))))
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def _read_coverage(path: Path) -> dict[tuple[str, str], int]:
    """How often each (row, state) was taken; of results that count rows only, the state is ''."""
    try:
        taken: Counter[tuple[str, str]] = Counter()
        for peer in json.loads(_read(path))["peers"]:
            if "taken" in peer:
                taken.update({(row, state): int(n) for row, states in peer["taken"].items() for state, n in states.items()})
            else:
                taken.update({(str(row), ""): int(count) for row, count in peer["rows"].items()})
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
