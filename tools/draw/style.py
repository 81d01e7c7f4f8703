"""Colours, fonts and the size of words: everything that makes the pictures look alike.

Colour is spent on one thing only, who moves: received messages are ink, own acts blue, time amber, the end red.
"""

from __future__ import annotations

import math

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"
INK = "#1f2328"
MUTED = "#6b7280"
FAINT = "#c4c8ce"
PAPER = "#ffffff"
NODE_FILL = "#f6f7f9"
KINDS = {
    "input": INK,
    "user": "#1d5a9e",
    "output": "#1d5a9e",
    "timer": "#a85b00",
    "internal": MUTED,
    "abort": "#9b2c2c",
    "mixed": "#4b5563",
}
KIND_NAMES = {
    "input": "received",
    "user": "own act (call / message)",
    "output": "own message",
    "timer": "◷ a timer",
    "internal": "a silent step",
    "abort": "an abort",
}
TRACE = "#b3261e"
COVERAGE = ("#8fbfe6", "#5b9bd1", "#2f78b7", "#155796", "#08336b")

BANDS = ("#f3f6fb", "#fbf7ef")
"""The grounds of the phases of a figure, by turns."""

_NARROW = "iljtfrI.,:;|!'()[]/ -"
_WIDE = "mwMW@%…"


def text_width(words: str, size: float) -> float:
    """About how wide `words` are in points at font size `size`; on the generous side, for any sans-serif face."""
    total = 0.0
    for c in words:
        total += 0.36 if c in _NARROW else 0.88 if c in _WIDE else 0.68 if c.isupper() else 0.58
    return total * size


def heat(count: int, most: int) -> str:
    """The colour of an edge taken `count` times where the busiest was taken `most` times; logarithmic."""
    if count <= 0:
        return FAINT
    if most <= 1:
        return COVERAGE[-1]
    step = math.log(count) / math.log(most) * (len(COVERAGE) - 1)
    return COVERAGE[min(len(COVERAGE) - 1, round(step))]
