"""The `wirelaw` command: one verb for each thing people do with a law.

Exit codes everywhere: 0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.tools.verbs import VERBS

EXTRAS = {
    "check": "check", "draw": "draw", "judge": "judge", "conform": "conform", "peers": "conform", "replay": "conform", "bench": "conform",
    "netd": "run", "ping": "run", "get": "run",
}  # fmt: skip
"""Verb -> the extra of the distribution that brings its libraries. A small installation has the language alone."""

DONE, VIOLATION, BAD_INPUT, INCONCLUSIVE = 0, 1, 2, 3
INTERRUPTED = 130


def parser(verb: str = "") -> argparse.ArgumentParser:
    """The command line: that of `verb`, whose module alone is imported; a list of all where there is no such verb."""
    top = argparse.ArgumentParser(
        prog="wirelaw",
        description="Protocol state machines as law: one table that runs, judges, tests and draws itself.",
        epilog="Exit codes: 0 conformant or done, 1 a violation found, 2 bad input or missing means, 3 inconclusive.",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    if verb in VERBS:
        import_module(f"wirelaw.tools.verbs.{VERBS[verb][0]}").add_verbs(verbs)
    else:
        for name, (_, purpose) in VERBS.items():
            verbs.add_parser(name, help=purpose)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    called = " ".join(["wirelaw", *given[:1]])
    try:
        verb = next((word for word in given if word != "--"), "")
        options = parser(verb).parse_args(given)
        return int(options.run(options))
    except LawError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except UserError as error:
        print(f"{called}: {error}", file=sys.stderr)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        if not given or given[0] not in EXTRAS or (error.name or "").startswith("wirelaw"):
            raise
        print(f"{called}: {error.name} is not installed; pip install 'wirelaw[{EXTRAS[given[0]]}]'", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"{called}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        print(f"{called}: {about}{error.strerror or error}; check the path, the permissions and the room on the disk", file=sys.stderr)
        return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
