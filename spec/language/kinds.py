"""Kinds that depend on content: `message hello_retry : server_hello(m) if m.random == RETRY`.

Such a name stands for its base and the condition. A row on it is a row on the base with the condition as a conjunct, and a row on
the base does not hold for it, where the table has rows on it: the kind is a level of its own, above its base. An output of that
kind puts into the message what the condition says. No reading of a law knows more of these kinds than the conjuncts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import Span, complain
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Name, Unary, conjoin, conjuncts, disjoin, negate, walk
from wirelaw.spec.language.sugar import can_meet, denied, is_rival, narrowed
from wirelaw.spec.language.types import BOOL
from wirelaw.spec.language.typing import Scope, Typer


class Kinds:
    """The kinds by content of one machine. Raises LawError for one that cannot be."""

    def __init__(self, declared: Iterable[t.Refinement], typer: Typer) -> None:
        self.typer = typer
        self.declared: dict[str, t.Refinement] = {}
        for d in declared:
            base = typer.message(d.base, d.span)
            if d.name in self.declared or d.name in typer.messages:
                raise complain(d.span, f"`{d.name}` is declared twice", "Rename or remove one of the two.")
            if not base.is_kind:
                raise complain(d.span, f"`{d.base}` is a class of messages, not a kind", "Refine one of its kinds.")
            self.declared[d.name] = d

    def base(self, name: str) -> str:
        """The message that `name` is a kind of; `name` itself where it is none by content."""
        return self.declared[name].base if name in self.declared else name

    def binder(self, name: str, binders: Sequence[str]) -> tuple[str, ...]:
        """The names a row gives to the message of event `name`: one at least where a condition speaks of it."""
        return tuple(binders) or ((self.declared[name].binder,) if name in self.declared else ())

    def condition(self, name: str, binder: str, *, incoming: bool) -> Expr:
        """What holds of a message `binder` of kind `name`."""
        d = self.declared[name]
        scope = Scope().bind(binder, self.typer.messages[d.base], incoming=incoming)
        raw = self.typer.substitute(d.condition, {d.binder: Name(binder, span=d.span)})
        made = self.typer.predicate(raw, scope, f"condition of `{name}`")
        for node in walk(made):
            if isinstance(node, Name) and node.kind != "binder":
                advice = "A kind is what anybody sees in the message; test the rest in the rows."
                raise complain(d.span, f"the condition of `{name}` reads `{node.name}`, which is not in the message", advice)
        return replace(made, origin=f"{name}({binder})")

    def claims(self, name: str, binder: str, *, incoming: bool) -> tuple[Expr, ...]:
        """The condition's conjuncts; none for a kind that is no kind by content."""
        return conjuncts(self.condition(name, binder, incoming=incoming)) if name in self.declared else ()

    def excluded(self, name: str, binder: str) -> tuple[Expr, ...]:
        """That an output of kind `name` is of no kind by content that refines it."""
        return tuple(negate(self.condition(k, binder, incoming=False)) for k, d in self.declared.items() if d.base == name)

    def fields(self, name: str, binder: str, span: Span, *, whole: bool = False) -> dict[str, Expr]:
        """The fields that the condition determines. LawError where `whole` is wanted and it says more than that."""
        found: dict[str, Expr] = {}
        for c in self.claims(name, binder, incoming=False):
            match c:
                case Binary(op="==", a=Field(base=Name(name=base), name=field), b=value) if base == binder:
                    found[field] = value
                case Field(base=Name(name=base), name=field) if base == binder:
                    found[field] = Lit(True, type=BOOL)
                case Unary(op="not", x=Field(base=Name(name=base), name=field)) if base == binder:
                    found[field] = Lit(False, type=BOOL)
                case _ if whole:
                    advice = f"Send `{self.base(name)}` with those fields, or make the condition one of fields and their values."
                    raise complain(span, f"a reply `{name}` is not determined by what makes it one", advice)
        return found

    # --- rows ------------------------------------------------------------------------------------------------------

    def apart(self, rows: Sequence[m.Row], regions: Mapping[str, m.Region]) -> tuple[m.Row, ...]:
        """The rows of a table, those on a base apart from those on its kinds by content."""
        refined = {r.event for r in rows if r.kind}
        return tuple(self._apart(r, rows, regions) if r.event in refined else r for r in rows)

    def _apart(self, row: m.Row, rows: Sequence[m.Row], regions: Mapping[str, m.Region]) -> m.Row:
        above = [r for r in rows if r.kind and not row.kind and r.event == row.event and can_meet(r, row)]
        rest = [r for r in rows if row.otherwise and r is not row and is_rival(r, row)]
        binders = max([row.binders, *(r.binders for r in (*above, *rest))], key=len)
        named = replace(row, binders=binders, otherwise=False)
        kinds = dict.fromkeys(r.kind for r in above)
        found = [self._not_of(kind, named, [r for r in above if r.kind == kind], regions) for kind in kinds]
        return replace(named, guard=row.guard + tuple(found) + tuple(denied(named, r, regions) for r in rest))

    def _not_of(self, kind: str, row: m.Row, above: Sequence[m.Row], regions: Mapping[str, m.Region]) -> Expr:
        """That the message is not of `kind`, in the states and editions in which the rows `above` are on that kind."""
        condition = self.condition(kind, row.binders[0], incoming=True)
        together: dict[tuple[str, tuple[int, ...]], m.Row] = {}
        for r in above:
            held = together.setdefault((r.region, r.editions), r)
            together[r.region, r.editions] = replace(r, states=held.states | r.states if held.states and r.states else frozenset())
        places = [narrowed(row, r, regions) for r in together.values()]
        if () in places:
            return negate(condition)
        return negate(conjoin([disjoin([conjoin(p) for p in places]), condition]))
