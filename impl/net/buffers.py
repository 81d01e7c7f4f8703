"""Send and receive buffers of a byte stream.

Both keep the stream's octets in one circular store that grows by doubling up to the buffer's capacity, so an idle
connection costs little, memory never exceeds twice the capacity, and an octet is copied once in and once out, however the
stream was cut into segments. They know offsets only; sequence numbers are the machine's affair.
"""

from typing import Final

from wirelaw.impl.wire.checksum import Octets

_FIRST_STORE: Final = 4096


class _CircularStore:
    """Octets by absolute stream position; positions `size` apart share a place, so a live span must be shorter."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._mask = -1

    def __len__(self) -> int:
        return len(self._octets)

    def grow(self, start: int, live_end: int, end: int) -> None:
        """Make room for positions `start..end`, keeping what stands in `start..live_end`."""
        size = max(_FIRST_STORE, 1 << (end - start - 1).bit_length())
        kept = b"".join(self.views(start, live_end - start))
        self._octets = bytearray(size)
        self._mask = size - 1
        self.store(start, kept)

    def store(self, position: int, data: Octets) -> None:
        """Copy `data` to `position`; the room must have been reserved."""
        octets = self._octets
        place = position & self._mask
        first = len(octets) - place
        count = len(data)
        if count <= first:
            octets[place : place + count] = data
        else:
            view = memoryview(data)
            octets[place:] = view[:first]
            octets[: count - first] = view[first:]

    def views(self, position: int, count: int) -> list[memoryview]:
        """The `count` octets at `position`, in at most two pieces."""
        if count <= 0:
            return []
        view = memoryview(self._octets)
        place = position & self._mask
        first = len(view) - place
        if count <= first:
            return [view[place : place + count]]
        return [view[place:], view[: count - first]]


class SendBuffer:
    """Octets accepted from the user and not yet acknowledged by the peer.

    Offsets count from the oldest octet still held (the one at SND.UNA); `release` moves that origin.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._store = _CircularStore()
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def space(self) -> int:
        """How many more octets `append` would take."""
        return max(0, self.capacity - len(self))

    def append(self, data: Octets) -> int:
        """Copy in the first octets of `data` as far as there is space; their number is returned."""
        count = min(len(data), self.space)
        if count:
            end = self._end + count
            if end - self._start > len(self._store):
                self._store.grow(self._start, self._end, end)
            self._store.store(self._end, data if count == len(data) else memoryview(data)[:count])
            self._end = end
        return count

    def slices(self, offset: int, length: int) -> list[memoryview]:
        """The `length` octets at `offset` as one or two views, for `build_segment`; shorter where the buffer ends.

        The views must be used before the next call of another method: their place may then hold other octets.
        """
        return self._store.views(self._start + offset, min(length, len(self) - offset))

    def release(self, count: int) -> None:
        """Forget the `count` oldest octets: the peer has acknowledged them. `ValueError` when fewer are held."""
        if not 0 <= count <= len(self):
            raise ValueError(f"cannot release {count} of {len(self)} octets")
        self._start += count


class ReceiveBuffer:
    """Octets received: those in order, ready for the user, and others written ahead of them.

    Offsets count from the first octet not yet in order (the one at RCV.NXT). What of the octets ahead counts as received
    is the machine's decision, and `advance` tells it.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._store = _CircularStore()
        self._read = 0
        self._next = 0
        self._written = 0  # past the last octet written
        self._unread = False

    @property
    def readable(self) -> int:
        """Octets in order, ready to be read."""
        return self._next - self._read

    @property
    def space(self) -> int:
        """Octets from the in-order edge on that there is room for: the window that may be offered."""
        return max(0, self.capacity - self.readable)

    def write(self, offset: int, data: Octets) -> None:
        """Put `data` at `offset`, which is not negative. The machine keeps it within the window it offered."""
        start = self._next + offset
        end = start + len(data)
        if end - self._read > len(self._store):
            self._store.grow(self._read, self._written, end)
        self._store.store(start, data)
        self._written = max(self._written, end)

    def advance(self, count: int) -> None:
        """`count` more octets are in order. `ValueError` when they were never written."""
        if self._next + count > self._written:
            raise ValueError(f"{count} octets are not all there")
        self._next += count
        if self._unread:
            self._read = self._next

    def discard(self) -> None:
        """Throw away what is in order, now and from now on: nobody reads it."""
        self._unread = True
        self._read = self._next

    def read(self, count: int) -> bytes:
        """Take out up to `count` octets in order."""
        count = min(count, self.readable)
        data = b"".join(self._store.views(self._read, count))
        self._read += count
        return data

    def peek(self, count: int) -> bytes:
        """The octets that `read(count)` would give, left in place."""
        return b"".join(self._store.views(self._read, min(count, self.readable)))
