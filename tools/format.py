"""The formatter of law, profile and deviations text: `format_law`, and `main` for `format [--check] FILE..`.

Rows of a table stand in columns (id, states, condition, ending, actions, clauses); a row that does not fit into a line is
wrapped between its parts. Declarations keep the spacing their author gave them, since that is where hand-made alignment
helps; they are only moved to the right depth. In a profile the values of lines that follow each other stand in a column.
Comments stay where they are.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import read_source
from wirelaw.spec.language.parse import syntax_tree

WIDTH = 140
INDENT = "  "
COLUMN_CAPS = (30, 40, 72, 40, 60)  # id, states, condition, ending, actions: a longer part does not push the others out

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<comment>\#[^\n]*)|(?P<row>\[[a-z][a-z0-9_.\-]*\])|(?P<clause>@[A-Za-z0-9_]+:[A-Za-z0-9_./\-]+)
    |(?P<word>[A-Za-z0-9_]+)|(?P<op>\.\.\+|\.\.|==|!=|<=|>=|=>|<<|>>|\+=|-=|[-+*/%<>=])|(?P<mark>[{}()\[\],;:.|])|(?P<space>\s+)""",
    re.VERBOSE,
)
_KEYWORDS = frozenset(
    {
        "if", "and", "or", "not", "in", "notin", "where", "when", "default", "pay", "for", "unless", "emit", "sent", "within", "stay",
        "next", "stop", "drop", "auto", "otherwise", "on", "either", "holds", "instead", "beside",
    }
)  # fmt: skip

_ROW_GROUPS = ("ordered", "row_group")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    """The tokens of a stretch of law that parses, without white space."""
    return [Token(str(m.lastgroup), m.group()) for m in _TOKEN.finditer(text) if m.lastgroup != "space"]


def _pieces(text: str) -> list[str]:
    """Tokens glued where no space (and so no line break) belongs between them."""
    pieces: list[str] = []
    before: list[Token] = []
    tight_braces = 0
    for t in tokens(text):
        glue = bool(before) and _glued(before, t, tight_braces)
        if t.text == "{" and before and before[-1].text in ("in", "notin"):
            tight_braces += 1
        elif t.text == "}" and tight_braces:
            tight_braces -= 1
        if glue:
            pieces[-1] += t.text
        else:
            pieces.append(t.text)
        before.append(t)
    return pieces


def _glued(before: list[Token], t: Token, tight_braces: int) -> bool:
    last = before[-1]
    if t.text in (",", ";", ")", ".", ":") or last.text in ("(", "."):
        return True
    if t.text == "(":
        return last.kind == "word" and last.text not in _KEYWORDS
    if tight_braces and (last.text == "{" or t.text == "}"):
        return True
    return last.text == "-" and (
        len(before) < 2 or before[-2].kind == "op" or before[-2].text in ("(", ",", ":", "{") or before[-2].text in _KEYWORDS
    )


def line_of(text: str) -> str:
    """A stretch of law on one line, with the spaces that belong there."""
    return " ".join(_pieces(text))


def _wrapped(text: str, indent: str, ends: tuple[str, ...] = (",", ";")) -> list[str]:
    """A stretch of law on as few lines as fit, broken before `and`, `or` (where commas may end a line) and after `ends`."""
    lines = [""]
    group: list[str] = []
    groups: list[str] = []
    for piece in _pieces(text):
        if "," in ends and piece in ("and", "or", "where", "when", "default") and group:
            groups.append(" ".join(group))
            group = []
        group.append(piece)
        if piece.endswith(ends):
            groups.append(" ".join(group))
            group = []
    groups += [" ".join(group)] if group else []
    for g in groups:
        start = indent if len(lines) == 1 else indent + INDENT
        if lines[-1] and len(start) + len(lines[-1]) + 1 + len(g) > WIDTH:
            lines.append(g)
        else:
            lines[-1] = f"{lines[-1]} {g}".strip()
    return [indent + lines[0], *(indent + INDENT + x for x in lines[1:])]


def format_law(text: str, file: str = "law") -> str:
    """`text` in the one way a law, or by the name of `file` a profile or deviations, is laid out. LawError when it does not parse."""
    text = text.expandtabs(4)
    return _Formatter(text, syntax_tree(text, file)).run()


class _Formatter:
    def __init__(self, text: str, root: Any) -> None:
        self.text = text
        self.root = root
        self.lines: list[str] = []
        self.kept = False  # whether the last construct kept its author's spacing

    def run(self) -> str:
        at = 0
        for machine in self.root.children:
            at = self.gap(at, machine.meta.start_pos, 0)
            at = self.nest(machine, machine.children[2 if machine.data in ("profile", "deviations") else 1 :], 0)
        self.gap(at, len(self.text), 0)
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        return "\n".join(self.lines) + "\n" if self.lines else ""

    def slice(self, node: Any) -> str:
        return self.text[node.meta.start_pos : node.meta.end_pos]

    # --- what stands between nodes -----------------------------------------------------------------------------

    def gap(self, start: int, end: int, depth: int) -> int:
        """Comments and blank lines between two nodes; a comment behind a node stays behind it."""
        first = not self.text[:start].strip()
        for number, line in enumerate(self.text[start:end].split("\n")):
            content = line.strip()
            if content.startswith("#"):
                content = content.rstrip()
                if number == 0 and not first and self.lines:
                    margin = len(line) - len(line.lstrip()) if self.kept else 0
                    self.lines[-1] += " " * max(margin, 2) + content
                else:
                    self.lines.append(INDENT * depth + content)
            elif number > 0 and not content and self.lines and self.lines[-1] and not self.lines[-1].endswith("{"):
                following = self.text[start:end].split("\n")[number + 1 :]
                if following:
                    self.lines.append("")
        return end

    # --- nodes ---------------------------------------------------------------------------------------------------

    def nest(self, node: Any, children: Sequence[Any], depth: int, head: Any = None) -> int:
        """`HEADER {`, the children, `}`; `head` is a node of the header in which braces may stand."""
        opening = self.opening(node if head is None else head, after=head is not None)
        self.lines.append(INDENT * depth + line_of(self.text[node.meta.start_pos : opening]) + " {")
        at = opening + 1
        is_table = node.data in ("table", "gate", "ordered", "row_group")
        layout = self.columns([c for c in children if c.data not in _ROW_GROUPS]) if is_table else None
        heads = self.heads(children) if node.data == "profile" else {}
        for n, child in enumerate(children):
            at = self.gap(at, child.meta.start_pos, depth + 1)
            if child.data in _ROW_GROUPS:
                at = self.row_group(child, depth + 1)
            elif layout is not None:
                self.row(child, depth + 1, layout)
                at = child.meta.end_pos
            elif node.data == "profile":
                at = self.item(child, depth + 1, heads.get(n, 0))
            else:
                at = self.declaration(child, depth + 1)
        self.gap(at, node.meta.end_pos - 1, depth + 1)
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        self.lines.append(INDENT * depth + "}")
        return int(node.meta.end_pos)

    def row_group(self, node: Any, depth: int) -> int:
        """`first {` or `STATES on EVENT if GUARD {`, with its rows."""
        if node.data == "ordered":
            return self.nest(node, node.children, depth)
        return self.nest(node, node.children[1:], depth, head=node.children[0])

    def opening(self, node: Any, *, after: bool = False) -> int:
        """Where the brace of a machine, table or family stands: the first one in `node`, or `after` it."""
        for m in _TOKEN.finditer(self.text, node.meta.end_pos if after else node.meta.start_pos):
            if m.group() == "{":
                return m.start()
        raise AssertionError("a nested construct without a brace")

    def declaration(self, node: Any, depth: int) -> int:
        self.kept = False
        if node.data in ("table", "gate"):
            skipped = 4 if node.data == "table" else 1
            return self.nest(node, node.children[skipped:], depth)
        if node.data == "family":
            return self.nest(node, node.children[3:], depth)
        if node.data == "deviation":
            return self.nest(node, node.children[2:], depth)
        if node.data == "emission":
            self.emission(node, depth)
        elif node.data in ("instead", "beside"):
            self.departure(node, depth)
        else:
            self.verbatim(node, depth)
        return int(node.meta.end_pos)

    def verbatim(self, node: Any, depth: int) -> None:
        """The author's lines, moved as a block so that the first stands at `depth`."""
        self.kept = True
        start = node.meta.start_pos
        column = start - (self.text.rfind("\n", 0, start) + 1)
        first, *rest = self.slice(node).split("\n")
        self.lines.append(INDENT * depth + first.rstrip())
        shift = len(INDENT * depth) - column
        for line in rest:
            content = line.strip()
            margin = max(len(line) - len(line.lstrip()) + shift, 0)
            self.lines.append(" " * margin + content if content else "")

    def has_comment(self, node: Any) -> bool:
        return any(t.kind == "comment" for t in tokens(self.slice(node)))

    # --- profiles ----------------------------------------------------------------------------------------------

    def heads(self, items: Sequence[Any]) -> dict[int, int]:
        """By place of each `choose` and `set`: how wide what stands before its `=` is, in the lines that follow each other."""
        runs: list[list[int]] = []
        for n, item in enumerate(items):
            if item.data not in ("choose", "set_param"):
                continue
            together = bool(runs) and runs[-1][-1] == n - 1
            between = self.text[items[n - 1].meta.end_pos : item.meta.start_pos] if together else ""
            if together and between.count("\n") < 2 and "#" not in between:
                runs[-1].append(n)
            else:
                runs.append([n])
        return {n: max(len(self.head(items[k])) for k in run) for run in runs for n in run}

    def head(self, item: Any) -> str:
        return line_of(self.slice(item).partition("=")[0])

    def item(self, node: Any, depth: int, head: int) -> int:
        """One line of a profile."""
        self.kept = False
        if self.has_comment(node):
            self.verbatim(node, depth)
        elif head:
            value = line_of(self.slice(node).partition("=")[2])
            self.lines.append(f"{INDENT * depth}{self.head(node).ljust(head)} = {value}")
        else:
            self.lines += _wrapped(self.slice(node), INDENT * depth)
        return int(node.meta.end_pos)

    # --- rows --------------------------------------------------------------------------------------------------

    def parts(self, row: Any) -> list[str]:
        """The columns of a row: id, states and event, condition, ending, actions, clauses."""
        if row.data == "gate_row":
            rowid, states, _message, _binder, _guard, _where, block, *cites = row.children
            end = next((c.meta.start_pos for c in (block, *cites) if c is not None), row.meta.end_pos)
            begin = rowid.end_pos if states is None else states.meta.end_pos
            shown = f"{self.of(states)} {line_of(self.text[begin:end])}".split(" sent ", 1) if states is not None else None
            if shown is not None and len(shown) == 2:
                return [str(rowid), shown[0], "sent " + shown[1], "", self.block(block), self.cites(cites)]
            return [str(rowid), "", line_of(self.text[begin:end]), "", self.block(block), self.cites(cites)]
        likely, rowid, states, event, guard, ending, block, *cites = row.children
        where = " ".join(x for x in (self.of(states), "on " + self.of(event) if event is not None else "") if x)
        name = ("likely " if likely is not None else "") + str(rowid)
        return [
            name, where, self.of(guard), self.ending(ending), self.block(block), self.cites(cites),
        ]  # fmt: skip

    def of(self, node: Any) -> str:
        return line_of(self.slice(node)) if node is not None else ""

    def ending(self, node: Any) -> str:
        return line_of(self.slice(node))

    def block(self, node: Any) -> str:
        if node is None:
            return ""
        made = "; ".join(line_of(self.slice(s)) for s in node.children)
        return f"{{ {made} }}" if made else "{ }"

    def cites(self, nodes: Sequence[Any]) -> str:
        return " ".join(line_of(self.slice(c)) for c in nodes)

    def columns(self, rows: Sequence[Any]) -> tuple[int, ...]:
        """Width of each column but the last: the widest part that keeps within its cap."""
        table = [self.parts(r) for r in rows if not self.has_comment(r)]
        return tuple(
            max((len(p[i]) for p in table if len(p[i]) <= cap), default=0) for i, cap in enumerate(COLUMN_CAPS)
        )  # fmt: skip

    def row(self, node: Any, depth: int, widths: tuple[int, ...]) -> None:
        self.kept = False
        if self.has_comment(node):
            self.verbatim(node, depth)
            return
        parts, margin = self.parts(node), INDENT * depth
        cells = [p.ljust(w) for p, w in zip(parts, widths, strict=False) if w or p]
        aligned = margin + "  ".join([*cells, parts[-1]]).rstrip()
        head = margin + "  ".join(cells[: 4 - sum(not (w or p) for p, w in zip(parts[:4], widths, strict=False))]).rstrip()
        rest = "  ".join(p for p in parts[4:] if p)
        if len(aligned) <= WIDTH:
            self.lines.append(aligned)
        elif len(head) + 2 + len(rest) <= WIDTH:
            self.lines.append(f"{head}  {rest}".rstrip())
        else:
            self.lines += [head] if len(head) <= WIDTH else _wrapped(" ".join(p for p in parts[:4] if p), margin)
            self.tail(parts[4], parts[5], margin + INDENT * 2)

    def tail(self, block: str, cites: str, margin: str) -> None:
        """Actions and clauses below the row, on one line where they fit."""
        if block and cites and len(margin) + len(block) + 2 + len(cites) <= WIDTH:
            self.lines.append(f"{margin}{block}  {cites}")
            return
        if block:
            self.lines += _wrapped(block, margin, ends=(";",))
        if cites:
            self.lines += _filled(cites.split(" "), margin)

    def emission(self, node: Any, depth: int) -> None:
        if self.has_comment(node):
            self.verbatim(node, depth)
            return
        mode, anytime, rowid, states, what, guard, where, defaults, when, ending, block, *cites = node.children
        asked = (("if", guard), ("where", where), ("default", defaults), ("when", when))
        self.sentence((self.of(mode), self.of(anytime), str(rowid), self.of(states), self.of(what)), asked, ending, block, cites, depth)

    def departure(self, node: Any, depth: int) -> None:
        if self.has_comment(node):
            self.verbatim(node, depth)
            return
        rows, states, what, guard, where, ending, block, *cites = node.children
        head = ("instead of", self.of(rows)) if node.data == "instead" else ("beside", str(rows))
        self.sentence((*head, self.of(states), self.of(what)), (("if", guard), ("where", where)), ending, block, cites, depth)

    def sentence(
        self, heads: Sequence[str], conditions: Sequence[tuple[str, Any]], ending: Any, block: Any, cites: Sequence[Any], depth: int
    ) -> None:  # fmt: skip
        """A row that stands for itself, on one line where it fits."""
        margin = INDENT * depth
        head = " ".join(x for x in heads if x)
        asked = [f"{word} {self.of(part)}" for word, part in conditions if part is not None]
        end = " ".join(x for x in (self.of(ending), self.block(block)) if x)
        clauses = self.cites(cites)
        whole = margin + " ".join(x for x in (head, *asked, end, clauses) if x)
        if len(whole) <= WIDTH:
            self.lines.append(whole)
            return
        if asked and asked[0].startswith("if ") and len(margin + head) + 1 + len(asked[0]) <= WIDTH:
            head += " " + asked.pop(0)
        self.lines += _wrapped(head, margin)
        for part in asked:
            self.lines += _wrapped(part, margin + INDENT)
        if end:
            self.lines += _wrapped(end, margin + INDENT, ends=(";",))
        if clauses:
            self.lines += _filled(clauses.split(" "), margin + INDENT)


def _filled(words: Sequence[str], margin: str) -> list[str]:
    """Words on as few lines as fit; a level stays with its clause."""
    lines: list[str] = []
    groups: list[str] = []
    for word in words:
        if groups and not word.startswith(("@", "edition", "within")):
            groups[-1] += " " + word
        else:
            groups.append(word)
    for g in groups:
        if lines and len(lines[-1]) + 1 + len(g) <= WIDTH:
            lines[-1] += " " + g
        else:
            lines.append(margin + g)
    return lines


def misformatted(paths: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """(path, text, formatted text) of each file of law below `paths` that is not laid out as `format_law` would."""
    kinds = ("*.law", "*.profile", "*.deviations")
    files = sorted({f for p in paths for f in ([x for kind in kinds for x in p.rglob(kind)] if p.is_dir() else [p])})
    for path in files:
        text = read_source(path)
        made = format_law(text, str(path))
        if made != text:
            yield path, text, made


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """`format [--check] PATH..`: exit code 0 when all is well, 1 when `--check` found something, 2 on a mistake."""
    parser = argparse.ArgumentParser(prog="wirelaw format", description="Lay out law files.")
    parser.add_argument("paths", nargs="+", type=Path, help="law and profile files, or folders that hold some")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is not laid out")
    options = parser.parse_args(argv)
    changed = 0
    try:
        for path, _, made in misformatted(options.paths):
            changed += 1
            if options.check:
                say(f"{path}: not laid out; run `wirelaw format {path}`")
            else:
                path.write_text(made, "utf-8")
                say(f"{path}: laid out")
    except LawError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if options.check and changed else 0
