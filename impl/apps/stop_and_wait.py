"""File transfer by stop-and-wait over UDP, around the generated machines of spec/examples/stop_and_wait.law.

The machines decide; this file carries octets. Each end keeps what it sent and received, so that a judge can read it.
A datagram is one octet of kind, the block's number in four octets (big-endian), and for blocks the block.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import struct
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from wirelaw.impl.generated import stop_and_wait_receiver, stop_and_wait_sender
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.runtime.load import load_module
from wirelaw.impl.runtime.machine import Step
from wirelaw.impl.wire.udp import ipv4_datagram

BLOCK: Final = 1024
"""Octets in a block of ours. The law leaves it free."""

HEADER: Final = struct.Struct("!BI")
DATA, LAST, ACK = 1, 2, 3
LONGEST: Final = 65_535
_RECORD: Final = struct.Struct("<IIII")
_FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, LONGEST, 101)  # pcap, raw IP packets

_EPOCH: Final = time.time_ns() - time.monotonic_ns()
"""Makes times fit for a capture, and yet immune to somebody setting the clock."""

Address = tuple[str, int]


class Datagram(NamedTuple):
    """A parsed datagram. `block` is empty in an acknowledgment."""

    kind: int
    number: int
    block: bytes


def parse(octets: bytes) -> Datagram | None:
    """The datagram in `octets`; None when it is none of ours."""
    if len(octets) < HEADER.size:
        return None
    kind, number = HEADER.unpack_from(octets)
    block = octets[HEADER.size :]
    if kind not in {DATA, LAST, ACK} or (kind == ACK and block):
        return None
    return Datagram(kind, number, block)


class Machines(NamedTuple):
    """The two generated modules."""

    sender: Any = stop_and_wait_sender
    receiver: Any = stop_and_wait_receiver

    @classmethod
    def load(cls, folder: Path) -> Machines:
        """The modules that `wirelaw generate -o folder` wrote."""
        return cls(*(_module(folder / f"stop_and_wait_{role}.py") for role in cls._fields))


def _module(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path} is not there; write it with `wirelaw generate LAW -o {path.parent}`")
    return load_module(path)


class Seen(NamedTuple):
    """A datagram that an end sent (`is_output`) or took, at `time` (microseconds)."""

    time: int
    is_output: bool
    octets: bytes


class End(ABC):
    """One end of a transfer: feed it datagrams and the time (microseconds), carry away what `out` holds.

    `rows` are the steps of the machine, `seen` the datagrams, `ignored` counts datagrams that are none of ours.
    """

    machine: Any

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.rows: list[Step] = []
        self.seen: list[Seen] = []
        self.ignored = 0
        self.now = 0

    def input(self, octets: bytes, now: int) -> None:
        """A datagram came."""
        self.now = now
        datagram = parse(octets)
        if datagram is None or not self.accept(datagram):
            self.ignored += 1
            return
        self.seen.append(Seen(now, False, octets))
        self.machine.pump(now)

    def poll(self, now: int) -> None:
        """Do what is due."""
        self.now = now
        self.machine.tick(now)
        self.machine.pump(now)

    def deadline(self) -> int | None:
        """When `poll` has something to do; None: never."""
        at: int | None = self.machine.deadline()
        return at

    def send(self, kind: int, number: int, block: bytes = b"") -> None:
        """Put a datagram into `out`."""
        octets = HEADER.pack(kind, number) + block
        self.seen.append(Seen(self.now, True, octets))
        self.out.append(octets)

    @abstractmethod
    def accept(self, datagram: Datagram) -> bool:
        """Give `datagram` to the machine; False when it is not meant for this end."""


class Sender(End):
    """Sends `content`. `error` says why it gave up; `complete` that everything was acknowledged."""

    def __init__(self, content: bytes, machines: Machines | None = None) -> None:
        super().__init__()
        module = (machines or Machines()).sender
        self.content = content
        self.complete = False
        self.error: UserError | None = None
        self._ack = module.Ack
        self.machine = module.StopAndWaitSender(self, self.rows.append)

    @property
    def ended(self) -> bool:
        """Whether the transfer is over, one way or the other."""
        return self.complete or self.error is not None

    def accept(self, datagram: Datagram) -> bool:
        """Take an acknowledgment."""
        if datagram.kind != ACK:
            return False
        self.machine.on_ack(self._ack(number=datagram.number), self.now)
        return True

    def ask_at_end(self, number: int) -> bool:
        return number * BLOCK >= len(self.content)

    def emit_data(self, o: Any) -> None:
        self.send(LAST if o.last else DATA, o.number, self.content[(o.number - 1) * BLOCK : o.number * BLOCK])

    def tell_complete(self) -> None:
        self.complete = True

    def tell_gave_up(self, number: int) -> None:
        sent = sum(1 for s in self.seen if s.is_output and HEADER.unpack_from(s.octets)[1] == number)
        self.error = UserError(f"block {number} was sent {sent} times and never acknowledged; check that the receiver runs there")


class Receiver(End):
    """Receives a file into `content`; `complete` when its last block was taken."""

    def __init__(self, machines: Machines | None = None) -> None:
        super().__init__()
        module = (machines or Machines()).receiver
        self.content = bytearray()
        self.complete = False
        self._data = module.Data
        self._at_hand = Datagram(DATA, 0, b"")
        self.machine = module.StopAndWaitReceiver(self, self.rows.append)

    def accept(self, datagram: Datagram) -> bool:
        """Take a block."""
        if datagram.kind == ACK:
            return False
        self._at_hand = datagram
        self.machine.on_data(self._data(number=datagram.number, last=datagram.kind == LAST), self.now)
        return True

    def emit_ack(self, o: Any) -> None:
        self.send(ACK, o.number)

    def tell_take(self) -> None:
        self.content += self._at_hand.block

    def tell_complete(self) -> None:
        self.complete = True


@dataclass(slots=True)
class Loss:
    """A way that loses datagrams with probability `rate`, the same ones for the same `seed`."""

    rate: float
    seed: int
    offered: int = 0
    lost: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise UserError(f"a share of lost datagrams is 0 to 1, not {self.rate}")
        self._random = Random(self.seed)

    def passes(self) -> bool:
        """Whether the next datagram gets through."""
        self.offered += 1
        lost = self._random.random() < self.rate
        self.lost += lost
        return not lost


def simulate(sender: Sender, receiver: Receiver, loss: Loss, delay: int = 1000, until: int = 3_600_000_000) -> int:
    """Run a transfer in virtual time until both ends rest; every datagram takes `delay`. The time at the end (microseconds)."""
    now = 0
    under_way: list[tuple[int, End, bytes]] = []  # in the order of arrival: all take equally long
    while now < until:
        while under_way and under_way[0][0] <= now:
            _, end, octets = under_way.pop(0)
            end.input(octets, now)
        for end, other in ((sender, receiver), (receiver, sender)):
            end.poll(now)
            under_way += [(now + delay, other, octets) for octets in end.out if loss.passes()]
            end.out.clear()
        times = [at for at in (sender.deadline(), receiver.deadline()) if at is not None] + [w[0] for w in under_way[:1]]
        if not times:
            break
        now = max(now, min(times))
    return now


class Station:
    """One end on its own UDP socket of 127.0.0.1, talking to `peer` (a receiver: to whoever sends to it)."""

    def __init__(self, end: End, peer: Address | None = None, port: int = 0) -> None:
        self.end = end
        self.peer = peer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.bind(("127.0.0.1", port))
        except OSError as error:
            self.socket.close()
            raise UserError(f"cannot use UDP port {port} of 127.0.0.1: {error.strerror}; choose another one") from None
        self.address: Address = self.socket.getsockname()

    def read(self) -> None:
        """Take one datagram; one a round, so that each is answered at its own time."""
        try:
            octets, source = self.socket.recvfrom(LONGEST)
        except OSError:  # nothing there, or the peer's port is closed: the retry limit is the law's answer to that
            return
        self.peer = self.peer or source
        if source == self.peer:
            self.end.input(octets, _now())

    def poll(self) -> None:
        """Do what is due, and send what there is to send."""
        self.end.poll(_now())
        for octets in self.end.out:
            assert self.peer is not None
            try:
                self.socket.sendto(octets, self.peer)
            except OSError:  # as good as lost on the way
                continue
        self.end.out.clear()


class Relay:
    """A socket between two stations that loses datagrams."""

    def __init__(self, loss: Loss, target: Address) -> None:
        self.loss = loss
        self.target = target
        self.origin: Address | None = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.address: Address = self.socket.getsockname()

    def read(self) -> None:
        """Pass one datagram on, or lose it."""
        try:
            octets, source = self.socket.recvfrom(LONGEST)
        except OSError:
            return
        if source != self.target:
            self.origin = source
        to = self.origin if source == self.target else self.target
        if to is not None and self.loss.passes():
            self.socket.sendto(octets, to)

    def poll(self) -> None:
        """Nothing is ever due here."""


def _now() -> int:
    return (time.monotonic_ns() + _EPOCH) // 1000


def run(stations: Sequence[Station], relays: Sequence[Relay], is_over: Callable[[], bool]) -> None:
    """Drive everything in one thread until `is_over()`, then close the sockets."""
    parts: list[Station | Relay] = [*stations, *relays]
    with selectors.DefaultSelector() as selector:
        try:
            for part in parts:
                selector.register(part.socket, selectors.EVENT_READ, part)
            while True:
                for part in parts:
                    part.poll()
                if is_over():
                    return
                deadlines = [at for s in stations if (at := s.end.deadline()) is not None]
                wait = max(0, min(deadlines) - _now()) / 1e6 if deadlines else None
                for key, _ in selector.select(wait):
                    key.data.read()
        finally:
            for part in parts:
                part.socket.close()


def transfer(content: bytes, loss: Loss, machines: Machines | None = None) -> tuple[Station, Station]:
    """Send `content` over UDP on loopback through a lossy relay; (sender's station, receiver's station) afterwards."""
    receiving = Station(Receiver(machines))
    relay = Relay(loss, receiving.address)
    sender = Sender(content, machines)
    sending = Station(sender, relay.address)
    run([sending, receiving], [relay], lambda: sender.ended)
    return sending, receiving


def write_capture(path: Path, station: Station) -> None:
    """What a station sent and took as a pcap file of raw IPv4 packets."""
    ends = [(socket.inet_aton(host), port) for host, port in (station.address, station.peer or station.address)]
    with path.open("wb") as file:
        file.write(_FILE_HEADER)
        for number, (at, is_output, octets) in enumerate(station.end.seen):
            packet = ipv4_datagram(ends[not is_output], ends[is_output], octets, number & 0xFFFF)
            file.write(_RECORD.pack(at // 1_000_000, at % 1_000_000, len(packet), len(packet)) + packet)


def rows_text(end: End) -> str:
    """The rows an end took, one a line: seconds, table, row, event."""
    start = end.rows[0].time if end.rows else 0
    return "".join(f"{(s.time - start) / 1e6:10.6f}  {s.table:<8} [{s.row}]  {s.event}\n" for s in end.rows)


def record(folder: Path, role: str, station: Station) -> None:
    """Write `ROLE.pcap` and `ROLE.rows` into `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_capture(folder / f"{role}.pcap", station)
        (folder / f"{role}.rows").write_text(rows_text(station.end), "utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}; name a folder that can be written") from None


def _selftest(options: argparse.Namespace, machines: Machines) -> None:
    content = Random(options.seed).randbytes(options.size)
    loss = Loss(options.loss, options.seed)
    sending, receiving = transfer(content, loss, machines)
    sender, receiver = sending.end, receiving.end
    assert isinstance(sender, Sender)
    assert isinstance(receiver, Receiver)
    for role, station in (("sender", sending), ("receiver", receiving)):
        if options.trace:
            print(f"{role}\n{rows_text(station.end)}", end="")
        if options.record:
            record(options.record, role, station)
    print(f"{len(receiver.content)} of {len(content)} octets arrived; the relay lost {loss.lost} of {loss.offered} datagrams")
    if sender.error is not None:
        raise sender.error
    if receiver.content != content:
        raise UserError("what arrived is not what was sent; judge the recording to see who is to blame")
    print("the file is intact")


def _send(options: argparse.Namespace, machines: Machines) -> None:
    try:
        content = options.send.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {options.send}: {error.strerror}") from None
    sender = Sender(content, machines)
    station = Station(sender, ("127.0.0.1", options.port))
    run([station], [], lambda: sender.ended)
    if options.record:
        record(options.record, "sender", station)
    if sender.error is not None:
        raise sender.error
    print(f"{options.send}: {len(content)} octets sent")


def _receive(options: argparse.Namespace, machines: Machines) -> None:
    receiver = Receiver(machines)
    station = Station(receiver, port=options.port)
    print(f"waiting on UDP port {station.address[1]} of 127.0.0.1", flush=True)
    run([station], [], lambda: receiver.complete and receiver.deadline() is None)
    if options.record:
        record(options.record, "receiver", station)
    try:
        options.receive.write_bytes(receiver.content)
    except OSError as error:
        raise UserError(f"cannot write {options.receive}: {error.strerror}") from None
    print(f"{options.receive}: {len(receiver.content)} octets received")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: transferred; 2: not, and standard error says why."""
    parser = argparse.ArgumentParser(
        prog="python -m wirelaw.impl.apps.stop_and_wait", description="Transfer a file by stop-and-wait over UDP on loopback."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--selftest", action="store_true", help="send made-up octets through a lossy relay in this process")
    what.add_argument("--send", type=Path, metavar="FILE", help="send this file to --port")
    what.add_argument("--receive", type=Path, metavar="FILE", help="wait on --port, write what comes to this file")
    parser.add_argument("--port", type=int, default=7007, help="UDP port of 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--size", type=int, default=10_000, help="octets of the self-test (default: %(default)s)")
    parser.add_argument("--loss", type=float, default=0.2, help="share of datagrams the relay loses (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same octets and losses")
    parser.add_argument("--machines", type=Path, metavar="FOLDER", help="generated modules to run instead of those that ship")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write what each end saw (.pcap) and the rows it took (.rows)")
    parser.add_argument("--trace", action="store_true", help="print the rows taken")
    options = parser.parse_args(arguments)
    try:
        machines = Machines.load(options.machines) if options.machines else Machines()
        (_selftest if options.selftest else _send if options.send else _receive)(options, machines)
    except UserError as error:
        print(f"stop_and_wait: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stop_and_wait: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
