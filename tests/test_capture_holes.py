"""What a capture lacks proves nothing: packets that it lost, and answers that never left the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_oracle_tcp import CAPTURES, facts, tcp
from wirelaw.conformance.replay import packets as replayed
from wirelaw.conformance.trace import Trace
from wirelaw.conformance.walk import WalkResult
from wirelaw.impl.wire.arp import REPLY, REQUEST, ArpPacket, build_arp
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame
from wirelaw.impl.wire.ipv4 import write_header
from wirelaw.impl.wire.tcp import PROTOCOL, Segment, build_segment
from wirelaw.oracle.capture import LinkType, Packet, read_packets
from wirelaw.oracle.capture.resolution import Resolutions
from wirelaw.oracle.engine.verdict import Grade, Verdict
from wirelaw.oracle.tcp.connection import Judged, judge_capture
from wirelaw.oracle.tcp.ghost import Budget, GhostStore
from wirelaw.oracle.tcp.segments import Direction
from wirelaw.oracle.tcp.sequence_space import SequenceSpace

NAME = "bulk-plain-client"
HOST, PEER, MAC = bytes([10, 7, 0, 1]), bytes([10, 7, 0, 2]), bytes([2, 0, 0, 0, 0, 1])


def packets() -> list[Packet]:
    return list(read_packets(CAPTURES / f"{NAME}.pcap"))


def judged(capture: Iterable[Packet], lost: int = 0) -> list[Judged]:
    role, until = facts(NAME)
    return list(judge_capture(tcp(), capture, lambda _: [(role, True)], until, lost=lambda: lost))


def with_text(data: bytes) -> bool:
    return int.from_bytes(data[16:18], "big") > 52 + 100


@pytest.mark.parametrize("sender", [HOST, PEER], ids=["its own text", "text for it"])
def test_text_that_both_ends_count_but_nobody_saw_is_a_hole(sender: bytes) -> None:
    whole = packets()
    place = [i for i, p in enumerate(whole) if p.data[26:30] == sender and with_text(p.data)][20]
    (end,) = judged(p for i, p in enumerate(whole) if i != place)
    assert end.verdict.grade is Grade.INCONCLUSIVE
    assert "both ends count as sent" in end.verdict.reason
    assert all(f.grade <= Grade.INCONCLUSIVE for f in end.verdict.findings)


def test_a_violation_before_the_hole_stands() -> None:
    whole = packets()
    own = [i for i, p in enumerate(whole) if p.data[26:30] == HOST]
    texts = [i for i, p in enumerate(whole) if p.data[26:30] == PEER and with_text(p.data)]
    wrong, hole = own[5], texts[-5]
    assert wrong < hole
    data = bytearray(whole[wrong].data)
    data[42:46] = ((int.from_bytes(data[42:46], "big") + (1 << 20)) % (1 << 32)).to_bytes(4, "big")
    low = (int.from_bytes(data[50:52], "big") + 65535 - 16) % 65535  # the checksum of the higher acknowledgment
    data[50:52] = low.to_bytes(2, "big")
    whole[wrong] = Packet(whole[wrong].number, whole[wrong].time_us, bytes(data), whole[wrong].linktype, len(data))
    (end,) = judged(p for i, p in enumerate(whole) if i != hole)
    assert (end.verdict.grade, end.verdict.findings[-1].number) == (Grade.FAIL, whole[wrong].number)
    (lossy,) = judged((p for i, p in enumerate(whole) if i != hole), lost=3)
    assert (lossy.verdict.grade, lossy.verdict.reason) == (Grade.INCONCLUSIVE, "the capture lost 3 packets")


def frame(own: bool, at: int, **fields: int | bool) -> Packet:
    """A segment between HOST, who serves at port 80, and PEER."""
    source, target = (HOST, PEER) if own else (PEER, HOST)
    segment = Segment(src_port=80 if own else 4000, dst_port=4000 if own else 80, wnd=9000, has_mss=True, mss=1460, **fields)  # type: ignore[arg-type]
    datagram = bytearray(200)
    size = build_segment(datagram, 20, segment, source, target, [])
    write_header(datagram, 0, 20 + size, 1, 0, 64, PROTOCOL, source, target)
    data = build_frame(MAC, MAC, ETHERTYPE_IPV4, bytes(datagram[: 20 + size]))
    return Packet(at, at * 1000, data, LinkType.ETHERNET, len(data))


def test_a_syn_ack_with_another_number_is_no_hole() -> None:
    capture = [
        frame(False, 1, seq=1000, syn=True), frame(True, 2, seq=9000, ack=1001, syn=True, ackf=True),
        frame(True, 1002, seq=64_555, ack=1001, syn=True, ackf=True), frame(False, 1022, seq=1001, ack=64_556, ackf=True),
    ]  # fmt: skip
    (end,) = judge_capture(tcp(), capture, lambda _: [(Direction.SERVER, True)])
    assert (end.verdict.grade, end.verdict.findings[-1].number) == (Grade.FAIL, 1002), end.verdict.reason


def test_padding_of_short_frames_is_no_text_in_a_replay() -> None:
    frames = [(p.time_us, p.data + bytes(10)) for p in packets() if p.linktype == LinkType.ETHERNET][:6]
    assert frames
    walk = WalkResult(Trace("linux", "server", 0, 0, ()), Verdict(Grade.PASS, ()), Counter(), tuple(frames), "")
    assert [" len " in line for line in replayed(walk)] == [with_text(f) for _, f in frames]
    short = WalkResult(walk.trace, walk.verdict, Counter(), ((0, b"\0"), *frames[:1]), "")
    assert len(replayed(short)) == 1, "what is no packet is left out"


segments = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), min_size=1, max_size=30)


@given(segments, st.integers(0, 60))
@settings(deadline=None)
def test_holes_are_what_was_passed_over_never_sent_and_acknowledged(sent: list[tuple[int, int]], ack: int) -> None:
    space = SequenceSpace(GhostStore(Budget(0), 0))
    space.sent(0, 1, False, 0, 0)
    for number, (start, length) in enumerate(sent, 1):
        space.sent(start, start + length, False, number, number)
    space.acknowledged(ack, 99, 99)
    seen = {0}.union(*(range(a, a + n) for a, n in sent))
    assert {n for g in space.holes for n in range(g.start, g.end)} == {n for n in range(max(seen)) if n not in seen and n < ack}


def arp(operation: int, sender: bytes, target: bytes, time: int) -> Packet:
    frame = build_frame(BROADCAST, MAC, ETHERTYPE_ARP, build_arp(ArpPacket(operation, MAC, sender, bytes(6), target)))
    return Packet(time, time, frame, LinkType.ETHERNET, len(frame))


def test_a_host_waits_from_its_request_to_the_answer_or_its_next_packet() -> None:
    resolutions = Resolutions()
    resolutions.note(arp(REQUEST, HOST, PEER, 10))
    resolutions.note(arp(REQUEST, HOST, PEER, 20))
    assert [t for t in (5, 10, 25) if resolutions.waiting(HOST, t)] == [10, 25]
    resolutions.note(arp(REPLY, PEER, HOST, 30))
    assert [t for t in (5, 15, 30, 31) if resolutions.waiting(HOST, t)] == [15, 30]
    resolutions.note(arp(REQUEST, HOST, HOST, 40))  # an announcement asks nobody
    assert resolutions.waiting(HOST, 41) is None
    assert resolutions.waiting(PEER, 20) is None


def unanswered(asks: bool) -> Judged:
    """Text to a server that then says nothing for four seconds, asking for a link address or not."""
    capture = list(read_packets(CAPTURES / "chat-server.pcap"))[:6]
    last = capture[-1]
    assert last.data[26:30] == HOST, "the latest is the client's text"
    if asks:
        capture.append(arp(REQUEST, PEER, HOST, last.time_us + 50))
    capture.append(replace(last, number=last.number + 2, time_us=last.time_us + 4_000_000))
    (end,) = judge_capture(tcp(), capture, lambda _: [(facts("chat-server")[0], True)], last.time_us + 20_000_000)
    return end


def test_silence_while_the_host_asks_for_a_link_address_proves_nothing() -> None:
    silent = unanswered(asks=False)
    assert (silent.verdict.grade, silent.verdict.findings[-1].number) == (Grade.FAIL, 0)
    waiting = unanswered(asks=True)
    assert waiting.verdict.grade is Grade.INCONCLUSIVE
    assert "was asking for a link address in vain from packet" in waiting.verdict.reason
