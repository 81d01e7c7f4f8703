"""Verbs that run our stack: netd, ping, get."""

from __future__ import annotations

import argparse
import json
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from wirelaw.impl.apps import relay
from wirelaw.impl.apps.fetch import Response, Url, get
from wirelaw.impl.device.qtest import Forward
from wirelaw.impl.net.config import PROFILES, HostConfig
from wirelaw.impl.net.connection import Connection
from wirelaw.impl.net.host import Host, LiveHost
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.runtime.machine import Step
from wirelaw.tools.verbs.output import whole_file, write_json
from wirelaw.tools.verbs.quantities import count, pause, port, seconds
from wirelaw.tools.verbs.teaching import INTERRUPTED, add_json, add_verb


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    netd = add_verb(
        verbs,
        "netd",
        "It answers ARP and ping, and with --echo sends back what comes to a TCP port. On QEMU's user network this machine\n"
        "reaches the ports that are forwarded, on 127.0.0.1. Ctrl-C is the usual end: the statistics are printed then.",
        [
            ("netd --echo 7", "echo on port 7, on QEMU's device; it says where"),
            ("netd --echo 7 --forward 7007:7", "this machine's port 7007 leads to it"),
            ("netd --device tap --json stats.json", "as root: ping 10.0.2.15 from this machine"),
            ("netd --device tap --tap wl0 --address 10.9.0.2/24", "on a TAP interface of your own"),
        ],
        {0: "ended: --seconds are over, or Ctrl-C"},
    )
    _device_options(netd)
    netd.add_argument("--echo", type=port, metavar="PORT", help="send back what comes to this TCP port")
    netd.add_argument(
        "--forward", type=_forward, action="append", default=[], metavar="[HERE:]PORT",
        help="with QEMU's user network: 127.0.0.1:HERE leads to our PORT (default: that of --echo, on a free port)",
    )  # fmt: skip
    netd.add_argument("--seconds", type=seconds, metavar="TIME", help="stop by itself after so long")
    add_json(netd, "the statistics at the end")
    netd.set_defaults(run=run_netd)

    ping = add_verb(
        verbs,
        "ping",
        "Ping an address or a name, and print each round-trip time.",
        [
            ("ping 10.0.2.2", "QEMU's gateway: no rights needed"),
            ("ping -c 1 --device memory 10.0.2.2", "a second host of ours, in this process"),
            ("ping 10.0.2.2 --json times.json", "keep the times as JSON"),
        ],
        {0: "an answer came", 1: "none came", **INTERRUPTED},
    )
    _device_options(ping)
    ping.add_argument("host")
    ping.add_argument("-c", "--count", type=count, default=4, help="how many (default: %(default)s)")
    ping.add_argument("-i", "--interval", type=pause, default=0.2, help="seconds between requests (default: %(default)s)")
    ping.add_argument("-W", "--timeout", type=seconds, default=2.0, help="seconds to wait for each reply (default: %(default)s)")
    add_json(ping, "the round-trip times")
    ping.set_defaults(run=run_ping)

    fetch = add_verb(
        verbs,
        "get",
        "On QEMU's user network, and with --device memory, this machine's 127.0.0.1 is 10.0.2.2.",
        [
            ("get http://10.0.2.2:8000/ -o page.html", "a page of a web server on this machine"),
            ("get http://10.0.2.2:8000/ --trace > page.html", "show the rows of the law that were taken"),
            ("get --device memory http://10.0.2.2:8000/ --json r.json", "without QEMU; status and headers as JSON"),
        ],
        {0: "fetched", **INTERRUPTED},
    )
    _device_options(fetch)
    fetch.add_argument("url")
    fetch.add_argument("-o", "--out", type=Path, metavar="FILE", help="where the body goes, whole or not at all (default: standard output)")
    fetch.add_argument("--timeout", type=seconds, default=30.0, help="seconds of silence to bear (default: %(default)s)")
    add_json(fetch, "status, headers and statistics")
    fetch.set_defaults(run=run_get)


def _forward(text: str) -> Forward:
    here, colon, ours = text.rpartition(":")
    return Forward(port(ours), port(here) if colon else 0)


def _device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("device")
    group.add_argument(
        "--device", choices=("qemu", "tap", "memory"), default="qemu",
        help="qemu (default): QEMU's virtio-net, no rights needed; tap: an interface of the kernel; memory: inside this process",
    )  # fmt: skip
    group.add_argument(
        "--tap", metavar="NAME",
        help="the TAP interface of --device tap, or to put QEMU on; it must exist. Without NAME, --device tap makes tap0 where that "
        "does not exist, gives this machine's end the first other address of the network, and removes it at the end",
    )  # fmt: skip
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
    if options.capture and options.device != "qemu":
        raise UserError("--capture is QEMU's; on a TAP, capture with tcpdump -i NAME -w FILE")
    if options.tap is not None and options.device == "memory":
        raise UserError("--tap needs --device tap or qemu; a device in memory has no interface")
    means: dict[str, Any] = {}
    if options.device == "qemu":
        means = {"tap": options.tap, "capture": options.capture, "forwards": _forwards(options)}
    elif options.device == "tap":
        means = {"name": options.tap}
    host = Host.on(options.device, config, **means)
    if options.trace:
        host.stack.tcp.trace = _print_step
    return host


def _forwards(options: argparse.Namespace) -> tuple[Forward, ...]:
    """What QEMU's user network is to forward: as asked, and the echo port in any case."""
    asked: list[Forward] = list(getattr(options, "forward", []))
    echo = getattr(options, "echo", None)
    if echo is not None and options.tap is None and all(f.guest_port != echo for f in asked):
        asked.append(Forward(echo))
    return tuple(asked)


def _print_step(connection: Connection, step: Step) -> None:
    print(f"{step.time / 1e6:12.6f}  {connection.machine.conn:<12}  {step.table:<12} [{step.row}]", file=sys.stderr)


def _statistics(host: LiveHost) -> dict[str, Any]:
    found = asdict(host.statistics)
    found["drops"] = dict(host.statistics.drops)
    return found


def run_netd(options: argparse.Namespace) -> int:
    """`wirelaw netd`."""
    if options.forward and (options.device != "qemu" or options.tap is not None):
        raise UserError("--forward is for QEMU's user network; elsewhere our address can be reached as it is")
    with _terminated_like_interrupted(), _host(options) as host:
        try:
            _serve(host, options)
            _wait(host, options.seconds)
        except KeyboardInterrupt:
            print("stopping")
        found = _statistics(host)
        print(json.dumps(found))
        write_json(options.json, found)
    return 0


def _serve(host: LiveHost, options: argparse.Namespace) -> None:
    """Say where the host is, and echo if asked to."""
    print(f"up on {options.device}: {host.config.interface}, mac {host.link.mac.hex(':')}", flush=True)
    if options.echo:
        listener = host.socket()
        listener.bind(("", options.echo))
        listener.listen()
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        print(f"echo on TCP port {options.echo}", flush=True)
    for ours, here in sorted(host.forwards.items()):
        print(f"127.0.0.1:{here} leads to our TCP port {ours}", flush=True)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that a service manager gets the statistics, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(host: LiveHost, limit: float | None) -> None:
    """Sleep `limit` seconds, or until the device is gone."""
    end = math.inf if limit is None else time.monotonic() + limit
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(0.05, left))
        lost = getattr(host.link, "broken", None)
        if lost is not None:
            raise UserError(f"the device is gone: {lost}; start again")


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
        address = _resolved(host, options.host)
        for sequence in range(1, options.count + 1):
            try:
                reply = host.ping(address, options.timeout, sequence=sequence)
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


def _resolved(host: LiveHost, name: str) -> str:
    """The address of `name`; `UserError` when it has none."""
    try:
        return str(IPv4Address(name))
    except ValueError:
        pass
    try:
        return str(host.resolve(name)[0])
    except (OSError, ValueError) as error:
        raise _unresolved(name, error) from None


def _unresolved(name: str, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or error
    return UserError(f"{name}: {reason}; check the name, name a server with --dns, or give an IPv4 address")


def run_get(options: argparse.Namespace) -> int:
    """`wirelaw get`."""
    url = Url.parse(options.url)
    with _host(options) as host, _body(options.out) as body:
        if options.device == "memory" and host.peer is not None:
            relay.serve(host.peer, url.port)
        response, octets = _fetched(host, options, url, body)
        found = _statistics(host)
    if options.out is not None:
        print(f"{options.out}: {octets:,} octets, {response.status} {response.reason}", file=sys.stderr)
    write_json(
        options.json, {"url": options.url, "status": response.status, "headers": response.headers, "octets": octets, "statistics": found}
    )
    return 0


@contextmanager
def _body(path: Path | None) -> Iterator[IO[bytes]]:
    """Where the body goes: a file that is written whole or not at all, or standard output."""
    if path is not None:
        with whole_file(path) as file:
            yield file
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


def _fetched(host: LiveHost, options: argparse.Namespace, url: Url, body: IO[bytes]) -> tuple[Response, int]:
    """Fetch into `body`: the answer and the octets of its body. Whatever goes wrong on the way is a `UserError`."""
    octets = 0

    def keep(data: bytes) -> None:
        nonlocal octets
        body.write(data)
        octets += len(data)

    try:
        response = _fetch(host, options, keep)
    except socket.gaierror as error:
        raise _unresolved(url.host, error) from None
    except TimeoutError:
        raise UserError(f"{options.url}: no answer; is a server listening there? (127.0.0.1 of this machine is 10.0.2.2)") from None
    except ConnectionRefusedError as error:
        raise UserError(f"{options.url}: {error.strerror}; start a server on port {url.port}, or correct the URL") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"{options.url}: {error.strerror or error}; try again, or try another server") from None
    if response.status >= 400:
        raise UserError(f"{options.url}: the server answers {response.status} {response.reason}; correct the URL")
    return response, octets


def _fetch(host: LiveHost, options: argparse.Namespace, keep: Callable[[bytes], None]) -> Response:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(str(options.out or options.url), total=None)

        def begun(response: Response) -> None:
            progress.update(task, total=response.length, completed=0)

        def took(data: bytes) -> None:
            keep(data)
            progress.advance(task, len(data))

        return get(host, options.url, took, options.timeout, begun)
