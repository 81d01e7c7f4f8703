"""Finding and loading law: folders of `.law` and `.profile` files to models, each file parsed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.deviations import Deviations, attach
from wirelaw.spec.language.diagnostics import Diagnostic, LawError
from wirelaw.spec.language.parse import parse_deviations, parse_law, parse_profiles, read_source
from wirelaw.spec.language.profile import Profile, bind
from wirelaw.spec.language.resolve import Resolver

SPEC = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Law:
    """Everything loaded together: machines by name, profiles by (profile name, machine name), deviations by (peer, machine name)."""

    machines: dict[str, m.Machine]
    profiles: dict[tuple[str, str], Profile]
    files: tuple[Path, ...]
    deviations: dict[tuple[str, str], Deviations] = field(default_factory=dict)

    def machine(self, name: str) -> m.Machine:
        """The machine of that name; LawError names the ones there are."""
        if name not in self.machines:
            known = ", ".join(sorted(self.machines)) or "none"
            raise LawError(Diagnostic(name, 0, 0, f"no machine `{name}`", f"Known machines: {known}."))
        return self.machines[name]

    def profile(self, name: str, machine: str) -> Profile:
        """The profile `name` of `machine`; LawError names the ones there are."""
        if (name, machine) not in self.profiles:
            known = ", ".join(sorted(p for p, of in self.profiles if of == machine)) or "none"
            raise LawError(Diagnostic(name, 0, 0, f"machine `{machine}` has no profile `{name}`", f"Known profiles: {known}."))
        return self.profiles[name, machine]

    def peers(self, machine: str) -> tuple[str, ...]:
        """The peers whose deviations from `machine` are known."""
        return tuple(sorted(peer for peer, of in self.deviations if of == machine))

    def known_deviations(self, machine: str, peer: str | None = None) -> tuple[Deviations, ...]:
        """The deviations from `machine` that `peer` is known for, or those of all peers; LawError names the peers there are."""
        peers = self.peers(machine)
        if peer is not None and peer not in peers:
            known = ", ".join(peers) or "none"
            raise LawError(Diagnostic(peer, 0, 0, f"no deviations of `{peer}` from `{machine}` are known", f"Known peers: {known}."))
        return tuple(self.deviations[p, machine] for p in (peers if peer is None else (peer,)))


def law_files(paths: list[Path]) -> list[Path]:
    """All `.law`, `.profile` and `.deviations` files below `paths` (files or folders), sorted; LawError for a path that is not there."""
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found |= {p for p in path.rglob("*") if p.suffix in (".law", ".profile", ".deviations")}
        elif path.is_file():
            found.add(path)
        else:
            raise LawError(Diagnostic(str(path), 0, 0, "no such file or folder", "Check the path."))
    if not found:
        listed = ", ".join(str(p) for p in paths)
        raise LawError(Diagnostic(listed, 0, 0, "no .law or .profile file found", "Name a law file, or a folder that holds some."))
    return sorted(found)


def shown(path: Path) -> str:
    """`path` relative to the working directory where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def load(paths: list[Path] | None = None) -> Law:
    """The law below `paths` (default: the law that ships with Wirelaw). Raises LawError with all diagnostics found."""
    files = law_files(paths if paths is not None else [SPEC])
    machines: dict[str, t.Machine] = {}
    fragments: dict[str, t.Machine] = {}
    raw_profiles: list[t.Profile] = []
    raw_deviations: list[t.Deviations] = []
    found: list[Diagnostic] = []
    for path in files:
        text = read_source(path)
        try:
            if path.suffix == ".profile":
                raw_profiles += parse_profiles(text, shown(path))
                continue
            if path.suffix == ".deviations":
                raw_deviations += parse_deviations(text, shown(path))
                continue
            for machine in parse_law(text, shown(path)):
                kind = fragments if machine.is_fragment else machines
                if machine.name in kind:
                    first = kind[machine.name].span
                    where = f"({first.file}:{first.line})"
                    found.append(_at(machine, f"`{machine.name}` exists already {where}", "Rename one of the two."))
                kind[machine.name] = machine
        except LawError as error:
            found += error.diagnostics
    models: dict[str, m.Machine] = {}
    resolvers = {name: Resolver(machine, fragments) for name, machine in machines.items()}
    for name, resolver in resolvers.items():
        try:
            models[name] = resolver.run()
        except LawError as error:
            found += error.diagnostics
    profiles = _bind_all(raw_profiles, models, set(machines), found)
    deviations = _attach_all(raw_deviations, models, resolvers, found)
    if found:
        raise LawError(*found)
    return Law(models, profiles, tuple(files), deviations)


def _attach_all(
    raw: list[t.Deviations], models: dict[str, m.Machine], resolvers: dict[str, Resolver], found: list[Diagnostic]
) -> dict[tuple[str, str], Deviations]:
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
    return made


def _bind_all(
    raw: list[t.Profile], models: dict[str, m.Machine], known: set[str], found: list[Diagnostic]
) -> dict[tuple[str, str], Profile]:
    profiles: dict[tuple[str, str], Profile] = {}
    for p in raw:
        if p.machine not in known:
            message = f"profile `{p.name}` is for machine `{p.machine}`, which is not there"
            found.append(Diagnostic(p.span.file, p.span.line, p.span.column, message, "Correct the name, or load that machine's file too."))
        elif p.machine in models:
            try:
                profiles[p.name, p.machine] = bind(p, models[p.machine])
            except LawError as error:
                found += error.diagnostics
    return profiles


def _at(machine: t.Machine, message: str, advice: str) -> Diagnostic:
    return Diagnostic(machine.span.file, machine.span.line, machine.span.column, message, advice)
