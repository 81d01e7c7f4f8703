"""The legend under a figure: what line colours, marks and words mean, and the transitions a figure states in words.

Only what occurs in the figure is explained.
"""

from __future__ import annotations

import textwrap

from wirelaw.tools.draw import style
from wirelaw.tools.draw.captions import label_lines
from wirelaw.tools.draw.graph import Fan, Graph
from wirelaw.tools.draw.layout import Layout
from wirelaw.tools.draw.markup import bold, colored, escape
from wirelaw.tools.draw.overlay import Overlay

SIZE = 9
LINE = 13.5
MOST_LISTED = 6


def legend(graph: Graph, layout: Layout, overlay: Overlay, *, fans: bool) -> str:
    """An HTML-like table. With `fans`, the transitions from many states are listed in it too."""
    keys = _keys(graph, layout, overlay)
    cells = [_lines(keys)]
    if fans and graph.fans:
        cells.insert(0, _table(_fan_rows(graph, overlay)))
    elif not fans:
        notes = _set_notes(graph)
        cells += [_lines([colored(n, style.MUTED) for n in notes])] if notes else []
    inner = "".join(f'<TD VALIGN="TOP" ALIGN="LEFT" BALIGN="LEFT" CELLPADDING="10">{c}</TD>' for c in cells)
    return f'<FONT POINT-SIZE="{SIZE}"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{inner}</TR></TABLE></FONT>'


def legend_height(graph: Graph, layout: Layout, overlay: Overlay) -> float:
    """About how high the legend with its list of fans is, in points."""
    lines = len(_set_notes(graph)) + 1
    for fan in graph.fans:
        lines += max(len(textwrap.wrap(f"{fan.name} → {fan.edge.target}", 42)), min(len(fan.edge.captions), MOST_LISTED + 1))
    return max(len(_keys(graph, layout, overlay)), lines if graph.fans else 0) * LINE + 24


def _lines(lines: list[str]) -> str:
    return "<BR/>".join(lines)


def _table(cells: list[str]) -> str:
    return '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">' + "".join(f"<TR>{c}</TR>" for c in cells) + "</TABLE>"


def _keys(graph: Graph, layout: Layout, overlay: Overlay) -> list[str]:
    keys: list[str] = []
    if overlay.counts is not None:
        keys.append(f"{colored('━━', style.COVERAGE[-1])} taken most ({overlay.most}×)  {colored('━━', style.COVERAGE[2])} taken  "
                    f"{colored('╌╌', style.FAINT)} never taken")  # fmt: skip
        keys.append("×n: how often the row was taken, in all its states together")
    elif overlay.steps is not None:
        keys.append(f"{colored('━━', style.TRACE)} the run; {bold(colored('1, 2, …', style.TRACE))} its changes of state in order")
    else:
        kinds = {t.kind for t in graph.moves}
        seen: dict[str, None] = {}
        for kind in style.KIND_NAMES:
            if kind in kinds and not (kind == "output" and "user" in kinds):
                dash = "┅┅" if kind == "internal" else "━━"
                seen[f"{colored(dash, style.KINDS[kind])} {style.KIND_NAMES[kind]}"] = None
        keys.append("   ".join(seen))
        glyphs = ["▬▬", "▪▪▪"]
        named = [f"{colored(glyphs[min(i, 1)], style.INK)} {escape(name)}" for i, name in enumerate(layout.paths)]
        if named:
            keys.append("usual course: " + "   ".join(named))
    marks = ["● begins here"] if graph.nodes else []
    if any(n.final for n in graph.nodes.values()):
        marks.append("double border: may end here")
    keys.append("   ".join(marks))
    if any(n.urgent for n in graph.nodes.values()):
        keys.append(f"{colored('urgent', style.KINDS['timer'])}: acts before it takes further input")
    if any(n.hot for n in graph.nodes.values()):
        keys.append(f"{colored('hot', style.KINDS['timer'])}: a finished run may not rest here")
    if any("owe " in t.label.effect for t in graph.moves):
        keys.append("event / <I>effect</I>;  <I>owe X</I>: an X must be sent before its deadline")
    return keys


def _fan_rows(graph: Graph, overlay: Overlay) -> list[str]:
    if not graph.fans:
        return []
    rows = [f'<TD ALIGN="LEFT" COLSPAN="2">{bold("Listed, not drawn")}</TD>']
    for fan in graph.fans:
        wrapped = [escape(line) for line in textwrap.wrap(f"{fan.name} → {fan.edge.target}", 42)]
        rows.append(
            f'<TD ALIGN="LEFT" BALIGN="LEFT" VALIGN="TOP">{"<BR/>".join(wrapped)}  </TD>'
            f'<TD ALIGN="LEFT" BALIGN="LEFT" VALIGN="TOP">{_fan_words(fan, overlay)}</TD>'
        )
    rows += [f'<TD ALIGN="LEFT" COLSPAN="2">{colored(n, style.MUTED)}</TD>' for n in _set_notes(graph)]
    return rows


def _fan_words(fan: Fan, overlay: Overlay) -> str:
    return "<BR/>".join(line.markup for line in label_lines(fan.edge, overlay, stacked=False, most=MOST_LISTED))


def _set_notes(graph: Graph) -> list[str]:
    """The members of state sets that fans name by a word of the law."""
    notes: list[str] = []
    for fan in graph.fans:
        if fan.name.startswith("any state") or fan.name == ", ".join(fan.sources):
            continue
        words = f"{fan.name}: {', '.join(fan.sources)}"
        notes += [line for line in textwrap.wrap(words, 62, subsequent_indent="    ") if line not in notes]
    return notes
