"""Translation validation: generated code does what the reference interpreter does, event by event, from any configuration.

Two comparisons. The corpus aims at every row of every machine that ships, and at the neighbours of each: a row that no case meets is
named, unless edition or profile exclude it. Hypothesis puts such events, and any others, into sequences, and shrinks what fails.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy
from tables import tiny_names, tiny_table, without
from translation_corpus import SUBJECTS, cases_of
from translation_run import Event, Near, Subject, difference, observe
from wirelaw.spec.language.model import Row
from wirelaw.spec.language.types import Type
from wirelaw.tools.generate import generate

DISTANCES = (0, 1, -1, 2, 1460, 65535, 2**31)
DELAYS = (0, 1, 40_000, 10**6, 10**8)


def first_event(subject: Subject, row: Row) -> Event:
    """An event that `row` is taken of."""
    return next((c.events[0] for c in cases_of(subject, row) if row.id in c.met), Event("advance"))


# --- every row ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_every_row_is_met_and_means_the_same(subject: Subject) -> None:
    met: set[str] = set()
    for row in subject.machine.rows():
        for case in cases_of(subject, row):
            found = observe(subject.generated(), case.events, subject)
            assert not (apart := difference(case.expected, found, case.events)), apart
            assert case.expected[-1].error in ("", "endless"), case.events  # endless: more than `LIMIT` outputs
            met |= case.met
    unmet = [r.id for r in subject.machine.rows() if r.id not in met and not subject.goals.excluded(r)]
    assert not unmet


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_a_row_that_is_excluded_is_in_no_other_way_met(subject: Subject) -> None:
    excluded = {r.id: why for r in subject.machine.rows() if (why := subject.goals.excluded(r))}
    met = {x for row in subject.machine.rows() for c in cases_of(subject, row) for x in c.met}
    assert not met & excluded.keys()
    never = [n for n, why in excluded.items() if f"[{n}]" in subject.text and "table before it" not in why]
    assert not never, [excluded[n] for n in never]


# --- any sequence ------------------------------------------------------------------------------------------------------


def values(subject: Subject, type_: Type) -> SearchStrategy[object]:
    """Values of a type: numbers of the guards, sequence numbers beside variables."""
    match type_.kind:
        case "bool":
            return st.booleans()
        case "seq":
            near = [n for n, v in subject.machine.variables.items() if v.type.kind == "seq"]
            return st.builds(Near, st.sampled_from(near), st.sampled_from(DISTANCES))
        case "uint":
            return st.sampled_from([x for x in subject.pool["uint"] if x < 2**type_.bits])
        case "duration" | "time":
            return st.sampled_from(DELAYS)
        case "enum":
            return st.sampled_from(subject.machine.enums[type_.name])
        case "string":
            return st.sampled_from(subject.pool["string"])
        case "set":
            return st.lists(st.sampled_from(subject.pool["string" if type_.name == "string" else "uint"]), max_size=4).map(tuple)
    return st.tuples(st.just(type_.name), st.integers(0, 8))


@st.composite
def event(draw: st.DrawFn, subject: Subject) -> Event:
    """One event: a call, an input, time that passes, or one aimed at a row, with some of its values exchanged."""
    machine = subject.machine
    kinds = [x.name for x in machine.messages.values() if x.is_kind and any(n in machine.inputs for n in x.lineage)]
    calls = [f.name for f in machine.functions.values() if f.kind == "call"]
    rows = [r for r in machine.rows() if not subject.goals.excluded(r)]
    what = draw(st.sampled_from(["advance", "aimed", *(["input"] if kinds else []), *(["call"] if calls else [])]))
    later = draw(st.sampled_from(DELAYS))
    if what == "call":
        name = draw(st.sampled_from(calls))
        return Event(what, name, {n: draw(values(subject, t)) for n, t in machine.functions[name].params}, later=later)
    made = Event(what, draw(st.sampled_from(kinds)), later=later) if what == "input" else Event("advance", later=later)
    if what == "aimed":
        made = replace(first_event(subject, draw(st.sampled_from(rows))), later=later)
    if made.what != "input":
        return made
    fields = {n: f.type for n, f in machine.messages[made.name].fields.items() if n != "kind"}
    names = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True)) if fields else []
    exchanged = {n: draw(values(subject, fields[n])) for n in names}
    return replace(made, values=subject.full(made.name, {**made.values, **exchanged}))


def check(subject: Subject, data: DataObject, most: int) -> None:
    """Compare both readings under events that `data` draws."""
    events = data.draw(st.lists(event(subject), min_size=1, max_size=most), label="events")
    left = observe(subject.reference(), events, subject)
    if left[-1].error == "several":
        return  # overlapping rows are for `wirelaw check`
    apart = difference(left, observe(subject.generated(), events, subject), events)
    note(apart)
    assert not apart


QUICK = settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@functools.cache
def tiny_subject(name: str) -> Subject:
    """One tiny table in both readings."""
    return Subject(tiny_table(name).machine, tiny_table(name).profile)


@pytest.mark.parametrize("name", tiny_names())
@QUICK
@given(data=st.data())
def test_tiny_table(name: str, data: DataObject) -> None:
    check(tiny_subject(name), data, 8)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
@settings(QUICK, max_examples=20)
@given(data=st.data())
def test_any_sequence(subject: Subject, data: DataObject) -> None:
    check(subject, data, 8)


# --- power -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "row"), [("06_gate", "g.key"), ("07_debt", "fast"), ("15_serial", "gap"), ("16_family", "over")])
def test_a_wrong_translation_is_noticed(name: str, row: str) -> None:
    """Code generated from a table that lacks a row does not pass for the whole table."""
    whole = tiny_subject(name)
    profile = replace(whole.profile, order=tuple(x for x in whole.profile.order if x != row))
    lacking = Subject(without(whole.machine, row), profile)
    assert lacking.text == generate(without(whole.machine, row), profile)
    cases = [c for r in whole.machine.rows() for c in cases_of(whole, r)]
    assert any(difference(c.expected, observe(lacking.generated(), c.events, lacking), c.events) for c in cases)


def test_what_fails_shrinks_to_few_events() -> None:
    """Hypothesis finds a lost row by itself, and prints little."""
    whole = tiny_subject("15_serial")
    lacking = Subject(without(whole.machine, "gap"), whole.profile)

    def compare(data: DataObject) -> None:
        events = data.draw(st.lists(event(whole), min_size=1, max_size=8))
        apart = difference(observe(whole.reference(), events, whole), observe(lacking.generated(), events, whole), events)
        assert not apart, apart

    with pytest.raises(AssertionError) as failure:
        settings(QUICK, max_examples=300, derandomize=True, print_blob=False)(given(st.data())(compare))()
    assert str(failure.value).count("Event(") <= 2
