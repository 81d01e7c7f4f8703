"""One state and everything that happens in it, as DOT text.

The state stands in the middle, the states before it left, those after it right; a card on each arrow tells what moves the
machine along it. Below stand the rows that stay in the state, table by table, with their conditions, effects and clauses.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from wirelaw.tools.draw import style
from wirelaw.tools.draw.captions import abort_lines
from wirelaw.tools.draw.graph import Graph, Transition
from wirelaw.tools.draw.markup import attributes, bold, colored, escape, quote
from wirelaw.tools.draw.overlay import Overlay
from wirelaw.tools.draw.words import one_line, shorten

COLUMNS = 5
MANY = 5
"""From so many rows on, the aborts of a state stand in the table below rather than on an arrow."""
MOST_CLAUSES = 2
LONGEST_EFFECT = 64
LONGEST = 76
SECTIONS = {
    "input": "received, by the steps an input passes",
    "output": "sent",
    "internal": "silent steps",
    "timer": "timers",
    "call": "calls",
}


def neighbourhood(graph: Graph, overlay: Overlay, state: str, *, dpi: int = 0) -> str:
    """DOT text, to be rendered by `dot`. `graph` must have been built without fans."""
    moves = list(graph.moves)
    values: dict[str, object] = {"rankdir": "LR", "bgcolor": style.PAPER, "fontname": style.FONT, "pad": 0.25, "labelloc": "t"}
    values |= {"ranksep": 0.45, "nodesep": 0.22, "label": _title(graph, state)} | ({"dpi": dpi} if dpi else {})
    boxes = {"fontname": style.FONT, "fontsize": 11, "shape": "box", "style": "rounded,filled", "height": 0.47, "margin": "0.16,0.06"}
    colors = {"fillcolor": style.NODE_FILL, "color": style.MUTED, "fontcolor": style.INK}
    stays = f"<{_stays(graph, overlay, state)}>"
    lines = [
        f"// {graph.name}, state {state}: drawn from its law. Render with: dot -Tsvg",
        f"digraph {quote(f'{graph.name} {state}')} {{",
        f"  graph {attributes(values)};",
        f"  node {attributes(boxes | colors)};",
        f"  edge {attributes({'arrowsize': 0.75, 'penwidth': 1.2, 'color': style.MUTED})};",
        "  subgraph cluster_figure {",
        f"    graph {attributes({'peripheries': 0, 'labelloc': 'b', 'label': stays})};",
        f"    {quote(state)} {attributes(_home(graph, state))};",
    ]
    lines += [f"    {x}" for x in _arrows(overlay, [t for t in moves if t.target == state], state, entering=True)]
    lines += [f"    {x}" for x in _arrows(overlay, [t for t in moves if t.source == state], state, entering=False)]
    return "\n".join(lines) + "\n  }\n}\n"


def _title(graph: Graph, state: str) -> str:
    under = colored(f"in {graph.name}: how it is entered, what happens in it, and where it leads", style.MUTED)
    return f'<<FONT POINT-SIZE="16"><B>{escape(state)}</B></FONT><BR/><FONT POINT-SIZE="10">{under}</FONT><BR/> >'


def _home(graph: Graph, state: str) -> dict[str, object]:
    node = graph.nodes[state]
    marks = [m for m, on in (("begins here", node.initial), ("urgent", node.urgent), ("hot", node.hot), ("may end here", node.final)) if on]
    small = f'<BR/><FONT POINT-SIZE="8">{colored(", ".join(marks), style.KINDS["timer"])}</FONT>' if marks else ""
    return {"label": f"<<B>{escape(state)}</B>{small}>", "fontsize": 14, "penwidth": 2, "color": style.INK, "height": 0.8} | (
        {"peripheries": 2} if node.final else {}
    )


def _arrows(overlay: Overlay, ts: Sequence[Transition], state: str, *, entering: bool) -> Iterator[str]:
    """The states on one side, each with a card of the rows between it and `state`."""
    side = "from" if entering else "to"
    others: dict[str, list[Transition]] = {}
    for t in ts:
        others.setdefault(t.source if entering else t.target, []).append(t)
    for other, between in others.items():
        name, card = quote(f"{side} {other}"), quote(f"{side} {other}: rows")
        yield f"{name} {attributes({'label': other})};"
        table = f"<{_card(between, overlay)}>"
        yield f"{card} {attributes({'shape': 'plain', 'style': '', 'label': table, 'tooltip': ' '.join(t.row for t in between)})};"
        look = _look(between, overlay)
        first, last = (name, quote(state)) if entering else (quote(state), name)
        yield f"{first} -> {card} {attributes(look | {'arrowhead': 'none'})};"
        yield f"{card} -> {last} {attributes(look)};"


def _look(ts: Sequence[Transition], overlay: Overlay) -> dict[str, object]:
    if overlay.counts is not None:
        count = overlay.count(ts).number
        return {"color": style.heat(count, overlay.most), "style": "solid" if count else "dashed"}
    if overlay.steps is not None:
        return {"color": style.TRACE if overlay.numbers(ts) else style.FAINT}
    kinds = {t.kind for t in ts if not t.label.choice} or {t.kind for t in ts}
    return {"color": style.KINDS[kinds.pop() if len(kinds) == 1 else "mixed"]}


def _card(ts: Sequence[Transition], overlay: Overlay) -> str:
    """What moves the machine along one arrow: a line for the event, one for the condition, one for row and clauses."""
    cells = []
    aborts = tuple(t for t in ts if t.kind == "abort")
    listed = aborts if len(aborts) >= MANY else ()
    common = Counter(part for t in ts for part in t.asks)
    for t in (t for t in ts if t not in listed):
        color, note = _marked(t, overlay)
        alternative = "  (or)" if t.optional else ""
        lines = [colored(str(replace(t.label, condition="")) + alternative, style.KINDS[t.kind] if color == style.INK else color) + note]
        if t.asks:
            lines.append(colored(f"if {one_line(t.asks, common, LONGEST)}", color))
        lines.append(f'<FONT POINT-SIZE="8">{colored(f"[{t.row}]  {clauses_of(t)}".rstrip(), style.MUTED)}</FONT>')
        cells.append("".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines))
    if listed:
        lines = [x.markup for x in abort_lines(listed, overlay)] + [colored("listed below", style.MUTED)]
        cells.append("".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines))
    rows = "".join(f'<TR><TD ALIGN="LEFT" BALIGN="LEFT">{cell}</TD></TR>' for cell in cells)
    return (
        f'<FONT POINT-SIZE="9.5"><TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" COLOR="{style.FAINT}" '
        f'BGCOLOR="{style.PAPER}" STYLE="ROUNDED">{rows}</TABLE></FONT>'
    )


def clauses_of(t: Transition) -> str:
    """The first clauses that a row cites, and how many more there are."""
    left_out = len(t.clauses) - MOST_CLAUSES
    shown = t.clauses[:MOST_CLAUSES] if left_out > 0 else t.clauses
    words = ", ".join(c.replace("rfc", "RFC ").replace(":", " ") for c in shown)
    return words + (f", +{left_out}" if left_out > 0 else "")


def _marked(t: Transition, overlay: Overlay) -> tuple[str, str]:
    """The colour of a row's words, and what an overlay adds to them."""
    if overlay.counts is not None:
        count = overlay.count([t])
        return (style.INK, bold(colored(f"  {count}", style.INK))) if count.number else (style.FAINT, "")
    if overlay.steps is not None:
        numbers = ", ".join(map(str, overlay.numbers([t])))
        return (style.INK, bold(colored(f"  {numbers}", style.TRACE))) if numbers else (style.MUTED, "")
    return style.INK, ""


def section(graph: Graph, t: Transition) -> str:
    """Which of the `SECTIONS` a row that stays belongs to."""
    if t.role == "output":
        return "output" if t.label.effect else "internal"
    return "input" if t.table in graph.stages else "timer" if t.kind == "timer" else "call"


def grouped(graph: Graph, state: str) -> Iterator[tuple[str, str, tuple[Transition, ...]]]:
    """The rows that stay in `state`: (section, table, rows), inputs in the order in which their tables are asked."""
    stays = [t for t in graph.staying if t.source == state]
    order = {table: i for i, table in enumerate(graph.stages)}
    for name in SECTIONS:
        here = [t for t in stays if section(graph, t) == name]
        for table in sorted(dict.fromkeys(t.table for t in here), key=lambda x: order.get(x, 0)):
            yield name, table, tuple(t for t in here if t.table == table)


def active_of(ts: Iterable[Transition]) -> list[Transition]:
    """Those of `ts` that do something."""
    return [t for t in ts if t.does and not t.refuses]


def quiet(ts: Iterable[Transition]) -> str:
    """How many of `ts` have no effect or refuse a call, in words; '' for none."""
    rows = {t.row: t for t in ts}
    refuse = sum(t.refuses for t in rows.values())
    idle = sum(not t.refuses and not t.does for t in rows.values())
    words = [f"{n} {what}" for n, what in ((idle, "without effect"), (refuse, "refused")) if n]
    return ", ".join(words)


def _stays(graph: Graph, overlay: Overlay, state: str) -> str:
    rows: list[str] = []
    tables = list(grouped(graph, state))
    for name in dict.fromkeys(name for name, _, _ in tables):
        rows.append(f'<TD COLSPAN="{COLUMNS}" ALIGN="LEFT" BGCOLOR="{style.NODE_FILL}">{bold(escape(SECTIONS[name]))}</TD>')
        idle: list[str] = []
        for table, ts in ((table, ts) for section_name, table, ts in tables if section_name == name):
            common = Counter(part for t in ts for part in t.asks)
            left_out = f"({quiet(ts)})" if quiet(ts) else ""
            head = " ".join(x for x in (table if ts[0].role == "input" else "", left_out) if x)
            active = active_of(ts)
            rows += [_row(t, overlay, colored(head, style.INK) if i == 0 else " ", common) for i, t in enumerate(active)]
            idle += [] if active else [head]
        for line in textwrap.wrap("besides " + ", ".join(idle), 200) if idle else []:
            rows.append(f'<TD COLSPAN="{COLUMNS}" ALIGN="LEFT">{colored(line, style.MUTED)}</TD>')
    aborts = [t for t in graph.moves if t.kind == "abort" and t.source == state]
    if len(aborts) >= MANY:
        rows.append(f'<TD COLSPAN="{COLUMNS}" ALIGN="LEFT" BGCOLOR="{style.NODE_FILL}">{bold("aborts, by the steps an input passes")}</TD>')
        order = {table: i for i, table in enumerate(graph.stages)}
        for table in sorted(dict.fromkeys(t.table for t in aborts), key=lambda x: order.get(x, 0)):
            here = [t for t in aborts if t.table == table]
            common = Counter(part for t in here for part in t.asks)
            rows += [_row(t, overlay, colored(table, style.INK) if i == 0 else " ", common) for i, t in enumerate(here)]
    if not rows:
        rows = [f'<TD ALIGN="LEFT">{colored("Nothing happens here without leaving the state.", style.MUTED)}</TD>']
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return (
        f'<FONT POINT-SIZE="9"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
        f'<TR><TD COLSPAN="{COLUMNS}" ALIGN="LEFT">{bold(f"Without leaving {escape(state)}")}</TD></TR>{body}</TABLE></FONT>'
    )


def _row(t: Transition, overlay: Overlay, table: str, common: Mapping[str, int]) -> str:
    color, note = _marked(t, overlay)
    event = f"rcv {t.message}" if t.message else t.label.trigger if t.kind in ("user", "timer") else ""
    condition = one_line(t.asks, common, LONGEST)
    asked = " ".join(x for x in (event, condition if condition == "otherwise" else f"if {condition}" if condition else "") if x)
    effect = shorten(t.does, LONGEST_EFFECT) + ("  (or)" if t.optional else "")
    does = colored(effect, style.KINDS[t.kind] if color == style.INK else color) + note
    cells = [table, colored(f"[{t.row}]", color), colored(asked or "always", color), does, colored(clauses_of(t), style.MUTED)]
    return "".join(f'<TD ALIGN="LEFT">{cell or " "}</TD>' for cell in cells)
