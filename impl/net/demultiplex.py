"""The tables of TCP connections and listeners (RFC 9293 3.10.7): by exact 4-tuple, and by local port."""

import errno
from typing import Generic, TypeAlias, TypeVar

from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import ephemeral_port
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.wire.checksum import Address

FourTuple: TypeAlias = tuple[Address, int, Address, int]
"""Local address, local port, remote address, remote port."""

C = TypeVar("C")
L = TypeVar("L")


class Demultiplexer(Generic[C, L]):
    """The tables of connections (`C`) and listeners (`L`), the former bounded."""

    def __init__(self, connections: int, statistics: Statistics, entropy: Entropy) -> None:
        """Hold up to `connections` connections."""
        self._limit = connections
        self._statistics = statistics
        self._entropy = entropy
        self._connections: dict[FourTuple, C] = {}
        self._listeners: dict[int, L] = {}
        self._local_ports: dict[int, int] = {}

    def connection(self, four_tuple: FourTuple) -> C | None:
        """The connection between these two ends."""
        return self._connections.get(four_tuple)

    def listener(self, port: int) -> L | None:
        """Who listens on `port`."""
        return self._listeners.get(port)

    def connections(self) -> list[C]:
        """All connections."""
        return list(self._connections.values())

    def connect(self, four_tuple: FourTuple, connection: C) -> None:
        """Enter a connection; `OSError` when its 4-tuple is in use or the table is full."""
        if four_tuple in self._connections:
            raise OSError(errno.EADDRINUSE, "this connection exists already")
        if len(self._connections) >= self._limit:
            raise OSError(errno.ENOBUFS, f"all {self._limit} TCP connections are in use")
        self._connections[four_tuple] = connection
        self._count(four_tuple[1], 1)

    def disconnect(self, four_tuple: FourTuple) -> None:
        """Remove a connection. No effect when it is not there."""
        if self._connections.pop(four_tuple, None) is not None:
            self._count(four_tuple[1], -1)

    def listen(self, port: int, listener: L) -> None:
        """Enter a listener; `OSError` when `port` has one."""
        if port in self._listeners:
            raise OSError(errno.EADDRINUSE, f"TCP port {port} has a listener")
        self._listeners[port] = listener

    def unlisten(self, port: int) -> None:
        """Remove the listener of `port`. No effect when there is none."""
        self._listeners.pop(port, None)

    def ephemeral_port(self) -> int:
        """A random local port that no connection and no listener uses; `OSError` when there is none."""
        return ephemeral_port(self._entropy, lambda port: port in self._local_ports or port in self._listeners)

    def _count(self, port: int, change: int) -> None:
        users = self._local_ports.get(port, 0) + change
        if users:
            self._local_ports[port] = users
        else:
            self._local_ports.pop(port, None)
        self._statistics.tcp_conns = len(self._connections)
