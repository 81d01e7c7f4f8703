"""When a host was asking for a link address in vain: what it sends then waits below its protocols, and no capture shows it.

A request (RFC 826) that nobody answers is captured near the host; the packets that wait for the answer are not. So silence
while a host is asking proves nothing.
"""

from collections import deque
from typing import NamedTuple

from wirelaw.oracle.capture import LinkType, Packet

_ARP, _REQUEST = b"\x08\x06", b"\x00\x01"
_HOSTS, _KEPT = 1024, 8


class Asked(NamedTuple):
    """A host asked from `start` until `end` (µs), first in packet `number`."""

    start: int
    end: int
    number: int


class Resolutions:
    """Follows the requests of each host; at most 1024 hosts, the latest eight spans of each."""

    def __init__(self) -> None:
        self.open: dict[bytes, Asked] = {}
        self._closed: dict[bytes, deque[Asked]] = {}

    def note(self, packet: Packet) -> None:
        """A packet that is not IP: perhaps a request, or the answer to one."""
        data = packet.data
        if packet.linktype != LinkType.ETHERNET or data[12:14] != _ARP or len(data) < 42:
            return
        sender, target = data[28:32], data[38:42]
        if data[20:22] != _REQUEST:
            self.sent(target, packet.time_us)
        elif sender not in (target, bytes(4)) and sender not in self.open and len(self.open) < _HOSTS:
            self.open[sender] = Asked(packet.time_us, packet.time_us, packet.number)

    def sent(self, host: bytes, time: int) -> None:
        """The host's packets leave again."""
        asked = self.open.pop(host, None)
        if asked is not None and (host in self._closed or len(self._closed) < _HOSTS):
            self._closed.setdefault(host, deque(maxlen=_KEPT)).append(asked._replace(end=time))

    def waiting(self, host: bytes, time: int) -> Asked | None:
        """The span in which `time` lies, if the host was asking then."""
        now = self.open.get(host)
        if now is not None and now.start <= time:
            return now
        return next((a for a in self._closed.get(host, ()) if a.start <= time <= a.end), None)
