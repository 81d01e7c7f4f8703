"""Our host on QEMU's virtio-net device, whose user network puts real sockets of this machine at the other end of our TCP."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from wirelaw.impl.apps.fetch import get
from wirelaw.impl.device.qtest import PROGRAM, QemuMachine, UserNet
from wirelaw.impl.device.virtio_net import VirtioNet
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.host import Host, LiveHost
from wirelaw.impl.net.loop import Loop, Opened
from wirelaw.impl.net.tcp_sockets import TcpSocket

pytestmark = [
    pytest.mark.net,
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed"),
]

GATEWAY = "10.0.2.2"  # this machine's 127.0.0.1, as QEMU's user network shows it
PORT = 7000
PATIENCE = 30.0  # seconds
SIZE = 5_000_000
DATA = hashlib.shake_256(b"a stream that repeats nowhere").digest(SIZE)
DIGEST = hashlib.sha256(DATA).hexdigest()
Peer = TcpSocket | socket.socket


def all_of(stream: Peer) -> bytes:
    """Everything until the peer has finished."""
    return b"".join(iter(lambda: stream.recv(1 << 20), b""))


@contextmanager
def in_background(function: Callable[[], object]) -> Iterator[None]:
    """`function` runs in a thread during the block, and its exception is raised after it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(2 * PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


@contextmanager
def loopback_listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener


@contextmanager
def connected(host: LiveHost) -> Iterator[tuple[TcpSocket, socket.socket]]:
    """A connection that we opened to a socket of this machine: both ends."""
    with loopback_listener() as listener, host.socket() as ours:
        ours.settimeout(PATIENCE)
        ours.connect((GATEWAY, listener.getsockname()[1]))
        theirs, _ = listener.accept()
        with theirs:
            theirs.settimeout(PATIENCE)
            yield ours, theirs


# --- passive open through the forwarded port -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[LiveHost, TcpSocket]]:
    """A host that listens on `PORT`, which QEMU forwards to."""
    with Host.on("qemu", forwards=(PORT,)) as host, host.socket() as listener:
        listener.bind(("", PORT))
        listener.listen()
        listener.settimeout(PATIENCE)
        yield host, listener


@contextmanager
def accepted(server: tuple[LiveHost, TcpSocket]) -> Iterator[tuple[TcpSocket, socket.socket]]:
    """A connection that a client of this machine opened: our end and the client's."""
    host, listener = server
    with socket.create_connection(("127.0.0.1", host.forwards[PORT]), PATIENCE) as client:
        ours, peer = listener.accept()
        with ours:
            ours.settimeout(PATIENCE)
            assert ours.getsockname() == ("10.0.2.15", PORT)
            assert peer == ours.getpeername()
            assert peer[0] == GATEWAY
            yield ours, client


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_forwarded_client_is_served_both_ways_and_either_end_may_finish_first(server: tuple[LiveHost, TcpSocket], first: str) -> None:
    with accepted(server) as (ours, client):
        client.sendall(b"hello")
        assert ours.recv(100) == b"hello"
        ours.sendall(b"good day")
        assert client.recv(100) == b"good day"
        early: Peer = client if first == "client" else ours
        late: Peer = ours if first == "client" else client
        early.sendall(b"the last of mine")
        early.shutdown(socket.SHUT_WR)
        assert all_of(late) == b"the last of mine"
        late.sendall(DATA[:300_000])  # the other direction is still open
        late.shutdown(socket.SHUT_WR)
        assert all_of(early) == DATA[:300_000]


def test_forwarded_clients_at_once_each_have_their_own_connection(server: tuple[LiveHost, TcpSocket]) -> None:
    host, listener = server
    clients = [socket.create_connection(("127.0.0.1", host.forwards[PORT]), PATIENCE) for _ in range(8)]
    for number, client in enumerate(clients):
        client.sendall(bytes([number]))
    for _ in clients:
        ours, _ = listener.accept()
        with ours:
            ours.settimeout(PATIENCE)
            ours.sendall(ours.recv(1) * 3)
    for number, client in enumerate(clients):
        with client:
            assert all_of(client) == bytes([number]) * 3


def test_a_forwarded_upload_and_download_arrive_whole(server: tuple[LiveHost, TcpSocket]) -> None:
    with accepted(server) as (ours, client):
        with in_background(lambda: (client.sendall(DATA), client.shutdown(socket.SHUT_WR))):
            assert hashlib.sha256(all_of(ours)).hexdigest() == DIGEST
        with in_background(lambda: (ours.sendall(DATA), ours.shutdown(socket.SHUT_WR))):
            assert hashlib.sha256(all_of(client)).hexdigest() == DIGEST


# --- asyncio ---------------------------------------------------------------------------------------------------------


def test_asyncio_opens_and_serves_connections_over_qemu(server: tuple[LiveHost, TcpSocket]) -> None:
    host, _ = server

    async def converse(listener: socket.socket) -> None:
        stream = await host.async_connect((GATEWAY, listener.getsockname()[1]))
        theirs, _ = await asyncio.to_thread(listener.accept)
        with theirs:
            async with stream:
                assert stream.peername == (GATEWAY, listener.getsockname()[1])
                await stream.write(DATA[:200_000])
                await stream.finish()
                assert await asyncio.to_thread(all_of, theirs) == DATA[:200_000]
                await asyncio.to_thread(theirs.sendall, b"answer")
                assert await asyncio.wait_for(stream.read(100), PATIENCE) == b"answer"

    with loopback_listener() as listener:
        asyncio.run(asyncio.wait_for(converse(listener), 2 * PATIENCE))


def test_asyncio_serves_forwarded_clients_over_qemu() -> None:
    async def serve(host: LiveHost) -> None:
        async with await host.async_listen(PORT) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.forwards[PORT])
            async with await listener.accept() as stream:
                writer.write(b"question")
                assert await stream.read(100) == b"question"
                await stream.write(DATA[:100_000])
                await stream.finish()
                assert await reader.read(-1) == DATA[:100_000]
                writer.close()
                assert await stream.read(1) == b""

    with Host.on("qemu", forwards=(PORT,)) as host:
        asyncio.run(asyncio.wait_for(serve(host), 2 * PATIENCE))


# --- bulk, and a device that falters meanwhile -----------------------------------------------------------------------


@contextmanager
def web_server() -> Iterator[tuple[int, list[str]]]:
    """A web server that gives `DATA` away; its port, and the paths asked for."""
    asked: list[str] = []

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(SIZE))
            self.end_headers()
            self.wfile.write(DATA)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as pages:
        thread = threading.Thread(target=pages.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield pages.server_address[1], asked
        finally:
            pages.shutdown()
            thread.join()


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
def test_a_page_of_5_mb_comes_whole_from_a_web_server(offload: bool) -> None:
    digest = hashlib.sha256()
    with web_server() as (port, asked), Host.on("qemu", offload=offload) as host:
        response = get(host, f"http://{GATEWAY}:{port}/page?q=1", digest.update, PATIENCE)
    assert asked == ["/page?q=1"]
    assert (response.status, response.length) == (200, SIZE)
    assert digest.hexdigest() == DIGEST


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
def test_an_upload_of_5_mb_arrives_whole(offload: bool) -> None:
    with (
        Host.on("qemu", offload=offload) as host,
        connected(host) as (ours, theirs),
        in_background(lambda: (ours.sendall(DATA), ours.shutdown(socket.SHUT_WR))),
    ):
        assert hashlib.sha256(all_of(theirs)).hexdigest() == DIGEST


@contextmanager
def faltering_host() -> Iterator[tuple[LiveHost, QemuMachine, VirtioNet]]:
    """A host on QEMU whose machine and driver the test can lay hands on."""
    made: list[tuple[QemuMachine, VirtioNet]] = []

    def opener() -> Opened:
        machine = QemuMachine((UserNet(),))
        link = VirtioNet(machine.find_device())
        made.append((machine, link))
        return Opened([(link, HostConfig())], [machine])

    with LiveHost(Loop(opener)) as host:
        yield host, *made[0]


def break_device(link: VirtioNet) -> None:
    """Post a descriptor of no length: QEMU's device then needs a reset (virtio 1.2, 2.1.2)."""
    while not link._tx.free:
        link.flush()
        link.wait(0.05)
    link._tx.post(link._tx.free.pop(), 0)
    link.flush()


def pull_cable(host: LiveHost, machine: QemuMachine) -> None:
    """The cable is out for a moment; what is sent meanwhile is lost."""
    machine.set_link(False)
    deadline = time.monotonic() + PATIENCE
    while host.call(lambda: host.link.link_up) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not host.link.link_up
    machine.set_link(True)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("mishap", ["reset", "cable"])
def test_a_transfer_survives_the_device_and_the_cable(mishap: str, way: str) -> None:
    with faltering_host() as (host, machine, link), connected(host) as (ours, theirs):
        source, target = (ours, theirs) if way == "up" else (theirs, ours)
        arrived = bytearray()
        with in_background(lambda: (source.sendall(DATA), source.shutdown(socket.SHUT_WR))):
            while len(arrived) < SIZE // 3:
                data = target.recv(1 << 16)
                assert data, "the stream ended early"
                arrived += data
            if mishap == "reset":
                host.call(lambda: break_device(link))
            else:
                pull_cable(host, machine)
            arrived += all_of(target)
        assert hashlib.sha256(arrived).hexdigest() == DIGEST
        counters = link.counters
        assert (counters.resets, counters.link_changes) == ((1, 0) if mishap == "reset" else (0, 2))
        assert host.link.link_up
