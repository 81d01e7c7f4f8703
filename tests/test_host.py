"""Whole hosts: two on a faulty cable, one under a flood of mutated frames, and hosts in real time on devices."""

import asyncio
import random
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from socket import SOCK_DGRAM

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net import Host, HostConfig, LiveHost, VirtualHost
from wirelaw.impl.net.config import VIPERDOS
from wirelaw.impl.net.lan import Lan
from wirelaw.impl.runtime.errors import MissingMeans, UserError
from wirelaw.impl.wire.arp import REQUEST, ArpPacket, build_arp
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame
from wirelaw.impl.wire.icmp import build_icmp
from wirelaw.impl.wire.ipv4 import write_header
from wirelaw.impl.wire.tcp import Segment, build_segment
from wirelaw.impl.wire.udp import write_udp

A, B = "10.0.2.15", "10.0.2.7"
A_OCTETS, B_OCTETS = IPv4Address(A).packed, IPv4Address(B).packed
B_MAC = bytes.fromhex("525400000007")


def pair(faults: Faults | None = None, seed: int = 0) -> tuple[VirtualHost, VirtualHost, Lan]:
    one = Host.virtual(HostConfig(), seed=1)
    other = Host.virtual(HostConfig(mac=B_MAC, ip=IPv4Address(B)), seed=2)
    return one, other, Lan(one, other, faults=faults, seed=seed)


# Two hosts


def test_two_hosts_resolve_each_other_and_ping() -> None:
    one, other, lan = pair(Faults(delay=1_000))
    first = one.ping(B)
    lan.run(0.1)
    assert first.result(0).rtt == 4_000, "ARP and echo: two round trips"
    second = other.ping(A, size=5000)
    lan.run(0.1)
    assert second.result(0)[:2] == (2_000, 5000), "the request taught the other side our MAC"
    assert one.statistics.dropped == other.statistics.dropped == 0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.1), st.floats(0, 0.5), st.floats(0, 1))
def test_fragmented_datagrams_cross_a_faulty_cable_whole_or_not_at_all(
    seed: int, loss: float, duplication: float, reordering: float
) -> None:
    one, other, lan = pair(Faults(loss=loss, duplicate=duplication, reorder=reordering), seed)
    sender, receiver = one.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM)
    receiver.bind(("", 7))
    sent = [random.Random(index).randbytes(20_000) for index in range(20)]
    for data in sent:
        sender.sendto(data, (B, 7))
        lan.run(0.1)
    lan.run(70)
    received = []
    while True:
        try:
            received.append(receiver.recv(65535))
        except BlockingIOError:
            break
    assert set(received) <= set(sent)
    if loss == 0:
        assert set(received) == set(sent)
    assert len(other.stack.ip.reassembler) == 0
    assert other.stack.ip.reassembler.octets == 0


def test_corrupted_frames_never_deliver_altered_data() -> None:
    one, other, lan = pair(Faults(corrupt=0.3), seed=4)
    sender, receiver = one.socket(SOCK_DGRAM), other.socket(SOCK_DGRAM)
    receiver.bind(("", 7))
    for _ in range(300):
        sender.sendto(b"the quick brown fox" * 20, (B, 7))
        lan.run(0.01)
    count = 0
    while count < 300:
        try:
            assert receiver.recv(65535) == b"the quick brown fox" * 20
        except BlockingIOError:
            break
        count += 1
    assert 150 < count < 300
    assert lan.struck > 50
    assert other.statistics.dropped > 50


def run_of(seed: int) -> list[tuple[int, bytes]]:
    host = Host.virtual(seed=seed)
    other = Host.virtual(HostConfig(mac=B_MAC, ip=IPv4Address(B)), seed=seed + 1)
    lan, frames = Lan(host, other, faults=Faults(loss=0.1, reorder=0.3), seed=seed), []
    lan.tap = lambda now, frame: frames.append((now, frame))
    for _ in range(20):
        host.ping(B, size=2000)
        host.socket(SOCK_DGRAM).sendto(b"x", (B, 9))
        lan.run(0.3)
    return frames


def test_the_same_seed_gives_the_same_frames_at_the_same_times() -> None:
    assert run_of(1) == run_of(1)
    assert run_of(1) != run_of(2)


def test_the_clock_belongs_to_the_caller() -> None:
    host = Host.virtual()
    assert (host.now, host.next_deadline()) == (0, None)
    host.ping(B, timeout=0.5)
    assert host.next_deadline() == 500_000
    host.advance(0.25)
    assert host.now == 250_000
    with pytest.raises(ValueError, match="cannot go back"):
        host.advance_to(1)


# TCP's hooks


def test_the_connection_table_is_bounded_and_ports_are_not_reused() -> None:
    table = Host.virtual(HostConfig(limits=VIPERDOS)).stack.tcp.table
    made = Host.virtual().stack.tcp.connect(B_OCTETS, 80)
    ports = set()
    for _ in range(32):
        port = table.ephemeral_port()
        ports.add(port)
        table.connect((A_OCTETS, port, B_OCTETS, 80), made)
    assert len(ports) == 32
    with pytest.raises(OSError, match="exists already"):
        table.connect((A_OCTETS, port, B_OCTETS, 80), made)
    with pytest.raises(OSError, match="all 32"):
        table.connect((A_OCTETS, 1, B_OCTETS, 80), made)
    for port in ports:
        table.disconnect((A_OCTETS, port, B_OCTETS, 80))
    assert not table.connections()
    assert table.connection((A_OCTETS, port, B_OCTETS, 80)) is None


def test_broken_segments_do_not_reach_tcp() -> None:
    host = Host.virtual()
    seen: list[Segment] = []
    host.stack.tcp.segment = lambda segment, src, dst: seen.append(segment)  # type: ignore[method-assign]
    for dst, flip, reason in [(A_OCTETS, 37, "tcp.checksum"), (A_OCTETS, 46, "tcp.malformed"), (b"\xff" * 4, -1, "tcp.broadcast")]:
        frame = bytearray(sample(6, dst))
        if flip >= 0:
            frame[flip] ^= 0x80
        host.receive(bytes(frame))
        assert host.statistics.drops == {reason: 1}
        host.statistics.drops.clear()
    assert seen == []


# Mutated frames

KINDS = st.sampled_from([0, 1, 17, 6])


def sample(kind: int, dst: bytes = A_OCTETS) -> bytes:
    """A good frame for the host: ARP (0), ICMP echo (1), UDP (17), TCP with options (6)."""
    if kind == 0:
        return build_frame(BROADCAST, B_MAC, ETHERTYPE_ARP, build_arp(ArpPacket(REQUEST, B_MAC, B_OCTETS, bytes(6), A_OCTETS)))
    buffer = bytearray(200)
    if kind == 1:
        message = build_icmp(8, 0, 1, 1, bytes(60))
        buffer[20 : 20 + len(message)] = message
        length = len(message)
    elif kind == 17:
        length = write_udp(buffer, 20, B_OCTETS, dst, 53, 7000, bytes(70))
    else:
        segment = Segment(1, 2, 3, 4, 5, ackf=True, has_mss=True, mss=1460, tson=True, payload=bytes(30), len=30)
        length = build_segment(buffer, 20, segment, B_OCTETS, dst)
    write_header(buffer, 0, 20 + length, 7, 0, 64, kind, B_OCTETS, dst)
    return build_frame(HostConfig().mac, B_MAC, ETHERTYPE_IPV4, bytes(buffer[: 20 + length]))


def mend_ip_checksum(frame: bytearray) -> None:
    """So that a mutation reaches the layers behind the header check."""
    length = (frame[14] & 15) * 4
    if len(frame) >= 14 + length >= 34:
        frame[24:26] = b"\0\0"
        frame[24:26] = (-int.from_bytes(frame[14 : 14 + length], "big") % 65535).to_bytes(2, "big")


def mutate(frame: bytes, chance: random.Random) -> bytes:
    mutated = bytearray(frame)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        place = chance.randrange(12, len(mutated))
        mutated[place] = chance.choice((0, 0xFF, 0x80, chance.randrange(256)))
    if chance.random() < 0.2:
        mutated = mutated[: chance.randrange(len(mutated) + 1)]
    elif chance.random() < 0.1:
        mutated += chance.randbytes(chance.randrange(100))
    if len(mutated) > 34 and chance.random() < 0.8:
        if chance.random() < 0.3:
            mutated[20:22] = chance.randrange(0x4000).to_bytes(2, "big")
        mend_ip_checksum(mutated)
    return bytes(mutated)


def mutants() -> st.SearchStrategy[bytes]:
    return st.builds(lambda kind, seed: mutate(sample(kind), random.Random(seed)), KINDS, st.integers())


def test_a_flood_of_mutated_frames_raises_nothing_and_stays_bounded() -> None:
    host = Host.virtual(HostConfig(limits=VIPERDOS))
    host.stack.tcp.segment = lambda segment, src, dst: None  # type: ignore[method-assign]
    receiver = host.stack.udp.bind(7000)
    chance = random.Random(20)
    samples = [sample(kind) for kind in (0, 1, 17, 6)]
    used = []
    tracemalloc.start()
    try:
        for number in range(20_000):
            host.receive(mutate(chance.choice(samples), chance))
            if number % 10 == 0:
                host.advance(chance.random() * 0.05)
            if number % 100 == 0:
                host.frames()
            if number % 5000 == 4999:
                used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    counted = host.statistics
    assert counted.rx_packets == 20_000
    assert counted.dropped > 10_000
    assert len(counted.drops) > 15
    assert used[-1] < used[0] + 200_000
    assert len(host.stack.ip.neighbours) <= 16
    assert host.stack.ip.reassembler.octets <= VIPERDOS.reassembly_octets
    assert receiver._queued <= VIPERDOS.udp_receive_buffer
    host.ping(A)
    host.advance(0)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.binary(max_size=120) | mutants(), max_size=20))
def test_any_frames_are_taken_and_counted(frames: list[bytes]) -> None:
    host = Host.virtual()
    for frame in frames:
        host.receive(frame)
    host.advance(200)
    assert host.statistics.rx_packets == len(frames)
    assert len(host.stack.ip.reassembler) == 0


# Real time


@contextmanager
def memory_hosts() -> Iterator[tuple[LiveHost, LiveHost]]:
    with Host.on("memory") as host:
        assert host.peer is not None
        yield host, host.peer


def test_live_hosts_ping_each_other_and_themselves() -> None:
    with memory_hosts() as (host, peer):
        assert host.ping("10.0.2.2").size == 56
        assert peer.ping(A, size=4000).size == 4000
        assert host.ping(A).size == 56
        with pytest.raises(TimeoutError):
            host.ping("10.0.2.77", timeout=0.05)


def test_blocking_sockets_wait_for_their_datagram_or_their_timeout() -> None:
    with memory_hosts() as (host, peer), host.socket(SOCK_DGRAM) as client, peer.socket(SOCK_DGRAM) as server:
        server.bind(("", 7))
        thread = threading.Thread(target=lambda: server.sendto(*server.recvfrom(65535)))
        thread.start()
        client.settimeout(5)
        client.sendto(b"e" * 20_000, ("10.0.2.2", 7))
        assert client.recvfrom(65535) == (b"e" * 20_000, ("10.0.2.2", 7))
        thread.join()
        for timeout, error in ((0.05, TimeoutError), (0, BlockingIOError)):
            client.settimeout(timeout)
            start = time.monotonic()
            with pytest.raises(error):
                client.recv(1)
            assert time.monotonic() - start >= timeout


def test_asyncio_sockets_and_ping() -> None:
    async def echo(host: LiveHost, peer: LiveHost) -> None:
        async with await host.async_udp_socket() as client, await peer.async_udp_socket(7) as server:
            waiting = asyncio.create_task(server.recvfrom(65535))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await client.sendto(b"hello", ("10.0.2.2", 7))
            data, address = await asyncio.wait_for(server.recvfrom(65535), 5)
            assert (data, address) == (b"hello", (A, client.port))
            replies = await asyncio.gather(*(host.async_ping("10.0.2.2") for _ in range(10)))
            assert len(replies) == 10

    with memory_hosts() as (host, peer):
        asyncio.run(echo(host, peer))


def test_closing_a_host_wakes_those_who_wait() -> None:
    host = Host.on("memory")
    sock = host.socket(SOCK_DGRAM)
    sock.bind(("", 7))
    failures: list[OSError] = []

    def wait() -> None:
        try:
            sock.recv(1)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    host.close()
    host.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "closed" in str(failures[0])
    with pytest.raises(OSError, match="closed"):
        host.ping("10.0.2.2")


def test_wrong_devices_and_options_are_one_clear_error() -> None:
    with pytest.raises(UserError, match="unknown device 'modem'; choose one of memory, qemu, tap"):
        Host.on("modem")
    with pytest.raises(UserError, match="device 'tap' has no option 'nam'; it has name, offload"):
        Host.on("tap", nam="tap0")
    with pytest.raises(UserError, match="no room for a second host"):
        Host.on("memory", HostConfig(prefix=32))


def test_lookups_use_the_configured_server() -> None:
    config = HostConfig(dns=(IPv4Address("10.0.2.2"),))
    with Host.on("memory", config) as host:
        with pytest.raises(socket.gaierror):
            host.socket(SOCK_DGRAM).sendto(b"x", ("bad..name", 7))
        assert host.resolve("192.0.2.1") == [IPv4Address("192.0.2.1")]


@pytest.mark.net
def test_ping_and_udp_through_qemu_to_this_machine() -> None:
    """QEMU's user network is an independent implementation of everything below TCP."""
    try:
        host = Host.on("qemu")
    except MissingMeans as missing:
        pytest.skip(str(missing))
    with host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, host.socket(SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        client.settimeout(10)
        assert host.ping("10.0.2.2", timeout=5).size == 56
        for size in (0, 1, 1000, 1472):
            client.sendto(bytes(size), ("10.0.2.2", server.getsockname()[1]))
            data, address = server.recvfrom(65535)
            assert data == bytes(size)
            server.sendto(data + b"!", address)
            assert client.recvfrom(65535) == (data + b"!", ("10.0.2.2", server.getsockname()[1]))
        assert host.statistics.drops.keys() <= {"ethernet.unknown_type", "ethernet.not_for_us"}


@pytest.mark.net
def test_syn_through_qemu_is_answered() -> None:
    try:
        host = Host.on("qemu")
    except MissingMeans as missing:
        pytest.skip(str(missing))
    with host, socket.socket(SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        answers: list[tuple[bool, bool, int, int]] = []

        def take(segment: Segment, src: Address, dst: Address) -> None:
            answers.append((segment.syn, segment.ackf, segment.ack, segment.mss))

        def send_syn() -> None:
            host.stack.tcp.segment = take  # type: ignore[method-assign]
            syn = Segment(40000, port, 1000, 0, 65535, syn=True, has_mss=True, mss=1460, has_wscale=True, sack_ok=True)
            assert host.stack.tcp.emit(syn, IPv4Address("10.0.2.2").packed)

        host.call(send_syn)
        server.settimeout(10)
        server.accept()[0].close()
        deadline = time.monotonic() + 5
        while not answers and time.monotonic() < deadline:
            time.sleep(0.01)
        assert answers[0] == (True, True, 1001, 1460)
