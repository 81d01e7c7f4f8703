"""The comparison notices faults in generated code: most mutants of TCP do something else than the table in some case."""

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
from translation_mutants import Fault, Mutator
from translation_run import Subject, difference, observe
from wirelaw.tools.generate.naming import camel

TCP = next(s for s in SUBJECTS if s.machine.name == "tcp.connection")
SAMPLE = 32
SEED = 9293
NOTICED = 0.80  # of those that are not known to be equivalent; what is left is not shown to be so, and may be a boundary that no case meets

REMINDER = r" in  if .*o\.seq \+ 1 & 4294967295 == self\.snd_una"
EQUIVALENT: dict[str, str] = {
    r": due < self\.\w+_due -> due <= ": "a debt that falls due at the same time is set to that time",
    r": now < self\.\w+_due -> now <= ": "a debt that falls due at the same time is set to that time",
    r"^_(icmp|finish): (True|False) -> .* in  return": "the last table of a pipeline: nobody asks whether to go on",
    r"^timer_(\w+): self\.\1_at = None -> lost": "`tick` has stopped the timer that expires",
    r"^__init__: 0 -> 1 .* self\.\w+_upto": "the argument of a debt is read while it is owed, and set when it is",
    r"^_out_close_unopened: self\.(ack|challenge|synack)_due = None -> lost": "none of these is owed in SYN-SENT",
    r"^(_finish|_out_tx_abort_edge|timer_time_wait): self\.synack_due = None -> lost": "owed in SYN-RECEIVED only",
    r"^_out_tx_synack(_again)?: self\.ack_due is not None and .* -> self\.ack_due is not None or": "not owed in SYN-RECEIVED",
    r"^_out_tx_synack: if o\.has_wscale and self\.passive and \(not self\.peer_ws\): -> skipped": "the row offers what peer_ws says",
    r"^pump: self\.snd_nxt - self\.snd_una & 4294967295 > 0 -> .*>= 0 .*_out_tx_(again|ack_edge)": "`where`: an empty flight has no number",
    r"^pump: self\._next_len\(now\) > 0 -> .*_out_tx_data": "`where o.len >= 1`",
    r"^_out_tx_(again|ack_edge): self\.snd_nxt - .* != 0 -> .* == 0 " + REMINDER: "`where`: no number before snd_una is in flight",
    r"^_out_tx_again: o\.len != 0 -> o\.len == 0 " + REMINDER: "`where`: no number before snd_una is in flight",
    r"^_out_tx_(probe|abort_edge|ack_edge): ((?!max).)* -> ((?!max).)*  in  if .*> max\(self\.peer_mss, 76\)": (
        "the size of a segment: one of at most one octet and its options is never over 76"
    ),
    r"^_out_tx_(data|probe): self\.(conn|snd_nxt|snd_edge) .*" + REMINDER: "one of g.alive, g.probe; g.reminder refuses text as well",
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
    cases = list(corpus(subject))
    Random(SEED).shuffle(cases)
    found: dict[str, list[Case]] = {"": [c for c, _ in cases], "__init__": [c for c, _ in cases]}
    for case, names in cases:
        for name in names:
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


def test_what_lies_beside_the_corpus_means_the_same() -> None:
    for case, _ in corpus(TCP):
        assert not (apart := difference(case.expected, observe(TCP.generated(), case.events, TCP), case.events)), apart


def test_mutants_are_noticed() -> None:
    left = survivors(TCP, SAMPLE, SEED)
    gaps = [x for x in left if not known(x)]
    assert len(gaps) <= (SAMPLE - len(left) + len(gaps)) * (1 - NOTICED), "\n".join(["not noticed:", *gaps])
