"""The byte stream of a capture file, and the one way its faults are told."""

from dataclasses import dataclass, field
from typing import BinaryIO

from wirelaw.impl.runtime.errors import UserError

# Larger than any packet a capture tool writes (its snaplen is at most 262,144 octets): a longer one is a damaged length.
LONGEST_PACKET = 1 << 20


@dataclass(slots=True)
class CaptureStream:
    """A forward-only reader that knows the file's name, its own position, and the packet it is at.

    `notes` collects what is worth telling but no reason to stop. `running_until_us` is the last moment at which the
    capture is known to have been running, where the file says so (interface statistics of pcapng). `dropped` counts the packets
    that the file says it lacks, by interface.
    """

    source: BinaryIO
    name: str
    offset: int = 0
    packets: int = 0
    notes: list[str] = field(default_factory=list)
    running_until_us: int | None = None
    dropped: dict[int, int] = field(default_factory=dict)

    def read(self, size: int) -> bytes:
        """Up to `size` octets; fewer only at the end of the file."""
        data = self.source.read(size)
        self.offset += len(data)
        return data

    def error(self, offset: int, what: str, remedy: str) -> UserError:
        """The error for a fault at byte `offset`, outside any packet."""
        return UserError(f"{self.name}: byte {offset}: {what}; {remedy}")

    def damaged(self, offset: int, what: str) -> UserError:
        """The error for a fault in the packet that starts at byte `offset`."""
        remedy = f"cut it after {counted(self.packets)} or record again" if self.packets else "record it again"
        return UserError(f"{self.name}: packet {self.packets + 1} at byte {offset}: {what}; the file is damaged from here, {remedy}")

    def cut_off(self, offset: int) -> None:
        """Note that the file ends inside a packet: usual when a capture tool is stopped, so no error."""
        self.notes.append(
            f"{self.name}: packet {self.packets + 1} at byte {offset}: the file ends inside this packet; "
            f"only {counted(self.packets)} before it can be judged"
        )


def counted(packets: int) -> str:
    """A number of packets in words."""
    return "1 packet" if packets == 1 else f"{packets} packets"
