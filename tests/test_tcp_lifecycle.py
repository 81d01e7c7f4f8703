"""TCP connections come and go: opening, closing, refusing, resetting, timing out, and full tables."""

from __future__ import annotations

import errno
import socket
import struct
from itertools import pairwise

import pytest
from tcp_rig import (
    CLIENT,
    PORT,
    SERVER,
    TWO_MSL,
    Pair,
    Script,
    assert_lawful,
    connect,
    octets,
    read_all,
    sized,
    state,
    would,
)  # fmt: skip
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.tcp_sockets import TcpSocket

RESET = struct.pack("ii", 1, 0)


def abort(sock: TcpSocket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def ended(sock: TcpSocket) -> bool:
    assert sock.connection is not None
    return sock.connection.ended.done()


# Opening


def test_both_sides_open_at_once() -> None:
    pair = Pair(watch=True)
    pair.client.ping(str(SERVER))
    pair.run(0.1)
    ours = connect(pair.client, str(SERVER), 7000, local=6000)
    theirs = connect(pair.server, str(CLIENT), 6000, local=7000)
    pair.run(0.1)
    assert (state(ours), state(theirs)) == ("ESTABLISHED", "ESTABLISHED")
    ours.send(b"hello")
    theirs.send(b"there")
    pair.run(0.1)
    assert (read_all(theirs), read_all(ours)) == (b"hello", b"there")
    assert_lawful(*pair.hosts)


def test_a_port_without_listener_refuses() -> None:
    pair = Pair(watch=True)
    ours = pair.connect()
    pair.run(0.1)
    with pytest.raises(ConnectionRefusedError):
        ours.recv(1)
    assert pair.connections() == (0, 0)
    assert_lawful(*pair.hosts)


def test_a_syn_is_sent_again_with_growing_gaps_and_given_up_after_three_minutes() -> None:
    host = Script()
    ours = connect(host.host, str(SERVER), 80)
    host.run(200)
    times = [at for at, s in host.sent if s.syn]
    gaps = [(after - before) / 1e6 for before, after in pairwise(times)]
    assert gaps[:6] == [1, 2, 4, 8, 16, 32]
    assert gaps[6:] == [60, 60][: len(gaps) - 6], "at most rto_max apart"
    with pytest.raises(TimeoutError):
        ours.recv(1)
    assert ended(ours)
    assert times[-1] < 180e6
    assert host.host.statistics.tcp_conns == 0


def test_an_address_that_does_not_answer_arp_ends_in_a_timeout() -> None:
    pair = Pair()
    ours = connect(pair.client, "10.0.2.99", 80)
    pair.run(200)
    with pytest.raises(OSError, match=r"deliver|answer"):
        ours.recv(1)
    assert pair.connections() == (0, 0)


def test_a_full_backlog_leaves_the_peer_to_try_again() -> None:
    pair = Pair()
    listener = pair.listen(backlog=2)
    clients = [pair.connect() for _ in range(4)]
    pair.run(0.5)
    assert sorted(map(state, clients)) == ["ESTABLISHED"] * 2 + ["SYN_SENT"] * 2
    assert pair.server.statistics.drops["tcp.backlog"] >= 2
    accepted = [listener.accept()[0] for _ in range(2)]
    with pytest.raises(BlockingIOError):
        listener.accept()
    pair.run(3)
    assert [state(c) for c in clients] == ["ESTABLISHED"] * 4
    accepted += [listener.accept()[0] for _ in range(2)]
    assert len({a.getpeername() for a in accepted}) == 4


def test_a_full_table_refuses_to_open_and_serves_again_when_there_is_room() -> None:
    pair = Pair(limits=sized(tcp_connections=3))
    listener = pair.listen()
    clients = [pair.connect() for _ in range(3)]
    pair.run(0.1)
    with pytest.raises(OSError, match="all 3 TCP connections are in use") as refusal:
        pair.connect()
    assert refusal.value.errno == errno.ENOBUFS
    small = Pair(limits=sized(), peer=sized(tcp_connections=2))
    small.listen()
    more = [small.connect() for _ in range(3)]
    small.run(0.1)
    assert sorted(map(state, more)) == ["ESTABLISHED", "ESTABLISHED", "SYN_SENT"]
    assert small.server.statistics.drops["tcp.connections"] == 1
    abort(more[[state(m) for m in more].index("ESTABLISHED")])
    small.run(3)
    assert [state(m) for m in more if m.connection] == ["ESTABLISHED"] * 2
    assert len(clients) == len([listener.accept() for _ in range(3)])


def test_closing_a_listener_resets_those_it_has_not_handed_out_and_refuses_others() -> None:
    pair = Pair()
    listener = pair.listen()
    waiting, accepted = pair.connect(), pair.connect()
    pair.run(0.1)
    kept, _ = listener.accept()
    listener.close()
    pair.run(0.1)
    assert sorted(map(ended, (waiting, accepted))) == [False, True]
    late = pair.connect()
    pair.run(0.1)
    with pytest.raises(ConnectionRefusedError):
        late.recv(1)
    kept.send(b"still here")
    pair.run(0.1)
    alive = accepted if ended(waiting) else waiting
    assert alive.recv(100) == b"still here"
    again = pair.listen()
    assert again.getsockname()[1] == PORT


def test_a_port_has_one_listener_and_a_socket_one_connection() -> None:
    pair = Pair()
    listener = pair.listen()
    with pytest.raises(OSError, match="has a listener"):
        pair.listen()
    ours = pair.connect()
    pair.run(0.1)
    with pytest.raises(OSError, match="a connection already"):
        ours.connect((str(SERVER), PORT))
    with pytest.raises(OSError, match="not connected"):
        listener.recv(1)
    with pytest.raises(OSError, match="unicast"):
        pair.client.socket().connect(("255.255.255.255", 80))
    ours.close()
    for use in (lambda: ours.recv(1), lambda: ours.connect((str(SERVER), PORT)), ours.listen):
        with pytest.raises(OSError, match="closed"):
            use()


def test_a_listener_forgets_a_half_open_connection_that_never_completes() -> None:
    host = Script()
    listener = host.host.socket()
    listener.bind(("", 80))
    listener.listen(1)
    listener.settimeout(0)
    host.give(seq=1, syn=True, wnd=1000)
    host.run(400)
    assert host.host.statistics.tcp_conns == 0
    synacks = [at for at, s in host.sent if s.syn and s.ackf]
    assert len(synacks) >= 4
    with pytest.raises(BlockingIOError):
        listener.accept()
    (again,) = host.give(seq=500, syn=True, wnd=1000)
    assert again.syn, "there is room in the backlog once more"


def test_a_reset_of_a_half_open_connection_frees_its_place() -> None:
    host = Script()
    listener = host.host.socket()
    listener.bind(("", 80))
    listener.listen(1)
    for number in range(5):
        (synack,) = host.give(seq=1_000 * number, syn=True, wnd=1000)
        assert synack.syn
        host.give(seq=1_000 * number + 1, ack=synack.seq + 1, rst=True)
    assert host.host.statistics.tcp_conns == 0
    assert host.host.statistics.drops["tcp.backlog"] == 0


# Closing


def test_both_sides_close_at_once() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    ours.shutdown(1)
    theirs.shutdown(1)
    pair.run(0.1)
    assert (state(ours), state(theirs)) == ("TIME_WAIT", "TIME_WAIT")
    assert (ours.recv(1), theirs.recv(1)) == (b"", b"")
    pair.run(TWO_MSL + 1)
    assert pair.connections() == (0, 0)
    assert_lawful(*pair.hosts)


def test_time_wait_lasts_two_msl_and_a_late_fin_starts_it_anew() -> None:
    host = Script()
    ours, start = host.accept()
    ours.shutdown(1)
    host.run()
    host.give(seq=1001, ack=start + 1, ackf=True, fin=True, wnd=1000)
    assert state(ours) == "TIME_WAIT"
    host.run(TWO_MSL - 1)
    (ack,) = host.give(seq=1001, ack=start + 1, ackf=True, fin=True, wnd=1000)
    assert ack.ack == 1002
    host.run(TWO_MSL - 1)
    assert not ended(ours)
    host.run(2)
    assert ended(ours)
    assert ours.recv(1) == b"", "an end, no error"


def test_close_delivers_what_was_sent() -> None:
    pair = Pair()
    ours, theirs = pair.opened()
    data = octets(0, 200_000)
    assert ours.send(data) == len(data)
    ours.close()
    received = bytearray()
    while (piece := would(lambda: theirs.recv(1 << 16))) != b"":
        received += piece or b""
        pair.run(0.05)
    assert bytes(received) == data
    theirs.close()
    pair.run(TWO_MSL + 1)
    assert pair.connections() == (0, 0)


@pytest.mark.parametrize("how", ["linger", "unread"])
def test_abort_and_close_with_unread_text_reset_the_connection(how: str) -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    theirs.send(b"not read")
    pair.run(0.1)
    if how == "linger":
        assert ours.recv(100) == b"not read"
        abort(ours)
    else:
        ours.close()
    pair.run(0.1)
    with pytest.raises(ConnectionResetError):
        theirs.recv(1)
    with pytest.raises(ConnectionResetError):
        theirs.send(b"gone")
    assert pair.connections() == (0, 0)
    assert pair.client.segments()[-1][1].rst
    assert_lawful(*pair.hosts)


def test_text_for_a_socket_that_was_closed_is_answered_with_a_reset() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    ours.close()
    pair.run(0.1)
    assert theirs.recv(1) == b""
    theirs.send(b"nobody reads this")
    pair.run(0.1)
    with pytest.raises(ConnectionResetError):
        theirs.send(b"x")
    assert pair.connections() == (0, 0)
    assert_lawful(*pair.hosts)


def test_a_socket_that_never_connected_closes_in_silence() -> None:
    pair = Pair(watch=True)
    ours = pair.connect()
    ours.close()
    pair.run(10)
    assert pair.connections() == (0, 0)
    assert not any(s.fin or s.rst for _, s in pair.client.segments())
    ours.close()


@pytest.mark.parametrize("where", ["LAST_ACK", "CLOSING", "TIME_WAIT"])
def test_a_reset_after_both_have_finished_ends_the_connection_without_an_error(where: str) -> None:
    host = Script()
    ours, start = host.accept()
    if where == "LAST_ACK":
        host.give(seq=1001, ack=start, ackf=True, fin=True, wnd=1000)
        ours.shutdown(1)
        host.run()
    else:
        ours.shutdown(1)
        host.run()
        host.give(seq=1001, ack=start + (where == "TIME_WAIT"), ackf=True, fin=True, wnd=1000)
    assert state(ours) == where
    host.give(seq=1002, rst=True)
    assert ended(ours)
    assert ours.recv(1) == b"", "RFC 9293 3.10.7.4: no signal to the user in these states"


@pytest.mark.parametrize("where", ["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT"])
def test_a_reset_in_mid_connection_is_an_error_after_what_was_received(where: str) -> None:
    host = Script()
    ours, start = host.accept()
    host.give(b"early", seq=1001, ack=start, ackf=True, wnd=1000)
    after = 1006
    if where == "CLOSE_WAIT":
        host.give(seq=after, ack=start, ackf=True, fin=True, wnd=1000)
        after += 1
    elif where != "ESTABLISHED":
        ours.shutdown(1)
        host.run()
        host.give(seq=after, ack=start + (where == "FIN_WAIT_2"), ackf=True, wnd=1000)
    assert state(ours) == where
    host.give(seq=after, rst=True)
    assert ended(ours)
    assert ours.recv(100) == b"early"
    if where == "CLOSE_WAIT":
        assert ours.recv(1) == b"", "the peer had finished before: nothing of its stream is missing"
    else:
        with pytest.raises(ConnectionResetError):
            ours.recv(1)
    with pytest.raises(ConnectionResetError):
        ours.send(b"more")
    with pytest.raises(OSError, match="no connection"):
        ours.getpeername()


# Silence


def test_a_peer_that_falls_silent_ends_in_the_user_timeout() -> None:
    host = Script()
    ours, _ = host.accept()
    ours.send(b"anybody?")
    host.run(99)
    assert not ended(ours)
    host.run(5)
    assert ended(ours)
    with pytest.raises(TimeoutError):
        ours.recv(1)
    copies = [at for at, s in host.sent if s.len]
    gaps = [(after - before) / 1e6 for before, after in pairwise(copies)]
    assert gaps == [1, 2, 4, 8, 16, 32]


def test_an_idle_connection_lives_for_ever_and_costs_nothing() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    pair.run(1)
    before = len(pair.client.segments()) + len(pair.server.segments())
    pair.run(100_000)
    assert len(pair.client.segments()) + len(pair.server.segments()) == before
    ours.send(b"still there")
    pair.run(10)
    assert theirs.recv(100) == b"still there"


def test_a_finished_peer_that_vanishes_does_not_keep_the_connection() -> None:
    pair = Pair()
    ours, theirs = pair.opened()
    pair.lan.strike(Faults(loss=1))
    ours.close()
    theirs.close()
    pair.run(200)
    assert pair.connections() == (0, 0)


def test_an_old_four_tuple_can_be_used_again_while_the_other_end_waits() -> None:
    pair = Pair()
    listener = pair.listen()
    for _ in range(3):
        ours = connect(pair.client, str(SERVER), PORT, local=6000)
        assert pair.until(lambda: state(ours) == "ESTABLISHED", 10)  # noqa: B023 - run at once
        pair.run(0.01)
        theirs, _ = listener.accept()
        theirs.close()
        pair.run(0.1)
        ours.close()
        pair.run(0.1)
        assert pair.connections() == (0, 1), "the server's end is in TIME-WAIT"


# What the law says to a user's calls


def test_a_writer_that_waits_when_the_user_closes_is_refused_and_what_was_taken_arrives() -> None:
    pair = Pair(limits=sized(4_096, 4_096), watch=True)
    ours, theirs = pair.opened()
    assert ours.connection is not None
    assert ours.send(octets(0, 4_096)) == 4_096
    waiting = [ours.connection.send(octets(4_096, 100)) for _ in range(2)]
    assert not any(future.done() for future in waiting)
    ours.shutdown(1)
    pair.run(0.5)
    for future in waiting:
        assert isinstance(future.exception(0), BrokenPipeError)
    assert read_all(theirs) == octets(0, 4_096)
    pair.run(5)
    assert theirs.recv(1) == b""
    assert_lawful(*pair.hosts)


def test_writers_that_wait_are_served_in_their_order() -> None:
    pair = Pair(limits=sized(4_096, 4_096), watch=True)
    ours, theirs = pair.opened()
    assert ours.connection is not None
    pieces = [octets(place, 2_048) for place in range(0, 8_192, 2_048)]
    writers = [ours.connection.send(piece) for piece in pieces]
    assert [future.done() for future in writers] == [True, True, False, False]
    received = b""
    for _ in range(100):
        pair.run(0.1)
        received += read_all(theirs)
    taken = [piece[: future.result(0)] for piece, future in zip(pieces, writers, strict=True)]
    assert all(taken)
    assert received == b"".join(taken)


def test_a_reader_that_waits_is_told_the_end_and_a_reset() -> None:
    for reset in (False, True):
        pair = Pair()
        ours, theirs = pair.opened()
        assert ours.connection is not None
        waiting = ours.connection.receive(10)
        pair.run(0.1)
        assert not waiting.done()
        if reset:
            abort(theirs)
        else:
            theirs.shutdown(1)
        pair.run(0.1)
        if reset:
            assert isinstance(waiting.exception(0), ConnectionResetError)
        else:
            assert waiting.result(0) == b""


@pytest.mark.parametrize("where", ["CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_what_came_before_the_end_is_read_first_wherever_the_connection_is(where: str) -> None:
    host = Script()
    ours, start = host.accept()
    if where in {"CLOSING", "TIME_WAIT"}:
        ours.shutdown(1)
        host.run()
    host.give(b"last words", seq=1001, ack=start + (where == "TIME_WAIT"), ackf=True, fin=True, wnd=1000)
    if where == "LAST_ACK":
        ours.shutdown(1)
        host.run()
    assert state(ours) == where
    assert ours.recv(4) == b"last"
    assert ours.recv(100) == b" words"
    assert ours.recv(1) == b""
    host.run(2 * TWO_MSL)
    if where == "TIME_WAIT":
        assert state(ours) == "CLOSED"
        assert ours.recv(1) == b"", "the end stays the end"


def test_a_receive_buffer_does_not_shrink_below_what_was_offered() -> None:
    host = Script(sized(10_000, 10_000))
    ours, start = host.accept()
    host.give(octets(0, 1_000), seq=1001, ack=start, ackf=True, wnd=1000)
    offered = host.run(0.1)[-1]
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_000)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 1_000 + offered.wnd
    host.give(octets(1_000, offered.wnd), seq=offered.ack, ack=start, ackf=True, wnd=1000)
    assert read_all(ours) == octets(0, 1_000 + offered.wnd)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 20_000
