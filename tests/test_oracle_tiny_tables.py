"""The tiny tables that fix the meaning of the language, read by the oracle: what it must accept and what it must refuse."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from tables import Case, InterpreterDriver, TinyTable, tiny_names, tiny_table
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Judge, Observed
from wirelaw.oracle.engine.mutate import feed
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Finding, Grade

ENVIRONMENT = Environment(lag=0, swap=0, losses=0)


@cache
def compiled(name: str) -> CompiledLaw:
    return compile_law(tiny_table(name).machine)


def cases(*kinds: str) -> list[pytest.param]:  # type: ignore[valid-type]
    return [
        pytest.param(name, case, id=f"{name}: {case.title}")
        for name in tiny_names()
        for case in tiny_table(name).cases
        if case.kind in kinds
    ]


def unwrapped(table: TinyTable, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Sequence numbers as an adapter gives them: the integer nearest to 2^32 that is congruent."""
    fields = table.machine.messages[name].fields
    return {n: (v + (1 << 31)) % (1 << 32) + (1 << 31) if fields[n].type.kind == "seq" else v for n, v in values.items() if n in fields}


def judge_case(name: str, case: Case) -> tuple[Judge, Finding | None, int]:
    """The judge after the case, its first failure, and the step (from 1) at which it came."""
    table = tiny_table(name)
    driver = InterpreterDriver(table.machine, table.profile)
    judge = Judge(compiled(name), environment=ENVIRONMENT)
    number = 0
    for step in case.steps:
        finding = None
        if step.op not in ("<", "<<", ">", "!", ".") or step.name.startswith("tell ") or step.name in ("refused", "error"):
            continue
        number += 1
        if step.op in ("<", "<<", ">"):
            made = driver.message(step.name, {**step.values, **unwrapped(table, step.name, step.values)})
            finding = feed(judge, Observed(step.name, made, step.at, number, step.op == ">"))
        else:
            finding = judge.advance(step.at)
        if finding is not None or judge.ended:
            return judge, finding, number
    judge.finish()
    return judge, None, number


@pytest.mark.parametrize(("name", "case"), cases("run", "accept"))
def test_accepts(name: str, case: Case) -> None:
    if any(s.op == ">" and s.name == "error" for s in case.steps):
        pytest.skip("the case is about an error of the table")
    if any(s.op == "<<" for s in case.steps) and any(r.mode == "urgent" for r in tiny_table(name).machine.emissions):
        pytest.skip("a batch of inputs: urgent rows send before the next input, so no batch is observed")
    judge, finding, _ = judge_case(name, case)
    assert finding is None, render(finding)
    assert judge.verdict().grade <= Grade.NOTE, judge.verdict()


@pytest.mark.parametrize(("name", "case"), cases("reject"))
def test_rejects_with_its_row_and_clause(name: str, case: Case) -> None:
    judge, finding, step = judge_case(name, case)
    if finding is None:
        finding = next((f for f in judge.verdict().findings if f.grade >= Grade.WARN), None)
        step = finding.number if finding and finding.number else step
    assert finding is not None, f"nothing refused in {name}: {case.title}"
    said = render(finding)
    if case.at:
        assert step == case.at, said
    if case.row:
        assert case.row in (finding.row, *(m.row for m in finding.nearest[:1]), *(m.gate for m in finding.nearest[:1])), said
    if case.clause:
        assert finding.clause == case.clause, said


@pytest.mark.parametrize(
    ("title", "grade", "noted"),
    [
        ("an answer, then giving up", Grade.PASS, []),
        ("giving up with nothing read", Grade.PASS, []),
        ("giving up while an input waits", Grade.NOTE, [("give.up", "while 1 input waited")]),
        ("giving up in silence, then saying so", Grade.NOTE, [("silently", "while 1 input waited")]),
    ],
)
def test_what_may_happen_at_any_time_is_noted_while_inputs_wait(title: str, grade: Grade, noted: list[tuple[str, str]]) -> None:
    case = next(c for c in tiny_table("26_anytime").cases if c.title == title)
    judge, finding, _ = judge_case("26_anytime", case)
    assert finding is None
    verdict = judge.verdict()
    assert [(f.row, f.observed) for f in verdict.findings] == noted
    assert verdict.grade == grade
