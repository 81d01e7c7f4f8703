"""Opens a capture file of either format by its first octets."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from wirelaw.impl.runtime.errors import UserError
from wirelaw.oracle.capture.packet import Packet
from wirelaw.oracle.capture.pcap import MAGICS, read_pcap
from wirelaw.oracle.capture.pcapng import SECTION_MAGIC, PcapngReader
from wirelaw.oracle.capture.stream import CaptureStream, counted

_BUFFER = 1 << 18
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd", b"\x04\x22": "lz4", b"BZ": "bzip2", b"\xfd7": "xz"}


class Capture:
    """One pass over a capture: iterate once, then read `notes` and `running_until_us`.

    Memory is constant. Iteration raises UserError at the first fault, after the packets before it; a file that ends
    inside a packet is a note, not a fault.
    """

    def __init__(self, source: BinaryIO, name: str):
        self._stream = CaptureStream(source, name)

    @property
    def notes(self) -> list[str]:
        """What is worth telling about the file so far: each a full sentence with the file's name."""
        told = [
            f"{self._stream.name}: the capture lost {counted(n)} of interface {number}; what they held cannot be judged"
            for number, n in self._stream.dropped.items()
        ]
        return [*self._stream.notes, *told]

    @property
    def lost(self) -> int:
        """How many packets the file says it lacks, as far as it has been read: its counters stand at its end."""
        return sum(self._stream.dropped.values())

    @property
    def running_until_us(self) -> int | None:
        """The last moment the capture is known to have run (epoch microseconds), where the file says so."""
        return self._stream.running_until_us

    def __iter__(self) -> Iterator[Packet]:
        stream = self._stream
        magic = stream.read(4)
        if not magic:
            raise stream.error(0, "the file is empty", "record it again, and stop the capture tool before reading")
        if magic in MAGICS:
            return read_pcap(stream, magic)
        if magic == SECTION_MAGIC:
            return PcapngReader(stream).packets()
        if magic[:2] in _COMPRESSED:
            raise stream.error(0, f"the file is compressed with {_COMPRESSED[magic[:2]]}", "decompress it first")
        raise stream.error(0, f"not a pcap or pcapng file (it starts with {magic.hex(' ')})", "give a file saved by a capture tool")


def read_packets(path: Path | str, notes: list[str] | None = None) -> Iterator[Packet]:
    """The packets of the capture file at `path`, in file order; notes about the file are appended to `notes`.

    Raises UserError (one line: file, byte or packet, what is wrong, what to do) when the file cannot be read on.
    """
    try:
        source = open(path, "rb", buffering=_BUFFER)  # noqa: SIM115
    except OSError as error:
        raise UserError(f"{path}: cannot be opened: {error.strerror}; give the path of a capture file") from error
    with closing(source):
        capture = Capture(source, str(path))
        try:
            yield from capture
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}; check the file") from error
        finally:
            if notes is not None:
                notes.extend(capture.notes)
