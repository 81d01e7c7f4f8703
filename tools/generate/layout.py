"""Lines of Python: indentation, and conditions that stay readable when they are long."""

from __future__ import annotations

WIDTH = 120
Lines = list[str]


def indent(lines: Lines, depth: int = 1) -> Lines:
    """`lines` set `depth` levels deeper."""
    return [" " * 4 * depth + line if line else line for line in lines]


def branch(conditions: list[str], body: Lines, note: str = "", depth: int = 0) -> Lines:
    """`if` all of `conditions`: `body`. The note stands beside the condition, or above it where that is too long."""
    joined = " and ".join(conditions)
    head = f"if {joined}:"
    room = WIDTH - 4 * depth
    comment = f"# {note}" if note else ""
    if note and len(head) + 2 + len(comment) <= room:
        return [f"{head}  {comment}", *indent(body)]
    above = [comment] if note else []
    if len(head) <= room or len(conditions) == 1:
        return [*above, head, *indent(body)]
    parts = [conditions[0], *(f"and {c}" for c in conditions[1:])]
    return [*above, "if (", *indent(parts), "):", *indent(body)]


def invoke(head: str, args: list[str], depth: int = 0) -> Lines:
    """`head(args)`, one argument a line where one line is too short."""
    line = f"{head}({', '.join(args)})"
    if len(line) <= WIDTH - 4 * depth:
        return [line]
    return [f"{head}(", *indent([f"{a}," for a in args]), ")"]


def quoted(name: str) -> str:
    """`name` as a string of Python."""
    return f'"{name}"'
