"""Expressions of one machine under one profile, as Python text; and what can be known of them before run time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language.evaluate import binary
from wirelaw.spec.language.expressions import (
    FALSE,
    TRUE,
    Binary,
    Call,
    Expr,
    Field,
    Lit,
    Member,
    Name,
    SetLit,
    Unary,
    negate,
    rebuild,
    walk,
)
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.python import OPPOSITE, PythonNames, PythonWriter, fold, fold_here
from wirelaw.spec.language.tree import Statement
from wirelaw.spec.language.types import Type
from wirelaw.tools.generate.definitions import Definitions
from wirelaw.tools.generate.naming import Names, attribute, local
from wirelaw.tools.generate.states import gathered, situated

NO_LOCALS: Mapping[str, str] = {}
_REFLEXIVE = {"==": TRUE, "<=": TRUE, ">=": TRUE, "!=": FALSE, "<": FALSE, ">": FALSE}


def is_pure(e: Expr) -> bool:
    """True when asking twice gives the same answer: no question to the host."""
    return not any(isinstance(n, Call) and n.kind == "ask" for n in walk(e))


def simplify(e: Expr) -> Expr:
    """`e` with what follows from literals and from equal sides worked out."""
    e = rebuild(e, simplify)
    match e:
        case Binary(op=op, a=a, b=b) if op in _REFLEXIVE and a == b and is_pure(a):
            return _REFLEXIVE[op]
        case Binary(op=op, a=Lit(value=int(a)), b=Lit(value=int(b))) if op in _REFLEXIVE:
            seq = e.a.type.kind == "seq"
            return TRUE if binary(op, a, b, seq, seq, unbounded=False) else FALSE
        case Member(x=Lit(value=x), set=SetLit(items=items)) if all(isinstance(i, Lit) for i in items):
            return TRUE if any(isinstance(i, Lit) and i.value == x for i in items) else FALSE
    return fold_here(e, {}, {})


def put_fields(e: Expr, binder: str, built: Mapping[str, Expr]) -> Expr:
    """`e` with the fields of message `binder` replaced by what the row puts there, where that is known and pure."""
    if isinstance(e, Field) and isinstance(e.base, Name) and e.base.name == binder and e.name in built:
        made = built[e.name]
        return replace(made, type=e.type) if isinstance(made, Lit) and made.type.kind != "bool" else made
    return rebuild(e, lambda x: put_fields(x, binder, built))


def python_type(type_: Type, default: Expr | None = None) -> str:
    """The annotation of a value of this type; `Any` where the law does not say what it is in Python."""
    match type_.kind:
        case "bool":
            return "bool"
        case "uint" | "seq" | "duration" | "time":
            return "int"
        case "string" | "enum" if isinstance(default, Lit) and isinstance(default.value, str):
            return "str"
        case "queue":
            return "tuple[tuple[Any, ...], ...]"
    return "Any"


def zero(type_: Type) -> Lit:
    """What a field holds that nobody speaks of."""
    if type_.kind == "bool":
        return Lit(False, type=type_)
    return Lit(0 if type_.kind in ("uint", "seq", "duration", "time") else None, type=type_)


def opposite(e: Expr) -> Expr:
    """The negation of a condition, a comparison turned round instead of wrapped in `not`."""
    if isinstance(e, Binary) and e.op in OPPOSITE:
        return replace(e, op=OPPOSITE[e.op])
    return negate(e)


def plain(e: Expr) -> Expr:
    """`e` in the form in which equal conditions look equal."""
    return opposite(e.x) if isinstance(e, Unary) and e.op == "not" else e


class Known:
    """What must hold at one point of a chain of `if`s that all leave: what the tests before it have ruled out."""

    def __init__(self) -> None:
        self._holds: set[Expr] = set()
        self._failed: list[tuple[Expr, ...]] = []

    def where(self, condition: Expr) -> Known:
        """What must hold where `condition` does besides."""
        made = Known()
        made._holds, made._failed = self._holds | set(_conjuncts(condition)), list(self._failed)
        made._conclude()
        return made

    def rest(self, guard: tuple[Expr, ...]) -> tuple[Expr, ...] | None:
        """Conjuncts still to be tested; None when one of them is known to be false."""
        if any(self._holds.issuperset(_opposites(c)) for c in guard):
            return None
        return tuple(c for c in guard if plain(c) not in self._holds)

    def fails(self, guard: tuple[Expr, ...]) -> None:
        """From here on `guard` does not hold."""
        if all(is_pure(c) for c in guard):
            self._failed.append(tuple(dict.fromkeys(x for c in guard for x in _conjuncts(c))))
        self._conclude()

    def _conclude(self) -> None:
        changed = True
        while changed:
            changed = False
            for i, failed in enumerate(self._failed):
                left = self.rest(failed)
                if left is not None and len(left) == 1 and not self._holds.issuperset(facts := _opposites(left[0])):
                    self._holds.update(facts)
                    changed = True
                elif left is not None and (shorter := self._shorter(left)) is not None:
                    self._failed[i] = shorter
                    changed = True

    def _shorter(self, failed: tuple[Expr, ...]) -> tuple[Expr, ...] | None:
        """`failed` without a conjunct that does not matter: where that is false, what is left is another guard that failed."""
        for c in failed:
            rest = tuple(x for x in failed if x != c)
            against = {*rest, *_opposites(c)}
            if rest and any(other != failed and against.issuperset(other) for other in self._failed):
                return rest
        return None


def _conjuncts(e: Expr) -> list[Expr]:
    return [*_conjuncts(e.a), *_conjuncts(e.b)] if isinstance(e, Binary) and e.op == "and" else [plain(e)]


def _opposites(e: Expr) -> list[Expr]:
    """The conjuncts of the negation of `e`."""
    return _conjuncts(plain(opposite(plain(e))))


def statements(machine: m.Machine) -> Iterator[Statement]:
    """Every action of every row."""
    for row in machine.rows():
        yield from row.actions
        for _, more in row.ending.alternatives:
            yield from more


def expressions(machine: m.Machine) -> Iterator[Expr]:
    """Every expression of every row, with the defaults of the fields that an output row says nothing of."""
    for row in machine.emissions:
        fields = machine.messages[row.event].fields.values() if row.event_kind == "message" else ()
        yield from (f.default for f in fields if f.default is not None and f.name not in row.fields and f.name not in row.defaults)
    for row in machine.rows():
        yield from (*row.guard, *row.where, *row.when, *row.fields.values(), *row.defaults.values())
        yield from (row.default_message,) if row.default_message is not None else ()
    for s in statements(machine):
        yield from (*s.args, *(e for _, e in s.fields if e is not None))
        yield from (s.value,) if s.value is not None else ()


class Compiler:
    """Compiles expressions for one machine and profile; remembers which externs and constants they use.

    `owed` are the debts for which some row sets a time of payment: the others concern only a judge.
    """

    def __init__(self, machine: m.Machine, profile: Profile, names: Names) -> None:
        self.machine = machine
        self.profile = profile
        self.names = names
        self.externs: set[str] = set()
        self.owed = {s.name for s in statements(machine) if s.kind == "owe" and s.value is not None}
        self.params: set[str] = set()
        self._flags = {n: v for n, v in profile.params.items() if machine.params[n].type.kind == "bool"}
        self._folded: dict[int, tuple[Expr, Expr]] = {}
        self.definitions = Definitions(machine, (self.fold(e) for e in expressions(machine)))
        # `due` and `running` never get to the writer
        names_in_python = PythonNames(self.variable, self.region, self._extern, lambda n: f"self.host.ask_{n}", str, str)
        self._writer = PythonWriter(names_in_python, unbounded=False)

    # --- names -------------------------------------------------------------------------------------------------

    def variable(self, name: str) -> str:
        """The place of a variable."""
        variable = self.machine.variables[name]
        return f"{self._holder(variable.family)}.{'key' if variable.kind == 'key' else attribute(name)}"

    def region(self, name: str) -> str:
        """The place of a region's state."""
        return f"{self._holder(self.machine.regions[name].family)}.{attribute(name)}"

    def timer(self, name: str) -> str:
        """The place of a timer's time."""
        return f"{self._holder(self.machine.timers[name].family)}.{name}_at"

    def debt(self, name: str) -> str:
        """The place of a debt: `.._due` is its time of payment, `.._x` its argument `x`."""
        return f"{self._holder(self.machine.debts[name].family)}.{name}"

    def _holder(self, family: str) -> str:
        return self.names.instances[family] if family else "self"

    def _extern(self, name: str) -> str:
        self.externs.add(name)
        return name

    def _due(self, name: str) -> Expr:
        if name not in self.owed:
            return FALSE
        slot = Name(f"{self.debt(name)}_due", "raw")
        return Binary("and", Binary("!=", slot, Lit(None)), Binary("<=", slot, Name("now", "now")))

    # --- expressions -------------------------------------------------------------------------------------------

    def fold(self, e: Expr) -> Expr:
        """`e` with the profile's choices put in and simplified."""
        held = self._folded.get(id(e))
        if held is None:  # `e` is held as well, so that nothing else gets its identity
            held = self._folded[id(e)] = (e, simplify(fold(e, self.profile.choices, self._flags)))
        return held[1]

    def fold_all(self, conjuncts: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The conjuncts that are left to test; `(FALSE,)` when one of them cannot hold."""
        made = tuple(c for c in map(self.fold, conjuncts) if c != TRUE)
        return (FALSE,) if FALSE in made else made

    def situated(self, conjuncts: tuple[Expr, ...], known: frozenset[str]) -> tuple[Expr, ...]:
        """What of the folded conjuncts is left to test where the regions are in states of `known`; `(FALSE,)` as above."""
        return self.fold_all(tuple(situated(c, self.machine, known, self.definitions.knows) for c in conjuncts))

    def text(self, e: Expr, held: Mapping[str, str] = NO_LOCALS) -> str:
        """`e`, folded, as Python."""
        written = self._writer.expr(self._placed(self.fold(e), held))
        return written[1:-1] if _is_wrapped(written) else written

    def condition(self, conjuncts: tuple[Expr, ...], held: Mapping[str, str] = NO_LOCALS) -> list[str]:
        """Folded conjuncts as Python texts to be joined by `and`; `held` are the locals that hold the states of regions."""
        return [self._writer.expr(self._placed(c, held), 3) for c in conjuncts]

    def negation(self, conjuncts: tuple[Expr, ...]) -> str:
        """Python text that holds when not all of the folded conjuncts do."""
        parts = self.condition(conjuncts)
        if len(parts) == 1:
            return self._writer.expr(negate(self._placed(conjuncts[0])))
        return f"not ({' and '.join(parts)})"

    def _placed(self, e: Expr, held: Mapping[str, str] = NO_LOCALS) -> Expr:
        """`e` as it stands in the code: with calls of definitions, constants, and the names of Python."""
        return self._named(gathered(self.definitions.put(e), self.machine, self.names), held)

    def _named(self, e: Expr, held: Mapping[str, str]) -> Expr:
        match e:
            case Name(kind="region", name=name) if name in held:
                return replace(e, name=held[name], kind="raw")
            case Call(kind="due", function="due", args=(Lit(value=name),)):
                return self._due(str(name))
            case Call(kind="due", args=(Lit(value=name),)):
                return Binary("!=", Name(self.timer(str(name)), "raw"), Lit(None))
            case Call(kind="count", args=(Lit(value=name),)):
                return Name(f"self.{attribute(str(name))}.count", "raw", type=e.type)
            case Name(kind="param", name=name):
                self.params.add(name)
                return replace(e, name=self.names.params[name], kind="raw")
            case Name(kind="binder" | "arg", name=name):
                return replace(e, name=local(name))
            case Lit(value=str(value)) if e.type.kind == "enum" and e.type.name in self.machine.regions:
                return Name(value, "raw", type=e.type)
        return rebuild(e, lambda x: self._named(x, held))


def _is_wrapped(text: str) -> bool:
    """True when one pair of parentheses encloses all of `text`."""
    if "'" in text or '"' in text or not text.startswith("(") or not text.endswith(")") or text.endswith((",)", "()")):
        return False
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0 and i < len(text) - 1:
            return False
    return "," not in text or not _top_comma(text[1:-1])


def _top_comma(text: str) -> bool:
    depth = 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            return True
    return False
