"""Small real TCP connections between two kernels, each recorded on both hosts' own interfaces.

Every scenario shows one freedom or duty of TCP: the judge must pass all of them. They are kept as fixtures, and any
machine with the rights records them afresh: ``python -m wirelaw.conformance.scenarios --out DIR [NAME ...]``.
"""

import argparse
import json
import os
import platform
import selectors
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from wirelaw.conformance.bridge import Bridge
from wirelaw.conformance.netns import Namespace, missing_means
from wirelaw.conformance.recorder import Recorder, wait_for_silence
from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.runtime.errors import MissingMeans, UserError

CLIENT, SERVER = "10.7.0.1", "10.7.0.2"
PORT = 7000
_CLIENT_PORT = 40_000
_INTERFACE = "wire0"
_PATIENCE = 30.0
# Longer than the 500 ms in which an ACK is due: what is still owed at the end is then known to be missing.
_QUIET_TAIL = 0.6
_MILLISECOND = 1000
_HEADERS = 54
"""Ethernet, IPv4 and TCP without options: damage falls behind them, on what only a checksum of TCP protects."""


class Hosts:
    """The two hosts of a scenario; sockets made here close when it ends."""

    def __init__(self, client: Namespace, server: Namespace, sockets: ExitStack):
        self._client, self._server, self._sockets = client, server, sockets

    def client_socket(self) -> socket.socket:
        """A TCP socket of the client."""
        return self._socket(self._client)

    def server_socket(self) -> socket.socket:
        """A TCP socket of the server."""
        return self._socket(self._server)

    def _socket(self, host: Namespace) -> socket.socket:
        with host.entered():
            made = self._sockets.enter_context(socket.socket())
        made.settimeout(_PATIENCE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return made

    def listen(self, receive_buffer: int | None = None) -> socket.socket:
        """A listener on the server."""
        listener = self.server_socket()
        if receive_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.bind((SERVER, PORT))
        listener.listen()
        return listener

    def pair(self, receive_buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
        """An established connection: the client's socket and the server's."""
        listener, client = self.listen(receive_buffer), self.client_socket()
        return client, self.join(client, listener)

    def join(self, client: socket.socket, listener: socket.socket) -> socket.socket:
        """Connect `client` to `listener`; the accepted socket."""
        client.connect((SERVER, PORT))
        server = self._sockets.enter_context(listener.accept()[0])
        server.settimeout(_PATIENCE)
        return server


Play = Callable[[Hosts], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One recorded run. `faults`: through a faulty link (no offload there), else over a veth pair.

    `offloads` says whether the veth pair may segment and coalesce; `sysctls` hold on both hosts; `connections` is how
    many connections the capture shows.
    """

    name: str
    description: str
    play: Play
    faults: Faults | None = None
    seed: int = 0
    offloads: bool = True
    sysctls: tuple[tuple[str, int | str], ...] = ()
    snaplen: int = 262_144
    connections: int = 1


def _octets(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def _receive(source: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        piece = source.recv(min(65_536, size - len(received)))
        if not piece:
            break
        received += piece
    return bytes(received)


def _exchange(one: socket.socket, other: socket.socket, up: bytes, down: bytes) -> None:
    """Send `up` from `one` and `down` from `other` at the same time, and check what arrives."""
    unsent = {one: memoryview(up), other: memoryview(down)}
    arrived = {one: bytearray(), other: bytearray()}
    expected = {one: len(down), other: len(up)}
    with selectors.DefaultSelector() as ready:
        end: socket.socket
        for end in (one, other):
            end.setblocking(False)
            ready.register(end, selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent[end] else 0), end)
        while any(unsent.values()) or any(len(arrived[end]) < expected[end] for end in arrived):
            events = ready.select(_PATIENCE)
            if not events:
                raise TimeoutError("the connection stalled")
            for key, mask in events:
                end = key.data
                if mask & selectors.EVENT_READ:
                    arrived[end] += end.recv(65_536)
                if mask & selectors.EVENT_WRITE:
                    unsent[end] = unsent[end][end.send(unsent[end][:32_768]) :]
                    if not unsent[end]:
                        ready.modify(end, selectors.EVENT_READ, end)
    for end in (one, other):
        end.settimeout(_PATIENCE)
    if arrived[other] != up or arrived[one] != down:
        raise RuntimeError("the octets that arrived are not those sent")


def _close_in_turn(first: socket.socket, second: socket.socket) -> None:
    first.shutdown(socket.SHUT_WR)
    _receive(second, 1)
    second.close()
    _receive(first, 1)
    first.close()


def _echo(sizes: Sequence[int]) -> Play:
    def play(hosts: Hosts) -> None:
        client, server = hosts.pair()
        for index, size in enumerate(sizes):
            octets = _octets(size, index)
            _exchange(client, server, octets, b"")
            _exchange(client, server, b"", octets)
        _close_in_turn(client, server)

    return play


def _bulk(size: int) -> Play:
    def play(hosts: Hosts) -> None:
        client, server = hosts.pair()
        _exchange(client, server, _octets(size, 1), _octets(size, 2))
        _close_in_turn(client, server)

    return play


def _chat(hosts: Hosts) -> None:
    client, server = hosts.pair()
    for turn in range(12):
        sender, receiver = (client, server) if turn % 4 else (server, client)
        receiver.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        sender.sendall(b"a line of chat\n")
        _receive(receiver, 15)
        time.sleep(0.07)
    _close_in_turn(server, client)


def _small_window(hosts: Hosts) -> None:
    client, server = hosts.pair(receive_buffer=4096)
    _exchange(client, server, _octets(60_000), b"")
    _close_in_turn(client, server)


def _zero_window(hosts: Hosts) -> None:
    client, server = hosts.pair(receive_buffer=4096)
    octets = _octets(30_000)
    client.setblocking(False)
    sent = 0
    with suppress(BlockingIOError):
        while sent < len(octets):
            sent += client.send(octets[sent:])
    time.sleep(1.5)
    client.settimeout(_PATIENCE)
    for _ in range(3):
        _receive(server, 1500)
        time.sleep(0.3)
    _receive(server, sent - 4500)
    _close_in_turn(client, server)


def _half_close(hosts: Hosts) -> None:
    client, server = hosts.pair()
    client.sendall(b"that is all from me")
    client.shutdown(socket.SHUT_WR)
    _receive(server, 20)
    for index in range(4):
        server.sendall(_octets(6000, index))
        time.sleep(0.05)
    server.close()
    _receive(client, 24_001)


def _simultaneous_close(hosts: Hosts) -> None:
    client, server = hosts.pair()
    _exchange(client, server, b"over", b"out")
    time.sleep(0.1)
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    _receive(client, 1)
    _receive(server, 1)


def _reset_on_unread(hosts: Hosts) -> None:
    client, server = hosts.pair()
    client.sendall(b"nobody will read this")
    time.sleep(0.05)
    server.close()
    time.sleep(0.05)


def _abort(hosts: Hosts) -> None:
    client, server = hosts.pair()
    _exchange(client, server, b"hello", b"hello")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with suppress(ConnectionResetError):
        server.recv(1)


def _data_after_close(hosts: Hosts) -> None:
    client, server = hosts.pair()
    client.sendall(b"hello")
    _receive(server, 5)
    server.close()
    time.sleep(0.05)
    client.sendall(b"are you still there?")
    time.sleep(0.1)


def _refused(hosts: Hosts) -> None:
    with suppress(ConnectionRefusedError):
        hosts.client_socket().connect((SERVER, PORT))


def _keep_alive(hosts: Hosts) -> None:
    client, server = hosts.pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    _exchange(client, server, b"hello", b"hello")
    time.sleep(3.3)
    _close_in_turn(client, server)


def _urgent(hosts: Hosts) -> None:
    client, server = hosts.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    client.sendall(b"patience, then")
    client.send(b"NOW!", socket.MSG_OOB)
    client.sendall(b"and calm again")
    _receive(server, 32)
    server.send(b"!", socket.MSG_OOB)
    time.sleep(0.05)
    _close_in_turn(client, server)


def _simultaneous_open(hosts: Hosts) -> None:
    client, server = hosts.client_socket(), hosts.server_socket()
    client.bind((CLIENT, _CLIENT_PORT))
    server.bind((SERVER, PORT))
    for end, there in ((client, (SERVER, PORT)), (server, (CLIENT, _CLIENT_PORT))):
        end.setblocking(False)
        with suppress(BlockingIOError):
            end.connect(there)
    time.sleep(0.2)
    _exchange(client, server, b"you too?", b"me too")
    _close_in_turn(client, server)


def _reuse(hosts: Hosts) -> None:
    listener = hosts.listen()
    for index in range(2):
        client = hosts.client_socket()
        client.bind((CLIENT, _CLIENT_PORT))
        server = hosts.join(client, listener)
        _exchange(client, server, _octets(100, index), b"")
        _close_in_turn(server, client)
        time.sleep(0.1)


def _lossy(seed: int, loss: float, corrupt: float = 0.0) -> Scenario:
    percent = round(loss * 100)
    damaged = ", damaged payload bits" if corrupt else ""
    return Scenario(
        f"{'corrupting' if corrupt else 'lossy'}-{percent}pct-seed{seed}",
        f"full duplex 120 KB then an echo, {percent} % loss, duplicates and reordering both ways{damaged}",
        _bulk_then_echo,
        faults=Faults(loss=loss, duplicate=0.01, reorder=0.03, corrupt=corrupt, delay=2 * _MILLISECOND, reorder_by=3000, spared=_HEADERS),
        seed=seed,
        snaplen=262_144 if seed == 1 or corrupt else 128,
    )


def _bulk_then_echo(hosts: Hosts) -> None:
    client, server = hosts.pair()
    _exchange(client, server, _octets(120_000, 1), _octets(120_000, 2))
    for index in range(5):
        _exchange(client, server, _octets(700, index), b"")
        _exchange(client, server, b"", _octets(700, index))
    _close_in_turn(client, server)


_SLOW_LINK = Faults(delay=20 * _MILLISECOND)
_ECHO_SIZES = (1, 10, 100, 1000, 1448, 1449, 3000, 8000, 20_000, 5)

SCENARIOS = (
    Scenario("echo", "echoes of 1 to 20,000 octets; segmentation and coalescing offloaded", _echo(_ECHO_SIZES)),
    Scenario("echo-plain", "echoes of 1 to 20,000 octets; no offload", _echo(_ECHO_SIZES), offloads=False),
    Scenario("bulk", "1 MB each way at once; super-segments", _bulk(1_000_000), snaplen=128),
    Scenario("bulk-plain", "300 KB each way at once; no offload", _bulk(300_000), offloads=False, snaplen=128),
    Scenario("chat", "short lines with pauses: delayed acknowledgments", _chat),
    Scenario("small-window", "60 KB into a 4 KB receive buffer", _small_window),
    Scenario("zero-window", "a reader that stops for 1.5 s: the window closes, is probed, opens", _zero_window),
    Scenario("half-close", "the client closes its side first, the server goes on sending", _half_close),
    Scenario("simultaneous-close", "both close at once over a 20 ms link: CLOSING", _simultaneous_close, _SLOW_LINK),
    Scenario("reset-on-unread", "the server closes with data unread: RST", _reset_on_unread),
    Scenario("abort", "the client aborts (linger of zero): RST", _abort),
    Scenario("data-after-close", "data arrives after the server's application has gone: RST", _data_after_close),
    Scenario("refused", "a SYN to a closed port: RST", _refused),
    Scenario("keep-alive", "three keep-alive probes, a second apart", _keep_alive),
    Scenario("no-window-scale", "echoes without window scaling", _echo((100, 20_000)), sysctls=(("window_scaling", 0),)),
    Scenario("no-timestamps", "echoes without timestamps", _echo((100, 20_000)), sysctls=(("timestamps", 0),)),
    Scenario(
        "bare",
        "echoes without any option but the segment size",
        _echo((100, 20_000)),
        sysctls=(("timestamps", 0), ("window_scaling", 0), ("sack", 0)),
    ),
    Scenario("ecn", "echoes with explicit congestion notification", _echo((100, 20_000)), sysctls=(("ecn", 1),)),
    Scenario("urgent", "urgent data both ways", _urgent),
    Scenario("simultaneous-open", "both connect at once over a 20 ms link", _simultaneous_open, _SLOW_LINK),
    Scenario("reuse", "two connections in turn between the same two ports", _reuse, connections=2),
    _lossy(1, 0.01),
    _lossy(2, 0.02),
    _lossy(3, 0.03),
    _lossy(4, 0.05),
    _lossy(5, 0.05),
    _lossy(6, 0.02, corrupt=0.03),
    Scenario("lossy-handshake", "a short echo at 30 % loss: SYNs sent again", _echo((50,)), Faults(loss=0.3, delay=_MILLISECOND), seed=24),
)


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Everything on one CPU: capture and sockets are then in one order (threads inherit it)."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def _wired(scenario: Scenario) -> Iterator[tuple[Namespace, Namespace]]:
    """The two hosts, joined as the scenario asks."""
    with ExitStack() as stack:
        client, server = stack.enter_context(Namespace()), stack.enter_context(Namespace())
        if scenario.faults is None:
            client.add_veth(_INTERFACE, f"{CLIENT}/24", server, _INTERFACE, f"{SERVER}/24")
            for host in (client, server):
                host.set_offloads(_INTERFACE, scenario.offloads)
            bridge = None
        else:
            devices = []
            for host, address in ((client, CLIENT), (server, SERVER)):
                devices.append(host.add_tap(_INTERFACE, f"{address}/24"))
                stack.callback(os.close, devices[-1])
            bridge = Bridge(devices[0], devices[1], scenario.faults, scenario.seed)
        client.know_neighbour(_INTERFACE, SERVER, server, _INTERFACE)
        server.know_neighbour(_INTERFACE, CLIENT, client, _INTERFACE)
        for name, value in scenario.sysctls:
            for host in (client, server):
                host.set_sysctl(f"net.ipv4.tcp_{name}", value)
        if bridge is not None:
            stack.enter_context(bridge)
        yield client, server


def _play(scenario: Scenario, hosts: Hosts) -> None:
    try:
        scenario.play(hosts)
    except TimeoutError as error:
        stalled = f"{scenario.name}: the connection stalled for {_PATIENCE:.0f} s"
        raise UserError(f"{stalled}; record again on a quieter machine") from error


def record(scenario: Scenario, directory: Path) -> list[Path]:
    """Play `scenario` and save both near captures, NAME-client.pcap and NAME-server.pcap, each with a JSON sidecar.

    Raises MissingMeans where namespaces or TAP devices are not permitted, and another UserError
    when the connection stalled or the recorder lost frames.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _one_cpu(), _wired(scenario) as (client, server):
        recorders = {"client": Recorder(client, _INTERFACE), "server": Recorder(server, _INTERFACE)}
        with recorders["client"], recorders["server"]:
            with ExitStack() as sockets:
                _play(scenario, Hosts(client, server, sockets))
            # The kernel may still be resending a lost FIN.
            wait_for_silence(list(recorders.values()), _QUIET_TAIL, _PATIENCE)
    saved = []
    for role, recorder in recorders.items():
        recording = recorder.recording
        if recording is None or recording.lost:
            raise UserError(f"{scenario.name}: the recorder lost frames; record again on a quieter machine")
        path = directory / f"{scenario.name}-{role}.pcap"
        recording.save(path, scenario.snaplen)
        sidecar = {
            "scenario": scenario.name,
            "description": scenario.description,
            "near": {"role": role, "address": CLIENT if role == "client" else SERVER},
            "roles": {"client": CLIENT, "server": SERVER},
            "port": PORT,
            "stack": f"Linux {platform.release().partition('-')[0]}",
            "path": "faulty link" if scenario.faults else "veth",
            "offloads": scenario.offloads and scenario.faults is None,
            "faults": asdict(scenario.faults) if scenario.faults else None,
            "seed": scenario.seed,
            "sysctls": {f"net.ipv4.tcp_{name}": value for name, value in scenario.sysctls},
            "snaplen": scenario.snaplen,
            "connections": scenario.connections,
            "packets": len(recording.frames),
            "running_until_us": recording.running_until_us,
        }
        path.with_suffix(".json").write_text(json.dumps(sidecar, indent=2) + "\n")
        saved.append(path)
    return saved


def _in_user_namespace(arguments: Sequence[str]) -> None:
    """Start again with the rights of a user namespace, where this user is allowed one."""
    if os.geteuid() != 0 and shutil.which("unshare"):
        os.execvp(  # noqa: S606
            "unshare", ["unshare", "-rn", sys.executable, "-m", "wirelaw.conformance.scenarios", *arguments]
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Record scenarios into a directory; exit status 2 for a user's mistake or missing means."""
    parser = argparse.ArgumentParser(prog="python -m wirelaw.conformance.scenarios", description=main.__doc__)
    parser.add_argument("--out", type=Path, help="directory for the captures")
    parser.add_argument("--list", action="store_true", help="list the scenarios and stop")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios to record (default: all)")
    options = parser.parse_args(arguments)
    known = {scenario.name: scenario for scenario in SCENARIOS}
    try:
        for name in options.names:
            if name not in known:
                raise UserError(f"unknown scenario {name!r}; --list shows those there are")
        if options.list:
            for scenario in SCENARIOS:
                print(f"{scenario.name:22} {scenario.description}")
            return 0
        if options.out is None:
            raise UserError("no directory given; say --out DIR")
        _in_user_namespace(sys.argv[1:] if arguments is None else arguments)
        if reason := missing_means():
            raise UserError(reason)
        for name in options.names or known:
            for path in record(known[name], options.out):
                print(path)
    except (UserError, MissingMeans) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
