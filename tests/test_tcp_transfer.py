"""Octets between two virtual hosts arrive as they were sent: any schedule of calls, any cable, any size of buffer."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_rig import PORT, SERVER, TWO_MSL, Pair, Script, assert_lawful, octets, read_all, sized, state, transfer, would
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.config import VIPERDOS, WIRELAW
from wirelaw.impl.net.tcp_sockets import TcpSocket

BAD_CABLE = Faults(loss=0.02, duplicate=0.02, reorder=0.02, corrupt=0.02)
buffers = st.sampled_from([2_048, 8_192, 65_536, 1 << 20])
acts = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1), st.integers(1, 20_000)),
    st.tuples(st.just("recv"), st.integers(0, 1), st.integers(1, 20_000)),
    st.tuples(st.just("wait"), st.just(0), st.sampled_from([0, 1, 60, 1_000, 50_000, 2_000_000])),
    st.tuples(st.just("push"), st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.just("shut"), st.integers(0, 1), st.just(0)),
)


class Ledger:
    """What each side has sent and received, against what the stream holds."""

    def __init__(self, pair: Pair, sockets: tuple[TcpSocket, TcpSocket]) -> None:
        self.pair, self.sockets = pair, sockets
        self.sent, self.got, self.shut, self.ended = [0, 0], [0, 0], [False, False], [False, False]

    def do(self, act: str, side: int, size: int) -> None:
        if act == "wait":
            self.pair.run(size / 1e6)
        elif act == "push":
            self.sockets[side].setsockopt(6, 1, size)
        elif act == "recv":
            self.read(side, size)
        elif not self.shut[side]:
            if act == "shut":
                self.sockets[side].shutdown(1)
                self.shut[side] = True
            else:
                self.sent[side] += would(lambda: self.sockets[side].send(octets(self.sent[side] + side, size))) or 0

    def read(self, side: int, size: int) -> None:
        data = would(lambda: self.sockets[side].recv(size))
        if data is not None:
            other = 1 - side
            assert data == octets(self.got[side] + other, len(data))
            self.got[side] += len(data)
            self.ended[side] |= not data

    def finish(self) -> None:
        """Shut both sides and read to both ends."""
        for side in (0, 1):
            self.do("shut", side, 0)
        for _ in range(2_000):
            self.pair.run(0.5)
            for side in (0, 1):
                self.read(side, 1 << 20)
            if all(self.ended):
                break
        assert self.ended == [True, True]
        assert self.got == self.sent[::-1]


@settings(max_examples=40, deadline=None)
@given(st.lists(acts, max_size=60), buffers, buffers, st.sampled_from([0.0, 0.0, 0.05]), st.integers(0, 2**16))
def test_any_schedule_of_calls_delivers_each_stream_whole(
    schedule: list[tuple[str, int, int]], receive: int, send: int, fault: float, seed: int
) -> None:
    pair = Pair(Faults(fault, fault, fault, fault), seed, sized(receive, send))
    ledger = Ledger(pair, pair.opened())
    for act in schedule:
        ledger.do(*act)
    ledger.finish()
    for sock in ledger.sockets:
        sock.close()
    pair.run(3 * TWO_MSL)
    assert pair.connections() == (0, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_megabytes_cross_a_bad_cable_unaltered_in_both_directions(seed: int) -> None:
    pair = Pair(BAD_CABLE, seed, WIRELAW)
    ours, theirs = pair.opened()
    data = Random(seed).randbytes(1_500_000)
    assert transfer(pair, ours, theirs, data) == data
    assert transfer(pair, theirs, ours, data) == data
    assert pair.lan.struck > 100
    assert sum(host.statistics.drops["tcp.checksum"] for host in pair.hosts) > 10


def test_the_small_buffers_of_the_original_carry_a_stream_across_a_bad_cable() -> None:
    pair = Pair(BAD_CABLE, 3, VIPERDOS, watch=True)
    ours, theirs = pair.opened()
    data = octets(0, 300_000)
    assert transfer(pair, ours, theirs, data) == data
    for host in pair.hosts:
        for sent, segment in host.segments():
            assert segment.wnd <= VIPERDOS.tcp_receive_buffer, sent
    for sock in (ours, theirs):
        assert sock.connection is not None
        assert len(sock.connection.incoming._store) <= 2 * VIPERDOS.tcp_receive_buffer


@pytest.mark.parametrize("send", [100, 1_000, 8_192])
def test_send_buffers_smaller_than_a_segment_still_deliver(send: int) -> None:
    pair = Pair(limits=sized(4_096, send))
    ours, theirs = pair.opened()
    data = octets(0, 20_000)
    assert transfer(pair, ours, theirs, data) == data


def test_a_lost_window_update_does_not_hang_a_sender_whose_next_segment_does_not_fit() -> None:
    host = Script()
    ours, start = host.accept(wnd=8_192, has_mss=True, mss=1460)
    ours.send(octets(0, 20_000))
    for _ in range(40):
        host.run(0.01)
        newest = max((s.seq + s.len - start for _, s in host.sent), default=0)
        if newest >= 8_192 - 1460:
            break
        host.give(seq=1001, ack=start + newest, ackf=True, wnd=8_192)
    # Everything is acknowledged; 500 octets of window are left, and the update that opens it is lost.
    newest = max(s.seq + s.len - start for _, s in host.sent)
    host.give(seq=1001, ack=start + newest, ackf=True, wnd=500)
    probes = [s for s in host.run(10) if s.len]
    assert probes, "silly window avoidance is overridden after a while (RFC 9293 3.8.6.2.1)"
    assert (probes[0].seq, probes[0].len) == (start + newest, 500)


def test_a_window_that_was_taken_back_is_probed() -> None:
    host = Script()
    ours, start = host.accept(wnd=8_192, has_mss=True, mss=1460)
    host.give(seq=1001, ack=start, ackf=True, wnd=0)
    ours.send(octets(0, 5_000))
    probes = [s for s in host.run(10) if s.len]
    assert probes
    assert {(s.seq, s.len) for s in probes} == {(start, 1)}


@pytest.mark.parametrize("mss", [0, 88, 536, 1200, 1460, 9000])
def test_no_segment_is_longer_than_the_peer_takes(mss: int) -> None:
    host = Script()
    ours, start = host.accept(has_mss=mss > 0, mss=mss)
    ours.send(octets(0, 30_000))
    acked = start
    for _ in range(60):
        host.run(0.01)
        acked = max(s.seq + s.len for _, s in host.sent)
        host.give(seq=1001, ack=acked, ackf=True, wnd=65535)
    assert acked - start == 30_000
    longest = max(s.len for _, s in host.sent)
    assert longest == min(mss or 536, 1460), "536 when the peer names none (RFC 9293 MUST-15)"


def test_retransmissions_with_timestamps_are_no_longer_than_the_path_takes() -> None:
    pair = Pair(Faults(loss=0.1), 5, watch=True)
    ours, theirs = pair.opened()
    data = octets(0, 200_000)
    assert transfer(pair, ours, theirs, data) == data
    assert max(len(packet.data) for packet in pair.client.packets) == 1514


@pytest.mark.parametrize(("offer", "timestamps"), [({}, False), ({"tson": True, "tsval": 7}, True)])
def test_a_peer_gets_the_options_it_offered_and_no_others(offer: dict[str, int], timestamps: bool) -> None:
    host = Script()
    ours, start = host.accept(wnd=30_000, **offer)  # type: ignore[arg-type]
    synack = host.sent[0][1]
    assert (synack.tson, synack.has_wscale, synack.has_mss) == (timestamps, False, True)
    ours.send(b"x" * 600)
    host.give(b"y" * 100, seq=1001, ack=start, ackf=True, wnd=30_000, **offer)  # type: ignore[arg-type]
    (data,) = [s for _, s in host.sent if s.len and s.seq == start][:1]
    assert (data.tson, data.has_wscale, data.has_mss) == (timestamps, False, False)
    assert data.wnd > 30_000, "without window scale the window stands as it is"
    assert ours.recv(1000) == b"y" * 100


def test_window_scale_of_one_side_only_is_not_used() -> None:
    host = Script(sized(1 << 20))
    ours, start = host.accept(wnd=1_000)
    ours.send(b"z" * 5_000)
    assert max(s.seq + s.len - start for s in host.run(0.2)) <= 1_000
    assert all(s.wnd <= 65_535 for _, s in host.sent)


@pytest.mark.parametrize("text", [b"", b"x", octets(0, 5_000)])
def test_half_close_lets_the_other_direction_go_on(text: bytes) -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    ours.shutdown(1)
    pair.run(0.1)
    assert theirs.recv(10) == b""
    assert (state(ours), state(theirs)) == ("FIN_WAIT_2", "CLOSE_WAIT")
    with pytest.raises(BrokenPipeError):
        ours.send(b"late")
    for piece in (text, text):
        if piece:
            theirs.sendall(piece)
        pair.run(120)
        assert read_all(ours) == piece
    assert transfer(pair, theirs, ours, octets(0, 100_000)) == octets(0, 100_000)
    pair.run(1)
    assert state(ours) == "TIME_WAIT"
    assert theirs.connection is not None
    assert theirs.connection.ended.done()
    assert_lawful(*pair.hosts)


def test_a_thousand_short_connections_leave_nothing_behind() -> None:
    pair = Pair()
    listener = pair.listen()
    for number in range(1_000):
        ours = pair.connect()
        # A port drawn again meets the other end's TIME-WAIT; a reset and the next SYN, a second later, clear that away.
        assert pair.until(lambda: state(ours) == "ESTABLISHED", 5)  # noqa: B023 - run at once
        pair.run(0.001)
        theirs, (address, _) = listener.accept()
        theirs.settimeout(0)
        ours.sendall(number.to_bytes(2, "big"))
        pair.run(0.001)
        assert theirs.recv(10) == number.to_bytes(2, "big")
        assert address != str(SERVER)
        (ours if number % 2 else theirs).close()
        pair.run(0.001)
        (theirs if number % 2 else ours).close()
        pair.run(0.001)
    assert 900 < sum(pair.connections()) <= 1_000, "one end of each is in TIME-WAIT"
    pair.run(TWO_MSL)
    assert pair.connections() == (0, 0)
    for host in pair.hosts:
        assert not host.stack.tcp.table._connections
        assert not host.stack.tcp.table._local_ports
        assert len(host.stack.timers) < 5
    assert listener.getsockname()[1] == PORT
