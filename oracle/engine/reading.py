"""The oracle's reading of a machine: every row compiled once to Python functions, over what a judge can see.

The source text is written with the same expression compiler as the generated implementation, in the unbounded number
system. What the user, policy, free choices or the host decide is left out: such conjuncts count as true, assignments to
such variables vanish, policy tables and timers of policy do not exist. The text is kept in `CompiledLaw.source`.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from wirelaw.oracle.engine.alternatives import can_all_fail, holds_at_rest
from wirelaw.oracle.engine.configuration import NEVER, Configuration, Member, Members, emit_class
from wirelaw.spec.language import model as m
from wirelaw.spec.language.deviations import Deviation, Deviations
from wirelaw.spec.language.diagnostics import LawError, complain
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Expr, Field, Lit, Name, walk
from wirelaw.spec.language.externs import functions_of
from wirelaw.spec.language.families import own_part
from wirelaw.spec.language.python import PythonNames, PythonWriter
from wirelaw.spec.language.sugar import at_edition
from wirelaw.spec.language.tree import Ending, Statement

ENGINE_SLOTS = ("next", "cost", "order", "scanned", "alarm", "debts", "replies", "timers", "owed", "remarks", "trail")
# (configuration, family instance, message, time) -> value
Test = Callable[[Any, Any, Any, int], bool]
Act = Callable[[Any, Any, Any, int], None]
_ALWAYS: Test = lambda _c, _i, _m, _t: True  # noqa: E731
_serial = itertools.count()


@dataclass(slots=True)
class Outcome:
    """One way a row can end. `target` maps the state before ('' for any) to the one after."""

    act: Act | None
    target: dict[str, str] | None
    goes_on: bool
    codes: tuple[Any, ...] = ()


@dataclass(slots=True)
class CompiledRow:
    """A row of the law with its functions.

    `hidden` are the conjuncts of its guard that count as true, and `at_rest` tells whether they hold while the user does
    nothing; `loud` rows send a reply, so that taking one shows. `shape` tests what depends on the message alone; `shuts`, of
    a gate, tells whether it refuses whatever the message says; `within` is a deadline in µs; `own`, of a row of a family, tests
    what depends on the member alone.
    `deviation` is that which a row that is not the law's belongs to.
    """

    index: int
    row: m.Row
    guard: Test
    match: Test
    shape: Test
    hidden: tuple[Expr, ...]
    outcomes: tuple[Outcome, ...]
    owes: bool
    within: int | None
    at_rest: bool
    loud: bool
    level: str
    shuts: Test | None = None
    own: Test = _ALWAYS
    deviation: Deviation | None = None

    @property
    def id(self) -> str:
        """The row's id."""
        return self.row.id

    @property
    def cited(self) -> tuple[tuple[str, str], ...]:
        """Cited clauses, each with its level as the row states it, empty where it does not."""
        return tuple((c.clause, c.level or "") for c in self.row.citations)

    def clause(self, level: str = "") -> str:
        """The clause that a finding prints: the first one cited, of those at `level` if there are any."""
        return next((c for c, said in self.cited if level and said == level), self.cited[0][0] if self.cited else "")

    @property
    def moves(self) -> bool:
        """Whether taking it changes a control state."""
        return any(o.target is not None for o in self.outcomes)


@dataclass(slots=True)
class Level:
    """The rows of one table for one state and one event level: wholly visible ones, others, and the `otherwise` row."""

    plain: tuple[CompiledRow, ...]
    half: tuple[CompiledRow, ...]
    otherwise: CompiledRow | None
    choices: dict[str, tuple[str, ...]]
    _escapes: dict[tuple[int, ...], bool] = field(default_factory=dict)

    def escapes(self, rows: list[CompiledRow]) -> bool:
        """Whether the hidden conjuncts of `rows` can all be false, so that `otherwise` may have been taken."""
        key = tuple(r.index for r in rows)
        if key not in self._escapes:
            # the last of rows in order fails when none before it is taken, and then its own condition decides
            own = [tuple(c for c in r.hidden if not c.before) for r in rows]
            self._escapes[key] = can_all_fail(own, self.choices)
        return self._escapes[key]


@dataclass(slots=True)
class CompiledDebt:
    """A debt declaration: `pays(args, o, now)` and `lapsed(c, i, args, now)`; times in µs."""

    debt: m.Debt
    pays: Callable[[tuple[Any, ...], Any, int], bool]
    lapsed: Callable[[Any, Any, tuple[Any, ...], int], bool]
    has_unless: bool
    region: str


@dataclass(slots=True)
class Stage:
    """One table of an input pipeline."""

    table: m.Table
    regions: tuple[str, ...]
    getter: Callable[[Any], Any]
    levels: dict[tuple[Any, ...], Level | None] = field(default_factory=dict)


@dataclass(slots=True)
class CompiledLaw:
    """A machine as its judge needs it; `edition` selects the rows.

    `every` holds the `rows` of the law and behind them those of known deviations: `instead`, by the place of the row of the law
    (input rows and gates), and output and internal rows `beside` it.
    """

    machine: m.Machine
    edition: int
    rows: tuple[CompiledRow, ...]
    pipelines: dict[str, tuple[Stage, ...]]
    emissions: tuple[CompiledRow, ...]
    gates: tuple[CompiledRow, ...]
    autos: tuple[CompiledRow, ...]
    calls: tuple[CompiledRow, ...]
    timers: dict[str, tuple[CompiledRow, ...]]
    debts: tuple[CompiledDebt, ...]
    urgent_states: frozenset[str]
    abort_where: Callable[[Any, Any, Any, int], bool]
    abort_target: dict[str, str]
    initial: Callable[[dict[str, str]], Configuration]
    instances: dict[str, Callable[[Any], Member]]
    externs: Any
    source: str
    windows: dict[str, tuple[int, int]]
    every: tuple[CompiledRow, ...]
    instead: dict[int, tuple[CompiledRow, ...]]
    beside: tuple[CompiledRow, ...]

    @property
    def regions(self) -> tuple[m.Region, ...]:
        """Regions outside families, in the order of the law."""
        return tuple(r for r in self.machine.regions.values() if not r.family)


def attribute(name: str) -> str:
    """The attribute of a configuration that holds a variable or region of the law."""
    return f"v_{name}"


def compile_law(machine: m.Machine, edition: int | None = None, deviations: Iterable[Deviations] = ()) -> CompiledLaw:
    """Compile `machine` for judging; `edition` defaults to the newest. LawError where a row needs what no judge can see.

    A run that the law alone does not explain is judged again with `deviations`.
    """
    known = sorted({e for row in machine.rows() for e in row.editions})
    edition = edition if edition is not None else (known[-1] if known else 0)
    return _Compiler(at_edition(machine, edition), edition, tuple(deviations)).run()


class _Compiler:
    def __init__(self, machine: m.Machine, edition: int, deviations: tuple[Deviations, ...]) -> None:
        self.machine = machine
        self.edition = edition
        self.others = [(d, a) for known in deviations for d in known.deviations for a in d.alternatives if self.current(a.row)]
        self.lines: list[str] = []
        self.made: dict[str, Any] = {}
        self.errors: list[LawError] = []
        names = PythonNames(
            variable=self.place, region=self.place, extern=lambda n: f"_x.{n}",
            ask=lambda n: f"_ask_{n}", due=lambda n: "True", running=lambda n: "True", count=lambda n: f"len(_c.f_{n})",
        )  # fmt: skip
        self.writer = PythonWriter(names, unbounded=True)
        self.plain = {r.id for r in machine.rows() if not any(machine.is_hidden(c) for c in r.guard)}
        self.timers: set[str] = set()
        while more := {t for t in machine.timers if t not in self.timers and any(self.shows(r) for r in self.rows_on(t))}:
            self.timers |= more

    def rows_on(self, event: str) -> list[m.Row]:
        return [r for t in self.machine.tables.values() if not t.policy for r in t.rows if r.event == event and self.current(r)]

    def current(self, row: m.Row) -> bool:
        return not row.editions or self.edition in row.editions

    def place(self, name: str) -> str:
        owner = self.machine.variables.get(name) or self.machine.regions[name]
        if isinstance(owner, m.Variable) and owner.kind == "key":
            return "_i.key"
        return f"{'_i' if owner.family else '_c'}.{attribute(name)}"

    def shows(self, row: m.Row) -> bool:
        """Whether taking `row` changes anything a judge keeps."""
        endings = [(row.ending, row.actions), *row.ending.alternatives]
        return any(e.kind in ("become", "abort") or any(self.visible_action(s, row) for s in acts) for e, acts in endings)

    def visible_action(self, s: Statement, row: m.Row) -> bool:
        if s.kind == "assign":
            return self.machine.variables[s.name].kind == "var"
        if s.kind in ("start", "ensure", "stop"):
            # A timer without bounds may expire before any input: to follow it for what is mostly running already costs too much.
            starter = self.machine.timers.get(row.event)
            return s.name in self.timers and not (s.kind == "ensure" and starter is not None and starter.high is None)
        return s.kind in ("owe", "send", "grade")

    # --- emission ----------------------------------------------------------------------------------------------

    def emit_test(self, name: str, binder: str, conjuncts: tuple[Expr, ...]) -> str | None:
        visible = self.machine.visible(conjuncts)
        if not visible:
            return None
        self.lines += [f"def {name}(_c, _i, {binder}, now):", f"    return {self.writer.all_of(visible)}"]
        return name

    def emit_act(self, name: str, row: m.Row, index: int, binder: str, actions: tuple[Statement, ...]) -> str | None:
        body: list[str] = []
        for s in actions:
            try:
                body += self.statement(s, row, index)
            except LawError as error:
                self.errors.append(error)
        if not body:
            return None
        self.lines += [f"def {name}(_c, _i, {binder}, now):", *(f"    {line}" for line in body)]
        return name

    def known(self, e: Expr, row: m.Row, what: str) -> str:
        if self.machine.is_hidden(e):
            advice = "Let the row read it from the message, or move it to a user or policy variable."
            raise complain(row.span, f"[{row.id}] {what} what a judge cannot see: it depends on the user, policy or a choice", advice)
        return self.writer.expr(e)

    def statement(self, s: Statement, row: m.Row, index: int) -> list[str]:
        match s.kind:
            case "assign" if self.machine.variables[s.name].kind == "var":
                assert s.value is not None
                return [f"{self.place(s.name)} = {self.known(s.value, row, f'sets `{s.name}` to')}"]
            case "owe":
                return self.owe(s, row, index)
            case "start" | "ensure" if s.name in self.timers:
                high = self.constant(self.machine.timers[s.name].high)
                slot = self.slot(s.name)
                begin = [f"_c.timers = {{**_c.timers, {slot}: (now, now)}}", f"_c.alarm = min(_c.alarm, now + {high})"]
                return begin if s.kind == "start" else [f"if {slot} not in _c.timers:", *(f"    {b}" for b in begin)]
            case "stop" if s.name in self.timers:
                slot = self.slot(s.name)
                without = f"_c.timers = {{k: v for k, v in _c.timers.items() if k != {slot}}}"
                return [f"if {slot} in _c.timers:", f"    {without}"]
            case "send":
                shown = ((n, e) for n, e in s.fields if e is not None and not self.machine.is_hidden(e))
                literal = "_Residue({})".format
                fields = ", ".join(f"{n!r}: {(literal if _is_place(e) else str)(self.writer.expr(e))}" for n, e in shown)
                return [f"_c.replies = (*_c.replies, _Reply({s.name!r}, {{{fields}}}, now, {index}, ()))"]
            case "grade":
                return [f"_c.remark({s.name!r}, {index}, 0, now, '')"]
        return []

    def slot(self, timer: str) -> str:
        return f"({timer!r}, {'_i.key' if self.machine.timers[timer].family else None})"

    def owe(self, s: Statement, row: m.Row, index: int) -> list[str]:
        debt = self.machine.debts[s.name]
        if debt.unless is not None and self.machine.is_hidden(debt.unless):
            return []
        args = "".join(f"{self.known(a, row, f'owes `{s.name}` with')}, " for a in s.args)
        within = self.constant(debt.within)
        key = "_i.key" if debt.family else "None"
        at = list(self.machine.debts).index(s.name)
        return [f"_c.owe({at}, ({args}), {within}, {s.level or 'MUST'!r}, {index}, now, {key})"]

    def constant(self, e: Expr | None, low: bool = False) -> int:
        """The value of a time; a parameter counts as its most lenient bound."""
        if e is None:
            return 0 if low else NEVER
        params = {
            p.name: int(evaluate(b, _nothing())) if (b := p.low if low else p.high) is not None else 0 if low else NEVER
            for p in self.machine.params.values()
        }
        return int(evaluate(e, Context(lambda _: 0, lambda _: "", lambda *_: 0, params)))

    # --- rows --------------------------------------------------------------------------------------------------

    def compile_row(self, index: int, row: m.Row) -> Callable[[], CompiledRow]:
        """Emit the functions of `row`; the result is called once they exist."""
        binder = row.binders[0] if row.event_kind == "message" and row.binders else "_m"
        guard, where = row.guard, row.where
        if row.event_kind == "call":  # nobody sees the arguments of a call
            guard = tuple(c for c in guard if not any(isinstance(n, Name) and n.kind == "arg" for n in walk(c)))
        g = self.emit_test(f"g{index}", binder, self.asked_in_turn(row) if row.event_kind == "message" else guard)
        whole = where if row.role == "gate" else guard + where
        w = self.emit_test(f"m{index}", binder, whole)
        s = self.emit_test(f"s{index}", binder, tuple(c for c in self.machine.visible(whole) if _only_message(c)))
        endings = [(row.ending, row.actions)]
        if row.ending.kind == "either":
            endings = [(e, row.actions + acts) for e, acts in row.ending.alternatives]
        acts = [self.emit_act(f"a{index}_{n}", row, index, binder, a) for n, (_, a) in enumerate(endings)]
        hidden = tuple(c for c in row.guard if self.machine.is_hidden(c) or c not in guard)
        shuts = self.emit_shut(index, row, hidden) if row.role == "gate" else None
        own = self.emit_test(f"o{index}", binder, own_part(row, self.machine)[1]) if row.role == "output" and row.family else None
        within = self.constant(row.within) if row.within is not None else None
        owes = any(x.kind == "owe" for _, a in endings for x in a)
        loud = all(any(x.kind == "send" for x in a) for _, a in endings)

        def finish() -> CompiledRow:
            outcomes = tuple(
                self.outcome(e, a, self.made[name] if name else None) for (e, a), name in zip(endings, acts, strict=True)
            )  # fmt: skip
            return CompiledRow(
                index, row, self.made[g] if g else _ALWAYS, self.made[w] if w else _ALWAYS, self.made[s] if s else _ALWAYS,
                hidden, outcomes, owes, within, holds_at_rest(self.machine, hidden), loud, row.level,
                self.made[shuts] if shuts else None, self.made[own] if own else _ALWAYS,
            )  # fmt: skip

        return finish

    def asked_in_turn(self, row: m.Row) -> tuple[Expr, ...]:
        """The guard of `row` where rows on a message that are wholly visible are asked first and in order: none of them holds then."""
        if row.role != "input" or any(self.machine.is_hidden(c) for c in row.guard):
            return row.guard
        return tuple(c for c in row.guard if c.before not in self.plain)

    def emit_shut(self, index: int, row: m.Row, hidden: tuple[Expr, ...]) -> str | None:
        """A test of the state alone under which the gate `row` refuses every message."""
        demands = tuple(c for c in self.machine.visible(row.where) if not _reads_message(c))
        if hidden or not demands or any(_reads_message(c) for c in row.guard):
            return None
        scope, demand = self.writer.all_of(row.guard), self.writer.all_of(demands)
        self.lines += [f"def h{index}(_c, _i, _m, now):", f"    return ({scope}) and not ({demand})"]
        return f"h{index}"

    def outcome(self, e: Ending, actions: tuple[Statement, ...], act: Act | None) -> Outcome:
        target = e.target if isinstance(e.target, dict) else None
        goes_on = e.kind == "next" or (e.kind == "become" and e.continuation == "next")
        return Outcome(act, target, goes_on, e.codes if e.kind == "abort" else ())

    def emit_debts(self) -> None:
        for n, debt in enumerate(self.machine.debts.values()):
            unpack = f"{''.join(f'{name}, ' for name, _ in debt.params)}= _a" if debt.params else "pass"
            where = self.writer.all_of(self.machine.visible(debt.where))
            self.lines += [f"def d{n}(_a, {debt.binder}, now):", f"    {unpack}", f"    return {where}"]
            unless = self.writer.expr(debt.unless) if debt.unless is not None and not self.machine.is_hidden(debt.unless) else "False"
            self.lines += [f"def u{n}(_c, _i, _a, now):", f"    {unpack}", f"    return {unless}"]

    def emit_abort(self) -> None:
        rule = self.machine.abort
        if rule is not None:
            where = self.writer.all_of(self.machine.visible(rule.where))
            self.lines += [f"def abort_where(_c, {rule.argument}, o, now):", f"    return {where}"]

    def emit_classes(self) -> None:
        shown = [(v.name, v.family) for v in self.machine.variables.values() if v.kind == "var"]
        shown += [(r.name, r.family) for r in self.machine.regions.values()]
        families = self.machine.families
        own = [attribute(name) for name, family in shown if not family]
        self.lines += emit_class("Possible", "_Configuration", own, [f"f_{f}" for f in families], ENGINE_SLOTS)
        for f in families:
            slots = ["key", *(attribute(name) for name, family in shown if family == f)]
            self.lines += [*emit_class(f"Instance_{f}", "_Member", slots, []), f"Instance_{f}.family = {f!r}"]

    def run(self) -> CompiledLaw:
        rows = [r for r in self.machine.rows() if self.current(r) and not self.of_policy(r)]
        self.emit_classes()
        pending = [self.compile_row(n, r) for n, r in enumerate([*rows, *(a.row for _, a in self.others)])]
        self.emit_debts()
        self.emit_abort()
        if self.errors:
            raise LawError(*(d for e in self.errors for d in e.diagnostics))
        externs = functions_of(self.machine)
        source = "\n".join(self.lines) + "\n"
        self.execute(source, externs)
        compiled = tuple(make() for make in pending)
        return self.assemble(compiled[: len(rows)], compiled[len(rows) :], externs, source)

    def of_policy(self, row: m.Row) -> bool:
        return row.role == "input" and self.machine.tables[row.table].policy

    def execute(self, source: str, externs: Any) -> None:
        from wirelaw.oracle.engine.configuration import Member, Reply, Residue  # noqa: PLC0415 - names for the emitted text only

        file = f"<oracle of {self.machine.name} {next(_serial)}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        self.made.update(_x=externs, _Reply=Reply, _Residue=Residue, _Configuration=Configuration, _Member=Member, _new=object.__new__)
        exec(compile(source, file, "exec"), self.made)  # noqa: S102 - the text was written above, from a checked law

    def assemble(self, rows: tuple[CompiledRow, ...], others: tuple[CompiledRow, ...], externs: Any, source: str) -> CompiledLaw:
        mc = self.machine
        places = {r.id: r.index for r in rows}
        instead: dict[int, tuple[CompiledRow, ...]] = {}
        for (deviation, a), r in zip(self.others, others, strict=True):
            r.deviation = deviation
            if r.row.role != "output" and a.instead in places:
                instead[places[a.instead]] = (*instead.get(places[a.instead], ()), r)
        debts = tuple(
            CompiledDebt(
                d, self.made[f"d{n}"], self.made[f"u{n}"], d.unless is not None, mc.states[next(iter(d.states))].region if d.states else ""
            )
            for n, d in enumerate(mc.debts.values())
        )
        emissions = [r for r in rows if r.row.role == "output"]
        calls = [r for r in rows if r.row.event_kind == "call" and self.shows(r.row)]
        timers = {t: tuple(r for r in rows if r.row.event == t and r.row.event_kind == "timer") for t in self.timers}
        windows = {t: (self.constant(mc.timers[t].low, True), self.constant(mc.timers[t].high)) for t in self.timers}
        rule = mc.abort
        autos = [r for r in emissions if r.row.event_kind == "auto" and (r.row.mode == "urgent" or self.shows(r.row))]
        return CompiledLaw(
            mc, self.edition, rows, self.pipelines(), tuple(r for r in emissions if r.row.event_kind != "auto"),
            tuple(r for r in rows if r.row.role == "gate"), tuple(autos),
            tuple(calls), timers, debts, frozenset(s.name for s in mc.states.values() if s.urgent),
            self.made.get("abort_where", _ALWAYS), rule.target if rule is not None else {}, self.initial(externs),
            {f: self.instance(f, externs) for f in mc.families}, externs, source, windows, rows + others, instead,
            tuple(r for r in others if r.row.role == "output"),
        )  # fmt: skip

    def pipelines(self) -> dict[str, tuple[Stage, ...]]:
        made: dict[str, tuple[Stage, ...]] = {}
        for name, info in self.machine.messages.items():
            root = next((n for n in info.lineage if n in self.machine.inputs), None)
            if root is not None:
                stages = []
                for t in self.machine.inputs[root].tables:
                    table = self.machine.tables[t]
                    regions = dict.fromkeys(r.region for r in table.rows if r.region)
                    if not table.policy:
                        places = [attribute(r) for r in regions if not self.machine.regions[r].family]
                        stages.append(Stage(table, tuple(regions), attrgetter(*places) if places else _nowhere))
                made[name] = tuple(stages)
        return made

    def start(self, made: Any, family: str, externs: Any) -> Any:
        """Give the variables of `made` their first values."""
        c = Context(lambda n: getattr(made, attribute(n)), lambda n: "", lambda _, n, a: getattr(externs, n)(*a), unbounded=True)
        for v in self.machine.variables.values():
            if v.family == family and v.kind == "var":
                if self.machine.is_hidden(v.init):
                    raise complain(v.span, f"`{v.name}` starts with what a judge cannot see", "Start it with a constant.")
                setattr(made, attribute(v.name), evaluate(v.init, c))
        return made

    def addresses(self) -> dict[str, set[str]]:
        """The variables, but for keys, by which members of families are found in what they send."""
        found = {f.name: {f.address} for f in self.machine.families.values()}
        for row in (*self.machine.emissions, *(a.row for _, a in self.others)):
            if row.family and row.binding is not None:
                found[row.family].add(row.binding[1])
        return {name: variables - {self.machine.families[name].variable} for name, variables in found.items()}

    def initial(self, externs: Any) -> Callable[[dict[str, str]], Configuration]:
        addresses = self.addresses()

        def make(states: dict[str, str]) -> Configuration:
            c: Configuration = self.made["Possible"]()
            c.next = c.cost = c.order = c.scanned = 0
            c.alarm, c.debts, c.replies, c.timers, c.owed, c.remarks, c.trail = NEVER, (), (), {}, {}, None, None
            for f in self.machine.families:
                setattr(c, f"f_{f}", Members.none(attribute(v) for v in addresses[f]))
            for name, state in states.items():
                setattr(c, attribute(name), state)
            self.start(c, "", externs)
            return c

        return make

    def instance(self, family: str, externs: Any) -> Callable[[Any], Member]:
        def make(key: Any) -> Any:
            made = self.made[f"Instance_{family}"]()
            made.key = key
            for region in self.machine.regions.values():
                if region.family == family:
                    setattr(made, attribute(region.name), region.initial[0].name)
            return self.start(made, family, externs)

        return make


def _nowhere(_: Any) -> None:
    """The control state for a table that names none."""


def _reads_message(e: Expr) -> bool:
    return any(isinstance(n, Name) and n.kind == "binder" for n in walk(e))


def _only_message(e: Expr) -> bool:
    """Whether a conjunct reads nothing but the message and constants."""
    return any(isinstance(n, Field) for n in walk(e)) and all(not isinstance(n, Name) or n.kind == "binder" for n in walk(e))


def _is_place(e: Expr) -> bool:
    """Whether an expression is a sequence number stated as a literal."""
    return isinstance(e, Lit) and e.type.kind == "seq"


def _nothing() -> Context:
    return Context(lambda _: 0, lambda _: "", lambda *_: 0)
