"""The stack of one host, sans I/O: frames and the clock go in, frames come out through a `FrameSink`."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from wirelaw.impl.device.link import Offload
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.demultiplex import Demultiplexer
from wirelaw.impl.net.dns import Resolver
from wirelaw.impl.net.ethernet import FrameSink, Interface
from wirelaw.impl.net.icmp import Icmp
from wirelaw.impl.net.ipv4 import TRANSPORT_OFFSET, UNMARKED, Ipv4, Marking
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.udp import Udp
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.timers import Timers
from wirelaw.impl.wire.checksum import Address, Octets
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, HEADER_LENGTH
from wirelaw.impl.wire.ipv4 import TCP
from wirelaw.impl.wire.tcp import CHECKSUM_OFFSET, Segment, build_segment, parse_segment

_IPV4_TYPE = ETHERTYPE_IPV4.to_bytes(2, "big")
_ARP_TYPE = ETHERTYPE_ARP.to_bytes(2, "big")


@lru_cache(maxsize=256)
def _offload(gso_size: int, header_length: int) -> Offload:
    return Offload(True, TRANSPORT_OFFSET, CHECKSUM_OFFSET, gso_size, header_length if gso_size else 0)


class Stack:
    """All protocol modules of one host, wired together.

    The owner calls `input` for each frame and `poll` after each batch of frames and whenever `next_deadline` has come.
    Nothing here blocks, reads a clock, or raises on account of a frame's content.
    """

    def __init__(self, config: HostConfig, sink: FrameSink, entropy: Entropy, now: int = 0) -> None:
        """Build the stack of `config` over `sink`; `now` (microseconds) starts its clock."""
        limits = config.limits
        self.config = config
        self.entropy = entropy
        self.timers = Timers(now)
        self.statistics = Statistics()
        self.interface = Interface(sink, config.mac, self.statistics)
        self.ip = Ipv4(config, self.interface, self.timers, self.statistics, entropy, self._undelivered, self._timed_out)
        self.icmp = Icmp(self.ip, limits.pings, self.timers, self.statistics, entropy)
        self.udp = Udp(self.ip, self.icmp, limits.udp_sockets, limits.udp_receive_buffer, self.statistics, entropy)
        servers = tuple(server.packed for server in config.dns)
        self.resolver = Resolver(self.udp, servers, limits.dns_queries, limits.dns_cache, self.timers, self.statistics, entropy)
        self.tcp = Demultiplexer(limits.tcp_connections, self.statistics, entropy)
        self.stream: object | None = None
        """TCP proper, which stands on this stack and is put here by the host."""
        self.tcp_input: Callable[[Segment, Address, Address], None] = self.tcp.input
        self.pumps: list[Callable[[], None]] = []
        """Called at the end of each `poll`: what a transport does once for a whole batch of input."""
        self.ip.handlers[TCP] = self._tcp
        self.icmp.error_handlers[TCP] = self.tcp.error

    @property
    def now(self) -> int:
        """The clock, in microseconds, as of the last `input` or `poll`."""
        return self.timers.now

    def input(self, frame: memoryview, csum_ok: bool, gso_size: int, now: int) -> None:
        """Take one received frame; it is not kept. `csum_ok`: the device vouches for the transport checksum."""
        self.timers.now = now
        statistics = self.statistics
        statistics.rx_packets += 1
        statistics.rx_bytes += len(frame)
        if len(frame) < HEADER_LENGTH:
            statistics.drop("ethernet.short")
            return
        dst_mac = frame[:6]
        to_station = dst_mac == self.interface.mac
        if not to_station and dst_mac != BROADCAST:
            statistics.drop("ethernet.not_for_us")
            return
        ethertype = frame[12:14]
        if ethertype == _IPV4_TYPE:
            self.ip.input(frame, csum_ok, gso_size, to_station)
        elif ethertype == _ARP_TYPE:
            self.ip.neighbours.input(frame[HEADER_LENGTH:])
        else:
            statistics.drop("ethernet.unknown_type")

    def poll(self, now: int) -> None:
        """Move the clock to `now`, fire what is due, and let the transports send what the batch of input calls for."""
        self.timers.run(now)
        for pump in self.pumps:
            pump()

    def next_deadline(self) -> int | None:
        """When `poll` must be called at the latest, in microseconds; None when only a frame can change anything."""
        return self.timers.next_deadline()

    def close(self) -> None:
        """Fail everything that waits. The stack must not be used afterwards."""
        self.udp.close()
        self.icmp.close()

    def send_segment(self, segment: Segment, dst: Address, parts: Sequence[Octets] | None = None, marking: Marking = UNMARKED) -> bool:
        """Send one TCP segment, built in the device's own buffer; False when the device has no room or no route exists.

        With `segment.gso_size` the device cuts it into packets of that many payload octets (its `tx_tso` must hold).
        The checksum is left to a device that can finish it.
        """
        buffer = self.ip.buffer()
        if buffer is None:
            return False
        src = self.ip.address
        partial = self.interface.sink.tx_csum and dst != src
        length = build_segment(buffer, TRANSPORT_OFFSET, segment, src, dst, parts, partial)
        if not partial:
            return self.ip.transmit(buffer, length, dst, TCP, marking)
        payload = segment.len if parts is None else sum(map(len, parts))
        gso_size = segment.gso_size if payload > segment.gso_size else 0
        return self.ip.transmit(buffer, length, dst, TCP, marking, offload=_offload(gso_size, TRANSPORT_OFFSET + length - payload))

    def _tcp(self, datagram: memoryview, header_length: int, src: Address, dst: Address, verify: bool, unicast: bool, gso: int) -> None:
        if not unicast:
            self.statistics.drop("tcp.broadcast")  # RFC 9293 MUST-57
            return
        segment = parse_segment(datagram[header_length:], src, dst, verify)
        if segment is None:
            self.statistics.drop("tcp.malformed")
            return
        if not segment.sum_ok:
            self.statistics.drop("tcp.checksum")  # MUST-3; the ports may be wrong, so no connection can be told
            return
        segment.gso_size = gso
        self.tcp_input(segment, src, dst)

    def _undelivered(self, datagram: bytes) -> None:
        self.icmp.undelivered(datagram)

    def _timed_out(self, start: bytes) -> None:
        self.icmp.time_exceeded(start)
