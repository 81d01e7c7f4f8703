"""TCP for asyncio between two hosts in this process: many at once, errors as the standard library has them, cancelling loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from wirelaw.impl.net.host import Host, LiveHost
from wirelaw.impl.net.tcp_sockets import AsyncTcpListener, AsyncTcpStream

SERVER = "10.0.2.2"
PATIENCE = 20.0  # seconds
DATA = bytes(range(251)) * 4000


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE))


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Let the task begin, then cancel it."""
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def pair(host: LiveHost, listener: AsyncTcpListener) -> tuple[AsyncTcpStream, AsyncTcpStream]:
    client = await host.async_connect((SERVER, listener.port))
    return client, await listener.accept()


async def all_of(stream: AsyncTcpStream) -> bytes:
    got = bytearray()
    while data := await stream.read(1 << 16):
        got += data
    return bytes(got)


@pytest.fixture
def hosts():
    with Host.on("memory") as host:
        yield host, host.peer


def test_twenty_clients_at_once_are_served(hosts) -> None:
    host, peer = hosts

    async def serve(stream: AsyncTcpStream) -> None:
        async with stream:
            await stream.write((await all_of(stream))[::-1])

    async def ask(port: int, number: int) -> None:
        async with await host.async_connect((SERVER, port)) as stream:
            mine = DATA[number : number + 50_000]
            await stream.write(mine)
            await stream.finish()
            assert await all_of(stream) == mine[::-1]

    async def work() -> None:
        async with await peer.async_listen() as listener:
            clients = [asyncio.create_task(ask(listener.port, n)) for n in range(20)]
            servers = [asyncio.create_task(serve(await listener.accept())) for _ in clients]
            await asyncio.gather(*clients, *servers)

    run(work())


def test_both_ends_know_each_other(hosts) -> None:
    async def work() -> None:
        async with await hosts[1].async_listen(80) as listener:
            client, server = await pair(hosts[0], listener)
            assert client.peername == server.sockname == (SERVER, 80)
            assert client.sockname == server.peername
            assert client.sockname[0] == "10.0.2.15"

    run(work())


def test_a_closed_port_refuses_and_a_lost_peer_resets(hosts) -> None:
    async def work() -> None:
        with pytest.raises(ConnectionRefusedError):
            await hosts[0].async_connect((SERVER, 9))
        async with await hosts[1].async_listen() as listener:
            client, server = await pair(hosts[0], listener)
            await client.write(b"left unread")
            await asyncio.sleep(0.05)
            await server.close()
            with pytest.raises(ConnectionResetError):
                await client.read(1)

    run(work())


def test_a_cancelled_read_loses_no_octet(hosts) -> None:
    async def work() -> None:
        async with await hosts[1].async_listen() as listener:
            client, server = await pair(hosts[0], listener)

            async def feed() -> None:
                for start in range(0, 20_000, 100):
                    await client.write(DATA[start : start + 100])
                    await asyncio.sleep(0)
                await client.finish()

            feeding = asyncio.create_task(feed())
            got = bytearray()
            while True:
                reading = asyncio.create_task(server.read(77))
                await asyncio.sleep(0)  # a race on purpose: the octets come before, during or after the cancelling
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    got += await reading
                data = await server.read(33)
                if not data:
                    break
                got += data
            await feeding
            assert got == DATA[:20_000]

    run(work())


def test_a_cancelled_accept_loses_no_connection(hosts) -> None:
    async def work() -> None:
        async with await hosts[1].async_listen() as listener:
            await cancelled(asyncio.create_task(listener.accept()))
            for _ in range(10):
                accepting = asyncio.create_task(listener.accept())
                await asyncio.sleep(0)
                client = await hosts[0].async_connect((SERVER, listener.port))
                accepting.cancel()
                try:
                    server = await accepting
                except asyncio.CancelledError:
                    server = await listener.accept()
                await client.write(b"who is there")
                assert await server.read(100) == b"who is there"
                await client.close()
                assert await server.read(100) == b""
                await server.close()

    run(work())


def test_a_cancelled_write_and_a_cancelled_opening_leave_nothing_waiting(hosts) -> None:
    host, peer = hosts

    async def work() -> None:
        await cancelled(asyncio.create_task(host.async_connect(("10.0.2.99", 80))))
        async with await peer.async_listen() as listener:
            client, server = await pair(host, listener)
            await cancelled(asyncio.create_task(client.write(bytes(50_000_000))))
            await client.finish()
            assert 0 < len(await all_of(server)) < 50_000_000
            await server.close()
            await client.close()
            await client.close()

    run(work())
    assert all(str(c.machine.conn) != "SYN_SENT" for c in host.call(host.stack.tcp.table.connections))


def test_a_host_that_closes_wakes_its_readers() -> None:
    async def work(host: LiveHost, peer: LiveHost) -> None:
        listener = await peer.async_listen()
        client, _ = await pair(host, listener)
        reading = asyncio.create_task(client.read(1))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(host.close)
        with pytest.raises(OSError, match="closed"):
            await reading
        await client.close()
        await listener.close()
        await listener.close()

    with Host.on("memory") as host:
        assert host.peer is not None
        run(work(host, host.peer))
