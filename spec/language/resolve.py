"""Syntax tree to typed model: names, macros, fragments, types and the completion of output fields."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import Diagnostic, LawError, Span, complain
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Name, conjuncts, negate, walk
from wirelaw.spec.language.externs import check_allowed
from wirelaw.spec.language.families import misplaced_in_families
from wirelaw.spec.language.kinds import Kinds
from wirelaw.spec.language.sugar import in_order, rows_of
from wirelaw.spec.language.types import ANY, BOOL, DURATION, Type, flip
from wirelaw.spec.language.typing import Scope, Typer, coerce, zero

_T = TypeVar("_T")


def resolve(machine: t.Machine, fragments: dict[str, t.Machine] | None = None, externs: Collection[str] = ()) -> m.Machine:
    """The typed model of `machine`; `externs` as in `load`. Raises LawError with every diagnostic found."""
    return Resolver(machine, fragments or {}, externs).run()


class Resolver:
    """The names of one machine, and the making of its parts. `run` comes first."""

    def __init__(self, machine: t.Machine, fragments: dict[str, t.Machine], externs: Collection[str] = ()) -> None:
        self.machine = machine
        self.externs = externs
        self.fragments = fragments
        self.diagnostics: list[Diagnostic] = []
        self.files = [machine.span.file]
        self.typer = Typer()
        self.row_spans: dict[str, Span] = {}

    # --- collecting declarations -------------------------------------------------------------------------------

    def flatten(self, declarations: tuple[object, ...], seen: tuple[str, ...] = (), family: str = "") -> list[tuple[str, object]]:
        """Declarations with the name of the family they stand in ('' outside)."""
        found: list[tuple[str, object]] = []
        for d in declarations:
            if isinstance(d, t.Include):
                if d.name in seen:
                    raise complain(d.span, f"fragment `{d.name}` includes itself", "Remove one of the includes.")
                if d.name not in self.fragments:
                    near = difflib.get_close_matches(d.name, self.fragments, 1)
                    hint = f"Did you mean `{near[0]}`?" if near else "Define `fragment` of that name in a .law file of the same folder."
                    raise complain(d.span, f"no fragment `{d.name}`", hint)
                fragment = self.fragments[d.name]
                if fragment.span.file not in self.files:
                    self.files.append(fragment.span.file)
                found += self.flatten(fragment.declarations, (*seen, d.name), family)
            elif isinstance(d, t.Family) and family:
                raise complain(d.span, f"family `{d.name}` stands in family `{family}`", "Families do not nest: put it beside the other.")
            elif isinstance(d, t.Family):
                found.append(("", d))
                found += self.flatten(d.declarations, seen, d.name)
            else:
                found.append((family, d))
        return found

    def run(self) -> m.Machine:
        declared = self.flatten(self.machine.declarations)

        def all_of(kind: type[_T]) -> list[tuple[str, _T]]:
            return [(family, d) for family, d in declared if isinstance(d, kind)]

        y = self.typer
        y.enums = {d.name: d.members for _, d in all_of(t.Enum)}
        y.opaques = {n for _, d in all_of(t.TypeDecl) for n in d.names}
        y.functions = self.unique((d.name, d, d.span) for _, d in all_of(t.Function))
        y.choices = self.unique((d.name, d.options, d.span) for _, d in all_of(t.Choice))
        y.macros = self.unique((d.name, d, d.span) for _, d in all_of(t.DefExpr))
        y.message_names = {d.name for _, d in all_of(t.Message)}
        y.by_content = {d.name: d.base for _, d in all_of(t.Refinement)}
        self.statements = self.unique((d.name, d, d.span) for _, d in all_of(t.DefStmt))
        self.opened: list[str] = []
        y.messages = self.messages([d for _, d in all_of(t.Message)])
        y.functions = {
            k: replace(
                f, params=tuple((n, y.named(p, f.span)) for n, p in f.params), result=y.named(f.result, f.span) if f.result else None
            )
            for k, f in y.functions.items()
        }
        for _, c in all_of(t.Const):
            y.consts[c.name] = coerce(y.check(c.value, Scope()), y.named(c.type, c.span), c.span, f"constant `{c.name}`")
        y.params = self.params([d for _, d in all_of(t.Param)])
        regions, states = self.regions(all_of(t.Region))
        y.regions, y.states = regions, states
        groups = self.groups([d for _, d in all_of(t.Group)], states)
        self.states, self.state_groups = states, groups
        keys = self.families([d for _, d in all_of(t.Family)])
        y.variables = {**keys, **self.variables(all_of(t.Variable), keys)}
        y.variables |= self.queues(all_of(t.Queue))
        y.timers = {d.name: self.timer(d, family) for family, d in all_of(t.Timer)}
        self.kinds = Kinds([d for _, d in all_of(t.Refinement)], y)
        y.debts = {d.name: self.debt(d, family) for family, d in all_of(t.Debt)}
        self.field_defaults()
        self.outputs = {d.message: self.output(d) for _, d in all_of(t.Output)}
        inputs = {d.message: self.pipeline(d) for _, d in all_of(t.Input)}
        tables = {d.name: self.table(d, family) for family, d in all_of(t.Table) if not d.is_gate}
        self.check_stages([d for _, d in all_of(t.Input)], tables)
        gates = [r for family, d in all_of(t.Table) if d.is_gate for r in self.gate(d, family)]
        emissions = [r for family, d in all_of(t.Row) for r in self.guarded(self.claimed_emission, d, family)]
        properties = [p for family, d in all_of(t.Property) for p in self.guarded(self.property, d, family)]
        y.family = ""
        aborts = [d for _, d in all_of(t.Abort)]
        abort = self.abort(aborts[0]) if aborts else None
        if self.diagnostics:
            raise LawError(*_once(self.diagnostics))
        docs = [d.text for _, d in all_of(t.Doc)]
        modules = [check_allowed(d, self.externs) for _, d in all_of(t.Externs)]
        made = m.Machine(
            self.machine.name, docs[0] if docs else "", modules[0] if modules else "", regions, states, groups, y.variables, y.params,
            y.choices, y.enums, y.messages, inputs, self.outputs, y.functions, y.timers, y.debts, tables, tuple(gates),
            tuple(emissions), tuple(properties), y.families, abort, self.machine.span, tuple(self.files),
        )  # fmt: skip
        if misplaced := dict.fromkeys(misplaced_in_families(made)):
            raise LawError(*misplaced)
        return made

    def unique(self, items: Iterable[tuple[str, _T, Span]]) -> dict[str, _T]:
        found: dict[str, _T] = {}
        for name, value, span in items:
            if name in found:
                self.report(span, f"`{name}` is declared twice", "Rename or remove one of the two.")
            found[name] = value
        return found

    def report(self, span: Span, message: str, advice: str) -> None:
        self.diagnostics.append(Diagnostic(span.file, span.line, span.column, message, advice))

    def guarded(self, make: Callable[..., _T], *args: object) -> list[_T]:
        """What `make` returns, or nothing with its diagnostics kept, so that one run reports them all."""
        try:
            return [make(*args)]
        except LawError as error:
            self.diagnostics += error.diagnostics
            return []

    # --- declarations ------------------------------------------------------------------------------------------

    def messages(self, declared: list[t.Message]) -> dict[str, m.Message]:
        by_name = self.unique((d.name, d, d.span) for d in declared)
        parents = {d.parent for d in declared}
        made: dict[str, m.Message] = {}
        for d in declared:
            lineage = [d.name]
            while (parent := by_name[lineage[-1]].parent) is not None:
                if parent not in by_name:
                    raise complain(d.span, f"message `{d.name}` belongs to unknown class `{parent}`", "Declare that message first.")
                lineage.append(parent)
                if len(lineage) > 3:
                    raise complain(d.span, f"message `{d.name}` is deeper than kind < class < any", "Flatten the tree to three levels.")
            fields: dict[str, m.MessageField] = {}
            for ancestor in reversed(lineage):
                for f in by_name[ancestor].fields:
                    if f.name in fields and ancestor == d.name:
                        self.report(f.span, f"field `{f.name}` is declared twice", "Rename or remove one of the two.")
                    kind = self.typer.named(f.type, f.span)
                    fields[f.name] = m.MessageField(f.name, kind, f.default, f.span)
            made[d.name] = m.Message(d.name, d.parent, tuple(lineage), fields, d.name not in parents, d.span)
        return made

    def field_defaults(self) -> None:
        """Types the defaults of message fields; they may speak of variables, so this comes after all declarations."""
        for message in self.typer.messages.values():
            for f in message.fields.values():
                if f.default is not None:
                    kind = flip(f.type, incoming=False)
                    default = coerce(self.typer.check(f.default, Scope(), kind), kind, f.span, f"default of `{f.name}`")
                    message.fields[f.name] = replace(f, default=default)

    def params(self, declared: list[t.Param]) -> dict[str, m.Param]:
        made = {}
        for d in declared:
            kind = self.typer.named(d.type, d.span)
            low = coerce(self.typer.check(d.low, Scope()), kind, d.span, f"bound of `{d.name}`") if d.low else None
            high = coerce(self.typer.check(d.high, Scope()), kind, d.span, f"bound of `{d.name}`") if d.high else None
            made[d.name] = m.Param(d.name, kind, low, high, d.span)
        return made

    def regions(self, declared: list[tuple[str, t.Region]]) -> tuple[dict[str, m.Region], dict[str, m.State]]:
        regions: dict[str, m.Region] = {}
        states: dict[str, m.State] = {}
        for family, d in declared:
            members = []
            for s in d.states:
                if s.name in states:
                    self.report(s.span, f"state {s.name} is declared twice", "State names are unique in a machine.")
                state = m.State(
                    s.name, d.name, "initial" in s.marks, "urgent" in s.marks, "hot" in s.marks, "final" in s.marks, s.span
                )  # fmt: skip
                states[s.name] = state
                members.append(state)
            regions[d.name] = m.Region(d.name, tuple(members), family, d.span)
        return regions, states

    def groups(self, declared: list[t.Group], states: dict[str, m.State]) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for d in declared:
            members: set[str] = set()
            for name in d.members:
                if name in found:
                    members |= found[name]
                elif name in states:
                    members.add(name)
                else:
                    self.report(d.span, f"no state {name}", nearest(name, states))
            found[d.name] = frozenset(members)
        return found

    def state_set(self, names: tuple[str, ...], span: Span) -> frozenset[str]:
        found: set[str] = set()
        for name in names:
            if name in self.state_groups:
                found |= self.state_groups[name]
            elif name in self.states:
                found.add(name)
            else:
                raise complain(span, f"no state {name}", nearest(name, {**self.states, **dict.fromkeys(self.state_groups)}))
        regions = {self.states[s].region for s in found}
        if len(regions) > 1:
            listed = ", ".join(sorted(regions))
            raise complain(span, f"a row names states of several regions ({listed})", "Keep one region; test the others in the guard.")
        return frozenset(found)

    def families(self, declared: list[t.Family]) -> dict[str, m.Variable]:
        """Makes the families known; their keys as variables, by the name of the field where no other family is by that."""
        made: dict[str, m.Variable] = {}
        names = [d.key for d in declared]
        self.unique((d.name, d, d.span) for d in declared)
        for d in declared:
            kinds = dict.fromkeys(x.fields[d.key].type for x in self.typer.messages.values() if d.key in x.fields)
            if len(kinds) != 1:
                raise complain(
                    d.span, f"{'several types of field' if kinds else 'no message has a field'} `{d.key}`, which tells the instances "
                    f"of family `{d.name}` apart", "Give each message that is for an instance such a field, all of one type.",
                )  # fmt: skip
            kind = next(iter(kinds))
            if kind.kind in ("message", "set"):
                raise complain(d.span, f"family `{d.name}` is by `{d.key}`, which is {kind}", "A key is one value that does not change.")
            variable = d.key if names.count(d.key) == 1 else f"{d.name}_{d.key}"
            made[variable] = m.Variable(variable, "key", kind, Lit(None), d.name, d.span)
            self.typer.families[d.name] = m.Family(d.name, d.key, variable, d.sent_as or variable, d.span)
        return made

    def variables(self, declared: list[tuple[str, t.Variable]], keys: dict[str, m.Variable]) -> dict[str, m.Variable]:
        made: dict[str, m.Variable] = {}
        for family, d in declared:
            if d.name in keys:
                self.report(d.span, f"`{d.name}` is the key of family `{keys[d.name].family}`", "Call the variable by another name.")
            if d.name in made or d.name in self.typer.consts or d.name in self.typer.params:
                self.report(d.span, f"`{d.name}` is declared twice", "Rename or remove one of the two.")
            kind = self.typer.named(d.type, d.span)
            init = coerce(self.typer.check(d.init, Scope(), kind), kind, d.span, f"`{d.name}`") if d.init is not None else zero(kind)
            made[d.name] = m.Variable(d.name, d.kind, kind, init, family, d.span)
        return made

    def queues(self, declared: list[tuple[str, t.Queue]]) -> dict[str, m.Variable]:
        made: dict[str, m.Variable] = {}
        for family, d in declared:
            if d.name in made or d.name in self.typer.variables:
                self.report(d.span, f"`{d.name}` is declared twice", "Rename or remove one of the two.")
            kind = self.typer.queue(d)
            made[d.name] = m.Variable(d.name, "var", kind, queues.empty(kind), family, d.span)
        return made

    def timer(self, d: t.Timer, family: str) -> m.Timer:
        bounds = [coerce(self.typer.check(x, Scope()), DURATION, d.span, "bound of a timer") if x else None for x in (d.low, d.high)]
        return m.Timer(d.name, bounds[0], bounds[1], d.span, family)

    def debt(self, d: t.Debt, family: str) -> m.Debt:
        params = tuple((n, self.typer.named(p, d.span)) for n, p in d.params)
        base = self.kinds.base(d.message)
        scope = Scope(args=dict(params)).bind(d.binder, self.typer.message(base, d.span), incoming=False)
        where = self.typer.predicate(d.where, scope, f"debt `{d.name}`")
        for node in walk(where):
            if isinstance(node, Name) and node.kind == "var":
                raise complain(
                    d.span, f"debt `{d.name}` reads variable `{node.name}`: names in a debt are frozen when it is made",
                    f"Make it an argument: debt {d.name}({node.name}: ..).",
                )  # fmt: skip
        within = coerce(self.typer.check(d.within, Scope()), DURATION, d.span, "a deadline")
        self.typer.family = family
        unless = self.typer.predicate(d.unless, Scope(args=dict(params)), f"debt `{d.name}`") if d.unless else None
        self.typer.family = ""
        states = self.state_set(d.states, d.span)
        pays = self.kinds.claims(d.message, d.binder, incoming=False) + conjuncts(where)
        return m.Debt(d.name, params, base, d.binder, pays, within, states, unless, d.span, family)

    def output(self, d: t.Output) -> m.Output:
        message = self.typer.message(d.message, d.span)
        unsaid: dict[str, Expr] = {}
        free: set[str] = set()
        for rule in d.unsaid:
            for name in rule.names:
                if name not in message.fields:
                    raise complain(d.span, f"message `{d.message}` has no field `{name}`", nearest(name, message.fields))
                if rule.value is None:
                    free.add(name)
                else:
                    kind = message.fields[name].type
                    unsaid[name] = coerce(self.typer.check(rule.value, Scope(), kind), kind, d.span, f"field `{name}`")
        return m.Output(d.message, d.binder, unsaid, frozenset(free))

    def pipeline(self, d: t.Input) -> m.Pipeline:
        self.typer.message(d.message, d.span)
        return m.Pipeline(d.message, d.binder, d.tables)

    def check_stages(self, declared: list[t.Input], tables: dict[str, m.Table]) -> None:
        for d in declared:
            for name in d.tables:
                if name not in tables:
                    self.report(d.span, f"no table `{name}`", nearest(name, tables))

    def abort(self, d: t.Abort) -> m.AbortRule:
        where: tuple[Expr, ...] = ()
        if d.message is not None and d.where is not None:
            scope = Scope(args={d.argument: self.typer.named(d.type, d.span)})
            scope = scope.bind("o", self.typer.message(d.message, d.span), incoming=False)
            where = conjuncts(self.typer.predicate(d.where, scope, "`abort`"))
        target = d.target if isinstance(d.target, dict) else {"": d.target}
        self.state_set(tuple(target.values()), d.span)
        return m.AbortRule(d.argument, d.message, where, target, d.span)

    # --- rows --------------------------------------------------------------------------------------------------

    def table(self, d: t.Table, family: str) -> m.Table:
        rows: list[m.Row] = []
        orders: list[int] = []
        self.typer.family = family
        for spread in self.guarded(lambda: list(rows_of(d))):
            for r, order in spread:
                made = self.guarded(self.input_row, d, r, family)
                rows += made
                orders += [order] * len(made)
        ordered = in_order(rows, orders, self.typer.regions)
        return m.Table(d.name, d.policy, self.kinds.apart(ordered, self.typer.regions), family, d.span)

    def claim_id(self, row: t.Row) -> None:
        if row.id in self.row_spans:
            first = self.row_spans[row.id]
            raise complain(row.span, f"row [{row.id}] exists already ({first.file}:{first.line})", "Row ids are unique in a machine.")
        self.row_spans[row.id] = row.span

    def input_row(self, table: t.Table, r: t.Row, family: str) -> m.Row:
        self.claim_id(r)
        event = r.event or table.event
        if event is None:
            raise complain(r.span, f"row [{r.id}] does not say on which event", f"Write `table {table.name} on ..` or `[{r.id}] on ..`.")
        name = event.name
        event = replace(event, name=self.kinds.base(name), binders=self.kinds.binder(name, event.binders))
        scope, kind = self.event_scope(event)
        states = self.state_set(r.states, r.span)
        guard = self.typer.predicate(r.guard, scope, f"guard of [{r.id}]") if r.guard is not None else None
        if not table.policy and kind == "message":
            self.forbid_policy(guard, r)
        ending = self.ending(r.ending, states, scope, r, family)
        actions = self.actions(r.actions, scope)
        claims = self.kinds.claims(name, event.binders[0], incoming=True) if kind == "message" and event.binders else ()
        row = self.row(r, table.name, states, event.name, kind, event.binders, claims + conjuncts(guard), ending, actions, family)
        return replace(row, kind=name if name != event.name else "")

    def forbid_policy(self, e: Expr | None, r: t.Row) -> None:
        for node in walk(e) if e is not None else ():
            is_policy = isinstance(node, Name) and node.kind == "var" and self.typer.variables[node.name].kind == "policy"
            if is_policy or (isinstance(node, Name) and node.kind == "param") or getattr(node, "kind", "") == "ask":
                name = getattr(node, "name", getattr(node, "function", ""))
                raise complain(
                    r.span, f"`{name}` is policy and stands in a condition of [{r.id}] that a judge must decide",
                    "Move it to `when`, or the row to a `policy table`.",
                )  # fmt: skip

    def event_scope(self, event: t.Event, *, incoming: bool = True) -> tuple[Scope, str]:
        y = self.typer
        if event.name in y.messages:
            if len(event.binders) > 1:
                raise complain(event.span, f"a message event binds one name, not {len(event.binders)}", f"Write `on {event.name}(m)`.")
            scope = Scope()
            for name in event.binders:
                scope = scope.bind(name, y.messages[event.name], incoming=incoming)
            return scope, "message"
        if event.name in y.timers:
            return Scope(), "timer"
        if event.name in y.functions and y.functions[event.name].kind == "call":
            params = y.functions[event.name].params
            if len(params) != len(event.binders):
                raise complain(event.span, f"call `{event.name}` has {len(params)} arguments", "Name each of them.")
            return Scope(args={b: p for b, (_, p) in zip(event.binders, params, strict=True)}), "call"
        known = [*y.messages, *y.timers, *(f.name for f in y.functions.values() if f.kind == "call")]
        raise complain(event.span, f"no event `{event.name}`", nearest(event.name, dict.fromkeys(known)))

    def gate(self, d: t.Table, family: str) -> list[m.Row]:
        rows = []
        self.typer.family = family
        for r in d.items:
            try:
                assert isinstance(r, t.Row)
                self.claim_id(r)
                assert r.event is not None
                message = self.typer.message(self.kinds.base(r.event.name), r.event.span)
                scope = Scope().bind(r.event.binders[0], message, incoming=False)
                claims = self.kinds.claims(r.event.name, r.event.binders[0], incoming=False)
                guard = self.typer.predicate(r.guard, scope, f"scope of [{r.id}]") if r.guard else None
                where = self.typer.predicate(r.where, scope, f"demand of [{r.id}]") if r.where else None
                self.forbid_policy(guard, r)
                self.forbid_policy(where, r)
                states = self.state_set(r.states, r.span)
                actions = self.actions(r.actions, scope)
                scoped, ending = claims + conjuncts(guard), t.Ending("stay")
                row = self.row(r, d.name, states, message.name, "message", r.event.binders, scoped, ending, actions, family)
                rows.append(replace(row, where=conjuncts(where)))
            except LawError as error:
                self.diagnostics += error.diagnostics
        return rows

    def claimed_emission(self, r: t.Row, family: str) -> m.Row:
        self.claim_id(r)
        return self.emission(r, family)

    def emission(self, r: t.Row, family: str) -> m.Row:
        self.typer.family = family
        if r.anytime and r.mode in ("urgent", "owed"):
            raise complain(r.span, f"row [{r.id}] is `{r.mode}` and `anytime`", "What must come is not free to come: keep one of the two.")
        states = self.state_set(r.states, r.span)
        if r.event is None:
            scope = Scope()
            guard = self.typer.predicate(r.guard, scope, f"guard of [{r.id}]") if r.guard else None
            moment = self.typer.predicate(r.when, scope, f"`when` of [{r.id}]") if r.when else None
            self.forbid_policy(guard, r)
            ending = self.ending(r.ending, states, scope, r, family)
            row = self.row(r, "auto", states, "", "auto", (), conjuncts(guard), ending, self.actions(r.actions, scope), family)
            return replace(row, when=conjuncts(moment))
        called = r.event.name
        message = self.typer.message(self.kinds.base(called), r.event.span)
        output = self.output_of(message, r.span)
        scope = Scope().bind(output.binder, message, incoming=False)
        guard = self.typer.predicate(r.guard, Scope(), f"guard of [{r.id}]") if r.guard else None  # there is no message yet
        where = conjuncts(self.typer.predicate(r.where, scope, f"`where` of [{r.id}]")) if r.where else ()
        when = conjuncts(self.typer.predicate(r.when, Scope(), f"`when` of [{r.id}]")) if r.when else ()
        self.forbid_policy(guard, r)
        for c in where:
            self.forbid_policy(c, r)
        where = self.kinds.claims(called, output.binder, incoming=False) + where
        implied = self.kinds.fields(called, output.binder, r.span)
        fields = {**implied, **self.fields(r.fields, message, scope, r)}
        defaults = self.fields(r.defaults, message, scope, r)
        whole = self.typer.check(r.default_message, scope) if r.default_message is not None else None
        said = (
            set(fields) | set(defaults) | {n.name for c in where for n in walk(c) if isinstance(n, Field) and n.base == _binder(output, n)}
        )
        for name, value in (*output.unsaid.items(), *self.addressed(message)):
            if name in message.fields and name not in said:
                fields[name] = value
        equalities = tuple(
            _equality(output.binder, message, name, value) for name, value in fields.items() if value is not implied.get(name)
        )
        ending = self.ending(r.ending, states, scope, r, family)
        row = self.row(
            r, "out", states, message.name, "message", (output.binder,), conjuncts(guard), ending, self.actions(r.actions, scope), family
        )
        kind = called if called != message.name else ""
        where = equalities + where + self.kinds.excluded(called, output.binder)
        binding = self.binding(where, output.binder, family) if family else None
        return replace(
            row, fields=fields, defaults=defaults, default_message=whole, where=where, when=when, kind=kind, binding=binding
        )  # fmt: skip

    def addressed(self, message: m.Message) -> Iterator[tuple[str, Expr]]:
        """What tells whose an output of the family at hand is, where its row does not say it itself."""
        family = self.typer.families.get(self.typer.family)
        if family is not None and family.key in message.fields and family.address in self.typer.variables:
            yield family.key, Name(family.address, "var", type=self.typer.variables[family.address].type)

    def binding(self, where: tuple[Expr, ...], binder: str, family: str) -> tuple[str, str] | None:
        """The field that tells whose an output of `family` is, and the variable it equals: the key's field rather than another."""
        found: dict[str, str] = {}
        for c in where:
            match c:
                case Binary(op="==", a=Field(base=Name(name=base), name=field), b=Name(name=variable, kind="var")) if base == binder:
                    if self.typer.variables[variable].family == family:
                        found.setdefault(field, variable)
        key = self.typer.families[family].key
        return (key, found[key]) if key in found else next(iter(found.items()), None)

    def output_of(self, message: m.Message, span: Span) -> m.Output:
        for name in message.lineage:
            if name in self.outputs:
                return self.outputs[name]
        raise complain(span, f"message `{message.name}` is no output of this machine", f"Declare `output {message.root}(o)`.")

    def fields(self, values: t.FieldValues, message: m.Message, scope: Scope, r: t.Row) -> dict[str, Expr]:
        made: dict[str, Expr] = {}
        for name, value in values:
            if name not in message.fields:
                raise complain(r.span, f"message `{message.name}` has no field `{name}`", nearest(name, message.fields))
            kind = self.typer.field_type(message, name, incoming=False)
            given = self.typer.check(value, scope, kind) if value is not None else bare_flag(name, kind, r.span)
            made[name] = coerce(given, kind, r.span, f"field `{name}` of [{r.id}]")
        return made

    def row(
        self, r: t.Row, table: str, states: frozenset[str], event: str, kind: str, binders: tuple[str, ...],
        guard: tuple[Expr, ...], ending: t.Ending, actions: tuple[t.Statement, ...], family: str,
    ) -> m.Row:  # fmt: skip
        region = self.states[next(iter(states))].region if states else ""
        within = coerce(self.typer.check(r.within, Scope()), DURATION, r.span, "a deadline") if r.within is not None else None
        return m.Row(
            r.role, r.id, table, states, region, event, kind, binders, guard, r.otherwise, ending, actions, r.citations, r.editions,
            within, family, r.likely, r.mode, {}, (), {}, None, (), r.span, anytime=r.anytime,
        )  # fmt: skip

    def ending(self, e: t.Ending, states: frozenset[str], scope: Scope, r: t.Row, family: str) -> t.Ending:
        if e.kind == "become":
            target = e.target if isinstance(e.target, dict) else {"": str(e.target)}
            self.state_set(tuple(target.values()), r.span)
            if "" not in target and set(target) != set(states):
                odd = sorted(set(target) ^ set(states))
                raise complain(r.span, f"the map of [{r.id}] and its states differ in {', '.join(odd)}", "Give each state its target.")
            return replace(e, target=target)
        if e.kind == "either":
            made = tuple((self.ending(x, states, scope, r, family), self.actions(acts, scope)) for x, acts in e.alternatives)
            return replace(e, alternatives=made)
        return e

    def actions(self, statements: tuple[t.Statement, ...], scope: Scope) -> tuple[t.Statement, ...]:
        found: list[t.Statement] = []
        for s in statements:
            if s.kind == "call":
                made = self.expand(s)
                if s.name in self.opened:
                    raise complain(self.statements[s.name].span, f"`{s.name}` is defined by itself", "Macros do not recurse.")
                self.opened.append(s.name)
                try:
                    found += [replace(x, origin=f"{s.name}/{x.origin}") for x in self.actions(made, scope)]
                finally:
                    self.opened.pop()
            else:
                found.append(self.statement(s, scope))
        return tuple(found)

    def expand(self, s: t.Statement) -> tuple[t.Statement, ...]:
        if s.name not in self.statements:
            raise complain(s.span, f"no statement `{s.name}`", nearest(s.name, self.statements))
        macro = self.statements[s.name]
        if len(macro.params) != len(s.args):
            raise complain(s.span, f"`{s.name}` takes {len(macro.params)} arguments, not {len(s.args)}", "Pass as many as its `def` names.")
        bound = dict(zip(macro.params, s.args, strict=True))
        put = self.typer.substitute
        return tuple(
            replace(
                b,
                args=tuple(put(a, bound) for a in b.args),
                fields=tuple((n, put(v, bound) if v is not None else None) for n, v in b.fields),
                value=put(b.value, bound) if b.value is not None else None,
            )
            for b in macro.body
        )

    def statement(self, s: t.Statement, scope: Scope) -> t.Statement:
        y = self.typer
        match s.kind:
            case "assign":
                if s.name not in y.variables:
                    raise complain(s.span, f"no variable `{s.name}`", nearest(s.name, y.variables))
                assert s.value is not None
                kind = y.variables[s.name].type
                return replace(s, value=coerce(y.check(s.value, scope, kind), kind, s.span, f"`{s.name}`"))
            case "owe":
                if s.name not in y.debts:
                    raise complain(s.span, f"no debt `{s.name}`", nearest(s.name, y.debts))
                value = coerce(y.check(s.value, scope), DURATION, s.span, "a payment time") if s.value is not None else None
                return replace(s, args=y.arguments(s.name, y.debts[s.name].params, s.args, scope, s.span), value=value)
            case "tell":
                function = y.functions.get(s.name)
                if function is None or function.kind != "tell":
                    raise complain(s.span, f"no `tell {s.name}`", nearest(s.name, y.functions))
                return replace(s, args=y.arguments(s.name, function.params, s.args, scope, s.span))
            case "start" | "ensure" | "stop":
                if s.name not in y.timers:
                    raise complain(s.span, f"no timer `{s.name}`", nearest(s.name, y.timers))
                value = coerce(y.check(s.value, scope), DURATION, s.span, "a timer's time") if s.value is not None else None
                return replace(s, value=value)
            case "push" | "pop":
                return y.queue_step(s, scope)
            case "send":
                return self.send(s, scope)
            case _:
                return s

    def send(self, s: t.Statement, scope: Scope) -> t.Statement:
        message = self.typer.message(self.kinds.base(s.name), s.span)
        output = self.output_of(message, s.span)
        made = self.kinds.fields(s.name, output.binder, s.span, whole=True)
        for name, value in s.fields:
            if name not in message.fields:
                raise complain(s.span, f"message `{message.name}` has no field `{name}`", nearest(name, message.fields))
            kind = self.typer.field_type(message, name, incoming=False)
            given = self.typer.check(value, scope, kind) if value is not None else bare_flag(name, kind, s.span)
            made[name] = coerce(given, kind, s.span, f"field `{name}`")
        for name, default in (*output.unsaid.items(), *self.addressed(message)):
            made.setdefault(name, default)
        for name in message.fields:
            if name not in made and name not in output.free:
                raise complain(
                    s.span,
                    f"reply `{message.name}` leaves field `{name}` free",
                    "A reply is fully determined: give it a value or list it in `unsaid`.",
                )
        return replace(s, name=message.name, fields=tuple(made.items()))

    def property(self, d: t.Property, family: str) -> m.Property:
        self.typer.family = family
        condition = self.typer.predicate(d.condition, Scope(), f"property [{d.id}]")
        return m.Property(d.kind, d.id, self.state_set(d.states, d.span), condition, d.citations, d.span, family)


def _once(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each cause once: a `def` that is broken is so at every use."""
    found: dict[tuple[str, int, int, str], Diagnostic] = {}
    for d in diagnostics:
        found.setdefault((d.file, d.line, d.column, d.message.partition(", first used")[0]), d)
    return list(found.values())


def bare_flag(name: str, kind: Type, span: Span) -> Expr:
    """What a field without a value means: a flag that is set. LawError for any other type."""
    if kind != BOOL:
        raise complain(span, f"field `{name}` is {kind} and has no value", f"Write `{name}: ..`; only flags stand alone.")
    return Lit(True, type=BOOL)


def _binder(output: m.Output, node: Field) -> Expr:
    return node.base if isinstance(node.base, Name) and node.base.name == output.binder else Lit(None)


def _equality(binder: str, message: m.Message, name: str, value: Expr) -> Expr:
    """`o.name == value` as a conjunct; flags as `o.syn` and `not o.syn`."""
    kind = message.fields[name].type
    field = Field(Name(binder, "binder", type=Type("message", message.name)), name, type=value.type if value.type != ANY else kind)
    if kind == BOOL and isinstance(value, Lit):
        return replace(field, type=BOOL) if value.value else negate(replace(field, type=BOOL))
    return Binary("==", field, value, type=BOOL, span=value.span)


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice naming the most similar known name."""
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"Did you mean `{near[0]}`?" if near else "Declare it, or correct the name."
