"""The stack of one host, sans I/O: frames and the clock go in, frames come out through a `FrameSink`."""

from collections.abc import Callable

from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.dns import Dns
from wirelaw.impl.net.ethernet import FrameSink, Interface
from wirelaw.impl.net.icmp import Icmp
from wirelaw.impl.net.ipv4 import Ipv4
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.net.tcp import Tcp
from wirelaw.impl.net.udp import Udp
from wirelaw.impl.runtime.entropy import Entropy
from wirelaw.impl.runtime.timers import Timers
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, HEADER_LENGTH

_IPV4_TYPE = ETHERTYPE_IPV4.to_bytes(2, "big")
_ARP_TYPE = ETHERTYPE_ARP.to_bytes(2, "big")


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
        self.dns = Dns(self.udp, servers, limits.dns_queries, limits.dns_cache, self.timers, self.statistics, entropy)
        self.tcp = Tcp(self.ip, self.icmp, sink, config, self.timers, self.statistics, entropy)
        self.pumps: list[Callable[[], None]] = [self.tcp.pump]
        """Called at the end of each `poll`: what a transport does once for a whole batch of input."""

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

    def _undelivered(self, datagram: bytes) -> None:
        self.icmp.undelivered(datagram)

    def _timed_out(self, start: bytes) -> None:
        self.icmp.time_exceeded(start)
