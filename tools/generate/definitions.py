"""Macros of the law that become methods of the generated class: what the law says once and by name, the code does too.

Only macros that speak of the machine's own state are taken, and only those worth a call. What a method uses several times it
works out first: a definition has no effect, and the host's answers to `ask` count as the same while outputs are made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Call, Expr, Lit, Name, children, rebuild, walk
from wirelaw.spec.language.types import Type
from wirelaw.tools.generate.naming import local
from wirelaw.tools.generate.wrapping import Lines, branch, indent

SMALLEST = 10  # nodes; a shorter expression reads better in its place
_FOREIGN = ("binder", "arg", "raw", "choice")


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One method. `name` is the macro's, `method` the one in Python."""

    name: str
    method: str
    body: Expr
    needs_time: bool

    @property
    def call(self) -> str:
        """How it is used."""
        return f"self.{self.method}({'now' if self.needs_time else ''})"


class Definitions:
    """The definitions of one machine. `expressions` is everything it may have to work out, folded."""

    def __init__(self, machine: m.Machine, expressions: Iterator[Expr]) -> None:
        self.machine = machine
        self.used: dict[Expr, Definition] = {}
        taken = {f"_{name}" for name in (*machine.tables, *(f"{f}_of" for f in machine.families), "refused")}
        count = Counter(node for e in expressions for node in walk(e) if self._is_worth_it(node))
        self._known: dict[Expr, Definition] = {}
        for body in (e for e, n in count.items() if n > 1):
            name = body.origin.partition("(")[0]
            method = f"_{name}"
            while method in taken:
                method += "_"
            taken.add(method)
            timed = any((isinstance(n, Name) and n.kind == "now") or (isinstance(n, Call) and n.kind == "due") for n in walk(body))
            self._known[body] = Definition(name, method, body, timed)

    def _is_worth_it(self, e: Expr) -> bool:
        if not e.origin or sum(1 for _ in walk(e)) < SMALLEST:
            return False
        named = [n for n in walk(e) if isinstance(n, Name)]
        if any(isinstance(n, Call) and n.kind == "due" and self._timed(n) for n in walk(e)):
            return False
        return not any(n.kind in _FOREIGN or (n.kind in ("var", "region") and self._family(n)) for n in named)

    def _timed(self, n: Call) -> str:
        """The family of a timer or debt that is asked for."""
        what = n.args[0]
        assert isinstance(what, Lit)
        return (self.machine.debts if n.function == "due" else self.machine.timers)[str(what.value)].family

    def _family(self, n: Name) -> str:
        return self.machine.variables[n.name].family if n.kind == "var" else self.machine.regions[n.name].family

    def methods(self) -> set[str]:
        """What the methods are called."""
        return {d.method for d in self._known.values()}

    def knows(self, e: Expr) -> bool:
        """True when `e` is the body of a definition."""
        return bool(e.origin) and e in self._known

    def put(self, e: Expr, names: Mapping[Expr, str] | None = None) -> Expr:
        """`e` with calls in the place of definitions, or the local `names` of those that have one."""
        found = self._known.get(e) if e.origin else None
        if found is None:
            return rebuild(e, lambda x: self.put(x, names))
        if names and e in names:
            return Name(names[e], "raw", type=e.type)
        self.used[found.body] = found
        return Name(found.call, "raw", type=e.type)

    def write(self, text: Callable[[Expr], str], python_type: Callable[[Type], str]) -> Lines:
        """The methods of all definitions used so far, and of those that they use."""
        written: dict[str, Lines] = {}
        while waiting := [d for d in self.used.values() if d.method not in written]:
            for d in waiting:
                written[d.method] = self._method(d, text, python_type)
        return [line for method in sorted(written) for line in written[method]]

    def _method(self, d: Definition, text: Callable[[Expr], str], python_type: Callable[[Type], str]) -> Lines:
        first, opened = self._first(d)
        names = {inner.body: local(inner.name) for inner in first}
        lines = [f'"""`{d.name}` of the law."""']
        for inner in first:
            lines.append(f"{names[inner.body]} = {text(self._opened(inner, names) if inner in opened else self.put(inner.body))}")
        head = f"def {d.method}(self{', now: int' if d.needs_time else ''}) -> {python_type(d.body.type)}:"
        return [head, *indent([*lines, *_returns(self._opened(d, names), text)]), ""]

    def _opened(self, d: Definition, names: Mapping[Expr, str]) -> Expr:
        """What `d` says; without its origin, since this is no use of it."""
        return replace(rebuild(d.body, lambda x: self.put(x, names)), origin="")

    def _first(self, d: Definition) -> tuple[list[Definition], set[Definition]]:
        """What the method of `d` works out first because it needs it several times, what others are made of before them.

        The second part are those written out there instead of called, since they are made of what is at hand.
        """
        uses = Counter(self._parts(d.body))
        opened: set[Definition] = set()
        while more := [x for x, n in uses.items() if n > 1 and x not in opened and any(y in uses for y in self._parts(x.body))]:
            opened.add(more[0])
            uses.update(self._parts(more[0].body))
        return sorted((x for x, n in uses.items() if n > 1), key=lambda x: sum(1 for _ in walk(x.body))), opened

    def _parts(self, e: Expr) -> Iterator[Definition]:
        """The definitions that `e` is made of, without those inside of them."""
        for part in children(e):
            found = self._known.get(part) if part.origin else None
            yield from self._parts(part) if found is None else (found,)


def _returns(e: Expr, text: Callable[[Expr], str]) -> Lines:
    """Statements that return `e`, one for each of its cases."""
    match e:
        case Call(kind="builtin", function="select", args=(test, yes, no)):
            return [*branch([text(test)], _returns(yes, text)), *_returns(no, text)]
    return [f"return {text(e)}"]
