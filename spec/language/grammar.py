"""The parser that `grammar.lark` describes, and where its tables are kept between runs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

CACHE = Path(".wirelaw-cache")


@functools.cache
def parser() -> Lark:
    """The parser. Its tables take longer to make than most law takes to parse, so they are kept where a folder `CACHE` is."""
    grammar = resources.files("wirelaw.spec.language").joinpath("grammar.lark").read_text("utf-8")
    known = hashlib.sha256(f"{lark.__version__} {grammar}".encode()).hexdigest()[:16]
    kept = CACHE / f"grammar.{known}.json"
    with contextlib.suppress(Exception):  # none yet, or a torn one: whatever is wrong with it, it can be made again
        return _restored(json.loads(kept.read_text("utf-8")))
    made = Lark(
        grammar, parser="lalr", start=["start", "profile_file", "deviations_file"], propagate_positions=True, maybe_placeholders=True
    )
    if CACHE.is_dir():
        _keep(made, kept)
    return made


def make_folder(folder: Path = CACHE) -> None:
    """Make a folder for what is kept between runs. Raises OSError where that is not possible."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", "utf-8")


def _keep(made: Lark, path: Path) -> None:
    data, memo = made.memo_serialize([TerminalDef, Rule])
    waiting = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time, not correctness
        waiting.write_text(json.dumps({"data": data, "memo": memo}), "utf-8")
        waiting.replace(path)


def _restored(stored: dict[str, Any]) -> Lark:
    """The parser of stored tables: JSON, which can hold no code, and which makes strings of the numbers that were keys."""
    tables = stored["data"]["parser"]["parser"]
    tables["tokens"] = _numbered(tables["tokens"])
    tables["states"] = {int(state): _numbered(actions) for state, actions in tables["states"].items()}
    made: Lark = Lark.__new__(Lark)._load({"data": stored["data"], "memo": _numbered(stored["memo"])})
    return made


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}
