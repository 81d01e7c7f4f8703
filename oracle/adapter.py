"""A protocol of one's own before the judge: what its author writes to have captures judged and peers tested.

An *adapter* is a Python file with a class `Adapter`, a `DatagramAdapter`. It turns the octets of one datagram into a message of the
law and back, and decides nothing: what a message means stands in the law. Which machine judges which end of a conversation
follows from the law as well: the sender of a message is the machine that has it as an output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wirelaw.impl.runtime.errors import UserError
from wirelaw.impl.runtime.load import load_module
from wirelaw.oracle.capture.packet import Packet
from wirelaw.oracle.capture.udp import Datagram, Endpoint, datagram_of
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw
from wirelaw.oracle.engine.verdict import Environment, Verdict
from wirelaw.spec.language.model import Machine

CONVERSATIONS = 10_000
"""Conversations followed at once; the one that was silent longest ends where more begin."""


class DatagramAdapter(ABC):
    """One conversation between two ends; an adapter may keep what it has seen of it (whether a copy is the same, say)."""

    @abstractmethod
    def decode(self, octets: bytes) -> tuple[str, object] | None:
        """The kind of the message in a datagram, and an object with the fields of that kind as attributes.

        None for octets that are no message of this protocol: they are not judged.
        """

    @abstractmethod
    def encode(self, kind: str, message: object) -> bytes:
        """The datagram that `decode` reads as this message; `message` has the fields of `kind` as attributes."""

    def begins(self, kind: str, message: object) -> bool:
        """Whether a conversation may begin with this message; what goes before such a one is not judged. Any may, unless overridden."""
        return True


MakeAdapter = Callable[[], DatagramAdapter]
Fields = Mapping[str, Collection[str]]
"""The fields of each kind of message that the law has."""


class _Kept(SimpleNamespace):
    """A message whose own class cannot be hashed, as judges want it: they keep messages, and compare what they hold possible."""

    def __hash__(self) -> int:  # type: ignore[override]  # kept as it is, never changed
        return hash(tuple(vars(self).values()))


def fields_of(machines: Iterable[Machine]) -> Fields:
    """What `decoded` holds messages against."""
    return {kind: tuple(message.fields) for machine in machines for kind, message in machine.messages.items() if message.is_kind}


def decoded(adapter: DatagramAdapter, octets: bytes, fields: Fields) -> tuple[str, Any] | None:
    """What the adapter reads in a datagram, held against the law. Raises UserError for an adapter that is wrong."""
    try:
        message = adapter.decode(octets)
    except Exception as error:
        raise UserError(f"the adapter's decode raises {type(error).__name__}: {error}; mend it (octets {octets[:24].hex()})") from error
    if message is None:
        return None
    if not (isinstance(message, tuple) and len(message) == 2 and isinstance(message[0], str)):
        raise UserError(f"the adapter's decode gives {message!r}; it must give None, or a kind and a message")
    kind, content = message
    if kind not in fields:
        raise UserError(f"the adapter calls a message `{kind}`; the law has {', '.join(f'`{k}`' for k in fields)}")
    missing = [f for f in fields[kind] if not hasattr(content, f)]
    if missing:
        raise UserError(f"the adapter's message `{kind}` lacks {', '.join(f'`{f}`' for f in missing)}; decode must give each field")
    if type(content).__hash__ is None:
        content = _Kept(**{f: getattr(content, f) for f in fields[kind]})
    return kind, content


def load_adapter(path: Path) -> MakeAdapter:
    """The class `Adapter` of a Python file, which is run: name only files that you trust. Raises UserError, with file and line."""
    try:
        module = load_module(path)
    except UserError:
        raise
    except Exception as error:
        line = _line_in(error, path)
        raise UserError(f"{path}{line}: {type(error).__name__}: {error}; mend the adapter") from error
    made = getattr(module, "Adapter", None)
    if not (isinstance(made, type) and issubclass(made, DatagramAdapter)):
        raise UserError(f"{path}: no class Adapter; write one that is a wirelaw.oracle.adapter.DatagramAdapter")
    return made


def _line_in(error: BaseException, path: Path) -> str:
    """`:LINE` of the last place in `path` that the error came through."""
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    found, trace = "", error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            found = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return found


@dataclass(frozen=True, slots=True)
class Roles:
    """Who sends and who takes each kind of message: names of machines by kind."""

    senders: dict[str, tuple[str, ...]]
    takers: dict[str, tuple[str, ...]]
    fields: Fields

    @classmethod
    def of(cls, machines: Iterable[Machine]) -> Roles:
        """The roles of a law."""
        machines = tuple(machines)
        senders: dict[str, list[str]] = {}
        takers: dict[str, list[str]] = {}
        for machine in machines:
            for kind, message in machine.messages.items():
                if any(name in machine.outputs for name in message.lineage):
                    senders.setdefault(kind, []).append(machine.name)
                if any(name in machine.inputs for name in message.lineage):
                    takers.setdefault(kind, []).append(machine.name)
        return cls({k: tuple(v) for k, v in senders.items()}, {k: tuple(v) for k, v in takers.items()}, fields_of(machines))

    def of_ends(self, kind: str) -> tuple[str | None, str | None]:
        """The machines of the sender and of the taker of a first message; None for one that the law does not have.

        Raises UserError where the law has several.
        """
        ends: list[str | None] = []
        for what, by_kind in (("sent", self.senders), ("taken", self.takers)):
            found = by_kind.get(kind, ())
            if len(found) > 1:
                raise UserError(f"message `{kind}` is {what} by {' and '.join(found)}; name the machine to judge with --machine")
            ends.append(found[0] if found else None)
        return ends[0], ends[1]


@dataclass(frozen=True, slots=True)
class JudgedEnd:
    """The verdict on one end of one conversation. `source` sent its first message."""

    source: Endpoint
    target: Endpoint
    end: Endpoint
    machine: str
    near: bool
    datagrams: int
    verdict: Verdict


class Conversation:
    """Two ends that exchange messages, each judged by the machine of its role."""

    def __init__(self, first: Datagram, adapter: DatagramAdapter, ends: Sequence[tuple[Endpoint, CompiledLaw, bool]]) -> None:
        self.source, self.target = first.source, first.target
        self.adapter = adapter
        self.count = 0
        self._judges = [
            (end, near, Judge(law, environment=Environment.near() if near else Environment.far_side(), subject=str(end)))
            for end, law, near in ends
        ]

    def observe(self, seen: Datagram, kind: str, message: object, time: int, number: int) -> None:
        """Judge one message, captured at `time` (microseconds) as packet `number`."""
        self.count += 1
        for end, _, judge in self._judges:
            (judge.output if end == seen.source else judge.input)(kind, message, time, number)

    def finish(self) -> Iterator[JudgedEnd]:
        """The verdicts; silence counts up to the last message."""
        for end, near, judge in self._judges:
            yield JudgedEnd(self.source, self.target, end, judge.law.machine.name, near, self.count, judge.finish())


class DatagramJudge:
    """Judges the conversations in a capture of UDP datagrams; feed it packets, then `finish`.

    `laws` are the machines that may judge, by name; `roles` those of the whole law. `near` are the addresses whose own captures these are
    (empty: all are near).
    """

    def __init__(self, laws: dict[str, CompiledLaw], roles: Roles, make: MakeAdapter, near: Collection[str] = ()) -> None:
        self.laws, self.roles, self.make, self.near = laws, roles, make, near
        self._open: OrderedDict[frozenset[Endpoint], Conversation] = OrderedDict()

    def packet(self, packet: Packet) -> Iterator[JudgedEnd]:
        """Judge one packet; verdicts on conversations that end by it."""
        seen = datagram_of(packet)
        if seen is None:
            return
        key = frozenset({seen.source, seen.target})
        conversation = self._open.get(key)
        adapter = conversation.adapter if conversation is not None else self.make()
        message = decoded(adapter, seen.octets, self.roles.fields)
        if message is None:
            return
        if conversation is None:
            conversation = self._begin(seen, adapter, *message)
            if conversation is None:
                return
            self._open[key] = conversation
        self._open.move_to_end(key)
        conversation.observe(seen, *message, packet.time_us, packet.number)
        if len(self._open) > CONVERSATIONS:
            yield from self._open.popitem(last=False)[1].finish()

    def finish(self) -> Iterator[JudgedEnd]:
        """The verdicts on all that is left."""
        for conversation in self._open.values():
            yield from conversation.finish()
        self._open.clear()

    def _begin(self, first: Datagram, adapter: DatagramAdapter, kind: str, message: object) -> Conversation | None:
        if not adapter.begins(kind, message):
            return None
        named = tuple(zip((first.source, first.target), self.roles.of_ends(kind), strict=True))
        ends = [(end, self.laws[name], not self.near or end.address in self.near) for end, name in named if name in self.laws]
        return Conversation(first, adapter, ends) if ends else None


def judge_datagrams(
    laws: dict[str, CompiledLaw], roles: Roles, make: MakeAdapter, packets: Iterable[Packet], near: Collection[str] = ()
) -> Iterator[JudgedEnd]:
    """A verdict on each end of each conversation among `packets`."""
    judge = DatagramJudge(laws, roles, make, near)
    for packet in packets:
        yield from judge.packet(packet)
    yield from judge.finish()


def judge_octets(
    law: CompiledLaw,
    adapter: DatagramAdapter,
    trace: Iterable[tuple[int, bool, bytes]],
    environment: Environment | None = None,
    subject: str = "",
) -> Verdict:
    """The verdict on one end from what it kept itself: (time in microseconds, whether it sent this, octets), in order."""
    judge = Judge(law, environment=environment, subject=subject or law.machine.name)
    fields = fields_of([law.machine])
    for number, (time, is_output, octets) in enumerate(trace, 1):
        message = decoded(adapter, octets, fields)
        if message is not None:
            (judge.output if is_output else judge.input)(*message, time, number)
    return judge.finish()
