"""Faults in generated code: one comparison turned, one assignment lost, one constant off by one, one branch never or always taken."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from random import Random
from types import ModuleType

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
MASKS = (0xFFFF_FFFF, 0x8000_0000)  # half a circle more or less: only at a distance where no order exists


class Mutator:
    """Mutants of the class `name` in the generated `text`; made one method at a time, in the module that runs."""

    def __init__(self, text: str, name: str, module: ModuleType) -> None:
        tree = ast.parse(text)
        self.module = module
        self.plain: type = getattr(module, name)
        body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name).body
        self.methods = [n for n in body if isinstance(n, ast.FunctionDef)]
        self.sites = [(m, i, kind) for m in self.methods for i, kind in _sites(m)]

    def sample(self, count: int, seed: int) -> Iterator[tuple[str, type]]:
        """`count` mutants at random places: what was changed, and the class."""
        random = Random(seed)
        for method, index, kind in random.sample(self.sites, count):
            yield self._mutant(method, index, kind)

    def _mutant(self, method: ast.FunctionDef, index: int, kind: str) -> tuple[str, type]:
        changed = copy.deepcopy(method)
        node = list(ast.walk(changed))[index]
        before = ast.unparse(node).splitlines()[0]
        _change(changed, node, kind)
        after = ast.unparse(node).splitlines()[0] if kind not in ("lost", "skipped") else kind
        space: dict[str, type] = {}
        exec(compile(ast.fix_missing_locations(ast.Module([changed], [])), "<mutant>", "exec"), self.module.__dict__, space)
        mutant = type(self.plain.__name__, (self.plain,), {method.name: space[method.name]})
        return f"{method.name}: {before} -> {after}", mutant


def _sites(method: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Places in a method that can be changed, by their index in `ast.walk`."""
    hidden = {id(n) for part in _unseen(method) for n in ast.walk(part)}
    for i, node in enumerate(ast.walk(method)):
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


def _unseen(method: ast.FunctionDef) -> Iterator[ast.AST]:
    """Parts whose change is none to the machine: annotations, the document, the test whether somebody listens."""
    yield method.args
    for node in ast.walk(method):
        if isinstance(node, ast.AnnAssign):
            yield node.annotation
        if isinstance(node, ast.If) and "on_step" in ast.unparse(node.test):
            yield node


def _change(method: ast.FunctionDef, node: ast.AST, kind: str) -> None:
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
            for parent in ast.walk(method):
                for name in ("body", "orelse"):
                    block = getattr(parent, name, None)
                    if isinstance(block, list) and node in block:
                        block[block.index(node)] = ast.Pass()
