"""Bulk transfer and connection rate against the Linux kernel, beside iperf3 over veth in the same run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wirelaw.conformance.netns import Namespace
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.host import Host, LiveHost

BLOCK = 1 << 20
KERNEL, OURS = "10.9.0.1", "10.9.0.2/24"


@contextmanager
def kernel_end() -> Iterator[int]:
    """A process with plain sockets in the present namespace; its port."""
    process = subprocess.Popen([sys.executable, "-m", "wirelaw.tools.bench.kernel_end", KERNEL], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def upload(host: LiveHost, port: int, octets: int) -> float:
    """MB/s of payload from us to the kernel, until the kernel confirms the last octet."""
    block = bytes(BLOCK)
    with host.socket() as stream:
        stream.connect((KERNEL, port))
        stream.sendall(b"u")
        began = time.perf_counter()
        for _ in range(octets // BLOCK):
            stream.sendall(block)
        stream.shutdown(socket.SHUT_WR)
        answer = stream.recv(8)
        seconds = time.perf_counter() - began
    taken = int.from_bytes(answer, "big")
    if taken != octets // BLOCK * BLOCK:
        raise RuntimeError(f"the kernel took {taken} octets of {octets}")
    return octets / seconds / 1e6


def download(host: LiveHost, port: int, octets: int) -> float:
    """MB/s of payload from the kernel to us."""
    with host.socket() as stream:
        stream.connect((KERNEL, port))
        began = time.perf_counter()
        stream.sendall(b"d" + octets.to_bytes(8, "big"))
        taken = 0
        while data := stream.recv(BLOCK):
            taken += len(data)
        seconds = time.perf_counter() - began
    if taken != octets:
        raise RuntimeError(f"we took {taken} octets of {octets}")
    return octets / seconds / 1e6


def connections(host: LiveHost, port: int, count: int) -> float:
    """Connections opened and closed a second, one after the other."""
    began = time.perf_counter()
    for _ in range(count):
        with host.socket() as stream:
            stream.connect((KERNEL, port))
    return count / (time.perf_counter() - began)


def bulk(device: str, offload: bool, octets: int) -> dict[str, float]:
    """Both directions over `device` (qemu or tap), with or without checksum and segmentation offload."""
    with Namespace() as space:
        space.ip("tuntap", "add", "tap0", "mode", "tap", "vnet_hdr")
        space.ip("addr", "add", f"{KERNEL}/24", "dev", "tap0")
        space.ip("link", "set", "tap0", "up")
        if not offload:
            space.set_offloads("tap0", False)
        options: dict[str, Any] = {"tap": "tap0", "offload": offload} if device == "qemu" else {"name": "tap0", "offload": offload}
        with space.entered(), kernel_end() as port, Host.on(device, HostConfig.of(OURS), **options) as host:
            return {"up": upload(host, port, octets), "down": download(host, port, octets)}


def connection_rate(count: int) -> float:
    """Connections a second over a TAP."""
    with Namespace() as space:
        space.ip("tuntap", "add", "tap0", "mode", "tap", "vnet_hdr")
        space.ip("addr", "add", f"{KERNEL}/24", "dev", "tap0")
        space.ip("link", "set", "tap0", "up")
        with space.entered(), kernel_end() as port, Host.on("tap", HostConfig.of(OURS), name="tap0") as host:
            return connections(host, port, count)


def iperf(seconds: int = 3) -> float | None:
    """MB/s of iperf3 between two namespaces over veth; None where iperf3 is not installed."""
    with Namespace() as one, Namespace() as two:
        one.add_veth("v0", "10.8.0.1/24", two, "v1", "10.8.0.2/24")
        try:
            with two.entered():
                server = subprocess.Popen(["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
        except FileNotFoundError:
            return None
        try:
            time.sleep(0.5)
            with one.entered():
                done = subprocess.run(["iperf3", "-c", "10.8.0.2", "-t", str(seconds), "-J"], capture_output=True, text=True, check=False)
        finally:
            server.kill()
            server.wait()
    found = json.loads(done.stdout)
    return float(found["end"]["sum_received"]["bits_per_second"]) / 8e6
