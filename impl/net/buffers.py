"""Send and receive buffers of a byte stream.

Both keep the stream's octets in one circular store that grows by doubling up to the buffer's capacity, so an idle
connection costs little, memory never exceeds twice the capacity, and an octet is copied once in and once out, however the
stream was cut into segments. They know offsets only; sequence numbers are the machine's affair.
"""

from typing import Final

from wirelaw.impl.wire.checksum import Octets

_FIRST_STORE: Final = 4096
HELD_RANGES: Final = 128
"""Most out-of-order ranges a receive buffer remembers; data that would need one more is not kept."""


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
    """Octets received: those in order, ready for the user, and ranges beyond a gap, held until it is filled.

    Offsets count from the first octet not yet received in order (the one at RCV.NXT); they are negative for octets
    already delivered.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._store = _CircularStore()
        self._read = 0
        self._next = 0
        self._held: list[tuple[int, int]] = []  # disjoint and not adjacent, most recently changed first

    @property
    def readable(self) -> int:
        """Octets in order, ready to be read."""
        return self._next - self._read

    @property
    def space(self) -> int:
        """Octets from the in-order edge on that would be accepted: the window that may be offered."""
        return max(0, self.capacity - self.readable)

    @property
    def held(self) -> tuple[tuple[int, int], ...]:
        """Ranges held beyond the gap as offsets (first, past the last), the most recently changed first (RFC 2018 4)."""
        edge = self._next
        return tuple((start - edge, end - edge) for start, end in self._held)

    def insert(self, offset: int, data: Octets) -> int:
        """Take the octets of `data`, the first of which stands at `offset`; how far the in-order edge moved is returned.

        What was received before, and what lies beyond `space`, is left out. Octets held are never overwritten: the
        first copy of an octet is the one delivered.
        """
        start = self._next + max(offset, 0)
        end = min(self._next + offset + len(data), self._read + self.capacity)
        if end <= start or (len(self._held) >= HELD_RANGES and start > self._next and not self._touches(start, end)):
            return 0
        if end - self._read > len(self._store):
            self._store.grow(self._read, max([self._next, *(past for _, past in self._held)]), end)
        self._fill(start, end, memoryview(data), self._next + offset)
        return self._advance(*self._merge(start, end))

    def _touches(self, start: int, end: int) -> bool:
        return any(first <= end and start <= past for first, past in self._held)

    def _fill(self, start: int, end: int, data: memoryview, origin: int) -> None:
        """Store those octets of `start..end` that no held range covers. `data[0]` belongs to position `origin`."""
        position = start
        for first, past in sorted(self._held):
            if past <= position:
                continue
            if first >= end:
                break
            if first > position:
                self._store.store(position, data[position - origin : first - origin])
            position = past
        if position < end:
            self._store.store(position, data[position - origin : end - origin])

    def _merge(self, start: int, end: int) -> tuple[int, int]:
        """The range that `start..end` forms with the held ranges it touches, which are taken out."""
        if self._held:
            apart = []
            for first, past in self._held:
                if first <= end and start <= past:
                    start, end = min(start, first), max(end, past)
                else:
                    apart.append((first, past))
            self._held = apart
        return start, end

    def _advance(self, start: int, end: int) -> int:
        if start > self._next:
            self._held.insert(0, (start, end))
            return 0
        moved = end - self._next
        self._next = end
        return moved

    def read(self, count: int) -> bytes:
        """Take out up to `count` octets in order."""
        count = min(count, self.readable)
        data = b"".join(self._store.views(self._read, count))
        self._read += count
        return data

    def peek(self, count: int) -> bytes:
        """The octets that `read(count)` would give, left in place."""
        return b"".join(self._store.views(self._read, min(count, self.readable)))

    def readinto(self, target: bytearray | memoryview) -> int:
        """Take out octets in order into `target` as far as it reaches; their number is returned."""
        count = min(len(target), self.readable)
        place = 0
        for view in self._store.views(self._read, count):
            target[place : place + len(view)] = view
            place += len(view)
        self._read += count
        return count
