"""Why nothing explains an observation: the nearest rows, in the words of the law.

Over every configuration and every number of inputs consumed, each output row of the state is asked which conjuncts fail.
Flags weigh before numbers: a segment with RST is never a failed acknowledgment. Ties go to the smallest number of inputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow, attribute
from wirelaw.oracle.engine.search import BudgetError, Search, Silence
from wirelaw.oracle.engine.steps import ANY_ACT, NO_ACT, Event
from wirelaw.oracle.engine.verdict import Finding, Grade, Known, Miss
from wirelaw.oracle.engine.wording import context, describe, difference, duration, how_much, relative, short, shown, state_names, state_text
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Name, Unary, walk

NEAREST = 3
CONFIGURATIONS = 128
FLAG_WEIGHT, STATE_WEIGHT, KIND_WEIGHT, NUMBER_WEIGHT = 10.0, 4.0, 6.0, 1.0
GATE_WEIGHT = 0.05  # a row that only a gate refuses is nearer than any other
ELSEWHERE_ONLY_WEIGHT, ELSEWHERE_WEIGHT = 1.4, 12.0
FIT_WEIGHT = 0.001  # among equals, the row of which most holds
SHOWN_CONJUNCTS = 4
QUESTION = "a missing row, an observer effect, a slack of this stack, or a bug?"
_GRADES = {"note": Grade.NOTE, "warn": Grade.WARN, "known": Grade.WARN, "fail": Grade.FAIL, "inconclusive": Grade.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class _Candidate:
    weight: float
    depth: int
    configuration: Configuration
    miss: Miss
    row: CompiledRow
    failed: tuple[Expr, ...]
    is_elsewhere: bool = False


def remarks(law: CompiledLaw, c: Configuration) -> list[Finding]:
    """What a possible configuration had to be forgiven, oldest first."""
    found: list[Finding] = []
    told: set[tuple[str, str, int]] = set()  # one cause in several tables is one finding
    at = c.remarks
    while at is not None:
        at, (grade, index, number, time, note) = at
        row = law.every[index] if index >= 0 else None
        if row is None:
            found.append(Finding(Grade.NOTE, "", "MAY", "", number, time, note))
            continue
        d = row.deviation
        known = Known(d.peer, d.name, d.reason) if d is not None and grade == "known" else None
        if known is not None and number:
            if (known.peer, known.name, number) in told:
                continue
            told.add((known.peer, known.name, number))
        found.append(
            Finding(_GRADES.get(grade, Grade.NOTE), row.clause(), row.level, row.id, number, time, note, clauses=row.cited, known=known)
        )
    return found[::-1]


# --- outputs -----------------------------------------------------------------------------------------------------------


def of_output(search: Search, frontier: list[Configuration], event: Event, grade: Grade, subject: str) -> Finding:
    """The finding for an output that nothing explains."""
    law = search.steps.law
    candidates: list[_Candidate] = []
    possible = 0
    for depth, c in _reachable(search, frontier, event):
        possible += depth == 0
        candidates += _candidates(search, c, event, depth)
    if any(x.row.row.mode == "urgent" and not x.is_elsewhere for x in candidates):  # it had to come first
        candidates = [x for x in candidates if not x.is_elsewhere]
    candidates.sort(key=lambda x: (x.weight, x.depth))
    chosen: list[_Candidate] = []
    for x in candidates:
        if all(x.miss.row != y.miss.row for y in chosen):
            chosen.append(x)
    best = chosen[0] if chosen else None
    c = best.configuration if best else frontier[0]
    used = [e for x in chosen[:NEAREST] for e in x.failed]
    row = best.row if best else None
    about = row.row.guard + row.row.where if row else ()
    observed = f"{subject} sent  {describe(law, c, event.kind, event.message, about, best.failed if best else ())}"
    return Finding(
        grade, best.miss.clause if best else "", best.miss.level if best else "MUST", best.miss.gate or row.id if best and row else "",
        event.number, event.time, observed, tuple(x.miss for x in chosen[:NEAREST]), state_text(law, c, used), possible, QUESTION,
        best.miss.clauses if best else (),
    )  # fmt: skip


def _reachable(search: Search, frontier: list[Configuration], event: Event) -> Iterator[tuple[int, Configuration]]:
    """Configurations with the number of inputs consumed on the way, the first and the last ones of a long queue."""
    search.steps.count = 0
    for c in frontier:
        try:
            reached = search.sweep([c.copy()], event, None, ANY_ACT if search.environment.hidden else NO_ACT)
        except BudgetError:
            reached = [c]
        some = reached if len(reached) <= CONFIGURATIONS else reached[: CONFIGURATIONS // 2] + reached[-CONFIGURATIONS // 2 :]
        yield from ((d.next - c.next, d) for d in some)


def _candidates(search: Search, c: Configuration, event: Event, depth: int) -> Iterator[_Candidate]:
    steps, law = search.steps, search.steps.law
    if c.replies:
        yield from _reply_candidates(search, c, event, depth)
        if not all(steps.optional(r) for r in c.replies):
            return
    lineage = law.machine.messages[event.kind].lineage
    for row in law.emissions:
        if row.row.event not in lineage:
            continue
        i = _sender(search, c, row, event)
        bound = context(law, c, i, {row.row.binders[0]: event.message}, event.time)
        whole = law.machine.visible(row.row.guard + row.row.where)
        failed = tuple(e for e in whole if not evaluate(e, bound))
        weight = sum(_weight(e, bound) for e in failed) - FIT_WEIGHT * (len(whole) - len(failed))
        if not steps.in_states(row, c, i):
            yield _elsewhere(row, c, i, law, failed, bound, weight, depth)
            continue
        refusals = list(_refusals(search, c, event, depth, row, steps.gates_for(c, event.kind), i))
        if failed:
            yield _Candidate(weight, depth, c, _miss(row, c, law, failed, bound), row, failed)
            about = {n for e in failed for n in _fields(e)}  # what a gate governs is the gate's to blame
            yield from (replace(x, weight=weight - FIT_WEIGHT) for x in refusals if about <= {n for e in x.failed for n in _fields(e)})
        else:
            yield from refusals
    if not any(r.row.event in lineage for r in law.emissions):
        yield from _other_kinds(search, c, event, depth)


def _sender(search: Search, c: Configuration, row: CompiledRow, event: Event) -> Any:
    """The member whose output of `row` this comes nearest to; None for a row of no family."""
    steps, found = search.steps, None
    for i in steps.senders(c, row, event.message):
        found = i
        if i is None or steps.in_states(row, c, i):
            return i
    return found if found is not None else steps.member(c, row.row.family, None)


def _elsewhere(
    row: CompiledRow, c: Configuration, i: object, law: CompiledLaw, failed: tuple[Expr, ...], bound: Context, weight: float, depth: int
) -> _Candidate:  # fmt: skip
    """A row of another state: a good explanation only when nothing else is wrong with it."""
    region = law.machine.regions[row.row.region]
    states = " | ".join(s.name for s in region.states if s.name in row.row.states)
    miss = _miss(row, c, law, failed, bound)
    now = getattr(i if region.family else c, attribute(region.name))
    said = ((f"in {states}", f"the state is {now}"), *miss.failed)
    weight += ELSEWHERE_WEIGHT if failed else ELSEWHERE_ONLY_WEIGHT
    return _Candidate(weight, depth, c, replace(miss, state=states, failed=said), row, failed, True)


def _other_kinds(search: Search, c: Configuration, event: Event, depth: int) -> Iterator[_Candidate]:
    steps, law = search.steps, search.steps.law
    for row in law.emissions:
        if not row.row.family and steps.in_states(row, c, None):
            said = ((row.row.event, f"{event.kind} was sent"),)
            miss = Miss(row.id, state_names(law, c), (row.row.event,), said, row.clause(), row.level, clauses=row.cited)
            yield _Candidate(KIND_WEIGHT * FLAG_WEIGHT, depth, c, miss, row, ())


def _fields(e: Expr) -> set[str]:
    return {n.name for n in walk(e) if isinstance(n, Field)}


def _refusals(
    search: Search, c: Configuration, event: Event, depth: int, row: CompiledRow, gates: Iterable[CompiledRow], i: Any = None
) -> Iterator[_Candidate]:
    """A candidate for each gate that refuses; what several refuse is as far off as all of them together."""
    steps, law = search.steps, search.steps.law
    found: list[tuple[CompiledRow, tuple[Expr, ...], Context, float]] = []
    for g in gates:
        if not steps.binds(g, i):
            continue
        if g.level not in ("MUST", "MUST_NOT") or not steps.in_states(g, c, i) or not g.guard(c, i, event.message, event.time):
            continue
        bound = context(law, c, i, {g.row.binders[0]: event.message}, event.time)
        failed = tuple(e for e in law.machine.visible(g.row.where) if not evaluate(e, bound))
        if failed:
            found.append((g, failed, bound, sum(_weight(e, bound) for e in failed) * GATE_WEIGHT))
    total = sum(weight for *_, weight in found)
    for g, failed, bound, weight in found:
        said = tuple((short(e, g.row.binders), how_much(law, c, e, bound, g.row.binders)) for e in failed)
        miss = Miss(row.id, state_names(law, c), _shown_conjuncts(g, failed), said, g.clause(), g.level, g.id, g.cited)
        yield _Candidate(total + weight * FIT_WEIGHT, depth, c, miss, g, failed)


def _reply_candidates(search: Search, c: Configuration, event: Event, depth: int) -> Iterator[_Candidate]:
    law, reply = search.steps.law, c.replies[0]
    row = law.every[reply.row]
    said: list[tuple[str, str]] = []
    weight = 0.0
    if reply.message not in law.machine.messages[event.kind].lineage:
        said = [(reply.message, f"{event.kind} was sent")]
        weight += KIND_WEIGHT
    for n, v in reply.fields.items():
        if not said or hasattr(event.message, n):
            seen = getattr(event.message, n, None)
            if seen != v:
                said.append((f"{n} == {shown(v)}", difference(n, seen, v)))
                weight += FLAG_WEIGHT if isinstance(v, bool) else NUMBER_WEIGHT
    if not said:
        yield from _refusals(search, c, event, depth, row, search.steps.gates_on_replies(event.kind))
        return
    whole = tuple(f"{n} == {shown(v)}" for n, v in reply.fields.items() if v) or (reply.message,)
    miss = Miss(row.id, state_names(law, c), whole, tuple(said), row.clause(), row.level, clauses=row.cited)
    yield _Candidate(weight, depth, c, miss, row, ())


def _miss(row: CompiledRow, c: Configuration, law: CompiledLaw, failed: tuple[Expr, ...], bound: Context) -> Miss:
    said = tuple((short(e, row.row.binders), how_much(law, c, e, bound, row.row.binders)) for e in failed)
    return Miss(row.id, state_names(law, c), _shown_conjuncts(row, failed), said, row.clause(), row.level, clauses=row.cited)


def _shown_conjuncts(row: CompiledRow, failed: tuple[Expr, ...]) -> tuple[str, ...]:
    """The failing conjuncts, and as many of the others as say what the row is for, in the row's order."""
    whole = row.row.guard + row.row.where if row.row.role != "gate" else row.row.where
    others = [e for e in whole if e not in failed and _says_something(e)][: max(SHOWN_CONJUNCTS - len(failed), 0)]
    return tuple(short(e, row.row.binders) for e in whole if e in failed or e in others)


def _says_something(e: Expr) -> bool:
    """Flags and lengths that must be zero say what a row is not; state alone is not about the message."""
    is_zero = isinstance(e, Binary) and e.op == "==" and isinstance(e.b, Lit) and e.b.value == 0
    is_clear = isinstance(e, Unary) and e.op == "not" and isinstance(e.x, Field)
    return not is_zero and not is_clear and any(isinstance(n, Field) for n in walk(e))


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


# --- silences ----------------------------------------------------------------------------------------------------------


def of_silence(search: Search, silences: list[Silence], grade: Grade, subject: str) -> Finding:
    """The finding for something owed that did not come."""
    law = search.steps.law
    s = silences[0]
    row = law.every[s.row]
    level, parts = row.level, [f"not within {duration(s.due - s.since)}"]
    what = f"[{row.id}]"
    if s.debt is not None:
        debt = law.debts[s.debt.which].debt
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
    clause = row.clause(level)
    miss = Miss(row.id, state_names(law, s.configuration), (what,), ((what, ", ".join(parts)),), clause, level, clauses=row.cited)
    return Finding(
        grade, clause, level, row.id, 0, s.due, f"{subject} did not send  {what} ({', '.join(parts)})", (miss,),
        state_text(law, s.configuration, []), len(silences), QUESTION, row.cited,
    )  # fmt: skip


# --- the block of text -------------------------------------------------------------------------------------------------


def render(finding: Finding, titles: Mapping[str, str] | None = None, witness: str = "", place: str = "") -> str:
    """The block of text that can be pasted into a bug report.

    `titles` gives the sentence of each clause, `place` says where in the capture it is.
    """
    clause = clause_text(finding.clause)
    title = (titles or {}).get(finding.clause, "")
    lines = [f"{clause}, {finding.level}" + (f": {title}" if title else "")]
    lines += [f"  at         {place}"] if place else []
    lines += [f"  observed   {finding.observed}"]
    width = max((len(f"[{m.row}] {m.state}") for m in finding.nearest), default=0)
    for n, miss in enumerate(finding.nearest):
        head = "  allowed    " if n == 0 else " " * 13
        row = f"[{miss.row}] {miss.state}".ljust(width)
        allowed = ", ".join(miss.conjuncts)
        if miss.gate:
            allowed = f"if gate [{miss.gate}] agrees: {allowed}"
        why = "; ".join(dict.fromkeys(w for _, w in miss.failed))
        said = "nor this" if n else "owed" if why.startswith("not within") else "does not hold"
        lines.append(f"{head}{row}   {allowed}   <- {said}: {why}")
    if finding.known is not None:
        lines.append(f"  known      {finding.known}" + (f": {r}" if (r := finding.known.reason) != finding.observed else ""))
    if finding.configuration:
        agree = f"all {finding.possible} possible configurations agree" if finding.possible > 1 else "the only possible configuration"
        lines.append(f"  in         {finding.configuration} ({agree})")
    if witness:
        lines.append(f"  witness    {witness}   replay: wirelaw replay {witness}")
    if finding.question and finding.grade >= Grade.INCONCLUSIVE:
        lines.append(f"  which      {finding.question}")
    return "\n".join(lines)


def as_data(finding: Finding, levels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The finding as plain data for JSON. `packet` is null and `time_us` a deadline where something was missing.

    `clauses` are all that the row, gate or debt cites; where the row states no level it is that of `levels`, or null.
    """
    known = levels or {}
    return {
        "grade": str(finding.grade).lower(), "clause": finding.clause, "level": finding.level, "clauses": _pairs(finding.clauses, known),
        "row": finding.row, "packet": finding.number or None, "time_us": finding.time, "observed": finding.observed,
        "expected": [
            {
                "row": m.row, "state": m.state, "allowed": list(m.conjuncts),
                "failed": [{"condition": condition, "by": by} for condition, by in m.failed],
                "clause": m.clause, "level": m.level, "clauses": _pairs(m.clauses, known), "gate": m.gate or None,
            }
            for m in finding.nearest
        ],
        "configuration": finding.configuration, "possible": finding.possible,
        "known": {"peer": k.peer, "deviation": k.name, "reason": k.reason} if (k := finding.known) is not None else None,
    }  # fmt: skip


def _pairs(clauses: tuple[tuple[str, str], ...], levels: Mapping[str, str]) -> list[dict[str, str | None]]:
    return [{"clause": clause, "level": level or levels.get(clause)} for clause, level in clauses]


def clause_text(clause: str) -> str:
    """`rfc9293:3.10.7.4/first` as `RFC 9293 3.10.7.4 first`."""
    source, _, place = clause.partition(":")
    name = re.sub(r"^rfc(\d+)$", r"RFC \1", source)
    return f"{name} {place.replace('/', ' ')}".strip() or "no clause"
