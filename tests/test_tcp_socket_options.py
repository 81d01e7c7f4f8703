"""The calls of a TCP socket: errors of connecting, flags, shutting down, options and what connections inherit of them."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from tcp_rig import SERVER, Pair, Script, connect, octets, read_all, sized, state, would

PEER = str(SERVER)


# Connecting


def test_connecting_without_waiting_tells_how_it_goes() -> None:
    host = Script()
    ours = host.host.socket()
    ours.settimeout(0)
    assert [ours.connect_ex((PEER, 80)) for _ in range(3)] == [errno.EINPROGRESS, errno.EALREADY, errno.EALREADY]
    (syn,) = host.run(0.01)
    host.PEER_PORT = 80
    host.give(seq=5000, ack=(syn.seq + 1) & 0xFFFF_FFFF, syn=True, ackf=True, wnd=1000, port=syn.src_port)
    assert state(ours) == "ESTABLISHED"
    assert ours.connect_ex((PEER, 80)) == errno.EISCONN


def test_a_refusal_is_told_once_and_then_a_connection_may_be_tried_again() -> None:
    pair = Pair()
    ours = pair.connect()
    pair.run(0.1)
    assert ours.connect_ex((PEER, 80)) == errno.ECONNREFUSED
    pair.listen()
    assert ours.connect_ex((PEER, 80)) == errno.EINPROGRESS
    pair.run(0.1)
    assert state(ours) == "ESTABLISHED"


def test_a_listening_socket_cannot_connect() -> None:
    pair = Pair()
    assert pair.listen().connect_ex((PEER, 80)) == errno.EISCONN


# Flags and shutting down


def test_peeking_leaves_octets_in_place_and_unknown_flags_are_refused() -> None:
    host = Script()
    ours, start = host.accept()
    host.give(b"abcdef", seq=1001, ack=start, ackf=True, wnd=1000)
    assert [ours.recv(4, socket.MSG_PEEK), ours.recv(10, socket.MSG_PEEK), ours.recv(4)] == [b"abcd", b"abcdef", b"abcd"]
    into = bytearray(8)
    assert ours.recv_into(into, 0, socket.MSG_PEEK) == 2
    assert read_all(ours) == b"ef"
    for call in (lambda: ours.recv(1, socket.MSG_OOB), lambda: ours.send(b"x", socket.MSG_OOB), lambda: ours.sendall(b"x", socket.MSG_OOB)):
        with pytest.raises(OSError, match="not known") as refusal:
            call()
        assert refusal.value.errno == errno.EOPNOTSUPP
    assert ours.send(b"x", socket.MSG_NOSIGNAL) == 1


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_after_shutting_reading_down_reads_end_and_the_peer_is_not_stalled(how: int) -> None:
    pair = Pair(limits=sized(receive=4096))
    ours, theirs = pair.opened()
    theirs.send(b"unread")
    pair.run(0.2)
    waiting = ours
    waiting.shutdown(how)
    assert ours.recv(10) == b""
    sent = 0
    for _ in range(40):  # much more than the buffer holds
        sent += would(lambda: theirs.send(octets(0, 2000))) or 0
        pair.run(0.1)
    assert sent == 80_000
    assert not theirs.connection.outgoing
    assert ours.recv(10) == b""
    if how == socket.SHUT_RD:
        assert ours.send(b"still") == 5
        pair.run(0.1)
        assert read_all(theirs) == b"still"


def test_a_reader_that_waits_is_woken_by_shutting_reading_down() -> None:
    host = Script()
    ours, _ = host.accept()
    assert ours.connection is not None
    waiting = ours.connection.receive(10)
    assert not waiting.done()
    ours.shutdown(socket.SHUT_RD)
    assert waiting.result(0) == b""


def test_shutting_down_nothing_or_the_unconnected_is_an_error() -> None:
    host = Script()
    ours, _ = host.accept()
    with pytest.raises(OSError, match="SHUT_RD"):
        ours.shutdown(7)
    with pytest.raises(OSError, match="not connected"):
        host.host.socket().shutdown(socket.SHUT_RD)


# Options


def test_the_pending_error_is_told_once() -> None:
    host = Script()
    ours, _ = host.accept()
    host.give(seq=1001, rst=True, wnd=0)
    assert [ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)] == [errno.ECONNRESET, 0]
    with pytest.raises(ConnectionResetError):
        ours.recv(1)


def test_an_error_that_a_call_has_told_is_not_pending() -> None:
    host = Script()
    ours, _ = host.accept()
    host.give(seq=1001, rst=True, wnd=0)
    with pytest.raises(ConnectionResetError):
        ours.recv(1)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_options_of_an_unconnected_socket_are_what_its_connection_will_have() -> None:
    host = Script(sized(receive=70_000, send=50_000))
    ours = host.host.socket()
    sizes = [ours.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_RCVBUF, socket.SO_SNDBUF)]
    assert sizes == [70_000, 50_000]
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 3000)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 3000
    ours.settimeout(0)
    would(lambda: ours.connect((PEER, 80)))
    (syn,) = host.run(0.01)
    assert (syn.wnd, syn.wscale) == (3000, 0), "known before the SYN goes"


def test_linger_is_told_as_it_was_set() -> None:
    ours = Script().host.socket()
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 0, 0)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)


@pytest.mark.parametrize(
    ("level", "option"),
    [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_MAXSEG), (socket.IPPROTO_IP, 99), (99, 1)],
)
def test_unknown_options_are_no_options(level: int, option: int) -> None:
    ours = Script().host.socket()
    for call in (lambda: ours.getsockopt(level, option), lambda: ours.setsockopt(level, option, 1)):
        with pytest.raises(OSError, match=r"know|sets") as refusal:
            call()
        assert refusal.value.errno == errno.ENOPROTOOPT


def test_connections_begin_with_the_options_of_their_listener() -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()  # options count whether set before or after
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        listener.settimeout(0)
        (synack,) = host.give(seq=1000, syn=True, wnd=1000, has_wscale=True, wscale=7)
        assert (synack.wnd, synack.wscale) == (20_000, 0)
        host.give(seq=1001, ack=(synack.seq + 1) & 0xFFFF_FFFF, ackf=True, wnd=1000)
        accepted, _ = listener.accept()
        assert [accepted.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_RCVBUF, socket.SO_SNDBUF)] == [20_000, 30_000]
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert accepted.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 9
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40_000)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 20_000, "what one connection changes is its own"
        accepted.send(b"a")
        accepted.send(b"b")
        assert [s.len for s in host.run(0)] == [1, 1], "nothing waits for an acknowledgment"
        accepted.close()
        assert [s.rst for s in host.run(0)] == [True]


def test_an_active_open_takes_the_options_set_before_it() -> None:
    host = Script()
    ours = connect(host.host, PEER, 80)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert ours.connection is not None
    assert ours.connection.options.nodelay
