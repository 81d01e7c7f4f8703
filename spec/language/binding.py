"""A profile held against its machine: it must bind everything that the law leaves open, within what the law permits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import Diagnostic, LawError
from wirelaw.spec.language.expressions import Expr, Lit
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.resolve import nearest
from wirelaw.spec.language.typing import Scope, Typer, coerce

_Report = Callable[[str, str, str], None]


def bind(profile: t.Profile, machine: m.Machine) -> Profile:
    """`profile` checked against `machine`: it must bind everything the law leaves open, within what the law permits."""
    found: list[Diagnostic] = []

    def report(name: str, message: str, advice: str) -> None:
        span = profile.places.get(name, profile.span)
        found.append(Diagnostic(span.file, span.line, span.column, message, advice))

    _bind_choices(profile, machine, report)
    params = _bind_params(profile, machine, report)
    order = _bind_order(profile, machine, report)
    _bind_takes(profile, machine, report)
    fills = _bind_fills(profile, machine)
    if found:
        raise LawError(*found)
    return Profile(profile.name, profile.text, machine.name, profile.choices, params, order, profile.takes, fills, profile.span)


def _unknown(names: Iterable[str], known: Iterable[str], what: str, report: _Report) -> None:
    for name in names:
        if name not in set(known):
            near = difflib.get_close_matches(name, list(known), 1)
            report(name, f"no {what} `{name}` in the machine", f"Did you mean `{near[0]}`?" if near else "Remove it.")


def _bind_choices(profile: t.Profile, machine: m.Machine, report: _Report) -> None:
    _unknown(profile.choices, machine.choices, "choice", report)
    for name, options in machine.choices.items():
        if name not in profile.choices:
            others = ", ".join(options[1:])
            report(name, f"profile `{profile.name}` leaves choice `{name}` open", f"Add `choose {name} = {options[0]}` (or {others}).")
        elif profile.choices[name] not in options:
            report(name, f"choice `{name}` has no alternative `{profile.choices[name]}`", f"It has: {', '.join(options)}.")


def _bind_params(profile: t.Profile, machine: m.Machine, report: _Report) -> dict[str, int]:
    _unknown(profile.params, machine.params, "param", report)
    typer = Typer()
    bound: dict[str, int] = {}
    for name, param in machine.params.items():
        if name not in profile.params:
            report(name, f"profile `{profile.name}` leaves `{name}` open", f"Add `set {name} = ..` ({param.type}).")
            continue
        given = coerce(typer.check(profile.params[name], Scope()), param.type, profile.places[name], f"`{name}`")
        if not isinstance(given, Lit) or isinstance(given.value, str | None):
            report(name, f"`{name}` is no literal value", "Write a number, a duration, true or false.")
            continue
        value = int(given.value)
        low = param.low.value if isinstance(param.low, Lit) else None
        high = param.high.value if isinstance(param.high, Lit) else None
        if (isinstance(low, int) and value < low) or (isinstance(high, int) and value > high):
            report(name, f"`{name}` is outside what the law permits", f"See {param.span.file}:{param.span.line}.")
        bound[name] = value
    return bound


def _bind_order(profile: t.Profile, machine: m.Machine, report: _Report) -> tuple[str, ...]:
    generated = [r.id for r in machine.emissions if r.mode != "may"]
    optional = [r.id for r in machine.emissions if r.mode == "may"]
    _unknown(profile.order, generated + optional, "output row", report)
    rest = [r for r in generated if r not in profile.order]
    if profile.order and rest:
        listed = ", ".join(rest)
        report(profile.name, f"profile `{profile.name}` orders some output rows but not {listed}", "Put each of them into `order`.")
    return profile.order or tuple(generated)


def _bind_takes(profile: t.Profile, machine: m.Machine, report: _Report) -> None:
    eithers = {r.id for r in machine.rows() if r.ending.kind == "either"}
    _unknown(profile.takes, eithers, "row with `either`", report)
    for row, side in profile.takes.items():
        if side not in ("go", "abort"):
            report(row, f"[{row}] has no side `{side}`", "Take `go` or `abort`.")


def _bind_fills(profile: t.Profile, machine: m.Machine) -> dict[str, dict[str, Expr]]:
    typer = Typer()
    made: dict[str, dict[str, Expr]] = {}
    for message, values in profile.fills.items():
        if message not in machine.messages:
            span = profile.places[message]
            raise LawError(Diagnostic(span.file, span.line, span.column, f"no message `{message}`", nearest(message, machine.messages)))
        fields = machine.messages[message].fields
        made[message] = {
            n: coerce(typer.check(v, Scope()), fields[n].type, profile.span, n) for n, v in values if v is not None and n in fields
        }
    return made
