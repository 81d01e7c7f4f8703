"""The comparison notices faults in generated code: of the mutants of TCP, hardly one does the same as the table."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from translation_corpus import SUBJECTS, Case, cases_of
from translation_mutants import Mutator
from translation_run import Subject, difference, observe
from wirelaw.tools.generate.naming import camel

TCP = next(s for s in SUBJECTS if s.machine.name == "tcp.connection")
SAMPLE = 32
SEED = 9293
NOTICED = 0.75  # the rest do the same as the table does, or show at a boundary of another condition only


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """TimeoutError after so long: a mutant may never return."""

    def over(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def noticed(subject: Subject, mutant: type, cases: list[Case]) -> bool:
    """Whether some case tells `mutant` from the table."""
    try:
        with patience(10):
            return any(difference(c.expected, observe(subject.generated(mutant), c.events, subject), c.events) for c in cases)
    except Exception:
        return True


def survivors(subject: Subject, count: int, seed: int) -> list[str]:
    """Mutants that every case takes for the table."""
    mutator = Mutator(subject.text, camel(subject.machine.name), subject.module)
    cases = [c for row in subject.machine.rows() for c in cases_of(subject, row)]
    return [what for what, mutant in mutator.sample(count, seed) if not noticed(subject, mutant, cases)]


def test_mutants_are_noticed() -> None:
    left = survivors(TCP, SAMPLE, SEED)
    assert len(left) <= SAMPLE * (1 - NOTICED), "\n".join(["not noticed:", *left])
