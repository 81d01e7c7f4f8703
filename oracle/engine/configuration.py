"""What a judge holds to be possible: one configuration of the machine it watches.

A configuration is the visible variables and region states, the index of the next input not yet consumed, open debts and
ordered replies, running timers, the cost of what had to be forgiven, and a trail. Its variables are slots of a class that
is emitted once per machine, so that a copy is a few attribute loads. Everything else is immutable and shared by copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

NEVER = 1 << 62
SAME_DEBT_LIMIT = 64
PARTS = 256  # of a mapping that configurations share
POSITED, WARNED = 2, 4
"""What it costs to posit something of the observer, and what a warning does that nothing explains."""
KNOWN_PRICES = {"MAY": 1, "SHOULD": 1, "SHOULD_NOT": 1, "MUST": 3, "MUST_NOT": 3}
"""What a known deviation costs, by the level of what it departs from."""


class Debt(NamedTuple):
    """An open obligation of the debt declared in place `which`, with frozen `args`.

    `due` is the time of its cause plus `within`, in µs, lag not included. `order` is the place of its cause in the trace: any
    output captured after that pays.
    """

    which: int
    args: tuple[Any, ...]
    since: int
    due: int
    level: str
    row: int
    order: int
    key: Any


class Residue(int):
    """A sequence number that the law states as a literal: known modulo 2^32 only, as it is on the wire."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and (other - int(self)) % (1 << 32) == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(int(self))


class Reply(NamedTuple):
    """An ordered reply not yet seen. For `abort`, `codes` holds the permitted codes and `fields` is empty."""

    message: str
    fields: Mapping[str, Any]
    since: int
    row: int
    codes: tuple[Any, ...]


# A persistent list, newest first: (older, row index, observation number, control state in which the row was taken).
Trail = tuple["Trail | None", int, int, Any]
# A persistent list of what was forgiven or remarked, newest first: (older, (grade, row index, number, time, text)).
Remarks = tuple["Remarks | None", tuple[str, int, int, int, str]]


class Instance:
    """Variables and regions; subclasses are emitted."""

    __slots__ = ()

    def copy(self) -> Self:
        """An independent copy."""
        raise NotImplementedError

    def values(self) -> tuple[Any, ...]:
        """All values, hashable."""
        raise NotImplementedError


class Member(Instance):
    """A member of a family. Once it is kept it does not change: a row that changes it changes a copy."""

    __slots__ = ()
    family: str
    key: Any

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Member) and self.values() == other.values())

    def __hash__(self) -> int:
        return hash(self.values())


class Shared(Mapping[Any, Any]):
    """A mapping that configurations share: it never changes, and one that differs in a key has most of its parts in common with it."""

    __slots__ = ("_parts", "_size")

    def __init__(self, parts: tuple[dict[Any, Any], ...] = ({},) * PARTS, size: int = 0) -> None:
        self._parts = parts
        self._size = size

    def __getitem__(self, key: Any) -> Any:
        return self._parts[hash(key) % PARTS][key]

    def __iter__(self) -> Iterator[Any]:
        return (key for part in self._parts for key in part)

    def __len__(self) -> int:
        return self._size

    def get(self, key: Any, default: Any = None) -> Any:
        """The value for `key`."""
        return self._parts[hash(key) % PARTS].get(key, default)

    def put(self, key: Any, value: Any) -> Shared:
        """With `value` for `key`; None for nothing."""
        at = hash(key) % PARTS
        part = {k: v for k, v in self._parts[at].items() if k != key}
        if value is not None:
            part[key] = value
        return Shared((*self._parts[:at], part, *self._parts[at + 1 :]), self._size + len(part) - len(self._parts[at]))

    def same(self, other: Shared) -> bool:
        """Whether both hold the same."""
        return self._size == other._size and all(a is b or a == b for a, b in zip(self._parts, other._parts, strict=True))


class Members:
    """The members of one family that are not as members begin, by key; shared by configurations, so that a change makes another.

    `busy` are the keys of those that may have something to send by themselves, `places` the keys by the values of variables.
    """

    __slots__ = ("_digest", "busy", "by_key", "places")

    def __init__(self, by_key: Shared, busy: dict[Any, None], places: dict[str, Shared], digest: int) -> None:
        self.by_key, self.busy, self.places, self._digest = by_key, busy, places, digest

    @classmethod
    def none(cls, variables: Iterable[str]) -> Members:
        """No members, to be found by the values of these variables."""
        return cls(Shared(), {}, {v: Shared() for v in variables}, 0)

    def __len__(self) -> int:
        return len(self.by_key)

    def __hash__(self) -> int:
        return self._digest

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Members) and self._digest == other._digest and self.by_key.same(other.by_key))

    def changed(self, key: Any, member: Member | None, busy: bool) -> Members:
        """With `member` for `key`, or without one."""
        old = self.by_key.get(key)
        digest = self._digest
        for m in (old, member):
            digest ^= hash((key, m)) if m is not None else 0
        pressing = self.busy
        if busy != (key in pressing):
            pressing = {**pressing, key: None} if busy else {k: None for k in pressing if k != key}
        places = {v: _placed(v, held, key, old, member) for v, held in self.places.items()}
        return Members(self.by_key.put(key, member), pressing, places, digest)


def _placed(v: str, held: Shared, key: Any, old: Member | None, new: Member | None) -> Shared:
    """Which members have which value of variable `v`, after one has changed."""
    if old is not None and new is not None and getattr(old, v) == getattr(new, v):
        return held
    if old is not None:
        held = held.put(getattr(old, v), tuple(k for k in held[getattr(old, v)] if k != key) or None)
    if new is not None:
        held = held.put(getattr(new, v), (*held.get(getattr(new, v), ()), key))
    return held


class Configuration(Instance):
    """One possibility; subclasses are emitted per machine. `alarm` is the earliest time at which silence matters."""

    __slots__ = ("alarm", "cost", "debts", "next", "order", "owed", "remarks", "replies", "scanned", "timers", "trail")

    next: int
    cost: int
    order: int
    scanned: int
    alarm: int
    debts: tuple[Debt, ...]
    replies: tuple[Reply, ...]
    timers: dict[tuple[str, Any], tuple[int, int]]  # by name, and key of the member: the earliest and latest time at which it was started
    owed: dict[tuple[int, Any], int]
    trail: Trail | None
    remarks: Remarks | None

    def identity(self) -> tuple[Any, ...]:
        """What the future depends on: configurations with equal identity are merged (the cheaper one stays)."""
        return (
            self.values(), self.next, self.debts, tuple((r.message, tuple(r.fields.items()), r.codes) for r in self.replies),
            tuple(self.timers.items()), tuple(self.owed.items()),
        )  # fmt: skip

    def owe(self, index: int, args: tuple[Any, ...], within: int, level: str, row: int, now: int, key: Any) -> None:
        """Add a debt made at `now`; the same debt again changes nothing."""
        debts = self.debts
        same = 0
        for d in debts:
            if d.which == index:
                if d.args == args and d.key == key and d.level == level:
                    return
                same += 1
        due = now + within
        if same >= SAME_DEBT_LIMIT:  # one debt in the middle of many gives way to the newest; the oldest keeps its deadline
            last = max(i for i, d in enumerate(debts) if d.which == index)
            debts = debts[:last] + debts[last + 1 :]
        self.debts = (*debts, Debt(index, args, now, due, level, row, self.order, key))
        self.alarm = min(self.alarm, due)

    def remark(self, grade: str, row: int, number: int, time: int, text: str, cost: int = 0) -> None:
        """Note something that does not end the possibility, at its price."""
        self.cost += WARNED if grade == "warn" else cost
        self.remarks = (self.remarks, (grade, row, number, time, text))


def emit_class(name: str, base: str, slots: list[str], mappings: list[str], fixed: tuple[str, ...] = ()) -> list[str]:
    """Source of a configuration or instance class.

    `slots` are the law's own attributes, `mappings` those that hold members of families, `fixed` the engine's.
    """
    own = slots + mappings
    lines = [f"class {name}({base}):", f"    __slots__ = ({''.join(f'{s!r}, ' for s in own)})", "    def copy(self):"]
    lines += [f"        n = _new({name})"]
    lines += [f"        n.{s} = self.{s}" for s in (*own, *fixed)]
    lines += ["        return n", "    def values(self):"]
    parts = [f"self.{s}" for s in own]
    lines += [f"        return ({''.join(f'{p}, ' for p in parts)})", ""]
    return lines
