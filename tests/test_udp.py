"""UDP: datagrams, ports, queues, and the sockets over them (RFC 768, RFC 1122 4.1)."""

import socket
from ipaddress import IPv4Address
from socket import SOCK_DGRAM

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.net.config import VIPERDOS, WIRELAW, Limits
from wirelaw.impl.net.lan import Lan
from wirelaw.impl.wire.udp import parse_udp, write_udp

A, B = "10.0.2.15", "10.0.2.7"
A_OCTETS, B_OCTETS = IPv4Address(A).packed, IPv4Address(B).packed


def two_hosts(limits: Limits = WIRELAW) -> tuple[VirtualHost, VirtualHost, Lan]:
    one = Host.virtual(HostConfig(limits=limits), seed=1)
    other = Host.virtual(HostConfig(mac=bytes.fromhex("525400000007"), ip=IPv4Address(B), limits=limits), seed=2)
    return one, other, Lan(one, other)


@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=500), st.binary(max_size=10))
def test_datagrams_to_octets_and_back(src_port: int, dst_port: int, payload: bytes, padding: bytes) -> None:
    buffer = bytearray(8 + len(payload))
    assert write_udp(buffer, 0, A_OCTETS, B_OCTETS, src_port, dst_port, payload) == len(buffer)
    assert buffer[6:8] != b"\0\0"
    parsed = parse_udp(memoryview(buffer + padding), A_OCTETS, B_OCTETS, True)
    assert parsed == (src_port, dst_port, payload)


@given(st.binary(max_size=40), st.booleans())
def test_any_octets_are_parsed_or_refused(data: bytes, verify: bool) -> None:
    parsed = parse_udp(memoryview(data), A_OCTETS, B_OCTETS, verify)
    if parsed is not None:
        assert len(parsed[2]) <= len(data) - 8


@given(st.integers(0, 8 * 20 - 1))
def test_a_flipped_bit_is_noticed(bit: int) -> None:
    buffer = bytearray(20)
    write_udp(buffer, 0, A_OCTETS, B_OCTETS, 1, 2, b"twelve bytes")
    buffer[bit // 8] ^= 1 << bit % 8
    assert parse_udp(memoryview(buffer), A_OCTETS, B_OCTETS, True) is None


def test_zero_means_no_checksum_over_ipv4_only() -> None:
    buffer = bytearray(12)
    write_udp(buffer, 0, A_OCTETS, B_OCTETS, 1, 2, b"data")
    buffer[6:8] = b"\0\0"
    assert parse_udp(memoryview(buffer), A_OCTETS, B_OCTETS, True) is not None
    assert parse_udp(memoryview(buffer), bytes(16), bytes(16), True) is None


def test_a_sum_of_zero_is_sent_as_all_ones() -> None:
    buffer = bytearray(10)
    write_udp(buffer, 0, A_OCTETS, B_OCTETS, 1, 2, b"\0\0")
    missing = int.from_bytes(buffer[6:8], "big")
    write_udp(buffer, 0, A_OCTETS, B_OCTETS, 1, 2, missing.to_bytes(2, "big"))
    assert buffer[6:8] == b"\xff\xff"
    assert parse_udp(memoryview(buffer), A_OCTETS, B_OCTETS, True) is not None


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 20_000, 65507])
def test_datagrams_cross_in_one_piece_or_many(size: int) -> None:
    one, other, lan = two_hosts()
    sender, receiver = one.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM)
    receiver.bind(("", 7000))
    data = bytes(index % 251 for index in range(size))
    assert sender.sendto(data, (B, 7000)) == size
    lan.run(1)
    assert receiver.recvfrom(65536) == (data, (A, sender.getsockname()[1]))
    with pytest.raises(BlockingIOError):
        receiver.recvfrom(1)


def test_longer_datagrams_are_refused() -> None:
    with pytest.raises(OSError, match="at most 65507"):
        Host.virtual().socket(SOCK_DGRAM).sendto(bytes(65508), (B, 1))


def test_a_port_has_one_socket_and_is_free_after_close() -> None:
    host = Host.virtual()
    first, second = host.socket(SOCK_DGRAM), host.socket(SOCK_DGRAM)
    first.bind((A, 53))
    with pytest.raises(OSError, match="in use"):
        second.bind(("", 53))
    first.close()
    first.close()
    second.bind(("0.0.0.0", 53))
    assert second.getsockname() == (A, 53)
    with pytest.raises(OSError, match="closed"):
        first.sendto(b"", (B, 1))


def test_bad_addresses_are_refused() -> None:
    with Host.virtual().socket(SOCK_DGRAM) as sock:
        with pytest.raises(OSError, match="not this host's address"):
            sock.bind((B, 1))
        with pytest.raises(OverflowError, match="port 65536"):
            sock.bind(("", 65536))
        with pytest.raises(OSError, match="port 0"):
            sock.sendto(b"", (B, 0))
        with pytest.raises(OSError, match="not connected"):
            sock.send(b"")
        with pytest.raises(OSError, match="bound already"):
            sock.bind(("", 0))


def test_ephemeral_ports_differ_and_lie_in_their_range() -> None:
    host = Host.virtual()
    sockets = [host.socket(SOCK_DGRAM) for _ in range(200)]
    for sock in sockets:
        sock.bind(("", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    assert len(set(ports)) == 200
    assert ports != sorted(ports)
    assert all(49152 <= port <= 65535 for port in ports)


def test_sockets_are_bounded_and_counted() -> None:
    host = Host.virtual(HostConfig(limits=VIPERDOS))
    sockets = [host.socket(SOCK_DGRAM) for _ in range(17)]
    for sock in sockets[:16]:
        sock.bind(("", 0))
    assert host.statistics.udp_sockets == 16
    with pytest.raises(OSError, match="all 16"):
        sockets[16].bind(("", 0))
    sockets[0].close()
    assert host.statistics.udp_sockets == 15


def test_the_queue_is_bounded_in_octets_and_number() -> None:
    one, other, lan = two_hosts(VIPERDOS)
    receiver = other.socket(SOCK_DGRAM)
    receiver.bind(("", 9))
    for size, kept in ((1000, 4), (0, 64)):
        for _ in range(100):
            one.stack.udp.bind().send(bytes(size), B_OCTETS, 9)
            one.stack.udp.close()
            lan.run(0.01)
        assert other.statistics.drops["udp.queue_full"] == 100 - kept
        other.statistics.drops.clear()
        for _ in range(kept):
            assert len(receiver.recv(2000)) == size
        with pytest.raises(BlockingIOError):
            receiver.recv(1)


def test_a_connected_socket_hears_its_peer_only_and_learns_of_errors() -> None:
    one, other, lan = two_hosts()
    client, server, stranger = one.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM)
    server.bind(("", 7))
    stranger.bind(("", 8))
    client.connect((B, 7))
    assert client.getpeername() == (B, 7)
    client.send(b"hello")
    lan.run(0.1)
    _, address = server.recvfrom(10)
    stranger.sendto(b"not for you", address)
    server.sendto(b"world", address)
    lan.run(0.1)
    assert client.recv(10) == b"world"
    assert one.statistics.drops["udp.wrong_peer"] == 1
    server.close()
    client.send(b"anybody?")
    lan.run(0.1)
    with pytest.raises(ConnectionRefusedError):
        client.recv(10)
    client.send(b"again")


def test_broadcast_needs_permission() -> None:
    one, other, lan = two_hosts()
    sender, receiver = one.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM)
    receiver.bind(("", 7))
    with pytest.raises(OSError, match="SO_BROADCAST"):
        sender.sendto(b"all", ("10.0.2.255", 7))
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.sendto(b"all", ("10.0.2.255", 7))
    lan.run(0.1)
    assert receiver.recv(10) == b"all"


def test_options() -> None:
    sock = Host.virtual().socket(SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 12345)
    sock.bind(("", 0))
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 12345
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0
    with pytest.raises(OSError, match="SO_RCVBUF, SO_BROADCAST, IP_TOS and IP_TTL only"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with pytest.raises(ValueError, match="out of range"):
        sock.settimeout(-1)
    buffer = bytearray(3)
    sock.sendto(b"long", (A, sock.getsockname()[1]))
    sock._driver.advance(0)  # type: ignore[attr-defined]
    assert sock.recv_into(buffer) == 3
    assert buffer == b"lon"


def test_an_unreachable_neighbour_is_reported_to_a_connected_socket() -> None:
    host = Host.virtual()
    sock = host.socket(SOCK_DGRAM)
    sock.connect((B, 9))
    sock.send(b"anybody?")
    host.advance(10)
    with pytest.raises(OSError, match="unreachable"):
        sock.recv(1)
