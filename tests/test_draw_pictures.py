"""Pictures of machines: what they show, that they are the same each time, and what they say when they cannot be made."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.impl.runtime.errors import MissingMeans, UserError
from wirelaw.spec.language.load import SPEC, Law, load
from wirelaw.spec.language.model import Machine, Row
from wirelaw.tools.cli import main
from wirelaw.tools.draw import View, draw, render
from wirelaw.tools.draw.graph import build
from wirelaw.tools.draw.layout import Layout, layout_of, parse_layout
from wirelaw.tools.draw.route import Box, Wanted, route
from wirelaw.tools.draw.words import one_line, shorten
from wirelaw.tools.verbs.draw import machines_named

LAW = Path(__file__).parent / "fixtures" / "draw"
MACHINES = ("sketch.connection", "sketch.transport")
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's `dot` is not installed (Debian: apt install graphviz)")


@pytest.fixture(scope="module")
def law() -> Law:
    return load([LAW])


@pytest.fixture(scope="module")
def tcp(law: Law) -> Machine:
    return law.machine("sketch.connection")


@pytest.fixture(scope="module")
def transport(law: Law) -> Machine:
    return law.machine("sketch.transport")


def text(machine: Machine, fmt: str, view: View | None = None, layout: Layout | None = None) -> str:
    made = draw(machine, fmt, view, layout)
    assert isinstance(made, str)
    return made


@cache
def shipped() -> Law:
    return load()


def changing_rows(machine: Machine) -> set[str]:
    """Rows whose ending names a state, found without the code under test."""
    found = set()
    for row in machine.rows():
        endings = [row.ending, *(e for e, _ in row.ending.alternatives)]
        if any(e.kind in ("become", "abort") for e in endings):
            found.add(row.id)
    return found


def caption(machine: Machine, source: str, target: str) -> list[str]:
    edges = [e for e in build(machine).edges if (e.source, e.target) == (source, target)]
    assert len(edges) == 1
    return [words for words, _ in edges[0].captions]


# --- captions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("CLOSED", "LISTEN", ["OPEN passive"]),
        ("CLOSED", "SYN_SENT", ["OPEN active / snd SYN"]),
        ("LISTEN", "SYN_RECEIVED", ["rcv SYN / owe SYN,ACK"]),
        ("SYN_SENT", "ESTABLISHED", ["rcv SYN,ACK / owe ACK"]),
        ("LISTEN", "SYN_SENT", ["SEND data / snd SYN"]),
        ("ESTABLISHED", "FIN_WAIT_1", ["CLOSE / snd FIN,ACK"]),
        ("FIN_WAIT_1", "TIME_WAIT", ["rcv FIN,ACK / owe ACK"]),
        ("TIME_WAIT", "CLOSED", ["◷ time_wait"]),
        ("LISTEN", "CLOSED", ["CLOSE", "ABORT now"]),
    ],
)
def test_captions_read_as_the_figure_of_the_rfc(tcp: Machine, source: str, target: str, words: list[str]) -> None:
    assert caption(tcp, source, target) == words


def test_one_trigger_with_two_targets_shows_its_condition(tcp: Machine) -> None:
    assert caption(tcp, "SYN_RECEIVED", "LISTEN") == ["rcv RST [passive]"]
    assert caption(tcp, "SYN_RECEIVED", "CLOSED") == ["rcv RST [not passive]"]


def test_messages_of_a_tree_are_named(transport: Machine) -> None:
    assert caption(transport, "SWITCHING", "KEYED") == ["rcv newkeys", "[strict]"]
    assert caption(transport, "READY", "PROPOSED") == ["rcv kexinit", "snd kexinit"]


def test_rows_from_many_states_are_fans(tcp: Machine, transport: Machine) -> None:
    assert {(f.name, f.edge.target, f.edge.rows) for f in build(tcp).fans} == {
        ("LIVE", "CLOSED", ("rto.give-up",)),
        ("SYNCED", "CLOSED", ("rst.synced",)),
        ("any state but LISTEN, SYN_SENT", "CLOSED", ("tx.rst",)),
    }
    assert [(f.name, f.edge.rows) for f in build(transport).fans] == [("any state", ("late.kex", "kx.cross", "kx.odd"))]


def test_alternatives_of_an_either_are_all_there(transport: Machine) -> None:
    graph = build(transport, fan=0)
    found = {(t.source, t.target) for t in (*graph.moves, *graph.staying) if t.row == "kx.cross"}
    assert found == {(s, t) for s in ("READY", "KEYED") for t in ("PROPOSED", s, "DEAD")}


def test_listed_targets_keep_only_the_excepted_arrows(tcp: Machine) -> None:
    graph = build(tcp, layout=Layout(listed={"CLOSED": frozenset({"TIME_WAIT"})}))
    assert [e.source for e in graph.edges if e.target == "CLOSED"] == ["TIME_WAIT"]
    assert {t.row for t in graph.moves} == changing_rows(tcp)


# --- what every picture holds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("fmt", ["dot", "mermaid"])
@pytest.mark.parametrize("placed", [True, False])
def test_every_state_and_every_state_changing_row_appears(law: Law, name: str, fmt: str, placed: bool) -> None:
    machine = law.machine(name)
    made = text(machine, fmt, layout=None if placed else Layout())
    words = set(re.findall(r"[\w.\-]+", made))
    assert set(machine.states) <= words
    assert changing_rows(machine) <= words


def idle(row: Row) -> bool:
    """A row that changes nothing, sends nothing and says nothing; found without the code under test."""
    return not row.actions and not (row.role == "output" and row.event) and row.ending.kind in ("next", "stop", "stay", "drop", "refuse")


@pytest.mark.parametrize("fmt", ["dot", "mermaid"])
def test_the_neighbourhood_holds_the_rows_of_its_state_that_do_something(tcp: Machine, fmt: str) -> None:
    for state in tcp.states:
        made = text(tcp, fmt, View(state=state))
        here = [r for r in tcp.rows() if r.role != "gate" and (not r.states or state in r.states)]
        for row in here:
            assert bool(re.search(rf"(\[|#91;){re.escape(row.id)}(\]|#93;)", made)) == (not idle(row)), (state, row.id)
        counted = sum(int(n) for n in re.findall(r"(\d+) without effect", made)) + sum(int(n) for n in re.findall(r"(\d+) refused", made))
        assert counted == sum(idle(r) for r in here)
        assert "RFC 9293 3.10" in made
        assert not re.search(r"\bMUST\b", made), "a clause is named, not its level alone"


def test_the_neighbourhood_joins_the_state_to_those_before_and_after(tcp: Machine) -> None:
    made = text(tcp, "dot", View(state="ESTABLISHED"))
    for other in ("SYN_SENT", "SYN_RECEIVED"):
        assert f'"from {other}" -> "from {other}: rows"' in made
        assert f'"from {other}: rows" -> "ESTABLISHED"' in made
    for other in ("FIN_WAIT_1", "CLOSE_WAIT", "CLOSED"):
        assert f'"ESTABLISHED" -> "to {other}: rows"' in made
        assert f'"to {other}: rows" -> "to {other}"' in made
    assert "if FIN, seq = rcv_nxt" in made


def test_conditions_are_cut_between_two_and_those_that_tell_apart_come_first() -> None:
    parts = ("shared by all rows of the table", "own to this row", "shared by all rows too")
    common = {parts[0]: 5, parts[1]: 1, parts[2]: 5}
    assert one_line(parts, common, 200) == ", ".join(parts)
    assert one_line(parts, common, 24) == "own to this row, …"


@given(st.text(st.characters(categories=["L", "Zs"]), max_size=60), st.integers(4, 40))
def test_words_are_never_cut_in_the_middle(words: str, longest: int) -> None:
    words = " ".join(words.split())
    short = shorten(words, longest)
    assert len(short) <= max(longest, 1)
    if short != words and " " in words[: longest - 1]:
        assert words[len(short) - 1] == " "


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("fmt", ["dot", "mermaid"])
def test_the_same_law_gives_the_same_bytes(name: str, fmt: str) -> None:
    first, second = (text(load([LAW]).machine(name), fmt) for _ in range(2))
    assert first == second


def test_regions_and_families_are_marked(transport: Machine) -> None:
    assert 'subgraph "cluster_kx"' in text(transport, "dot")
    assert "region chan: one for each channel (family channel)" in text(transport, "dot")
    assert 'state "region chan, one for each channel" as region_chan {' in text(transport, "mermaid")


def test_urgent_states_and_beginnings_are_marked(transport: Machine) -> None:
    assert re.search(r'"PROPOSED" \[label=<PROPOSED.*urgent', text(transport, "dot"))
    assert '"(READY)" -> "READY"' in text(transport, "dot")
    assert "class PROPOSED,SWITCHING urgent" in text(transport, "mermaid")
    assert "[*] --> READY" in text(transport, "mermaid")
    assert "DEAD --> [*]" in text(transport, "mermaid")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("state", ["", "first"])
def test_mermaid_lines_are_well_formed(law: Law, name: str, state: str) -> None:
    machine = law.machine(name)
    made = text(machine, "mermaid", View(state=next(iter(machine.states)) if state else ""))
    head, body = made.split("stateDiagram-v2\n")
    assert re.fullmatch(r'---\ntitle: ".*"\n---\n', head)
    depth = 0
    for line in body.splitlines():
        depth += line.endswith("{")
        depth -= line.strip() == "}"
        if " --> " in line and not line.strip().startswith("%%"):
            assert re.fullmatch(r"\s+(\w+|\[\*\]) --> (\w+|\[\*\])( : [^:;\[\]{}\"]*(#\d+;[^:;\[\]{}\"]*)*)?", line), line
    assert depth == 0


# --- overlays ------------------------------------------------------------------------------------------------------------


def edge_line(made: str, source: str, target: str) -> str:
    return next(line for line in made.splitlines() if line.strip().startswith(f'"{source}" -> "{target}'))


def test_coverage_colours_edges_and_greys_the_never_taken(tcp: Machine) -> None:
    made = text(
        tcp, "dot", View(coverage={("tx.syn", "CLOSED"): 1, ("syn.answer", "SYN_SENT"): 40, ("rst.synced", "CLOSING"): 7}), Layout()
    )
    rare, busy, never = (edge_line(made, *e) for e in (("CLOSED", "SYN_SENT"), ("SYN_SENT", "ESTABLISHED"), ("LISTEN", "SYN_RECEIVED")))
    colors = [re.search(r' color="(#\w+)"', line) for line in (rare, busy, never)]
    assert len({c.group(1) for c in colors if c}) == 3
    assert "×1<" in rare
    assert "×40<" in busy
    assert 'style="dashed"' in never
    assert "×7" in made
    assert "never taken" in made
    assert "(never)" in text(tcp, "mermaid", View(coverage={}))


def test_a_trace_is_numbered_along_its_path(tcp: Machine) -> None:
    run = ["call.connect", "tx.syn", "syn.answer", "tx.data", "tx.fin", "ack.fin", "fin.move", "wait.over"]
    made = text(tcp, "mermaid", View(trace=run))
    path = ["CLOSED", "SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT", "CLOSED"]
    for number, (source, target) in enumerate(pairwise(path), 1):
        assert f"{source} --> {target} : ({number})" in made
    assert len(re.findall(r": \(\d", made)) == 6
    assert ">3 <" in edge_line(text(tcp, "dot", View(trace=run), Layout()), "ESTABLISHED", "FIN_WAIT_1")


def test_a_row_taken_twice_bears_both_numbers(tcp: Machine) -> None:
    run = ["tx.syn", "rst.refused", "tx.syn"]
    assert "CLOSED --> SYN_SENT : (1, 3)" in text(tcp, "mermaid", View(trace=run))


def test_a_row_of_several_states_is_counted_where_it_was_taken(tcp: Machine) -> None:
    made = text(tcp, "dot", View(coverage={("tx.fin", "ESTABLISHED"): 5}), Layout())
    assert "×5<" in edge_line(made, "ESTABLISHED", "FIN_WAIT_1")
    for source, target in (("SYN_RECEIVED", "FIN_WAIT_1"), ("CLOSE_WAIT", "LAST_ACK")):
        assert "×" not in edge_line(made, source, target)
        assert 'style="dashed"' in edge_line(made, source, target)
    assert "×≤" not in made


def test_counts_of_rows_alone_are_shown_as_bounds(tcp: Machine) -> None:
    made = text(tcp, "dot", View(coverage={("tx.fin", ""): 5, ("tx.syn", ""): 2}), Layout())
    assert "×≤5<" in edge_line(made, "SYN_RECEIVED", "FIN_WAIT_1")
    assert "×2<" in edge_line(made, "CLOSED", "SYN_SENT"), "the row leads from one state only"
    assert "not the states they were taken in" in made


# --- layouts -------------------------------------------------------------------------------------------------------------


def test_placed_states_are_pinned_and_paths_are_heavier(tcp: Machine) -> None:
    made = text(tcp, "dot")
    assert made.splitlines()[0].endswith("neato -n2 -Tsvg")
    assert len(re.findall(r'^  "[A-Z_]+1?2?(#1)?" \[.*pos="[-\d.]+,[-\d.]+!"', made, re.MULTILINE)) == 12
    assert 'penwidth="2.6"' in edge_line(made, "CLOSED", "SYN_SENT")
    assert 'penwidth="2.6", style="dashed"' in edge_line(made, "LISTEN", "SYN_RECEIVED")
    assert "penwidth" not in edge_line(made, "LISTEN", "SYN_SENT")


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("place NOWHERE 1 2", "no state NOWHERE"),
        ("place CLOSED 1 0", "no `place` for LISTEN"),
        ("place CLOSED one two", "expected `place"),
        ("place CLOSED 1 2 twice 3 4", "expected `place"),
        ("paint CLOSED", "expected `place"),
        ("path short CLOSED", "expected `place"),
        ("list CLOSED except NOWHERE", "no state NOWHERE"),
        ("band CLOSED NOWHERE as A phase", "no state NOWHERE"),
        ("band CLOSED as", "expected `place"),
        ("note NOWHERE 1 2", "no state NOWHERE"),
        ("note CLOSED here", "expected `place"),
        ("names shouted", "expected `place"),
        ("say nope rcv something", "no row [nope]"),
    ],
)
def test_a_wrong_layout_is_refused_with_its_place(tcp: Machine, written: str, complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)) as caught:
        parse_layout(f"# a layout\n{written}\n", "some.layout", tcp)
    assert str(caught.value).startswith("some.layout:")


def test_the_layouts_that_ship_fit_their_laws() -> None:
    shipped = sorted(SPEC.rglob("*.layout"))
    assert shipped
    machines = [m for folder in {p.parent for p in shipped} for m in load([folder]).machines.values()]
    for path in shipped:
        here = [m for m in machines if Path(m.span.file).parent.resolve() == path.parent.resolve()]
        owners = [m for m in here if m.name.rpartition(".")[2] == path.stem]
        assert owners, f"{path} belongs to no machine"
        for machine in owners:
            assert parse_layout(path.read_text("utf-8"), str(path), machine) == layout_of(machine)


def test_a_layout_writes_names_and_captions(transport: Machine) -> None:
    layout = parse_layout("names CamelCase\nsay keys.switch [both said strict] / new keys\nsay kx.newkeys rcv the switch\n", "x", transport)
    captions = {(e.source, e.target): [words for words, _ in e.captions] for e in build(transport, layout=layout).edges}
    assert captions["SWITCHING", "KEYED"] == ["rcv the switch", "[both said strict] / new keys"]
    assert captions["CHAN_FREE", "CHAN_OPENING"] == ["snd OpenRequest"]


def test_bands_notes_and_regions_of_a_placed_figure(transport: Machine) -> None:
    places = "".join(f"place {state} {i % 3} {i // 3}\n" for i, state in enumerate(transport.states))
    layout = parse_layout(places + "band READY PROPOSED as Agreement\nnote KEYED 3 1\n", "x", transport)
    made = text(transport, "dot", layout=layout)
    assert '"(band 0)"' in made
    assert "<Agreement>" in made
    assert '"(region kx)"' in made
    assert "region chan: one for each channel (family channel)" in made
    assert "in KEYED" in made
    assert "rcv unimplemented" in made


def test_what_a_law_merely_allows_is_counted_beside_what_it_demands() -> None:
    machine = shipped().machine("arp.neighbour")
    made = text(machine, "dot")
    assert "+1 ◇" in edge_line(made, "ABSENT", "REACHABLE")
    assert "the law allows it beside others" in made
    assert "unasked" in text(machine, "dot", View(state="REACHABLE"))


coordinate = st.integers(0, 3)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6, unique=True), st.data())
def test_routes_join_borders_and_labels_keep_off_states(cells: list[tuple[int, int]], data: st.DataObject) -> None:
    boxes = [Box(c * 220.0, r * 110.0, 90, 34) for c, r in cells]
    index = st.integers(0, len(boxes) - 1)
    pairs = data.draw(st.lists(st.tuples(index, index).filter(lambda p: p[0] != p[1]), max_size=4, unique=True))
    wanted = [Wanted((boxes[a],), (boxes[b],), (60.0, 14.0)) for a, b in pairs]
    for (a, b), found in zip(pairs, route(wanted, boxes), strict=True):
        assert boxes[a].grown(6).holds(found.curve[0])
        assert boxes[b].grown(6).holds(found.curve[3])
        assert not any(box.holds(found.label) for box in boxes)
    assert route(wanted, boxes) == route(wanted, boxes)


# --- files and means -----------------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("view", [View(), View(state="CLOSED"), View(coverage={}), View(trace=[])])
def test_dot_reads_what_we_write(law: Law, name: str, view: View) -> None:
    machine = law.machine(name)
    if view.state and view.state not in machine.states:
        view = View(state=next(iter(machine.states)))
    made = text(machine, "dot", view, None if view == View() else Layout())
    done = subprocess.run(["dot", "-Tcanon"], input=made, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_dot
@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
@pytest.mark.parametrize("name", MACHINES)
def test_images_are_written(law: Law, tmp_path: Path, name: str, suffix: str, magic: bytes) -> None:
    out = render(law.machine(name), tmp_path / f"picture.{suffix}")
    assert out.read_bytes().startswith(magic)


def test_without_graphviz_the_error_names_package_and_ways_around(
    tcp: Machine, transport: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for machine in (tcp, transport):
        with pytest.raises(MissingMeans, match=r"graphviz.*dot or mermaid"):
            draw(machine, "png", layout=Layout())
        assert "digraph" in text(machine, "dot", layout=Layout())
        assert "stateDiagram-v2" in text(machine, "mermaid")


@pytest.mark.parametrize(
    ("fmt", "view", "complaint"),
    [
        ("gif", View(), "no picture format `gif`"),
        ("dot", View(state="ESTABLISH"), "no state ESTABLISH"),
        ("dot", View(coverage={("nope", ""): 1}), "coverage names row [nope]"),
        ("dot", View(trace=["nope"]), "trace names row [nope]"),
        ("dot", View(trace=[], coverage={}), "ask for one of them"),
    ],
)
def test_wrong_wishes_are_refused(tcp: Machine, fmt: str, view: View, complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)):
        draw(tcp, fmt, view)


def test_a_file_of_unknown_kind_is_refused(tcp: Machine, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot tell the format"):
        render(tcp, tmp_path / "picture.doc")
    with pytest.raises(UserError, match="cannot write the picture"):
        render(tcp, tmp_path / "missing" / "picture.dot")


# --- the pictures that ship ----------------------------------------------------------------------------------------------

SHIPPED = {
    "tcp": "tcp.connection", "tls": "tls13.client", "ssh": "ssh.transport.client", "arp": "arp.neighbour", "dns": "dns.lookup",
}  # fmt: skip
DOCS = Path(__file__).parent.parent / "docs"


def words(svg: bytes | str) -> list[str]:
    """What a picture says; its coordinates depend on the version of Graphviz and its fonts."""
    return [t for e in ElementTree.fromstring(svg).iter() if e.tag.endswith(("}text", "}title")) for t in e.itertext()]


@needs_dot
@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_of_the_documentation_are_fresh(name: str) -> None:
    kept = DOCS / f"{name}.svg"
    made = draw(shipped().machine(SHIPPED[name]), "svg")
    assert words(kept.read_bytes()) == words(made), f"draw it anew: wirelaw draw {SHIPPED[name]} -o docs/{name}.svg"
    assert kept.stat().st_size < 100_000


@pytest.mark.parametrize(
    "name", [*SHIPPED.values(), "stop_and_wait.sender", "stop_and_wait.receiver", "ssh.transport.server", "tls13.server"]
)
def test_no_two_arrows_of_a_figure_are_alike(name: str) -> None:
    machine = shipped().machine(name)
    edges = build(machine, layout=layout_of(machine)).edges
    captions = [(e.source, caption) for e in edges for caption, ts in e.captions if not ts[0].label.choice]
    assert len(captions) == len(set(captions))
    assert not [caption for _, caption in captions if caption.endswith("…]")]


# --- which machine is meant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tcp", ["tcp.connection"]),
        ("tls", ["tls13.client", "tls13.server"]),
        ("ssh", ["ssh.transport.client", "ssh.transport.server"]),
        ("ssh.transport.server", ["ssh.transport.server"]),
        ("net", ["arp.neighbour", "dns.lookup", "icmp.host", "icmp.echo", "listener.queue"]),
        ("examples", ["lease.server", "stop_and_wait.sender", "stop_and_wait.receiver"]),
    ],
)
def test_a_folder_or_the_beginning_of_a_name_means_its_machines(name: str, found: list[str]) -> None:
    assert machines_named(shipped(), name) == found


@pytest.mark.parametrize(
    ("name", "meant"), [("tpc", "did you mean tcp.connection"), ("conection", "tcp.connection"), ("zzz", "there are arp.")]
)
def test_an_unknown_machine_is_answered_with_those_that_may_be_meant(name: str, meant: str) -> None:
    with pytest.raises(UserError, match=re.escape(meant)):
        machines_named(shipped(), name)


@pytest.mark.parametrize("arguments", [["ssh"], ["ssh", "-o", "picture.dot"]])
def test_several_machines_are_drawn_into_a_file_each(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *arguments, *([] if "-o" in arguments else ["--format", "dot"])]) == 0
    drawn = sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".dot")
    stem = "picture-" if "-o" in arguments else "ssh.transport."
    assert drawn == [f"{stem}client.dot", f"{stem}server.dot"]
