"""The lines of text at an edge, coloured by who moves and by what an overlay says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wirelaw.tools.draw import style
from wirelaw.tools.draw.graph import Edge, Transition
from wirelaw.tools.draw.markup import bold, colored
from wirelaw.tools.draw.overlay import Overlay

MOST_LINES = 3
MOST_NUMBERS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an edge's label: words for measuring, markup for showing."""

    words: str
    markup: str


def label_lines(edge: Edge, overlay: Overlay, *, stacked: bool = True, most: int = MOST_LINES) -> list[Line]:
    """The lines of an edge's label: at most `most` captions, those an overlay marks first, then how many are left out.

    A single caption is `stacked`: the effect under the event, as in the RFCs' figures.
    """
    captions = [(overlay.numbers(ts) if overlay.steps is not None else (), caption, ts) for caption, ts in edge.captions]
    if overlay.counts is not None or overlay.steps is not None:
        captions.sort(key=lambda c: (not c[0], -sum((overlay.counts or {}).get(t.row, 0) for t in c[2])))
    left_out = len(captions) - most
    shown = captions[: most if left_out > 0 else None]
    found = [line for numbers, _, ts in shown for line in _caption(numbers, ts, overlay, stacked=stacked and len(captions) == 1)]
    if left_out > 0:
        found.append(Line(f"+{left_out} more", colored(f"+{left_out} more", style.MUTED)))
    return found


def _caption(numbers: tuple[int, ...], ts: tuple[Transition, ...], overlay: Overlay, *, stacked: bool) -> Iterator[Line]:
    label = ts[0].label
    color, before, after = style.KINDS[ts[0].kind], "", ""
    if overlay.counts is not None:
        count = sum(overlay.counts.get(r, 0) for r in dict.fromkeys(t.row for t in ts))
        color = style.INK if count else style.MUTED
        after = f"  ×{count}" if count else ""
    elif overlay.steps is not None:
        color = style.INK if numbers else style.FAINT
        before = ", ".join(str(n) for n in numbers[:MOST_NUMBERS]) + (", …" if len(numbers) > MOST_NUMBERS else "")
    mark = bold(colored(f"{before} ", style.TRACE)) if before else ""
    event = label.event
    effect = f"<I>{colored(label.effect, color)}</I>" if label.effect else ""
    if stacked and event and effect:
        yield Line(f"{before} {event}{after}", mark + colored(event + after, color))
        yield Line(label.effect, effect)
    else:
        first = colored(f"{event} / " if event and effect else event, color) if event else ""
        yield Line(f"{before} {label}{after}", mark + first + effect + (colored(after, color) if after else ""))


def joined(lines: list[Line], *, pad: bool = False) -> str:
    """Label lines as one HTML-like label, left-aligned; with `pad`, kept off the line they belong to."""
    space = "&#160;&#160;" if pad else ""
    if len(lines) == 1:
        return f"<{space}{lines[0].markup}>"
    return "<" + "".join(f'{space}{line.markup}<BR ALIGN="LEFT"/>' for line in lines) + ">"
