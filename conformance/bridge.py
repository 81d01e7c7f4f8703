"""Joins two frame devices through a faulty link in each direction, in real time."""

import os
import select
import threading
import time
from types import TracebackType
from typing import Self

from wirelaw.impl.device.faulty_link import Faults, FaultyLink, LinkCounters

_FRAME_SIZE = 65_536 + 14
_BURST = 64


class Bridge:
    """Joins two frame devices (TAP descriptors, non-blocking) through a faulty link in each direction.

    A context manager: a thread pumps frames until the block is left. The descriptors stay the caller's. `counters` holds
    the fates of the frames (first to second device, second to first).
    """

    def __init__(self, first: int, second: int, faults: Faults, seed: int = 0, back: Faults | None = None):
        self._devices = (first, second)
        self._links: tuple[FaultyLink[bytes], FaultyLink[bytes]] = (
            FaultyLink(faults, seed),
            FaultyLink(faults if back is None else back, seed ^ 0x5DEECE66D),
        )
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._pump, name="faulty-link", daemon=True)

    @property
    def counters(self) -> tuple[LinkCounters, LinkCounters]:
        """Fates of the frames in each direction so far."""
        return self._links[0].counters, self._links[1].counters

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._wake_write)
        self._thread.join()
        os.close(self._wake_read)

    def _pump(self) -> None:
        poll = select.poll()
        for descriptor in (*self._devices, self._wake_read):
            poll.register(descriptor, select.POLLIN)
        while True:
            deadlines = [d for link in self._links if (d := link.next_deadline()) is not None]
            wait = None if not deadlines else max(0, min(deadlines) - _monotonic_us())
            # poll() counts milliseconds: sleep the whole ones, then spin the rest, for delays true to 0.1 ms.
            ready = {descriptor for descriptor, _ in poll.poll(None if wait is None else wait // 1000)}
            if self._wake_read in ready:
                return
            for index, device in enumerate(self._devices):
                if device in ready:
                    self._take(device, self._links[index])
                self._deliver(self._links[index], self._devices[1 - index])

    def _take(self, device: int, link: FaultyLink[bytes]) -> None:
        for _ in range(_BURST):
            try:
                frame = os.read(device, _FRAME_SIZE)
            except BlockingIOError:
                return
            link.offer(frame, _monotonic_us())

    def _deliver(self, link: FaultyLink[bytes], device: int) -> None:
        for frame in link.due(_monotonic_us()):
            try:
                os.write(device, frame)
            except OSError:  # the device is down or full: to the protocol that is a lost frame
                link.counters.delivered -= 1
                link.counters.dropped += 1


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
