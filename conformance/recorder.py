"""Records what one host's own interface sends and receives: a near capture, with a known end."""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wirelaw.conformance.netns import Namespace
from wirelaw.impl.runtime.errors import MissingMeans
from wirelaw.oracle.capture import LinkType, PcapWriter

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_BUFFER = 32 << 20
_LONGEST = 262_144
_TCP_OVER_IPV4 = (b"\x08\x00", 6)


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded: (time, frame) pairs in the order of the interface, the known end, and frames lost."""

    frames: tuple[tuple[int, bytes], ...]
    running_until_us: int
    lost: int

    def save(self, path: Path, snaplen: int) -> None:
        """Write the frames to a pcap file, each cut to `snaplen` octets."""
        with PcapWriter(path, LinkType.ETHERNET, snaplen) as writer:
            for time_us, frame in self.frames:
                writer.write(time_us, frame)


class Recorder:
    """Captures the TCP frames of `interface` in `namespace` while its block runs; then `recording` holds them.

    A packet socket with the kernel's time stamps: outputs and inputs are in the order in which the interface saw them.
    """

    def __init__(self, namespace: Namespace, interface: str):
        try:
            with namespace.entered():
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as error:
            raise MissingMeans(f"no packet socket can be opened ({error.strerror})", "run as root") from error
        # Forced, because the usual limit holds a few bursts only. Without the right, losses are counted and told.
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.05)
        self._socket.bind((interface, _ETH_P_ALL))
        self._stopping = threading.Event()
        self._frames: list[tuple[int, bytes]] = []
        self._thread = threading.Thread(target=self._run, name=f"record-{interface}", daemon=True)
        self.recording: Recording | None = None

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return len(self._frames)

    def _run(self) -> None:
        buffer = memoryview(bytearray(_LONGEST))
        last = 0
        while True:
            try:
                size, ancillary, _, _ = self._socket.recvmsg_into([buffer], 64)
            except TimeoutError:
                if self._stopping.is_set():
                    return
                continue
            except OSError:  # the interface went down: nothing more to see
                return
            if (bytes(buffer[12:14]), buffer[23]) != _TCP_OVER_IPV4:
                continue
            seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
            # Stamps of two CPUs may differ by less than the order of arrival tells; the order is what counts.
            last = max(last, seconds * 1_000_000 + nanoseconds // 1000)
            self._frames.append((last, bytes(buffer[:size])))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        until = time.time_ns() // 1000
        self._stopping.set()
        self._thread.join()
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._socket.close()
        self.recording = Recording(tuple(self._frames), until, struct.unpack("II", statistics)[1])


def wait_for_silence(recorders: Sequence[Recorder], seconds: float, patience: float) -> None:
    """Return once no recorder has seen a frame for `seconds`, or after `patience` seconds in any case."""
    since = time.monotonic()
    seen, give_up = -1, since + patience
    while (now := time.monotonic()) < min(since + seconds, give_up):
        if (total := sum(recorder.frames for recorder in recorders)) != seen:
            seen, since = total, now
        time.sleep(0.02)
