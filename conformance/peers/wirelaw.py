"""Our own stack in virtual time: one host a connection, its clock moved by the bench alone, no device, no threads.

The same seed gives the same walk to the last octet.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from ipaddress import IPv4Address

from wirelaw.conformance.peer import Ends, Missing, Peer, PeerCrashError, Session, Station, octets
from wirelaw.impl.net.config import WIRELAW, HostConfig
from wirelaw.impl.net.host import Host, LiveHost, VirtualHost
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.impl.wire.arp import REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.ethernet import ETHERTYPE_ARP, HEADER_LENGTH, build_frame, parse_mac
from wirelaw.oracle.engine.verdict import Environment

TESTER_MAC = parse_mac("02:57:4c:00:00:02")
TESTER = IPv4Address("10.0.2.2")
PEER_PORT, TESTER_PORT = 7000, 40_000
ARP_TYPE = ETHERTYPE_ARP.to_bytes(2, "big")
_READ = 65_536


def missing() -> Missing | None:
    """Nothing is needed."""
    return None


@contextmanager
def _noting_crashes(host: VirtualHost | LiveHost) -> Iterator[None]:
    """Whatever the stack raises is its failure, and so is a defect that ended a connection."""
    try:
        yield
    except Exception as error:
        raise PeerCrashError(f"{type(error).__name__}: {error}") from error
    if (defect := host.stack.tcp.defect) is not None:
        raise PeerCrashError(f"{type(defect).__name__}: {defect}") from defect


def neighbour_reply(asked: ArpPacket) -> bytes | None:
    """The tester's answer to a question for its hardware address; None to any other ARP packet."""
    if asked.operation != REQUEST or asked.target_ip != TESTER.packed:
        return None
    answer = ArpPacket(REPLY, TESTER_MAC, asked.target_ip, asked.sender_mac, asked.sender_ip)
    return build_frame(asked.sender_mac, TESTER_MAC, ETHERTYPE_ARP, build_arp(answer))


class WirelawSession(Session):
    """A socket of our own stack, in virtual time or on a device; nothing waits."""

    def __init__(self, host: VirtualHost | LiveHost, ends: Ends) -> None:
        self.ends = ends
        self._host = host
        self._first = host.socket()
        self._first.settimeout(0)
        self._first.bind(("0.0.0.0", ends.peer.port))  # noqa: S104 - a host of ours has one interface
        self._connection: TcpSocket | None = None
        self._sent = 0

    def accept(self) -> None:
        if self.listening:
            with suppress(OSError):
                self._connection, _ = self._first.accept()
                self._connection.settimeout(0)
                self._first.close()
                self.listening = False

    def call(self, name: str, n: int = 0) -> None:
        with _noting_crashes(self._host), suppress(OSError):
            if name == "open_passive":
                self._first.listen(16)
                self.listening = True
            elif name == "open_active":
                self._connection = self._first
                self._first.connect((str(IPv4Address(self.ends.tester.address)), self.ends.tester.port))
            elif self._connection is not None:
                self._act(self._connection, name, n)
            elif self.listening and name in ("close", "leave", "abort"):
                self._first.close()  # connections nobody accepted are aborted
                self.listening = False

    def _act(self, connection: TcpSocket, name: str, n: int) -> None:
        match name:
            case "send":
                self._sent += connection.send(octets(self._sent, n))
            case "receive":
                while connection.recv(_READ):
                    pass
            case "close":
                connection.shutdown(socket.SHUT_WR)
            case "leave":
                connection.close()
            case "abort":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            case "push":
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(n > 0))

    def close(self) -> None:
        for sock in (self._first, self._connection):
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()


class WirelawPeer(Peer):
    """The stack of this package."""

    name = "wirelaw"
    is_virtual = True
    at_once = 1

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._hosts = 0
        self._host = Host.virtual()

    @property
    def version(self) -> str:
        try:
            return version("wirelaw")
        except PackageNotFoundError:
            return "unreleased"

    @property
    def environment(self) -> Environment:
        return Environment.exact()

    def now(self) -> int:
        return self._host.now

    def open(self, buffer: int = 0) -> Session:
        self._hosts += 1
        limits = replace(WIRELAW, tcp_receive_buffer=buffer or 1 << 17, tcp_send_buffer=1 << 17)
        config = HostConfig(gateway=None, limits=limits)
        self._host = Host.virtual(config, self._seed)
        ends = Ends(Station(config.mac, config.ip.packed, PEER_PORT), Station(TESTER_MAC, TESTER.packed, TESTER_PORT))
        return WirelawSession(self._host, ends)

    def transmit(self, frame: bytes) -> None:
        with _noting_crashes(self._host):
            self._host.receive(frame)

    def wait(self, until: int) -> list[tuple[int, bytes]]:
        with _noting_crashes(self._host):
            return self._wait(until)

    def _wait(self, until: int) -> list[tuple[int, bytes]]:
        host = self._host
        while True:
            if frames := self._frames():
                return frames
            deadline = host.next_deadline()
            if host.now >= until:
                return []
            host.advance_to(until if deadline is None else max(host.now, min(deadline, until)))

    def _frames(self) -> list[tuple[int, bytes]]:
        """What the host sent; its questions for our hardware address are answered here."""
        found: list[tuple[int, bytes]] = []
        for frame in self._host.frames():
            asked = parse_arp(frame[HEADER_LENGTH:]) if frame[12:14] == ARP_TYPE else None
            if asked is None:
                found.append((self._host.now, frame))
            elif (answer := neighbour_reply(asked)) is not None:
                self._host.receive(answer)
                found += self._frames()
        return found

    def close(self) -> None:
        self._host = Host.virtual()
