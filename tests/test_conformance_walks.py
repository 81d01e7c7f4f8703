"""Walks: made from the law alone, the same for the same seed, and blind to nothing that a broken stack does."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirelaw.conformance import campaign, report
from wirelaw.conformance.campaign import Progress, Standing, run, save_witness
from wirelaw.conformance.explore import Explorer, Goals, draw_isn, draw_options
from wirelaw.conformance.interleave import Bench, make_walk, routes_of, run_traces, tcp_law
from wirelaw.conformance.mutants import mutants, running
from wirelaw.conformance.peer import octets
from wirelaw.conformance.peers.linux import LinuxPeer
from wirelaw.conformance.peers.linux import missing as linux_is_missing
from wirelaw.conformance.peers.wirelaw import WirelawPeer
from wirelaw.conformance.peers.wirelaw_qemu import WirelawQemuPeer
from wirelaw.conformance.peers.wirelaw_qemu import missing as qemu_is_missing
from wirelaw.conformance.power import measure
from wirelaw.conformance.replay import replay
from wirelaw.conformance.shrink import shrink
from wirelaw.conformance.trace import Call, Step, Trace, Wait, load_trace, parse_trace
from wirelaw.conformance.walk import WalkResult
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.engine.verdict import Grade
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.generate.module import generate

LAST = ("CLOSED", "TIME_WAIT")
"""Where a peer that got the FIN first ends: TIME-WAIT if its user had called CLOSE before, which nobody sees."""

KILLED = (
    "[fin.here] does nothing",
    "[ack.open] does nothing",
    "[ack.some] does nothing",
    "[syn_sent.both] does nothing",
    "[text.next] does nothing",
    "[text.gone] does nothing",
    "[listen.rst] without s.rst",
    "[listen.syn] rcv_nxt = s.seq + 1 + 1",
    "[tx.fin] never",
    "[tx.data] never",
    "[rst.exact] goes to ESTABLISHED",
    "[timeout.user] goes to ESTABLISHED",
    "[text.next] owe ack(rcv_nxt) late",
    "[tx.data] ensure user_timeout early",
    "[tx.data] ensure user_timeout late",
    "[finish.fin.wait.2] start time_wait late",
)
"""Mutants of the law, of every kind, that walks must notice."""

HANDSHAKE = """wirelaw trace 1
peer wirelaw
role server
buffer 0
isn 4294967290
call open_passive
send SYN seq=isn wnd=65535 mss=1460
send ACK seq=rcv_nxt ack=snd_nxt wnd=65535
send ACK PSH seq=rcv_nxt ack=snd_nxt wnd=65535 len=100
call receive
call send 10
wait 100000
send FIN ACK seq=rcv_nxt ack=snd_nxt wnd=65535
call close
send ACK seq=rcv_nxt ack=snd_nxt wnd=65535
"""


def walk(seed: int, role: str, peer: WirelawPeer, steps: int = 25) -> WalkResult:
    law = tcp_law()
    random = Random(seed)
    made = make_walk(law, peer, role, random, 0, draw_isn(random), draw_options(random))
    return next(Bench(peer).drive([(made, Explorer(Goals(law, routes_of(law)), random, steps))]))


@given(st.integers(0, 1 << 32), st.integers(0, 5000), st.integers(0, 3000))
def test_text_at_a_sequence_number_does_not_depend_on_where_a_segment_begins(start: int, offset: int, size: int) -> None:
    assert octets(start, offset + size)[offset:] == octets(start + offset, size)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(("server", "client")))
def test_the_same_seed_gives_the_same_walk_and_its_trace_the_same_packets(seed: int, role: str) -> None:
    with WirelawPeer() as peer:
        first, again = walk(seed, role, peer), walk(seed, role, peer)
        replayed = run_traces(tcp_law(), peer, [parse_trace(str(first.trace))])[0]
    assert first.failure is None
    assert again.trace == first.trace
    assert again.frames == first.frames
    assert [f for _, f in replayed.frames] == [f for _, f in first.frames]


def test_a_plain_connection_passes_and_closes() -> None:
    with WirelawPeer() as peer:
        played = replay(parse_trace(HANDSHAKE), peer)
    assert played.result.verdict.grade is Grade.PASS
    assert played.result.state in LAST
    assert played.result.rows["ack.last"] + played.result.rows["ack.last.first"] == 1
    assert "FIN" not in played.text
    assert len(played.text.splitlines()) == len(played.result.frames) + 1


@pytest.mark.parametrize("state", ["LISTEN", "SYN_SENT", "ESTABLISHED"])
def test_there_is_a_way_to_every_state(state: str) -> None:
    routes = routes_of(tcp_law())
    goals = {"LISTEN": ("SYN_RECEIVED", "ESTABLISHED", "CLOSING", "TIME_WAIT", "LAST_ACK"), "SYN_SENT": ("ESTABLISHED", "SYN_RECEIVED")}
    for goal in goals.get(state, ("FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT", "CLOSED")):
        at, hops = state, 0
        while at != goal:
            hop = routes.next_hop(at, frozenset({goal}))
            assert hop is not None, f"no way from {state} to {goal}"
            at, hops = hop.target, hops + 1
            assert hops < 8


def test_a_campaign_covers_most_rows_and_its_report_says_so(tmp_path: Path) -> None:
    seen: list[Progress] = []
    results = run([WirelawPeer], seed=1, walks=40, progress=seen.append)
    [peer] = results.peers
    assert peer.walks == 40
    assert not results.failures
    assert sum(1 for n in peer.rows.values() if n) > results.judged_rows * 0.6
    assert seen[-1].phase == "done"
    report.write(results, tmp_path)
    data = json.loads((tmp_path / "results.json").read_text())
    assert data["peers"][0]["clauses"]["rfc9293:3.10.7.2/third"] == "pass"
    assert "rfc9293:3.10.7.2/third" in (tmp_path / "index.html").read_text()


def test_an_interrupt_keeps_what_was_found() -> None:
    def stop(progress: Progress) -> None:
        if progress.walks == 3:
            raise KeyboardInterrupt

    results = run([WirelawPeer], walks=100, progress=stop)
    assert results.interrupted
    assert results.peers[0].walks == 3
    assert results.peers[0].rows


def test_a_clause_narrows_what_is_judged() -> None:
    results = run([WirelawPeer], walks=1, clause="3.10.7.4/second")
    assert results.clauses
    assert all("3.10.7.4/second" in c for c in results.clauses)


def test_a_broken_stack_is_found_shrunk_and_its_witness_shows_it_again(tmp_path: Path) -> None:
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine, profile = law.machine("tcp.connection"), law.profile("wirelaw", "tcp.connection")
    [deaf] = [m for m in mutants(machine) if m.row == "fin.here" and m.change == "does nothing"]
    with running(generate(deaf.machine, profile)):
        results = run([WirelawPeer], seed=0, walks=40)
        assert results.failures
        peer, found = results.failures[0]
        assert results.standing(found.finding.clause, peer) is Standing.FAIL
        path = save_witness(found, peer.name, tmp_path)
        trace = load_trace(path)
        assert len(trace.steps) <= 8
        with WirelawPeer() as again:
            assert replay(trace, again).shows
    with WirelawPeer() as sound:
        assert not replay(trace, sound).shows
    assert len(list(read_packets(path.with_suffix(".pcap")))) == len(found.frames)


def test_shrinking_keeps_exactly_what_is_needed() -> None:
    steps: tuple[Step, ...] = (*(Wait(n) for n in range(20)), Call("close"), *(Wait(n) for n in range(20)), Call("abort"))
    trace = Trace("wirelaw", "client", 0, 0, steps)

    def play(candidates: object) -> list[bool]:
        return [{"close", "abort"} <= {s.name for s in c.steps if isinstance(s, Call)} for c in candidates]  # type: ignore[attr-defined]

    assert shrink(trace, play).steps == (Call("close"), Call("abort"))


def test_the_suite_kills_mutants_of_the_law_and_passes_the_law() -> None:
    power = measure(sample=len(KILLED), walks=120, only=KILLED)
    assert {o.mutant: o.finding for o in power.outcomes if not o.killed} == {}
    assert {o.mutant for o in power.outcomes} == set(KILLED)
    assert {o.kind for o in power.outcomes} == {"row", "guard", "action", "target", "constant", "timer"}


@pytest.mark.net
def test_our_stack_conforms_on_a_real_virtio_device() -> None:
    if (missing := qemu_is_missing()) is not None:
        pytest.skip(str(missing))
    with WirelawQemuPeer() as peer:
        played = replay(parse_trace(HANDSHAKE), peer)
    assert played.result.verdict.grade is Grade.PASS, played.text
    results = run([WirelawQemuPeer], seed=5, walks=24)
    assert results.peers[0].walks == 24
    assert not results.failures


@pytest.mark.net
def test_linux_conforms_but_for_what_its_file_expects() -> None:
    if (missing := linux_is_missing()) is not None:
        pytest.skip(str(missing))
    with LinuxPeer() as peer:
        played = replay(parse_trace(HANDSHAKE), peer)
    assert played.result.verdict.grade is Grade.PASS, played.text
    assert played.result.state in LAST
    results = run([LinuxPeer], seed=5, walks=12)
    assert results.peers[0].walks == 12
    assert campaign.judged_clauses(tcp_law())


SHUT_BY_AN_OLD_SEGMENT = """wirelaw trace 1
peer wirelaw
role server
buffer 4608
isn 1000
call open_passive
send SYN seq=isn wnd=1000 mss=1460
send ACK seq=rcv_nxt+4000 ack=snd_nxt wnd=1000
call send 2000
send ACK seq=rcv_nxt ack=snd_nxt wnd=0
call send 100
wait 600000000
"""


def test_a_window_shut_by_an_old_segment_is_probed() -> None:
    """SND.UNA moves and SND.WND does not: their sum lies beyond all that was offered (MUST-36)."""
    with WirelawPeer() as peer:
        played = replay(parse_trace(SHUT_BY_AN_OLD_SEGMENT), peer)
    assert played.result.verdict.grade is Grade.PASS, played.text
    assert played.result.rows["tx.probe"] == 1
    assert played.result.rows["tx.again"] > 3


def test_a_syn_that_is_not_answered_is_owed_again() -> None:
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    machine, profile = law.machine("tcp.connection"), law.profile("wirelaw", "tcp.connection")
    [slow] = [m for m in mutants(machine) if str(m) == "[tx.synack] start rto late"]
    opening = "\n".join(SHUT_BY_AN_OLD_SEGMENT.splitlines()[:7]) + "\nwait 100000000\n"
    with running(generate(slow.machine, profile)), WirelawPeer() as peer:
        failure = replay(parse_trace(opening), peer).result.failure
    assert failure is not None
    assert failure.row == "tx.synack"
    with WirelawPeer() as peer:
        assert replay(parse_trace(opening), peer).result.verdict.grade is Grade.PASS
