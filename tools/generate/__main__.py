"""`python -m wirelaw.tools.generate [--check] [LAW ..]`: write the generated modules, or say which are stale (exit code 1)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import SPEC, load, shown
from wirelaw.tools.generate import write_all


def main(arguments: list[str] | None = None) -> int:
    """0: all fresh; 1: some were stale under `--check`; 2: the law is wrong."""
    parser = argparse.ArgumentParser(prog="python -m wirelaw.tools.generate", description="Write impl/generated from the law in spec/.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a module is stale")
    parser.add_argument("law", nargs="*", type=Path, help="only these law and profile files or folders (default: all that ship)")
    options = parser.parse_args(arguments)
    out: Path = SPEC.parent / "impl" / "generated"
    try:
        stale = write_all(load(options.law or None), out, check=options.check, prune=not options.law)
    except LawError as error:
        print(error, file=sys.stderr)
        return 2
    for path in stale:
        print(f"{shown(path)}: {'stale' if options.check else 'written'}")
    return int(bool(stale) and options.check)


if __name__ == "__main__":
    sys.exit(main())
