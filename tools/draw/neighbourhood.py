"""One state and everything that happens in it, as DOT text: rows that enter it, leave it, or stay in it.

The state is a table whose lines are rows, with their clauses; the states before it stand left, those after it right, each
joined to its line. So nothing overlaps, however many rows a state has.
"""

from __future__ import annotations

from collections.abc import Sequence

from wirelaw.tools.draw import style
from wirelaw.tools.draw.graph import Graph, Transition
from wirelaw.tools.draw.markup import attributes, bold, colored, escape, quote
from wirelaw.tools.draw.overlay import Overlay

COLUMNS = 4


def neighbourhood(graph: Graph, overlay: Overlay, state: str, *, dpi: int = 0) -> str:
    """DOT text, to be rendered by `dot`. `graph` must have been built without fans."""
    moves = list(graph.moves)
    enters = [t for t in moves if t.target == state]
    leaves = [t for t in moves if t.source == state]
    stays = [t for t in graph.staying if t.source == state]
    values: dict[str, object] = {"rankdir": "LR", "bgcolor": style.PAPER, "fontname": style.FONT, "pad": 0.25}
    values |= {"ranksep": 1.1, "nodesep": 0.3} | ({"dpi": dpi} if dpi else {})
    boxes = {"fontname": style.FONT, "fontsize": 11, "shape": "box", "style": "rounded,filled"}
    colors = {"fillcolor": style.NODE_FILL, "color": style.MUTED, "fontcolor": style.INK}
    table = _table(graph, overlay, state, enters, leaves, stays)
    lines = [
        f"// {graph.name}, state {state}: drawn from its law. Render with: dot -Tsvg",
        f"digraph {quote(f'{graph.name} {state}')} {{",
        f"  graph {attributes(values)};",
        f"  node {attributes(boxes | colors)};",
        f"  edge {attributes({'arrowsize': 0.75, 'penwidth': 1.1})};",
        f"  {quote(state)} {attributes({'shape': 'plain', 'style': '', 'label': f'<{table}>'})};",
    ]
    for i, t in enumerate(enters):
        lines.append(f"  {quote(f'from {t.source}')} -> {quote(state)}:{quote(f'enter{i}')}:w {attributes(_edge(t, overlay))};")
    for i, t in enumerate(leaves):
        lines.append(f"  {quote(state)}:{quote(f'leave{i}')}:e -> {quote(f'to {t.target}')} {attributes(_edge(t, overlay))};")
    for name in dict.fromkeys(t.source for t in enters):
        lines.append(f"  {quote(f'from {name}')} {attributes({'label': name})};")
    for name in dict.fromkeys(t.target for t in leaves):
        lines.append(f"  {quote(f'to {name}')} {attributes({'label': name})};")
    return "\n".join(lines) + "\n}\n"


def _edge(t: Transition, overlay: Overlay) -> dict[str, object]:
    values: dict[str, object] = {"color": style.KINDS[t.kind], "tooltip": t.row}
    if overlay.counts is not None:
        values["color"] = style.heat(overlay.counts.get(t.row, 0), overlay.most)
    elif overlay.steps is not None:
        values["color"] = style.TRACE if overlay.numbers([t]) else style.FAINT
    return values


def _table(
    graph: Graph, overlay: Overlay, state: str, enters: Sequence[Transition], leaves: Sequence[Transition], stays: Sequence[Transition]
) -> str:
    node = graph.nodes[state]
    marks = [m for m, on in (("initial", node.initial), ("urgent", node.urgent), ("hot", node.hot), ("final", node.final)) if on]
    beside = f"   {', '.join(marks)}" if marks else ""
    rows = [
        f'<TR><TD COLSPAN="{COLUMNS}" BGCOLOR="{style.INK}"><FONT COLOR="{style.PAPER}" POINT-SIZE="14">{bold(escape(state))}</FONT>'
        f"{colored(beside, style.FAINT)}</TD></TR>"
    ]
    rows += _section("enters", [_row(t, overlay, f"enter{i}") for i, t in enumerate(enters)])
    rows += _section("leaves", [_row(t, overlay, f"leave{i}") for i, t in enumerate(leaves)])
    rows += _section("stays", [_row(t, overlay, "") for t in stays])
    return (
        f'<FONT POINT-SIZE="9.5"><TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3" COLOR="{style.MUTED}" '
        f'BGCOLOR="{style.PAPER}">{"".join(rows)}</TABLE></FONT>'
    )


def _section(name: str, rows: list[str]) -> list[str]:
    words = f"{name}: {len(rows)} row{'' if len(rows) == 1 else 's'}"
    return [f'<TR><TD COLSPAN="{COLUMNS}" ALIGN="LEFT" BGCOLOR="{style.NODE_FILL}">{bold(colored(words, style.MUTED))}</TD></TR>', *rows]


def _row(t: Transition, overlay: Overlay, port: str) -> str:
    color, note = style.INK, ""
    if overlay.counts is not None:
        count = overlay.counts.get(t.row, 0)
        color, note = (style.INK, f"×{count}") if count else (style.FAINT, "never")
    elif overlay.steps is not None:
        note = ", ".join(str(n) for n in overlay.numbers([t]))
        color = style.INK if note else style.MUTED
    event = colored(str(t.label) + ("  (or)" if t.optional else ""), style.KINDS[t.kind] if color == style.INK else color)
    clauses = colored(f"{', '.join(t.clauses)} {t.level}".strip(), style.MUTED if color == style.INK else color)
    cells = [colored(f"[{t.row}]", color), event, clauses, bold(colored(note, color)) if note else " "]
    anchors = {0: port if port.startswith("enter") else "", COLUMNS - 1: port if port.startswith("leave") else ""}
    made = (f'<TD ALIGN="LEFT"{_port(anchors.get(i, ""))}>{cell or " "}</TD>' for i, cell in enumerate(cells))
    return f"<TR>{''.join(made)}</TR>"


def _port(name: str) -> str:
    return f' PORT="{name}"' if name else ""
