"""A machine as a Mermaid `stateDiagram-v2`, which needs no program here: many documentation sites draw it themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from wirelaw.tools.draw.captions import abort_lines
from wirelaw.tools.draw.graph import Edge, Graph, Region, Transition
from wirelaw.tools.draw.neighbourhood import LONGEST, SECTIONS, active_of, clauses_of, grouped, quiet
from wirelaw.tools.draw.overlay import Overlay
from wirelaw.tools.draw.words import one_line

MOST_CAPTIONS = 3


def mermaid(graph: Graph, overlay: Overlay, state: str = "") -> str:
    """Mermaid text of the whole machine, or of one `state` with every row that enters, leaves or stays in it."""
    lines = ["---", f"title: {_title(graph, state)}", "---", "stateDiagram-v2"]
    lines += _one_state(graph, overlay, state) if state else _all_states(graph, overlay)
    return "\n".join(lines) + "\n"


def _title(graph: Graph, state: str) -> str:
    words = f"{graph.name}, state {state}" if state else ": ".join(w for w in (graph.name, graph.doc) if w)
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _all_states(graph: Graph, overlay: Overlay) -> Iterator[str]:
    several = len(graph.regions) > 1 or any(r.family for r in graph.regions)
    yield "    direction TB"
    for region in graph.regions:
        if several:
            yield f'    state "{_region_caption(region)}" as region_{region.name} {{'
        inside = {n.name for n in region.nodes}
        lines = [*_marks(region), *_edges(graph, overlay, inside)]
        yield from (("    " if several else "") + line for line in lines)
        if several:
            yield "    }"
    yield from _classes(graph)


def _region_caption(region: Region) -> str:
    return f"region {region.name}, one for each {region.key}" if region.family else f"region {region.name}"


def _marks(region: Region) -> Iterator[str]:
    for node in region.nodes:
        yield f"    {node.name}"
        if node.initial:
            yield f"    [*] --> {node.name}"
    for node in region.nodes:
        if node.final:
            yield f"    {node.name} --> [*]"


def _edges(graph: Graph, overlay: Overlay, inside: set[str]) -> Iterator[str]:
    for edge in graph.edges:
        if edge.source in inside:
            yield from _edge(edge.source, edge, overlay)
    for i, fan in enumerate(graph.fans):
        if fan.edge.target in inside:
            members = ", ".join(fan.sources)
            among = "" if fan.name.startswith("any state") or fan.name == members else f": {members}"
            yield f'    state "{_plain(fan.name + among)}" as from_many_{i}'
            yield from _edge(f"from_many_{i}", fan.edge, overlay)


def _edge(source: str, edge: Edge, overlay: Overlay) -> Iterator[str]:
    captions = [_marked(caption or "at once", ts, overlay) for caption, ts in edge.captions]
    aborts = tuple(t for t in edge.transitions if t.kind == "abort")
    if len(aborts) > 1:
        captions = [_marked(c or "at once", ts, overlay) for c, ts in edge.captions if ts[0].kind != "abort"]
        captions.append(_plain(" ".join(line.words for line in abort_lines(aborts, overlay))))
    if len(captions) > MOST_CAPTIONS + 1:
        captions = [*captions[:MOST_CAPTIONS], f"+{len(captions) - MOST_CAPTIONS} more"]
    yield f"    %% {' '.join(edge.rows)}"
    yield f"    {source} --> {edge.target} : {'<br/>'.join(captions)}"


def _marked(caption: str, ts: Sequence[Transition], overlay: Overlay) -> str:
    words = _plain(caption)
    if overlay.counts is not None:
        count = overlay.count(ts)
        return f"{words} ({count})" if count.number else f"{words} (never)"
    numbers = overlay.numbers(ts)
    return f"({', '.join(map(str, numbers))}) {words}" if numbers else words


def _classes(graph: Graph) -> Iterator[str]:
    for mark, look, names in (
        ("urgent", "stroke:#a85b00,stroke-width:2px", [n.name for n in graph.nodes.values() if n.urgent]),
        ("hot", "stroke:#a85b00,stroke-dasharray:4 2", [n.name for n in graph.nodes.values() if n.hot and not n.urgent]),
    ):
        if names:
            yield f"    classDef {mark} {look}"
            yield f"    class {','.join(names)} {mark}"


def _one_state(graph: Graph, overlay: Overlay, state: str) -> Iterator[str]:
    yield "    direction LR"
    yield f"    {state}"
    for edge in graph.edges:
        if state in (edge.source, edge.target):
            yield f"    {edge.source} --> {edge.target} : {'<br/>'.join(_rows(edge.transitions, overlay))}"
    yield f"    note right of {state}"
    for name, table, ts in grouped(graph, state):
        head = ", ".join(x for x in (table if ts[0].role == "input" else SECTIONS[name], quiet(ts)) if x)
        yield f"        {_plain(head)}"
        yield from (f"        {line}" for line in _rows(active_of(ts), overlay, does=True))
    yield "    end note"


def _rows(ts: Iterable[Transition], overlay: Overlay, *, does: bool = False) -> Iterator[str]:
    """One line a row: its id, what it does or its caption, its condition, the first clauses it cites."""
    ts = list(ts)
    common = Counter(part for t in ts for part in t.asks)
    for t in ts:
        condition = one_line(t.asks, common, LONGEST)
        asked = f" if {condition}" if condition else ""
        cited = f" ({clauses_of(t)})" if t.clauses else ""
        words = t.does if does else str(replace(t.label, condition=""))
        yield f"#91;{t.row}#93; {_marked(words, [t], overlay)}{_plain(asked + cited)}"


def _plain(words: str) -> str:
    """Text in which nothing means anything to Mermaid: its entity codes for the characters it would read."""
    codes = {
        "#": "#35;",
        ";": "#59;",
        ":": "#58;",
        '"': "#34;",
        "<": "#60;",
        ">": "#62;",
        "{": "#123;",
        "}": "#125;",
        "[": "#91;",
        "]": "#93;",
    }
    return "".join(codes.get(c, c) for c in words)
