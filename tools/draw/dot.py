"""The overview of a machine as DOT text.

With places from a layout the text pins states, curves and labels (`neato -n2` keeps them; `dot` would arrange anew);
without, `dot` arranges the states, one cluster for each region. Same input, same bytes.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field, replace

from wirelaw.tools.draw import style
from wirelaw.tools.draw.captions import Line, joined, label_lines, transition_line
from wirelaw.tools.draw.graph import Edge, Fan, Graph, Node, Region, merged
from wirelaw.tools.draw.layout import Layout
from wirelaw.tools.draw.legend import legend, legend_height
from wirelaw.tools.draw.markup import attributes, colored, escape, quote
from wirelaw.tools.draw.overlay import Overlay
from wirelaw.tools.draw.route import Box, Route, Wanted, route

LINE = 12.5
SIZE = 9.5
NODE_SIZE = 11.0
NODE_HEIGHT = 34.0
COLUMN_GAP = 124.0
ROW_STEP = 96.0
BAND_REACH = 40.0
START = 26.0
STUB = 52.0
"""How far above its state the words of a listed arrow stand."""
FINAL_BORDER = 4.0
"""How far the second border of a final state stands out."""


@dataclass(slots=True)
class Overview:
    """The writer of one overview; `text()` is the whole DOT file."""

    graph: Graph
    layout: Layout
    overlay: Overlay
    with_legend: bool = True
    dpi: int = 0
    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """DOT text; `neato -n2` renders it if `pinned`, else `dot`."""
        pinned = bool(self.layout.places)
        self.lines = [
            f"// {self.graph.name}: drawn from its law. Render with: {'neato -n2' if pinned else 'dot'} -Tsvg",
            f"digraph {quote(self.graph.name)} {{",
        ]
        self.put("graph", **self.graph_attributes())
        self.put("node", fontname=style.FONT, fontsize=NODE_SIZE, shape="box", style="rounded,filled", fillcolor=style.NODE_FILL,
                 color=style.MUTED, fontcolor=style.INK, penwidth=1.1, height=f"{NODE_HEIGHT / 72:.3f}", margin="0.14,0.06")  # fmt: skip
        self.put("edge", fontname=style.FONT, fontsize=SIZE, arrowsize=0.75, color=style.INK, penwidth=1.1)
        if pinned:
            self.pinned()
        else:
            self.arranged()
        self.lines.append("}")
        return "\n".join(self.lines) + "\n"

    def put(self, what: str, indent: int = 2, /, **values: object) -> None:
        self.lines.append(f"{' ' * indent}{what} {attributes(values)};")

    def graph_attributes(self) -> dict[str, object]:
        values: dict[str, object] = {
            "fontname": style.FONT, "label": title(self.graph), "labelloc": "t", "labeljust": "c", "bgcolor": style.PAPER,
            "pad": 0.25, "outputorder": "nodesfirst",
        }  # fmt: skip
        if not self.layout.places:
            values |= {"rankdir": "TB", "nodesep": 0.55, "ranksep": 0.6, "compound": "true", "newrank": "true"}
        if self.dpi:
            values["dpi"] = self.dpi
        return values

    # --- states and edges ----------------------------------------------------------------------------------------

    def node(self, node: Node, name: str, indent: int, **more: object) -> None:
        marks = [m for m, on in (("urgent", node.urgent), ("hot", node.hot)) if on]
        values: dict[str, object] = dict(more)
        if marks:
            small = f'<FONT POINT-SIZE="8">{colored(", ".join(marks), style.KINDS["timer"])}</FONT>'
            values["label"] = f"<{escape(node.name)}<BR/>{small}>"
        elif name != node.name:
            values["label"] = node.name
        if node.final:
            values["peripheries"] = 2
        if self.overlay.steps is not None:
            seen = node.name in self.overlay.visited
            values |= {"color": style.TRACE, "penwidth": 1.6} if seen else {"color": style.FAINT, "fontcolor": style.MUTED}
        self.put(quote(name), indent, **values)

    def edge_style(self, edge: Edge) -> dict[str, object]:
        values: dict[str, object] = {"color": style.KINDS[edge.kind], "tooltip": " ".join(edge.rows)}
        path = self.layout.path_of(edge.source, edge.target)
        if path:
            values["penwidth"] = 2.6
            if path != next(iter(self.layout.paths)):
                values["style"] = "dashed"
        elif edge.kind == "internal":
            values["style"] = "dotted"
        if self.overlay.counts is not None:
            count = self.overlay.count(edge.transitions).number
            values |= {"color": style.heat(count, self.overlay.most), "penwidth": 2.2 if count else 1.1, "style": "" if count else "dashed"}
        elif self.overlay.steps is not None:
            taken = bool(self.overlay.numbers(edge.transitions))
            values |= {"color": style.TRACE if taken else style.FAINT, "penwidth": 2.4 if taken else 1.0, "style": ""}
        return {k: v for k, v in values.items() if v != ""}

    def label(self, edge: Edge) -> list[Line]:
        return list(label_lines(edge, self.overlay))

    # --- the two ways to arrange ---------------------------------------------------------------------------------

    def pinned(self) -> None:
        nodes = self.graph.nodes
        width = max(style.text_width(n, NODE_SIZE) for n in nodes) + 22
        step = (width + COLUMN_GAP, ROW_STEP)
        boxes = {
            state: tuple(
                Box(c * step[0], r * step[1], width, NODE_HEIGHT).grown(FINAL_BORDER if nodes[state].final else 0) for c, r in places
            )
            for state, places in self.layout.places.items()
        }
        notes = {state: self.note_box(state, c * step[0], r * step[1]) for state, (c, r) in self.layout.notes.items()}
        labels = [self.label(e) for e in self.graph.edges]
        sizes = [(max(style.text_width(x.words, SIZE) for x in lines) + 4, len(lines) * LINE + 2) for lines in labels]
        wanted = [Wanted(boxes[e.source], boxes[e.target], size) for e, size in zip(self.graph.edges, sizes, strict=True)]
        obstacles = [*(b for c in boxes.values() for b in c), *notes.values(), *self.stubs(boxes)]
        routes = route(wanted, obstacles)
        self.grounds(boxes, routes, sizes, notes)
        for state, copies in boxes.items():
            for i, box in enumerate(copies):
                self.node(
                    nodes[state], state if i == 0 else f"{state}#{i}", 2, pos=pin(box.x, box.y), width=f"{width / 72:.3f}", fixedsize="true"
                )
        self.starts(boxes)
        self.put_stubs(boxes)
        for state, box in notes.items():
            self.put_note(state, box, boxes[state][0])
        for edge, lines, found in zip(self.graph.edges, labels, routes, strict=True):
            target = edge.target if found.end == 0 else f"{edge.target}#{found.end}"
            tip, *curve = found.curve[3], *found.curve[:3], self.before_tip(found.curve)
            spline = " ".join(f"{x:.2f},{-y:.2f}" for x, y in curve)
            self.put(f"{quote(edge.source)} -> {quote(target)}", label=joined(lines), pos=f"e,{tip[0]:.2f},{-tip[1]:.2f} {spline}",
                     lp=pin(*found.label).rstrip("!"), **self.edge_style(edge))  # fmt: skip
        if self.with_legend:
            self.put_legend([*obstacles, *(Box(*r.label, *size) for r, size in zip(routes, sizes, strict=True))])

    def put_legend(self, taken: list[Box]) -> None:
        """The legend, below all that is `taken`."""
        middle = (min(b.x - b.width / 2 for b in taken) + max(b.x + b.width / 2 for b in taken)) / 2
        low = max(b.y + b.height / 2 for b in taken) + 34 + legend_height(self.graph, self.layout, self.overlay) / 2
        table = legend(self.graph, self.layout, self.overlay, fans=True)
        rows = " ".join(r for f in self.graph.fans for r in f.edge.rows)
        self.put('"(legend)"', shape="plain", style="", label=f"<{table}>", pos=pin(middle, low), tooltip=rows)

    # --- what a placed figure has beside states and edges ----------------------------------------------------------

    def grounds(
        self, boxes: dict[str, tuple[Box, ...]], routes: list[Route], sizes: list[tuple[float, float]], notes: dict[str, Box]
    ) -> None:
        """The ground of each band, across the figure, and the frame of each region where there are several."""
        labels = [Box(*r.label, *size) for r, size in zip(routes, sizes, strict=True)]
        every = [*(b for c in boxes.values() for b in c), *labels, *notes.values()]
        left, right = min(b.x - b.width / 2 for b in every) - 16, max(b.x + b.width / 2 for b in every) + 16
        captions = max((style.text_width(n, SIZE) for n in self.layout.bands), default=0) + 16
        for i, (words, states) in enumerate(self.layout.bands.items()):
            rows = [boxes[s][0].y for s in states]
            top, bottom = min(rows) - BAND_REACH, max(rows) + BAND_REACH
            middle, size = ((left - captions + right) / 2, (top + bottom) / 2), (right - left + captions, bottom - top)
            fill = style.BANDS[i % len(style.BANDS)]
            self.ground(f"(band {i})", Box(*middle, *size), fillcolor=fill, color=fill, style="filled", label="")
            text = "<BR/>".join(map(escape, textwrap.wrap(words, 26)))
            place = pin(left - captions / 2, middle[1])
            look = {"shape": "plain", "style": "", "fontsize": SIZE, "fontcolor": style.MUTED}
            self.put(quote(f"(words {i})"), pos=place, label=f"<{text}>", **look)
        if len(self.graph.regions) > 1:
            for region in self.graph.regions:
                inside = {n.name for n in region.nodes}
                own = [b for s in inside for b in (*boxes[s], *([notes[s]] if s in notes else []))]
                own += [Box(b.x - START, b.y, b.width, b.height) for s in inside if self.graph.nodes[s].initial for b in boxes[s]]
                own += [label for e, label in zip(self.graph.edges, labels, strict=True) if e.target in inside]
                own += [Box(*p, 0, 0) for e, r in zip(self.graph.edges, routes, strict=True) if e.target in inside for p in r.curve]
                self.frame(region, own)

    def frame(self, region: Region, own: list[Box]) -> None:
        """The border around the states and edges of a region, with its name above."""
        left, right = min(b.x - b.width / 2 for b in own) - 14, max(b.x + b.width / 2 for b in own) + 14
        top, bottom = min(b.y - b.height / 2 for b in own) - 34, max(b.y + b.height / 2 for b in own) + 14
        box = Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        look = {"style": "rounded,dashed" if region.family else "rounded", "color": style.FAINT, "label": ""}
        self.ground(f"(region {region.name})", box, **look)
        name = f"region {region.name}"
        words = f"{name}: one for each {region.key} (family {region.family})" if region.family else name
        self.put(quote(f"(name {region.name})"), shape="plain", style="", fontsize=SIZE, fontcolor=style.MUTED, label=words,
                 pos=pin(left + style.text_width(words, SIZE) / 2 + 4, top + 12))  # fmt: skip

    def ground(self, name: str, box: Box, **look: object) -> None:
        self.put(quote(name), shape="box", pos=pin(box.x, box.y), width=f"{box.width / 72:.3f}", height=f"{box.height / 72:.3f}",
                 fixedsize="true", **look)  # fmt: skip

    def stubs(self, boxes: dict[str, tuple[Box, ...]]) -> list[Box]:
        """Room for the words at states that only listed transitions enter."""
        return [Box(box.x, box.y - STUB, box.width, 12.0) for box in self._entered_by_list(boxes).values()]

    def put_stubs(self, boxes: dict[str, tuple[Box, ...]]) -> None:
        """An arrow out of "any state" into a state that no drawn edge enters."""
        for state, box in self._entered_by_list(boxes).items():
            sources = tuple(
                s for s in boxes if s in {t.source for f in self.graph.fans if f.edge.target == state for t in f.edge.transitions}
            )
            name, top = quote(f"(into {state})"), box.y - box.height / 2
            words = self.graph.words_for(sources, state)
            self.put(
                name,
                shape="plain",
                style="",
                fontsize=SIZE,
                fontcolor=style.MUTED,
                label=f"<<I>{escape(words)}</I>>",
                pos=pin(box.x, box.y - STUB),
            )
            spline = " ".join(f"{box.x:.2f},{-y:.2f}" for y in (box.y - STUB + 8, box.y - STUB + 12, top - 14, top - 7))
            self.put(f"{name} -> {quote(state)}", pos=f"e,{box.x:.2f},{-top:.2f} {spline}", color=style.MUTED)

    def _entered_by_list(self, boxes: dict[str, tuple[Box, ...]]) -> dict[str, Box]:
        drawn = {e.target for e in self.graph.edges}
        return {f.edge.target: boxes[f.edge.target][0] for f in self.graph.fans if f.edge.target not in drawn}

    def note_lines(self, state: str) -> list[Line]:
        """What happens in `state` without leaving it: rows meant for it that do something the other side or the host sees."""
        stays = [t for t in self.graph.staying if t.source == state and t.own and t.does and t.kind in ("input", "output", "user", "timer")]
        return [transition_line(ts, self.overlay) for ts in merged(replace(t, label=replace(t.label, condition="")) for t in stays)]

    def note_box(self, state: str, x: float, y: float) -> Box:
        lines = self.note_lines(state)
        return Box(x, y, max(style.text_width(x.words, SIZE) for x in lines) + 20, (len(lines) + 1) * LINE + 10)

    def put_note(self, state: str, box: Box, home: Box) -> None:
        head = f'<FONT COLOR="{style.MUTED}">in {escape(state)}</FONT>'
        lines = "".join(f'{words}<BR ALIGN="LEFT"/>' for words in (head, *(x.markup for x in self.note_lines(state))))
        name = quote(f"(note {state})")
        look = {"style": "filled", "fillcolor": style.PAPER, "color": style.FAINT, "fontsize": SIZE, "fixedsize": "true"}
        size = {"width": f"{box.width / 72:.3f}", "height": f"{box.height / 72:.3f}", "margin": "0.08,0.04"}
        self.put(name, shape="note", label=f"<{lines}>", pos=pin(box.x, box.y), **look, **size)
        beside = abs(box.x - home.x) > (box.width + home.width) / 2
        side = (1 if box.x > home.x else -1, 0) if beside else (0, 1 if box.y > home.y else -1)
        near = (home.x + side[0] * home.width / 2, home.y + side[1] * home.height / 2)
        far = (box.x - side[0] * box.width / 2, box.y - side[1] * box.height / 2)
        spline = " ".join(f"{near[0] + (far[0] - near[0]) * k / 3:.2f},{-(near[1] + (far[1] - near[1]) * k / 3):.2f}" for k in range(4))
        self.put(f"{quote(state)} -> {name}", pos=spline, color=style.FAINT, style="dotted", arrowhead="none")

    @staticmethod
    def before_tip(curve: tuple[tuple[float, float], ...]) -> tuple[float, float]:
        """Where the line ends so that the arrow head (7.5 pt) reaches the border."""
        (x, y), (cx, cy) = curve[3], curve[2]
        size = ((x - cx) ** 2 + (y - cy) ** 2) ** 0.5 or 1.0
        return (x - (x - cx) / size * 7.5, y - (y - cy) / size * 7.5)

    def starts(self, boxes: dict[str, tuple[Box, ...]]) -> None:
        for state, node in self.graph.nodes.items():
            if not node.initial:
                continue
            box = boxes[state][0]
            left, y = box.x - box.width / 2, box.y
            self.put(
                quote(f"({state})"), shape="point", width=0.1, height=0.1, fillcolor=style.INK, pos=pin(left - START, y), fixedsize="true"
            )
            spline = " ".join(f"{left - away:.2f},{-y:.2f}" for away in (22, 18, 12, 7))
            self.put(f"{quote(f'({state})')} -> {quote(state)}", pos=f"e,{left:.2f},{-y:.2f} {spline}")

    def arranged(self) -> None:
        self.lines.append("  subgraph cluster_figure {")
        table = legend(self.graph, self.layout, self.overlay, fans=False) if self.with_legend else ""
        self.lines.append(f"    graph {attributes({'peripheries': 0, 'labelloc': 'b', 'label': f'<{table}>' if table else ''})};")
        several = len(self.graph.regions) > 1 or any(r.family for r in self.graph.regions)
        for region in self.graph.regions:
            if several:
                name = f"region {region.name}"
                caption = f"{name}: one for each {region.key} (family {region.family})" if region.family else name
                values = {"label": caption, "labeljust": "l", "fontsize": 10, "fontcolor": style.MUTED, "color": style.FAINT,
                          "style": "rounded,dashed" if region.family else "rounded", "margin": 14, "labelloc": "t",
                          "peripheries": 1}  # fmt: skip
                self.lines.append(f"    subgraph {quote(f'cluster_{region.name}')} {{")
                self.lines.append(f"      graph {attributes(values)};")
            for node in region.nodes:
                self.node(node, node.name, 6)
                if node.initial:
                    self.put(quote(f"({node.name})"), 6, shape="point", width=0.1, height=0.1, fillcolor=style.INK)
                    self.put(f"{quote(f'({node.name})')} -> {quote(node.name)}", 6)
                    self.lines.append(f"      {{ rank=same; {quote(f'({node.name})')}; {quote(node.name)} }}")
            for i, fan in enumerate(self.graph.fans):
                if any(n.name == fan.edge.target for n in region.nodes):
                    self.fan(fan, i)
            if several:
                self.lines.append("    }")
        for edge in self.graph.edges:
            heavy = {"weight": 8} if self.layout.path_of(edge.source, edge.target) else {}
            self.put(
                f"{quote(edge.source)} -> {quote(edge.target)}",
                4,
                label=joined(self.label(edge), pad=True),
                **heavy,
                **self.edge_style(edge),
            )
        self.lines.append("  }")

    def fan(self, fan: Fan, number: int) -> None:
        name = quote(f"(fan {number})")
        self.put(name, 6, shape="plaintext", style="", height=0.2, label=f"<<I>{escape(fan.name)}</I>>", fontcolor=style.MUTED)
        self.put(f"{name} -> {quote(fan.edge.target)}", 6, label=joined(self.label(fan.edge), pad=True), **self.edge_style(fan.edge))


def title(graph: Graph) -> str:
    """The heading: the machine's name and what its law says it is."""
    doc = textwrap.wrap(graph.doc, 96)
    under = "".join(f'<BR/><FONT POINT-SIZE="10">{colored(line, style.MUTED)}</FONT>' for line in doc)
    return f'<<FONT POINT-SIZE="16"><B>{escape(graph.name)}</B></FONT>{under}<BR/> >'


def pin(x: float, y: float) -> str:
    """A `pos` of DOT for a point with y downwards, fixed."""
    return f"{x:.2f},{-y:.2f}!"
