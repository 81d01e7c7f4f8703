"""From the texts of law, profile and deviation files to models: parsed, resolved and bound."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.attaching import attach
from wirelaw.spec.language.binding import bind
from wirelaw.spec.language.deviations import Deviations
from wirelaw.spec.language.diagnostics import Diagnostic, LawError
from wirelaw.spec.language.encoding import Models
from wirelaw.spec.language.parse import parse_deviations, parse_law, parse_profiles
from wirelaw.spec.language.profile import Profile
from wirelaw.spec.language.resolve import Resolver
from wirelaw.spec.language.unused import unused_names


def build(sources: Sequence[tuple[str, str]], externs: Collection[str] = ()) -> Models:
    """The machines, profiles and deviations of `sources`, pairs of a file's name and its text; `externs` as in `load`.

    Raises LawError with all diagnostics found.
    """
    machines: dict[str, t.Machine] = {}
    fragments: dict[str, t.Machine] = {}
    raw_profiles: list[t.Profile] = []
    raw_deviations: list[t.Deviations] = []
    found: list[Diagnostic] = []
    for file, text in sources:
        try:
            if file.endswith(".profile"):
                raw_profiles += parse_profiles(text, file)
                continue
            if file.endswith(".deviations"):
                raw_deviations += parse_deviations(text, file)
                continue
            for machine in parse_law(text, file):
                kind = fragments if machine.is_fragment else machines
                if machine.name in kind:
                    first = kind[machine.name].span
                    where = f"({first.file}:{first.line})"
                    found.append(_at(machine, f"`{machine.name}` exists already {where}", "Rename one of the two."))
                kind[machine.name] = machine
        except LawError as error:
            found += error.diagnostics
    models: dict[str, m.Machine] = {}
    resolvers = {name: Resolver(machine, fragments, externs) for name, machine in machines.items()}
    for name, resolver in resolvers.items():
        try:
            models[name] = resolver.run()
        except LawError as error:
            found += error.diagnostics
    profiles = _bind_all(raw_profiles, models, set(machines), found)
    deviations = _attach_all(raw_deviations, models, resolvers, found)
    if found:
        raise LawError(*dict.fromkeys(found))
    unused = unused_names(machines, fragments, (*raw_profiles, *raw_deviations))
    return [replace(x, unused=unused[x.name]) for x in models.values()], profiles, deviations


def _attach_all(
    raw: list[t.Deviations], models: dict[str, m.Machine], resolvers: dict[str, Resolver], found: list[Diagnostic]
) -> list[Deviations]:
    made: dict[tuple[str, str], Deviations] = {}
    for d in raw:
        at = (d.span.file, d.span.line, d.span.column)
        if d.machine not in resolvers:
            message = f"the deviations of `{d.peer}` are from machine `{d.machine}`, which is not there"
            found.append(Diagnostic(*at, message, "Correct the name, or load that machine's file too."))
        elif (d.peer, d.machine) in made:
            found.append(Diagnostic(*at, f"the deviations of `{d.peer}` from `{d.machine}` are given twice", "Put them into one block."))
        elif d.machine in models:
            try:
                made[d.peer, d.machine] = attach(d, resolvers[d.machine], models[d.machine])
            except LawError as error:
                found += error.diagnostics
    return list(made.values())


def _bind_all(raw: list[t.Profile], models: dict[str, m.Machine], known: set[str], found: list[Diagnostic]) -> list[Profile]:
    profiles: list[Profile] = []
    for p in raw:
        if p.machine not in known:
            message = f"profile `{p.name}` is for machine `{p.machine}`, which is not there"
            found.append(Diagnostic(p.span.file, p.span.line, p.span.column, message, "Correct the name, or load that machine's file too."))
        elif p.machine in models:
            try:
                profiles.append(bind(p, models[p.machine]))
            except LawError as error:
                found += error.diagnostics
    return profiles


def _at(machine: t.Machine, message: str, advice: str) -> Diagnostic:
    return Diagnostic(machine.span.file, machine.span.line, machine.span.column, message, advice)
