"""Finding and loading law: folders of `.law` and `.profile` files to models, made once and then kept."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from wirelaw.spec.language import model as m
from wirelaw.spec.language.cache import keep, kept
from wirelaw.spec.language.deviations import Deviations
from wirelaw.spec.language.diagnostics import Diagnostic, LawError
from wirelaw.spec.language.encoding import MalformedError, Models, decode, encode
from wirelaw.spec.language.profile import Profile

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


def read_source(path: Path) -> str:
    """The text of a law, profile or clause file; a LawError when it cannot be read."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise LawError(Diagnostic(str(path), 0, 0, f"cannot read the file: {reason}", "Check the path and its permissions.")) from None
    except UnicodeDecodeError as error:
        raise LawError(Diagnostic(str(path), 0, 0, f"not UTF-8 text (byte {error.start})", "Save the file as UTF-8.")) from None


def load(paths: list[Path] | None = None, externs: Collection[str] = ()) -> Law:
    """The law below `paths` (default: the law that ships with Wirelaw). Raises LawError with all diagnostics found.

    `externs` are modules that the law may take functions from, beside those of `wirelaw.impl.externs`.
    What is made of the same texts by the same code is kept between runs (`cache`): reading it back takes a tenth of the time.
    """
    files = law_files(paths if paths is not None else [SPEC])
    texts = [read_source(path) for path in files]
    names = [shown(path) for path in files]
    entry = f"law.{_content(files, texts, externs)}.json"
    machines, profiles, deviations = _kept(entry, names) or _made(entry, names, texts, externs)
    bound = {(p.name, p.machine): p for p in profiles}
    return Law({x.name: x for x in machines}, bound, tuple(files), {(d.peer, d.machine): d for d in deviations})


def _content(files: list[Path], texts: list[str], externs: Collection[str]) -> str:
    """A hash of the texts, of the modules allowed, and of the code that reads them."""
    digest = hashlib.sha256(repr(sorted(externs)).encode())
    language = Path(__file__).parent
    for source in sorted([*language.glob("*.py"), *language.glob("*.lark")]):
        digest.update(source.read_bytes())
    for path, text in zip(files, texts, strict=True):
        digest.update(f"\n{path.suffix} {len(text)}\n{text}".encode())
    return digest.hexdigest()[:32]


def _kept(entry: str, names: list[str]) -> Models | None:
    text = kept(entry)
    try:
        return None if text is None else decode(text, names)
    except MalformedError:
        return None


def _made(entry: str, names: list[str], texts: list[str], externs: Collection[str]) -> Models:
    from wirelaw.spec.language.build import build  # noqa: PLC0415 - the parser and all behind it, which a kept law does not need

    made = build(list(zip(names, texts, strict=True)), externs)
    keep(entry, encode(made, names))
    return made
