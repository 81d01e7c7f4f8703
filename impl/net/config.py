"""What a host is told before it starts: addresses, and how much it may keep."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, NetmaskValueError
from typing import Final

from wirelaw.impl.device.link import DEFAULT_MAC
from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.wire.ethernet import parse_mac

MINIMUM_MTU: Final = 68
"""Smallest MTU of an IPv4 link (RFC 791)."""

DEFAULT_TTL: Final = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on everything a host keeps. Times are microseconds, buffer sizes octets."""

    tcp_connections: int
    tcp_backlog: int
    tcp_receive_buffer: int
    tcp_send_buffer: int
    tcp_memory: int
    """What the buffers of all connections take together, windows that were offered included; windows shrink as it gets less."""
    udp_sockets: int
    udp_receive_buffer: int
    arp_entries: int
    arp_pending: int
    """Datagrams that wait for one address to be resolved; the oldest give way."""
    reassembly_datagrams: int
    reassembly_octets: int
    pings: int
    dns_queries: int
    dns_cache: int


VIPERDOS: Final = Limits(
    tcp_connections=32,
    tcp_backlog=8,
    tcp_receive_buffer=8 << 10,
    tcp_send_buffer=8 << 10,
    tcp_memory=1 << 20,
    udp_sockets=16,
    udp_receive_buffer=4 << 10,
    arp_entries=16,
    arp_pending=4,
    reassembly_datagrams=4,
    reassembly_octets=256 << 10,
    pings=16,
    dns_queries=8,
    dns_cache=32,
)
"""The numbers of the original system."""

WIRELAW: Final = Limits(
    tcp_connections=16384,
    tcp_backlog=512,
    tcp_receive_buffer=4 << 20,
    tcp_send_buffer=4 << 20,
    tcp_memory=256 << 20,
    udp_sockets=4096,
    udp_receive_buffer=1 << 20,
    arp_entries=1024,
    arp_pending=64,
    reassembly_datagrams=256,
    reassembly_octets=4 << 20,
    pings=1024,
    dns_queries=256,
    dns_cache=4096,
)

PROFILES: Final = {"viperdos": VIPERDOS, "wirelaw": WIRELAW}


@dataclass(frozen=True, slots=True)
class HostConfig:
    """One host on one Ethernet link. The defaults are the original system's on QEMU's user network.

    `prefix` is the network prefix length; `dns` lists servers in order of preference; `mtu` is the greatest IP datagram
    that fits a frame, in octets; `ttl` the hops a datagram may live where its socket does not say (RFC 9293 3.9.2).
    """

    mac: bytes = DEFAULT_MAC
    ip: IPv4Address = IPv4Address("10.0.2.15")
    prefix: int = 24
    gateway: IPv4Address | None = IPv4Address("10.0.2.2")
    dns: tuple[IPv4Address, ...] = (IPv4Address("10.0.2.3"),)
    mtu: int = 1500
    ttl: int = DEFAULT_TTL
    limits: Limits = field(default=WIRELAW)

    def __post_init__(self) -> None:
        if len(self.mac) != 6 or self.mac[0] & 1:
            raise UserError(f"MAC address {self.mac.hex(':')} is not a station's: give 6 octets, the first one even")
        if not 0 <= self.prefix <= 32:
            raise UserError(f"prefix length {self.prefix} is not within 0..32")
        if not MINIMUM_MTU <= self.mtu <= 65535:
            raise UserError(f"MTU {self.mtu} is not within {MINIMUM_MTU}..65535")
        if not 1 <= self.ttl <= 255:
            raise UserError(f"TTL {self.ttl} is not within 1..255")

    @property
    def interface(self) -> IPv4Interface:
        """Address and prefix together."""
        return IPv4Interface((self.ip, self.prefix))

    @classmethod
    def of(
        cls,
        address: str = "10.0.2.15/24",
        gateway: str | None = None,
        dns: Sequence[str] = (),
        mac: str | None = None,
        mtu: int = 1500,
        profile: str = "wirelaw",
    ) -> "HostConfig":
        """A configuration from text: `address` with its prefix (`10.9.0.2/24`), a MAC like `52:54:00:12:34:56`.

        Raises `UserError` naming the part that cannot be read.
        """
        limits = PROFILES.get(profile)
        if limits is None:
            raise UserError(f"unknown profile {profile!r}; choose one of {', '.join(sorted(PROFILES))}")
        try:
            interface = IPv4Interface(address)
            router = IPv4Address(gateway) if gateway else None
            servers = tuple(IPv4Address(server) for server in dns)
        except (AddressValueError, NetmaskValueError) as error:
            raise UserError(f"bad IPv4 address: {error}") from None
        try:
            station = parse_mac(mac) if mac else DEFAULT_MAC
        except ValueError:
            raise UserError(f"bad MAC address {mac!r}; write it as 52:54:00:12:34:56") from None
        return cls(station, interface.ip, interface.network.prefixlen, router, servers, mtu, limits=limits)

    def with_(self, **changes: object) -> "HostConfig":
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
