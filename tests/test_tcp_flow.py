"""How much TCP sends, and when: windows, probes, Nagle's rule, delayed acknowledgments."""

from __future__ import annotations

import socket
from itertools import pairwise

import pytest
from tcp_rig import Pair, Script, assert_lawful, octets, read_all, sized, would


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
