"""Our host against the Linux kernel over a TAP interface, inside a network namespace made for the test."""

import shutil
import subprocess
import sys

import pytest

INSIDE = """
import asyncio, socket
from wirelaw.impl.net import Host, HostConfig

with Host.on("tap", HostConfig.of("10.9.0.2/24"), name="wl0") as host:
    assert host.ping("10.9.0.1", timeout=5).size == 56
    assert host.ping("10.9.0.1", timeout=5, size=20000).size == 20000
    kernel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    kernel.bind(("10.9.0.1", 0))
    kernel.settimeout(10)
    with host.socket(socket.SOCK_DGRAM) as ours, kernel:
        ours.settimeout(10)
        for size in (0, 1000, 1472, 20000, 65507):
            data = bytes(octet % 251 for octet in range(size))
            ours.sendto(data, kernel.getsockname())
            received, address = kernel.recvfrom(65535)
            assert received == data and address == ours.getsockname()
            kernel.sendto(data, address)
            assert ours.recvfrom(65535) == (data, kernel.getsockname())
        kernel.connect(("10.9.0.2", 9))
        kernel.send(b"anybody?")
        try:
            kernel.recv(1)
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("the kernel did not understand our port unreachable")
    with host.socket(socket.SOCK_DGRAM) as ours:
        ours.settimeout(10)
        ours.connect(("10.9.0.1", 9))
        ours.send(b"anybody?")
        try:
            ours.recv(1)
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("we did not understand the kernel's port unreachable")

async def serve(host):
    async with await host.async_listen(7) as listener:
        reader, writer = await asyncio.open_connection("10.9.0.2", 7)
        async with await listener.accept() as stream:
            assert stream.peername == writer.get_extra_info("sockname")
            writer.write(DATA)
            writer.write_eof()
            got = b""
            while piece := await stream.read(1 << 16):
                got += piece
            assert got == DATA
            await stream.write(DATA)
            await stream.finish()
            assert await reader.read(-1) == DATA
            writer.close()

async def ask(host):
    async def echo(reader, writer):
        writer.write(await reader.read(-1))
        writer.close()

    async with await asyncio.start_server(echo, "10.9.0.1", 0) as server:
        async with await host.async_connect(server.sockets[0].getsockname()) as stream:
            await stream.write(DATA)
            await stream.finish()
            got = b""
            while piece := await stream.read(1 << 16):
                got += piece
            assert got == DATA
    try:
        await host.async_connect(("10.9.0.1", 9))
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("a closed port was not refused")

DATA = bytes(range(256)) * 8000
with Host.on("tap", HostConfig.of("10.9.0.2/24"), name="wl0") as host:
    asyncio.run(asyncio.wait_for(serve(host), 30))
    asyncio.run(asyncio.wait_for(ask(host), 30))
"""

SETUP = """
set -e
ip tuntap add wl0 mode tap vnet_hdr
ip addr add 10.9.0.1/24 dev wl0
ip link set lo up
ip link set wl0 up
"""


def namespace_fault() -> str | None:
    """Why no namespace with a TAP interface can be had here; None when one can."""
    for program in ("unshare", "ip", "sh"):
        if shutil.which(program) is None:
            return f"the program {program} is missing"
    attempt = subprocess.run(["unshare", "-rn", "sh", "-c", SETUP], capture_output=True, text=True, check=False)
    return attempt.stderr.strip() or "unshare -rn failed" if attempt.returncode else None


@pytest.mark.net
def test_ping_udp_fragments_unreachable_ports_and_asyncio_streams_with_the_kernel() -> None:
    fault = namespace_fault()
    if fault:
        pytest.skip(f"no TAP in a network namespace: {fault}")
    script = SETUP + f'exec "{sys.executable}" -W error -c "$0"'
    command = ["unshare", "-rn", "sh", "-c", script, INSIDE]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
