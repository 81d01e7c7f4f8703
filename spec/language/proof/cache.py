"""Answers of a solver, kept between runs: a law that did not change is not proved again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wirelaw.spec.language import cache
from wirelaw.spec.language import model as m
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, Unary, children
from wirelaw.spec.language.proof.solver import Solver, Undecided, Witness

FORMAT = 4  # raise it when the meaning of a question or of an answer changes
MOST = 20_000
"""Answers kept for machines of one name; the ones not used for longest go first."""


class CachedSolver:
    """A solver that asks `inner` only what it has not been asked before.

    Questions are known by a hash of their conditions with all types and of the members that enums and regions have, so each
    change of a row or of a declaration that matters makes a new question. `folder` None keeps nothing on disk.
    """

    def __init__(self, inner: Solver, folder: Path | None, machine: str) -> None:
        self.inner = inner
        self.name = inner.name
        self.folder = folder
        self.entry = f"proofs.{machine}.{inner.name}.json"
        self.known: dict[str, Any] = self._read()
        self.used: dict[str, Any] = {}
        self.asked = 0
        self._texts: dict[int, tuple[Expr, str]] = {}
        self._declared: tuple[m.Machine, str] | None = None

    def _read(self) -> dict[str, Any]:
        text = cache.kept(self.entry, self.folder) if self.folder is not None else None
        try:
            stored = json.loads(text or "null")
        except ValueError:  # a torn one: it is only a cache
            return {}
        return stored["answers"] if isinstance(stored, dict) and stored.get("format") == FORMAT else {}

    def save(self) -> None:
        """Keep the answers used in this run, and those of other laws that have a machine of this name while there is room."""
        if self.folder is None or self.used.keys() <= self.known.keys():
            return
        answers = list(({k: a for k, a in self.known.items() if k not in self.used} | self.used).items())[-MOST:]
        cache.keep(self.entry, json.dumps({"format": FORMAT, "answers": dict(answers)}), self.folder)

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """See `Solver.satisfiable`."""
        key = self.key(conjuncts, machine, shown)
        answer = self.used.get(key, self.known.get(key, ...))
        if answer is ...:
            self.asked += 1
            answer = self.ask(conjuncts, machine, shown)
        self.used[key] = answer
        if isinstance(answer, str):
            raise Undecided(answer)
        if answer is None:
            return None
        states, assignments = ([(str(a), str(b)) for a, b in pairs] for pairs in answer)
        return Witness(tuple(states), tuple(assignments))

    def ask(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None) -> Any:
        """The inner solver's answer as JSON: null, a reason for being undecided, or the pairs of a witness."""
        try:
            found = self.inner.satisfiable(conjuncts, machine, shown)
        except Undecided as reason:
            return str(reason)
        return None if found is None else [list(map(list, found.states)), list(map(list, found.assignments))]

    def key(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None) -> str:
        """A hash of the question."""
        parts = [self.declared(machine), *map(self.text, conjuncts)]
        parts += ["all"] if shown is None else ["shown", *map(self.text, shown)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def declared(self, machine: m.Machine) -> str:
        """All members that values of enums, choices and regions can be."""
        if self._declared is None or self._declared[0] is not machine:
            regions = {name: [s.name for s in r.states] for name, r in machine.regions.items()}
            self._declared = (machine, f"{machine.enums} {machine.choices} {regions} {sorted(machine.variables)}")
        return self._declared[1]

    def text(self, e: Expr) -> str:
        """`e` with the types of all its parts; remembered, since invariants and guards come again and again."""
        held = self._texts.get(id(e))
        if held is None:  # `e` is held as well, so that nothing else gets its identity
            parts = "".join(map(self.text, children(e)))
            held = self._texts[id(e)] = (e, f"({_own(e)} {e.type.kind} {e.type.name}{parts})")
        return held[1]


def _own(e: Expr) -> str:
    """What an expression says beside its parts."""
    match e:
        case Lit(value=value):
            return repr(value)
        case Name(name=name, kind=kind):
            return f"name {name} {kind}"
        case Field(name=name):
            return f"field {name}"
        case Call(function=function, kind=kind):
            return f"call {function} {kind}"
        case Unary(op=op) | Binary(op=op):
            return f"{len(children(e))} {op}"
        case _:
            return type(e).__name__
