"""What one row does, as straight-line Python: its actions, the messages it builds, its ending, its record."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import complain
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Name, rebuild, walk
from wirelaw.spec.language.interpret import equalities
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.tree import Ending, Statement
from wirelaw.tools.generate.compile import Compiler, zero
from wirelaw.tools.generate.macros import SMALLEST, Macros
from wirelaw.tools.generate.naming import Names, camel, local
from wirelaw.tools.generate.wrapping import Lines, branch, invoke, quoted


@dataclass(frozen=True, slots=True)
class Exits:
    """How a method of generated code leaves: the statements for going on, for stopping, and for a refusal's code."""

    go: str
    stop: str
    refuse: str = ""

    def refusal(self, code: str) -> Lines:
        """Statements that report `code` and stop."""
        if not self.refuse:
            return [self.stop]
        return [self.refuse.format(code=quoted(code))] + ([] if self.refuse.startswith("return") else [self.stop])


STAGE = Exits("return True", "return False", "self._refused = {code}")
CALL = Exits("return None", "return None", "return {code}")
TIMER = Exits("return", "return")


def note(row: m.Row) -> str:
    """The comment beside a branch: the row's id and the clauses it rests on."""
    cited = ", ".join(f"{c.clause} {c.level}" if c.level else c.clause for c in row.citations)
    return f"[{row.id}] {cited}".rstrip()


class RowWriter:
    """Writes the parts of rows for one machine and profile."""

    def __init__(self, machine: m.Machine, profile: Profile, names: Names, compiler: Compiler) -> None:
        self.machine = machine
        self.profile = profile
        self.names = names
        self.compiler = compiler
        self.macros = Macros(machine, names, compiler.definitions.methods())
        self.debts = [d for d in machine.debts.values() if d.name in compiler.owed]

    # --- actions -----------------------------------------------------------------------------------------------

    def actions(self, statements: tuple[Statement, ...], event: str) -> Lines:
        """The statements in sequence, long macros as calls; grades are of no concern to an implementation."""
        return self._sequence(statements, event, 0)

    def _sequence(self, statements: tuple[Statement, ...], event: str, depth: int) -> Lines:
        """The same for statements inside of `depth` macros."""
        lines: Lines = []
        for name, of in groupby(statements, lambda s: f"{s.origin}//".split("/")[depth]):
            part = tuple(of)
            if not name:
                lines += [line for s in part for line in self._action(s, event)]
                continue
            inside = self._sequence(part, event, depth + 1)
            lines += self.macros.call(name, inside, part) if len(inside) >= SMALLEST else inside
        return lines

    def _action(self, s: Statement, event: str) -> Lines:
        text = self.compiler.text
        match s.kind:
            case "assign":
                return self._assign(s)
            case "owe":
                return self._owe(s)
            case "start":
                return [f"{self.compiler.timer(s.name)} = {self._later(s.value)}"]
            case "ensure":
                slot = self.compiler.timer(s.name)
                return branch([f"{slot} is None"], [f"{slot} = {self._later(s.value)}"])
            case "stop":
                return [f"{self.compiler.timer(s.name)} = None"]
            case "tell":
                return [invoke(f"self.host.tell_{s.name}", [text(a) for a in s.args])]
            case "send":
                given = {n: self.compiler.fold(v) for n, v in s.fields if v is not None}
                built = self.complete(s.name, given, None)
                return [self._emit(s.name, built)]
            case "grade":
                return []
        raise complain(s.span, f"no meaning for `{s.kind}` in an implementation ({event})", "Report this: the generator lacks a case.")

    def _assign(self, s: Statement) -> Lines:
        assert s.value is not None
        place, value = self.compiler.variable(s.name), self.compiler.fold(s.value)
        match value:
            case Binary(op="+" | "-" as op, a=Name(name=name, kind="var"), b=b) if name == s.name and value.a.type.kind != "seq":
                return [f"{place} {op}= {self.compiler.text(b)}"]
        return [f"{place} = {self.compiler.text(value)}"]

    def _later(self, delay: Expr | None) -> str:
        if delay is None or (isinstance(delay, Lit) and not delay.value):
            return "now"
        return self.compiler.text(Binary("+", Name("now", "now"), delay))

    def _owe(self, s: Statement) -> Lines:
        """The earlier of two payment times counts, and the newer of two sets of frozen arguments.

        Without `pay` a debt is only the judge's.
        """
        if s.value is None:
            return []
        debt = self.machine.debts[s.name]
        due, place = self._later(s.value), self.compiler.debt(s.name)
        slot = f"{place}_due"
        lines = [f"{place}_{p} = {self.compiler.text(a)}" for (p, _), a in zip(debt.params, s.args, strict=True)]
        if due != "now":
            lines.append(f"due = {due}")
            due = "due"
        return [*lines, f"if {slot} is None or {due} < {slot}:", f"    {slot} = {due}"]

    # --- messages ----------------------------------------------------------------------------------------------

    def complete(self, message: str, given: dict[str, Expr], whole: Expr | None) -> dict[str, Expr]:
        """Every field of a message: given, then (without a whole default) the profile's, the field's own default, zero."""
        fills = self.profile.fills.get(message, {})
        made: dict[str, Expr] = {}
        for name, field in self.machine.messages[message].fields.items():
            if name in given:
                made[name] = given[name]
            elif whole is not None:
                made[name] = Field(Name("made", "raw"), name, type=field.type)
            elif name in fills:
                made[name] = fills[name]
            else:
                made[name] = self.default(message, name)
        return made

    def default(self, message: str, name: str) -> Expr:
        """What a field holds when nothing is said: its declared default, or zero; a field `kind` the message's name."""
        field = self.machine.messages[message].fields[name]
        if field.default is not None:
            return self.compiler.fold(field.default)
        if name == "kind" and field.type.kind == "string":
            return Lit(message, type=field.type)
        return zero(field.type)

    def assemble(self, message: str, built: dict[str, Expr], binder: str) -> Lines:
        """`o = Message(..)`; fields that read other fields of it follow as assignments."""
        later = {n: e for n, e in built.items() if _reads(e, binder)}
        made = self._construct(message, {n: e for n, e in built.items() if n not in later})
        return [f"{local(binder)} = {made}", *(f"{local(binder)}.{n} = {self.compiler.text(e)}" for n, e in later.items())]

    def _construct(self, message: str, built: dict[str, Expr]) -> str:
        fields = {n: e for n, e in built.items() if not self._is_default(message, n, e)}
        return invoke(camel(message), [f"{n}={self.compiler.text(e)}" for n, e in fields.items()])

    def initial(self, message: str, name: str) -> Expr:
        """What a new message object holds in a field: its default where that needs no machine, else zero."""
        default = self.default(message, name)
        needs_machine = any(isinstance(n, Name | Call) for n in walk(default))
        return zero(self.machine.messages[message].fields[name].type) if needs_machine else default

    def _is_default(self, message: str, name: str, e: Expr) -> bool:
        default = self.initial(message, name)
        return isinstance(e, Lit) and isinstance(default, Lit) and e.value == default.value and type(e.value) is type(default.value)

    def _emit(self, message: str, built: dict[str, Expr]) -> str:
        return invoke(f"self.host.emit_{message}", [self._construct(message, built)])

    # --- endings -----------------------------------------------------------------------------------------------

    def alternative(self, row: m.Row) -> tuple[Ending, tuple[Statement, ...]]:
        """The ending and the actions of a row, with the side of an `either` that the profile takes."""
        if row.ending.kind != "either":
            return row.ending, row.actions
        wants_abort = self.profile.takes.get(row.id, "go") == "abort"
        for ending, more in row.ending.alternatives:
            if (ending.kind == "abort") == wants_abort:
                return ending, row.actions + more
        side = "abort" if wants_abort else "go"
        raise complain(row.span, f"[{row.id}] has no alternative for the side `{side}`", f"Take the other: `take [{row.id}] ..`.")

    def ending(self, row: m.Row, ending: Ending, states: frozenset[str], st: str) -> Lines:
        """The change of state; `states` are those in which this code is reached, `st` the local that holds the state."""
        if ending.kind == "abort":
            return self._abort(row, ending)
        if ending.kind != "become":
            return []
        assert isinstance(ending.target, dict)
        if "" in ending.target:
            return self.become(ending.target[""])
        used = {s: t for s, t in ending.target.items() if s in states}
        targets = list(dict.fromkeys(used.values()))
        if len(targets) == 1:
            return self.become(targets[0])
        lines: Lines = []
        for i, target in enumerate(targets):
            sources = frozenset(s for s, t in used.items() if t == target)
            head = "else:" if i == len(targets) - 1 else f"{'elif' if i else 'if'} {self.in_states(st, sources)}:"
            lines += [head, *("    " + line for line in self.become(target))]
        return lines

    def become(self, target: str) -> Lines:
        """Enter a state: debts whose `while` it leaves are void."""
        lines = [f"{self.compiler.region(self.machine.states[target].region)} = {target}"]
        for debt in self.debts:
            if self.machine.voids(target, debt):
                lines.append(f"{self.compiler.debt(debt.name)}_due = None")
        return lines

    def _abort(self, row: m.Row, ending: Ending) -> Lines:
        rule = self.machine.abort
        if rule is None:
            raise complain(
                row.span, f"[{row.id}] aborts, but the machine does not say what that means", "Declare `abort(..) .. then => ..`."
            )
        lines: Lines = []
        if rule.message is not None:
            code = Lit(ending.codes[0])
            given = {n: self.compiler.fold(_put_argument(v, rule.argument, code)) for n, v in equalities(rule.where)}
            lines.append(self._emit(rule.message, self.complete(rule.message, given, None)))
        for target in rule.target.values():
            lines += self.become(target)
        return lines

    def in_states(self, st: str, states: frozenset[str]) -> str:
        """A test that the state `st` is one of `states`."""
        if len(states) <= 2:
            region = self.machine.regions[self.machine.states[min(states)].region]
            return " or ".join(f"{st} == {s.name}" for s in region.states if s.name in states)
        return f"{st} in {self.names.state_set(states)}"

    # --- the record --------------------------------------------------------------------------------------------

    def record(self, row: m.Row, event: str, message: str) -> Lines:
        """Tell the listener of this step, if there is one."""
        args = ["now", f'"{row.table}"', f'"{row.id}"', event, message]
        return branch(["self.on_step is not None"], [f"self.on_step(Step({', '.join(args)}))"])

    def state_text(self) -> str:
        """The state that an error names: that of the first region outside of families."""
        return next((self.compiler.region(r.name) for r in self.machine.regions.values() if not r.family), '""')

    # --- families ----------------------------------------------------------------------------------------------

    def family_class(self, family: str) -> str:
        """The class of a family's instances."""
        return self.names.class_name + camel(family)

    def instance(self, family: str, key: str) -> str:
        """A statement that finds an instance."""
        return f"{self.names.instances[family]} = self._{family}_of({key})"

    def settled(self, family: str) -> Lines:
        """What has to follow a change of the instance at hand."""
        return [f"self._settle_{family}({self.names.instances[family]}, now)"] if family else []


def _reads(e: Expr, binder: str) -> bool:
    return any(isinstance(n, Name) and n.kind == "binder" and n.name == binder for n in walk(e))


def _put_argument(e: Expr, argument: str, code: Lit) -> Expr:
    if isinstance(e, Name) and e.kind == "arg" and e.name == argument:
        return code
    return rebuild(e, lambda x: _put_argument(x, argument, code))
