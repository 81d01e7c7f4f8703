"""Traces: what a tester did to a peer, one step a line, in terms that survive another run.

Numbers that a run chooses (initial sequence numbers, timestamps) are written relative to the judge's variables of the
peer, so the same text drives another incarnation, another peer, or a shortened walk. Format (`#` starts a remark):

    wirelaw trace 1
    peer linux                        who it was recorded against
    role server                       of the peer: client or server
    buffer 4608                       receive buffer asked of the peer, octets (0: its default)
    isn 4294967000                    the tester's initial sequence number
    fails rfc9293:3.10.7.4 seq.bad    clause and row of the finding this is the witness of
    call open_passive                 a call of the peer's user, by its name in the law; `call send 100`
    wait 300000                       microseconds
    send SYN seq=isn wnd=65535 mss=1460 wscale=7 sack tsval=1000
    error 3 1 seq=snd_una             an ICMP error, type and code, that quotes a segment of the peer
    send ACK seq=rcv_nxt+3 ack=snd_nxt wnd=500 len=10     # [seq.acceptable] s.seq in rcv_nxt ..+ rwnd
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wirelaw.impl.runtime.errors import UserError

FLAGS = ("syn", "fin", "rst", "ackf", "psh", "urg", "ece", "cwr")
HEADER = "wirelaw trace 1"
_SHOWN = {"ackf": "ACK"}
_RELATIVE = ("seq", "ack", "tsval", "tsecr")
_NUMBERS = ("wnd", "up", "len", "mss", "wscale")
_EXAMPLES = {"peer": "linux", "role": "server", "buffer": "4608", "isn": "1000", "fails": "rfc9293:3.4/ack g.ack"}


@dataclass(frozen=True, slots=True)
class Relative:
    """A number as the value of variable `base` (empty: none) plus `offset`."""

    base: str = ""
    offset: int = 0

    def __str__(self) -> str:
        if not self.base:
            return str(self.offset)
        return self.base + (f"{self.offset:+d}" if self.offset else "")

    @classmethod
    def parse(cls, text: str) -> Relative:
        """The number that `text` shows; ValueError when it shows none."""
        at = next((i for i, c in enumerate(text) if i and c in "+-"), len(text)) if text[:1].isalpha() else 0
        try:
            return cls(text[:at], int(text[at:] or (0 if at else "")))
        except ValueError:
            raise ValueError(f"{text!r} is no number; write one such as 7, rcv_nxt or rcv_nxt+3") from None


def _number(text: str, what: str) -> int:
    """The integer that `text` shows; ValueError, in words, when it shows none."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{what} is {text!r}, which is no number; write it in digits") from None


@dataclass(frozen=True, slots=True)
class Call:
    """The peer's user calls `name` of the law; `n` is the octets of `send`."""

    name: str
    n: int = 0

    def __str__(self) -> str:
        return f"call {self.name}" + (f" {self.n}" if self.n else "")


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes, in microseconds."""

    us: int

    def __str__(self) -> str:
        return f"wait {self.us}"


@dataclass(frozen=True, slots=True)
class Send:
    """A segment to the peer. None means that the option is absent; `aim` tells what it was made for."""

    flags: tuple[str, ...]
    seq: Relative
    ack: Relative = Relative()
    wnd: int = 0
    up: int = 0
    len: int = 0
    mss: int | None = None
    wscale: int | None = None
    sack_ok: bool = False
    tsval: Relative | None = None
    tsecr: Relative | None = None
    sum_ok: bool = True
    aim: str = ""

    def __str__(self) -> str:
        parts = ["send", *(_SHOWN.get(f, f.upper()) for f in self.flags), f"seq={self.seq}"]
        parts += [f"ack={self.ack}"] if "ackf" in self.flags or self.ack != Relative() else []
        parts += [f"wnd={self.wnd}"]
        parts += [f"{n}={getattr(self, n)}" for n in ("up", "len") if getattr(self, n)]
        parts += [f"{n}={getattr(self, n)}" for n in ("mss", "wscale", "tsval", "tsecr") if getattr(self, n) is not None]
        parts += (["sack"] if self.sack_ok else []) + ([] if self.sum_ok else ["badsum"])
        return " ".join(parts) + (f"    # {self.aim}" if self.aim else "")


@dataclass(frozen=True, slots=True)
class Trouble:
    """An ICMP error to the peer, about a segment of its own that began at `seq`. The message of the law of that name."""

    type: int
    code: int
    seq: Relative
    aim: str = ""

    def __str__(self) -> str:
        return f"error {self.type} {self.code} seq={self.seq}" + (f"    # {self.aim}" if self.aim else "")


Step = Call | Wait | Send | Trouble


@dataclass(frozen=True, slots=True)
class Trace:
    """A walk on paper. `fails` holds (clause, row) of the finding it witnesses."""

    peer: str
    role: str
    buffer: int
    isn: int
    steps: tuple[Step, ...]
    fails: tuple[str, str] | None = None
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        lines = [HEADER, *(f"# {r}" if r else "#" for r in self.remarks), f"peer {self.peer}", f"role {self.role}"]
        lines += [f"buffer {self.buffer}", f"isn {self.isn}"]
        if self.fails is not None:
            lines.append(" ".join(("fails", *self.fails)))
        return "\n".join([*lines, *map(str, self.steps)]) + "\n"


def _parse_send(words: list[str], aim: str) -> Send:
    flags: list[str] = []
    numbers: dict[str, int] = {}
    relatives: dict[str, Relative] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in _RELATIVE:
            relatives[name] = Relative.parse(value)
        elif equals and name in _NUMBERS:
            numbers[name] = _number(value, name)
        elif word == "ACK" or (word.lower() in FLAGS and word.isupper()):
            flags.append("ackf" if word == "ACK" else word.lower())
        elif word not in ("sack", "badsum"):
            raise ValueError(f"unknown word {word!r} in a segment; write flags such as SYN or ACK, or fields such as seq=7")
    if "seq" not in relatives:
        raise ValueError("the segment has no sequence number; add one, such as seq=rcv_nxt")
    return Send(
        tuple(flags), relatives["seq"], relatives.get("ack", Relative()), numbers.get("wnd", 0), numbers.get("up", 0),
        numbers.get("len", 0), numbers.get("mss"), numbers.get("wscale"), "sack" in words, relatives.get("tsval"),
        relatives.get("tsecr"), "badsum" not in words, aim,
    )  # fmt: skip


def _parse_step(words: list[str], remark: str) -> Step:
    match words:
        case ["call", name]:
            return Call(name)
        case ["call", name, n]:
            return Call(name, _number(n, "the count of octets"))
        case ["wait", us]:
            return Wait(_number(us, "the time to wait (microseconds)"))
        case ["send", *rest]:
            return _parse_send(rest, remark)
        case ["error", kind, code, seq] if seq.startswith("seq="):
            return Trouble(_number(kind, "the type"), _number(code, "the code"), Relative.parse(seq[4:]), remark)
    raise ValueError(f"unknown step {' '.join(words)!r}; a step is `call NAME`, `wait MICROSECONDS` or `send FLAGS seq=NUMBER`")


def parse_trace(text: str, name: str = "trace") -> Trace:
    """The trace that `text` shows. Raises UserError, with the line, where it is none."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise UserError(f"{name} is no trace: its first line must be '{HEADER}'")
    facts: dict[str, list[str]] = {}
    steps: list[Step] = []
    remarks: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        body, _, remark = (part.strip() for part in line.partition("#"))
        words = body.split()
        try:
            if not words:
                remarks += [remark] if "#" in line else []
            elif words[0] in ("peer", "role", "buffer", "isn", "fails"):
                facts[words[0]] = words[1:]
            else:
                steps.append(_parse_step(words, remark))
        except ValueError as error:
            raise UserError(f"{name}, line {number}: {error}") from None
    try:
        peer, role = _fact(facts, "peer"), _fact(facts, "role")
        buffer, isn = (_number(_fact(facts, n, "0"), n) for n in ("buffer", "isn"))
        fails = (_fact(facts, "fails"), facts["fails"][1] if len(facts["fails"]) > 1 else "") if "fails" in facts else None
    except ValueError as error:
        raise UserError(f"{name}: its head is incomplete: {error}") from None
    return Trace(peer, role, buffer, isn, tuple(steps), fails, tuple(remarks))


def _fact(facts: Mapping[str, list[str]], name: str, default: str = "") -> str:
    """The word behind `name` in the head of a trace."""
    said = facts.get(name, [default])
    if not said or not said[0]:
        raise ValueError(f"it does not say {name!r}; add a line such as `{name} {_EXAMPLES[name]}`")
    return said[0]


def load_trace(path: Path) -> Trace:
    """The trace in the file `path`. Raises UserError where it cannot be read."""
    try:
        return parse_trace(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; give the path of a trace") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} cannot be read: it is no text; give a .trace file, as `wirelaw conform` writes them") from None
