"""Which TCP connection a segment belongs to (RFC 9293 3.10.7): the exact 4-tuple, else a listener, else none."""

import errno
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import ephemeral_port
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.wire.checksum import Address
from wirelaw.impl.wire.icmp import IcmpError
from wirelaw.impl.wire.tcp import Segment

FourTuple: TypeAlias = tuple[Address, int, Address, int]
"""Local address, local port, remote address, remote port."""

SegmentHandler = Callable[[Segment, Address, Address], None]
"""Gets a segment, its source and its destination address."""


class Connection(NamedTuple):
    """Where a connection wants its input: segments, and ICMP errors that quote one of its own; and whose it is."""

    segment: SegmentHandler
    error: Callable[[IcmpError], None]
    owner: object = None


class Demultiplexer:
    """The tables of connections and listeners. `unmatched` gets the segments of no connection (state CLOSED)."""

    def __init__(self, connections: int, statistics: Statistics, entropy: Entropy) -> None:
        """Hold up to `connections` connections."""
        self.unmatched: SegmentHandler | None = None
        self._limit = connections
        self._statistics = statistics
        self._entropy = entropy
        self._connections: dict[FourTuple, Connection] = {}
        self._listeners: dict[int, SegmentHandler] = {}
        self._local_ports: dict[int, int] = {}

    def input(self, segment: Segment, src: Address, dst: Address) -> None:
        """Hand one segment to its connection, its listener, or `unmatched`."""
        connection = self._connections.get((dst, segment.dst_port, src, segment.src_port))
        if connection is not None:
            connection.segment(segment, src, dst)
            return
        handler = self._listeners.get(segment.dst_port, self.unmatched)
        if handler is None:
            self._statistics.drop("tcp.no_connection")
        else:
            handler(segment, src, dst)

    def error(self, error: IcmpError) -> None:
        """Hand an ICMP error to the connection whose segment it quotes (RFC 9293 3.9.2.2)."""
        connection = self._connections.get((error.src, error.src_port, error.dst, error.dst_port))
        if connection is None:
            self._statistics.drop("tcp.unclaimed_error")
        else:
            connection.error(error)

    def connect(self, four_tuple: FourTuple, connection: Connection) -> None:
        """Enter a connection; `OSError` when its 4-tuple is in use or the table is full."""
        if four_tuple in self._connections:
            raise OSError(errno.EADDRINUSE, "this connection exists already")
        if len(self._connections) >= self._limit:
            raise OSError(errno.ENOBUFS, f"all {self._limit} TCP connections are in use")
        self._connections[four_tuple] = connection
        self._count(four_tuple[1], 1)

    def entries(self) -> list[Connection]:
        """All connections."""
        return list(self._connections.values())

    def disconnect(self, four_tuple: FourTuple) -> None:
        """Remove a connection. No effect when it is not there."""
        if self._connections.pop(four_tuple, None) is not None:
            self._count(four_tuple[1], -1)

    def listen(self, port: int, handler: SegmentHandler) -> None:
        """Send the segments for `port` that belong to no connection to `handler`; `OSError` when it has a listener."""
        if port in self._listeners:
            raise OSError(errno.EADDRINUSE, f"TCP port {port} has a listener")
        self._listeners[port] = handler

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
