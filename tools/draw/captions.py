"""The lines of text at an edge, coloured by who moves and by what an overlay says."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from wirelaw.tools.draw import style
from wirelaw.tools.draw.graph import Edge, Transition
from wirelaw.tools.draw.labels import CHOICE
from wirelaw.tools.draw.markup import bold, colored
from wirelaw.tools.draw.overlay import Overlay

MOST_LINES = 4
MOST_NUMBERS = 6
CODES_WIDTH = 44


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an edge's label: words for measuring, markup for showing."""

    words: str
    markup: str


def label_lines(edge: Edge, overlay: Overlay, *, stacked: bool = True, most: int = MOST_LINES) -> list[Line]:
    """The lines of an edge's label: at most `most` captions, those an overlay marks first, then how many are left out.

    A single caption is `stacked`: the effect under the event, as in the RFCs' figures.
    """
    aborts = tuple(t for t in edge.transitions if t.kind == "abort")
    summed = len({t.label for t in aborts}) > 1
    captions = [ts for _, ts in edge.captions if not (summed and ts[0].kind == "abort")]
    choices = 0
    if overlay.counts is not None or overlay.steps is not None:
        captions.sort(key=lambda ts: (not overlay.numbers(ts), -overlay.count(ts).number))
    if any(not ts[0].label.choice for ts in captions):
        kept = [ts for ts in captions if not ts[0].label.choice or overlay.numbers(ts) or overlay.count(ts).number]
        choices, captions = len(captions) - len(kept), kept
    left_out = len(captions) - most if len(captions) > most + 1 else 0
    shown = captions[: most if left_out > 0 else None]
    found = [line for ts in shown for line in _caption(ts, overlay, stacked=stacked and len(captions) == 1)]
    if left_out > 0:
        found.append(Line(f"+{left_out} more", colored(f"+{left_out} more", style.MUTED)))
    if choices:
        found.append(Line(f"+{choices} {CHOICE}", colored(f"+{choices} {CHOICE}", style.MUTED)))
    return found + (abort_lines(aborts, overlay) if summed else [])


def transition_line(ts: tuple[Transition, ...], overlay: Overlay) -> Line:
    """The one line of transitions that have one caption."""
    return next(_caption(ts, overlay, stacked=False))


def abort_lines(aborts: tuple[Transition, ...], overlay: Overlay) -> list[Line]:
    """All aborts in one: how many rows there are, and with which codes they end, the commonest first."""
    codes = Counter(code for t in {t.row: t for t in aborts}.values() for code in t.label.effect.removeprefix("abort ").split("|"))
    rows = len({t.row for t in aborts})
    words = f"{rows} rows abort, with code " + ", ".join(code for code, _ in codes.most_common())
    color = style.KINDS["abort"]
    if overlay.counts is not None:
        count = overlay.count(aborts)
        words, color = words + (f"  {count}" if count.number else ""), style.INK if count.number else style.MUTED
    elif overlay.steps is not None:
        color = style.TRACE if overlay.numbers(aborts) else style.FAINT
    return [Line(x, colored(x, color)) for x in textwrap.wrap(words, CODES_WIDTH)]


def _caption(ts: tuple[Transition, ...], overlay: Overlay, *, stacked: bool) -> Iterator[Line]:
    label = ts[0].label
    color, before, after = style.KINDS[ts[0].kind], "", ""
    if overlay.counts is not None:
        count = overlay.count(ts)
        color = style.INK if count.number else style.MUTED
        after = f"  {count}" if count.number else ""
    elif overlay.steps is not None:
        numbers = overlay.numbers(ts)
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
