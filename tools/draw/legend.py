"""The legend under a figure: what line colours, marks and words mean, and the transitions a figure states in words.

Only what occurs in the figure is explained.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from wirelaw.spec.language.expressions import Lit, text
from wirelaw.tools.draw import style
from wirelaw.tools.draw.captions import Line, abort_lines, transition_line
from wirelaw.tools.draw.graph import Graph, merged
from wirelaw.tools.draw.labels import CHOICE, CLOCK
from wirelaw.tools.draw.layout import Layout
from wirelaw.tools.draw.markup import bold, colored, escape
from wirelaw.tools.draw.overlay import Overlay

SIZE = 9
LINE = 10.8
ROW = 1.2
"""What a row of a table adds to its lines."""
STATES_WIDTH = 46


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of transitions that are not drawn: what happens, and in which states."""

    target: str
    lines: tuple[Line, ...]
    states: tuple[str, ...]


def legend(graph: Graph, layout: Layout, overlay: Overlay, *, fans: bool) -> str:
    """An HTML-like table. With `fans`, the transitions from many states are listed in it too."""
    blocks = [_lines(_keys(graph, layout, overlay))]
    timers = timer_lines(graph)
    if timers:
        blocks.append(_lines([bold("Timers"), *timers]))
    notes = _set_notes(graph)
    if not fans and notes:
        blocks.append(_lines([colored(n, style.MUTED) for n in notes]))
    right = _lines(["<BR/>".join((b, "")) for b in blocks])
    cells = [_table(_fan_rows(graph, overlay)), right] if fans and graph.fans else [right]
    inner = "".join(f'<TD VALIGN="TOP" ALIGN="LEFT" BALIGN="LEFT" CELLPADDING="10">{c}</TD>' for c in cells)
    return f'<FONT POINT-SIZE="{SIZE}"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{inner}</TR></TABLE></FONT>'


def legend_height(graph: Graph, layout: Layout, overlay: Overlay) -> float:
    """About how high the legend with its list of fans is, in points."""
    listed = listing(graph, overlay)
    lines = sum(max(len(x.lines), len(x.states)) for x in listed) + len({f.edge.target for f in graph.fans})
    left = (lines + len(_set_notes(graph))) * LINE + (len(listed) + len(_set_notes(graph))) * ROW
    timers = timer_lines(graph)
    right = (len(_keys(graph, layout, overlay)) + (len(timers) + 3 if timers else 1)) * LINE
    return max(right, left if graph.fans else 0) + 20


def listing(graph: Graph, overlay: Overlay) -> list[Listed]:
    """The transitions of fans by target and caption, each caption once, with all the states it holds in."""
    found: list[Listed] = []
    rank = {name: i for i, name in enumerate(graph.nodes)}
    for target in dict.fromkeys(f.edge.target for f in graph.fans):
        here = [t for f in graph.fans if f.edge.target == target for t in f.edge.transitions]
        groups = [(group, False) for group in merged([t for t in here if t.kind != "abort"])]
        aborts = tuple(t for t in here if t.kind == "abort")
        for group, aborted in [*groups, *([(aborts, True)] if aborts else [])]:
            states = tuple(sorted({t.source for t in group}, key=rank.__getitem__))
            words = textwrap.wrap(graph.words_for(states, target), STATES_WIDTH)
            lines = abort_lines(group, overlay) if aborted else [transition_line(group, overlay)]
            found.append(Listed(target, tuple(lines), tuple(words)))
    return found


def timer_lines(graph: Graph) -> list[str]:
    """Each timer in words: its bounds, and the states in which its expiry does something."""
    found = []
    moves = [t for t in graph.moves if t.kind == "timer"]
    stays = [t for t in graph.staying if t.kind == "timer" and t.does]
    for timer in graph.timers:
        trigger = f"{CLOCK} {timer.name}"
        acting = {t.source for t in (*moves, *stays) if t.label.trigger == trigger}
        states = tuple(s for s in graph.nodes if s in acting)
        bounds = f" ({_bound(timer.low)} to {_bound(timer.high)})" if timer.low is not None and timer.high is not None else ""
        words = f"{timer.name}{bounds}" + (f": {graph.words_for(states, '')}" if states else "")
        first, *rest = textwrap.wrap(words, 60, subsequent_indent="     ")
        found += [f"{colored(CLOCK, style.KINDS['timer'])} {escape(first)}", *(_kept(line) for line in rest)]
    return found


def _bound(e: object) -> str:
    words = text(e) if isinstance(e, Lit) else str(e)
    return next((f"{words.removesuffix(u)} {u}" for u in ("ms", "min", "h", "s") if words.endswith(u)), words)


def _kept(line: str) -> str:
    """A line with its indentation."""
    return "&#160;" * (len(line) - len(line.lstrip())) + escape(line.lstrip())


def _lines(lines: list[str]) -> str:
    return "<BR/>".join(lines)


def _table(cells: list[str]) -> str:
    return '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">' + "".join(f"<TR>{c}</TR>" for c in cells) + "</TABLE>"


def _keys(graph: Graph, layout: Layout, overlay: Overlay) -> list[str]:
    keys: list[str] = []
    if overlay.counts is not None:
        keys.append(f"{colored('━━', style.COVERAGE[-1])} taken most ({overlay.most}×)  {colored('━━', style.COVERAGE[2])} taken  "
                    f"{colored('╌╌', style.FAINT)} never taken")  # fmt: skip
        keys.append("×n: how often it was taken")
        if not overlay.exact:
            keys.append("×≤n: at most; these results count rows, not the states they were taken in")
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
        keys.append(f"{colored('hot', style.KINDS['timer'])}: no place to rest, a way leads out")
    if any("owe " in t.label.effect for t in graph.moves):
        keys.append("event / <I>effect</I>;  <I>owe X</I>: an X must be sent before its deadline")
    if any(t.label.choice for t in graph.moves):
        keys.append(f"{CHOICE}: the law allows it beside others (+n: so many more at this arrow)")
    return keys


def _fan_rows(graph: Graph, overlay: Overlay) -> list[str]:
    rows = []
    target = ""
    for one in listing(graph, overlay):
        if one.target != target:
            target = one.target
            rows.append(f'<TD ALIGN="LEFT" COLSPAN="2">{bold("Listed, not drawn: to " + escape(target))}</TD>')
        rows.append(
            f'<TD ALIGN="LEFT" BALIGN="LEFT" VALIGN="TOP">{"<BR/>".join(x.markup for x in one.lines)}&#160;&#160;</TD>'
            f'<TD ALIGN="LEFT" BALIGN="LEFT" VALIGN="TOP">{"<BR/>".join(map(escape, one.states))}</TD>'
        )
    rows += [f'<TD ALIGN="LEFT" COLSPAN="2">{colored(n, style.MUTED)}</TD>' for n in _set_notes(graph)]
    return rows


def _set_notes(graph: Graph) -> list[str]:
    """The members of state sets that the figure's words name."""
    used: dict[str, tuple[str, ...]] = {}
    for fan in graph.fans:
        for group in merged(fan.edge.transitions):
            states = tuple(s for s in graph.nodes if s in {t.source for t in group})
            used.setdefault(graph.words_for(states, fan.edge.target), states)
    for line in listing(graph, Overlay()):
        name = " ".join(line.states)
        if name in graph.groups:
            used.setdefault(name, tuple(s for s in graph.nodes if s in graph.groups[name]))
    for timer in timer_lines(graph):
        name = timer.rpartition(": ")[2]
        if name in graph.groups:
            used.setdefault(name, tuple(s for s in graph.nodes if s in graph.groups[name]))
    notes: list[str] = []
    for name, states in used.items():
        if name in graph.groups:
            words = f"{name}: {', '.join(states)}"
            notes += [line for line in textwrap.wrap(words, 62, subsequent_indent="    ") if line not in notes]
    return notes
