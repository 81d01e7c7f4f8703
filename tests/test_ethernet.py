"""Ethernet frames: padding, addresses, and what a host accepts."""

import pytest
from wirelaw.impl.net import Host, HostConfig
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.arp import REQUEST, ArpPacket, build_arp
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, build_frame, parse_mac

PEER = parse_mac("52:55:0a:00:02:02")
OWN = HostConfig().mac


def arp_request() -> bytes:
    return build_arp(ArpPacket(REQUEST, PEER, bytes((10, 0, 2, 2)), bytes(6), bytes((10, 0, 2, 15))))


def test_mac_text() -> None:
    assert parse_mac("52-55-0A-00-02-02") == PEER
    for bad in ("52:55", "zz:55:0a:00:02:02", ""):
        with pytest.raises(ValueError, match=r".*"):
            parse_mac(bad)


def test_short_frames_are_padded_to_60_octets_of_zeros() -> None:
    host = Host.virtual()
    host.receive(build_frame(BROADCAST, PEER, ETHERTYPE_ARP, arp_request()))
    (reply,) = host.frames()
    assert len(reply) == 60
    assert reply[42:] == bytes(18)
    host.ping("10.0.2.2", size=100)
    host.ping("10.0.2.2", size=0)
    assert [len(frame) for frame in host.frames()] == [142, 60]


@pytest.mark.parametrize(
    ("dst", "answered"),
    [(OWN, True), (BROADCAST, True), (PEER, False), (parse_mac("01:00:5e:00:00:01"), False)],
)
def test_only_frames_to_us_or_all_are_taken(dst: bytes, answered: bool) -> None:
    host = Host.virtual()
    host.receive(build_frame(dst, PEER, ETHERTYPE_ARP, arp_request()))
    assert bool(host.frames()) == answered
    assert host.statistics.drops["ethernet.not_for_us"] == (not answered)


@pytest.mark.parametrize("frame", [b"", bytes(13), OWN, BROADCAST + PEER + b"\x08"])
def test_short_frames_are_counted(frame: bytes) -> None:
    host = Host.virtual()
    host.receive(frame)
    assert host.statistics.drops == {"ethernet.short": 1}


def test_unknown_ethertypes_are_counted() -> None:
    host = Host.virtual()
    host.receive(build_frame(OWN, PEER, 0x88CC, b"lldp"))
    assert host.statistics.drops == {"ethernet.unknown_type": 1}


def test_packets_and_bytes_are_counted() -> None:
    host = Host.virtual()
    host.receive(build_frame(OWN, PEER, ETHERTYPE_ARP, arp_request()))
    counted = host.statistics
    assert (counted.rx_packets, counted.rx_bytes, counted.tx_packets, counted.tx_bytes) == (1, 60, 1, 60)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "10.0.2.999/24"}, "bad IPv4 address"),
        ({"address": "10.0.2.15/99"}, "bad IPv4 address"),
        ({"gateway": "gateway"}, "bad IPv4 address"),
        ({"mac": "52:54"}, "bad MAC address"),
        ({"mac": "01:00:5e:00:00:01"}, "not a station's"),
        ({"mtu": 60}, "MTU 60"),
        ({"profile": "tiny"}, "unknown profile 'tiny'"),
    ],
)
def test_wrong_configuration_is_one_clear_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        HostConfig.of(**options)  # type: ignore[arg-type]
