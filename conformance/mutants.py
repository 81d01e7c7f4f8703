"""How much the suite notices: mutants of our own table, generated, run as a peer in virtual time, and judged by the true table.

A mutant differs from the law in one row: the row deleted, one conjunct of its guard negated or dropped, or its target
state changed. It is killed when a walk fails or warns, or its stack crashes. The unmutated stack must pass first.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from types import ModuleType

from wirelaw.conformance.bench import MACHINE, Bench, make_walk, routes_of, tcp_law
from wirelaw.conformance.explore import Explorer, Goals, draw_buffer, draw_isn, draw_options
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.conformance.walk import Plan, Walk
from wirelaw.impl.net import tcp as stack
from wirelaw.oracle.verdict import Grade
from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.expressions import Unary, text
from wirelaw.spec.language.load import SPEC, load
from wirelaw.spec.language.types import BOOL
from wirelaw.tools.generate.module import generate

PROFILE = "wirelaw"
_CLASS = "TcpConnection"
_serial = itertools.count()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A machine that differs from the law in row `row`, in the way `change` says."""

    row: str
    change: str
    machine: m.Machine

    def __str__(self) -> str:
        return f"[{self.row}] {self.change}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant. `finding` is how it was noticed, empty when it survived; `walks` how many it took."""

    mutant: str
    killed: bool
    walks: int
    finding: str


@dataclass(frozen=True, slots=True)
class Power:
    """The outcomes of a sample."""

    outcomes: tuple[Outcome, ...]

    @property
    def rate(self) -> float:
        """Killed mutants among all."""
        return sum(o.killed for o in self.outcomes) / max(1, len(self.outcomes))


class UnsoundStackError(Exception):
    """The unmutated stack fails, so that nothing can be said of mutants."""


def _replaced(machine: m.Machine, row: m.Row, by: m.Row | None) -> m.Machine:
    def rows(old: Sequence[m.Row]) -> tuple[m.Row, ...]:
        return tuple(by if r is row else r for r in old if r is not row or by is not None)  # type: ignore[misc]

    tables = {name: replace(t, rows=rows(t.rows)) for name, t in machine.tables.items()}
    return replace(machine, tables=tables, gates=rows(machine.gates), emissions=rows(machine.emissions))


def mutants(machine: m.Machine) -> Iterator[Mutant]:
    """Every mutant of the rows that meet segments, one change each."""
    for table in machine.tables.values():
        for row in table.rows:
            if row.event == "seg" and not table.policy:
                yield from _of_row(machine, row)


def _of_row(machine: m.Machine, row: m.Row) -> Iterator[Mutant]:
    if row.actions:
        yield Mutant(row.id, "does nothing", _replaced(machine, row, replace(row, actions=())))
    if not row.otherwise:
        yield Mutant(row.id, "deleted", _replaced(machine, row, None))
    for n, conjunct in enumerate(row.guard):
        rest = row.guard[:n] + row.guard[n + 1 :]
        negated = (*row.guard[:n], Unary("not", conjunct, type=BOOL), *row.guard[n + 1 :])
        shown = text(conjunct)
        if not machine.is_hidden(conjunct):
            yield Mutant(row.id, f"without {shown}", _replaced(machine, row, replace(row, guard=rest)))
            yield Mutant(row.id, f"with not ({shown})", _replaced(machine, row, replace(row, guard=negated)))
    if row.ending.kind == "become" and isinstance(row.ending.target, dict):
        for other in ("CLOSED", "ESTABLISHED", "TIME_WAIT"):
            if other not in row.ending.target.values():
                target = dict.fromkeys(row.ending.target, other)
                ending = replace(row.ending, target=target)
                yield Mutant(row.id, f"goes to {other}", _replaced(machine, row, replace(row, ending=ending)))
                break


@contextmanager
def running(code: str) -> Iterator[None]:
    """Within the block, stacks run `code`, which was generated from a machine."""
    name = f"wirelaw_mutant_{next(_serial)}"
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses look their module up
    true = vars(stack)[_CLASS]
    try:
        exec(compile(code, f"<{name}>", "exec"), module.__dict__)  # noqa: S102 - our own generator wrote it
        setattr(stack, _CLASS, vars(module)[_CLASS])
        yield
    finally:
        setattr(stack, _CLASS, true)
        del sys.modules[name]


def _judge(name: str, seed: int, walks: int, aim: frozenset[str]) -> Outcome:
    """Walk the running stack until a walk fails or warns."""
    law = tcp_law()
    goals = Goals(law, routes_of(law), aim)
    with WirelawPeer() as peer:

        def each() -> Iterator[tuple[Walk, Plan]]:
            for n in range(walks):
                random = Random(f"{seed}:{n}")
                role = random.choice(("server", "client"))
                buffer, isn, options = draw_buffer(random), draw_isn(random), draw_options(random)
                yield make_walk(law, peer, role, random, buffer, isn, options, number=n), Explorer(goals, random, 25)

        for count, result in enumerate(Bench(peer).drive(each()), 1):
            goals.taken.update(result.rows)
            for f in result.verdict.findings:
                if f.grade in (Grade.WARN, Grade.FAIL):
                    return Outcome(name, True, count, f"{f.grade} {f.clause} [{f.row}]")
    return Outcome(name, False, walks, "")


def measure(sample: int = 40, seed: int = 0, walks: int = 60, only: Collection[str] = ()) -> Power:
    """Judge a sample of mutants, each with up to `walks` walks drawn towards its row; `only` names the mutants instead.

    Raises UnsoundStackError when the unmutated stack does not pass the same walks.
    """
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine, profile = law.machine(MACHINE), law.profile(PROFILE, MACHINE)
    code = generate(machine, profile)
    with running(code):
        base = _judge("the law itself", seed, walks, frozenset())
    if base.killed:
        raise UnsoundStackError(f"the unmutated stack does not pass: {base.finding}")
    everything = [x for x in mutants(machine) if not only or str(x) in only]
    Random(seed).shuffle(everything)
    outcomes: list[Outcome] = []
    for mutant in everything:
        if len(outcomes) >= sample:
            break
        try:
            changed = generate(mutant.machine, profile)
        except LawError as error:
            outcomes.append(Outcome(str(mutant), True, 0, f"cannot be generated: {str(error).splitlines()[0]}"))
            continue
        if changed != code:  # else the profile's choices exclude the row
            with running(changed):
                outcomes.append(_judge(str(mutant), seed, walks, frozenset({mutant.row})))
    return Power(tuple(outcomes))
