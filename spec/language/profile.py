"""Profiles: every freedom of a machine bound, so that one implementation follows."""

from __future__ import annotations

from dataclasses import dataclass

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic, LawError, Span
from wirelaw.spec.language.expressions import Expr


@dataclass(frozen=True, slots=True)
class Profile:
    """A machine's freedom, bound: choices, parameters (numbers; durations in µs), order of output rows, sides of `either`."""

    name: str
    doc: str
    machine: str
    choices: dict[str, str]
    params: dict[str, int]
    order: tuple[str, ...]
    takes: dict[str, str]
    fills: dict[str, dict[str, Expr]]
    span: Span


def default_profile(machine: m.Machine, name: str) -> Profile:
    """The profile `name` of a machine that leaves nothing open. Raises LawError that names what it does leave open."""
    left = [*(f"choose {c} = {options[0]}" for c, options in machine.choices.items()), *(f"set {p} = .." for p in machine.params)]
    if left:
        message = f"machine `{machine.name}` leaves {len(left)} things open and has no profile" if len(left) > 1 else (
            f"machine `{machine.name}` leaves something open and has no profile"
        )  # fmt: skip
        advice = f"Write one into a .profile file beside the law: `profile {name} for {machine.name} {{ {' '.join(left)} }}`."
        raise LawError(Diagnostic(machine.span.file, machine.span.line, machine.span.column, message, advice))
    order = tuple(r.id for r in machine.emissions if r.mode != "may")
    return Profile(name, "", machine.name, {}, {}, order, {}, {}, machine.span)
