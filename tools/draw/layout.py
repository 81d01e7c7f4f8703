"""`.layout` files: where a figure's states stand and which paths are the usual ones.

A layout belongs to one machine and lies beside its law, named after the last part of the machine's name
(`tcp.connection`: `connection.layout`). It says nothing about what the machine does. Lines, `#` begins a comment:

    place STATE column row [again column row]    # columns to the right, rows down, fractions allowed
    path NAME STATE STATE ...                    # a usual course, drawn heavier
    list STATE [except STATE ...]                # arrows into STATE are listed in words, save those from the exceptions
    band STATE STATE ... as WORDS                # states of one phase stand on a common ground that bears these words
    note STATE column row                        # a note there lists what happens in STATE without leaving it
    names CamelCase | UPPER_CASE                 # how messages are written in captions
    say ROW WORDS [/ EFFECT]                     # the caption of a row, where the one made from it does not read well

A state placed `again` is drawn a second time where arrows come in, as RFC 9293 figure 5 does with CLOSED.
Without `place` lines Graphviz arranges the states.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.model import Machine

LINES = (
    "place STATE column row [again column row]", "path NAME STATE STATE ...", "list STATE [except STATE ...]", "band STATE ... as WORDS",
    "note STATE column row", "names CamelCase | UPPER_CASE", "say ROW WORDS [/ EFFECT]",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in grid units (column, row) per state, the first being the home; paths by name."""

    places: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    listed: dict[str, frozenset[str]] = field(default_factory=dict)
    bands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, tuple[float, float]] = field(default_factory=dict)
    names: str = ""
    said: dict[str, str] = field(default_factory=dict)

    def path_of(self, source: str, target: str) -> str:
        """Name of the first path that goes from `source` straight to `target`; '' if none does."""
        for name, states in self.paths.items():
            if (source, target) in pairwise(states):
                return name
        return ""


def layout_of(machine: Machine) -> Layout:
    """The layout beside the machine's law; an empty one if there is none. Raises UserError for a wrong one."""
    path = Path(machine.span.file).parent / (machine.name.rpartition(".")[2] + ".layout")
    if not path.is_file():
        return Layout()
    return parse_layout(path.read_text(encoding="utf-8"), str(path), machine, strict=False)


def parse_layout(text: str, file: str, machine: Machine, *, strict: bool = True) -> Layout:
    """The layout in `text`, checked against `machine`: known states and rows only, and all or none of the states placed.

    Unless `strict`, words for a row that the law has no more are passed over: a picture need not wait for them.
    """
    reader = _Reader(machine, strict)
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            reader.line(words, f"{file}:{number}")
    missing = [s for s in machine.states if s not in reader.places]
    if reader.places and missing:
        raise UserError(f"{file}: no `place` for {', '.join(missing)}; place all states of {machine.name} or none")
    return Layout(reader.places, reader.paths, reader.listed, reader.bands, reader.notes, reader.names, reader.said)


class _Reader:
    """What the lines of a layout have said so far."""

    def __init__(self, machine: Machine, strict: bool) -> None:
        self.machine = machine
        self.strict = strict
        self.rows = {row.id for row in machine.rows()}
        self.places: dict[str, tuple[tuple[float, float], ...]] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        self.listed: dict[str, frozenset[str]] = {}
        self.bands: dict[str, tuple[str, ...]] = {}
        self.notes: dict[str, tuple[float, float]] = {}
        self.names = ""
        self.said: dict[str, str] = {}

    def line(self, words: list[str], where: str) -> None:
        """Take one line, without its comment, into the books."""
        match words:
            case ["place", state, *rest]:
                self.known([state], where)
                self.places[state] = _places(rest, where)
            case ["path", name, _, _, *_]:
                self.paths[name] = self.known(words[2:], where)
            case ["list", state]:
                self.listed[self.known([state], where)[0]] = frozenset()
            case ["list", state, "except", _, *_]:
                self.known([state], where)
                self.listed[state] = frozenset(self.known(words[3:], where))
            case ["band", _, *_] if "as" in words[2:-1]:
                end = words.index("as")
                self.bands[" ".join(words[end + 1 :])] = self.known(words[1:end], where)
            case ["note", state, *rest]:
                self.known([state], where)
                self.notes[state] = _places(rest, where)[0]
            case ["names", "CamelCase" | "UPPER_CASE"]:
                self.names = words[1]
            case ["say", row, _, *_]:
                if row not in self.rows and self.strict:
                    raise UserError(f"{where}: machine {self.machine.name} has no row [{row}]; correct the name")
                self.said[row] = " ".join(words[2:])
            case _:
                raise UserError(f"{where}: expected {', '.join(f'`{line}`' for line in LINES[:-1])} or `{LINES[-1]}`")

    def known(self, states: list[str], where: str) -> tuple[str, ...]:
        """`states`, all of which the machine has."""
        for state in states:
            if state not in self.machine.states:
                raise UserError(f"{where}: machine {self.machine.name} has no state {state}; correct the name")
        return tuple(states)


def _places(words: list[str], where: str) -> tuple[tuple[float, float], ...]:
    wanted = f"{where}: expected `place STATE column row [again column row]`, the positions as numbers"
    found = []
    while words:
        try:
            found.append((float(words[0]), float(words[1])))
        except (ValueError, IndexError):
            raise UserError(wanted) from None
        if len(words) > 2 and words[2] != "again":
            raise UserError(wanted)
        words = words[3:]
    if not found:
        raise UserError(wanted)
    return tuple(found)
