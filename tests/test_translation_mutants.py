"""The comparison notices faults in generated code: of the mutants of TCP, hardly one does the same as the table."""

from __future__ import annotations

import functools
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

from translation_corpus import SUBJECTS, Case, corpus
from translation_explore import Explorer
from translation_mutants import Fault, Mutator
from translation_run import Subject, difference, observe
from wirelaw.tools.generate.naming import camel

TCP = next(s for s in SUBJECTS if s.machine.name == "tcp.connection")
SAMPLE = 32
SEED = 9293
NOTICED = 0.95  # of those that are not known to be equivalent

EQUIVALENT: dict[str, str] = {
    r": (due|now) < self\.\w+_due -> ": "a debt that falls due at the same time is set to that time",
}
"""Changes after which the code still does what the table says, by what `str` of a fault shows, and why."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """TimeoutError after so long at work: a mutant may never return."""

    def over(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def differs(subject: Subject, fault: Fault, case: Case) -> bool:
    """Whether a case tells a mutant from the table."""
    try:
        with patience(1):
            return bool(difference(case.expected, observe(subject.generated(fault.class_), case.events, subject), case.events))
    except Exception:
        return True


@functools.cache
def reaching(subject: Subject) -> dict[str, list[Case]]:
    """The cases that run each function of the generated code, in any order; those of "" are all."""
    explorer = Explorer(subject)
    cases = list(corpus(subject))
    Random(SEED).shuffle(cases)
    found: dict[str, list[Case]] = {"": cases, "__init__": cases}
    for case in cases:
        explorer.run(case.events)
        for name in explorer.coverage.names():
            found.setdefault(name, []).append(case)
    return found


def survivors(subject: Subject, count: int, seed: int) -> list[str]:
    """Mutants that every case takes for the table."""
    mutator = Mutator(subject.text, camel(subject.machine.name), subject.module)
    left = []
    for fault in mutator.sample(count, seed):
        with mock.patch.dict(subject.module.__dict__, fault.globals):
            if not any(differs(subject, fault, c) for c in reaching(subject).get(fault.function, [])):
                left.append(str(fault))
    return left


def known(fault: str) -> bool:
    """Whether a mutant is one that does the same."""
    return any(re.search(pattern, fault) for pattern in EQUIVALENT)


def test_mutants_are_noticed() -> None:
    left = survivors(TCP, SAMPLE, SEED)
    gaps = [x for x in left if not known(x)]
    assert len(gaps) <= (SAMPLE - len(left) + len(gaps)) * (1 - NOTICED), "\n".join(["not noticed:", *gaps])
