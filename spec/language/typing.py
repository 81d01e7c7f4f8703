"""The type checker of expressions: resolves names, expands macros in place, keeps sequence spaces and units apart."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import queues
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import LawError, Span, complain
from wirelaw.spec.language.expressions import (
    ARITHMETIC,
    COMPARISONS,
    Binary,
    Call,
    Expr,
    Field,
    Lit,
    Member,
    Name,
    SetLit,
    Unary,
    Window,
    rebuild,
    text,
)  # fmt: skip
from wirelaw.spec.language.types import ANY, BOOL, DURATION, NUMBER, TIME, Type, fits, flip

DEEPEST_MACRO = 40
OF_QUEUES = ("len", "empty", "full", "first")
BUILTINS = ("min", "max", "select", "due", "running", "count")


@dataclass(frozen=True, slots=True)
class Scope:
    """Names a row brings: message binders with their direction, and arguments."""

    binders: dict[str, tuple[m.Message, bool]] = field(default_factory=dict)
    args: dict[str, Type] = field(default_factory=dict)

    def bind(self, name: str, message: m.Message, *, incoming: bool) -> Scope:
        """This scope with one more message name."""
        return Scope({**self.binders, name: (message, incoming)}, self.args)


def coerce(e: Expr, wanted: Type, span: Span, what: str) -> Expr:
    """`e` if it fits `wanted` (0 and 1 become flags); LawError otherwise."""
    if wanted == BOOL and isinstance(e, Lit) and e.value in (0, 1) and e.type.is_number:
        return replace(e, value=bool(e.value), type=BOOL)
    if e.type.kind == "uint" and isinstance(e, Lit) and wanted.kind in ("seq", "duration", "time", "opaque"):
        return replace(e, type=wanted)
    if not fits(e.type, wanted):
        raise complain(e.span if e.span.line else span, f"{what} is {wanted}, but `{text(e)}` is {e.type}", _advice(e.type, wanted))
    return e


def zero(kind: Type) -> Lit:
    """What a variable holds that nothing was said of."""
    value: int | bool | None = {"bool": False, "opaque": None, "message": None, "enum": None, "set": None, "string": None}.get(kind.kind, 0)
    return Lit(value, type=kind)


def _advice(given: Type, wanted: Type) -> str:
    if given.kind == wanted.kind == "seq":
        return "The two sequence spaces never mix: tx numbers are ours, rx numbers are the peer's."
    if "seq" in (given.kind, wanted.kind):
        return "Subtract two sequence numbers to get a length; add a length to one to get another."
    return "Use values of one type and unit."


class Typer:
    """All declared names of a machine, and the checking of expressions against them."""

    def __init__(self) -> None:
        self.depth = 0  # of macros within macros
        self.enums: dict[str, tuple[str, ...]] = {}
        self.opaques: set[str] = set()
        self.functions: dict[str, t.Function] = {}
        self.choices: dict[str, tuple[str, ...]] = {}
        self.macros: dict[str, t.DefExpr] = {}
        self.message_names: set[str] = set()
        self.by_content: dict[str, str] = {}  # kinds that depend on content, with their bases
        self.messages: dict[str, m.Message] = {}
        self.consts: dict[str, Expr] = {}
        self.params: dict[str, m.Param] = {}
        self.regions: dict[str, m.Region] = {}
        self.states: dict[str, m.State] = {}
        self.variables: dict[str, m.Variable] = {}
        self.timers: dict[str, m.Timer] = {}
        self.debts: dict[str, m.Debt] = {}
        self.families: dict[str, m.Family] = {}
        self.family = ""  # that of the declaration at hand
        self.queues: dict[str, tuple[tuple[str, Type], ...]] = {}  # the fields of their entries

    def named(self, type_: Type, span: Span) -> Type:
        """The type a name stands for."""
        if type_.kind == "seq" and type_.name not in ("tx", "rx", "sender", "receiver"):
            raise complain(span, f"no sequence space `{type_.name}`", "Use tx or rx; in a message, sender or receiver.")
        if type_.kind != "named":
            return type_
        if type_.name in self.enums:
            return Type("enum", type_.name)
        if type_.name in self.message_names:
            return Type("message", type_.name)
        if type_.name in self.by_content:
            return Type("message", self.by_content[type_.name])
        if type_.name in self.opaques:
            return Type("opaque", type_.name)
        known = [*self.enums, *self.message_names, *self.opaques]
        near = difflib.get_close_matches(type_.name, known, 1)
        raise complain(span, f"no type `{type_.name}`", f"Did you mean `{near[0]}`?" if near else "Declare it with `type` or `enum`.")

    def message(self, name: str, span: Span) -> m.Message:
        """The message of that name, or a LawError."""
        if name in self.messages:
            return self.messages[name]
        if name in self.by_content:
            base = self.by_content[name]
            raise complain(span, f"`{name}` is a kind by content of `{base}`, and is not known here", f"Name `{base}`.")
        near = difflib.get_close_matches(name, self.messages, 1)
        raise complain(span, f"no message `{name}`", f"Did you mean `{near[0]}`?" if near else "Declare it with `message`.")

    def field_type(self, message: m.Message, name: str, *, incoming: bool) -> Type:
        """Type of a field as this machine sees it."""
        return flip(message.fields[name].type, incoming=incoming)

    def predicate(self, e: Expr, scope: Scope, what: str) -> Expr:
        """`e` checked to be a condition; numbers count as `!= 0` nowhere: write the comparison."""
        made = self.check(e, scope)
        if not fits(made.type, BOOL) or made.type.is_number:
            raise complain(made.span, f"{what}: `{text(made)}` is {made.type}, not a condition", "Compare it with something.")
        return made

    def arguments(self, what: str, params: t.Params, args: tuple[Expr, ...], scope: Scope, span: Span) -> tuple[Expr, ...]:
        """Arguments checked against parameters."""
        if len(params) != len(args):
            raise complain(span, f"`{what}` takes {len(params)} arguments, not {len(args)}", "Pass as many as it declares.")
        return tuple(
            coerce(self.check(a, scope, p), p, span, f"argument `{n}` of `{what}`") for (n, p), a in zip(params, args, strict=True)
        )

    def substitute(self, e: Expr, bound: dict[str, Expr]) -> Expr:
        """`e` with unresolved names replaced."""
        if isinstance(e, Name) and not e.kind and e.name in bound:
            return bound[e.name]
        return rebuild(e, lambda x: self.substitute(x, bound))

    # --- the checker -------------------------------------------------------------------------------------------

    def check(self, e: Expr, scope: Scope, expected: Type = ANY) -> Expr:
        """`e` resolved and typed. `expected` helps enum and choice members to be found."""
        match e:
            case Lit():
                return e
            case Name():
                return self.name(e, scope, expected)
            case Field(base=Call(function="first", args=(Name(name=queue),)), name=name) if queue in self.queues:
                return self.entry(e, queue, name, scope)
            case Field(base=base, name=name):
                return self.field(e, self.check(base, scope), name, scope)
            case Unary(op=op, x=x):
                inner = self.check(x, scope)
                wanted = BOOL if op == "not" else NUMBER
                return replace(e, x=coerce(inner, wanted, e.span, f"operand of `{op}`"), type=wanted)
            case Binary():
                return self.binary(e, scope)
            case Window(x=x, base=base, length=length):
                a, b = self.check(x, scope), self.check(base, scope)
                b = coerce(b, a.type, e.span, "the window's base")
                size = coerce(self.check(length, scope), NUMBER, e.span, "the window's length")
                return replace(e, x=a, base=b, length=size, type=BOOL)
            case Member(x=x, set=s):
                item = self.check(x, scope)
                return replace(e, x=item, set=self.check(s, scope, item.type), type=BOOL)
            case SetLit(items=items):
                made = tuple(self.check(i, scope, expected) for i in items)
                return replace(e, items=made, type=Type("set", str(made[0].type)))
            case Call():
                return self.call(e, scope)
        raise AssertionError(type(e).__name__)

    def name(self, e: Name, scope: Scope, expected: Type) -> Expr:
        n = e.name
        if e.kind == "now":
            return replace(e, type=TIME)
        if n in scope.binders:
            return replace(e, kind="binder", type=Type("message", scope.binders[n][0].name))
        if n in scope.args:
            return replace(e, kind="arg", type=scope.args[n])
        if expected.kind == "enum" and n in self.enums.get(expected.name, ()):
            return Lit(n, type=expected, span=e.span)
        if expected.kind == "choice" and n in self.choices[expected.name]:
            return Lit(n, type=expected, span=e.span)
        if e.kind == "state" or n in self.states:
            if n not in self.states:
                raise complain(e.span, f"no state {n}", self.suggestion(n, scope))
            return Lit(n, type=Type("enum", self.states[n].region), span=e.span)
        if self.family and n == self.families[self.family].key:
            n = self.families[self.family].variable
        if n in self.variables:
            return replace(e, name=n, kind="var", type=self.variables[n].type)
        if n in self.consts:
            return replace(self.consts[n], origin=n)
        if n in self.params:
            return replace(e, kind="param", type=self.params[n].type)
        if n in self.choices:
            return replace(e, kind="choice", type=Type("choice", n))
        if n in self.regions:
            return replace(e, kind="region", type=Type("enum", n))
        if n in self.macros:
            return self.macro(e, n, (), scope)
        owners = [k for k, members in self.enums.items() if n in members]
        if len(owners) == 1:
            return Lit(n, type=Type("enum", owners[0]), span=e.span)
        raise complain(e.span, f"no name `{n}`", self.suggestion(n, scope))

    def suggestion(self, name: str, scope: Scope) -> str:
        known = [*scope.binders, *scope.args, *self.variables, *self.consts, *self.params, *self.choices, *self.macros, *self.states]
        near = difflib.get_close_matches(name, known, 1)
        return f"Did you mean `{near[0]}`?" if near else "Declare it, or correct the name."

    def macro(self, e: Expr, name: str, args: tuple[Expr, ...], scope: Scope) -> Expr:
        definition = self.macros[name]
        if len(args) != len(definition.params):
            raise complain(
                e.span, f"`{name}` takes {len(definition.params)} arguments, not {len(args)}", "Pass as many as its `def` names."
            )
        body = self.substitute(definition.body, dict(zip(definition.params, args, strict=True)))
        self.depth += 1
        try:
            if self.depth > DEEPEST_MACRO:
                raise complain(definition.span, f"`{name}` is defined by itself", "Macros do not recurse.")
            made = self.check(body, scope)
        except LawError as error:
            first = error.diagnostics[0]
            if " (in `" in first.message:
                raise
            said = f"{first.message} (in `{name}`" + (f", first used at line {e.span.line})" if args else ")")
            raise LawError(replace(first, message=said)) from None
        finally:
            self.depth -= 1
        shown = name if not args else f"{name}({', '.join(text(a) for a in args)})"
        return replace(made, origin=shown)

    def field(self, e: Field, base: Expr, name: str, scope: Scope) -> Expr:
        if base.type.kind != "message":
            raise complain(e.span, f"`{text(base)}` is {base.type}: it has no fields", "Only messages have fields.")
        message = self.messages[base.type.name]
        if name not in message.fields:
            near = difflib.get_close_matches(name, message.fields, 1)
            raise complain(
                e.span, f"message `{message.name}` has no field `{name}`", f"Did you mean `{near[0]}`?" if near else "Declare it."
            )
        incoming = scope.binders[base.name][1] if isinstance(base, Name) and base.name in scope.binders else True
        return replace(e, base=base, type=self.field_type(message, name, incoming=incoming))

    def binary(self, e: Binary, scope: Scope) -> Expr:
        if e.op in ("and", "or"):
            return replace(
                e, a=self.predicate(e.a, scope, f"operand of `{e.op}`"), b=self.predicate(e.b, scope, f"operand of `{e.op}`"), type=BOOL
            )
        a, b = self.operands(e, scope)
        if e.op in COMPARISONS:
            a, b = coerce(a, b.type, e.span, "left side"), coerce(b, a.type, e.span, "right side")
            return replace(e, a=a, b=b, type=BOOL)
        return replace(e, a=a, b=b, type=self.arithmetic(e, a, b))

    def operands(self, e: Binary, scope: Scope) -> tuple[Expr, Expr]:
        """Both sides; a bare enum or choice member takes its meaning from the other side."""
        for left_first in (True, False):
            first, second = (e.a, e.b) if left_first else (e.b, e.a)
            if isinstance(first, Name) and not self.is_known(first.name, scope):
                continue
            one = self.check(first, scope)
            two = self.check(second, scope, one.type)
            return (one, two) if left_first else (two, one)
        return self.check(e.a, scope), self.check(e.b, scope)

    def is_known(self, name: str, scope: Scope) -> bool:
        return any(
            name in d
            for d in (scope.binders, scope.args, self.variables, self.consts, self.params, self.choices, self.regions, self.macros)
        ) or (self.family != "" and name == self.families[self.family].key)

    def arithmetic(self, e: Binary, a: Expr, b: Expr) -> Type:
        assert e.op in ARITHMETIC
        kinds = (a.type.kind, b.type.kind)
        if "any" in kinds:
            return a.type if b.type == ANY else b.type
        match (*kinds, e.op):
            case ("seq", "seq", "-"):
                coerce(b, a.type, e.span, "right side")
                return NUMBER
            case ("seq", "uint" | "bool", "+" | "-"):
                return a.type
            case ("time", "time", "-"):
                return DURATION
            case ("time", "duration", "+" | "-"):
                return TIME
            case ("duration", "duration", "+" | "-"):
                return DURATION
            case ("duration", "duration", "/"):
                return NUMBER
            case ("duration", "uint", "*" | "/" | "<<" | ">>" | "%"):
                return DURATION
            case ("uint", "duration", "*"):
                return DURATION
            case ("uint" | "bool", "uint" | "bool", _):
                return NUMBER
        raise complain(e.span, f"`{text(e)}`: no `{e.op}` between {a.type} and {b.type}", _advice(a.type, b.type))

    def entry(self, e: Field, queue: str, name: str, scope: Scope) -> Expr:
        """`first(queue).name`."""
        fields = self.queues[queue]
        place = next((n for n, (field_name, _) in enumerate(fields) if field_name == name), None)
        if place is None:
            near = difflib.get_close_matches(name, [n for n, _ in fields], 1)
            hint = f"Did you mean `{near[0]}`?" if near else f"It has {', '.join(n for n, _ in fields)}."
            raise complain(e.span, f"an entry of queue `{queue}` has no field `{name}`", hint)
        kind = fields[place][1]
        args = (self.check(Name(queue, span=e.span), scope), Lit(place, type=NUMBER), zero(kind))
        return Call("first", args, "queue", type=kind, span=e.span, origin=f"first({queue}).{name}")

    def queue(self, d: t.Queue) -> Type:
        """Declares a queue; its type."""
        bound = self.check(d.limit, Scope())
        if not isinstance(bound, Lit) or not bound.type.is_number or not bound.value:
            advice = "Write how many entries it has room for, or a `const`."
            raise complain(d.span, f"the bound of queue `{d.name}` is no number", advice)
        self.queues[d.name] = tuple((n, self.named(p, d.span)) for n, p in d.params)
        return Type("queue", str(bound.value))

    def queue_step(self, s: t.Statement, scope: Scope) -> t.Statement:
        """A push or a pop, as an assignment of what the queue becomes."""
        if s.name not in self.queues:
            near = difflib.get_close_matches(s.name, self.queues, 1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Declare it: `queue {s.name}(..) upto ..`."
            raise complain(s.span, f"no queue `{s.name}`", hint)
        q = self.check(Name(s.name, span=s.span), scope)
        entry = self.arguments(s.name, self.queues[s.name], s.args, scope, s.span) if s.kind == "push" else ()
        function = "pushed" if s.kind == "push" else "rest"
        return replace(s, kind="assign", args=(), value=Call(function, (q, *entry), "queue", type=q.type, span=s.span))

    def of_queue(self, e: Call, scope: Scope) -> Expr:
        """`len(q)`, `empty(q)`, `full(q)`."""
        q = self.check(e.args[0], scope)
        match e.function:
            case "len":
                return replace(queues.length(q), span=e.span)
            case "empty":
                return replace(queues.is_empty(q), span=e.span, origin=text(e))
            case "full":
                return replace(queues.is_full(q), span=e.span, origin=text(e))
        raise complain(e.span, f"`{text(e)}` is a whole entry", f"Read a field of it, such as `{text(e)}.{self.queues[text(q)][0][0]}`.")

    def call(self, e: Call, scope: Scope) -> Expr:
        n = e.function
        if n in OF_QUEUES and len(e.args) == 1 and isinstance(e.args[0], Name) and e.args[0].name in self.queues:
            return self.of_queue(e, scope)
        if n in self.macros:
            return self.macro(e, n, e.args, scope)
        if n in BUILTINS:
            return self.builtin(e, scope)
        function = self.functions.get(n)
        if function is None or function.kind not in ("extern", "ask"):
            known = [k for k, f in self.functions.items() if f.kind in ("extern", "ask")] + list(self.macros) + list(BUILTINS)
            near = difflib.get_close_matches(n, known, 1)
            hint = f"Did you mean `{near[0]}`?" if near else "Declare it with `extern` (pure), `ask` or `def`."
            raise complain(e.span, f"no function `{n}`", hint)
        args = self.arguments(n, function.params, e.args, scope, e.span)
        return replace(e, args=args, kind=function.kind, type=function.result or ANY)

    def builtin(self, e: Call, scope: Scope) -> Expr:
        if e.function == "due":
            name = e.args[0].name if e.args and isinstance(e.args[0], Name) else ""
            if name not in self.debts:
                raise complain(e.span, "`due(..)` takes the name of a debt", f"Known debts: {', '.join(self.debts) or 'none'}.")
            return Call("due", (Lit(name),), "due", type=BOOL, span=e.span)
        if e.function == "running":
            name = e.args[0].name if e.args and isinstance(e.args[0], Name) else ""
            if name not in self.timers:
                raise complain(e.span, "`running(..)` takes the name of a timer", f"Known timers: {', '.join(self.timers) or 'none'}.")
            return Call("running", (Lit(name),), "due", type=BOOL, span=e.span)
        if e.function == "count":
            name = e.args[0].name if e.args and isinstance(e.args[0], Name) else ""
            if name not in self.families:
                raise complain(e.span, "`count(..)` takes the name of a family", f"Known families: {', '.join(self.families) or 'none'}.")
            return Call("count", (Lit(name),), "count", type=NUMBER, span=e.span)
        args = [self.check(a, scope) for a in e.args]
        if e.function == "select":
            if len(args) != 3:
                raise complain(e.span, "`select(c, a, b)` takes a condition and two values", "It is a if c holds, else b.")
            coerce(args[0], BOOL, e.span, "the condition")
            coerce(args[2], args[1].type, e.span, "the second value")
            return replace(e, args=tuple(args), kind="builtin", type=args[1].type)
        if len(args) < 2:
            raise complain(e.span, f"`{e.function}` takes two or more values", "Give them, separated by commas.")
        kind = next((a.type for a in args if a.type != NUMBER), NUMBER)
        if kind.kind == "seq":
            raise complain(e.span, f"`{e.function}` of sequence numbers: serial order is no order", "Use `select(a > b, a, b)`.")
        made = tuple(coerce(a, kind, e.span, f"argument of `{e.function}`") for a in args)
        return replace(e, args=made, kind="builtin", type=kind)
