"""Violations on file: for each clause of the matrix a broken peer, and a trace that has the finding filed under that clause.

A clause may read `pass` only if breaking it would have shown. The proof is kept as text, and `tests/test_conformance_matrix.py`
plays it: the peer is our own stack, behind a wire that tells a lie or generated from a mutant of the law. One entry is

    clause rfc9293:3.10.7.2/first
    lie 1 answer:rst
    wirelaw trace 1
    ...

or, in the second line, `mutant [ROW] CHANGE` as `conformance/mutants.py` names it. `python -m wirelaw.conformance.violations FILE`
looks for what the file lacks, or no longer shows, and writes it anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from wirelaw.conformance.binding import MACHINE
from wirelaw.conformance.campaign import filed_behind, filed_under, judged_clauses
from wirelaw.conformance.explore import Goals, explore
from wirelaw.conformance.interleave import Bench, routes_of, run_traces, tcp_law
from wirelaw.conformance.liar import ANSWERS, LiarPeer, Lie, lies
from wirelaw.conformance.mutants import mutants, running
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.conformance.shrink import shrink
from wirelaw.conformance.trace import Trace, parse_trace
from wirelaw.conformance.walk import WalkResult
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.generate.module import generate

PROFILE = "wirelaw"
CRASH = "crash"
_ROUNDS = 12
_WALKS, _MUTANT_WALKS = 200, 40
_KINDS = "trag"
"""Kinds of mutants by their first letters, those that break the most first."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One entry: `broken` is the second line, what is wrong with the peer."""

    clause: str
    broken: str
    trace: Trace

    def __str__(self) -> str:
        return f"clause {self.clause}\n{self.broken}\n{self.trace}"


def parse(text: str) -> list[Violation]:
    """The entries of a file."""
    found: list[Violation] = []
    for block in text.split("\n\n"):
        if block.strip():
            clause, broken, *lines = block.strip().splitlines()
            found.append(Violation(clause.removeprefix("clause "), broken, parse_trace("\n".join(lines))))
    return found


def filed(law: CompiledLaw, result: WalkResult) -> frozenset[str]:
    """The clauses that would not read `pass` after a walk with this result. A crash is filed under none of them."""
    findings = [f for f in result.verdict.findings if f.grade >= Grade.WARN and f.clause != CRASH]
    under = frozenset(c for f in findings for c in filed_under(law, f))
    return under | (filed_behind(law, result) if any(f.grade is Grade.FAIL for f in findings) else frozenset())


@contextmanager
def broken_peer(broken: str) -> Iterator[Callable[[Trace], WalkResult]]:
    """What plays traces against the peer that `broken` describes."""
    kind, _, what = broken.partition(" ")
    law = tcp_law()
    if kind == "lie":
        at, how = what.split()
        lie = Lie(int(at), how)
        yield lambda trace: _play(law, lambda: LiarPeer(lie), trace)
        return
    shipped = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine = shipped.machine(MACHINE)
    mutant = next((m for m in mutants(machine) if str(m) == what), None)
    if mutant is None:
        raise LookupError(f"the law has no such mutant any more: {what}")
    with running(generate(mutant.machine, shipped.profile(PROFILE, MACHINE))):
        yield lambda trace: _play(law, WirelawPeer, trace)


def _play(law: CompiledLaw, start: Callable[[], WirelawPeer], trace: Trace) -> WalkResult:
    with start() as peer:
        return run_traces(law, peer, [trace])[0]


def shown(entries: Iterable[Violation]) -> set[str]:
    """The clauses among `entries` whose violation is still filed under them."""
    law = tcp_law()
    by_peer: dict[str, list[Violation]] = {}
    for v in entries:
        by_peer.setdefault(v.broken, []).append(v)
    found: set[str] = set()
    for broken, several in by_peer.items():
        with suppress(LookupError), broken_peer(broken) as play:
            found |= {v.clause for v in several if v.clause in filed(law, play(v.trace))}
    return found


# --- the search ----------------------------------------------------------------------------------------------------------


def search(missing: set[str], seconds: float, seed: int = 0) -> Iterator[Violation]:
    """Violations of the clauses in `missing`: lies for a quarter of the time, then mutants of the rows that cite what is left."""
    until, law = time.monotonic() + seconds, tcp_law()
    half = time.monotonic() + seconds / 4
    for find, end in ((_by_lie, half), (_by_mutant, until)):
        for broken, trace, clauses in find(law, missing, end, seed):
            with broken_peer(broken) as play:
                for clause in sorted(clauses & missing):
                    short = shrink(trace, lambda ts, c=clause: [c in filed(law, play(t)) for t in ts], _ROUNDS)  # type: ignore[misc]
                    if clause in filed(law, play(short)):
                        missing.discard(clause)
                        yield Violation(clause, broken, short)


Found = Iterator[tuple[str, Trace, frozenset[str]]]


def _walks(law: CompiledLaw, seed: int) -> list[WalkResult]:
    goals = Goals(law, routes_of(law))
    with WirelawPeer() as peer:
        found = []
        for result in Bench(peer).drive(explore(peer, goals, seed, _WALKS)):
            goals.taken.update(result.rows)
            found += [result] if result.verdict.grade < Grade.WARN else []
    return found


def _by_lie(law: CompiledLaw, missing: set[str], until: float, seed: int) -> Found:
    random, walks, rows = Random(seed), _walks(law, seed), judged_clauses(law)
    while missing and time.monotonic() < until:
        clause = random.choice(sorted(missing))
        passing = [w for w in walks if any(w.rows[r] for r in rows[clause])]
        if not passing:
            continue
        walk = random.choice(passing)
        how = random.choice(random.choice((("mute",), ("lost",), lies(), ANSWERS)))
        lie = f"lie {random.randint(1, len(walk.frames))} {how}"
        with broken_peer(lie) as play:
            yield lie, walk.trace, filed(law, play(walk.trace))


def _by_mutant(law: CompiledLaw, missing: set[str], until: float, seed: int) -> Found:
    shipped = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine, profile, rows = shipped.machine(MACHINE), shipped.profile(PROFILE, MACHINE), judged_clauses(law)
    for mutant in sorted(mutants(machine), key=lambda m: _KINDS.find(m.kind[0])):
        cited = {c for c in missing if mutant.row in rows[c]}
        if not cited or mutant.kind == "constant" or mutant.change == "deleted" or time.monotonic() > until:
            continue
        try:
            code = generate(mutant.machine, profile)
        except LawError:
            continue
        goals = Goals(law, routes_of(law), frozenset({mutant.row}))
        hits: list[tuple[Trace, frozenset[str]]] = []
        with running(code), WirelawPeer() as peer:
            for result in Bench(peer).drive(explore(peer, goals, seed, _MUTANT_WALKS)):
                if cited & filed(law, result):
                    hits = [(result.trace, filed(law, result) & cited)]
                    break
        yield from ((f"mutant {mutant}", trace, clauses) for trace, clauses in hits)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look for violations that a file lacks."""
    parser = argparse.ArgumentParser(prog="python -m wirelaw.conformance.violations", description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long to look (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    judged = set(judged_clauses(tcp_law()))
    kept = [v for v in parse(options.file.read_text()) if v.clause in judged] if options.file.exists() else []
    still = shown(kept)
    entries = {v.clause: v for v in kept if v.clause in still}
    missing = judged - still
    for v in search(missing, options.seconds, options.seed):
        entries[v.clause] = v
        print(v.clause, v.broken, flush=True)
    options.file.write_text("\n".join(str(v) for _, v in sorted(entries.items())))
    print(f"{len(entries)} of {len(judged)} clauses; none for: {', '.join(sorted(missing)) or 'none'}")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
