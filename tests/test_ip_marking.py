"""IP_TOS and IP_TTL of a socket, as they show in the headers of its datagrams (RFC 9293 3.9.1.9 and 3.9.2)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from socket import IP_TOS, IP_TTL, IPPROTO_IP, SOCK_DGRAM
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcp_rig import SERVER, Pair, Station, octets, read_all, would
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.host import Host, LiveHost, VirtualHost
from wirelaw.impl.net.ipv4 import Marking
from wirelaw.impl.net.tcp_sockets import AsyncTcpStream
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.ipv4 import TCP, UDP, Ipv4Header, parse_header

TOS, TTL = st.integers(0, 255), st.integers(1, 255)
Sockets = tuple[Any, Any]


def sent(host: Station, protocol: int = TCP) -> list[Ipv4Header]:
    """The IP headers of what `host` has sent since the last question, each with a good checksum."""
    packets, host.packets = host.packets, []
    own = [p.data for p in packets if p.data[6:12] == host.config.mac and p.data[12:14] == b"\x08\x00" and p.data[23] == protocol]
    assert all(int.from_bytes(frame[14:34], "big") % 65535 == 0 for frame in own)
    headers = [parse_header(frame[14:]) for frame in own]
    return [header for header in headers if header is not None]


def marks(headers: list[Ipv4Header]) -> set[tuple[int, int]]:
    return {(header.tos, header.ttl) for header in headers}


@given(TOS, TTL, TOS, TTL)
def test_every_segment_of_a_connection_is_marked_from_its_syn_on_and_anew_when_told(tos: int, ttl: int, later: int, hops: int) -> None:
    pair = Pair(watch=True)
    listener, client = pair.listen(), pair.client.socket()
    client.settimeout(0)
    client.setsockopt(IPPROTO_IP, IP_TOS, tos)
    client.setsockopt(IPPROTO_IP, IP_TTL, ttl)
    would(lambda: client.connect((str(SERVER), 80)))
    pair.run(0.1)
    theirs, _ = listener.accept()
    assert marks(sent(pair.client)) == {(tos & 0xFC, ttl)}
    assert marks(sent(pair.server)) == {(0, 64)}
    client.setsockopt(IPPROTO_IP, IP_TOS, later)
    client.setsockopt(IPPROTO_IP, IP_TTL, hops)
    client.send(octets(0, 5000))
    pair.run(1.0)
    assert marks(sent(pair.client)) == {(later & 0xFC, hops)}
    client.setsockopt(IPPROTO_IP, IP_TTL, -1)
    client.close()
    theirs.close()
    pair.run(1.0)
    assert marks(sent(pair.client)) == {(later & 0xFC, 64)}
    assert (client.getsockopt(IPPROTO_IP, IP_TOS), client.getsockopt(IPPROTO_IP, IP_TTL)) == (later & 0xFC, 64)


def test_a_listener_marks_its_connections_from_the_first_answer_on() -> None:
    pair = Pair(watch=True)
    listener = pair.server.socket()
    listener.setsockopt(IPPROTO_IP, IP_TOS, 0x28)
    listener.bind(("", 80))
    listener.listen()
    listener.setsockopt(IPPROTO_IP, IP_TTL, 3)
    pair.connect()
    pair.run(0.1)
    listener.settimeout(0)
    theirs, _ = listener.accept()
    assert marks(sent(pair.server)) == {(0x28, 3)}
    assert (theirs.getsockopt(IPPROTO_IP, IP_TOS), theirs.getsockopt(IPPROTO_IP, IP_TTL)) == (0x28, 3)
    theirs.setsockopt(IPPROTO_IP, IP_TTL, 9)
    theirs.send(b"answer")
    pair.run(0.1)
    assert marks(sent(pair.server)) == {(0x28, 9)}
    assert listener.getsockopt(IPPROTO_IP, IP_TTL) == 3


def test_a_retransmission_has_the_marking_of_the_hour() -> None:
    pair = Pair(watch=True)
    ours, theirs = pair.opened()
    sent(pair.client)
    ours.setsockopt(IPPROTO_IP, IP_TOS, 0xB8)
    ours.send(b"once")
    pair.act()
    lost = list(pair.client.frames())
    assert lost
    assert marks(sent(pair.client)) == {(0xB8, 64)}
    ours.setsockopt(IPPROTO_IP, IP_TOS, 0x20)
    pair.run(5.0)
    assert marks(sent(pair.client)) == {(0x20, 64)}
    assert read_all(theirs) == b"once"


@given(TOS, TTL, st.sampled_from([0, 1, 1472, 1473, 8000]))
def test_every_datagram_and_every_fragment_is_marked(tos: int, ttl: int, size: int) -> None:
    pair = Pair(watch=True)
    sender = pair.client.socket(SOCK_DGRAM)
    sender.setsockopt(IPPROTO_IP, IP_TOS, tos)
    sender.bind(("", 0))
    sender.setsockopt(IPPROTO_IP, IP_TTL, ttl)
    sender.sendto(bytes(size), (str(SERVER), 9))
    pair.run(0.1)
    headers = sent(pair.client, UDP)
    assert len(headers) == max(1, -(-(size + 8) // 1480))
    assert marks(headers) == {(tos, ttl)}
    assert (sender.getsockopt(IPPROTO_IP, IP_TOS), sender.getsockopt(IPPROTO_IP, IP_TTL)) == (tos, ttl)


@given(TTL)
def test_the_host_has_a_ttl_of_its_own(ttl: int) -> None:
    host = VirtualHost(HostConfig(ttl=ttl))
    host.stack.ip.send(b"\xff" * 4, 253, b"payload")
    (frame,) = host.frames()
    assert cast("Ipv4Header", parse_header(frame[14:])).ttl == ttl
    assert [host.socket().getsockopt(IPPROTO_IP, option) for option in (IP_TOS, IP_TTL)] == [0, ttl]


@pytest.mark.parametrize("ttl", [0, 256, -1])
def test_a_host_without_a_ttl_is_refused(ttl: int) -> None:
    with pytest.raises(UserError, match=rf"TTL {ttl} is not within 1\.\.255"):
        HostConfig(ttl=ttl)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, SOCK_DGRAM])
@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        (IP_TOS, 256, errno.EINVAL),
        (IP_TOS, -1, errno.EINVAL),
        (IP_TTL, 0, errno.EINVAL),
        (IP_TTL, 256, errno.EINVAL),
        (IP_TTL, -2, errno.EINVAL),
        (socket.IP_HDRINCL, 1, errno.ENOPROTOOPT),
    ],
)
def test_what_no_header_has_is_refused_and_changes_nothing(kind: Any, option: int, value: int, code: int) -> None:
    sock = Host.virtual().socket(kind)
    with pytest.raises(OSError, match=r"IP_TOS") as caught:
        sock.setsockopt(IPPROTO_IP, option, value)
    assert caught.value.errno == code
    assert [sock.getsockopt(IPPROTO_IP, known) for known in (IP_TOS, IP_TTL)] == [0, 64]


def test_an_option_that_is_not_known_has_no_value() -> None:
    for kind in (socket.SOCK_STREAM, SOCK_DGRAM):
        with pytest.raises(OSError, match="IP_TOS and IP_TTL only") as caught:
            Host.virtual().socket(kind).getsockopt(IPPROTO_IP, socket.IP_HDRINCL)
        assert caught.value.errno == errno.ENOPROTOOPT


@given(st.lists(st.tuples(st.sampled_from([IP_TOS, IP_TTL]), st.integers(-2, 300))))
def test_a_marking_is_the_last_good_value_of_each_option(settings: list[tuple[int, int]]) -> None:
    marking, expected = Marking(), {IP_TOS: 0, IP_TTL: 64}
    for option, value in settings:
        try:
            marking = marking.with_option(option, value)
        except OSError:
            continue
        expected[option] = 64 if option == IP_TTL and value == -1 else value
    assert {option: marking.option(option, 64) for option in expected} == expected
    assert 0 <= marking.tos <= 255
    assert 0 <= marking.ttl <= 255


@pytest.fixture
def hosts() -> Iterator[tuple[LiveHost, LiveHost]]:
    with Host.on("memory") as host:
        assert host.peer is not None
        yield host, host.peer


def watched(host: LiveHost) -> list[tuple[int, int, int]]:
    """What the IP module of `host` sends from now on: protocol, TOS and TTL of each datagram."""
    seen: list[tuple[int, int, int]] = []
    ip = host.stack.ip
    transmit: Callable[..., bool] = ip.transmit

    def note(buffer: memoryview, length: int, dst: bytes, protocol: int, *rest: Any, **more: Any) -> bool:
        done = transmit(buffer, length, dst, protocol, *rest, **more)
        seen.append((protocol, buffer[15], buffer[22]))
        return done

    ip.transmit = note  # type: ignore[method-assign]
    return seen


def test_sockets_for_asyncio_are_marked_too(hosts: tuple[LiveHost, LiveHost]) -> None:
    host, peer = hosts
    ours, theirs = watched(host), watched(peer)

    async def work() -> None:
        async with await peer.async_listen() as listener, await host.async_udp_socket() as datagrams:
            await listener.setsockopt(IPPROTO_IP, IP_TTL, 7)
            client = await host.async_connect(("10.0.2.2", listener.port))
            server: AsyncTcpStream = await listener.accept()
            ours.clear()
            await client.setsockopt(IPPROTO_IP, IP_TOS, 0xBB)
            await client.write(b"text")
            assert await server.read(10) == b"text"
            await datagrams.setsockopt(IPPROTO_IP, IP_TOS, 0xBB)
            await datagrams.sendto(b"text", ("10.0.2.2", 9))
            values = [s.getsockopt(IPPROTO_IP, o) for s in (client, server, listener, datagrams) for o in (IP_TOS, IP_TTL)]
            assert values == [0xB8, 64, 0, 7, 0, 7, 0xBB, 64]
            for refused in (client, listener, datagrams):
                with pytest.raises(OSError, match="IP_TOS and IP_TTL"):
                    await refused.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                with pytest.raises(OSError, match="IP_TOS and IP_TTL"):
                    refused.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            await client.close()
            await server.close()

    asyncio.run(asyncio.wait_for(work(), 20.0))
    assert {mark for mark in ours if mark[0] == TCP} == {(TCP, 0xB8, 64)}
    assert {mark for mark in ours if mark[0] == UDP} == {(UDP, 0xBB, 64)}
    assert {mark for mark in theirs if mark[0] == TCP} == {(TCP, 0, 7)}
