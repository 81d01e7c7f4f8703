"""Address resolution (RFC 826, RFC 1122 2.3.2): asking, answering, ageing, and its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.generated.arp_neighbour import ENTRY_TIMEOUT, REACHABLE, RETRY_INTERVAL
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.net.config import VIPERDOS
from wirelaw.impl.wire.arp import REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame

OWN, OWN_IP = HostConfig().mac, bytes((10, 0, 2, 15))
PEER, PEER_IP = bytes.fromhex("525400000007"), bytes((10, 0, 2, 7))
SECONDS = RETRY_INTERVAL // 1_000_000


def arp_frames(host: VirtualHost) -> list[tuple[bytes, ArpPacket]]:
    """Destination MAC and packet of each ARP frame the host has sent."""
    frames = [frame for frame in host.frames() if frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big")]
    return [(frame[:6], packet) for frame in frames if (packet := parse_arp(frame[14:]))]


def deliver(host: VirtualHost, operation: int, sender: tuple[bytes, bytes], target: tuple[bytes, bytes]) -> None:
    packet = ArpPacket(operation, *sender, *target)
    host.receive(build_frame(BROADCAST, sender[0], ETHERTYPE_ARP, build_arp(packet)))


def answer(host: VirtualHost, mac: bytes = PEER) -> None:
    deliver(host, REPLY, (mac, PEER_IP), (OWN, OWN_IP))


def datagrams(host: VirtualHost) -> list[bytes]:
    return [frame for frame in host.frames() if frame[12:14] == ETHERTYPE_IPV4.to_bytes(2, "big")]


@given(
    st.integers(0, 65535),
    *[st.binary(min_size=n, max_size=n) for n in (6, 4, 6, 4)],
    st.binary(max_size=18),
)
def test_packets_to_octets_and_back(operation: int, a: bytes, b: bytes, c: bytes, d: bytes, padding: bytes) -> None:
    packet = ArpPacket(operation, a, b, c, d)
    assert parse_arp(build_arp(packet) + padding) == packet


@pytest.mark.parametrize("data", [b"", build_arp(ArpPacket(1, OWN, OWN_IP, PEER, PEER_IP))[:27], bytes(28)])
def test_other_packets_are_refused(data: bytes) -> None:
    assert parse_arp(data) is None
    host = Host.virtual()
    host.stack.ip.neighbours.input(memoryview(data))
    assert host.statistics.drops == {"arp.malformed": 1}


def test_datagrams_wait_for_the_answer_and_leave_in_order() -> None:
    host = Host.virtual()
    for size in (1, 2, 3):
        host.ping("10.0.2.7", size=100 + size)
    (request,) = arp_frames(host)
    assert request == (BROADCAST, ArpPacket(REQUEST, OWN, OWN_IP, bytes(6), PEER_IP))
    answer(host)
    sent = datagrams(host)
    assert [len(frame) for frame in sent] == [14 + 28 + size for size in (101, 102, 103)]
    assert {frame[:6] for frame in sent} == {PEER}


def test_off_link_destinations_resolve_the_gateway() -> None:
    host = Host.virtual()
    host.ping("192.0.2.1")
    assert [packet.target_ip for _, packet in arp_frames(host)] == [bytes((10, 0, 2, 2))]


def test_requests_are_repeated_once_a_second_then_given_up() -> None:
    host = Host.virtual()
    ping = host.ping("10.0.2.7", timeout=60)
    times = []
    for _ in range(100):
        times += [host.now] * len(arp_frames(host))
        host.advance(0.1)
    assert times == [0, RETRY_INTERVAL, 2 * RETRY_INTERVAL]
    with pytest.raises(OSError, match="unreachable"):
        ping.result(0)
    assert host.statistics.drops["arp.unresolved"] == 1
    assert len(host.stack.ip.neighbours) == 0


def test_a_request_for_us_is_answered_to_its_sender_and_remembered() -> None:
    host = Host.virtual()
    deliver(host, REQUEST, (PEER, PEER_IP), (bytes(6), OWN_IP))
    assert arp_frames(host) == [(PEER, ArpPacket(REPLY, OWN, OWN_IP, PEER, PEER_IP))]
    host.ping("10.0.2.7")
    assert len(datagrams(host)) == 1


def test_a_probe_from_the_unspecified_address_is_answered_and_not_remembered() -> None:
    host = Host.virtual()
    deliver(host, REQUEST, (PEER, bytes(4)), (bytes(6), OWN_IP))
    assert len(arp_frames(host)) == 1
    assert len(host.stack.ip.neighbours) == 0


def test_answers_nobody_asked_for_and_requests_for_others_create_nothing() -> None:
    host = Host.virtual()
    answer(host)
    deliver(host, REQUEST, (PEER, PEER_IP), (bytes(6), bytes((10, 0, 2, 99))))
    assert len(host.stack.ip.neighbours) == 0
    assert host.frames() == []


def test_a_known_neighbour_that_moved_is_followed() -> None:
    host = Host.virtual()
    host.ping("10.0.2.7")
    answer(host)
    host.frames()
    deliver(host, REQUEST, (bytes.fromhex("525400000008"), PEER_IP), (bytes(6), bytes((10, 0, 2, 99))))
    host.ping("10.0.2.7")
    assert datagrams(host)[0][:6] == bytes.fromhex("525400000008")


@pytest.mark.parametrize("mac", [BROADCAST, bytes.fromhex("01005e000001")])
def test_group_macs_are_not_believed(mac: bytes) -> None:
    host = Host.virtual()
    host.ping("10.0.2.7")
    answer(host, mac)
    assert datagrams(host) == []


def test_our_own_address_from_another_station_is_a_conflict() -> None:
    host = Host.virtual()
    deliver(host, REPLY, (PEER, OWN_IP), (OWN, OWN_IP))
    assert host.statistics.drops == {"arp.conflict": 1}


def test_an_unused_neighbour_is_forgotten_at_the_end_of_its_life() -> None:
    host = Host.virtual()
    host.ping("10.0.2.7")
    answer(host)
    host.advance_to(ENTRY_TIMEOUT)
    assert len(host.stack.ip.neighbours) == 0


def test_a_neighbour_in_use_is_polled_by_unicast_and_stays_when_it_answers() -> None:
    host = Host.virtual()
    host.ping("10.0.2.7")
    host.advance(0.5)
    answer(host)
    host.advance(30)
    host.ping("10.0.2.7")
    host.frames()
    host.advance(30.5)
    assert [(mac, packet.operation) for mac, packet in arp_frames(host)] == [(PEER, REQUEST)]
    host.ping("10.0.2.7")
    assert len(datagrams(host)) == 1, "a polled neighbour is still used"
    answer(host)
    assert [state for _, _, state in host.stack.ip.neighbours.entries()] == [REACHABLE]


def test_a_neighbour_in_use_that_does_not_answer_is_forgotten() -> None:
    host = Host.virtual()
    host.ping("10.0.2.7")
    answer(host)
    host.advance(30)
    host.ping("10.0.2.7")
    host.frames()
    host.advance(30 + 4 * SECONDS)
    assert [mac for mac, _ in arp_frames(host)] == [PEER] * 3
    assert len(host.stack.ip.neighbours) == 0


def test_entries_and_waiting_datagrams_are_bounded() -> None:
    host = Host.virtual(HostConfig(limits=VIPERDOS))
    for last in range(1, 200):
        host.stack.icmp.ping(bytes((10, 0, 2, last)))
        host.advance(0.001)
        assert len(host.stack.ip.neighbours) <= 16
    host = Host.virtual(HostConfig(limits=VIPERDOS))
    for sequence in range(10):
        host.ping("10.0.2.7", sequence=sequence)
    answer(host)
    waited = datagrams(host)
    assert [frame[41] for frame in waited] == [6, 7, 8, 9], "the latest are kept"
    assert host.statistics.drops["arp.pending_full"] == 6


def test_strangers_asking_do_not_evict_a_neighbour_in_use() -> None:
    host = Host.virtual(HostConfig(limits=VIPERDOS))
    host.ping("10.0.2.7")
    answer(host)
    for last in range(20, 220):
        deliver(host, REQUEST, (bytes.fromhex("5254000000") + bytes((last,)), bytes((10, 0, 2, last))), (OWN, OWN_IP))
    host.frames()
    host.ping("10.0.2.7")
    assert len(datagrams(host)) == 1
