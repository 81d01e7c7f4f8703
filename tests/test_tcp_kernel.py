"""Our TCP against the Linux kernel's over a TAP interface, both roles; the namespace is made for the test and goes with it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

INSIDE = """
import asyncio, hashlib, socket, struct, sys, threading
from wirelaw.impl.net import Host, HostConfig

SIZE = 20_000_000
DATA = bytes(range(256)) * (SIZE // 256)

def echo_end(sock, got):
    with sock:
        while piece := sock.recv(1 << 16):
            got.append(piece)
        sock.sendall(DATA)

def exchange(ours, kernel):
    got = []
    thread = threading.Thread(target=echo_end, args=(kernel, got))
    thread.start()
    with ours:
        ours.sendall(DATA)
        ours.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: ours.recv(1 << 20), b""))
    thread.join()
    assert back == DATA and b"".join(got) == DATA

async def chat(host, port, listener):
    stream = await host.async_connect(("10.9.0.1", port))
    kernel, _ = await asyncio.to_thread(listener.accept)
    with kernel:
        for number in range(50):
            await stream.write(b"%d" % number)
            assert await asyncio.to_thread(kernel.recv, 100) == b"%d" % number
            kernel.sendall(b"yes")
            assert await stream.read(100) == b"yes"
        await stream.close()
        assert kernel.recv(1) == b""

with Host.on("tap", HostConfig.of("10.9.0.2/24"), name="wl0", offload=sys.argv[1] == "offload") as host:
    with socket.create_server(("10.9.0.1", 0)) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        ours = host.socket()
        ours.settimeout(20)
        ours.connect(("10.9.0.1", port))
        exchange(ours, listener.accept()[0])
        asyncio.run(chat(host, port, listener))
        ours = host.socket()
        ours.settimeout(10)
        ours.connect(("10.9.0.1", port))
        kernel, _ = listener.accept()
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        kernel.close()
        try:
            ours.recv(1)
        except ConnectionResetError:
            ours.close()
        else:
            raise AssertionError("the kernel's reset was not told")
    refused = host.socket()
    refused.settimeout(10)
    assert refused.connect_ex(("10.9.0.1", port)) == 111
    with host.socket() as listener:
        listener.bind(("", 8080))
        listener.listen()
        listener.settimeout(10)
        kernel = socket.create_connection(("10.9.0.2", 8080), timeout=20)
        ours, peer = listener.accept()
        ours.settimeout(20)
        assert peer == kernel.getsockname()
        exchange(ours, kernel)
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
@pytest.mark.parametrize("offload", ["offload", "plain"])
def test_bulk_chat_half_close_reset_and_refusal_with_the_kernel_in_both_roles(offload: str) -> None:
    fault = namespace_fault()
    if fault:
        pytest.skip(f"no TAP in a network namespace: {fault}")
    script = SETUP + f'exec "{sys.executable}" -W error -c "$0" {offload}'
    run = subprocess.run(["unshare", "-rn", "sh", "-c", script, INSIDE], capture_output=True, text=True, timeout=90, check=False)
    assert run.returncode == 0, run.stderr
