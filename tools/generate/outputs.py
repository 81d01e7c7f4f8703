"""The output side of a generated class: `pump`, and one method per output row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language.diagnostics import complain
from wirelaw.spec.language.expressions import COMPARISONS, FALSE, TRUE, Binary, Call, Expr, Name, walk
from wirelaw.spec.language.families import own_part, owner_of
from wirelaw.spec.language.profile import Profile
from wirelaw.tools.generate.compile import Compiler, is_pure, opposite, plain, put_fields, simplify
from wirelaw.tools.generate.dispatch import Leaf, Node, Split, decide
from wirelaw.tools.generate.families import FamilyWriter
from wirelaw.tools.generate.naming import snake
from wirelaw.tools.generate.rename import put_names, rename
from wirelaw.tools.generate.rows import RowWriter, note
from wirelaw.tools.generate.sharing import local_name, put_locals
from wirelaw.tools.generate.states import among
from wirelaw.tools.generate.wrapping import LONGEST, WIDTH, Lines, branch, indent, quoted, wrapped


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known where a row fires: its message as built, and conjuncts that hold on the state before."""

    binder: str
    built: dict[str, Expr]
    holds: tuple[Expr, ...]

    def here(self, e: Expr) -> Expr:
        """`e` with what the row puts into the message."""
        return plain(simplify(put_fields(e, self.binder, self.built)))

    def within(self, scope: tuple[Expr, ...]) -> Facts:
        """What is known where all of `scope` holds besides."""
        return replace(self, holds=(*self.holds, *(e for e in map(self.here, scope) if is_pure(e))))

    def rest(self, conjuncts: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The (folded) conjuncts that do not follow; `(FALSE,)` when one of them cannot hold."""
        left: list[Expr] = []
        for c in conjuncts:
            known = self.here(c)
            if known == FALSE or plain(opposite(known)) in self.holds:
                return (FALSE,)
            if known != TRUE and known not in self.holds:
                left.append(c)
        return tuple(left)


class OutputWriter:
    """Writes the output rows of one machine in the order of its profile."""

    def __init__(self, machine: m.Machine, profile: Profile, rows: RowWriter, compiler: Compiler, edition: int) -> None:
        self.machine = machine
        self.profile = profile
        self.rows = rows
        self.compiler = compiler
        by_id = {r.id: r for r in machine.emissions}
        ordered = [by_id[x] for x in profile.order]
        self.ordered = [r for r in ordered if (not r.editions or edition in r.editions) and FALSE not in self._moment(r)]
        self.room = WIDTH // 2  # columns for the conditions of a row in `pump`; below 0: not even all rows of a state have room
        self.apart: Lines = []
        self.gates = [g for g in machine.gates if not g.editions or edition in g.editions]
        self.families = FamilyWriter(machine, rows, compiler, self.ordered)

    def write(self) -> Lines:
        """`pump` and the methods it calls."""
        for self.room in (WIDTH // 2, WIDTH // 4, 0, -1):
            self.apart.clear()
            lines = self._pump()
            if len(wrapped(indent(lines))) <= LONGEST:
                break
        lines += ["", *self.apart] if self.apart else []
        for row in self.ordered:
            lines += ["", *self._each(row)] if row.family else []
            lines += ["", *(self._auto(row) if row.event_kind == "auto" else self._emission(row))]
        return [*lines, ""]

    # --- pump --------------------------------------------------------------------------------------------------

    def _moment(self, row: m.Row) -> tuple[Expr, ...]:
        return self.compiler.fold_all(row.guard + row.when)

    def _split(self, row: m.Row) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
        """The conditions of `row` that `pump` tests, as many as fit on a line, and those that the row's own method tests first."""
        moment = self.compiler.situated(self._moment(row), row.states)
        if row.family:
            return moment, ()
        room = self.room
        for i, text in enumerate(self.compiler.condition(moment)):
            room -= len(text)
            if room < 0:
                return moment[:i], moment[i:]
        return moment, ()

    def _main_region(self) -> str:
        """The region that most rows name: `pump` dispatches on it."""
        count = {name: sum(r.region == name for r in self.ordered) for name, x in self.machine.regions.items() if not x.family}
        return max(count, key=lambda name: count[name], default="")

    def _pump(self) -> Lines:
        main = self._main_region()
        plain = [r if r.region == main else replace(r, region="", states=frozenset()) for r in self.ordered]
        tree = decide(self.machine, plain, lambda rows: tuple(r.id for r in rows))
        body: Lines = []
        if isinstance(tree, Leaf):
            body = [*self._tries(tree, main, frozenset()), "return"]
        else:
            assert isinstance(tree, Split)
            body.append(f"st = {self.compiler.region(main)}")
            for i, (states, below) in enumerate(sorted(tree.branches, key=lambda b: len(b[0]))):
                part = [*self._tries(below, main, states), "return"]
                last = i == len(tree.branches) - 1
                body += part if last else branch([self.rows.in_states("st", states)], part)
        return [
            "def pump(self, now: int) -> None:",
            '    """Send everything that is to be sent now, in the order of the profile."""',
            *indent(self.families.wake()),
            f"    for _ in range({self.families.most()}):",
            *indent(body, 2),
            f'    raise EndlessOutputError("{self.machine.name}", {self.rows.state_text()})',
        ]

    def _tries(self, leaf: Node, main: str, known: frozenset[str]) -> Lines:
        """One `if` for each row, or one for all where there is no room for conditions.

        The local `st` holds the state of region `main` where some are `known`.
        """
        assert isinstance(leaf, Leaf)
        held = {main: "st"} if known else {}
        tries: list[tuple[list[str], str]] = []
        for row in (r for r in self.ordered if r.id in leaf.rows):
            if row.family:
                tries.append(([f"self._each_{snake(row.id)}(now)"], note(row)))
                continue
            elsewhere = (among(self.machine, row.states),) if row.region not in ("", main) else ()
            moment = self.compiler.situated((*elsewhere, *self._split(row)[0]), known)
            if FALSE in (*moment, *self.compiler.situated(self._split(row)[1], known)):
                continue
            conditions = self.compiler.condition(moment, held)
            tries.append(([*conditions, f"self._out_{snake(row.id)}(now)"], f"[{row.id}]"))
        if self.room > 0 or not tries:
            return [line for conditions, comment in tries for line in branch(conditions, ["continue"], comment)]
        parts = [" and ".join(conditions) for conditions, _ in tries]
        whole = " or ".join(f"({p})" if " and " in p and len(parts) > 1 else p for p in parts)
        return branch([self._apart(whole, known) if self.room < 0 and len(tries) > 2 else whole], ["continue"])

    def _apart(self, test: str, known: frozenset[str]) -> str:
        """`test` as a call of a method of its own, named after the first of the states in which it is made."""
        name = f"_pump_{next((s for s in self.machine.states if s in known), '').lower()}"
        while name in {f"_{table}" for table in self.machine.tables}:
            name += "_"
        self.apart += [f"def {name}(self, now: int) -> bool:", f"    return {test}", ""]
        return f"self.{name}(now)"

    def _each(self, row: m.Row) -> Lines:
        """The first instance in line for which the row fires. What an instance alone decides is known of those in line."""
        name = self.rows.names.instances[row.family]
        is_inside, _, others = own_part(row, self.machine)
        where = (among(self.machine, row.states),) if row.region and not is_inside else ()
        moment = (*where, *self.compiler.fold_all(others))
        once = tuple(c for c in moment if is_pure(c) and not _speaks_of(c, row.family, self.machine))
        each = self.compiler.condition(tuple(c for c in moment if c not in once))
        return [
            f"def _each_{snake(row.id)}(self, now: int) -> bool:",
            *indent(branch([self.compiler.negation(once)], ["return False"]) if once else []),
            f"    for {name} in {self.families.line(row)}.values():",
            *indent(branch([*each, f"self._out_{snake(row.id)}({name}, now)"], ["return True"]), 2),
            "    return False",
        ]

    # --- rows --------------------------------------------------------------------------------------------------

    def _head(self, row: m.Row) -> Lines:
        instance = f"{self.rows.names.instances[row.family]}: {self.rows.family_class(row.family)}, " if row.family else ""
        return [f"def _out_{snake(row.id)}(self, {instance}now: int) -> bool:", f'    """{note(row)}."""']

    def _end(self, row: m.Row, event: str, message: str) -> Lines:
        ending, actions = self.rows.alternative(row)
        region = self.compiler.region(row.region) if row.region else ""
        acts = self.rows.actions(actions, row.id)
        sent = [f"self.host.emit_{event}({message})"] if event else []
        return [
            *acts, *sent, *self.rows.ending(row, ending, row.states, region), *self.families.fired(row),
            *self.rows.record(row, quoted(event), message or "None"), "return True",
        ]  # fmt: skip

    def _auto(self, row: m.Row) -> Lines:
        return [*self._head(row), *indent([*self._unless(self._split(row)[1], ""), *self._end(row, "", "")])]

    def _emission(self, row: m.Row) -> Lines:
        row = _sure(row)
        binder = row.binders[0]
        whole = row.default_message
        given = {n: self.compiler.fold(e) for n, e in (*row.fields.items(), *row.defaults.items())}
        self._check_bound(row, given)
        built = self.rows.complete(row.event, given, whole)
        facts = Facts(binder, built, tuple(plain(c) for c in self._here(row, row.guard + row.when) if is_pure(c)))
        demands = facts.rest(self._here(row, row.where))
        if demands == (FALSE,):
            raise complain(row.span, f"[{row.id}] can never be sent: what it puts into the message breaks its own `where`", "Correct one.")
        early, late = _by_message(demands, binder)
        first, held = self._held(row, self._split(row)[1], built)
        before = [*self._unless(first, ""), *self._unless(early, "")]
        tests = self._unless(late, "")
        gate_actions: Lines = []
        for gate in self.gates:
            if gate.event in self.machine.messages[row.event].lineage:
                at_once, tested, acts = self._gate(rename(gate, (binder,)), row, facts)
                before += at_once
                tests += tested
                gate_actions += acts
        made = [f"made = {self.compiler.text(whole)}"] if whole is not None else []
        made += self.rows.assemble(row.event, {n: put_locals(e, held) for n, e in built.items()}, binder)
        lines = [*before, *made, *tests, *gate_actions, *self._payments(row, facts)]
        return [*self._head(row), *indent(lines), *indent(self._end(row, row.event, binder))]

    def _held(self, row: m.Row, first: tuple[Expr, ...], built: dict[str, Expr]) -> tuple[tuple[Expr, ...], dict[Expr, str]]:
        """The conditions `first` with names given to what they compare and the message needs again, and these names."""
        held: dict[Expr, str] = {}
        named: list[Expr] = []
        taken = {*row.binders, *self.rows.names.instances.values(), ""}
        for c in first:
            if isinstance(c, Binary) and c.op in COMPARISONS and self.compiler.definitions.knows(c.a):
                name, call = local_name(c.a, self.machine), self.compiler.definitions.put(c.a)
                if name not in taken and isinstance(call, Name) and any(n == c.a for e in built.values() for n in walk(e)):
                    taken.add(name)
                    held[c.a] = name
                    named.append(replace(c, a=replace(call, name=f"({name} := {call.name})")))
                    continue
            named.append(c)
        return tuple(named), held

    def _here(self, row: m.Row, conjuncts: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The conjuncts, folded, where `row` stands."""
        return self.compiler.situated(self.compiler.fold_all(conjuncts), row.states)

    def _unless(self, demands: tuple[Expr, ...], comment: str) -> Lines:
        if not demands:
            return []
        return branch([self.compiler.negation(demands)], ["return False"], comment)

    def _check_bound(self, row: m.Row, given: dict[str, Expr]) -> None:
        """Every field that a judge looks at must be put there by somebody."""
        if row.default_message is not None:
            return
        fills = self.profile.fills.get(row.event, {})
        free = {n for name, o in self.machine.outputs.items() if name in self.machine.messages[row.event].lineage for n in o.free}
        for field in self.machine.messages[row.event].fields.values():
            bound = field.name in given or field.name in fills or field.name in free or field.default is not None
            if not bound and not (field.name == "kind" and field.type.kind == "string"):
                raise complain(
                    row.span, f"[{row.id}] leaves field `{field.name}` of `{row.event}` open in profile `{self.profile.name}`",
                    f"Add it to `default {{ .. }}`, or write `fill {row.event} {{ {field.name}: .. }}` in the profile.",
                )  # fmt: skip

    # --- gates -------------------------------------------------------------------------------------------------

    def _gate(self, gate: m.Row, row: m.Row, facts: Facts) -> tuple[Lines, Lines, Lines]:
        """The tests that a gate makes before this row's message is built and on it, and the actions it adds."""
        scope = facts.rest(self._here(row, gate.guard))
        if scope == (FALSE,):
            return [], [], []
        lines: Lines = []
        if gate.states:
            scope = (*self._here(row, (among(self.machine, gate.states),)), *scope)
            if FALSE in scope:
                return [], [], []
        applies = self.compiler.condition(scope)
        demands = facts.within(scope).rest(self._here(row, gate.where))
        acts = self.rows.actions(gate.actions, gate.id)
        refused = [self.compiler.negation(demands)] if demands else []
        if refused == ["True"]:
            refused, applies = [], applies or ["True"]
        if acts and applies:
            flag = f"gate_{snake(gate.id)}"
            lines.append(f"{flag} = {' and '.join(applies)}")
            applies, acts = [flag], branch([flag], acts)
        if demands:
            lines += branch([*applies, *refused], ["return False"], note(gate))
        if not acts and not gate.family and not _by_message((*scope, *demands), row.binders[0])[1]:
            return lines, [], []
        return [], lines, acts

    # --- debts -------------------------------------------------------------------------------------------------

    def _payments(self, row: m.Row, facts: Facts) -> Lines:
        """Strike out the debts that this message pays."""
        lines: Lines = []
        for debt in self.rows.debts:
            if debt.message not in self.machine.messages[row.event].lineage:
                continue
            frozen = {n: f"{self.compiler.debt(debt.name)}_{n}" for n, _ in debt.params}
            where = tuple(put_names(put_names(c, {debt.binder: row.binders[0]}), frozen, "raw") for c in debt.where)
            needs = facts.rest(self.compiler.fold_all(where))
            if needs == (FALSE,):
                continue
            slot = f"{self.compiler.debt(debt.name)}_due"
            if not needs:
                lines.append(f"{slot} = None")
            else:
                lines += branch([f"{slot} is not None", *self.compiler.condition(needs)], [f"{slot} = None"])
        return lines


def _speaks_of(e: Expr, family: str, machine: m.Machine) -> bool:
    """Whether `e` reads anything of an instance."""
    return any(isinstance(n, Name | Call) and owner_of(machine, n) == family for n in walk(e))


def _by_message(conjuncts: tuple[Expr, ...], binder: str) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """Those that speak of the state alone, and those that read the message `binder`."""
    reading = [any(isinstance(n, Name) and n.kind == "binder" and n.name == binder for n in walk(c)) for c in conjuncts]
    return (
        tuple(c for c, reads in zip(conjuncts, reading, strict=True) if not reads),
        tuple(c for c, reads in zip(conjuncts, reading, strict=True) if reads),
    )


def _sure(row: m.Row) -> m.Row:
    """`row` with what it reads of queues that its own condition says are not empty."""
    known = row.guard + row.when

    def each(given: dict[str, Expr]) -> dict[str, Expr]:
        return {n: queues.sure(e, known) for n, e in given.items()}

    return replace(row, fields=each(row.fields), defaults=each(row.defaults), where=tuple(queues.sure(c, known) for c in row.where))
