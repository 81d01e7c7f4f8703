"""IPv4 datagrams: what is accepted, what is sent (RFC 791, RFC 1122 3.2.1, RFC 6864)."""

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.wire.arp import REQUEST, ArpPacket, build_arp
from wirelaw.impl.wire.checksum import checksum, is_valid
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame
from wirelaw.impl.wire.icmp import build_icmp
from wirelaw.impl.wire.ipv4 import DONT_FRAGMENT, parse_header, write_header

OWN, PEER_MAC = HostConfig().mac, bytes.fromhex("525400000007")
ECHO = build_icmp(8, 0, 1, 1, b"ping")


def datagram(payload: bytes = ECHO, options: bytes = b"", **fields: int | str) -> bytes:
    """A datagram whose header fields are good unless told otherwise; its checksum is right unless given."""
    length = 20 + len(options)
    values: dict[str, int | str] = {
        "version": 4, "ihl": length // 4, "total": length + len(payload), "ident": 7, "fragment": 0, "ttl": 64,
        "protocol": 1, "src": "10.0.2.7", "dst": "10.0.2.15", "checksum": -1, **fields,
    }  # fmt: skip
    first = int(values["version"]) << 4 | int(values["ihl"])
    header = bytearray(
        struct.pack(
            "!BBHHHBBH4s4s", first, 0, values["total"], values["ident"], values["fragment"], values["ttl"],
            values["protocol"], 0, IPv4Address(values["src"]).packed, IPv4Address(values["dst"]).packed,
        )
    )  # fmt: skip
    header += options
    wanted = int(values["checksum"])
    struct.pack_into("!H", header, 10, checksum(header) if wanted < 0 else wanted)
    return bytes(header) + payload


def received(data: bytes, dst_mac: bytes = OWN) -> VirtualHost:
    """A host that knows its peer and has received one datagram."""
    host = Host.virtual()
    asks = ArpPacket(REQUEST, PEER_MAC, bytes((10, 0, 2, 7)), bytes(6), bytes((10, 0, 2, 15)))
    host.receive(build_frame(OWN, PEER_MAC, ETHERTYPE_ARP, build_arp(asks)))
    host.frames()
    host.receive(build_frame(dst_mac, PEER_MAC, ETHERTYPE_IPV4, data))
    return host


@given(st.integers(20, 65535), *[st.integers(0, 0xFFFF)] * 2, *[st.integers(0, 255)] * 2, *[st.binary(min_size=4, max_size=4)] * 2)
def test_headers_to_octets_and_back(total: int, ident: int, fragment: int, ttl: int, protocol: int, src: bytes, dst: bytes) -> None:
    buffer = bytearray(24)
    write_header(buffer, 4, total, ident, fragment, ttl, protocol, src, dst)
    assert is_valid(buffer[4:])
    assert parse_header(buffer[4:]) == (20, 0, total, ident, fragment, ttl, protocol, src, dst)


def test_a_good_datagram_is_answered_with_a_good_one() -> None:
    (frame,) = received(datagram()).frames()
    header = parse_header(frame[14:])
    assert header is not None
    assert is_valid(frame[14:34])
    assert (header.src, header.dst) == (bytes((10, 0, 2, 15)), bytes((10, 0, 2, 7)))
    assert header.ttl == 64
    assert frame[:6] == PEER_MAC


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 6}, "ipv4.malformed"),
        ({"version": 0}, "ipv4.malformed"),
        ({"ihl": 4}, "ipv4.malformed"),
        ({"ihl": 15}, "ipv4.malformed"),
        ({"total": 19}, "ipv4.malformed"),
        ({"total": 61 - 14}, "ipv4.malformed"),
        ({"checksum": 0x1234}, "ipv4.checksum"),
        ({"dst": "10.0.2.16"}, "ipv4.not_for_us"),
        ({"dst": "127.0.0.1"}, "ipv4.not_for_us"),
        ({"dst": "224.0.0.1"}, "ipv4.not_for_us"),
        ({"src": "127.0.0.1"}, "ipv4.bad_source"),
        ({"src": "0.0.0.0"}, "ipv4.bad_source"),
        ({"src": "224.0.0.1"}, "ipv4.bad_source"),
        ({"src": "255.255.255.255"}, "ipv4.bad_source"),
        ({"src": "10.0.2.255"}, "ipv4.bad_source"),
        ({"src": "10.0.2.15"}, "ipv4.bad_source"),
        ({"protocol": 99}, "ipv4.unknown_protocol"),
    ],
)
def test_bad_datagrams_are_dropped_and_counted(fields: dict[str, int | str], reason: str) -> None:
    host = received(datagram(**fields))
    assert host.statistics.drops == {reason: 1}
    if reason != "ipv4.unknown_protocol":
        assert host.frames() == []


def test_a_unicast_datagram_in_a_broadcast_frame_is_dropped() -> None:
    assert received(datagram(), BROADCAST).statistics.drops == {"ipv4.link_broadcast": 1}


@pytest.mark.parametrize("ttl", [0, 1, 255])
def test_a_host_takes_datagrams_of_any_ttl(ttl: int) -> None:
    """RFC 1122 3.2.1.7: not discarded just because the TTL is below 2."""
    assert len(received(datagram(ttl=ttl)).frames()) == 1


@pytest.mark.parametrize("options", [b"\x01" * 4, bytes.fromhex("9404000000"[:8]), b"\x83\x00\xff\xff", b"\x07\x27" + bytes(38)])
def test_options_are_skipped_whatever_they_are(options: bytes) -> None:
    (reply,) = received(datagram(options=options)).frames()
    assert reply[34 + 8 : 34 + 12] == b"ping"


def test_link_padding_is_not_payload() -> None:
    host = received(datagram(build_icmp(8, 0, 1, 1, b"")) + b"padding")
    (reply,) = host.frames()
    assert parse_header(reply[14:]).total_length == 28  # type: ignore[union-attr]


def test_unfragmentable_datagrams_say_so_and_others_have_distinct_identifications() -> None:
    host = received(datagram())
    for _ in range(50):
        host.ping("10.0.2.7")
    headers = [header for frame in host.frames() if (header := parse_header(frame[14:]))]
    assert len({header.ident for header in headers}) == len(headers) == 51
    buffer = host.stack.ip.buffer()
    assert buffer is not None
    host.stack.ip.transmit(buffer, 20, bytes((10, 0, 2, 7)), 6)
    (frame,) = host.frames()
    assert parse_header(frame[14:]).fragment == DONT_FRAGMENT  # type: ignore[union-attr]


@given(st.integers(68, 2000), st.integers(0, 8000))
def test_fragments_fit_the_mtu_and_join_to_the_whole(mtu: int, size: int) -> None:
    host = Host.virtual(HostConfig(mtu=mtu))
    message = bytes(index * 7 % 251 for index in range(size))
    assert host.stack.ip.send(b"\xff" * 4, 253, message)
    joined = bytearray(size)
    frames = host.frames()
    for number, frame in enumerate(frames):
        header = parse_header(frame[14:])
        assert header is not None
        assert header.total_length <= mtu
        assert bool(header.fragment & 0x2000) == (number < len(frames) - 1)
        start = (header.fragment & 0x1FFF) * 8
        joined[start : start + header.total_length - 20] = frame[34 : 14 + header.total_length]
    assert joined == message
    assert len({frame[18:20] for frame in frames}) == 1


def test_messages_beyond_the_length_field_are_refused() -> None:
    host = Host.virtual()
    assert not host.stack.ip.send(bytes((10, 0, 2, 7)), 253, bytes(65516))
    assert host.statistics.drops == {"ipv4.too_long": 1}
