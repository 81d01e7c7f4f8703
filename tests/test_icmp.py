"""ICMP: echo both ways, errors received, and the errors a host may and may not send (RFC 792, RFC 1122 3.2.2)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.generated.icmp_host import BURST as ERROR_BURST
from wirelaw.impl.generated.icmp_host import INTERVAL as ERROR_INTERVAL
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.net.reassembly import TIMEOUT
from wirelaw.impl.wire.arp import REQUEST, ArpPacket, build_arp
from wirelaw.impl.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame
from wirelaw.impl.wire.icmp import IcmpError, IcmpMessage, build_icmp, parse_icmp
from wirelaw.impl.wire.ipv4 import parse_header, write_header
from wirelaw.impl.wire.udp import write_udp

OWN, OWN_MAC = bytes((10, 0, 2, 15)), HostConfig().mac
PEER, PEER_MAC = bytes((10, 0, 2, 7)), bytes.fromhex("525400000007")
ROUTER = bytes((10, 0, 2, 2))


def host_knowing_its_peer() -> VirtualHost:
    host = Host.virtual()
    for address in (PEER, ROUTER):
        hear_of(host, address)
    return host


def hear_of(host: VirtualHost, address: bytes) -> None:
    """Let the peer ask for the host in the name of `address`: the host then knows its MAC."""
    host.receive(build_frame(OWN_MAC, PEER_MAC, ETHERTYPE_ARP, build_arp(ArpPacket(REQUEST, PEER_MAC, address, bytes(6), OWN))))
    host.frames()


def datagram(src: bytes, dst: bytes, protocol: int, payload: bytes, fragment: int = 0) -> bytes:
    buffer = bytearray(20) + payload
    write_header(buffer, 0, len(buffer), 9, fragment, 64, protocol, src, dst)
    return bytes(buffer)


def deliver(host: VirtualHost, data: bytes) -> None:
    host.receive(build_frame(OWN_MAC, PEER_MAC, ETHERTYPE_IPV4, data))


def udp(port: int = 4000, payload: bytes = b"x", src_port: int = 5000) -> bytes:
    buffer = bytearray(8 + len(payload))
    write_udp(buffer, 0, PEER, OWN, src_port, port, payload)
    return bytes(buffer)


def messages(host: VirtualHost) -> list[IcmpMessage]:
    """The ICMP messages the host has sent, each verified."""
    found = []
    for frame in host.frames():
        header = parse_header(frame[14:])
        assert header is not None
        assert header.protocol == 1
        message = parse_icmp(memoryview(frame)[34 : 14 + header.total_length], True)
        assert message is not None
        found.append(message)
    return found


@given(*[st.integers(0, 255)] * 2, *[st.integers(0, 65535)] * 2, st.binary(max_size=50))
def test_messages_to_octets_and_back(kind: int, code: int, first: int, second: int, body: bytes) -> None:
    data = build_icmp(kind, code, first, second, body)
    assert parse_icmp(memoryview(data), True) == (kind, code, first, second, body)
    assert parse_icmp(memoryview(data[:7]), False) is None


@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=1400))
def test_an_echo_request_is_answered_with_its_own_data(ident: int, sequence: int, body: bytes) -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(PEER, OWN, 1, build_icmp(8, 0, ident, sequence, body)))
    assert [(m.type, m.code, m.first, m.second, bytes(m.body)) for m in messages(host)] == [(0, 0, ident, sequence, body)]


def test_a_broadcast_echo_request_is_not_answered() -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(PEER, b"\xff" * 4, 1, build_icmp(8, 0, 1, 1, b"")))
    assert host.frames() == []
    assert host.statistics.drops == {"icmp.broadcast_echo": 1}


def test_a_reply_ends_the_ping_with_its_round_trip_time() -> None:
    host = host_knowing_its_peer()
    ping = host.ping("10.0.2.7", size=8, sequence=77)
    (request,) = messages(host)
    host.advance(0.25)
    deliver(host, datagram(PEER, OWN, 1, build_icmp(0, 0, request.first, request.second, request.body)))
    assert ping.result(0) == (250_000, 8, 77)
    deliver(host, datagram(PEER, OWN, 1, build_icmp(0, 0, request.first, request.second, request.body)))
    assert host.statistics.drops == {"icmp.unexpected_reply": 1}


def test_a_ping_times_out_and_is_forgotten() -> None:
    host = host_knowing_its_peer()
    ping = host.ping("10.0.2.7", timeout=2)
    host.advance(1.9)
    assert not ping.done()
    host.advance(0.1)
    with pytest.raises(TimeoutError):
        ping.result(0)
    assert not host.stack.icmp._pings


def test_pings_at_one_time_are_bounded() -> None:
    host = host_knowing_its_peer()
    pings = [host.ping("10.0.2.7") for _ in range(host.config.limits.pings + 1)]
    with pytest.raises(OSError, match="too many"):
        pings[-1].result(0)


def test_an_error_about_our_echo_request_ends_the_ping() -> None:
    host = host_knowing_its_peer()
    ping = host.ping("192.0.2.1", timeout=9)
    (frame,) = host.frames()
    deliver(host, datagram(ROUTER, OWN, 1, build_icmp(3, 1, 0, 0, frame[14:42])))
    with pytest.raises(OSError, match="unreachable"):
        ping.result(0)


def test_an_error_reaches_the_transport_that_sent_the_quoted_datagram() -> None:
    host = host_knowing_its_peer()
    errors: list[IcmpError] = []
    host.stack.icmp.error_handlers[6] = errors.append
    quoted = datagram(OWN, PEER, 6, struct.pack("!HHI", 40000, 80, 0xCAFE), fragment=0x4000)
    deliver(host, datagram(ROUTER, OWN, 1, build_icmp(3, 4, 0, 1280, quoted)))
    assert errors == [(3, 4, 1280, 6, OWN, PEER, 40000, 80, 0xCAFE, ROUTER)]


@pytest.mark.parametrize(
    ("quoted", "reason"),
    [
        (datagram(OWN, PEER, 6, bytes(7)), "icmp.bad_quotation"),
        (datagram(OWN, PEER, 6, bytes(8))[:20], "icmp.bad_quotation"),
        (b"", "icmp.bad_quotation"),
        (datagram(PEER, OWN, 6, bytes(8)), "icmp.bad_quotation"),
        (datagram(OWN, PEER, 6, bytes(8), fragment=5), "icmp.bad_quotation"),
        (datagram(OWN, PEER, 99, bytes(8)), "icmp.no_transport"),
        (datagram(OWN, PEER, 6, bytes(8)), "tcp.unclaimed_error"),
        (datagram(OWN, PEER, 17, bytes(8)), "udp.unclaimed_error"),
    ],
)
def test_errors_about_nothing_of_ours_are_counted(quoted: bytes, reason: str) -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(ROUTER, OWN, 1, build_icmp(3, 3, 0, 0, quoted)))
    assert host.statistics.drops == {reason: 1}
    assert host.frames() == []


@pytest.mark.parametrize(("kind", "reason"), [(4, "icmp.ignored"), (5, "icmp.ignored"), (13, "icmp.unknown_type")])
def test_messages_without_effect(kind: int, reason: str) -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(ROUTER, OWN, 1, build_icmp(kind, 0, 0, 0, datagram(OWN, PEER, 6, bytes(8)))))
    assert host.statistics.drops == {reason: 1}


def test_a_wrong_checksum_is_malformed() -> None:
    host = host_knowing_its_peer()
    message = bytearray(build_icmp(8, 0, 1, 1, b"abc"))
    message[9] ^= 1
    deliver(host, datagram(PEER, OWN, 1, bytes(message)))
    assert host.statistics.drops == {"icmp.malformed": 1}


def test_a_datagram_for_a_port_nobody_has_is_reported_with_its_start() -> None:
    host = host_knowing_its_peer()
    sent = datagram(PEER, OWN, 17, udp(payload=bytes(1000)))
    deliver(host, sent)
    (message,) = messages(host)
    assert (message.type, message.code, message.first, message.second) == (3, 3, 0, 0)
    assert len(message.body) == 548
    assert message.body == sent[:548]


def test_an_unknown_protocol_is_reported() -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(PEER, OWN, 99, b"whatever"))
    assert [(m.type, m.code) for m in messages(host)] == [(3, 2)]


def test_an_unfinished_datagram_is_reported_when_its_time_ends() -> None:
    host = host_knowing_its_peer()
    deliver(host, datagram(PEER, OWN, 17, udp(payload=bytes(16)), fragment=0x2000))
    host.advance_to(TIMEOUT - 1)
    assert host.frames() == []
    hear_of(host, PEER)
    host.advance_to(TIMEOUT)
    assert [(m.type, m.code) for m in messages(host)] == [(11, 1)]


@pytest.mark.parametrize(
    "data",
    [
        datagram(PEER, b"\xff" * 4, 17, udp()),
        datagram(PEER, bytes((10, 0, 2, 255)), 99, b"whatever"),
        datagram(PEER, OWN, 1, build_icmp(3, 3, 0, 0, datagram(OWN, PEER, 99, bytes(8)))),
        datagram(PEER, OWN, 1, build_icmp(3, 3, 0, 0, b"")),
    ],
)
def test_no_error_about_broadcasts_and_errors(data: bytes) -> None:
    host = host_knowing_its_peer()
    deliver(host, data)
    assert host.frames() == []


@given(st.binary(min_size=4, max_size=4), st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 255))
def test_reports_are_only_about_first_fragments_of_queries_from_single_hosts(
    src: bytes, fragment: int, protocol: int, first_octet: int
) -> None:
    host = host_knowing_its_peer()
    body = bytes((first_octet,)) + bytes(7)
    host.stack.icmp.report(3, 3, memoryview(datagram(src, OWN, protocol, body, fragment)))
    allowed = 0 < src[0] < 224 and src != bytes((10, 0, 2, 255)) and not fragment & 0x1FFF and (protocol != 1 or first_octet == 8)
    # To a neighbour not yet known an ARP request leaves instead; to ourselves, nothing does.
    assert bool(host.frames()) == (allowed and src != OWN)


def test_errors_sent_are_limited_in_rate() -> None:
    host = host_knowing_its_peer()
    for _ in range(3 * ERROR_BURST):
        deliver(host, datagram(PEER, OWN, 17, udp()))
    assert len(messages(host)) == ERROR_BURST
    host.advance_to(10 * ERROR_INTERVAL)
    for _ in range(ERROR_BURST):
        deliver(host, datagram(PEER, OWN, 17, udp()))
    assert len(messages(host)) == 10
