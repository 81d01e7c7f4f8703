"""Pictures of a machine in every format: `draw` makes one, `render` writes it to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import graphviz
from wirelaw.impl.runtime.errors import MissingMeans, UserError
from wirelaw.spec.language.model import Machine
from wirelaw.tools.draw.dot import Overview
from wirelaw.tools.draw.graph import FAN, build
from wirelaw.tools.draw.layout import Layout, layout_of
from wirelaw.tools.draw.mermaid import mermaid
from wirelaw.tools.draw.neighbourhood import neighbourhood
from wirelaw.tools.draw.overlay import Coverage, overlay

TEXT_FORMATS: Final = ("dot", "mermaid")
IMAGE_FORMATS: Final = ("svg", "png", "pdf")
FORMATS: Final = TEXT_FORMATS + IMAGE_FORMATS
SUFFIXES: Final = {".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid", ".svg": "svg", ".png": "png", ".pdf": "pdf"}
PNG_DPI: Final = 150


@dataclass(frozen=True, slots=True)
class View:
    """What to show: the whole machine, or with `state` that state and every row that enters, leaves or stays in it.

    `coverage` maps (row id, state) to how often the row was taken there, the state '' where it is not known; `trace` is the
    row ids of one run in order. Not both.
    """

    state: str = ""
    coverage: Coverage | None = None
    trace: Sequence[str] | None = None
    legend: bool = True


def draw(machine: Machine, fmt: str, view: View | None = None, layout: Layout | None = None) -> str | bytes:
    """A picture of `machine`: text for `dot` and `mermaid`, bytes for `svg`, `png` and `pdf`.

    `layout` defaults to the `.layout` file beside the law. Text formats are the same bytes for the same input.
    Raises UserError for an unknown format, state or row, and MissingMeans where an image needs Graphviz.
    """
    view = view or View()
    if fmt not in FORMATS:
        raise UserError(f"no picture format `{fmt}`; use one of {', '.join(FORMATS)}")
    if view.state and view.state not in machine.states:
        raise UserError(f"machine {machine.name} has no state {view.state}; it has {', '.join(machine.states)}")
    layout = layout if layout is not None else layout_of(machine)
    graph = build(machine, fan=0 if view.state else FAN, layout=layout)
    over = overlay(machine, graph, view.coverage, view.trace)
    if fmt == "mermaid":
        return mermaid(graph, over, view.state)
    dpi = PNG_DPI if fmt == "png" else 0
    if view.state:
        text, pinned = neighbourhood(graph, over, view.state, dpi=dpi), False
    else:
        text, pinned = Overview(graph, layout, over, view.legend, dpi).text(), bool(layout.places)
    return text if fmt == "dot" else _image(text, fmt, pinned=pinned)


def render(machine: Machine, out: Path, fmt: str = "", view: View | None = None, layout: Layout | None = None) -> Path:
    """Write the picture to `out` and return that path. The format follows the file's suffix if `fmt` is not given."""
    chosen = fmt or SUFFIXES.get(out.suffix, "")
    if not chosen:
        raise UserError(f"{out}: cannot tell the format from `{out.suffix}`; use one of {', '.join(SUFFIXES)} or name the format")
    made = draw(machine, chosen, view, layout)
    try:
        out.write_bytes(made.encode() if isinstance(made, str) else made)
    except OSError as error:
        raise UserError(f"{out}: cannot write the picture: {error.strerror}") from None
    return out


def _image(text: str, fmt: str, *, pinned: bool) -> bytes:
    engine = "neato" if pinned else "dot"
    try:
        made: bytes = graphviz.pipe(engine, fmt, text.encode(), neato_no_op=2 if pinned else None, quiet=True)
    except graphviz.ExecutableNotFound:
        problem = f"a {fmt} picture needs Graphviz's `{engine}`, which is not installed"
        raise MissingMeans(problem, "install it (Debian: apt install graphviz), or ask for dot or mermaid, which work without it") from None
    except graphviz.CalledProcessError as error:
        raise UserError(
            f"Graphviz's `{engine}` could not make a {fmt} picture: {_reason(error)}; ask for dot and try another version"
        ) from None
    return made


def _reason(error: graphviz.CalledProcessError) -> str:
    said = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else str(error.stderr or "")
    return next((line.strip() for line in said.splitlines() if line.strip()), f"exit code {error.returncode}")
