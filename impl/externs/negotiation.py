"""Name-lists of SSH: the one rule by which two preference lists become a choice (RFC 4253 section 7.1). Pure functions."""

from __future__ import annotations

from collections.abc import Sequence


def agreed(client: Sequence[str] | None, server: Sequence[str] | None) -> str:
    """The first name of the client's list that the server's list has too; empty when there is none."""
    return next((name for name in client or () if name in (server or ())), "")


def head(names: Sequence[str] | None) -> str:
    """The most preferred name of a list; empty for an empty list."""
    return names[0] if names else ""
