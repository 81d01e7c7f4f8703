"""Quoting for DOT and its HTML-like labels."""

from __future__ import annotations

from collections.abc import Mapping


def quote(name: str) -> str:
    """A DOT identifier in double quotes."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def escape(words: str) -> str:
    """Text for an HTML-like label."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def colored(words: str, color: str) -> str:
    """`words`, escaped, in a colour; nothing for no words, which Graphviz would reject."""
    return "" if not words else f'<FONT COLOR="{color}">{escape(words)}</FONT>'


def bold(markup: str) -> str:
    """Markup in bold."""
    return f"<B>{markup}</B>"


def attributes(values: Mapping[str, object]) -> str:
    """An attribute list; values in angle brackets are HTML-like labels and stay unquoted."""
    return "[" + ", ".join(f"{k}={_value(v)}" for k, v in values.items()) + "]"


def _value(value: object) -> str:
    text = str(value)
    if text.startswith("<") and text.endswith(">"):
        return text
    return quote(text)
