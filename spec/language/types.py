"""Types of the law language: they carry meaning, so that spaces and units never mix."""

from __future__ import annotations

from dataclasses import dataclass

UNIT_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
SEQ_BITS = 32
NAT_BITS = 64


@dataclass(frozen=True, slots=True)
class Type:
    """One type. `kind` is its family, `name` distinguishes within it.

    kinds: `bool`, `uint` (name = bits, or `nat`: without bound), `seq` (name = space `tx`/`rx`, or `sender`/`receiver` in a message),
    `duration` and `time` (microseconds), `string`, `enum`, `choice`, `opaque`, `message`, `set` (name = element),
    `queue` (name = bound), and `any`, which fits all (the type of `none` and of externs that do not care).
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "uint":
                return self.name if self.name == "nat" else f"u{self.name}"
            case "seq":
                return f"seq32<{self.name}>"
            case "set":
                return f"set<{self.name}>"
            case "queue":
                return f"queue upto {self.name}"
            case "enum" | "opaque" | "message" | "choice":
                return self.name
            case _:
                return self.kind

    @property
    def is_number(self) -> bool:
        """True for plain unsigned numbers, on which ordinary arithmetic holds."""
        return self.kind == "uint"

    @property
    def bits(self) -> int:
        """The width of an unsigned number; of one without bound, that of the values which proofs look at."""
        return NAT_BITS if self.name == "nat" else int(self.name)


BOOL = Type("bool")
U32 = Type("uint", "32")
NUMBER = Type("uint", "64")
DURATION = Type("duration")
TIME = Type("time")
STRING = Type("string")
ANY = Type("any")


def fits(given: Type, wanted: Type) -> bool:
    """True when a value of type `given` may stand where `wanted` is declared.

    Widths of unsigned numbers do not matter here (the interpreter checks ranges of what is stored); spaces and units do.
    """
    if "any" in (given.kind, wanted.kind):
        return True
    if given.kind == "uint" and wanted.kind == "uint":
        return True
    if given.kind == "bool" and wanted.kind == "uint":
        return True
    if given.kind == "opaque" and wanted.kind == "message":
        return True
    return given == wanted


def flip(type_: Type, *, incoming: bool) -> Type:
    """A message field's type as the receiver (`incoming`) or the sender of that message sees it."""
    if type_.kind == "seq" and type_.name in ("sender", "receiver"):
        return Type("seq", "rx" if (type_.name == "sender") == incoming else "tx")
    return type_
