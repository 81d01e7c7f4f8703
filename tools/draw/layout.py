"""`.layout` files: where a figure's states stand and which paths are the usual ones.

A layout belongs to one machine and lies beside its law, named after the last part of the machine's name
(`tcp.connection`: `connection.layout`). It says nothing about what the machine does. Lines, `#` begins a comment:

    place STATE column row [again column row]    # columns to the right, rows down, fractions allowed
    path NAME STATE STATE ...                    # a usual course, drawn heavier
    list STATE [except STATE ...]                # arrows into STATE are listed in words, save those from the exceptions

A state placed `again` is drawn a second time where arrows come in, as RFC 9293 figure 5 does with CLOSED.
Without `place` lines Graphviz arranges the states.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError
from wirelaw.spec.language.model import Machine


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in grid units (column, row) per state, the first being the home; paths by name."""

    places: dict[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    listed: dict[str, frozenset[str]] = field(default_factory=dict)

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
    return parse_layout(path.read_text(encoding="utf-8"), str(path), machine)


def parse_layout(text: str, file: str, machine: Machine) -> Layout:
    """The layout in `text`, checked against `machine`: known states only, and all or none of them placed."""
    places: dict[str, tuple[tuple[float, float], ...]] = {}
    paths: dict[str, tuple[str, ...]] = {}
    listed: dict[str, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        where = f"{file}:{number}"
        states = {"place": words[1:2], "list": words[1:2] + words[3:]}.get(words[0], words[2:])
        for state in states:
            if state not in machine.states:
                raise UserError(f"{where}: machine {machine.name} has no state {state}; correct the name")
        match words:
            case ["place", state, *rest]:
                places[state] = _places(rest, where)
            case ["path", name, _, _, *_]:
                paths[name] = tuple(states)
            case ["list", state]:
                listed[state] = frozenset()
            case ["list", state, "except", _, *_]:
                listed[state] = frozenset(states[1:])
            case _:
                raise UserError(
                    f"{where}: expected `place STATE column row [again column row]`, `path NAME STATE STATE ...` "
                    "or `list STATE [except STATE ...]`"
                )
    missing = [s for s in machine.states if s not in places]
    if places and missing:
        raise UserError(f"{file}: no `place` for {', '.join(missing)}; place all states of {machine.name} or none")
    return Layout(places, paths, listed)


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
