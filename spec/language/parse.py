"""Law text to syntax tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import Diagnostic, LawError, Span
from wirelaw.spec.language.expressions import Binary, Call, Expr, Field, Lit, Member, Name, SetLit, Unary, Window, negate
from wirelaw.spec.language.grammar import parser
from wirelaw.spec.language.types import BOOL, DURATION, NUMBER, STRING, UNIT_MICROSECONDS, Type

_STARTS = {".profile": "profile_file", ".deviations": "deviations_file"}


def parse_law(text: str, file: str) -> list[t.Machine]:
    """All machines and fragments of one `.law` text. Raises LawError with the place of the first mistake."""
    root = _parse(text, file, "start")
    build = _Builder(file)
    return [build.machine(child) for child in root.children]


def syntax_tree(text: str, file: str) -> Tree[Token]:
    """The concrete tree of a `.law`, `.profile` or `.deviations` text, with positions: what the formatter lays out. Raises LawError."""
    return _parse(text, file, _STARTS.get(Path(file).suffix, "start"))


def parse_profiles(text: str, file: str) -> list[t.Profile]:
    """All profiles of one `.profile` text."""
    root = _parse(text, file, "profile_file")
    build = _Builder(file)
    return [build.profile(child) for child in root.children]


def parse_deviations(text: str, file: str) -> list[t.Deviations]:
    """The deviations of each peer in one `.deviations` text."""
    root = _parse(text, file, "deviations_file")
    build = _Builder(file)
    return [build.deviations(child) for child in root.children]


def _parse(text: str, file: str, start: str) -> Tree[Token]:
    try:
        return parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise LawError(_syntax_diagnostic(error, text, file)) from None


def _syntax_diagnostic(error: UnexpectedInput, text: str, file: str) -> Diagnostic:
    line, column = max(error.line or 1, 1), max(error.column or 1, 1)
    lines = text.splitlines()
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        line, column = max(len(lines), 1), len(lines[-1]) + 1 if lines else 1
        message = "the file ends in the middle of a construct"
    elif isinstance(error, UnexpectedToken):
        message = f"unexpected {str(error.token)!r}"
    elif isinstance(error, UnexpectedCharacters):
        message = f"unexpected character {text[error.pos_in_stream or 0 : (error.pos_in_stream or 0) + 1]!r}"
    else:
        message = "syntax error"
    source = f"    {line} | {lines[line - 1]}" if 0 < line <= len(lines) else ""
    return Diagnostic(file, line, column, message, f"Expected {_expected(error)}.", source)


def _expected(error: UnexpectedInput) -> str:
    wanted: set[str] = set(getattr(error, "accepts", None) or getattr(error, "allowed", None) or getattr(error, "expected", None) or ())
    patterns = {term.name: term.pattern for term in parser().terminals}
    shown = []
    for name in sorted(wanted):
        pattern = patterns.get(name)
        shown.append(f"`{pattern.value}`" if pattern is not None and pattern.type == "str" else name.replace("$END", "the end").lower())
    listed = ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")
    return listed or "something else here"


_BINARY = {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "shl": "<<", "shr": ">>",
}  # fmt: skip


class _Builder:
    """Walks the lark tree once; one method per rule that needs more than its children."""

    def __init__(self, file: str) -> None:
        self.file = file

    def span(self, node: Tree[Token] | Token) -> Span:
        if isinstance(node, Token):
            return Span(self.file, node.line or 0, node.column or 0)
        return Span(self.file, getattr(node.meta, "line", 0), getattr(node.meta, "column", 0))

    # --- files -------------------------------------------------------------------------------------------------

    def machine(self, node: Any) -> t.Machine:
        name, *decls = node.children
        return t.Machine(str(name.children[0]), node.data == "fragment", self.decls(decls), self.span(node))

    def decls(self, nodes: list[Any]) -> tuple[object, ...]:
        found: list[object] = []
        for node in nodes:
            method: Callable[[Any], Any] = getattr(self, "d_" + node.data)
            made = method(node)
            found.extend(made if isinstance(made, list) else [made])
        return tuple(found)

    def profile(self, node: Any) -> t.Profile:
        name, machine, *items = node.children
        choices: dict[str, str] = {}
        params: dict[str, Expr] = {}
        takes: dict[str, str] = {}
        fills: dict[str, t.FieldValues] = {}
        places: dict[str, Span] = {}
        order: tuple[str, ...] = ()
        doc = ""
        for item in items:
            c = item.children
            match item.data:
                case "choose":
                    choices[str(c[0])] = str(c[1])
                case "set_param":
                    params[str(c[0])] = self.expr(c[1])
                case "order":
                    order += tuple(str(x.children[0]) for x in c)
                    places.update({str(x.children[0]): self.span(x) for x in c})
                    continue
                case "take":
                    takes[_row_id(c[0])] = str(c[1])
                    places[_row_id(c[0])] = self.span(item)
                    continue
                case "fill":
                    fills[str(c[0])] = self.field_values(c[1])
                case "profile_doc":
                    doc = _string(c[0])
                    continue
            places[str(c[0])] = self.span(item)
        return t.Profile(str(name), str(machine.children[0]), choices, params, order, takes, fills, self.span(node), places, doc)

    def deviations(self, node: Any) -> t.Deviations:
        peer, machine, *items = node.children
        deviations = tuple(self.deviation(n) for n in items if n.data == "deviation")
        declared = self.decls([n for n in items if n.data != "deviation"])
        return t.Deviations(str(peer), str(machine.children[0]), declared, deviations, self.span(node))

    def deviation(self, node: Any) -> t.Deviation:
        name, versions, sentence, *alternatives = node.children
        made = tuple(self.instead(n) if n.data == "instead" else self.beside(n) for n in alternatives)
        return t.Deviation(
            str(name), _string(sentence.children[0]), _string(versions) if versions is not None else "", made, self.span(name)
        )

    def instead(self, node: Any) -> t.Alternative:
        rows, states, what, guard, where, ending, block, *cites = node.children
        ids = tuple(_row_id(r) for r in rows.children)
        return t.Alternative(ids, self.other_row(rows.children[0], states, what, guard, where, ending, block, cites), self.span(node))

    def beside(self, node: Any) -> t.Alternative:
        rowid, states, what, guard, where, ending, block, *cites = node.children
        return t.Alternative((), self.other_row(rowid, states, what, guard, where, ending, block, cites), self.span(node))

    def other_row(
        self, rowid: Any, states: Any, what: Any, guard: Any, where: Any, ending: Any, block: Any, cites: list[Any]
    ) -> t.Row:  # fmt: skip
        citations, editions, within = self.citations(cites)
        is_message = what is not None and what.data == "emit"
        return t.Row(
            "output" if what is not None else "", _row_id(rowid), self.states(states),
            t.Event(str(what.children[0]), (), self.span(what)) if is_message else None, self.opt(guard), False,
            self.ending(ending) if ending is not None else t.Ending(""), self.block(block), citations, editions, within, self.span(rowid),
            mode="may", fields=self.field_values(what.children[1]) if is_message else (), where=self.opt(where),
        )  # fmt: skip

    # --- declarations ------------------------------------------------------------------------------------------

    def d_doc(self, n: Any) -> t.Doc:
        return t.Doc(_string(n.children[0]))

    def d_include(self, n: Any) -> t.Include:
        return t.Include(str(n.children[0].children[0]), self.span(n))

    def d_externs(self, n: Any) -> t.Externs:
        return t.Externs(_string(n.children[0]), self.span(n))

    def d_type_decl(self, n: Any) -> t.TypeDecl:
        return t.TypeDecl(_strs(n.children))

    def d_enum(self, n: Any) -> t.Enum:
        return t.Enum(str(n.children[0]), _strs(n.children[1:]))

    def d_const(self, n: Any) -> t.Const:
        name, type_, value = n.children
        return t.Const(str(name), self.type(type_), self.expr(value), self.span(n))

    def d_param(self, n: Any) -> t.Param:
        name, type_, low, high = n.children
        return t.Param(str(name), self.type(type_), self.opt(low), self.opt(high), self.span(n))

    def d_message(self, n: Any) -> t.Message:
        name, parent, *fields = n.children
        made: list[t.MessageField] = []
        for f in fields:
            *names, type_, default = f.children
            made += [t.MessageField(str(x), self.type(type_), self.opt(default), self.span(x)) for x in names]
        return t.Message(str(name), str(parent) if parent else None, tuple(made), self.span(n))

    def d_refinement(self, n: Any) -> t.Refinement:
        name, base, binder, condition = n.children
        return t.Refinement(str(name), str(base), str(binder), self.expr(condition), self.span(n))

    def d_input_decl(self, n: Any) -> t.Input:
        name, binder, *tables = n.children
        return t.Input(str(name), str(binder), _strs(tables), self.span(n))

    def d_output_decl(self, n: Any) -> t.Output:
        name, binder, *unsaid = n.children
        rules = []
        for u in unsaid:
            if u is None:
                continue
            if u.data == "unsaid_value":
                rules.append(t.Unsaid(_strs(u.children[:-1]), self.expr(u.children[-1])))
            else:
                rules.append(t.Unsaid(_strs(u.children), None))
        return t.Output(str(name), str(binder), tuple(rules), self.span(n))

    def d_abort_decl(self, n: Any) -> t.Abort:
        argument, type_, message, where, target = n.children
        return t.Abort(
            str(argument), self.type(type_), str(message) if message else None, self.opt(where), self.target(target), self.span(n)
        )

    def d_region(self, n: Any) -> t.Region:
        name, *states = n.children
        made = [t.StateDecl(str(s.children[0]), tuple(str(m.children[0]) for m in s.children[1:]), self.span(s)) for s in states]
        return t.Region(str(name), tuple(made), self.span(n))

    def d_group(self, n: Any) -> t.Group:
        return t.Group(str(n.children[0]), _strs(n.children[1:]), self.span(n))

    def d_variable(self, n: Any) -> list[t.Variable]:
        kind, *names, type_, init = n.children
        word = str(kind.children[0])
        return [t.Variable(word, str(x), self.type(type_), self.opt(init), self.span(x)) for x in names]

    def d_choice(self, n: Any) -> t.Choice:
        return t.Choice(str(n.children[0]), _strs(n.children[1:]), self.span(n))

    def d_queue(self, n: Any) -> t.Queue:
        name, params, limit = n.children
        return t.Queue(str(name), self.params(params), self.expr(limit), self.span(n))

    def _function(self, n: Any) -> t.Function:
        name, params, *result = n.children
        return t.Function(n.data, str(name), self.params(params), self.type(result[0]) if result else None, self.span(n))

    d_extern = d_ask = d_tell = d_call = _function

    def d_timer(self, n: Any) -> t.Timer:
        name, low, high = n.children
        return t.Timer(str(name), self.opt(low), self.opt(high), self.span(n))

    def d_debt(self, n: Any) -> t.Debt:
        name, params, message, binder, where, within, states, unless = n.children
        return t.Debt(
            str(name), self.params(params), str(message), str(binder), self.expr(where), self.expr(within),
            self.states(states), self.opt(unless), self.span(n),
        )  # fmt: skip

    def d_def_expr(self, n: Any) -> t.DefExpr:
        name, params, body = n.children
        return t.DefExpr(str(name), _strs(params.children) if params else (), self.expr(body), self.span(n))

    def d_def_stmt(self, n: Any) -> t.DefStmt:
        name, params, body = n.children
        return t.DefStmt(str(name), _strs(params.children) if params else (), self.block(body), self.span(n))

    def d_table(self, n: Any) -> t.Table:
        policy, name, event, first, *items = n.children
        made = self.table_items(items)
        if first is not None:
            made = (t.RowGroup(True, (), None, None, made, self.span(n)),)
        return t.Table(str(name), policy is not None, self.event(event), made, self.span(n))

    def d_gate(self, n: Any) -> t.Table:
        name, *rows = n.children
        return t.Table(str(name), False, None, tuple(self.gate_row(r) for r in rows), self.span(n), is_gate=True)

    def d_emission(self, n: Any) -> t.Row:
        mode, anytime, rowid, states, what, guard, where, defaults, when, ending, block, *cites = n.children
        event: t.Event | None = None
        fields: t.FieldValues = ()
        if what.data == "emit":
            event = t.Event(str(what.children[0]), (), self.span(what))
            fields = self.field_values(what.children[1])
        default_message = self.expr(defaults.children[0]) if defaults is not None and defaults.data == "default_message" else None
        default_fields = self.field_values(defaults.children[0]) if defaults is not None and defaults.data == "default_fields" else ()
        citations, editions, within = self.citations(cites)
        return t.Row(
            "output", _row_id(rowid), self.states(states), event, self.opt(guard), False, self.ending(ending), self.block(block),
            citations, editions, within, self.span(rowid), mode=str(mode.children[0]), fields=fields, where=self.opt(where),
            defaults=default_fields, default_message=default_message, when=self.opt(when), anytime=anytime is not None,
        )  # fmt: skip

    def d_invariant(self, n: Any) -> t.Property:
        rowid, states, claim, *cites = n.children
        return t.Property("invariant", _row_id(rowid), self.states(states), self.expr(claim), self.citations(cites)[0], self.span(n))

    def d_never(self, n: Any) -> t.Property:
        rowid, states, condition, *cites = n.children
        return t.Property("never", _row_id(rowid), self.states(states), self.expr(condition), self.citations(cites)[0], self.span(n))

    def d_family(self, n: Any) -> t.Family:
        name, key, sent_as, *decls = n.children
        return t.Family(str(name), str(key), str(sent_as or ""), self.decls(decls), self.span(n))

    # --- rows --------------------------------------------------------------------------------------------------

    def table_items(self, nodes: list[Any]) -> tuple[t.Row | t.RowGroup, ...]:
        return tuple(self.input_row(n) if n.data == "row" else self.row_group(n) for n in nodes)

    def row_group(self, n: Any) -> t.RowGroup:
        if n.data == "ordered":
            return t.RowGroup(True, (), None, None, self.table_items(n.children), self.span(n))
        head, *items = n.children
        states, event, guard = (None,) * (3 - len(head.children)) + tuple(head.children)
        return t.RowGroup(
            False, self.states(states), self.event(event), self.opt(guard), self.table_items(items), self.span(n)
        )  # fmt: skip

    def input_row(self, n: Any) -> t.Row:
        likely, rowid, states, event, guard, ending, block, *cites = n.children
        citations, editions, within = self.citations(cites)
        otherwise = guard is not None and guard.data == "guard_otherwise"
        test = self.expr(guard.children[0]) if guard is not None and not otherwise else None
        return t.Row(
            "input", _row_id(rowid), self.states(states), self.event(event), test, otherwise, self.ending(ending), self.block(block),
            citations, editions, within, self.span(rowid), likely=likely is not None,
        )  # fmt: skip

    def gate_row(self, n: Any) -> t.Row:
        rowid, states, message, binder, scope, where, block, *cites = n.children
        citations, editions, within = self.citations(cites)
        return t.Row(
            "gate", _row_id(rowid), self.states(states), t.Event(str(message), (str(binder),), self.span(message)), self.opt(scope),
            False, t.Ending("stay"), self.block(block), citations, editions, within, self.span(rowid), where=self.opt(where),
        )  # fmt: skip

    def event(self, n: Any) -> t.Event | None:
        if n is None:
            return None
        name, binders = n.children
        return t.Event(str(name), _strs(binders.children) if binders else (), self.span(n))

    def states(self, n: Any) -> tuple[str, ...]:
        return _strs(n.children) if n is not None else ()

    def citations(self, nodes: list[Any]) -> tuple[tuple[t.Citation, ...], tuple[int, ...], Expr | None]:
        found: list[t.Citation] = []
        editions: tuple[int, ...] = ()
        within = None
        for n in nodes:
            if n.data == "edition":
                editions += tuple(int(x) for x in n.children)
            elif n.data == "row_within":
                within = self.expr(n.children[0])
            else:
                clause, level = n.children
                found.append(t.Citation(str(clause)[1:], str(level.children[0]) if level else None, self.span(clause)))
        return tuple(found), editions, within

    def ending(self, n: Any) -> t.Ending:
        span = self.span(n)
        match n.data:
            case "become":
                target, continuation = n.children
                word = str(continuation.children[0]) if continuation else "stop"
                return t.Ending("become", self.target(target), word, span=span)
            case "abort":
                return t.Ending("abort", codes=self.codes(n.children[0]), span=span)
            case "refuse":
                return t.Ending("refuse", codes=(str(n.children[0]),), span=span)
            case "either":
                made: list[tuple[t.Ending, tuple[t.Statement, ...]]] = []
                for child in n.children:
                    if child.data == "bare_abort":
                        made.append((t.Ending("abort", codes=self.codes(child.children[0]), span=span), ()))
                    else:
                        made.append((self.ending(child.children[0]), self.block(child.children[1])))
                return t.Ending("either", alternatives=tuple(made), span=span)
            case kind:
                return t.Ending(str(kind), span=span)

    def codes(self, n: Any) -> tuple[str | int, ...]:
        return tuple(int(c.children[0]) if c.children[0].type == "INT" else str(c.children[0]) for c in n.children)

    def target(self, n: Any) -> dict[str, str] | str:
        if n.data == "to_state":
            return str(n.children[0])
        names = _strs(n.children)
        return dict(zip(names[::2], names[1::2], strict=True))

    def block(self, n: Any) -> tuple[t.Statement, ...]:
        return tuple(self.statement(s) for s in n.children) if n is not None else ()

    def statement(self, n: Any) -> t.Statement:
        c, span = n.children, self.span(n)
        name = str(c[0])
        match n.data:
            case "assign":
                return t.Statement("assign", name, value=self.expr(c[1]), span=span)
            case "add_assign" | "sub_assign":
                op = "+" if n.data == "add_assign" else "-"
                value = Binary(op, Name(name, span=span), self.expr(c[1]), span=span)
                return t.Statement("assign", name, value=value, span=span)
            case "owe":
                level = str(c[3].children[0]) if c[3] else None
                return t.Statement("owe", name, self.args(c[1]), value=self.opt(c[2]), level=level, span=span)
            case "start_timer":
                return t.Statement("start", name, value=self.opt(c[1]), span=span)
            case "ensure_timer":
                return t.Statement("ensure", name, value=self.expr(c[1]), span=span)
            case "stop_timer":
                return t.Statement("stop", name, span=span)
            case "push":
                return t.Statement("push", name, self.args(c[1]), span=span)
            case "pop":
                return t.Statement("pop", name, span=span)
            case "tell_stmt":
                return t.Statement("tell", name, self.args(c[1]), span=span)
            case "send":
                return t.Statement("send", name, fields=self.field_values(c[1]), span=span)
            case "grade":
                return t.Statement("grade", name, span=span)
            case _:
                return t.Statement("call", name, self.args(c[1]), span=span)

    # --- expressions and types ---------------------------------------------------------------------------------

    def opt(self, n: Any) -> Expr | None:
        return self.expr(n) if n is not None else None

    def args(self, n: Any) -> tuple[Expr, ...]:
        return tuple(self.expr(a) for a in n.children) if n is not None else ()

    def field_values(self, n: Any) -> t.FieldValues:
        if n is None:
            return ()
        return tuple((str(f.children[0]), self.opt(f.children[1])) for f in n.children)

    def params(self, n: Any) -> t.Params:
        return tuple((str(p.children[0]), self.type(p.children[1])) for p in n.children) if n is not None else ()

    def type(self, n: Any) -> Type:
        name, tag = str(n.children[0]), str(n.children[1].children[0]) if n.children[1] else ""
        if name == "seq32":
            return Type("seq", tag)
        if name == "set":
            return Type("set", tag)
        if name in ("bool", "duration", "time", "string", "any"):
            return Type(name)
        if name[0] == "u" and name[1:].isdigit():
            return Type("uint", name[1:])
        if name == "nat":
            return Type("uint", name)
        return Type("named", name)

    def expr(self, n: Any) -> Expr:
        c, s = n.children, self.span(n)
        kind = str(n.data)
        if kind in _BINARY:
            return Binary(_BINARY[kind], self.expr(c[0]), self.expr(c[1]), span=s)
        match kind:
            case "or_expr" | "and_expr":
                word = kind[:-5]
                made = self.expr(c[0])
                for other in c[1:]:
                    made = Binary(word, made, self.expr(other), span=s)
                return made
            case "negation":
                return Unary("not", self.expr(c[0]), span=s)
            case "negative":
                return Unary("-", self.expr(c[0]), span=s)
            case "window" | "not_window":
                inside: Expr = Window(self.expr(c[0]), self.expr(c[1]), self.expr(c[2]), span=s)
                return inside if kind == "window" else negate(inside)
            case "member" | "not_member":
                inside = Member(self.expr(c[0]), self.expr(c[1]), span=s)
                return inside if kind == "member" else negate(inside)
            case "set_literal":
                return SetLit(tuple(self.expr(x) for x in c), span=s)
            case "number":
                return Lit(int(c[0]), type=NUMBER, span=s)
            case "hexadecimal":
                return Lit(int(c[0], 16), type=NUMBER, span=s)
            case "duration":
                digits = str(c[0]).rstrip("abcdefghijklmnopqrstuvwxyz")
                return Lit(int(digits) * UNIT_MICROSECONDS[str(c[0])[len(digits) :]], type=DURATION, span=s)
            case "string":
                return Lit(_string(c[0]), type=STRING, span=s)
            case "true" | "false":
                return Lit(kind == "true", type=BOOL, span=s)
            case "none":
                return Lit(None, span=s)
            case "now":
                return Name("now", "now", span=s)
            case "name":
                return Name(str(c[0]), span=s)
            case "state_name":
                return Name(str(c[0]), "state", span=s)
            case "invocation":
                return Call(str(c[0]), self.args(c[1]), span=s)
            case "member_of":
                return Field(self.expr(c[0]), str(c[1]), span=s)
            case _:
                return self.expr(c[0])


def _strs(nodes: Any) -> tuple[str, ...]:
    return tuple(str(n) for n in nodes)


def _row_id(token: Token) -> str:
    return str(token)[1:-1]


def _string(token: Token) -> str:
    return str(token)[1:-1].replace('\\"', '"').replace("\\\\", "\\")
