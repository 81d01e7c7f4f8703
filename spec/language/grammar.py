"""The parser that `grammar.lark` describes; its tables are kept between runs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from importlib import resources
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef
from wirelaw.spec.language.cache import keep, kept


@functools.cache
def parser() -> Lark:
    """The parser. Its tables take longer to make than most law takes to parse, so they are kept."""
    grammar = resources.files("wirelaw.spec.language").joinpath("grammar.lark").read_text("utf-8")
    entry = f"grammar.{hashlib.sha256(f'{lark.__version__} {grammar}'.encode()).hexdigest()[:16]}.json"
    stored = kept(entry)
    if stored is not None:
        with contextlib.suppress(Exception):  # a torn one: whatever is wrong with it, it can be made again
            return _restored(json.loads(stored))
    made = Lark(
        grammar, parser="lalr", start=["start", "profile_file", "deviations_file"], propagate_positions=True, maybe_placeholders=True
    )
    data, memo = made.memo_serialize([TerminalDef, Rule])
    keep(entry, json.dumps({"data": data, "memo": memo}))
    return made


def _restored(stored: dict[str, Any]) -> Lark:
    """The parser of stored tables: JSON, which can hold no code, and which makes strings of the numbers that were keys."""
    tables = stored["data"]["parser"]["parser"]
    tables["tokens"] = _numbered(tables["tokens"])
    tables["states"] = {int(state): _numbered(actions) for state, actions in tables["states"].items()}
    made: Lark = Lark.__new__(Lark)._load({"data": stored["data"], "memo": _numbered(stored["memo"])})
    return made


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}
