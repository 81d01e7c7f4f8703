"""The matrix is honest: no clause reads `pass` whose breach would not have been filed under it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from wirelaw.conformance.campaign import Found, PeerResults, Results, Standing, judged_clauses, run
from wirelaw.conformance.interleave import run_traces, tcp_law
from wirelaw.conformance.liar import LiarPeer, Lie
from wirelaw.conformance.mutants import running
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.conformance.trace import Trouble, parse_trace
from wirelaw.conformance.unseen import UNSEEN
from wirelaw.conformance.violations import filed, parse, shown
from wirelaw.oracle.engine.verdict import Finding, Grade
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.cli import main
from wirelaw.tools.generate import generate

VIOLATIONS = Path(__file__).with_name("conformance_violations.txt")

OPEN = """wirelaw trace 1
peer wirelaw
role server
buffer 0
isn 1000
call open_passive
send SYN seq=isn wnd=65535 mss=1460
send ACK seq=rcv_nxt ack=snd_nxt wnd=65535
send ACK PSH seq=rcv_nxt ack=snd_nxt wnd=65535 len=100
wait 1000000
"""

ERRORS = """wirelaw trace 1
peer wirelaw
role client
buffer 0
isn 1000
call open_active
error {kind} {code} seq=snd_una
send SYN ACK seq=isn ack=snd_nxt wnd=65535 mss=1460
"""


def test_every_clause_that_may_pass_has_a_violation_that_is_filed_under_it() -> None:
    """Where this fails after a change of the law: `python -m wirelaw.conformance.violations tests/conformance_violations.txt`."""
    entries = parse(VIOLATIONS.read_text())
    assert {v.clause for v in entries} == set(judged_clauses(tcp_law()))
    assert shown(entries) == {v.clause for v in entries}


def test_no_violation_shows_with_the_sound_stack() -> None:
    law = tcp_law()
    with WirelawPeer() as peer:
        results = run_traces(law, peer, [v.trace for v in parse(VIOLATIONS.read_text())])
    assert [r.trace for r in results if filed(law, r)] == []


def _results(*found: Found) -> tuple[Results, PeerResults]:
    law = tcp_law()
    results = Results(law, 0, judged_clauses(law), 0)
    peer = PeerResults("x", "1", rows=Counter({r.id: 1 for r in law.rows}))
    peer.found = {(f.finding.clause, f.finding.row, ""): f for f in found}
    results.peers.append(peer)
    return results, peer


def test_a_finding_counts_for_every_clause_of_its_row_and_leaves_those_behind_it_undecided() -> None:
    finding = Finding(Grade.FAIL, "rfc9293:3.10.7.4/seventh", "MUST", "text.next", 1, 1, "")
    both = frozenset({"rfc9293:3.10.7.4/seventh", "rfc9293:MUST-40"})
    found = Found(finding, parse_trace(OPEN), (), confirmed=True, clauses=both, behind=frozenset({"rfc9293:3.4/window"}))
    results, peer = _results(found)
    assert all(results.standing(c, peer) is Standing.FAIL for c in both)
    assert results.standing("rfc9293:3.4/window", peer) is Standing.INCONCLUSIVE
    assert results.undecided == [(peer, "rfc9293:3.4/window")]
    assert results.standing("rfc9293:3.4/ack", peer) is Standing.PASS
    found.confirmed = False
    assert all(results.standing(c, peer) is Standing.INCONCLUSIVE for c in both)
    assert results.standing("rfc9293:3.4/window", peer) is Standing.PASS


def test_a_late_acknowledgment_fails_the_clause_of_lateness() -> None:
    law = tcp_law()
    with LiarPeer(Lie(2, "mute")) as peer:
        [result] = run_traces(law, peer, [parse_trace(OPEN)])
    assert {"rfc9293:MUST-40", "rfc5681:4.2/time"} <= filed(law, result)
    with LiarPeer(None) as peer:
        [result] = run_traces(law, peer, [parse_trace(OPEN)])
    assert result.verdict.grade is Grade.PASS


@pytest.mark.parametrize(("kind", "code", "state"), [(3, 3, "CLOSED"), (3, 1, "ESTABLISHED"), (11, 0, "ESTABLISHED")])
def test_an_icmp_error_is_a_step_that_is_judged(kind: int, code: int, state: str) -> None:
    with WirelawPeer() as peer:
        [result] = run_traces(tcp_law(), peer, [parse_trace(ERRORS.format(kind=kind, code=code))])
    assert result.verdict.grade is Grade.PASS
    assert result.state == state


@pytest.mark.parametrize(("choice", "state"), [("bear", "ESTABLISHED"), ("give_up", "CLOSED")])
def test_an_open_connection_may_bear_a_hard_error_or_end_by_it(choice: str, state: str) -> None:
    """SHLD-26 has it ended, RFC 5927 section 5.2 tells why most stacks bear it."""
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    profile = law.profile("wirelaw", "tcp.connection")
    code = generate(law.machine("tcp.connection"), replace(profile, choices=profile.choices | {"hard_open": choice}))
    trouble = "wait 50000\ncall send 10\nerror 3 3 seq=snd_una\nsend ACK seq=rcv_nxt ack=snd_nxt wnd=65535 len=10\nwait 1000000\n"
    with running(code), WirelawPeer() as peer:
        [result] = run_traces(tcp_law(), peer, [parse_trace(OPEN.replace("wait 1000000\n", trouble))])
    assert result.verdict.grade is Grade.PASS
    assert result.state == state


def test_walks_send_icmp_errors_and_their_clauses_pass() -> None:
    results = run([WirelawPeer], walks=120, clause="MUST-5")
    peer = results.peers[0]
    assert not results.failures
    assert {"icmp.refused", "icmp.syn", "icmp.soft"} <= {row for row, n in peer.rows.items() if n}
    assert results.standing("rfc9293:MUST-56", peer) is Standing.PASS


def test_an_error_reads_back_as_it_was_written() -> None:
    trace = parse_trace(ERRORS.format(kind=3, code=1))
    [step] = [s for s in trace.steps if isinstance(s, Trouble)]
    assert (step.type, step.code) == (3, 1)
    assert parse_trace(str(replace(trace, remarks=()))) == trace


@pytest.mark.parametrize(("clause", "said"), [("MUST-999", "did you mean"), (next(iter(UNSEEN)), "is not judged"), ("zzzz", "a part of")])
def test_a_clause_that_is_not_judged_is_refused_before_a_peer_starts(clause: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "tcp", "--clause", clause]) == 2
    assert said in capsys.readouterr().err


def test_a_witness_may_wait_as_long_as_the_longest_timer(tmp_path: Path) -> None:
    path = tmp_path / "long.trace"
    path.write_text(OPEN.replace("wait 1000000", "wait 86400000001"))
    assert main(["replay", str(path)]) == 0


def test_a_campaign_that_leaves_something_undecided_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding(Grade.FAIL, "rfc9293:3.4/ack", "MUST", "g.ack", 1, 1, "")
    results, _ = _results(Found(finding, parse_trace(OPEN), (), clauses=frozenset({"rfc9293:3.4/ack"})))
    monkeypatch.setattr("wirelaw.tools.verbs.conform.run", lambda *_: results)
    assert main(["conform", "tcp", "--peer", "wirelaw", "--out", str(tmp_path)]) == 3
