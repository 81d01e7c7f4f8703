"""The steps a configuration can take: an input consumed, an output explained, an act nobody sees, a silence too long.

Here is the meaning; how the possibilities are searched is in `search.py`. Methods change the configuration they are given
and return what came of it; the caller copies before where it still needs the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from wirelaw.oracle.engine.alternatives import can_all_fail
from wirelaw.oracle.engine.configuration import KNOWN_PRICES, NEVER, Configuration, Debt, Members, Reply
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow, Level, Outcome, Stage, attribute
from wirelaw.oracle.engine.verdict import Environment
from wirelaw.oracle.engine.wording import breach, describe
from wirelaw.spec.language.expressions import Lit
from wirelaw.spec.language.families import is_coupled
from wirelaw.spec.language.interpret import binds_replies

AUTO_LIMIT = 1_000
NO_ACT, SILENT_ACT, ANY_ACT = 0, 1, 2


class Event(NamedTuple):
    """A captured message: kind, fields, capture time in µs, its number for the reader, its place in the trace."""

    kind: str
    message: Any
    time: int
    number: int
    order: int


class Match(NamedTuple):
    """A way to explain an output: the row, the gates in scope, rows of SHOULD that it breaks and how, ordered replies used up.

    `is_reply`: the output is the last of these replies, and `row` the one that sent it. `key` is that of the member that sends.
    """

    row: CompiledRow
    gates: tuple[tuple[CompiledRow, Any], ...]
    broken: tuple[tuple[CompiledRow, str], ...]
    replies: int = 0
    is_reply: bool = False
    key: Any = None


class LawGapError(Exception):
    """The law says nothing about an input: a fault of the table, not of the peer."""

    def __init__(self, text: str, event: Event) -> None:
        super().__init__(text)
        self.event = event


class Steps:
    """The step relation of one compiled law. `count` counts rows tried, for the budget.

    Known deviations are steps as well while `deviating` is set: those that stand instead of an input row wherever that is taken,
    those of what is sent only while `lenient` is set too, that is, where the law alone does not explain it. Each costs its level.
    """

    def __init__(self, law: CompiledLaw, environment: Environment) -> None:
        self.law = law
        self.environment = environment
        self.count = 0
        self.deviating = self.lenient = False
        machine = law.machine
        self._lineage = {n: m.lineage for n, m in machine.messages.items()}
        self._states: Callable[[Any], Any] = attrgetter(*(attribute(r.name) for r in law.regions)) if law.regions else _stateless
        self._outputs: dict[tuple[str, Any], tuple[CompiledRow, ...]] = {}
        self._gates: dict[tuple[str, Any], tuple[CompiledRow, ...]] = {}
        self._strays: dict[tuple[str, Any], tuple[CompiledRow, ...]] = {}
        self._own_regions = {f: [r.name for r in machine.regions.values() if r.family == f] for f in machine.families}
        self._coupled = {f for f in machine.families if is_coupled(f, machine)}
        self._fresh = {f: make(None).values()[1:] for f, make in law.instances.items()}
        self._urgent = [r for r in law.emissions if r.row.mode == "urgent"]
        self._urgent_in: dict[Any, list[CompiledRow]] = {}
        self._urgent_autos = [r for r in law.autos if r.row.mode == "urgent"]
        self._owed = [r for r in law.emissions if r.row.mode == "owed" and not r.hidden]
        self.tracks = bool(self._urgent or self._owed)
        tracked = (*self._urgent, *self._owed, *self._urgent_autos)
        self._tracked = {f: [r for r in tracked if r.row.family == f] for f in ("", *machine.families)}
        self._on_replies = [g for g in law.gates if binds_replies(g.row)]
        self._doubtful = tuple(g for g in law.gates if g.hidden and can_all_fail([g.hidden], machine.choices))
        self._certain = tuple(g for g in law.gates if g not in self._doubtful)
        self._shuts = [g for g in law.gates if g.shuts is not None]
        self._escape: dict[tuple[int, ...], bool] = {}
        self._movers: dict[str, list[CompiledRow]] = {}
        self._answers: dict[str, list[list[tuple[str, Any]]]] = {}

    # --- states and instances ----------------------------------------------------------------------------------

    def control(self, c: Configuration) -> Any:
        """The control state: the states of all regions outside families."""
        return self._states(c)

    def member(self, c: Configuration, family: str, key: Any) -> Any:
        """The member of `family` for `key`, a fresh one where none is kept; None for no family."""
        if not family:
            return None
        known = getattr(c, f"f_{family}").by_key.get(key)
        return self.law.instances[family](key) if known is None else known

    def instance(self, c: Configuration, family: str, message: Any) -> Any:
        """The member of `family` that `message` names by its key; None for no family."""
        return self.member(c, family, getattr(message, self.law.machine.families[family].key)) if family else None

    def senders(self, c: Configuration, row: CompiledRow, o: Any) -> Iterable[Any]:
        """The members whose output of `row` `o` can be, by the field that tells; one None for a row of no family."""
        if not row.row.family:
            return (None,)
        assert row.row.binding is not None
        family, (field, variable) = row.row.family, row.row.binding
        value = getattr(o, field)
        if variable == self.law.machine.families[family].variable:
            return [self.member(c, family, value)]
        known: Members = getattr(c, f"f_{family}")
        return [known.by_key[key] for key in known.places[attribute(variable)].get(value, ())]

    def concerned(self, c: Configuration, family: str, kind: str, o: Any) -> list[Any]:
        """The keys of the members of `family` that an output of `kind` can be about; none where it is about none."""
        lineage = self._lineage.get(kind, ())
        rows = [r for r in self.law.emissions if r.row.family == family and r.row.event in lineage]
        return list(dict.fromkeys(i.key for r in rows for i in self.senders(c, r, o)))

    def lapsed(self, c: Configuration, d: Debt, now: int) -> bool:
        """Whether a debt is void by its `unless`."""
        debt = self.law.debts[d.which]
        return debt.has_unless and debt.lapsed(c, self.member(c, debt.debt.family, d.key), d.args, now)

    def _keep(self, c: Configuration, i: Any) -> None:
        """Keep or forget a member after a row that has changed it."""
        place, states = f"f_{i.family}", self.law.machine.states
        known: Members = getattr(c, place)
        if any(states[getattr(i, attribute(r))].final for r in self._own_regions[i.family]):
            debts, timers = self.law.machine.debts, self.law.machine.timers
            own = [n for n, d in enumerate(debts.values()) if d.family == i.family]
            c.debts = tuple(d for d in c.debts if d.which not in own or d.key != i.key)
            c.timers = {(n, k): v for (n, k), v in c.timers.items() if timers[n].family != i.family or k != i.key}
            self.set_alarm(c)
        elif i.values()[1:] != self._fresh[i.family]:
            if known.by_key.get(i.key) != i:
                busy = any(self.in_states(r, None, i) and r.own(None, i, None, 0) for r in self._tracked[i.family])
                setattr(c, place, known.changed(i.key, i, busy))
            return
        if i.key in known.by_key:
            setattr(c, place, known.changed(i.key, None, busy=False))

    def in_states(self, row: CompiledRow, c: Configuration | None, i: Any) -> bool:
        """Whether the control state is one of the row's; without `c`, whether the member's may be."""
        r = row.row
        owner = i if r.states and self.law.machine.regions[r.region].family else c
        if not r.states or (c is None and owner is None):
            return True
        return owner is not None and getattr(owner, attribute(r.region)) in r.states

    # --- inputs ------------------------------------------------------------------------------------------------

    def consume(self, c: Configuration, event: Event, posit: int) -> list[Configuration]:
        """Let `c` act on its next input; all it may have become.

        `posit` tells which rows that need an act of the user are thought of where others would do: NO_ACT, SILENT_ACT (those
        that show nothing at once), ANY_ACT.
        """
        c.next += 1
        c.order = event.order
        done: list[Configuration] = []
        self._run(c, self.law.pipelines[event.kind], 0, False, event, posit, done)
        if self._urgent_autos:
            done = [s for d in done for s in self.settle(d, event.time, event.number)]
        if self.tracks:
            for d in done:
                self.track(d, event.time)
        return done

    def _run(
        self, c: Configuration, stages: tuple[Stage, ...], at: int, met: bool, event: Event, posit: int, done: list[Configuration]
    ) -> None:
        kind, message, time, _, _ = event
        while at < len(stages):
            stage = stages[at]
            at += 1
            i = self.instance(c, stage.table.family, message)
            level = self._level(stage, kind, c, i)
            if level is None:
                continue
            met = True
            rows = self._enabled(level, c, i, message, time, posit)
            if self.deviating:
                rows = [*rows, *self._instead(rows, c, i, message, time)]
            if len(rows) == 1 and len(rows[0].outcomes) == 1:
                if self._take(c, i, rows[0], rows[0].outcomes[0], event):
                    continue
                done.append(c)
                return
            if not rows:
                raise LawGapError(f"table {stage.table.name}: no row of [{self.state_text(c)}] is enabled for {kind}", event)
            for row in rows:
                for outcome in row.outcomes:
                    branch = c.copy()
                    own = self.instance(branch, stage.table.family, message)
                    if self._take(branch, own, row, outcome, event):
                        self._run(branch, stages, at, True, event, posit, done)
                    else:
                        done.append(branch)
            return
        if not met:
            raise LawGapError(f"no table has a row for {kind} in [{self.state_text(c)}]", event)
        done.append(c)

    def _level(self, stage: Stage, kind: str, c: Configuration, i: Any) -> Level | None:
        if i is None:
            key: tuple[Any, ...] = (kind, stage.getter(c))
        else:
            families = self.law.machine.regions
            key = (kind, tuple(getattr(i if families[r].family else c, attribute(r)) for r in stage.regions))
        try:
            return stage.levels[key]
        except KeyError:
            stage.levels[key] = found = self._make_level(stage, kind, c, i)
            return found

    def _make_level(self, stage: Stage, kind: str, c: Configuration, i: Any) -> Level | None:
        for name in self._lineage[kind]:
            rows = [r for r in self.law.rows if r.row.table == stage.table.name and r.row.role == "input" and r.row.event == name]
            rows = [r for r in rows if self.in_states(r, c, i)]
            if rows:
                guarded = [r for r in rows if not r.row.otherwise]
                return Level(
                    tuple(r for r in guarded if not r.hidden), tuple(r for r in guarded if r.hidden),
                    next((r for r in rows if r.row.otherwise), None), self.law.machine.choices,
                )  # fmt: skip
        return None

    def _enabled(self, level: Level, c: Configuration, i: Any, message: Any, now: int, posit: int) -> list[CompiledRow]:
        self.count += 1
        for r in level.plain:
            if r.guard(c, i, message, now):
                return [r]
        half = [r for r in level.half if r.guard(c, i, message, now)] if level.half else []
        if not half:
            return [level.otherwise] if level.otherwise is not None else []
        rows = half
        if level.otherwise is not None and level.escapes(half):
            rows = [*half, level.otherwise]
        if posit != ANY_ACT and len(rows) > 1:
            rows = [r for r in rows if r.at_rest or (posit == SILENT_ACT and not r.loud)] or rows
        return rows

    def _instead(self, rows: Iterable[CompiledRow], c: Configuration, i: Any, message: Any, now: int) -> Iterator[CompiledRow]:
        """What is known to be done instead of `rows`."""
        for r in rows:
            for other in self.law.instead.get(r.index, ()):
                if self.in_states(other, c, i) and other.guard(c, i, message, now):
                    yield other

    def _has_taken(self, c: Configuration, row: CompiledRow) -> bool:
        """Whether `c` has departed from the law for the same reason already: one cause is likelier than two."""
        at = c.remarks
        while at is not None:
            at, (_, index, *_) = at
            if index >= 0 and self.law.every[index].deviation is row.deviation:
                return True
        return False

    def _stray(self, c: Configuration, row: CompiledRow, event: Event, text: str) -> None:
        """Note that `c` departs from the law in a known way, or, where `row` is one of SHOULD, in one that is not."""
        if row.deviation is not None:
            if not text and event.kind:
                is_input, about = row.row.role == "input", row.row.guard + row.row.where
                text = ("it was sent  " if is_input else "") + describe(self.law, c, event.kind, event.message, about, (), is_input)
            price = 1 if self._has_taken(c, row) else KNOWN_PRICES[row.level]
            c.remark("known", row.index, event.number, event.time, text or row.deviation.reason, price)
        else:
            c.remark("warn", row.index, event.number, event.time, text)

    def _take(self, c: Configuration, i: Any, row: CompiledRow, outcome: Outcome, event: Event) -> bool:
        """Take an input row; whether the next table is to be asked."""
        c.trail = (c.trail, row.index, event.number, self.control(c))
        if row.deviation is not None:
            self._stray(c, row, event, "")
        self._do(c, i, row, outcome, event)
        return outcome.goes_on

    def _do(self, c: Configuration, i: Any, row: CompiledRow, outcome: Outcome, event: Event) -> None:
        """Actions and ending of a row of the member `i`."""
        if i is not None:
            i = i.copy()
        if outcome.act is not None:
            outcome.act(c, i, event.message, event.time)
        if outcome.target is not None:
            self._become(c, i, row, outcome.target)
        elif outcome.codes:
            self._abort(c, i, row, outcome.codes, event.time)
        if i is not None:
            self._keep(c, i)
        if c.replies:
            self.set_alarm(c)

    def _become(self, c: Configuration, i: Any, row: CompiledRow, target: dict[str, str]) -> None:
        to = target.get("")
        if to is None:
            owner = i if self.law.machine.regions[row.row.region].family else c
            to = target[getattr(owner, attribute(row.row.region))]
        self._enter(c, i, to)

    def _enter(self, c: Configuration, i: Any, state: str) -> None:
        region = self.law.machine.regions[self.law.machine.states[state].region]
        setattr(i if region.family else c, attribute(region.name), state)
        if c.debts:
            key = i.key if region.family and i is not None else None
            kept = tuple(d for d in c.debts if not self._void(d, region.name, state, key))
            if len(kept) != len(c.debts):
                c.debts = kept
                self.set_alarm(c)

    def _void(self, d: Debt, region: str, state: str, key: Any) -> bool:
        debt = self.law.debts[d.which]
        return debt.region == region and d.key == key and state not in debt.debt.states

    def _abort(self, c: Configuration, i: Any, row: CompiledRow, codes: tuple[Any, ...], now: int) -> None:
        rule = self.law.machine.abort
        if rule is not None and rule.message is not None:
            c.replies = (*c.replies, Reply(rule.message, {}, now, row.index, codes))
        for state in self.law.abort_target.values():
            self._enter(c, i, state)

    # --- urgency -----------------------------------------------------------------------------------------------

    def settle(self, c: Configuration, now: int, number: int) -> list[Configuration]:
        """Take internal `urgent` rows until none is enabled; one hidden in part may or may not have been."""
        work, done, tries = [c], [], 0
        while work:
            c = work.pop()
            tries += 1
            ways = ((r, i) for r in self._urgent_autos for _, i in self._busy(c, r.row.family))
            found = next(((r, i) for r, i in ways if self._enabled_now(r, c, i, now)), None)
            if found is None or tries > AUTO_LIMIT:
                done.append(c)
                continue
            row, i = found
            if row.hidden:
                done.append(c.copy())
            self._take(c, i, row, row.outcomes[0], Event("", None, now, number, c.order))
            work.append(c)
        return done

    def _busy(self, c: Configuration, family: str) -> Iterable[tuple[Any, Any]]:
        """The members that may have something to send by themselves, by key; for no family, the machine itself."""
        if not family:
            return ((None, None),)
        known: Members = getattr(c, f"f_{family}")
        return tuple((key, known.by_key[key]) for key in known.busy)

    def _enabled_now(self, r: CompiledRow, c: Configuration, i: Any, now: int) -> bool:
        return self.in_states(r, c, i) and r.guard(c, i, None, now)

    def urgent_row(self, c: Configuration, now: int) -> tuple[CompiledRow, Any] | None:
        """The `urgent` row that must send before another input is consumed, if there must be one; and the key of its member."""
        control = self._states(c)
        try:
            rows = self._urgent_in[control]
        except KeyError:
            rows = self._urgent_in[control] = [r for r in self._urgent if not r.row.family and self.in_states(r, c, None)]
        if (row := self._pressing([r for r in rows if r.guard(c, None, None, now)], self.states(c))) is not None:
            return row, None
        for family in self._own_regions:
            own = [r for r in self._tracked[family] if r.row.mode == "urgent" and r.row.event_kind != "auto"]
            for key, i in self._busy(c, family) if own else ():
                states = tuple(getattr(i, attribute(r)) for r in self._own_regions[family])
                if (row := self._pressing([r for r in own if self._enabled_now(r, c, i, now)], states)) is not None:
                    return row, key
        return None

    def _pressing(self, rows: list[CompiledRow], states: tuple[str, ...]) -> CompiledRow | None:
        """The first of enabled urgent rows, unless what nobody sees may be why none of them is enabled."""
        for r in rows:
            if not r.hidden:
                return r
        if not rows:
            return None
        key = tuple(r.index for r in rows)
        if key not in self._escape:
            self._escape[key] = can_all_fail([r.hidden for r in rows], self.law.machine.choices)
        return rows[0] if not self.law.urgent_states.isdisjoint(states) or not self._escape[key] else None

    def states(self, c: Configuration) -> tuple[str, ...]:
        """The states of all regions outside families."""
        control = self._states(c)
        return (control,) if isinstance(control, str) else tuple(control or ())

    def blocked(self, c: Configuration, now: int) -> bool:
        """Whether something must be sent before the next input is consumed."""
        if c.replies and not all(self.optional(r) for r in c.replies):
            return True
        return bool(self._urgent) and self.urgent_row(c, now) is not None

    def optional(self, reply: Reply) -> bool:
        """A reply that may be left out: the message of an `abort`, or one of a MAY row."""
        return bool(reply.codes) or self.law.every[reply.row].level == "MAY"

    def track(self, c: Configuration, now: int) -> None:
        """Note since when `owed` and `urgent` rows are enabled."""
        urgent = self.urgent_row(c, now) if self._urgent else None
        if urgent is None and not self._owed and not c.owed:
            return
        rows: list[tuple[int, Any]] = [(r.index, key) for r in self._owed for key, _ in self._owing(r, c, now)]
        if urgent is not None:
            rows.append((urgent[0].index, urgent[1]))
        if rows or c.owed:
            c.owed = {k: c.owed.get(k, now) for k in rows}
            self.set_alarm(c)

    def _owing(self, r: CompiledRow, c: Configuration, now: int) -> Iterator[tuple[Any, Any]]:
        for key, i in self._busy(c, r.row.family):
            if self._enabled_now(r, c, i, now) and not self._shut(r, c, i, now):
                yield key, i

    def _shut(self, row: CompiledRow, c: Configuration, i: Any, now: int) -> bool:
        lineage = self._lineage[row.row.event]
        for g in self._shuts:
            own = i if g.row.family == row.row.family else None
            if g.row.event in lineage and (own is not None or not g.row.family) and self.in_states(g, c, own):
                assert g.shuts is not None
                if g.level in ("MUST", "MUST_NOT") and g.shuts(c, own, None, now):
                    return True
        return False

    def set_alarm(self, c: Configuration) -> None:
        """Recompute when silence next matters; lag is added by whoever asks."""
        times = [d.due for d in c.debts]
        times += [r.since + self.within(r.row) for r in c.replies]
        times += [since + self.within(row) for (row, _), since in c.owed.items()]
        times += [latest + high for (name, _), (_, latest) in c.timers.items() if (high := self.law.windows[name][1]) < NEVER]
        c.alarm = min(times, default=NEVER)

    def within(self, row: int) -> int:
        """The deadline of a reply or an owed row, in µs after its cause."""
        said = self.law.every[row].within
        return self.environment.patience if said is None else said

    # --- outputs -----------------------------------------------------------------------------------------------

    def rows_for(self, c: Configuration, kind: str) -> tuple[CompiledRow, ...]:
        """Output rows of the control state that may send `kind`."""
        return self._indexed(self._outputs, self.law.emissions, c, kind)

    def strays_for(self, c: Configuration, kind: str) -> tuple[CompiledRow, ...]:
        """Output rows beside the law for messages of `kind` in the control state."""
        return self._indexed(self._strays, self.law.beside, c, kind)

    def gates_for(self, c: Configuration, kind: str) -> tuple[CompiledRow, ...]:
        """Gates of the control state that mention `kind`, but for those of which nobody sees whether they apply."""
        return self._indexed(self._gates, self._certain, c, kind)

    def gates_on_replies(self, kind: str) -> list[CompiledRow]:
        """Gates that bind `kind` even where it is a reply: those that speak of the message alone."""
        return [g for g in self._on_replies if g.row.event in self._lineage[kind]]

    def _indexed(
        self, index: dict[tuple[str, Any], tuple[CompiledRow, ...]], rows: tuple[CompiledRow, ...], c: Configuration, kind: str
    ) -> tuple[CompiledRow, ...]:
        key = (kind, self._states(c))
        try:
            return index[key]
        except KeyError:
            lineage = self._lineage[kind]
            regions = self.law.machine.regions
            index[key] = found = tuple(
                r for r in rows
                if r.row.event in lineage and ((r.row.region and regions[r.row.region].family) or self.in_states(r, c, None))
            )  # fmt: skip
            return found

    def movers(self, kind: str, o: Any, now: int) -> bool:
        """Whether some row that changes a control state could send `o`, by what the message alone says."""
        if kind not in self._movers:
            lineage = self._lineage[kind]
            self._movers[kind] = [r for r in self.law.emissions if r.moves and r.row.event in lineage]
        return any(r.shape(None, None, o, now) for r in self._movers[kind])

    def may_answer(self, event: Event) -> bool:
        """Whether `event` looks like the reply of an input row that waits for an act that nobody sees."""
        kind, o, _, _, _ = event
        if kind not in self._answers:
            rows = [r for r in self.law.rows if r.row.role == "input" and r.hidden and r.loud and not r.at_rest]
            sent = [s for r in rows for s in r.row.actions if s.kind == "send" and s.name in self._lineage[kind]]
            self._answers[kind] = [[(n, e.value) for n, e in s.fields if isinstance(e, Lit) and e.type.kind == "bool"] for s in sent]
        return any(all(getattr(o, n) == v for n, v in flags) for flags in self._answers[kind])

    def matches(self, c: Configuration, event: Event) -> list[Match]:
        """All ways in which `c` can explain the output `event` without consuming more."""
        if c.replies:
            return self._match_reply(c, event)
        return self._match_rows(c, event)

    def _match_rows(self, c: Configuration, event: Event) -> list[Match]:
        kind, o, now, _, _ = event
        found: list[Match] = []
        self.count += 1
        for r in (*self.rows_for(c, kind), *self.strays_for(c, kind)) if self.lenient else self.rows_for(c, kind):
            for i in self.senders(c, r, o):
                if (i is not None and not self.in_states(r, c, i)) or not r.match(c, i, o, now):
                    continue
                gates = self._pass(c, event, self.gates_for(c, kind), i)
                if gates is not None:
                    scope, broken = gates
                    strays = broken if r.deviation is None else ((r, ""), *broken)
                    found.append(Match(r, scope, strays, key=i.key if i is not None else None))
        return [*found, *self._with_doubtful_gates(c, event, found)] if self._doubtful and found else found

    def _with_doubtful_gates(self, c: Configuration, event: Event, found: list[Match]) -> Iterator[Match]:
        """The same explanations, had gates applied whose scope nobody sees: what these gates do then counts."""
        kind, o, now, _, _ = event
        for g in self._doubtful:
            if g.row.event in self._lineage[kind] and g.outcomes[0].act is not None:
                for m in found:
                    i = self.member(c, m.row.row.family, m.key)
                    if self.binds(g, i) and self.in_states(g, c, i) and g.guard(c, i, o, now) and g.match(c, i, o, now):
                        yield m._replace(gates=(*m.gates, (g, i)))

    def _pass(
        self, c: Configuration, event: Event, gates: Iterable[CompiledRow], i: Any = None
    ) -> tuple[tuple[tuple[CompiledRow, Any], ...], tuple[tuple[CompiledRow, str], ...]] | None:
        """The gates in scope of what the member `i` sends and those of SHOULD that are broken; None when one refuses."""
        kind, o, now, _, _ = event
        scope: list[tuple[CompiledRow, Any]] = []
        broken: list[tuple[CompiledRow, str]] = []
        for g in gates:
            if not self.binds(g, i) or not g.guard(c, i, o, now) or (g.row.family and not self.in_states(g, c, i)):
                continue
            if not g.match(c, i, o, now):
                is_must = g.level in ("MUST", "MUST_NOT")
                others = self._instead((g,), c, i, o, now) if self.lenient or (self.deviating and not is_must) else ()
                other = next((x for x in others if x.match(c, i, o, now)), None)
                if is_must and other is None:
                    return None
                if is_must or g.level != "MAY":
                    broken.append((other or g, breach(self.law, c, i, g, kind, o, now)))
                g = other or g  # noqa: PLW2901 - what is done is done by the one that agrees
            scope.append((g, i))
        return tuple(scope), tuple(broken)

    @staticmethod
    def binds(gate: CompiledRow, i: Any) -> bool:
        """Whether a gate speaks of what the member `i` sends: one of its family, or of none."""
        return not gate.row.family or (i is not None and i.family == gate.row.family)

    def _match_reply(self, c: Configuration, event: Event) -> list[Match]:
        left_out: tuple[tuple[CompiledRow, str], ...] = ()
        for n, reply in enumerate(c.replies, 1):
            row = self.law.every[reply.row]
            if self._is_reply(c, reply, event):
                gates = self._pass(c, event, self.gates_on_replies(event.kind))
                return [Match(row, gates[0], (*left_out, *gates[1]), n, True)] if gates is not None else []
            if row.level in ("MUST", "MUST_NOT") and not reply.codes:
                return []
            if not self.optional(reply):
                left_out = (*left_out, (row, f"{reply.message} was not sent"))
        found = self._match_rows(c, event)  # every reply may be left out, at its price
        return [m._replace(replies=len(c.replies), broken=(*m.broken, *left_out)) for m in found]

    def _is_reply(self, c: Configuration, reply: Reply, event: Event) -> bool:
        kind, o, now, _, _ = event
        if reply.message not in self._lineage[kind]:
            return False
        if reply.codes:
            fits = any(self.law.abort_where(c, code, o, now) for code in reply.codes)
            return fits or self.law.every[reply.row].level in ("MUST", "MUST_NOT")
        return all(getattr(o, n) == v for n, v in reply.fields.items())

    def emit(self, c: Configuration, match: Match, event: Event) -> list[Configuration]:
        """Let `c` have sent the output `event` in the way `match` says; all it may have become."""
        _, o, now, number, order = event
        c.order = order
        for row, text in match.broken:
            self._stray(c, row, event, text)
        if match.replies:
            reply = c.replies[match.replies - 1]
            if match.is_reply and reply.codes and not any(self.law.abort_where(c, code, o, now) for code in reply.codes):
                c.remark("warn", reply.row, number, now, "other code")
            c.replies = c.replies[match.replies :]
            self.set_alarm(c)
        for g, i in match.gates:
            act = g.outcomes[0].act
            if act is not None:
                own = self.member(c, i.family, i.key).copy() if i is not None else None
                act(c, own, o, now)
                if own is not None:
                    self._keep(c, own)
        if c.debts:
            self.pay(c, event, sender=(match.row.row.family, match.key))
        done = [c]
        if not match.is_reply:  # a reply was counted with the row that sent it
            c.trail = (c.trail, match.row.index, number, self.control(c))
            done = self._emitted(c, match, event)
        if self._urgent_autos:
            done = [s for d in done for s in self.settle(d, now, number)]
        if self.tracks:
            for d in done:
                self.track(d, now)
        return done

    def _emitted(self, c: Configuration, match: Match, event: Event) -> list[Configuration]:
        row, done = match.row, []
        for n, outcome in enumerate(row.outcomes):
            d = c.copy() if n + 1 < len(row.outcomes) else c
            self._do(d, self.member(d, row.row.family, match.key), row, outcome, event)
            done.append(d)
        return done

    def pay(self, c: Configuration, event: Event, before: int = -1, sender: tuple[str, Any] = ("", None)) -> None:
        """Strike out debts that the output `event` of `sender` (its family and key, if known) pays, and those void by their `unless`.

        With `before` >= 0 only debts are paid whose cause was captured before that place.
        """
        kind, o, now, _, _ = event
        lineage = self._lineage[kind]
        kept = []
        for d in c.debts:
            debt = self.law.debts[d.which]
            if self.lapsed(c, d, now):
                continue
            early = before >= 0 and d.order > before
            if early or debt.debt.message not in lineage or not debt.pays(d.args, o, now) or not self._owes(c, d, kind, o, sender):
                kept.append(d)
        if len(kept) != len(c.debts):
            c.debts = tuple(kept)
            self.set_alarm(c)

    def _owes(self, c: Configuration, d: Debt, kind: str, o: Any, sender: tuple[str, Any]) -> bool:
        """Whether an output is about the member that owes `d`."""
        family = self.law.debts[d.which].debt.family
        if not family:
            return True
        if sender[0] == family:
            return bool(d.key == sender[1])
        return d.key in self.concerned(c, family, kind, o)

    def state_text(self, c: Configuration) -> str:
        """The control state in words."""
        return ", ".join(self.states(c))

    # --- acts nobody sees --------------------------------------------------------------------------------------

    def acts(self, c: Configuration, event: Event) -> Iterator[Configuration]:
        """Copies of `c` after one act that leaves no trace of its own: internal rows, calls, timers within their time.

        Of the members of a family, those act that the output `event` can be about; where it is about none, or one matters to
        another, any.
        """
        now, number = event.time, event.number
        about = {f: self.concerned(c, f, event.kind, event.message) for f in self._own_regions}
        about |= {
            f: list(dict.fromkeys((*keys, *getattr(c, f"f_{f}").by_key))) for f, keys in about.items() if not keys or f in self._coupled
        }
        beside = (r for r in self.law.beside if r.row.event_kind == "auto") if self.lenient else ()
        for r in (*self.law.autos, *self.law.calls, *beside):
            for key in about.get(r.row.family, (None,)):
                if r.row.mode != "urgent" and self._enabled_now(r, c, self.member(c, r.row.family, key), now):
                    yield from self._acted(c, r, key, now, number)
        for slot, (earliest, _) in c.timers.items():
            family = self.law.machine.timers[slot[0]].family
            if self.law.windows[slot[0]][0] <= now - earliest and (not family or slot[1] in about[family]):
                yield from self.expire(c, slot, now, number)

    def expire(self, c: Configuration, slot: tuple[str, Any], now: int, number: int) -> Iterator[Configuration]:
        """Copies of `c` after the expiry of a timer: its name, and the key of the member that it is of.

        Nobody saw when it expired: at `now` at the latest. What its row starts may run since the earliest moment.
        """
        name, key = slot
        earliest = min(now, c.timers[slot][0] + self.law.windows[name][0])
        i = self.member(c, self.law.machine.timers[name].family, key)
        rows = [r for r in self.law.timers[name] if self.in_states(r, c, i)]
        enabled = [r for r in rows if not r.row.otherwise and r.guard(c, i, None, now)]
        enabled = enabled or [r for r in rows if r.row.otherwise]
        if self.deviating:
            enabled += list(self._instead(enabled, c, i, None, now))
        for r in enabled:
            for d in self._acted(c, r, key, now, number):
                kept = {s: t for s, t in d.timers.items() if t is c.timers.get(s)}
                started = {s: (earliest, t[1]) for s, t in d.timers.items() if s not in kept}
                d.timers = {**{s: t for s, t in kept.items() if s != slot}, **started}
                self.set_alarm(d)
                yield d

    def may_wait(self, c: Configuration, slot: tuple[str, Any], event: Event) -> bool:
        """Whether it is all the same if a timer expires before or after the input `event`: it is of a member that this is not about."""
        family = self.law.machine.timers[slot[0]].family
        return (
            bool(family) and family not in self._coupled and getattr(event.message, self.law.machine.families[family].key, None) != slot[1]
        )

    def _acted(self, c: Configuration, r: CompiledRow, key: Any, now: int, number: int) -> Iterator[Configuration]:
        for outcome in r.outcomes:
            d = c.copy()
            i = self.member(d, r.row.family, key)
            self._take(d, i, r, outcome, Event("", None, now, number, d.order))
            for s in self.settle(d, now, number) if self._urgent_autos else [d]:
                if self.tracks:
                    self.track(s, now)
                yield s


def _stateless(_: Any) -> None:
    """The control state of a machine all of whose regions are in families."""
