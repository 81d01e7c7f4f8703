"""Tiny tables pin the meaning of the language: interpreter and generated code give exactly the outputs their traces expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tables import Case, Driver, GeneratedDriver, InterpreterDriver, TinyTable, parse_trace, play, tiny_names, tiny_table, without
from wirelaw.spec.language.diagnostics import LawError

DRIVERS: list[Callable[..., Driver]] = [InterpreterDriver, GeneratedDriver]
RUNS = [(name, case) for name in tiny_names() for case in tiny_table(name).cases if case.kind == "run"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("name", "case"), RUNS, ids=[f"{n}: {c.title}" for n, c in RUNS])
def test_run(name: str, case: Case, driver: Callable[..., Driver]) -> None:
    table = tiny_table(name)
    assert play(driver(table.machine, table.profile), case) == []


@pytest.mark.parametrize("name", tiny_names())
def test_each_row_matters(name: str) -> None:
    """Without any one of its rows a table behaves differently on its own traces, or cannot be generated."""
    table = tiny_table(name)
    idle = [row.id for row in table.machine.rows() if row.id not in UNOBSERVED and not _differs(table, row.id)]
    assert idle == []


# Rows that only the judge's traces need: a side the profile does not take, what we may send and never do, or silence that a
# missing row would be as well.
UNOBSERVED = {"extra", "old", "reset", "epoch", "hint", "silently", "over"}


def _differs(table: TinyTable, row: str) -> bool:
    machine = without(table.machine, row)
    profile = replace(table.profile, order=tuple(x for x in table.profile.order if x != row))
    for driver in DRIVERS:
        try:
            if any(play(driver(machine, profile), case) for case in table.cases if case.kind == "run"):
                continue
        except LawError:
            continue
        return False
    return True


def test_trace_format() -> None:
    (case,) = parse_trace("reject [a.b] @tiny:x at 3 late\n  40ms < seg(len=0x10, syn, set={1,2}) # comment\n  > tell gone(1, none)\n")
    assert (case.kind, case.row, case.clause, case.at, case.title) == ("reject", "a.b", "tiny:x", 3, "late")
    assert (case.steps[0].at, case.steps[0].values) == (40_000, {"len": 16, "syn": True, "set": (1, 2)})
    assert (case.steps[1].name, case.steps[1].args) == ("tell gone", (1, None))


@pytest.mark.parametrize("text", ["0ms < x()", "run a\n what"])
def test_trace_with_a_mistake_names_its_line(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        parse_trace(text)
