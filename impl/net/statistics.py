"""What a host has counted."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Statistics:
    """Counters of one host. `tcp_conns` and `udp_sockets` are present numbers, all others only grow.

    Packets and bytes are Ethernet frames as exchanged with the device (a super-segment counts as one). `drops` counts what
    was not used, by reason; a reason names the layer and the fault, e.g. `ipv4.checksum`.
    """

    tx_packets: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    rx_bytes: int = 0
    tcp_conns: int = 0
    udp_sockets: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> None:
        """Count one frame, datagram or message not used, and why."""
        self.drops[reason] += 1

    @property
    def dropped(self) -> int:
        """All drops together."""
        return sum(self.drops.values())
