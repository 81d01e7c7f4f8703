"""The corruptor: legal outputs made illegal by negating one conjunct of the row or gate that explained them.

Each corruption carries its clause from birth, so it needs no expectation: it tests the oracle (is it caught, and is the right
row named?), and a tester sends it to see whether a peer notices. A corruption may still be legal by another row; then
`Outcome.is_absorbed` says so, and it tests nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from wirelaw.oracle.engine.configuration import Configuration
from wirelaw.oracle.engine.judge import Judge, Observed
from wirelaw.oracle.engine.reading import CompiledLaw, CompiledRow
from wirelaw.oracle.engine.steps import Event, Match, Steps
from wirelaw.oracle.engine.verdict import Finding, Grade
from wirelaw.oracle.engine.wording import context, short
from wirelaw.spec.language import model as m
from wirelaw.spec.language.evaluate import Context, evaluate
from wirelaw.spec.language.expressions import Binary, Expr, Field, Lit, Member, Name, SetLit, Window, walk

FAR_OFF = 1 << 20


@dataclass(frozen=True, slots=True)
class Corruption:
    """An illegal variant of an output. `changed` maps fields to (old, new); `row` is the row or gate whose `conjunct` fails."""

    row: str
    clause: str
    level: str
    conjunct: str
    changed: tuple[tuple[str, Any, Any], ...]
    message: Any

    def __str__(self) -> str:
        edits = ", ".join(f"{n}: {a} -> {b}" for n, a, b in self.changed)
        return f"[{self.row}] not ({self.conjunct}): {edits}"


def with_fields(message: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a message (dataclass, named tuple or namespace) with other field values."""
    if dataclasses.is_dataclass(message) and not isinstance(message, type):
        return dataclasses.replace(message, **values)
    if hasattr(message, "_replace"):
        return message._replace(**values)
    made = SimpleNamespace(**vars(message))
    made.__dict__.update(values)
    return made


def corruptions(law: CompiledLaw, c: Configuration, match: Match, event: Event) -> Iterator[Corruption]:
    """One corruption for each visible conjunct about the message, of the row and of the gates in scope, that has a mutator.

    Of a reply, those of the gates: its fields are the row's, and not for a judge to take apart.
    """
    rows = (*(() if match.is_reply else (match.row,)), *(g for g, _ in match.gates))
    whole = [(row, e) for row in rows for e in law.machine.visible(row.row.where) if any(isinstance(n, Field) for n in walk(e))]
    for row, e in whole:
        found = _negate(law, e, row, [pair for pair in whole if pair[1] is not e], c, event)
        if found is not None:
            yield found


def _negate(
    law: CompiledLaw, e: Expr, row: CompiledRow, others: list[tuple[CompiledRow, Expr]], c: Configuration, event: Event
) -> Corruption | None:
    """One edit that makes `e` false, best one that leaves all the `others` true."""
    binder = row.row.binders[0]

    def holds(r: CompiledRow, x: Expr, message: Any) -> bool:
        return bool(evaluate(x, context(law, c, None, {r.row.binders[0]: message}, event.time)))

    bound = context(law, c, None, {binder: event.message}, event.time)
    fields = law.machine.messages[event.kind].fields
    named = dict.fromkeys(n.name for n in walk(e) if isinstance(n, Field) and isinstance(n.base, Name) and n.base.name == binder)
    found: Corruption | None = None
    for name in (n for n in named if n in fields):
        old = getattr(event.message, name)
        for new in _values(e, name, old, fields[name], bound, law.machine):
            changed = with_fields(event.message, {name: new})
            if new == old or holds(row, e, changed):
                continue
            made = Corruption(row.id, row.clause(), row.level, short(e, (binder,)), ((name, old, new),), changed)
            if all(holds(r, x, changed) for r, x in others):
                return made
            found = found or made
    return found


def _values(e: Expr, name: str, old: Any, f: m.MessageField, bound: Context, machine: m.Machine) -> Iterator[Any]:
    """Values that may falsify `e`, nearest to the legal one first, by the shape of the conjunct."""
    if isinstance(old, bool):
        yield not old
        return
    if f.type.kind == "enum":
        yield from machine.enums[f.type.name]
        return
    if not isinstance(old, int):
        if isinstance(e, Member) and isinstance(e.set, SetLit):
            yield None
        return
    bits = f.type.bits if f.type.kind == "uint" else 64
    for value in _numbers(e, old, bound):
        if f.type.kind != "uint" or 0 <= value < 1 << bits:
            yield value


def _numbers(e: Expr, old: int, bound: Context) -> Iterator[int]:
    for node in walk(e):
        match node:
            case Window(x=x, base=base, length=length):
                value, low, size = (evaluate(y, bound) for y in (x, base, length))
                yield old + low - value - 1
                yield old + low - value + size
            case Binary(op="==" | "<=" | ">=" | "<" | ">" | "!=", a=a, b=b):
                left, right = evaluate(a, bound), evaluate(b, bound)
                if isinstance(left, int) and isinstance(right, int):
                    yield from (old + right - left + d for d in (1, -1, 0))
            case Lit(value=int() as value):
                yield from (value + 1, value - 1)
    yield from (old + 1, old - 1, 0, old + 1000, old + FAR_OFF, max(old - FAR_OFF, 0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one corruption: `finding` is the first that it provoked, None when it was absorbed (legal after all).

    `is_late`: some other row explained it, and a later observation contradicted that.
    """

    index: int
    corruption: Corruption
    finding: Finding | None
    is_late: bool

    @property
    def is_absorbed(self) -> bool:
        """Whether nothing came of it."""
        return self.finding is None

    @property
    def is_named(self) -> bool:
        """Whether the finding names the row or clause that was violated, or in the nearest row that conjunct or the altered field alone."""
        f = self.finding
        if f is None:
            return False
        conjuncts = {said for x in f.nearest[:1] for said, _ in x.failed}
        fields = "|".join(re.escape(name) for name, _, _ in self.corruption.changed)
        if conjuncts and all(re.search(rf"\b({fields})\b", said) for said in conjuncts):
            return True
        return self.corruption.row == f.row or self.corruption.clause == f.clause or self.corruption.conjunct in conjuncts


def explained(judge: Judge, seen: Observed) -> list[tuple[Configuration, Match, Event]]:
    """The explanations of an output that `judge` is about to be given; the judge is not changed."""
    trial = judge.fork()
    found: list[tuple[Configuration, Match, Event]] = []
    steps = trial.search.steps

    def emit(c: Configuration, match: Match, event: Event) -> list[Configuration]:
        found.append((c.copy(), match, event))
        return Steps.emit(steps, c, match, event)

    trial.search.emit = emit  # type: ignore[method-assign]
    trial.output(seen.kind, seen.message, seen.time, seen.number)
    return found if trial.frontier else []


def try_corruptions(judge: Judge, trace: Sequence[Observed], known_until: int | None = None, horizon: int = 50) -> Iterator[Outcome]:
    """Corrupt each output of a legal `trace` in every way its row offers, and judge what follows up to `horizon` events.

    `judge` is fresh and ends having judged the trace as it is.
    """
    for index, seen in enumerate(trace):
        if seen.is_output:
            for c, match, event in explained(judge, seen)[:1]:
                for corruption in corruptions(judge.law, c, match, event):
                    yield _outcome(judge.fork(), trace, index, corruption, horizon, known_until)
        feed(judge, seen)


def _outcome(
    judge: Judge, trace: Sequence[Observed], index: int, corruption: Corruption, horizon: int, known_until: int | None
) -> Outcome:  # fmt: skip
    known = len(judge.findings)
    feed(judge, trace[index]._replace(message=corruption.message))
    for seen in trace[index + 1 : index + 1 + horizon]:
        if judge.ended:
            break
        feed(judge, seen)
    verdict = judge.finish(known_until if index + 1 + horizon >= len(trace) else None)
    finding = next((f for f in verdict.findings[known:] if f.grade >= Grade.WARN), None)
    return Outcome(index, corruption, finding, finding is not None and finding.number != trace[index].number)


def feed(judge: Judge, seen: Observed) -> Finding | None:
    """Give one observation to a judge."""
    return (judge.output if seen.is_output else judge.input)(seen.kind, seen.message, seen.time, seen.number)


def replace_output(trace: Sequence[Observed], outcome: Outcome) -> list[Observed]:
    """The trace with that output corrupted: a witness to keep."""
    made = list(copy.copy(trace))
    made[outcome.index] = made[outcome.index]._replace(message=outcome.corruption.message)
    return made
