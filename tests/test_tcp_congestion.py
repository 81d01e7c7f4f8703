"""The congestion window of our TCP (RFC 5681, RFC 6582), which a judge does not see."""

from __future__ import annotations

import pytest
from tcp_rig import SERVER, Script, connect, octets, state
from wirelaw.impl.generated.tcp_connection import TcpConnection
from wirelaw.impl.net.tcp_sockets import TcpSocket

MSS = 1000
SEQ_HALF = 1 << 31


def opened() -> tuple[Script, TcpSocket, int, TcpConnection]:
    """A connection to a peer whose segments carry 1000 octets: host, socket, first number, and its machine."""
    host = Script()
    sock, start = host.accept(has_mss=True, mss=MSS)
    assert sock.connection is not None
    return host, sock, start, sock.connection.machine


def acknowledge(host: Script, number: int, wnd: int = 65535) -> list[int]:
    """What the host sends in return: sequence numbers."""
    return [s.seq for s in host.give(seq=1001, ack=number & 0xFFFF_FFFF, ackf=True, wnd=wnd) if s.len]


def grown(host: Script, sock: TcpSocket, start: int, rounds: int) -> int:
    """Send and acknowledge, four segments a round; the number reached."""
    for place in range(rounds):
        sock.send(octets(4 * MSS * place, 4 * MSS))
        host.run(0.001)
        start += 4 * MSS
        acknowledge(host, start)
    return start


@pytest.mark.parametrize("again", [False, True])
def test_a_handshake_that_took_two_tries_begins_with_one_segment(again: bool) -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        (synack,) = host.give(seq=1000, syn=True, wnd=65535, has_mss=True, mss=MSS)
        if again:
            assert [s.seq for s in host.give(seq=1000, syn=True, wnd=65535, has_mss=True, mss=MSS)] == [synack.seq]
        host.give(seq=1001, ack=synack.seq + 1, ackf=True, wnd=65535)
        sock, _ = listener.accept()
    sock.settimeout(0)
    sock.send(octets(0, 20 * MSS))
    assert len([s for s in host.run(0.001) if s.len]) == (1 if again else 4)


@pytest.mark.parametrize(("lost", "segments", "timeout"), [(False, 4, 1.0), (True, 1, 3.0)])
def test_crossing_syns_of_which_one_went_twice_begin_with_one_segment_and_three_seconds(lost: bool, segments: int, timeout: float) -> None:
    host = Script()
    sock = connect(host.host, str(SERVER), Script.PEER_PORT)
    host.run(1.1 if lost else 0.01)
    port, iss = host.sent[-1][1].src_port, host.sent[-1][1].seq
    host.give(port=port, seq=1000, syn=True, wnd=65535, has_mss=True, mss=MSS)
    host.give(port=port, seq=1000, ack=iss + 1, syn=True, ackf=True, wnd=65535)
    assert state(sock) == "ESTABLISHED"
    sock.send(octets(0, 20 * MSS))
    assert len([s for s in host.run(0.001) if s.len]) == segments
    assert not [s for s in host.run(timeout - 0.1) if s.len]
    assert [s.seq for s in host.run(0.2) if s.len] == [iss + 1]


@pytest.mark.parametrize(("acked", "back"), [(1, 0), (MSS - 1, 0), (MSS, MSS), (2 * MSS, MSS)])
def test_a_partial_acknowledgment_gives_a_segment_back_only_for_a_segment(acked: int, back: int) -> None:
    host, sock, start, machine = opened()
    start = grown(host, sock, start, 4)
    sock.send(octets(0, 8 * MSS))
    host.run(0.001)
    assert [acknowledge(host, start) for _ in range(3)][2][0] == start
    assert machine.recovering
    before = machine.cwnd
    assert acknowledge(host, start + acked)[0] == start + acked
    assert machine.cwnd == before - acked + back
    assert machine.recovering


def test_a_loss_after_half_the_sequence_space_without_one_is_still_repaired_at_once() -> None:
    host, sock, start, machine = opened()
    machine.recover = (start - SEQ_HALF + 10 * MSS) & 0xFFFF_FFFF
    start = grown(host, sock, start, 4)
    sock.send(octets(0, 8 * MSS))
    host.run(0.001)
    assert [acknowledge(host, start) for _ in range(3)] == [[], [], [start]]
