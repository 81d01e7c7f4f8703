"""Lines of Python: indentation, and the wrapping of long ones.

The writers make one line for each statement, however long. `wrapped` then lays out those that are wider than a page: a condition
with one operand a line, a call with one argument a line, a set or tuple of names filled up, a comment or docstring broken between
its clauses.
"""

from __future__ import annotations

import re
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

WIDTH = 110
LONGEST = 150
"""Lines of a method."""
Lines = list[str]

_STATEMENT = re.compile(r"(?P<head>(?:if|elif|return|from [\w.]+ import) |[\w.]+(?:: [\w\[\] |.]+)? [+-]?= )(?P<rest>.*)", re.DOTALL)
# Operators from the loosest to the tightest; a chain of those of one line is broken before each.
_OPERATORS = (
    ("if", "else"), ("or",), ("and",), ("not",), ("in", "is", "==", "!=", "<", "<=", ">", ">="),
    ("&",), ("<<", ">>"), ("+", "-"), ("*", "//", "%"),
)  # fmt: skip


def indent(lines: Lines, depth: int = 1) -> Lines:
    """`lines` set `depth` levels deeper."""
    return [" " * 4 * depth + line if line else line for line in lines]


def branch(conditions: list[str], body: Lines, note: str = "") -> Lines:
    """`if` all of `conditions`: `body`, with the note beside the condition."""
    comment = f"  # {note}" if note else ""
    return [f"if {' and '.join(conditions)}:{comment}", *indent(body)]


def invoke(head: str, args: list[str]) -> str:
    """`head(args)`."""
    return f"{head}({', '.join(args)})"


def quoted(name: str) -> str:
    """`name` as a string of Python."""
    return f'"{name}"'


def wrapped(lines: Lines) -> Lines:
    """`lines` with the long ones broken. A comment that has no room beside its statement goes above it."""
    return [part for line in lines for part in (_broken(line) if len(line) > WIDTH else [line])]


def _broken(line: str) -> Lines:
    margin = line[: len(line) - len(line.lstrip())]
    text = line.strip()
    if text.startswith("#"):
        return textwrap.wrap(text, WIDTH, initial_indent=margin, subsequent_indent=f"{margin}#     ", break_on_hyphens=False)
    if text.startswith('"""'):
        body = text.removesuffix('"""')
        close = [f'{margin}"""'] if body != text else []
        return [*textwrap.wrap(body, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False), *close]
    code = _Code(text)
    above = _broken_comment(margin, code.comment)
    depth = len(margin) // 4
    if not code.comment or len(margin) + len(code.text) > WIDTH:
        return [*above, *_statement(code.text, depth)]
    return [*above, margin + code.text]


def _broken_comment(margin: str, comment: str) -> Lines:
    return wrapped([margin + comment]) if comment else []


@dataclass(frozen=True, slots=True)
class _Token:
    """A word outside of all brackets, or a whole bracket with what is in it."""

    text: str
    start: int
    end: int


class _Code:
    """A statement or expression cut into the tokens outside of its brackets."""

    def __init__(self, text: str) -> None:
        self.comment = ""
        self.text = text
        self.tokens: list[_Token] = []
        depth = start = 0
        for token in tokenize.generate_tokens(StringIO(f"({text}\n)").readline):
            at, end = token.start[1] - 1, token.end[1] - 1
            if token.start[0] > 1 or at < 0:
                continue
            if token.type == tokenize.COMMENT:
                self.comment, self.text = token.string, text[:at].rstrip()
                break
            if token.string in ("(", "[", "{"):
                start = start if depth else at
                depth += 1
            elif token.string in (")", "]", "}"):
                depth -= 1
                if not depth:
                    self.tokens.append(_Token(text[start:end], start, end))
            elif not depth and token.type not in (tokenize.NL, tokenize.NEWLINE):
                self.tokens.append(_Token(token.string, at, end))

    def operands(self) -> Iterator[tuple[str, str]]:
        """Operators and what stands behind them, split at the loosest operator; the first operator is empty."""
        for operators in _OPERATORS:
            cuts = [t for i, t in enumerate(self.tokens) if t.text in operators and self._is_binary(i)]
            if cuts or (operators == ("not",) and self.tokens[0].text == "not"):
                break
        at, operator = 0, ""
        for cut in cuts:
            yield operator, self.text[at : cut.start].strip()
            operator, at = cut.text, cut.end
            for word in ("not", "in"):  # `is not`, `not in`
                if operator in ("is", "not") and self.text[at:].lstrip().startswith(f"{word} "):
                    operator, at = f"{operator} {word}", self.text.index(word, at) + len(word)
        yield operator, self.text[at:].strip()

    def _is_binary(self, i: int) -> bool:
        if self.tokens[i].text == "not":
            return i > 0 and i + 1 < len(self.tokens) and self.tokens[i + 1].text == "in"
        return i > 0 and self.tokens[i - 1].text not in {"not", *(o for ops in _OPERATORS for o in ops)}

    def items(self) -> list[str]:
        """What the commas separate."""
        cuts = [t.start for t in self.tokens if t.text == ","]
        parts = [self.text[a:b].strip() for a, b in zip([0, *(c + 1 for c in cuts)], [*cuts, len(self.text)], strict=True)]
        return [p for p in parts if p]


def _statement(text: str, depth: int) -> Lines:
    found = _STATEMENT.fullmatch(text)
    if found is None:
        return _expression("", text, "", depth)
    head, rest = found["head"], found["rest"]
    if head.startswith(("if", "elif")):
        return _expression(head, rest.removesuffix(":"), ":", depth)
    if head.startswith("from"):
        return _bracket(f"{head}(", rest, ")", depth)
    return _expression(head, rest, "", depth)


def _expression(before: str, text: str, after: str, depth: int, *, enclosed: bool = False) -> Lines:
    """`before` text `after`; `enclosed` in brackets that permit a new line anywhere."""
    if 4 * depth + len(before) + len(text) + len(after) <= WIDTH:
        return indent([f"{before}{text}{after}"], depth)
    code = _Code(text)
    (_, first), *others = code.operands()
    if others and not enclosed:
        return _bracket(f"{before}(", text, f"){after}", depth)
    if others:
        lines = _operand(before, first, "", depth)
        for i, (operator, operand) in enumerate(others, 1):
            end = after if i == len(others) else ""
            lines += _operand(f"{operator} ", operand, end, depth)
        return lines
    if first.startswith("not "):
        return _expression(f"{before}not ", first.removeprefix("not "), after, depth)
    last = code.tokens[-1]
    if last.text[0] in "([{" and len(last.text) > 2:
        head, inside = before + text[: last.start] + last.text[0], last.text[1:-1]
        return _bracket(head, inside, last.text[-1] + after, depth)
    return indent([f"{before}{text}{after}"], depth)


def _operand(before: str, text: str, after: str, depth: int) -> Lines:
    """One of the operands in a bracket: in one of its own where it has alternatives or conditions itself."""
    loose = any(t.text in ("if", "or", "and") for t in _Code(text).tokens)
    return _expression(before, text, after, depth, enclosed=not loose)


def _bracket(before: str, inside: str, after: str, depth: int) -> Lines:
    """`before` and `after` on lines of their own, what is inside between them."""
    items = _Code(inside).items()
    if len(items) == 1 and not inside.rstrip().endswith(","):
        return [*indent([before], depth), *_expression("", inside, "", depth + 1, enclosed=True), *indent([after], depth)]
    if all(re.fullmatch(r"[\w.'\"-]+", item) for item in items):
        margin = " " * 4 * (depth + 1)
        filled = textwrap.wrap(f"{', '.join(items)},", WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
    else:
        filled = [line for item in items for line in _argument(item, depth + 1)]
    return [*indent([before], depth), *filled, *indent([after], depth)]


def _argument(text: str, depth: int) -> Lines:
    name = re.match(r"\w+=(?!=)", text)
    head = name[0] if name else ""
    return _expression(head, text[len(head) :], ",", depth)
