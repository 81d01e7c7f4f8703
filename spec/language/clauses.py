"""The clause catalogues: what each document demands, and which row of the law answers for it.

A catalogue (`spec/clauses/*.req`, format in `spec/clauses/README.md`) lists every requirement of one document, one a
line. A row of a table cites clauses by name, `rfc9293:3.10.7.4/second`. `Catalogues.coverage` then asks both ways:
which binding requirement does no row answer for, and which citation has no such right (a name that does not exist, a
requirement that the catalogue still calls waived).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wirelaw.spec.language.diagnostics import Diagnostic, LawError


class Level(StrEnum):
    """Key word of RFC 2119 that carries the requirement; INFO is procedure text without one."""

    MUST = "MUST"
    MUST_NOT = "MUST_NOT"
    SHOULD = "SHOULD"
    SHOULD_NOT = "SHOULD_NOT"
    MAY = "MAY"
    RECOMMENDED = "RECOMMENDED"
    INFO = "INFO"


class Party(StrEnum):
    """Who is bound by a clause, or who must check that it is kept."""

    NOBODY = "nobody"
    SENDER = "sender"
    RECEIVER = "receiver"
    BOTH = "both"
    PEER = "peer"
    CLIENT = "client"
    SERVER = "server"
    API = "api"
    HOST = "host"


class Disposition(StrEnum):
    """Where a clause is held."""

    LAW = "law"  # by a row, gate, debt or property of a table, which cites it
    SAME = "same"  # it is another document's clause, carried over; the citation of either counts for both
    ELSEWHERE = "elsewhere"  # by code outside the tables, because it is no decision about protocol state
    LATER = "later"  # not yet
    WAIVED = "waived"  # not at all


BINDING = frozenset({Level.MUST, Level.MUST_NOT})
_LABEL = re.compile(r"[A-Z]+-[0-9]+")
_BINDS = tuple(p for p in Party if p not in (Party.NOBODY, Party.PEER))
_CHECKS = tuple(p for p in Party if p not in (Party.API, Party.HOST))

_COLUMNS = ("id", "level", "section", "binds", "checks", "disposition", "text")
_TRAILER_OF = {
    Disposition.SAME: "as",
    Disposition.ELSEWHERE: "at",
    Disposition.LATER: "because",
    Disposition.WAIVED: "because",
}
_ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "6": "sixth", "7": "seventh", "8": "eighth"}
_TRAILERS = ("as", "at", "because", "answer")
_TOKEN = re.compile(r'"(?P<text>[^"]*)"|(?P<word>[^\s"]+)|(?P<open>")')
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
_SECTION = re.compile(r"\d+(\.\d+)*|[A-Z](\.\d+)*|-")
_SECTION_STEP = re.compile(r"(\d+(?:\.\d+)*|[A-Z](?:\.\d+)+)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement of one document."""

    document: str
    id: str
    level: Level
    section: str
    binds: Party
    checks: Party
    disposition: Disposition
    where: str  # ELSEWHERE: "module: function, why it is no decision of a table"
    reason: str  # LATER, WAIVED: why
    text: str
    file: str
    line: int
    answer: str = ""  # what a peer that checks may be expected to do: an alert, a disconnect code
    same_as: str = ""  # SAME: the full name of the clause it repeats

    @property
    def name(self) -> str:
        """The name a row cites, `document:id`."""
        return f"{self.document}:{self.id}"

    @property
    def binding(self) -> bool:
        """Whether somebody has to answer for it: a MUST or MUST NOT, or a requirement that its document numbers (`SHLD-3`)."""
        return self.level in BINDING or _LABEL.fullmatch(self.id) is not None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All clauses of one document, in the order of its file."""

    document: str
    title: str
    year: int
    file: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a set of citations stands to the catalogues. Tuples are in catalogue order."""

    clauses: tuple[Clause, ...]
    cited: tuple[Clause, ...]
    gaps: tuple[Clause, ...]  # binding ones that the law shall hold and no row cites
    uncited: tuple[Clause, ...]  # the same for all others: a warning
    stale: tuple[Clause, ...]  # called waived or later, and yet cited
    unknown: tuple[str, ...]  # cited names that no catalogue has

    @property
    def complete(self) -> bool:
        """Nothing that has to be cited is missing, and no citation is wrong."""
        return not (self.gaps or self.stale or self.unknown)

    @property
    def summary(self) -> str:
        """One line for a report: `217 clauses (180 cited, 20 elsewhere, 12 later, 5 waived, 0 gaps)`; warnings behind it."""
        held = {d: sum(c.disposition is d for c in self.clauses) for d in Disposition}
        weaker = f", {len(self.uncited)} uncited" if self.uncited else ""
        return (
            f"{len(self.clauses)} clauses ({len(self.cited)} cited, {held[Disposition.ELSEWHERE]} elsewhere, "
            f"{held[Disposition.LATER]} later, {held[Disposition.WAIVED]} waived, {len(self.gaps)} gaps{weaker})"
        )


@dataclass(frozen=True, slots=True)
class Catalogues:
    """Every catalogue of a folder, by document name."""

    documents: Mapping[str, Catalogue]
    _by_name: dict[str, Clause] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {c.name: c for c in self})

    def __iter__(self) -> Iterator[Clause]:
        for catalogue in self.documents.values():
            yield from catalogue.clauses

    def resolve(self, name: str) -> Clause | None:
        """The clause of that full name (`rfc9293:MUST-12`), or None."""
        return self._by_name.get(name)

    def suggest(self, name: str, most: int = 5) -> list[str]:
        """Names that `name` may have meant, best first: the parts of that section, then the nearest spelling."""
        document, _, wanted = name.partition(":")
        if document not in self.documents:
            others = [f"{d}:{wanted}" for d in self.documents if wanted and f"{d}:{wanted}" in self._by_name]
            near = difflib.get_close_matches(document, self.documents, n=1, cutoff=0.6)
            return list(dict.fromkeys(others + [n for d in near for n in self.suggest(f"{d}:{wanted}", most)]))[:most]
        clauses = self.documents[document].clauses
        known = {c.name: None for c in clauses}
        if name in known:
            return [name]
        whole, _, part = wanted.rpartition("/")
        ordinal = f"{document}:{whole}/{_ORDINALS.get(part, '')}"
        parts = [c.name for c in clauses if wanted and (c.section == wanted or c.id.startswith(f"{wanted}/"))]
        near = difflib.get_close_matches(name, known, n=most, cutoff=0.75)
        wider = [c.name for c in clauses if c.id == whole]
        return list(dict.fromkeys([n for n in (ordinal,) if n in known] + parts + near + wider))[:most]

    def coverage(self, cited: Mapping[str, Collection[str]], documents: Collection[str] | None = None) -> Coverage:
        """Compare citations with the catalogues, both ways.

        `cited` maps a clause name to the ids of the rows that cite it; a name without rows counts as not cited.
        `documents` narrows the question to the documents that the law at hand is about. A step of a procedure is
        covered when a part of it is (`3.10.7.4/second` by `3.10.7.4/second/1`); a part never by its step. A `same`
        clause is missed under its own name only where its original is not asked about.
        """
        names = {name for name, rows in cited.items() if rows}
        asked = tuple(c for c in self if documents is None or c.document in documents)
        answered = self._answered(names)
        done = tuple(c for c in asked if c.name in answered)
        ids = {c.name for c in asked}
        open_ = tuple(
            c for c in asked if c.name not in answered and c.same_as not in ids and self._original(c).disposition is Disposition.LAW
        )
        return Coverage(
            clauses=asked,
            cited=done,
            gaps=tuple(c for c in open_ if c.binding),
            uncited=tuple(c for c in open_ if not c.binding),
            stale=tuple(c for c in asked if c.name in names and c.disposition in (Disposition.LATER, Disposition.WAIVED)),
            unknown=tuple(sorted(n for n in names if n not in self._by_name)),
        )

    def _original(self, clause: Clause) -> Clause:
        return self._by_name[clause.same_as] if clause.same_as else clause

    def _answered(self, names: set[str]) -> set[str]:
        """The names that citing `names` answers for: themselves, their steps, and the same clause elsewhere."""
        answered = set(names)
        for name in names:
            answered.update(name[: m.start()] for m in re.finditer("/", name))
        pairs = [(c.name, c.same_as) for c in self if c.same_as]
        originals = {original for copy, original in pairs if copy in answered} | answered
        return originals | {copy for copy, original in pairs if original in originals}


def load_catalogue(path: Path | str) -> Catalogue:
    """Read one `.req` file. Raises `LawError` with every fault of the file."""
    path = Path(path)
    faults: list[Diagnostic] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        why = error.strerror or str(error)
        raise _error(path, 0, 0, f"cannot read the catalogue: {why}", "Give the path of a .req file.") from None
    except UnicodeDecodeError as error:
        raise _error(path, 0, 0, f"byte {error.start} is not UTF-8 text", "Save the catalogue in the UTF-8 encoding.") from None
    entries = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    head = _header(path, entries, faults)
    clauses: dict[str, Clause] = {}
    for number, line in entries[1:]:
        clause = _Entry(str(path), number, line, faults).read(path.stem)
        if clause is None:
            continue
        if clause.id in clauses:
            faults.append(
                _at(
                    path,
                    number,
                    line,
                    f"clause `{clause.id}` stands twice; first on line {clauses[clause.id].line}",
                    "Number the parts of a section apart, as `3.4/1` and `3.4/2`.",
                )
            )
        clauses.setdefault(clause.id, clause)
    if not faults and not clauses:
        faults.append(_at(path, 0, "", "the catalogue has no clause", "Write one clause a line after `document`."))
    if faults or head is None:
        raise LawError(*faults)
    return Catalogue(path.stem, head[0], head[1], str(path), tuple(clauses.values()))


def load_catalogues(folder: Path | str, *beside: Path) -> Catalogues:
    """Read every `.req` file of a folder, in the order of their names, and those that lie with the law in `beside`.

    `beside` are law files or folders: a folder counts with all below it, a file with the folder it is in. Raises `LawError` with
    every fault of all.
    """
    folder = Path(folder)
    found: dict[str, Catalogue] = {}
    faults: list[Diagnostic] = []
    own = sorted(folder.glob("*.req"))
    more = {p.resolve() for b in beside for p in (b.rglob("*.req") if b.is_dir() else b.parent.glob("*.req"))}
    for path in (*own, *sorted(more - {p.resolve() for p in own})):
        try:
            if path.stem in found:
                raise _error(path, 1, 1, f"there is a catalogue `{path.stem}` already", "Call the file, and the document in it, otherwise.")
            found[path.stem] = load_catalogue(path)
        except LawError as error:
            faults.extend(error.diagnostics)
    if not own and not faults:
        raise _error(folder, 0, 0, "no .req file here", "Give the folder of the clause catalogues, `spec/clauses`.")
    if faults:
        raise LawError(*faults)
    catalogues = Catalogues(found)
    faults.extend(_dangling(catalogues))
    if faults:
        raise LawError(*faults)
    return catalogues


def _dangling(catalogues: Catalogues) -> Iterator[Diagnostic]:
    repeated = {c.name for c in catalogues if c.same_as}
    for clause in catalogues:
        if not clause.same_as:
            continue
        original = catalogues.resolve(clause.same_as)
        if original is None:
            near = [n for n in catalogues.suggest(clause.same_as) if n not in repeated]
            yield Diagnostic(
                clause.file,
                clause.line,
                1,
                f"`{clause.id}` is said to be the same as `{clause.same_as}`, which no catalogue has",
                f"Did you mean `{near[0]}`?" if near else "Name a clause as `document:id`.",
            )
        elif original.same_as:
            yield Diagnostic(
                clause.file,
                clause.line,
                1,
                f"`{clause.id}` is said to be the same as `{clause.same_as}`, itself only a repetition",
                f"Name the first of them, `{original.same_as}`.",
            )


def _header(path: Path, entries: list[tuple[int, str]], faults: list[Diagnostic]) -> tuple[str, int] | None:
    """Title and year of the `document` directive, which comes first."""
    number, line = entries[0] if entries else (0, "")
    words = [(m["text"], m["word"]) for m in _TOKEN.finditer(line)]
    shape = 'Begin with: document rfc9293 "Transmission Control Protocol (TCP)" 2022'
    if not words or words[0][1] != "document":
        faults.append(_at(path, number, line, "a catalogue begins with its `document` line", shape))
        return None
    match words[1:]:
        case [(None, str(name)), (str(title), None), (None, str(year))] if title and re.fullmatch(r"\d{4}", year):
            if name == path.stem:
                return title, int(year)
            faults.append(
                _at(
                    path,
                    number,
                    line,
                    f"document `{name}` stands in a file of another name",
                    f"Call the file `{name}.req`, or the document `{path.stem}`.",
                )
            )
        case _:
            faults.append(_at(path, number, line, "`document` needs a name, a title in quotes and a year", shape))
    return None


@dataclass(slots=True)
class _Entry:
    """One line on its way to a clause; finds every fault of the line, or the first that hides the others."""

    file: str
    line: int
    source: str
    faults: list[Diagnostic]

    def read(self, document: str) -> Clause | None:
        """The clause, or None after a fault."""
        before = len(self.faults)
        tokens = list(_TOKEN.finditer(self.source))
        for token in tokens:
            if token["open"]:
                self._fault(token.start(), "the quote is not closed", 'Close the text with `"`; it has no `"` inside.')
                return None
        if tokens[0]["word"] == "document":
            self._fault(tokens[0].start(), "a second `document` line", "One file is the catalogue of one document.")
            return None
        if len(tokens) < len(_COLUMNS):
            missing = ", ".join(_COLUMNS[len(tokens) :])
            self._fault(len(self.source), f"columns are missing: {missing}", f"An entry is: {_shape()}")
            return None
        for column, token in zip(_COLUMNS, tokens, strict=False):
            if (column == "text") != (token["text"] is not None):
                wrong = "the text in quotes" if column == "text" else f"the column `{column}`, which has no quotes"
                self._fault(token.start(), f"here stands {wrong}", f"An entry is: {_shape()}")
                return None
        words = dict(zip(_COLUMNS, tokens, strict=False))
        level = self._member(words["level"], "level", Level)
        binds = self._member(words["binds"], "party bound", _BINDS)
        checks = self._member(words["checks"], "party that checks", _CHECKS)
        disposition = self._member(words["disposition"], "disposition", Disposition)
        self._check_id(words["id"], words["section"])
        if not words["text"]["text"].strip():
            self._fault(words["text"].start(), "the text is empty", "Say in one line what the clause demands.")
        trailers = self._trailers(tokens[len(_COLUMNS) :], Disposition(disposition) if disposition else None)
        if len(self.faults) > before:
            return None
        return Clause(
            document=document,
            id=words["id"]["word"],
            level=Level(level),
            section=words["section"]["word"],
            binds=Party(binds),
            checks=Party(checks),
            disposition=Disposition(disposition),
            where=trailers.get("at", ""),
            reason=trailers.get("because", ""),
            text=words["text"]["text"],
            file=self.file,
            line=self.line,
            answer=trailers.get("answer", ""),
            same_as=trailers.get("as", ""),
        )

    def _check_id(self, id_: re.Match[str], section: re.Match[str]) -> None:
        if not _ID.fullmatch(id_["word"]):
            self._fault(
                id_.start(),
                f"`{id_['word']}` is no clause name",
                "Use letters, digits, `.`, `-`, `_`, and `/` before a step, as in `3.10.7.4/second`.",
            )
        elif not _SECTION.fullmatch(section["word"]):
            self._fault(
                section.start(),
                f"`{section['word']}` is no section number",
                "Write it as `3.10.7.4` or `D.4`, or `-` where the document has no sections.",
            )
        elif (step := _SECTION_STEP.fullmatch(id_["word"])) and section["word"] not in (step[1], "-"):
            self._fault(
                section.start(),
                f"clause `{id_['word']}` is said to stand in section {section['word']}",
                f"Write {step[1]}, or rename the clause.",
            )

    def _trailers(self, tokens: list[re.Match[str]], disposition: Disposition | None) -> dict[str, str]:
        """`at`, `because`, `as`, `answer` with their values."""
        found: dict[str, str] = {}
        rest = iter(tokens)
        for key in rest:
            name = key["word"] or f'"{key["text"]}"'
            value = next(rest, None)
            if name not in _TRAILERS:
                known = "After the text come `at`, `because`, `as` or `answer`."
                self._fault(key.start(), f"`{name}` is not known here", known)
                return found
            if value is None or not (value["word"] if name == "as" else (value["text"] or "").strip()):
                what = "a clause name" if name == "as" else "a text in quotes"
                self._fault(key.start(), f"`{name}` needs {what}", f"An entry is: {_shape()}")
                return found
            if name in found:
                self._fault(key.start(), f"`{name}` stands twice", "Join the two.")
            found[name] = value["word"] if name == "as" else value["text"]
            if name != "answer" and disposition and _TRAILER_OF.get(disposition) != name:
                self._fault(key.start(), f"`{name}` does not go with `{disposition}`", _advice(disposition))
        needed = _TRAILER_OF.get(disposition) if disposition else None
        if needed and needed not in found and disposition:
            self._fault(len(self.source), f"`{disposition}` without `{needed}`", _advice(disposition))
        return found

    def _member(self, token: re.Match[str], what: str, known: Iterable[str]) -> str:
        word = str(token["word"])
        names = [str(k) for k in known]
        if word in names:
            return word
        near = difflib.get_close_matches(word, names, n=1) or difflib.get_close_matches(word.upper(), names, n=1)
        hint = f"Did you mean `{near[0]}`? " if near else ""
        self._fault(token.start(), f"`{word}` is no {what}", f"{hint}It is one of {', '.join(names)}.")
        return ""

    def _fault(self, offset: int, message: str, advice: str) -> None:
        self.faults.append(Diagnostic(self.file, self.line, offset + 1, message, advice, _quoted(self.line, self.source)))


def _shape() -> str:
    return 'ID LEVEL SECTION BINDS CHECKS DISPOSITION "text" [at|because|answer "..."] [as document:id].'


def _advice(disposition: Disposition) -> str:
    return {
        Disposition.LAW: "The rows that cite a `law` clause are found by the tables; take the field away.",
        Disposition.SAME: "`same` names the clause it repeats: as rfc8446:4.1.2/14",
        Disposition.ELSEWHERE: '`elsewhere` names its place: at "impl/wire/tcp.py: verify, why no table decides it"',
        Disposition.LATER: '`later` gives its reason: because "..."',
        Disposition.WAIVED: '`waived` gives its reason: because "..."',
    }[disposition]


def _quoted(line: int, source: str) -> str:
    return f"    {line} | {source.strip()}" if line else ""


def _at(path: Path, line: int, source: str, message: str, advice: str) -> Diagnostic:
    return Diagnostic(str(path), line, 1 if line else 0, message, advice, _quoted(line, source))


def _error(path: Path, line: int, column: int, message: str, advice: str) -> LawError:
    return LawError(Diagnostic(str(path), line, column, message, advice))
