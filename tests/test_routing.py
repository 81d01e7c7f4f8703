"""Where a datagram goes first (RFC 1122 3.3.1), and which addresses are broadcasts."""

from ipaddress import IPv4Address
from socket import SOCK_DGRAM

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.net import Host, HostConfig
from wirelaw.impl.wire.ethernet import BROADCAST

GATEWAY = IPv4Address("10.0.2.2")


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_the_network_is_direct_and_all_else_goes_to_the_gateway(dst: IPv4Address, prefix: int) -> None:
    config = HostConfig(prefix=prefix)
    hop = Host.virtual(config).stack.ip.route(dst.packed)
    direct = dst in config.interface.network or dst.is_multicast or dst == IPv4Address("255.255.255.255")
    assert hop == (dst if direct else GATEWAY).packed


def test_without_a_gateway_only_the_network_is_reached() -> None:
    host = Host.virtual(HostConfig(gateway=None))
    assert host.stack.ip.route(bytes((10, 0, 2, 9))) == bytes((10, 0, 2, 9))
    assert host.stack.ip.route(bytes((10, 0, 3, 9))) is None
    with pytest.raises(OSError, match="no route"):
        host.ping("10.0.3.9").result(0)
    with pytest.raises(OSError, match="no route"):
        host.socket(SOCK_DGRAM).sendto(b"x", ("10.0.3.9", 9))
    assert not host.stack.ip.send(bytes((10, 0, 3, 9)), 17, b"12345678")
    assert host.statistics.drops["ipv4.no_route"] == 1
    assert host.frames() == []


@pytest.mark.parametrize(("prefix", "address"), [(24, "10.0.2.255"), (16, "10.0.255.255"), (30, "10.0.2.15")])
def test_the_last_address_of_a_network_is_its_broadcast(prefix: int, address: str) -> None:
    ip = Host.virtual(HostConfig(ip=IPv4Address("10.0.2.13"), prefix=prefix)).stack.ip
    assert ip.is_broadcast(IPv4Address(address).packed)
    assert ip.is_broadcast(b"\xff" * 4)
    assert not ip.is_broadcast(bytes((10, 0, 2, 13)))


def test_point_to_point_prefixes_have_no_broadcast() -> None:
    ip = Host.virtual(HostConfig(ip=IPv4Address("10.0.2.14"), prefix=31)).stack.ip
    assert not ip.is_broadcast(bytes((10, 0, 2, 15)))


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("255.255.255.255", BROADCAST),
        ("10.0.2.255", BROADCAST),
        ("224.0.0.251", bytes.fromhex("01005e0000fb")),
        ("239.129.2.3", bytes.fromhex("01005e010203")),
    ],
)
def test_group_addresses_need_no_resolution(dst: str, mac: bytes) -> None:
    host = Host.virtual()
    assert host.stack.ip.send(IPv4Address(dst).packed, 17, b"12345678")
    (frame,) = host.frames()
    assert frame[:6] == mac


def test_datagrams_to_ourselves_stay_inside() -> None:
    host = Host.virtual()
    ping = host.ping("10.0.2.15", size=3000)
    assert not ping.done()
    host.advance(0)
    assert ping.result(0).size == 3000
    assert host.frames() == []


def test_datagrams_to_ourselves_are_bounded() -> None:
    host = Host.virtual()
    for _ in range(1000):
        host.stack.ip.send(bytes((10, 0, 2, 15)), 17, b"12345678")
    host.advance(0)
    assert host.statistics.drops["ipv4.loopback_full"] == 1000 - 256
