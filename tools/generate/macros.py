"""Statement macros of the law that become methods: what the law says once and by name, the code does too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Expr, Name, walk
from wirelaw.spec.language.tree import Statement
from wirelaw.tools.generate.naming import Names, local
from wirelaw.tools.generate.wrapping import Lines, indent, invoke

SMALLEST = 4  # lines; a shorter macro reads better in its place


class Macros:
    """The methods of one machine, each known by what it does: one macro may be several where its arguments differ."""

    def __init__(self, machine: m.Machine, names: Names, taken: Iterable[str]) -> None:
        self.machine = machine
        self.names = names
        self._methods: dict[tuple[str, tuple[str, ...], tuple[str, ...]], str] = {}
        events = ("", *(f"_{name}" for name in (*machine.messages, *machine.functions, *machine.timers)))
        self._taken = {*taken, *(f"_{table}{event}" for table in machine.tables for event in events)}

    def call(self, name: str, lines: Lines, statements: tuple[Statement, ...]) -> Lines:
        """A call that does what `lines` do, which were written for `statements` of the macro `name`."""
        names = [n for n in self.names.instances.values() if any(re.search(rf"(?<![\w.]){n}\.", line) for line in lines)]
        names += dict.fromkeys(n for s in statements for e in _expressions(s) for n in _locals(e))
        if any(re.search(r"\bnow\b", line) for line in lines):
            names.append("now")
        key = (name, tuple(lines), tuple(names))
        if key not in self._methods:
            self._methods[key] = self._free(f"_do_{name}")
        return [invoke(f"self.{self._methods[key]}", names)]

    def write(self) -> Lines:
        """All methods called so far, by name."""
        made: Lines = []
        for (name, lines, names), method in sorted(self._methods.items(), key=lambda x: x[1]):
            taken = "".join(f", {n}: {'int' if n == 'now' else 'Any'}" for n in names)
            made += [f"def {method}(self{taken}) -> None:", *indent([f'"""`{name}` of the law."""', *lines]), ""]
        return made

    def _free(self, name: str) -> str:
        found, n = name, 1
        while found in self._taken:
            n += 1
            found = f"{name}_{n}"
        self._taken.add(found)
        return found


def _locals(e: Expr) -> Iterator[str]:
    """The messages and arguments that `e` speaks of, as the code calls them."""
    return (local(n.name) for n in walk(e) if isinstance(n, Name) and n.kind in ("binder", "arg"))


def _expressions(s: Statement) -> Iterator[Expr]:
    yield from s.args
    yield from (e for _, e in s.fields if e is not None)
    if s.value is not None:
        yield s.value
