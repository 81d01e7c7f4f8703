"""The interface to one Ethernet link: frames go out through a link's own buffers, so that a packet is built in place."""

from typing import Final, Protocol

from wirelaw.impl.device.link import Offload
from wirelaw.impl.net.statistics import Statistics
from wirelaw.impl.wire.checksum import Octets
from wirelaw.impl.wire.ethernet import HEADER, HEADER_LENGTH, MINIMUM_FRAME

_PADDING: Final = bytes(MINIMUM_FRAME)


class FrameSink(Protocol):
    """The sending half of `wirelaw.impl.device.link.Link`."""

    @property
    def tx_csum(self) -> bool:
        """The device finishes transport checksums."""

    @property
    def tx_tso(self) -> bool:
        """The device cuts large TCP packets."""

    def transmit_buffer(self) -> memoryview | None:
        """The free buffer to be sent next; the same one until `transmit`; None while there is none."""

    def transmit(self, length: int, offload: Offload | None = None) -> None:
        """Send the first `length` octets of the buffer given last."""


class Interface:
    """Our end of the link. A datagram built at `HEADER_LENGTH` of `buffer()` is sent by `commit`."""

    def __init__(self, sink: FrameSink, mac: bytes, statistics: Statistics) -> None:
        self.sink = sink
        self.mac = mac
        self._statistics = statistics

    def buffer(self) -> memoryview | None:
        """The frame buffer to be sent next, or None when the device has no room now."""
        return self.sink.transmit_buffer()

    def commit(self, buffer: memoryview, length: int, dst_mac: bytes, ethertype: int, offload: Offload | None = None) -> None:
        """Send what `buffer()` gave: `length` octets after the Ethernet header, which is written here."""
        HEADER.pack_into(buffer, 0, dst_mac, self.mac, ethertype)
        length += HEADER_LENGTH
        if length < MINIMUM_FRAME:
            buffer[length:MINIMUM_FRAME] = _PADDING[length:]
            length = MINIMUM_FRAME
        self.sink.transmit(length, offload)
        self._statistics.tx_packets += 1
        self._statistics.tx_bytes += length

    def send(self, dst_mac: bytes, ethertype: int, payload: Octets, offload: Offload | None = None) -> bool:
        """Send a copy of `payload`; False, and a drop counted, when the device has no room for it."""
        buffer = self.sink.transmit_buffer()
        if buffer is None or len(buffer) < HEADER_LENGTH + len(payload):
            self._statistics.drop("ethernet.tx_full")
            return False
        buffer[HEADER_LENGTH : HEADER_LENGTH + len(payload)] = payload
        self.commit(buffer, len(payload), dst_mac, ethertype, offload)
        return True
