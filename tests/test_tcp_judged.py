"""Two readings of one table agree: both ends of runs between our own hosts are found lawful by the oracle."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_rig import TWO_MSL, Pair, assert_lawful, octets, sized, state, tcp_law, transfer, verdicts, would
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.config import VIPERDOS
from wirelaw.oracle.capture import Packet
from wirelaw.oracle.engine.verdict import Environment, Grade
from wirelaw.oracle.tcp.connection import judge_capture

ENVIRONMENTS = {"exact": Environment.exact(), "near": Environment.near()}


def lossy_run(seed: int, small: bool = False, rate: float = 0.02) -> Pair:
    """A transfer each way and a close, on a bad cable."""
    pair = Pair(Faults(rate, rate, rate, rate), seed, VIPERDOS if small else sized(), watch=True)
    ours, theirs = pair.opened()
    data = octets(seed, 60_000)
    assert transfer(pair, ours, theirs, data) == data
    assert transfer(pair, theirs, ours, data) == data
    ours.close()
    theirs.close()
    pair.run(2 * TWO_MSL)
    return pair


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("seed", range(12))
def test_both_ends_of_a_lossy_run_pass(seed: int, environment: str) -> None:
    pair = lossy_run(seed, small=seed % 3 == 0)
    assert_lawful(*pair.hosts, environment=ENVIRONMENTS[environment])


@pytest.mark.parametrize("seed", range(3))
def test_both_ends_of_a_very_lossy_run_pass(seed: int) -> None:
    assert_lawful(*lossy_run(100 + seed, rate=0.08).hosts)


acts = st.tuples(st.sampled_from(["send", "recv", "wait", "shut", "close"]), st.integers(0, 1), st.integers(1, 60_000))


@settings(max_examples=25, deadline=None)
@given(st.lists(acts, max_size=25), st.sampled_from([2_048, 1 << 16]), st.sampled_from([0.0, 0.03]), st.integers(0, 999))
def test_whatever_the_users_do_both_ends_keep_the_law(schedule: list[tuple[str, int, int]], size: int, rate: float, seed: int) -> None:
    pair = Pair(Faults(rate, rate, rate), seed, sized(size, size), watch=True)
    sockets = pair.opened()
    gone = [False, False]
    for act, side, count in schedule:
        sock = sockets[side]
        if act == "wait":
            pair.run(count / 100_000)
        elif act == "close":
            sock.close()
            gone[side] = True
        elif not gone[side]:
            try:
                if act == "send":
                    would(lambda: sock.send(octets(0, count)))  # noqa: B023 - run at once
                elif act == "recv":
                    would(lambda: sock.recv(count))  # noqa: B023 - run at once
                else:
                    sock.shutdown(1)
            except OSError:
                continue  # the other side has closed, or this one
    pair.run(1)
    for sock in sockets:
        sock.close()
    pair.run(5 * TWO_MSL)
    assert pair.connections() == (0, 0)
    assert_lawful(*pair.hosts)


def test_a_quiet_run_covers_the_rows_that_our_stack_takes() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    transfer(pair, ours, theirs, octets(0, 50_000))
    theirs.shutdown(1)
    pair.run(TWO_MSL + 1)
    (client,), (server,) = verdicts(pair.client), verdicts(pair.server)
    for row in ("tx.syn", "tx.data", "tx.ack", "tx.fin", "finish.fin.wait.2"):
        assert client.coverage[row], row
    for row in ("listen.syn", "tx.synack", "text.next", "fin.here"):
        assert server.coverage[row], row
    # Whether our CLOSE came before the peer's FIN is the user's secret: the two rows differ in nothing seen so far.
    assert server.coverage["ack.last"] or server.coverage["ack.last.first"]


def test_a_capture_with_one_altered_number_is_a_violation() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    transfer(pair, ours, theirs, octets(0, 20_000))
    assert state(ours) == "FIN_WAIT_2"
    packets = list(pair.client.packets)
    mac = pair.client.config.mac
    place = [i for i, p in enumerate(packets) if p.data[6:12] == mac and len(p.data) > 1000][5]
    changed = bytearray(packets[place].data)
    changed[42:46] = (int.from_bytes(changed[42:46], "big") + 77).to_bytes(4, "big")  # the acknowledgment number
    old = int.from_bytes(changed[50:52], "big")
    changed[50:52] = ((old + 65535 - 77 - 1) % 65535 + 1).to_bytes(2, "big")  # and a checksum that agrees
    packets[place] = Packet(packets[place].number, packets[place].time_us, bytes(changed), packets[place].linktype, len(changed))
    judged = list(judge_capture(tcp_law(), iter(packets), known_until=pair.client.now))
    grades = {j.subject.split(":")[0]: j.verdict.grade for j in judged}
    assert grades[str(pair.client.config.ip)] is Grade.FAIL, [str(j.verdict) for j in judged]
