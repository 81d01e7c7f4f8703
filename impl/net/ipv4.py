"""IPv4 for a host with one interface (RFC 791, RFC 1122 section 3): validation, routing, fragmentation, reassembly."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from wirelaw.impl.device.link import Offload
from wirelaw.impl.net.arp import Neighbours
from wirelaw.impl.net.config import HostConfig
from wirelaw.impl.net.ethernet import Interface
from wirelaw.impl.net.reassembly import Reassembler
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.runtime.entropy import Entropy, Permutation16
from wirelaw.impl.runtime.timers import Timers
from wirelaw.impl.wire.checksum import Address, Octets
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_IPV4
from wirelaw.impl.wire.ethernet import HEADER_LENGTH as ETHERNET_HEADER
from wirelaw.impl.wire.ipv4 import (
    DONT_FRAGMENT,
    HEADER,
    HEADER_LENGTH,
    LIMITED_BROADCAST,
    MAXIMUM_LENGTH,
    MORE_FRAGMENTS,
    OFFSET_MASK,
    write_header,
)

TRANSPORT_OFFSET: Final = ETHERNET_HEADER + HEADER_LENGTH
"""Where a transport header begins in a frame buffer to be sent (we send no IP options)."""

LOOPBACK_LIMIT: Final = 256
"""Datagrams to ourselves that may wait for delivery."""

Handler = Callable[[memoryview, int, Address, Address, bool, bool, int], None]
"""A transport's input: datagram (from its IP header on), IP header length, source, destination, whether to verify
the transport checksum, whether it came to our unicast address, and the device's `gso_size`."""


@dataclass(frozen=True, slots=True)
class Marking:
    """What a socket has said of the IP header of its datagrams: the TOS octet, and the TTL (0: the host's own)."""

    tos: int = 0
    ttl: int = 0

    def with_option(self, option: int, value: int) -> "Marking":
        """With IP_TOS (0..255) or IP_TTL (1..255; -1: the host's own) set; `OSError` for another value or option."""
        if option == socket.IP_TOS and 0 <= value <= 255:
            return replace(self, tos=value)
        if option == socket.IP_TTL and (1 <= value <= 255 or value == -1):
            return replace(self, ttl=max(value, 0))
        if option in {socket.IP_TOS, socket.IP_TTL}:
            raise OSError(errno.EINVAL, f"{value} does not fit: IP_TOS is 0..255, IP_TTL 1..255, or -1 for the host's own")
        raise OSError(errno.ENOPROTOOPT, "of the IP header a socket sets IP_TOS and IP_TTL only")

    def option(self, option: int, default_ttl: int) -> int:
        """The value of IP_TOS or IP_TTL; `OSError` for another option."""
        if option not in {socket.IP_TOS, socket.IP_TTL}:
            raise OSError(errno.ENOPROTOOPT, "of the IP header a socket sets IP_TOS and IP_TTL only")
        return self.tos if option == socket.IP_TOS else self.ttl or default_ttl


UNMARKED: Final = Marking()


def _is_multicast(address: Address) -> bool:
    return address[0] & 0xF0 == 0xE0


class Ipv4:
    """The IP module of one host. `handlers` maps protocol numbers to transports; `unknown` gets the others."""

    def __init__(
        self,
        config: HostConfig,
        interface: Interface,
        timers: Timers,
        statistics: Statistics,
        entropy: Entropy,
        undelivered: Callable[[bytes], None],
        timed_out: Callable[[bytes], None],
    ) -> None:
        """`undelivered` gets datagrams whose next hop does not answer, `timed_out` the start of unfinished ones."""
        limits = config.limits
        network = config.interface.network
        self.address: Address = config.ip.packed
        self.mtu = config.mtu
        self.ttl = config.ttl
        self.handlers: dict[int, Handler] = {}
        self.unknown: Handler | None = None
        self.neighbours = Neighbours(interface, self.address, limits.arp_entries, limits.arp_pending, timers, statistics, undelivered)
        self.reassembler = Reassembler(limits.reassembly_datagrams, limits.reassembly_octets, timers, statistics, timed_out)
        self._interface = interface
        self._timers = timers
        self._statistics = statistics
        self._idents = Permutation16(entropy)
        self._mask = int(network.netmask)
        self._network = int(network.network_address)
        # Point-to-point and host prefixes (31, 32) have no broadcast address (RFC 3021).
        broadcast = network.broadcast_address.packed if config.prefix < 31 else LIMITED_BROADCAST
        self._broadcasts = frozenset({LIMITED_BROADCAST, broadcast})
        self._gateway: Address | None = config.gateway.packed if config.gateway else None
        self._looped = 0

    def is_broadcast(self, address: Address) -> bool:
        """Whether `address` is the limited or our network's broadcast address."""
        return address in self._broadcasts

    def route(self, dst: Address) -> Address | None:
        """The neighbour to send to for `dst` (RFC 1122 3.3.1.1); None when there is none."""
        if int.from_bytes(dst, "big") & self._mask == self._network or dst in self._broadcasts or _is_multicast(dst):
            return dst
        return self._gateway

    def next_ident(self) -> int:
        """An identification for one datagram that may be fragmented."""
        return self._idents.next()

    # Receiving

    def input(self, frame: memoryview, csum_ok: bool, gso_size: int, to_station: bool) -> None:
        """One frame with an IPv4 datagram; `to_station` is false when it was a link-layer broadcast."""
        drop = self._statistics.drop
        if len(frame) < TRANSPORT_OFFSET:
            drop("ipv4.short")
            return
        version_ihl, _, total, _, fragment, _, protocol, _, src, dst = HEADER.unpack_from(frame, ETHERNET_HEADER)
        header_length = (version_ihl & 15) * 4
        end = ETHERNET_HEADER + total
        if version_ihl >> 4 != 4 or header_length < HEADER_LENGTH or total < header_length or end > len(frame):
            drop("ipv4.malformed")
            return
        datagram = frame[ETHERNET_HEADER:end]
        if int.from_bytes(datagram[:header_length], "big") % 65535:
            drop("ipv4.checksum")
            return
        if dst == self.address:
            if not to_station:
                drop("ipv4.link_broadcast")  # RFC 1122 3.3.6
                return
        elif dst not in self._broadcasts:
            drop("ipv4.not_for_us")
            return
        first = src[0]
        if not 0 < first < 224 or first == 127 or src == self.address or src in self._broadcasts:
            drop("ipv4.bad_source")  # RFC 1122 3.2.1.3
            return
        if fragment & (MORE_FRAGMENTS | OFFSET_MASK):
            ident = HEADER.unpack_from(datagram)[3]
            whole = self.reassembler.add((src, dst, protocol, ident), datagram, header_length, fragment)
            if whole is None:
                return
            # The first fragment decides the header, so its length may differ from the last one's.
            datagram, header_length, csum_ok, gso_size = memoryview(whole), (whole[0] & 15) * 4, False, 0
        self._deliver(datagram, header_length, protocol, src, dst, not csum_ok, gso_size)

    def _deliver(self, datagram: memoryview, header_length: int, protocol: int, src: Address, dst: Address, verify: bool, gso: int) -> None:
        handler = self.handlers.get(protocol, self.unknown)
        if handler is None:
            self._statistics.drop("ipv4.unknown_protocol")
            return
        handler(datagram, header_length, src, dst, verify, dst == self.address, gso)

    # Sending

    def buffer(self) -> memoryview | None:
        """A frame buffer whose transport message is to be built at `TRANSPORT_OFFSET`, then sent by `transmit`."""
        return self._interface.buffer()

    def transmit(
        self,
        buffer: memoryview,
        length: int,
        dst: Address,
        protocol: int,
        marking: Marking = UNMARKED,
        fragment: int = DONT_FRAGMENT,
        ident: int = 0,
        offload: Offload | None = None,
    ) -> bool:
        """Send the `length` octets of transport message in `buffer`, which `buffer()` gave; False without a route.

        The datagram must fit the MTU unless `offload` cuts it. A datagram that may be fragmented needs its own
        `ident`; an unfragmentable one does not (RFC 6864).
        """
        total = HEADER_LENGTH + length
        ttl = marking.ttl or self.ttl
        write_header(buffer, ETHERNET_HEADER, total, ident, fragment, ttl, protocol, self.address, dst, marking.tos)
        if dst == self.address:
            self._loop(bytes(buffer[ETHERNET_HEADER : ETHERNET_HEADER + total]), protocol)
            return True
        hop = self.route(dst)
        if hop is None:
            self._statistics.drop("ipv4.no_route")
            return False
        mac = self.neighbours.lookup(hop)
        if mac is None:
            mac = self._group_mac(hop)
        if mac is None:
            datagram = bytes(buffer[ETHERNET_HEADER : ETHERNET_HEADER + total])
            self.neighbours.resolve(hop, datagram, offload)
        else:
            self._interface.commit(buffer, total, mac, ETHERTYPE_IPV4, offload)
        return True

    def send(self, dst: Address, protocol: int, message: Octets, marking: Marking = UNMARKED) -> bool:
        """Send a transport message of up to 65515 octets, fragmented where it exceeds the MTU.

        False when there is no route, or the device has no room (then the whole datagram counts as dropped).
        """
        room = self.mtu - HEADER_LENGTH
        if HEADER_LENGTH + len(message) > MAXIMUM_LENGTH:
            self._statistics.drop("ipv4.too_long")
            return False
        view = memoryview(message)
        if dst == self.address:
            datagram = bytearray(HEADER_LENGTH) + view
            write_header(datagram, 0, len(datagram), 0, 0, marking.ttl or self.ttl, protocol, dst, dst, marking.tos)
            self._loop(bytes(datagram), protocol)
            return True
        step = room if len(view) <= room else room // 8 * 8
        ident = self._idents.next()
        for start in range(0, len(view) or 1, step):
            piece = view[start : start + step]
            buffer = self._interface.buffer()
            if buffer is None or len(buffer) < TRANSPORT_OFFSET + len(piece):
                self._statistics.drop("ethernet.tx_full")
                return False
            buffer[TRANSPORT_OFFSET : TRANSPORT_OFFSET + len(piece)] = piece
            fragment = start // 8 | (MORE_FRAGMENTS if start + step < len(view) else 0)
            if not self.transmit(buffer, len(piece), dst, protocol, marking, fragment, ident):
                return False
        return True

    def _group_mac(self, hop: Address) -> bytes | None:
        """The MAC of a broadcast or multicast address (RFC 1112 6.4); None for a single neighbour's."""
        if hop in self._broadcasts:
            return BROADCAST
        if _is_multicast(hop):
            return b"\x01\x00\x5e" + bytes((hop[1] & 0x7F,)) + hop[2:]
        return None

    def _loop(self, datagram: bytes, protocol: int) -> None:
        """Deliver to ourselves, but from the clock: never inside the sender's own call."""
        if self._looped >= LOOPBACK_LIMIT:
            self._statistics.drop("ipv4.loopback_full")
            return
        self._looped += 1

        def arrive() -> None:
            self._looped -= 1
            self._deliver(memoryview(datagram), HEADER_LENGTH, protocol, self.address, self.address, False, 0)

        self._timers.at(self._timers.now, arrive)
