"""What the language says to the person who wrote a law: one message, one place, one advice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a law file: 1-based line and column."""

    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a law, profile or clause file.

    `advice` says what to do; `source` holds the lines concerned, numbered, or is empty.
    """

    file: str
    line: int
    column: int
    message: str
    advice: str
    source: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{where}: {self.severity}: {self.message}"
        if self.source:
            text += "\n" + self.source
        return f"{text}\n  {self.advice}" if self.advice else text


class LawError(Exception):
    """A law that cannot be used; carries every diagnostic found before giving up."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("\n".join(str(d) for d in diagnostics))
        self.diagnostics = diagnostics


def complain(span: Span, message: str, advice: str) -> LawError:
    """A `LawError` of one diagnostic at `span`."""
    return LawError(Diagnostic(span.file, span.line, span.column, message, advice))
