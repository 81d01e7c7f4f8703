"""Forbids a clause that is said to be held by code which is not there: no such file, or no such name in it."""

from __future__ import annotations

import ast
import difflib
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from wirelaw.spec.language.clauses import Clause, Coverage, Disposition
from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.load import shown

_PLACE = re.compile(r"(?P<path>[\w/.-]+\.py): (?P<names>[A-Za-z_][\w.]*(?: and [A-Za-z_][\w.]*)*)(?:, .+)?")


def check(covered: Coverage) -> Iterator[Diagnostic]:
    """One finding for each `elsewhere` of the documents at hand whose place is wrong, as far as its tree can be found."""
    for clause in covered.clauses:
        if clause.disposition is Disposition.ELSEWHERE and (fault := _fault(clause)):
            message, advice = fault
            yield Diagnostic(shown(Path(clause.file)), clause.line, 1, f"`{clause.name}` is held elsewhere, {message}", advice)


def _fault(clause: Clause) -> tuple[str, str] | None:
    place = _PLACE.fullmatch(clause.where)
    if place is None:
        return f"but `{clause.where}` is no place", 'Name it as at "impl/wire/tcp.py: parse_segment, why no table decides it".'
    path = place["path"]
    root = tree_of(clause, path)
    if root is None:
        return None
    if not (root / path).is_file():
        return f"but there is no `{path}`", "Correct the path; what is not built yet is `later`."
    names = defined(root / path)
    for name in place["names"].split(" and "):
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "Name a function, a class, a value, or `Class.method`, of that file."
            return f"but `{path}` has no `{name}`", hint
    return None


def tree_of(clause: Clause, path: str) -> Path | None:
    """The folder that `path` starts from: the nearest one above the catalogue that has the first folder of the path."""
    first = path.partition("/")[0]
    return next((folder for folder in Path(clause.file).resolve().parents if (folder / first).exists()), None)


@functools.cache
def defined(path: Path) -> frozenset[str]:
    """What a module defines: its functions, classes and values, and those of its classes as `Class.name`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for name in _names(node):
            found.add(name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for part in node.body for name in _names(part)}
    return frozenset(found)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
