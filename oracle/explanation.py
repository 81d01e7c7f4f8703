"""Why nothing explains an observation: the nearest rows, in the words of the law.

Over every configuration and every number of inputs consumed, each output row of the state is asked which conjuncts fail.
Flags weigh before numbers: a segment with RST is never a failed acknowledgment. Ties go to the smallest number of inputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wirelaw.oracle.configuration import Configuration
from wirelaw.oracle.rows import CompiledLaw, CompiledRow, attribute
from wirelaw.oracle.search import BudgetError, Search, Silence
from wirelaw.oracle.steps import Event
from wirelaw.oracle.verdict import Finding, Grade, Miss
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Member, Name, Unary, Window, names, text, walk

NEAREST = 3
CONFIGURATIONS = 128
FLAG_WEIGHT, STATE_WEIGHT, KIND_WEIGHT, NUMBER_WEIGHT = 10.0, 4.0, 6.0, 1.0
QUESTION = "a missing row, an observer effect, a slack of this stack, or a bug?"
_GRADES = {"note": Grade.NOTE, "warn": Grade.WARN, "fail": Grade.FAIL, "inconclusive": Grade.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class _Candidate:
    weight: float
    depth: int
    configuration: Configuration
    miss: Miss
    row: CompiledRow
    failed: tuple[Expr, ...]


def context(law: CompiledLaw, c: Configuration, i: Any, binders: Mapping[str, Any], now: int) -> Context:
    """The slow reading of a configuration, for expressions met outside compiled code."""

    def variable(name: str) -> Any:
        owner = law.machine.variables.get(name) or law.machine.regions.get(name)
        holder = i if owner is not None and owner.family else c
        return getattr(holder, attribute(name))

    def function(kind: str, name: str, args: tuple[Any, ...]) -> Any:
        return getattr(law.externs, name)(*args) if kind == "extern" else True

    return Context(variable, variable, function, binders=binders, now=now, unbounded=True)


def remarks(law: CompiledLaw, c: Configuration) -> list[Finding]:
    """What a possible configuration had to be forgiven, oldest first."""
    found: list[Finding] = []
    at = c.remarks
    while at is not None:
        at, (grade, index, number, time, note) = at
        row = law.rows[index] if index >= 0 else None
        clause = row.row.clauses[0] if row is not None and row.row.clauses else ""
        shown = note or (_demand(row) if row is not None else "")
        found.append(
            Finding(_GRADES.get(grade, Grade.NOTE), clause, row.level if row else "MAY", row.id if row else "", number, time, shown)
        )
    return found[::-1]


def _demand(row: CompiledRow) -> str:
    return f"[{row.id}] {', '.join(short(c, row.row.binders) for c in row.row.where or row.row.guard)}"


# --- outputs -----------------------------------------------------------------------------------------------------------


def of_output(search: Search, frontier: list[Configuration], event: Event, grade: Grade, subject: str) -> Finding:
    """The finding for an output that nothing explains."""
    law = search.steps.law
    candidates: list[_Candidate] = []
    possible = 0
    for depth, c in _reachable(search, frontier, event):
        possible += depth == 0
        candidates += _candidates(search, c, event, depth)
    candidates.sort(key=lambda x: (x.weight, x.depth))
    chosen: list[_Candidate] = []
    for x in candidates:
        if all(x.miss.row != y.miss.row for y in chosen):
            chosen.append(x)
    best = chosen[0] if chosen else None
    c = best.configuration if best else frontier[0]
    used = [e for x in chosen[:NEAREST] for e in x.failed]
    observed = f"{subject} sent  {describe(law, c, event, used)}"
    row = best.row if best else None
    return Finding(
        grade, best.miss.clause if best else "", best.miss.level if best else "MUST", best.miss.gate or row.id if best and row else "",
        event.number, event.time, observed, tuple(x.miss for x in chosen[:NEAREST]), state_text(law, c, used), possible, QUESTION,
    )  # fmt: skip


def _reachable(search: Search, frontier: list[Configuration], event: Event) -> Iterator[tuple[int, Configuration]]:
    """Configurations with the number of inputs consumed on the way, the first and the last ones of a long queue."""
    search.steps.count = 0
    for c in frontier:
        try:
            reached = search.sweep([c.copy()], event, None, False)
        except BudgetError:
            reached = [c]
        some = reached if len(reached) <= CONFIGURATIONS else reached[: CONFIGURATIONS // 2] + reached[-CONFIGURATIONS // 2 :]
        yield from ((d.next - c.next, d) for d in some)


def _candidates(search: Search, c: Configuration, event: Event, depth: int) -> Iterator[_Candidate]:
    steps, law = search.steps, search.steps.law
    if c.replies:
        yield from _reply_candidates(law, c, event, depth)
        if not all(steps.optional(r) for r in c.replies):
            return
    rows = steps.rows_for(c, event.kind)
    for row in rows:
        i = steps.instance(c, row.row.family, event.message) if row.row.family else None
        if not steps.in_states(row, c, i):
            continue
        bound = context(law, c, i, {row.row.binders[0]: event.message}, event.time)
        whole = law.machine.visible(row.row.guard + row.row.where)
        failed = tuple(e for e in whole if not evaluate(e, bound))
        if failed:
            weight = sum(_weight(e, bound) for e in failed)
            yield _Candidate(weight, depth, c, _miss(row, c, law, failed, bound), row, failed)
        else:
            yield from _refusals(search, c, event, depth, row)
    if not rows:
        state = state_names(law, c)
        for row in law.emissions:
            if steps.in_states(row, c, None) and not row.row.family:
                miss = Miss(row.id, state, (f"{row.row.event}",), ((row.row.event, f"{event.kind} was sent"),), _clause(row), row.level)
                yield _Candidate(KIND_WEIGHT * FLAG_WEIGHT, depth, c, miss, row, ())


def _refusals(search: Search, c: Configuration, event: Event, depth: int, row: CompiledRow) -> Iterator[_Candidate]:
    steps, law = search.steps, search.steps.law
    for g in steps.gates_for(c, event.kind):
        i = steps.instance(c, g.row.family, event.message) if g.row.family else None
        if g.hidden or not steps.in_states(g, c, i) or not g.guard(c, i, event.message, event.time):
            continue
        bound = context(law, c, i, {g.row.binders[0]: event.message}, event.time)
        failed = tuple(e for e in law.machine.visible(g.row.where) if not evaluate(e, bound))
        if failed:
            whole = tuple(short(e, g.row.binders) for e in g.row.where)
            said = tuple((short(e, g.row.binders), how_much(e, bound, g.row.binders)) for e in failed)
            miss = Miss(row.id, state_names(law, c), whole, said, _clause(g), g.level, g.id)
            yield _Candidate(sum(_weight(e, bound) for e in failed) * 0.5, depth, c, miss, g, failed)


def _reply_candidates(law: CompiledLaw, c: Configuration, event: Event, depth: int) -> Iterator[_Candidate]:
    reply = c.replies[0]
    row = law.rows[reply.row]
    said: list[tuple[str, str]] = []
    if reply.message not in law.machine.messages[event.kind].lineage:
        said = [(reply.message, f"{event.kind} was sent")]
    for n, v in reply.fields.items():
        if not said or hasattr(event.message, n):
            seen = getattr(event.message, n, None)
            if seen != v:
                said.append((f"{n} == {_shown(v)}", _difference(n, seen, v)))
    whole = tuple(f"{n} == {_shown(v)}" for n, v in reply.fields.items() if v) or (reply.message,)
    weight = sum(FLAG_WEIGHT if isinstance(v, bool) else NUMBER_WEIGHT for _, v in reply.fields.items())
    yield _Candidate(weight, depth, c, Miss(row.id, state_names(law, c), whole, tuple(said), _clause(row), row.level), row, ())


def _miss(row: CompiledRow, c: Configuration, law: CompiledLaw, failed: tuple[Expr, ...], bound: Context) -> Miss:
    binders = row.row.binders
    whole = tuple(t for e in row.row.guard + row.row.where if _worth_saying(e) and (t := short(e, binders)))
    said = tuple((short(e, binders), how_much(e, bound, binders)) for e in failed)
    return Miss(row.id, state_names(law, c), whole, said, _clause(row), row.level)


def _worth_saying(e: Expr) -> bool:
    """Flags that must be clear are left out: they say what a row is not."""
    return not (isinstance(e, Unary) and e.op == "not" and isinstance(e.x, Field)) and not (
        isinstance(e, Binary) and e.op == "==" and isinstance(e.b, Lit) and e.b.value == 0
    )


def _weight(e: Expr, bound: Context) -> float:
    core = e.x if isinstance(e, Unary) and e.op == "not" else e
    if not any(isinstance(n, Name) and n.kind == "binder" for n in walk(e)):
        return STATE_WEIGHT
    if isinstance(core, Field):
        return FLAG_WEIGHT
    if isinstance(core, Binary) and core.op == "or":
        return FLAG_WEIGHT / 2
    if isinstance(core, Binary) and isinstance(core.b, Lit) and isinstance(core.b.value, str | bool):
        return FLAG_WEIGHT
    if isinstance(core, Binary) and core.op in ("==", "<=", ">=", "<", ">"):
        a, b = evaluate(core.a, bound), evaluate(core.b, bound)
        if isinstance(a, int) and isinstance(b, int):
            return NUMBER_WEIGHT + min(abs(a - b), 1 << 20) / (1 << 21)
    return NUMBER_WEIGHT * 1.5


def _clause(row: CompiledRow) -> str:
    return row.row.clauses[0] if row.row.clauses else ""


# --- silences ----------------------------------------------------------------------------------------------------------


def of_silence(search: Search, silences: list[Silence], grade: Grade, subject: str) -> Finding:
    """The finding for something owed that did not come."""
    law = search.steps.law
    s = silences[0]
    row = law.rows[s.row]
    level, parts = row.level, [f"since {_duration(s.due - s.since)}"]
    what = f"[{row.id}]"
    if s.debt is not None:
        debt = law.debts[s.debt.index].debt
        level = s.debt.level
        frozen = [f"{n} = {relative(law, s.configuration, v)}" for (n, _), v in zip(debt.params, s.debt.args, strict=True)]
        parts += frozen
        whole = tuple(short(e, (debt.binder,)) for e in debt.where)
        what = f"{debt.message} with {' and '.join(whole)}" if whole else debt.message
    elif row.row.role == "output":
        what = row.row.event
    reply = next((r for r in s.configuration.replies if r.row == s.row), None)
    if s.debt is None and reply is not None:
        what = reply.message
    miss = Miss(row.id, state_names(law, s.configuration), (what,), ((what, ", ".join(parts)),), _clause(row), level)
    return Finding(
        grade, _clause(row), level, row.id, 0, s.due, f"{subject} did not send  {what} ({', '.join(parts)})", (miss,),
        state_text(law, s.configuration, []), len(silences), QUESTION,
    )  # fmt: skip


# --- words -------------------------------------------------------------------------------------------------------------


def short(e: Expr, binders: Iterable[str]) -> str:
    """A conjunct as law text without the message's name in front of its fields."""
    said = text(e)
    for b in binders:
        said = re.sub(rf"\b{re.escape(b)}\.", "", said)
    return said


def how_much(e: Expr, bound: Context, binders: Iterable[str]) -> str:
    """By how much a conjunct does not hold."""
    core, flipped = (e.x, True) if isinstance(e, Unary) and e.op == "not" else (e, False)
    match core:
        case Field(name=name) if not isinstance(evaluate(core, bound), int) or isinstance(evaluate(core, bound), bool):
            return f"{name} is set" if flipped else f"{name} is not set"
        case Binary(op="or", a=a, b=b) if not flipped:
            return f"{how_much(a, bound, binders)}, and {how_much(b, bound, binders)}"
        case Binary(op="and", a=a, b=b) if not flipped:
            return next(how_much(x, bound, binders) for x in (a, b) if not evaluate(x, bound))
        case Binary(op=op, a=a, b=b) if op in ("==", "!=", "<", "<=", ">", ">="):
            left, right = evaluate(a, bound), evaluate(b, bound)
            return _difference(short(a, binders), left, right)
        case Window(x=x, base=base, length=length):
            value, low, size = (evaluate(y, bound) for y in (x, base, length))
            where = f"{low - value} before" if value < low else f"{value - low - size + 1} beyond"
            return f"{short(x, binders)} is {where} a window of {size}"
        case Member(x=x):
            return f"{short(x, binders)} is {_shown(evaluate(x, bound))}"
    return "holds" if flipped else "does not hold"


def _difference(what: str, left: Any, right: Any) -> str:
    if isinstance(left, bool) or isinstance(right, bool):
        return f"{what} is {'set' if left else 'not set'}"
    if isinstance(left, int) and isinstance(right, int) and left != right and min(abs(left), abs(right)) > 0:
        return f"{what} is {abs(left - right)} too {'high' if left > right else 'low'}"
    return f"{what} is {_shown(left)}"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:8].hex() + ("…" if len(value) > 8 else "")
    return "none" if value is None else str(value)


def _duration(us: int) -> str:
    return f"{us / 1e6:g} s" if us >= 1_000_000 else f"{us / 1e3:g} ms"


def state_names(law: CompiledLaw, c: Configuration) -> str:
    """The control state."""
    return ", ".join(getattr(c, attribute(r.name)) for r in law.regions)


def relative(law: CompiledLaw, c: Configuration, value: Any, space: str = "", prefer: Iterable[str] = ()) -> str:
    """A sequence number as the nearest variable plus a distance; other values as they are."""
    if isinstance(value, bool) or not isinstance(value, int):
        return _shown(value)
    best: tuple[int, int, str] | None = None
    wanted = set(prefer)
    for n, (name, v) in enumerate(law.machine.variables.items()):
        if v.type.kind == "seq" and not v.family and v.kind in ("var", "ghost") and space in ("", v.type.name):
            distance = abs(value - getattr(c, attribute(name)))
            rank = (distance if distance > 1 << 16 else 0 if name in wanted else 1 + distance, n, name)
            best = min(best, rank) if best is not None else rank
    if best is None or best[0] > 1 << 30:
        return str(value)
    offset = value - getattr(c, attribute(best[2]))
    return best[2] if not offset else f"{best[2]} {'+' if offset > 0 else '-'} {abs(offset)}"


def describe(law: CompiledLaw, c: Configuration, event: Event, used: list[Expr]) -> str:
    """A message in relative terms: its flags, then what is not zero."""
    o, parts, flags = event.message, [], []
    compared = {n: names(e, "var") for e in used for n in _fields(e)}
    for name, f in law.machine.messages[event.kind].fields.items():
        value = getattr(o, name, None)
        if isinstance(value, bool):
            flags += [name.upper().removesuffix("F") if name == "ackf" else name.upper()] if value else []
        elif f.type.kind == "seq":
            space = "tx" if f.type.name == "sender" else "rx" if f.type.name == "receiver" else f.type.name
            parts.append(f"{name} = {relative(law, c, value, space, compared.get(name, ()))}" if value else "")
        elif value or name in compared:
            parts.append(f"{name} {_shown(value)}" if isinstance(value, int | str) else f"{name} = {_shown(value)}")
    head = [event.kind] if len(law.machine.messages) > 1 else []
    return "  ".join([*head, *flags, *(p for p in parts if p)])


def _fields(e: Expr) -> set[str]:
    return {n.name for n in walk(e) if isinstance(n, Field)}


def state_text(law: CompiledLaw, c: Configuration, used: list[Expr]) -> str:
    """A configuration in words: its states and the variables that the failing conjuncts read."""
    wanted = {n for e in used for n in names(e, "var")}
    first: dict[str, str] = {}
    parts = [state_names(law, c)]
    for name, v in law.machine.variables.items():
        if v.family or v.kind not in ("var", "ghost"):
            continue
        value = getattr(c, attribute(name))
        if v.type.kind == "seq":
            anchor = first.setdefault(v.type.name, name)
            if name in wanted and anchor != name:
                offset = value - getattr(c, attribute(anchor))
                parts.append(f"{name} = {anchor} {'+' if offset >= 0 else '-'} {abs(offset)}")
        elif name in wanted:
            parts.append(f"{name} = {_shown(value)}")
    return ", ".join(parts)


def render(finding: Finding, titles: Mapping[str, str] | None = None, witness: str = "") -> str:
    """The block of text that can be pasted into a bug report. `titles` gives the sentence of each clause."""
    clause = _clause_text(finding.clause)
    title = (titles or {}).get(finding.clause, "")
    lines = [f"{clause}, {finding.level}" + (f": {title}" if title else ""), f"  observed   {finding.observed}"]
    width = max((len(f"[{m.row}] {m.state}") for m in finding.nearest), default=0)
    for n, miss in enumerate(finding.nearest):
        head = "  allowed    " if n == 0 else " " * 13
        row = f"[{miss.row}] {miss.state}".ljust(width)
        if miss.gate:
            allowed = f"if gate [{miss.gate}] agrees: {', '.join(miss.conjuncts)}"
        else:
            allowed = ", ".join(miss.conjuncts)
        why = "; ".join(dict.fromkeys(w for _, w in miss.failed))
        said = "does not hold" if n == 0 else "nor this"
        lines.append(f"{head}{row}   {allowed}   <- {said}: {why}")
    if finding.configuration:
        agree = f"all {finding.possible} possible configurations agree" if finding.possible > 1 else "the only possible configuration"
        lines.append(f"  in         {finding.configuration} ({agree})")
    if witness:
        lines.append(f"  witness    {witness}   replay: wirelaw replay {witness}")
    if finding.question and finding.grade >= Grade.INCONCLUSIVE:
        lines.append(f"  which      {finding.question}")
    return "\n".join(lines)


def _clause_text(clause: str) -> str:
    """`rfc9293:3.10.7.4/first` as `RFC 9293 3.10.7.4 first`."""
    source, _, place = clause.partition(":")
    name = re.sub(r"^rfc(\d+)$", r"RFC \1", source)
    return f"{name} {place.replace('/', ' ')}".strip() or "no clause"
