"""Verbs that run our stack: netd, ping, get."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from wirelaw.impl.apps import relay
from wirelaw.impl.apps.fetch import Response, Url, get
from wirelaw.impl.net.config import PROFILES, HostConfig
from wirelaw.impl.net.host import Host, LiveHost
from wirelaw.impl.net.streams import tcp_of
from wirelaw.impl.net.tcp import Connection
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.runtime.machine import Step
from wirelaw.tools.verbs.output import write_json, write_whole


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    netd = verbs.add_parser(
        "netd",
        help="run the stack on a device until interrupted",
        description="Run the stack: answer ARP and ping, and echo on a TCP port.",
    )
    _device_options(netd)
    netd.add_argument("--echo", type=_port, metavar="PORT", help="send back what comes to this TCP port")
    netd.add_argument("--seconds", type=float, help="stop by itself after so long")
    netd.add_argument("--json", type=Path, metavar="FILE", help="write the statistics when it ends")
    netd.set_defaults(run=run_netd)

    ping = verbs.add_parser("ping", help="send ICMP echo requests through our stack", description="Ping an address or a name.")
    _device_options(ping)
    ping.add_argument("host")
    ping.add_argument("-c", "--count", type=_count, default=4)
    ping.add_argument("-i", "--interval", type=float, default=0.2, help="seconds between requests")
    ping.add_argument("-W", "--timeout", type=float, default=2.0, help="seconds to wait for each reply")
    ping.add_argument("--json", type=Path, metavar="FILE", help="write the round-trip times as JSON")
    ping.set_defaults(run=run_ping)

    fetch = verbs.add_parser(
        "get",
        help="fetch an http URL through our own TCP",
        description="Fetch a page. On QEMU's user network this machine's 127.0.0.1 is 10.0.2.2.",
        epilog="example: wirelaw get http://10.0.2.2:8000/ -o page.html",
    )
    _device_options(fetch)
    fetch.add_argument("url")
    fetch.add_argument("-o", "--out", type=Path, metavar="FILE", help="where the body goes (default: standard output)")
    fetch.add_argument("--timeout", type=float, default=30.0, help="seconds of silence to bear")
    fetch.add_argument("--json", type=Path, metavar="FILE", help="write status, headers and statistics as JSON")
    fetch.set_defaults(run=run_get)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number within 1..65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a number above 0")
    return int(text)


def _device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("device")
    group.add_argument("--device", choices=("qemu", "tap", "memory"), default="qemu", help="default: QEMU's virtio-net, no rights needed")
    group.add_argument("--tap", metavar="NAME", help="the TAP interface of --device tap, or of a QEMU to put on it")
    group.add_argument("--address", default="10.0.2.15/24", help="our address and prefix (default: %(default)s)")
    group.add_argument("--gateway", help="the router (default on QEMU's user network: 10.0.2.2)")
    group.add_argument("--dns", action="append", default=[], help="a name server (default on QEMU's user network: 10.0.2.3)")
    group.add_argument("--mac", help="our station address")
    group.add_argument("--profile", choices=sorted(PROFILES), default="wirelaw", help="sizes of buffers and tables")
    group.add_argument("--capture", type=Path, metavar="FILE", help="have QEMU write a pcap of what passes the device")
    group.add_argument("--trace", action="store_true", help="print the rows taken, on standard error")


def _host(options: argparse.Namespace) -> LiveHost:
    user_network = options.device != "tap" and options.tap is None and options.address == "10.0.2.15/24"
    gateway = options.gateway or ("10.0.2.2" if user_network else None)
    dns = options.dns or (["10.0.2.3"] if user_network else [])
    config = HostConfig.of(options.address, gateway, dns, options.mac, profile=options.profile)
    means: dict[str, Any] = {}
    if options.device == "qemu":
        means = {"tap": options.tap, "capture": options.capture}
    elif options.device == "tap":
        means = {"name": options.tap or "tap0"}
    if options.capture and options.device != "qemu":
        raise UserError("--capture is QEMU's; on a TAP, capture with tcpdump -i NAME -w FILE")
    host = Host.on(options.device, config, **means)
    if options.trace:
        tcp_of(host).trace = _print_step
    return host


def _print_step(connection: Connection, step: Step) -> None:
    print(f"{step.time / 1e6:12.6f}  {connection.machine.conn:<12}  {step.table:<12} [{step.row}]", file=sys.stderr)


def _statistics(host: LiveHost) -> dict[str, Any]:
    found = asdict(host.statistics)
    found["drops"] = dict(host.statistics.drops)
    return found


def run_netd(options: argparse.Namespace) -> int:
    """`wirelaw netd`."""
    with _host(options) as host:
        print(f"up on {options.device}: {host.config.interface}, mac {host.link.mac.hex(':')}", flush=True)
        if options.echo:
            listener = host.socket()
            listener.bind(("", options.echo))
            listener.listen()
            threading.Thread(target=_echo, args=(listener,), daemon=True).start()
            print(f"echo on TCP port {options.echo}", flush=True)
        end = time.monotonic() + options.seconds if options.seconds else None
        try:
            while end is None or time.monotonic() < end:
                time.sleep(0.05 if end is None else min(0.05, max(end - time.monotonic(), 0)))
        except KeyboardInterrupt:
            print("stopping")
        found = _statistics(host)
        print(json.dumps(found))
        write_json(options.json, found)
    return 0


def _echo(listener: Any) -> None:
    def serve(stream: Any) -> None:
        with stream:
            try:
                while data := stream.recv(1 << 16):
                    stream.sendall(data)
            except OSError:
                return

    try:
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=serve, args=(stream,), daemon=True).start()
    except OSError:
        return


def run_ping(options: argparse.Namespace) -> int:
    """`wirelaw ping`: 0 when an answer came, 1 when none did."""
    times: list[float] = []
    with _host(options) as host:
        for sequence in range(1, options.count + 1):
            try:
                reply = host.ping(options.host, options.timeout, sequence=sequence)
                times.append(reply.rtt / 1000)
                print(f"{reply.size + 8} bytes from {options.host}: seq={sequence} time={reply.rtt / 1000:.3f} ms", flush=True)
            except TimeoutError:
                print(f"no reply from {options.host}: seq={sequence}", flush=True)
            except OSError as error:
                print(f"{options.host}: {error.strerror or error}", flush=True)
            if sequence < options.count:
                time.sleep(options.interval)
    lost = options.count - len(times)
    print(
        f"{options.count} sent, {len(times)} received"
        + (f", min/avg/max {min(times):.3f}/{sum(times) / len(times):.3f}/{max(times):.3f} ms" if times else "")
    )
    write_json(options.json, {"host": options.host, "sent": options.count, "lost": lost, "times_ms": times})
    return 0 if times else 1


def run_get(options: argparse.Namespace) -> int:
    """`wirelaw get`."""
    url = Url.parse(options.url)
    pieces: list[bytes] = []
    with _host(options) as host:
        if options.device == "memory" and host.peer is not None:
            relay.serve(host.peer, url.port)
        try:
            response = _fetch(host, options, pieces.append)
        except TimeoutError:
            raise UserError(f"{options.url}: no answer; is a server listening there? (127.0.0.1 of this machine is 10.0.2.2)") from None
        except OSError as error:
            raise UserError(f"{options.url}: {error.strerror or error}") from None
        found = _statistics(host)
    if response.status >= 400:
        raise UserError(f"{options.url}: the server answers {response.status} {response.reason}")
    body = b"".join(pieces)
    if options.out is not None:
        write_whole(options.out, body)
        print(f"{options.out}: {len(body):,} octets, {response.status} {response.reason}", file=sys.stderr)
    else:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    write_json(
        options.json, {"url": options.url, "status": response.status, "headers": response.headers, "octets": len(body), "statistics": found}
    )
    return 0


def _fetch(host: LiveHost, options: argparse.Namespace, keep: Callable[[bytes], None]) -> Response:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(str(options.out or options.url), total=None)

        def begun(response: Response) -> None:
            progress.update(task, total=response.length, completed=0)

        def took(data: bytes) -> None:
            keep(data)
            progress.advance(task, len(data))

        return get(host, options.url, took, options.timeout, begun)
