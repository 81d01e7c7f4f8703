"""ICMP errors and a connection: which count, what ends by them, and what the user is told of it."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcp_rig import SERVER, Script, connect, state
from wirelaw.impl.net.tcp_sockets import TcpSocket

MASK = 0xFFFF_FFFF
HARD = [(3, 2), (3, 3)]
SOFT = [(3, 0), (3, 1), (3, 5), (11, 0), (12, 0)]


def opening() -> tuple[Script, TcpSocket, int, int]:
    """An active open under way: the host, the socket, its port and its initial number."""
    host = Script()
    host.PEER_PORT = 80
    ours = connect(host.host, str(SERVER), 80)
    (syn,) = host.run(0.01)
    return host, ours, syn.src_port, syn.seq


def number_of(ours: TcpSocket) -> int:
    assert ours.connection is not None
    error = ours.connection.error
    return error.errno or 0 if isinstance(error, OSError) else 0


@pytest.mark.parametrize(("kind", "code"), HARD)
def test_an_attempt_ends_by_a_hard_error_as_refused(kind: int, code: int) -> None:
    host, ours, port, seq = opening()
    host.report(kind, code, port, seq)
    assert state(ours) == "CLOSED"
    assert number_of(ours) == errno.ECONNREFUSED


@given(kind=st.sampled_from(HARD + SOFT), off=st.integers(1, MASK))
def test_an_error_that_quotes_no_number_in_flight_does_nothing(kind: tuple[int, int], off: int) -> None:
    host, ours, port, seq = opening()
    host.report(*kind, port, seq + off)
    assert state(ours) == "SYN_SENT"
    assert number_of(ours) == 0
    assert host.host.statistics.drops["tcp.soft_error"] == 0


@pytest.mark.parametrize(("kind", "code"), HARD + SOFT)
def test_an_open_connection_bears_every_error(kind: int, code: int) -> None:
    host = Script()
    host.PEER_PORT = 80
    ours, start = host.accept()
    ours.send(b"x")
    host.run(0)
    host.report(kind, code, 80, start)
    assert state(ours) == "ESTABLISHED"
    assert host.host.statistics.drops["tcp.soft_error"] == 1
    host.report(kind, code, 80, start + 1)
    assert host.host.statistics.drops["tcp.soft_error"] == 1, "not in flight"


def test_an_error_of_no_connection_is_counted() -> None:
    host = Script()
    host.report(3, 3, 4321, 1)
    assert host.host.statistics.drops["tcp.unclaimed_error"] == 1


def test_a_reset_after_a_soft_error_refuses() -> None:
    host, ours, port, seq = opening()
    host.report(3, 0, port, seq)
    assert state(ours) == "SYN_SENT"
    host.give(port=port, ack=(seq + 1) & MASK, ackf=True, rst=True)
    assert number_of(ours) == errno.ECONNREFUSED


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(None, errno.ETIMEDOUT), ((3, 0), errno.ENETUNREACH), ((3, 1), errno.EHOSTUNREACH), ((11, 0), errno.EHOSTUNREACH)],
)
def test_a_timeout_tells_what_the_network_said(trouble: tuple[int, int] | None, told: int) -> None:
    host, ours, port, seq = opening()
    if trouble is not None:
        host.report(*trouble, port, seq)
    host.run(200)
    assert number_of(ours) == told


@pytest.mark.parametrize(("answered", "told"), [(False, errno.EHOSTUNREACH), (True, errno.ETIMEDOUT)])
def test_an_acknowledgment_since_then_makes_the_networks_word_old(answered: bool, told: int) -> None:
    host = Script()
    host.PEER_PORT = 80
    ours, start = host.accept()
    ours.send(b"x")
    host.run(0)
    host.report(3, 1, 80, start)
    if answered:
        host.give(seq=1001, ack=(start + 1) & MASK, ackf=True, wnd=1000)
        ours.send(b"y")
    host.run(2000)
    assert number_of(ours) == told
