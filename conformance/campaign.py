"""A campaign: walks against several peers within a budget, each failure asked again, shrunk, and kept with its witness."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from wirelaw.conformance.binding import MESSAGE, TROUBLE
from wirelaw.conformance.explore import Goals, explore
from wirelaw.conformance.interleave import Bench, routes_of, run_traces, tcp_law
from wirelaw.conformance.peer import Peer
from wirelaw.conformance.shrink import shrink
from wirelaw.conformance.trace import Trace
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.conformance.walk import WalkResult
from wirelaw.oracle.capture import LinkType, PcapWriter
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Finding, Grade
from wirelaw.spec.language.expressions import names
from wirelaw.spec.language.model import Machine, Row

PATIENCE = 25
"""How much more patience a repeated question has."""
_SHRINK_ROUNDS = {True: 60, False: 12}
_EXPLORING = 0.75
_ASKED = 3
"""How often a finding is asked for again."""


class Standing(StrEnum):
    """Where a peer stands with a clause."""

    PASS = "pass"  # noqa: S105 - a verdict
    FREE = "not used"
    KNOWN = "known"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    FAIL = "FAIL"
    UNTRIED = "not exercised"


@dataclass(slots=True)
class Found:
    """One kind of finding of one peer. `trace` is its (shrunk) witness and `frames` the packets of a run of it.

    `reason` is that of an expected deviation; `confirmed` tells that it showed again when asked again. `clauses` are those of
    the row it names, and `behind` those of the rows that the segment before it took: it may be theirs.
    """

    finding: Finding
    trace: Trace
    frames: tuple[tuple[int, bytes], ...]
    times: int = 1
    confirmed: bool = False
    reason: str = ""
    clauses: frozenset[str] = frozenset()
    behind: frozenset[str] = frozenset()

    @property
    def standing(self) -> Standing:
        """What it means for the clause."""
        if self.reason:
            return Standing.KNOWN
        if self.finding.grade is Grade.FAIL:
            return Standing.FAIL if self.confirmed else Standing.INCONCLUSIVE
        return Standing.WARN if self.finding.grade is Grade.WARN else Standing.INCONCLUSIVE

    def weighs_on(self, clause: str) -> Standing | None:
        """What it means for `clause`; None when it says nothing of it."""
        if clause in self.clauses:
            return self.standing
        return Standing.INCONCLUSIVE if clause in self.behind and self.standing is Standing.FAIL else None


@dataclass(slots=True)
class PeerResults:
    """What a campaign learnt of one peer. `rows` counts rows taken, `taken` by state; `budget` what stayed undecided in single walks."""

    name: str
    version: str
    walks: int = 0
    steps: int = 0
    packets: int = 0
    seconds: float = 0.0
    rows: Counter[str] = field(default_factory=Counter)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str, str], Found] = field(default_factory=dict)
    budget: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Results:
    """The results of a campaign. `clauses` maps each judged clause to the rows that cite it."""

    law: CompiledLaw
    seed: int
    clauses: dict[str, tuple[str, ...]]
    judged_rows: int
    peers: list[PeerResults] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    def standing(self, clause: str, peer: PeerResults) -> Standing:
        """Where `peer` stands with `clause`: the worst of its findings, else pass when one of its rows was taken."""
        standings = [s for f in peer.found.values() if (s := f.weighs_on(clause)) is not None]
        if standings:
            return max(standings, key=list(Standing).index)
        if any(peer.rows[r] for r in self.clauses[clause]):
            return Standing.PASS
        return Standing.FREE if self.reason(clause, peer) else Standing.UNTRIED

    def reason(self, clause: str, peer: PeerResults) -> str:
        """Why none of the rows of `clause` was taken, where it was not for want of trying; empty otherwise."""
        whys = {unused(self.law, row, peer.rows) for row in self.clauses[clause]}
        return "" if "" in whys or any(peer.rows[r] for r in self.clauses[clause]) else "; ".join(sorted(whys))

    @property
    def undecided(self) -> list[tuple[PeerResults, str]]:
        """Clauses of which it stayed undecided whether a peer keeps them."""
        return [(p, c) for p in self.peers for c in self.clauses if self.standing(c, p) is Standing.INCONCLUSIVE]

    @property
    def failures(self) -> list[tuple[PeerResults, Found]]:
        """Confirmed findings that no peer's file expects."""
        return [(p, f) for p in self.peers for f in p.found.values() if f.standing is Standing.FAIL]


@dataclass(frozen=True, slots=True)
class Progress:
    """For a progress display: walks done, rows taken of those judged, states seen, kinds of findings."""

    peer: str
    phase: str
    walks: int
    rows: int
    judged_rows: int
    states: int
    findings: int
    seconds: float


def judged_clauses(law: CompiledLaw, clause: str = "") -> dict[str, tuple[str, ...]]:
    """Each clause that a row visible on the wire cites, with those rows; narrowed to names that contain `clause`."""
    found: dict[str, list[str]] = {}
    for r in law.rows:
        if r.row.role in ("gate", "output") or r.row.event in (MESSAGE, TROUBLE):
            for name in r.row.clauses:
                if clause in name and name not in UNSEEN:
                    found.setdefault(name, []).append(r.id)
    return {name: tuple(rows) for name, rows in found.items()}


def filed_under(law: CompiledLaw, finding: Finding) -> frozenset[str]:
    """The clauses a finding counts for: every one of the row, gate or debt's row that it names, as far as a wire can show it."""
    cited = law.machine.row(finding.row).clauses if finding.row in {r.id for r in law.rows} else ()
    return frozenset({finding.clause, *(c for c in cited if c not in UNSEEN)})


def filed_behind(law: CompiledLaw, result: WalkResult) -> frozenset[str]:
    """The clauses that a failure leaves undecided: those of the rows that the tester's segment before it took."""
    return frozenset(c for row in result.behind for c in law.machine.row(row).clauses if c not in UNSEEN)


def unused(law: CompiledLaw, name: str, taken: Mapping[str, int]) -> str:
    """Why a peer need never take row `name`, given the rows it took; empty when there is no such reason."""
    row = law.machine.row(name)
    if row.level == "MAY" and row.role == "output" and row.mode == "may":
        return "a MAY that the peer was not seen to use"
    if row.event_kind == "auto" and row.ending.kind == "stay":
        return "inside: nothing of it shows"
    for choice, others in rivals(law.machine, row):
        if (other := next((o for o in others if taken.get(o)), None)) is not None:
            return f"free ({choice}): the peer was seen to do [{other}] instead"
    return ""


def rivals(machine: Machine, row: Row) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each free choice that `row` asks about: its name, and the rows of the same table for another value of it."""
    rows = machine.tables[row.table].rows if row.table in machine.tables else ()
    here = [r for r in rows if r is not row and (not row.states or not r.states or row.states & r.states)]
    for e in row.guard:
        for choice in names(e, "choice"):
            yield choice, tuple(r.id for r in here if any(choice in names(x, "choice") and x != e for x in r.guard))


def state_of(finding: Finding) -> str:
    """The control state in which the finding was made; empty for remarks."""
    return finding.configuration.partition(",")[0]


class _PeerCampaign:
    def __init__(self, law: CompiledLaw, peer: Peer, results: Results, say: Callable[[Progress], None] | None) -> None:
        self.law, self.peer, self.say = law, peer, say
        self.results = PeerResults(peer.name, peer.version)
        self.judged = results.judged_rows
        wanted = frozenset(r for rows in results.clauses.values() for r in rows)
        everything = frozenset(r for rows in judged_clauses(law).values() for r in rows)
        self.goals = Goals(law, routes_of(law), wanted if wanted != everything else frozenset())
        self.started = time.monotonic()

    def note(self, result: WalkResult) -> None:
        """Take one walk into the books."""
        r = self.results
        r.walks += 1
        r.steps += len(result.trace.steps)
        r.packets += len(result.frames)
        r.rows.update(result.rows)
        r.taken.update(result.verdict.taken)
        r.states[result.state] += 1
        self.goals.taken.update(result.rows)
        if result.verdict.reason:
            r.budget[result.verdict.reason] += 1
        for f in result.verdict.findings:
            if f.grade >= Grade.WARN:
                reason = f"{f.known.name}: {f.known.reason}" if f.known else ""
                key = (f.clause, f.row, f"{state_of(f)} (known)" if reason else state_of(f))
                known = r.found.get(key)
                if known is None:
                    known = r.found[key] = Found(f, result.trace, result.frames, reason=reason, confirmed=self.peer.is_virtual)
                    known.times = 0
                known.clauses |= filed_under(self.law, f)
                if f.grade is Grade.FAIL:
                    known.behind |= filed_behind(self.law, result)
                known.times += 1
                if len(result.trace.steps) < len(known.trace.steps):
                    known.finding, known.trace, known.frames = f, result.trace, result.frames
        self.report("walks")

    def report(self, phase: str) -> None:
        """Tell the progress display."""
        r = self.results
        r.seconds = time.monotonic() - self.started
        if self.say is not None:
            taken = sum(1 for n in r.rows.values() if n)
            self.say(Progress(r.name, phase, r.walks, taken, self.judged, len(r.states), len(r.found), r.seconds))

    def ask_again(self, until: float) -> None:
        """Each finding some more times on fresh connections, with more patience; then the shortest trace that still shows it.

        A warning that never shows again is none: asked again, the peer did what it should.
        """
        asked = [(k, f) for k, f in self.results.found.items() if f.finding.clause != "crash" and not f.confirmed]
        again = run_traces(self.law, self.peer, [f.trace for _, f in asked for _ in range(_ASKED)], PATIENCE)
        for n, (key, f) in enumerate(asked):
            said = [g for r in again[n * _ASKED : (n + 1) * _ASKED] for g in r.verdict.findings]
            f.confirmed = any(g.key == f.finding.key and g.grade is f.finding.grade for g in said)
            if not f.confirmed and not f.reason and f.finding.grade is Grade.WARN:
                del self.results.found[key]
                self.results.budget[f"a warning that did not show again: [{f.finding.row}]"] += 1
        failures = [(k, f) for k, f in self.results.found.items() if f.finding.grade is Grade.FAIL and f.finding.clause != "crash"]
        for _, f in failures:
            if f.confirmed and not f.reason and time.monotonic() < until:
                self._shrink(f)
                self.report("shrinking")

    def _shrink(self, f: Found) -> None:
        key, silent = f.finding.key, f.finding.number == 0

        def play(candidates: Sequence[Trace]) -> list[bool]:
            patience = 4 if silent else 1
            return [r.failure is not None and r.failure.key == key for r in run_traces(self.law, self.peer, candidates, patience)]

        short = shrink(f.trace, play, _SHRINK_ROUNDS[self.peer.is_virtual])
        last = run_traces(self.law, self.peer, [short], PATIENCE if silent else 1)[0]
        if last.failure is not None and last.failure.key == key:
            f.finding, f.trace, f.frames = last.failure, replace(short, fails=key), last.frames


def run(
    peers: Sequence[Callable[[], Peer]],
    seed: int = 0,
    budget_seconds: float = 60.0,
    clause: str = "",
    progress: Callable[[Progress], None] | None = None,
    walks: int | None = None,
    law: CompiledLaw | None = None,
) -> Results:
    """Run a campaign: each peer in turn gets its share of `budget_seconds`, or `walks` walks where that is given.

    `clause` narrows the judged clauses to names that contain it and draws the walks towards their rows. An interrupt
    (KeyboardInterrupt) ends the campaign early; what was found is kept and `interrupted` is set.
    """
    given, law = law, law or tcp_law()
    clauses = judged_clauses(law, clause)
    judged = {r for rows in judged_clauses(law).values() for r in rows}
    results = Results(law, seed, clauses, len(judged))
    share = budget_seconds / max(1, len(peers))
    try:
        for start in peers:
            with start() as peer:
                campaign = _PeerCampaign(given or tcp_law(peer.deviations), peer, results, progress)
                results.peers.append(campaign.results)
                began = time.monotonic()
                limit = began + share * _EXPLORING
                over = (lambda: False) if walks is not None else (lambda limit=limit: time.monotonic() >= limit)
                for result in Bench(peer).drive(explore(peer, campaign.goals, seed, walks), until=over):
                    campaign.note(result)
                campaign.ask_again(began + share)
                campaign.report("done")
    except KeyboardInterrupt:
        results.interrupted = True
    return results


def save_witness(found: Found, peer: str, directory: Path, titles: Mapping[str, str] | None = None) -> Path:
    """Write NAME.trace, with the finding as remarks, and NAME.pcap into `directory`; the path of the trace."""
    directory.mkdir(parents=True, exist_ok=True)
    place = f"{found.finding.row}-{state_of(found.finding)}".strip("-").lower()
    name = f"{peer}-{place}".replace(".", "-").replace("_", "-").replace(", ", "-")
    path = directory / f"{name}.trace"
    remarks = tuple(render(found.finding, titles).splitlines())
    path.write_text(str(replace(found.trace, remarks=remarks)))
    with PcapWriter(path.with_suffix(".pcap"), LinkType.ETHERNET) as writer:
        for at, frame in found.frames:
            writer.write(at, frame)
    return path
