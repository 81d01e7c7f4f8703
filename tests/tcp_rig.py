"""What the TCP tests stand on: watched virtual hosts on a cable, a peer made by hand, and the oracle's word on a run."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from ipaddress import IPv4Address
from typing import TypeVar

from wirelaw.impl.device.faulty_link import Faults
from wirelaw.impl.net.config import WIRELAW, HostConfig, Limits
from wirelaw.impl.net.host import VirtualHost
from wirelaw.impl.net.lan import Lan
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.impl.wire.arp import REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, build_frame
from wirelaw.impl.wire.icmp import build_icmp
from wirelaw.impl.wire.ipv4 import ICMP, write_header
from wirelaw.impl.wire.tcp import PROTOCOL, Segment, build_segment, parse_segment
from wirelaw.oracle.capture import LinkType, Packet
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict
from wirelaw.oracle.tcp.connection import ConnectionJudge, weighed
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, observe
from wirelaw.spec.language.load import SPEC, load

T = TypeVar("T")
CLIENT, SERVER = IPv4Address("10.0.2.15"), IPv4Address("10.0.2.7")
CLIENT_MAC, SERVER_MAC = bytes.fromhex("525400123456"), bytes.fromhex("525400000007")
PORT = 80
TWO_MSL = 60.0


def octets(start: int, count: int) -> bytes:
    """`count` octets of a stream that tells every place from its neighbours."""
    block = bytes((i * 7 + i // 256 * 13) % 256 for i in range(start % 65536, start % 65536 + min(count, 65536)))
    return (block * (count // 65536 + 1))[:count] if count > 65536 else block


def sized(receive: int = 1 << 18, send: int = 1 << 18, **more: int) -> Limits:
    """Limits with these TCP buffers."""
    return replace(WIRELAW, tcp_receive_buffer=receive, tcp_send_buffer=send, **more)


class Station(VirtualHost):
    """A virtual host that keeps a capture of its own interface, in the order in which it acted."""

    def __init__(self, config: HostConfig, seed: int) -> None:
        super().__init__(config, seed)
        self.packets: list[Packet] = []
        self.recording = False
        self._waiting: list[bytes] = []

    def receive(self, frame: bytes) -> None:
        self._note()
        # Frames damaged in their addresses or IP header are nobody's: no interface shows them as part of a connection.
        if frame[:6] == self.config.mac and int.from_bytes(frame[14:34], "big") % 65535 == 0:
            self._record(frame)
        super().receive(frame)
        self._note()

    def advance_to(self, target: int) -> None:
        self._note()
        super().advance_to(target)
        self._note()

    def frames(self) -> list[bytes]:
        self._note()
        taken, self._waiting = self._waiting, []
        return taken

    def _note(self) -> None:
        for frame in super().frames():
            self._record(frame)
            self._waiting.append(frame)

    def _record(self, frame: bytes) -> None:
        if self.recording:
            self.packets.append(Packet(len(self.packets) + 1, self.now, frame, LinkType.ETHERNET, len(frame)))

    def segments(self) -> list[tuple[int, Segment]]:
        """The TCP segments it has sent, with their times."""
        own = (p for p in self.packets if p.data[6:12] == self.config.mac)
        return [(p.time_us, s) for p in own if (s := segment_of(p.data)) is not None]


def segment_of(frame: bytes) -> Segment | None:
    """The TCP segment in a frame, if there is one."""
    if frame[12:14] != b"\x08\x00" or len(frame) < 34 or frame[23] != PROTOCOL:
        return None
    header = (frame[14] & 15) * 4
    return parse_segment(memoryview(frame)[14 + header : 14 + int.from_bytes(frame[16:18], "big")], frame[26:30], frame[30:34], True)


class Pair:
    """Two hosts on one cable: `client` and `server`, their sockets made with a timeout of 0."""

    def __init__(self, faults: Faults | None = None, seed: int = 0, limits: Limits | None = None, peer: Limits | None = None,
                 watch: bool = False) -> None:  # fmt: skip
        own = HostConfig(CLIENT_MAC, CLIENT, gateway=None, limits=limits or sized())
        other = HostConfig(SERVER_MAC, SERVER, gateway=None, limits=peer or limits or sized())
        self.client, self.server = Station(own, 2 * seed + 1), Station(other, 2 * seed + 2)
        self.hosts = (self.client, self.server)
        self.lan = Lan(*self.hosts, faults=faults, seed=seed)
        for host in self.hosts:
            host.recording = watch

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.act()
        self.lan.run(seconds)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until the condition holds."""
        self.act()
        return self.lan.run_until(condition, seconds)

    def act(self) -> None:
        """Let the hosts do at once what was asked of them."""
        for host in self.hosts:
            host.advance_to(host.now)

    def listen(self, port: int = PORT, backlog: int | None = None, on: Station | None = None) -> TcpSocket:
        listener = (on or self.server).socket()
        listener.bind(("", port))
        listener.listen(backlog)
        listener.settimeout(0)
        return listener

    def connect(self, port: int = PORT) -> TcpSocket:
        """Begin to open a connection to the server."""
        return connect(self.client, str(SERVER), port)

    def opened(self, patience: float = 100.0) -> tuple[TcpSocket, TcpSocket]:
        """A connection: the client's socket and the server's."""
        listener = self.listen()
        ours = self.connect()
        theirs: list[TcpSocket] = []

        def accepted() -> bool:
            if (met := would(listener.accept)) is not None:
                theirs.append(met[0])
            return bool(theirs) and state(ours) != "SYN_SENT"

        assert self.until(accepted, patience)
        listener.close()
        theirs[0].settimeout(0)
        return ours, theirs[0]

    def connections(self) -> tuple[int, int]:
        """How many connections each host's table holds."""
        return self.client.statistics.tcp_conns, self.server.statistics.tcp_conns


def connect(host: VirtualHost, address: str, port: int, local: int = 0) -> TcpSocket:
    """Begin an active open."""
    made = host.socket()
    made.settimeout(0)
    if local:
        made.bind(("", local))
    would(lambda: made.connect((address, port)))
    host.advance_to(host.now)
    return made


def would(call: Callable[[], T]) -> T | None:
    """The call's result, or None when it would have to wait."""
    try:
        return call()
    except BlockingIOError:
        return None


def state(sock: TcpSocket) -> str:
    """The state of the machine behind a socket."""
    assert sock.connection is not None
    return str(sock.connection.machine.conn)


def read_all(sock: TcpSocket) -> bytes:
    """What can be read now."""
    pieces = []
    while piece := would(lambda: sock.recv(1 << 20)):
        pieces.append(piece)
    return b"".join(pieces)


def transfer(pair: Pair, source: TcpSocket, target: TcpSocket, data: bytes, step: float = 0.05, patience: float = 4000.0) -> bytes:
    """Send `data` and the end of the stream; what arrived until the end, within `patience` virtual seconds."""
    view, received, shut = memoryview(data), bytearray(), False
    end = pair.lan.now + patience * 1e6
    while pair.lan.now < end:
        while view and (count := would(partial(source.send, view[: 1 << 17]))):
            view = view[count:]
        if not view and not shut:
            source.shutdown(1)
            shut = True
        pair.run(step)
        while (piece := would(lambda: target.recv(1 << 20))) is not None:
            if not piece:
                return bytes(received)
            received += piece
    raise AssertionError(f"{len(received)} of {len(data)} octets arrived in {patience} virtual seconds")


@cache
def tcp_law() -> CompiledLaw:
    """The TCP law, compiled for judging."""
    return compile_law(load([SPEC / "tcp"]).machine("tcp.connection"))


def verdicts(station: Station, environment: Environment | None = None) -> Iterator[Verdict]:
    """The oracle's word on each connection of a station, from its own capture."""
    judges: dict[int, tuple[Connection, ConnectionJudge]] = {}
    demultiplexer = Demultiplexer()
    for connection, seen in observe(iter(station.packets), demultiplexer):
        if connection.starts_midway:  # a frame whose addresses or ports were damaged on the way
            continue
        assert not connection.doubts
        role = Direction.CLIENT if connection.client.octets == station.config.ip.packed else Direction.SERVER
        if connection.number not in judges:
            judges[connection.number] = connection, ConnectionJudge(tcp_law(), role, True, None, environment or Environment.exact())
        judges[connection.number][1].observe(seen)
    return (weighed(judge.finish(station.now), demultiplexer, connection, judge.direction) for connection, judge in judges.values())


def assert_lawful(*stations: Station, environment: Environment | None = None) -> None:
    """Each station kept the law in each of its connections, in the oracle's reading of the same table."""
    for station in stations:
        found = list(verdicts(station, environment))
        assert found
        for verdict in found:
            told = [render(finding) for finding in verdict.findings]
            held_up = verdict.grade is Grade.INCONCLUSIVE and "asking for a link address" in verdict.reason
            assert verdict.grade <= Grade.NOTE or held_up, "\n".join([f"{station.config.ip}: {verdict}", *told])


class Script:
    """A host under test whose peer is written by hand, segment by segment."""

    PEER, PEER_MAC, PEER_PORT = SERVER.packed, SERVER_MAC, 4000

    def __init__(self, limits: Limits | None = None, seed: int = 1) -> None:
        self.host = VirtualHost(HostConfig(CLIENT_MAC, CLIENT, gateway=None, limits=limits or sized()), seed)
        self.sent: list[tuple[int, Segment]] = []
        self._arp(REQUEST, BROADCAST)
        self.host.frames()

    def _arp(self, operation: int, to: bytes) -> None:
        own = self.host.config
        packet = ArpPacket(operation, self.PEER_MAC, self.PEER, own.mac if operation == REPLY else bytes(6), own.ip.packed)
        self.host.receive(build_frame(to, self.PEER_MAC, ETHERTYPE_ARP, build_arp(packet)))

    def run(self, seconds: float = 0.0) -> list[Segment]:
        """Let time pass; the segments sent meanwhile."""
        before, end = len(self.sent), self.host.now + round(seconds * 1e6)
        self._take()
        while True:
            deadline = self.host.next_deadline()
            self.host.advance_to(end if deadline is None else min(end, max(deadline, self.host.now)))
            self._take()
            if self.host.now >= end and not (deadline is not None and deadline <= end):
                return [s for _, s in self.sent[before:]]

    def _take(self) -> None:
        waiting = deque(self.host.frames())
        while waiting:
            frame = waiting.popleft()
            if frame[12:14] == b"\x08\x06":
                asked = parse_arp(frame[14:])
                if asked is not None and asked.operation == REQUEST:
                    self._arp(REPLY, self.host.config.mac)
                    waiting += self.host.frames()
            elif (segment := segment_of(frame)) is not None:
                self.sent.append((self.host.now, replace(segment, payload=bytes(segment.payload))))

    def frame(self, segment: Segment, payload: bytes = b"") -> bytes:
        """The frame that brings `segment` from the peer."""
        packet = bytearray(2048)
        length = build_segment(packet, 20, segment, self.PEER, CLIENT.packed, [payload] if payload else [])
        write_header(packet, 0, 20 + length, 1, 0, 64, PROTOCOL, self.PEER, CLIENT.packed)
        return build_frame(self.host.config.mac, self.PEER_MAC, ETHERTYPE_IPV4, bytes(packet[: 20 + length]))

    def give(self, payload: bytes = b"", *, port: int = 80, **fields: int | bool) -> list[Segment]:
        """The peer sends a segment; what is sent at once in return."""
        segment = Segment(src_port=self.PEER_PORT, dst_port=port, len=len(payload), **fields)  # type: ignore[arg-type]
        self.host.receive(self.frame(segment, payload))
        before = len(self.sent)
        self._take()
        return [s for _, s in self.sent[before:]]

    def report(self, kind: int, code: int, local: int, seq: int) -> None:
        """The peer's end reports an ICMP error that quotes a segment of the host's from port `local`."""
        quoted, sides = bytearray(28), (CLIENT.packed, self.PEER)
        write_header(quoted, 0, 40, 0, 0, 64, PROTOCOL, *sides)
        quoted[20:] = struct.pack("!HHI", local, self.PEER_PORT, seq & 0xFFFF_FFFF)
        packet = bytearray(20) + build_icmp(kind, code, 0, 0, bytes(quoted))
        write_header(packet, 0, len(packet), 1, 0, 64, ICMP, self.PEER, CLIENT.packed)
        self.host.receive(build_frame(self.host.config.mac, self.PEER_MAC, ETHERTYPE_IPV4, bytes(packet)))

    def accept(self, wnd: int = 65535, **options: int | bool) -> tuple[TcpSocket, int]:
        """Let the peer connect to port 80 (ISN 1000): the socket, and the next number expected of the host."""
        with self.host.socket() as listener:
            listener.bind(("", 80))
            listener.listen()
            listener.settimeout(0)
            (synack,) = self.give(b"", seq=1000, syn=True, wnd=wnd, **options)
            assert synack.syn
            assert synack.ack == 1001
            start = (synack.seq + 1) & 0xFFFF_FFFF
            self.give(seq=1001, ack=start, ackf=True, wnd=wnd)
            accepted, _ = listener.accept()
        accepted.settimeout(0)
        return accepted, start
