"""Segments that arrive, one row at a time: what RFC 9293 section 3.10.7 and the documents beside it want in return."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from tcp_rig import SERVER, Script, connect, state, would
from wirelaw.impl.net import tcp
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.generate import generate

# Gaps (RFC 5681 section 4.2)


@pytest.mark.parametrize(
    ("ahead", "size", "acknowledged"),
    [(1301, 100, 1101), (1101, 100, 1201), (1101, 200, 1201)],
    ids=["fills a part", "fills it", "fills it and covers what was held"],
)
def test_what_fills_a_gap_is_acknowledged_at_once(ahead: int, size: int, acknowledged: int) -> None:
    host = Script()
    _, ours = host.accept()
    host.run(1)
    assert [s.ack for s in host.give(bytes(100), seq=ahead, ack=ours, ackf=True)] == [1001]
    assert [s.ack for s in host.give(bytes(size), seq=1001, ack=ours, ackf=True)] == [acknowledged]


def test_text_in_order_waits_for_company_where_nothing_is_held() -> None:
    host = Script()
    _, ours = host.accept()
    host.run(1)
    host.give(bytes(100), seq=1101, ack=ours, ackf=True)
    host.give(bytes(100), seq=1001, ack=ours, ackf=True)
    assert host.give(bytes(100), seq=1201, ack=ours, ackf=True) == []
    assert [s.ack for s in host.run(0.1)] == [1301]


# The eighth step where a FIN has been received already


def test_a_fin_in_the_window_of_time_wait_is_acknowledged_and_starts_2msl_again() -> None:
    host = Script()
    sock, ours = host.accept()
    sock.shutdown(1)
    host.run()
    host.give(seq=1001, ack=ours + 1, ackf=True, fin=True)
    assert state(sock) == "TIME_WAIT"
    host.run(30)
    assert [s.ack for s in host.give(seq=1002, ack=ours + 1, ackf=True, fin=True)] == [1002]
    host.run(45)
    assert state(sock) == "TIME_WAIT"
    host.run(20)
    assert state(sock) == "CLOSED"


def test_a_second_fin_in_close_wait_is_acknowledged_and_changes_nothing() -> None:
    host = Script()
    sock, ours = host.accept()
    host.give(seq=1001, ack=ours, ackf=True, fin=True)
    assert [s.ack for s in host.give(seq=1002, ack=ours, ackf=True, fin=True)] == [1002]
    assert state(sock) == "CLOSE_WAIT"


# Resets


def test_a_reset_in_the_window_of_syn_received_refuses_where_it_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    law = load([SPEC / "tcp", SPEC / "profiles" / "tcp.profile"])
    profile = law.profile("wirelaw", "tcp.connection")
    text = generate(law.machine("tcp.connection"), replace(profile, choices=profile.choices | {"rst_near": "reset"}))
    module = ModuleType("obeys")
    monkeypatch.setitem(sys.modules, "obeys", module)
    exec(compile(text, "obeys", "exec"), module.__dict__)
    monkeypatch.setattr(tcp, "TcpConnection", module.TcpConnection)
    host = Script()
    ours = connect(host.host, str(SERVER), Script.PEER_PORT)
    host.run()
    port = host.sent[-1][1].src_port
    host.give(port=port, seq=5000, syn=True)
    assert state(ours) == "SYN_RECEIVED"
    host.give(port=port, seq=5500, rst=True)
    with pytest.raises(ConnectionRefusedError):
        ours.recv(1)


# Challenges and timestamps


def test_the_first_challenge_goes_at_once_whatever_the_clock_says() -> None:
    host = Script()
    _, ours = host.accept()
    assert host.host.now < 500_000
    assert len(host.give(seq=500, ack=ours, ackf=True)) == 1
    assert host.give(seq=500, ack=ours, ackf=True) == []
    assert len(host.run(1)) == 1, "one for all that came meanwhile"


def test_a_refused_segment_does_not_poison_the_timestamp() -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        (answer,) = host.give(seq=1000, syn=True, tson=True, tsval=100)
        ours = (answer.seq + 1) & 0xFFFF_FFFF
        host.give(seq=1001, ack=ours, ackf=True, tson=True, tsval=100, tsecr=answer.tsval)
        sock, _ = listener.accept()
    sock.settimeout(0)
    host.run(1)
    host.give(seq=1001, ack=ours + 9999, ackf=True, tson=True, tsval=200_000)  # acknowledges what was never sent
    host.run(1)
    host.give(b"true", seq=1001, ack=ours, ackf=True, tson=True, tsval=201)
    assert would(lambda: sock.recv(10)) == b"true"


def test_the_newest_timestamp_is_noted_after_our_fin_too() -> None:
    """RFC 7323 section 4.3 (2) knows no states: a sender that gets old echoes measures long round trips and repeats ever later."""
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        (answer,) = host.give(seq=1000, syn=True, tson=True, tsval=100)
        ours = (answer.seq + 1) & 0xFFFF_FFFF
        host.give(seq=1001, ack=ours, ackf=True, tson=True, tsval=100, tsecr=answer.tsval)
        sock, _ = listener.accept()
    sock.shutdown(socket.SHUT_WR)
    host.run(0.1)
    host.give(seq=1001, ack=ours + 1, ackf=True, tson=True, tsval=150)
    assert state(sock) == "FIN_WAIT_2"
    host.give(bytes(100), seq=1101, ack=ours + 1, ackf=True, tson=True, tsval=199)  # a gap in front of it
    (echo,) = host.give(bytes(100), seq=1001, ack=ours + 1, ackf=True, tson=True, tsval=200)
    assert (echo.ack, echo.tsecr) == (1201, 200)


# Text on a SYN (3.10.7.2, 3.10.7.3)


def connecting(host: Script) -> tuple[TcpSocket, int, int]:
    """An active open under way: the socket, its port, its initial number."""
    ours = connect(host.host, str(SERVER), Script.PEER_PORT)
    host.run()
    return ours, host.sent[-1][1].src_port, host.sent[-1][1].seq


def test_text_and_fin_on_a_syn_ack_are_processed() -> None:
    host = Script()
    ours, port, iss = connecting(host)
    (answer, *_) = host.give(b"abc", port=port, seq=5000, ack=iss + 1, syn=True, ackf=True, wnd=9000)
    assert (answer.ack, ours.recv(9), state(ours)) == (5004, b"abc", "ESTABLISHED")
    ours, port, iss = connecting(host)
    (answer, *_) = host.give(b"abc", port=port, seq=5000, ack=iss + 1, syn=True, ackf=True, fin=True, wnd=9000)
    assert (answer.ack, ours.recv(9), ours.recv(9), state(ours)) == (5005, b"abc", b"", "CLOSE_WAIT")


def test_text_on_a_syn_waits_until_the_connection_is_open() -> None:
    host = Script()
    listener = host.host.socket()
    listener.bind(("", 80))
    listener.listen()
    listener.settimeout(0)
    (answer,) = host.give(b"abc", seq=1000, syn=True, fin=True, wnd=9000)
    assert (answer.syn, answer.ack) == (True, 1001)
    assert [(s.syn, s.ack) for s in host.give(b"abc", seq=1000, syn=True, fin=True, wnd=9000)] == [(True, 1001)], "repeated"
    (acknowledgment,) = host.give(seq=1005, ack=answer.seq + 1, ackf=True, wnd=9000)
    sock, _ = listener.accept()
    sock.settimeout(0)
    assert (acknowledgment.ack, sock.recv(9), sock.recv(9), state(sock)) == (1005, b"abc", b"", "CLOSE_WAIT")


def test_text_on_crossing_syns_waits_too() -> None:
    host = Script()
    ours, port, iss = connecting(host)
    (answer,) = host.give(b"abc", port=port, seq=5000, syn=True, wnd=9000)
    assert (answer.syn, answer.ack, state(ours)) == (True, 5001, "SYN_RECEIVED")
    *_, acknowledgment = host.give(b"d", port=port, seq=5004, ack=iss + 1, ackf=True, wnd=9000)
    assert (state(ours), ours.recv(9), acknowledgment.ack) == ("ESTABLISHED", b"abcd", 5005)
