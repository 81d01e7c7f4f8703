"""Send and receive buffers of a byte stream, and what all of a host's may take together.

They know offsets only; sequence numbers are the machine's affair. An idle connection costs little, and an octet is copied once
in and once out, however the stream was cut into segments.
"""

from collections import deque
from typing import Final

from wirelaw.impl.wire.checksum import Octets

_FIRST_STORE: Final = 4096

BLOCK: Final = 4096
"""Octets of one block of what came ahead of its turn."""
JOINED: Final = 16384
"""Up to here small pieces in order are joined."""
LEAST: Final = 4096
"""Octets that a buffer may always have."""


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

    They lie in one circular store that grows by doubling, so memory never exceeds twice the capacity. Offsets count from the
    oldest octet still held (the one at SND.UNA); `release` moves that origin.
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

    @property
    def memory(self) -> int:
        """Octets of memory that it takes."""
        return len(self._store)

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

    def trim(self) -> None:
        """Give back the memory, if nothing is held."""
        if self._start == self._end:
            self._store = _CircularStore()


class ReceiveBuffer:
    """Octets received: those in order, ready for the user, and others that came ahead of them.

    In order they are kept as they came, small pieces joined; ahead of their turn in blocks that exist only where octets are. So
    what is held costs about as much memory as there are octets, wherever in the window they lie. What of the octets ahead counts
    as received is the machine's decision, and `deliver` tells it.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.readable = 0
        """Octets in order, ready to be read."""
        self.memory = 0
        """Octets of memory that what is held takes."""
        self._pieces: deque[bytes | bytearray] = deque()
        self._taken = 0  # of the first piece
        self._next = 0  # position of the next octet in order
        self._store: dict[int, bytearray] = {}  # number -> BLOCK octets from position number * BLOCK on
        self._written = 0  # past the last octet ahead
        self._unread = False

    @property
    def space(self) -> int:
        """Octets from the in-order edge on that there is room for: the window that may be offered."""
        return max(0, self.capacity - self.readable)

    def stash(self, offset: int, data: Octets) -> None:
        """Keep `data`, which begins `offset` octets behind the in-order edge."""
        view, position = memoryview(data), self._next + offset
        self._written = max(self._written, position + len(view))
        while view:
            number, place = divmod(position, BLOCK)
            block = self._store.get(number)
            if block is None:
                block = self._store[number] = bytearray(BLOCK)
                self.memory += BLOCK
            piece = view[: BLOCK - place]
            block[place : place + len(piece)] = piece
            view, position = view[len(piece) :], position + len(piece)

    def deliver(self, data: Octets, count: int) -> None:
        """`count` more octets are in order: `data`, and behind it what was stashed. `ValueError` when that was never written."""
        left = count - len(data)
        if left > 0 and self._next + count > self._written:
            raise ValueError(f"{count} octets are not all there")
        self._append(data if left >= 0 else memoryview(data)[:count])
        self._next += count
        if self._store:
            self._join(left)
        if self._unread:
            self.release(self.readable)

    def discard(self) -> None:
        """Throw away what is in order, now and from now on: nobody reads it."""
        self._unread = True
        self.release(self.readable)

    def read(self, count: int) -> bytes:
        """Take out up to `count` octets in order."""
        data = self.peek(count)
        self.release(len(data))
        return data

    def peek(self, count: int) -> bytes:
        """The octets that `read(count)` would give, left in place."""
        count = min(count, self.readable)
        if not count:
            return b""
        first = self._pieces[0]
        if count == len(first) and not self._taken:
            return bytes(first)  # no copy, where it is bytes already
        views, skip = [], self._taken
        for piece in self._pieces:
            views.append(memoryview(piece)[skip : skip + count])
            count -= len(views[-1])
            skip = 0
            if not count:
                break
        return b"".join(views)

    def release(self, count: int) -> None:
        """Forget the `count` oldest octets in order."""
        self.readable -= count
        count += self._taken
        while self._pieces and count >= len(self._pieces[0]):
            count -= len(self._pieces[0])
            self.memory -= len(self._pieces.popleft())
        self._taken = count

    def _append(self, data: Octets) -> None:
        size = len(data)
        self.readable += size
        self.memory += size
        if size >= BLOCK:
            self._pieces.append(bytes(data))
        elif self._pieces and isinstance(last := self._pieces[-1], bytearray) and len(last) + size <= JOINED:
            last += data
        elif size:
            self._pieces.append(bytearray(data))

    def _join(self, left: int) -> None:
        """Move the last `left` octets before the edge out of the blocks, and drop the blocks that are behind it."""
        position = self._next - max(left, 0)
        while position < self._next:
            number, place = divmod(position, BLOCK)
            if number not in self._store:
                raise ValueError("octets that were never written are not in order")
            piece = memoryview(self._store[number])[place : place + self._next - position]
            self._append(piece)
            position += len(piece)
        edge = self._next // BLOCK
        for number in [n for n in self._store if n < edge or self._next >= self._written]:
            del self._store[number]
            self.memory -= BLOCK


class Memory:
    """What the buffers of all connections of a host may take together, in octets.

    Nobody is turned away: each may have an eighth of what is left, and always `LEAST`, so what is offered shrinks as it gets less.
    """

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.used = 0

    def share(self, own: int) -> int:
        """How many octets one who has `own` may have."""
        return max((self.octets - self.used + own) >> 3, LEAST)
