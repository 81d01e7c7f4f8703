"""How much TCP sends, and when: windows, probes, Nagle's rule, delayed acknowledgments."""

from __future__ import annotations

import socket
import struct
from functools import partial
from itertools import pairwise

import pytest
from tcp_rig import Pair, Script, assert_lawful, octets, read_all, sized, would
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.tcp_sockets import TcpSocket

VIRTUAL_PATIENCE = 200_000_000  # microseconds


@pytest.mark.parametrize(("nodelay", "segments"), [(False, 2), (True, 20)])
def test_small_writes_are_gathered_unless_nagle_is_off(nodelay: bool, segments: int) -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(nodelay))
    for place in range(0, 200, 10):
        ours.send(octets(place, 10))
        pair.act()
    pair.run(0.5)
    assert read_all(theirs) == octets(0, 200)
    assert sum(s.len > 0 for _, s in pair.client.segments()) == segments


def test_nagle_sends_the_last_small_piece_when_the_user_is_done() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    ours.send(octets(0, 10))
    pair.act()
    ours.send(octets(10, 10))
    ours.shutdown(1)
    pair.run(0.001)
    assert read_all(theirs) == octets(0, 20)


def test_one_acknowledgment_for_two_segments_and_none_later_than_40_ms() -> None:
    host = Script()
    _, start = host.accept()
    answers = []
    for number in range(8):
        answers += [host.give(octets(number, 1460), seq=1001 + 1460 * number, ack=start, ackf=True, wnd=65535)]
    assert [len(a) for a in answers] == [0, 1] * 4
    assert [a[0].ack for a in answers if a] == [1001 + 1460 * n for n in (2, 4, 6, 8)]
    arrived = host.host.now
    assert not host.give(b"tail", seq=1001 + 1460 * 8, ack=start, ackf=True, wnd=65535)
    (last,) = host.run(0.04)
    assert last.ack == 1001 + 1460 * 8 + 4
    assert host.sent[-1][0] - arrived <= 40_000


def test_text_out_of_order_is_acknowledged_at_once_and_kept() -> None:
    host = Script()
    ours, start = host.accept()
    (duplicate,) = host.give(octets(100, 100), seq=1101, ack=start, ackf=True, wnd=65535)
    assert duplicate.ack == 1001
    (joined,) = host.give(octets(0, 100), seq=1001, ack=start, ackf=True, wnd=65535)
    assert joined.ack == 1201
    assert ours.recv(1000) == octets(0, 200)


def test_a_closed_window_is_probed_ever_more_rarely_for_as_long_as_the_peer_answers() -> None:
    host = Script()
    ours, start = host.accept(wnd=1_000, has_mss=True, mss=1000)
    ours.send(octets(0, 5_000))
    host.run(0.001)
    host.give(seq=1001, ack=start + 1_000, ackf=True, wnd=0)
    times = []
    for _ in range(40_000):
        probes = [s for s in host.run(0.05) if s.len]
        if probes:
            assert [(s.seq, s.len) for s in probes] == [(start + 1_000, 1)]
            times.append(host.sent[-1][0])
            host.give(seq=1001, ack=start + 1_000, ackf=True, wnd=0)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[0] >= 1_000_000
    assert gaps == sorted(gaps)
    assert max(gaps) <= 60_000_000
    assert ours.connection is not None
    assert not ours.connection.ended.done(), "a peer that answers is alive (RFC 9293 MUST-37)"
    host.give(seq=1001, ack=start + 1_001, ackf=True, wnd=10_000)
    sent = {s.seq for s in host.run(1) if s.len}
    assert start + 1_001 in sent


def test_a_receiver_that_reads_opens_the_window_with_an_update() -> None:
    pair = Pair(limits=sized(4_096, 1 << 16), watch=True)
    ours, theirs = pair.opened()
    ours.send(octets(0, 20_000))
    pair.run(2)
    assert theirs.connection is not None
    assert theirs.connection.incoming.readable == 4_096
    before = len(pair.server.segments())
    assert pair.server.segments()[-1][1].wnd == 0
    assert theirs.recv(100) == octets(0, 100)
    pair.act()
    assert len(pair.server.segments()) == before, "100 octets are no window worth telling (RFC 9293 3.8.6.2.2)"
    assert theirs.recv(3_000) == octets(100, 3_000)
    pair.act()
    assert pair.server.segments()[-1][1].wnd >= 1_460
    rest, received = 20_000 - 3_100, b""
    while len(received) < rest:
        received += would(lambda: theirs.recv(1 << 16)) or b""
        pair.run(0.1)
    assert received == octets(3_100, rest)
    assert_lawful(*pair.hosts)


def test_no_silly_windows_when_the_reader_sips() -> None:
    pair = Pair(limits=sized(8_192, 1 << 16), watch=True)
    ours, theirs = pair.opened()
    ours.send(octets(0, 50_000))
    received = b""
    while len(received) < 50_000:
        received += would(lambda: theirs.recv(50)) or b""
        pair.run(0.001)
    assert received == octets(0, 50_000)
    lengths = [s.len for _, s in pair.client.segments() if s.len]
    assert len(lengths) < 50_000 / 700, "mostly full segments, however little is read at a time"
    assert_lawful(*pair.hosts)


def test_the_offered_window_never_shrinks_and_never_exceeds_the_buffer() -> None:
    pair = Pair(limits=sized(16_384, 1 << 17), watch=True)
    ours, theirs = pair.opened()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_000)
    ours.send(octets(0, 60_000))
    received = b""
    while len(received) < 60_000:
        pair.run(0.05)
        received += would(lambda: theirs.recv(1_500)) or b""
    edges = [s.ack + s.wnd for _, s in pair.server.segments() if not s.syn]
    assert edges == sorted(edges)
    assert received == octets(0, 60_000)


def test_slow_start_begins_small_and_doubles() -> None:
    host = Script()
    ours, start = host.accept(has_mss=True, mss=1460)
    ours.send(octets(0, 100_000))
    flights = []
    for _ in range(4):
        flights.append(sum(s.len > 0 for s in host.run(0.01)))
        for segment in [s for _, s in host.sent if s.len][-flights[-1] :]:
            host.give(seq=1001, ack=segment.seq + segment.len, ackf=True, wnd=65535)
    assert flights[0] == 3, "initial window for an MSS of 1460 (RFC 5681 3.1)"
    assert start


def test_three_duplicate_acknowledgments_bring_the_lost_segment_again() -> None:
    host = Script()
    ours, start = host.accept(has_mss=True, mss=1000)
    ours.send(octets(0, 50_000))
    for _ in range(4):
        host.run(0.01)
        host.give(seq=1001, ack=max(s.seq + s.len for _, s in host.sent), ackf=True, wnd=65535)
    host.run(0.01)
    lost = max(s.seq + s.len for _, s in host.sent) - 4_000
    answers = [host.give(seq=1001, ack=lost, ackf=True, wnd=65535) for _ in range(5)]
    again = [[s.seq for s in a if s.seq == lost] for a in answers]
    assert again[3] == [lost], "the first acknowledgment is new, three repeat it"
    assert not any(again[:3])
    assert start


def closed_after_a_probe() -> tuple[Script, TcpSocket, int]:
    """A connection whose peer takes nothing any more, with one octet sent beyond its window."""
    host = Script()
    ours, start = host.accept(wnd=1_000, has_mss=True, mss=1000)
    ours.send(octets(0, 5_000))
    host.run(0.001)
    host.give(seq=1001, ack=start + 1_000, ackf=True, wnd=0)
    while not any(s.seq == start + 1_000 and s.len == 1 for s in host.run(0.1)):
        assert host.host.now < 10_000_000, "no probe"
    return host, ours, start + 1_000


def test_what_is_acknowledged_after_a_probe_comes_from_inside_the_window() -> None:
    host, ours, edge = closed_after_a_probe()
    host.give(octets(0, 100), seq=1001, ack=edge, ackf=True, wnd=0)
    host.run(0.05)
    answer = host.sent[-1][1]
    assert (answer.seq, answer.ack, answer.len) == (edge, 1101, 0), "the octet beyond the window may never have been taken"
    assert read_all(ours) == octets(0, 100)


def test_a_reset_after_a_probe_comes_from_inside_the_window() -> None:
    host, ours, edge = closed_after_a_probe()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ours.close()
    (reset,) = host.run()
    assert (reset.rst, reset.seq) == (True, edge)


def filled_up() -> tuple[Script, TcpSocket, int, int]:
    """A connection whose buffer is full: the socket, our next number and the one we expect."""
    host = Script(sized(1_000, 1 << 16))
    ours, start = host.accept(has_mss=True, mss=1460)
    host.give(octets(0, 1_000), seq=1001, ack=start, ackf=True, wnd=65535)
    host.run(0.05)
    assert (host.sent[-1][1].ack, host.sent[-1][1].wnd) == (2001, 0)
    ours.send(octets(0, 1_000))
    host.run()
    return host, ours, start, 2001


@pytest.mark.parametrize("past", [0, 1])
def test_a_full_receiver_still_hears_acknowledgments(past: int) -> None:
    host, ours, start, expected = filled_up()
    assert not host.give(seq=expected + past, ack=start + 1_000, ackf=True, wnd=65535)
    assert ours.connection is not None
    assert len(ours.connection.outgoing) == 0, "what is acknowledged is released"
    assert not [s for s in host.run(10) if s.len], "and not sent again"


def test_a_full_receiver_answers_each_probe() -> None:
    host, ours, start, expected = filled_up()
    for _ in range(3):
        answers = host.give(b"x", seq=expected, ack=start + 1_000, ackf=True, wnd=65535) + host.run(1)
        assert [(s.ack, s.wnd) for s in answers] == [(expected, 0)]
    assert read_all(ours) == octets(0, 1_000)


@pytest.mark.parametrize("size", [1_000, 4_096])
@pytest.mark.parametrize("seed", range(8))
def test_an_end_that_sends_before_it_reads_is_heard_through_its_closed_window(seed: int, size: int) -> None:
    """One end reads nothing before it has sent everything; the other sends at once all it has, and reads when both ends probe."""
    data = octets(seed, 16 * size)
    pair = Pair(Faults(0.05), seed, sized(size, size), sized(size, len(data)), watch=True)
    stubborn, patient = pair.opened()
    assert patient.send(data) == len(data)
    rest, got, heard = memoryview(data), bytearray(), bytearray()
    pair.run(20)
    while len(got) < len(data):
        while rest and (count := would(partial(stubborn.send, rest))):
            rest = rest[count:]
        got += read_all(patient)
        pair.run(0.05)
        assert pair.lan.now < VIRTUAL_PATIENCE, f"{len(rest)} octets are not sent yet"
    while len(heard) < len(data):
        heard += read_all(stubborn)
        pair.run(0.05)
        assert pair.lan.now < 2 * VIRTUAL_PATIENCE, f"{len(heard)} octets came"
    assert (got, heard) == (data, data)
    assert_lawful(*pair.hosts)


@pytest.mark.parametrize("mss", [300, 536, 1000])
def test_a_peer_of_small_segments_is_acknowledged_for_each_second_of_them(mss: int) -> None:
    host = Script()
    _, start = host.accept(has_mss=True, mss=mss)
    answers = [len(host.give(octets(n, mss), seq=1001 + mss * n, ack=start, ackf=True, wnd=65535)) for n in range(20)]
    assert sum(answers) in {9, 10}
    assert not any(first == second == 0 for first, second in pairwise(answers[2:])), "never later than the second full-sized segment"
