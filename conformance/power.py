"""How much the walks notice: mutants of our own table, generated, run as a peer in virtual time, judged by the true table.

A mutant is killed when a walk fails or warns, or its stack crashes or does not come to rest. The unmutated stack must pass the
same walks. Mutants that no walk could tell from the law are counted apart, each for one of three reasons:

- excluded: what is generated does the same, mostly because the profile binds a choice that the row is not about;
- stillborn: the generator refuses it;
- invisible: it survives, and what a judge reads of it is the law itself (it changes policy, what the user is told, or the
  wishes of the user only).
"""

from __future__ import annotations

import argparse
import ast
import signal
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from random import Random

from wirelaw.conformance.binding import MACHINE
from wirelaw.conformance.explore import Goals, explore
from wirelaw.conformance.interleave import Bench, routes_of, run_traces, tcp_law
from wirelaw.conformance.mutants import mutants, running
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.conformance.trace import Trace
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import SPEC, load
from wirelaw.spec.language.model import Machine
from wirelaw.tools.generate.module import generate

PROFILE = "wirelaw"
_PATIENCE_S = 15.0
"""How long, in real time, one walk may take before its stack counts as one that does not come to rest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant: `fate` is killed, survived or invisible. `walks` is how many it took, `finding` how it was noticed,
    or whether what it sent differed at all.
    """

    mutant: str
    kind: str
    fate: str
    walks: int = 0
    finding: str = ""

    @property
    def killed(self) -> bool:
        """Whether the walks noticed it."""
        return self.fate == "killed"


@dataclass(frozen=True, slots=True)
class Power:
    """The outcomes of a sample, and how many mutants met on the way were excluded or stillborn."""

    outcomes: tuple[Outcome, ...]
    passed_over: Counter[str]

    @property
    def observable(self) -> tuple[Outcome, ...]:
        """Those that a walk could notice."""
        return tuple(o for o in self.outcomes if o.fate != "invisible")

    @property
    def rate(self) -> float:
        """Killed mutants among the observable."""
        return sum(o.killed for o in self.outcomes) / max(1, len(self.observable))


class UnsoundStackError(Exception):
    """The unmutated stack fails, so that nothing can be said of mutants."""


class _RestlessError(BaseException):
    """The stack is busy for ever; no Exception, so that it passes through whatever catches those."""


@contextmanager
def _alarm() -> Iterator[Callable[[], None]]:
    """Raise _RestlessError in the block once _PATIENCE_S have passed since what it is given was called last."""

    def stop(_signal: int, _frame: object) -> None:
        raise _RestlessError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        yield lambda: (signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S), None)[1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(slots=True)
class _Walked:
    """What came of walks: how many, how something was noticed (empty: it was not), and all that the stack sent."""

    count: int = 0
    finding: str = ""
    sent: int = 0
    trace: Trace | None = None


def _walk(seed: int, walks: int, aim: frozenset[str]) -> _Walked:
    """Walk the running stack until a walk fails or warns."""
    law = tcp_law()
    goals = Goals(law, routes_of(law), aim)
    walked = _Walked()
    with WirelawPeer() as peer, _alarm() as rearm:
        try:
            rearm()
            for result in Bench(peer).drive(explore(peer, goals, seed, walks)):
                rearm()
                goals.taken.update(result.rows)
                walked.count += 1
                walked.sent = hash((walked.sent, result.frames))
                for f in result.verdict.findings:
                    if f.grade in (Grade.WARN, Grade.FAIL):
                        walked.finding, walked.trace = f"{f.grade} {f.clause} [{f.row}]", result.trace
                        return walked
        except _RestlessError:
            walked.count, walked.finding = walked.count + 1, "does not come to rest"
    return walked


def _shows(trace: Trace) -> bool:
    """Whether the law itself fails `trace` too, which then says nothing of a mutant."""
    with WirelawPeer() as peer:
        return run_traces(tcp_law(), peer, [trace])[0].failure is not None


def outcomes(seed: int, walks: int, only: Collection[str], aimed: bool, passed_over: Counter[str]) -> Iterator[Outcome]:
    """What becomes of mutants in an order drawn by `seed`; see `measure`. Counts those passed over."""
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine, profile = law.machine(MACHINE), law.profile(PROFILE, MACHINE)
    code, reading = generate(machine, profile), _reading(machine)
    essence = _essence(code)
    true: dict[frozenset[str], int] = {}
    with running(code):
        base = _walk(seed, walks, frozenset())
    if base.finding:
        raise UnsoundStackError(f"the unmutated stack does not pass: {base.finding}")
    everything = [x for x in mutants(machine) if not only or str(x) in only]
    Random(seed).shuffle(everything)
    for mutant in everything:
        try:
            changed = generate(mutant.machine, profile)
        except LawError:
            passed_over["stillborn"] += 1
            continue
        if _essence(changed) == essence:
            passed_over["excluded"] += 1
            continue
        aim = frozenset({mutant.row}) if aimed else frozenset()
        with running(changed):
            walked = _walk(seed, walks, aim)
        fate, why = "killed", walked.finding
        if walked.trace is not None:
            with running(code):
                fate = "survived" if _shows(walked.trace) else "killed"
        if not why and mutant.kind != "timer" and _reading(mutant.machine) == reading:
            fate = "invisible"
        elif not why:
            if aim not in true:
                with running(code):
                    true[aim] = _walk(seed, walks, aim).sent
            fate, why = "survived", "nothing that was sent differed" if true[aim] == walked.sent else "what differed is allowed"
        yield Outcome(str(mutant), mutant.kind, fate, walked.count, why)


def measure(
    sample: int = 40, seed: int = 0, walks: int = 200, only: Collection[str] = (), aimed: bool = True,
    say: Callable[[Outcome], None] | None = None,
) -> Power:  # fmt: skip
    """Judge `sample` mutants drawn by `seed`, each with up to `walks` walks; `only` names the mutants instead.

    With `aimed` the walks are drawn towards the row that was changed, as a campaign is with `--clause`.
    `say` hears each outcome. Raises UnsoundStackError when the unmutated stack does not pass the same walks.
    """
    passed_over: Counter[str] = Counter()
    found: list[Outcome] = []
    for outcome in islice(outcomes(seed, walks, only, aimed, passed_over), sample):
        found.append(outcome)
        if say is not None:
            say(outcome)
    return Power(tuple(found), passed_over)


class _Essence(ast.NodeTransformer):
    """Leaves out of a program what makes no difference: its documentation, its trace, and branches that go where all goes."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = self._shorter(body)  # type: ignore[attr-defined]
        return node

    def _shorter(self, body: list[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for s in reversed(body):
            match s:
                case ast.Expr(value=ast.Constant()):
                    continue
                case ast.If(test=ast.Compare(left=ast.Attribute(attr="on_step"))):
                    continue
                case ast.If(body=taken, orelse=[]) if [*map(ast.dump, taken)] == [*map(ast.dump, done)]:
                    continue
            done.insert(0, s)
        return done or [ast.Pass()]


def _essence(code: str) -> str:
    return ast.dump(_Essence().visit(ast.parse(code)))


def _reading(machine: Machine) -> object:
    """All that a judge takes from a machine; None when it can take nothing."""
    try:
        law = compile_law(machine)
    except LawError:
        return None
    ends = [(r.id, r.row.states, r.row.mode, [(o.target, o.goes_on, o.codes) for o in r.outcomes]) for r in law.rows]
    return law.source, ends, [r.row.fields for r in law.emissions]


def _say(o: Outcome) -> None:
    print(f"{o.fate:9} {o.kind:8} {o.mutant}   {f'after {o.walks}: ' if o.killed else ''}{o.finding}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure how many one-row mutants of the law of TCP the walks kill."""
    parser = argparse.ArgumentParser(prog="python -m wirelaw.conformance.power", description=main.__doc__)
    parser.add_argument("--sample", type=int, default=40, help="mutants to judge (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample and the walks (default: 0)")
    parser.add_argument("--walks", type=int, default=200, help="walks a mutant (default: 200)")
    parser.add_argument("--blind", action="store_true", help="do not draw the walks towards the row that was changed")
    parser.add_argument("mutant", nargs="*", help="these mutants only, as a measurement names them")
    options = parser.parse_args(arguments)
    power = measure(options.sample, options.seed, options.walks, options.mutant, not options.blind, _say)
    kinds = Counter((o.kind, o.killed) for o in power.observable)
    for kind in sorted({o.kind for o in power.observable}):
        print(f"{kind:8} {kinds[kind, True]} of {kinds[kind, True] + kinds[kind, False]}")
    invisible = len(power.outcomes) - len(power.observable)
    others = "".join(f", {n} {why}" for why, n in sorted(power.passed_over.items()))
    killed = sum(o.killed for o in power.outcomes)
    print(f"killed {killed} of {len(power.observable)} observable ({power.rate:.0%}); apart: {invisible} invisible{others}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
