"""Faults in generated code: one comparison turned, one assignment lost, one constant off by one, one branch never or always taken."""

from __future__ import annotations

import ast
import copy
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
MASKS = (0xFFFF_FFFF, 0x8000_0000)  # half a circle more or less: only at a distance where no order exists


@dataclass(frozen=True, slots=True)
class Fault:
    """One mutant: what was changed, the statement around it, in which function ("": a constant of the module), and how to run it.

    `class_` takes the place of the machine's class while the names of `globals` are set in its module.
    """

    what: str
    around: str
    function: str
    class_: type
    globals: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.function}: {self.what}  in  {self.around}"


class Mutator:
    """Mutants of the generated `text`, whose machine is the class `name`; made one function at a time, in the module that runs."""

    def __init__(self, text: str, name: str, module: ModuleType) -> None:
        tree = ast.parse(text)
        self.module = module
        self.plain: type = getattr(module, name)
        machine = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
        self.methods = {id(n) for n in machine.body if isinstance(n, ast.FunctionDef)}
        functions = [n for n in (*tree.body, *machine.body) if isinstance(n, ast.FunctionDef)]
        self.sites: list[tuple[ast.FunctionDef | ast.AnnAssign | ast.Assign, int, str]] = [
            (f, i, kind) for f in functions for i, kind in _sites(f)
        ]
        self.sites += [(n, 0, "shared") for n in tree.body if isinstance(n, ast.AnnAssign | ast.Assign) and _shared(n)]

    def sample(self, count: int, seed: int) -> Iterator[Fault]:
        """`count` mutants at random places: much the same ones when code is added elsewhere."""
        for node, index, kind in sorted(self.sites, key=lambda site: zlib.crc32(f"{seed} {self._place(*site)}".encode()))[:count]:
            yield self._constant(node) if isinstance(node, ast.AnnAssign | ast.Assign) else self._mutant(node, index, kind)

    def _place(self, node: ast.AST, index: int, kind: str) -> str:
        name = node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node)
        return f"{name} {index} {kind}"

    def _constant(self, node: ast.AnnAssign | ast.Assign) -> Fault:
        """A number off by one, or a set of states that lacks its first."""
        name = _target(node)
        value = getattr(self.module, name)
        other = value + 1 if isinstance(value, int) else value - {min(value)}
        return Fault(f"{name}: {value!r} -> {other!r}"[:200], name, "", self.plain, {name: other})

    def _mutant(self, function: ast.FunctionDef, index: int, kind: str) -> Fault:
        changed = copy.deepcopy(function)
        node = list(ast.walk(changed))[index]
        around = _around(changed, node)
        before = ast.unparse(node).splitlines()[0]
        _change(changed, node, kind)
        after = ast.unparse(node).splitlines()[0] if kind not in ("lost", "skipped") else kind
        space: dict[str, Any] = {}
        exec(compile(ast.fix_missing_locations(ast.Module([changed], [])), "<mutant>", "exec"), self.module.__dict__, space)
        made = {function.name: space[function.name]}
        if id(function) not in self.methods:
            return Fault(f"{before} -> {after}", around, function.name, self.plain, made)
        return Fault(f"{before} -> {after}", around, function.name, type(self.plain.__name__, (self.plain,), made))


def _target(node: ast.AnnAssign | ast.Assign) -> str:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _shared(node: ast.AnnAssign | ast.Assign) -> bool:
    """Whether a constant of the module is a number or a set of states."""
    match node.value:
        case ast.Constant(value=int()):
            return bool(_target(node))
        case ast.Call(func=ast.Name(id="frozenset")):
            return bool(_target(node))
    return False


def _around(function: ast.FunctionDef, node: ast.AST) -> str:
    """The first line of the innermost statement that `node` stands in."""
    found: ast.AST = function
    for statement in ast.walk(function):  # outer ones come first
        if isinstance(statement, ast.stmt) and any(n is node for n in ast.walk(statement)):
            found = statement
    return ast.unparse(found).splitlines()[0]


def _sites(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Places in a function that can be changed, by their index in `ast.walk`."""
    hidden = {id(n) for part in _unseen(function) for n in ast.walk(part)}
    for i, node in enumerate(ast.walk(function)):
        if id(node) in hidden:
            continue
        match node:
            case ast.Compare(ops=[op]) if type(op) in TURNED:
                yield i, "turned"
            case ast.Assign() | ast.AugAssign():
                yield i, "lost"
            case ast.Constant(value=int(value)) if value not in MASKS or isinstance(value, bool):
                yield i, "constant"
            case ast.If():
                yield i, "skipped"
            case ast.BoolOp():
                yield i, "joined"


def _unseen(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Parts whose change is none to the machine: annotations, the document, the test whether somebody listens."""
    yield function.args
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign):
            yield node.annotation
        if isinstance(node, ast.If) and "on_step" in ast.unparse(node.test):
            yield node


def _change(function: ast.FunctionDef, node: ast.AST, kind: str) -> None:
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [TURNED[type(op)]()]
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value)):
            node.value = value + 1
        case ast.If():
            node.test = ast.Constant(False)
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Assign() | ast.AugAssign():
            for parent in ast.walk(function):
                for name in ("body", "orelse"):
                    block = getattr(parent, name, None)
                    if isinstance(block, list) and node in block:
                        block[block.index(node)] = ast.Pass()
