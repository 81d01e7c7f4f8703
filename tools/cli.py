"""The `wirelaw` command: one verb for each thing people do with a law.

Exit codes everywhere: 0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.tools.verbs import bench, conform, judge, law, run

DONE, VIOLATION, BAD_INPUT, INCONCLUSIVE = 0, 1, 2, 3
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="wirelaw",
        description="Protocol state machines as law: one table that runs, judges, tests and draws itself.",
        epilog="Exit codes: 0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive.",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for module in (law, judge, conform, run, bench):
        module.add_verbs(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LawError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except UserError as error:
        print(f"wirelaw {options.verb}: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"wirelaw {options.verb}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


if __name__ == "__main__":
    sys.exit(main())
