"""What a run of generated code decides: every comparison with how near it is to turning, every flag, every assignment that shows.

The code is rewritten so that it reports while it runs; how it is laid out does not matter.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tables import generated_module

Point = tuple[int, Any]  # number of a place in the code, and what happened there; then the place around it, and what came of it
HALF = 0x8000_0000  # in a comparison with it, two sequence numbers are ordered
ORDERED = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class Coverage:
    """Generated code that reports: `points` since they were last cleared, `functions` by the number of a place."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        rewriter = _Rewriter()
        tree = ast.fix_missing_locations(rewriter.visit(ast.parse(text)))
        self.functions = rewriter.functions
        self.points: set[tuple[Any, ...]] = set()
        self.apart: dict[int, int] = {}  # what the two sides of a comparison were apart, last
        self._trail: list[Point] = []
        self.module: ModuleType = generated_module(ast.unparse(tree) + "\n# reports what it decides\n")
        self.module.__dict__.update({n: f for n, f in names.items() if n in self.module.__dict__})
        self.module.__dict__.update(_at=self._at, _near=self._near, _join=self._join, _put=self._put, _least=self._least)

    def names(self) -> set[str]:
        """The functions that the points lie in."""
        return {self.functions[site] for site, *_ in self.points}

    def _at(self, site: int, value: Any) -> Any:
        self.points.add((site, bool(value)))
        return value

    def _near(self, site: int, a: Any, b: Any, result: bool) -> bool:
        if isinstance(a, int) and isinstance(b, int):
            point: Point = (site, _distance(a, b))
            self.apart[site] = a if b == HALF else a - b
        else:
            point = (site, bool(result))
        self.points.add(point)
        self._trail.append(point)
        return result

    def _join(self, site: int, all_of: bool, *parts: Callable[[], Any]) -> Any:
        """A conjunction or disjunction: which operand decided it, and what was compared when all of it held or not."""
        mark = len(self._trail)
        value: Any = all_of
        decided = len(parts)
        for count, part in enumerate(parts):
            value = part()
            if bool(value) != all_of:
                decided = count
                break
        self._end(site, decided, bool(value), mark)
        return value

    def _put(self, site: int, before: Any, value: Any) -> Any:
        self.points.add((site, before != value))
        return value

    def _least(self, site: int, choose: Callable[..., Any], *parts: Callable[[], Any]) -> Any:
        mark = len(self._trail)
        values = [part() for part in parts]
        value = choose(*values)
        if len(values) == 2:
            self.apart[site] = values[0] - values[1]
            self._end(site, _distance(*values), values.index(value), mark)
        return value

    def _end(self, site: int, decided: Any, outcome: Any, mark: int) -> None:
        inner = self._trail[mark:]
        del self._trail[mark:]
        point = (site, decided)
        self.points.add(point)
        self.points.update((at, what, site, outcome) for at, what in inner)
        self._trail.append(point)

    def clear(self) -> None:
        """Forget what was reported."""
        self.points.clear()
        self.apart.clear()
        self._trail.clear()


def _distance(a: int, b: int) -> int | tuple[int, int]:
    """How far `a` is from `b`: exact beside it; on the circle of sequence numbers, from both ends of an order."""
    if b == HALF:
        return max(-2, min(2, a - b)), max(-2, min(2, a - 2 * HALF if a >= HALF else a))
    return max(-2, min(2, a - b))


class _Rewriter(ast.NodeTransformer):
    def __init__(self) -> None:
        self.functions: list[str] = []
        self.within = ""

    def _site(self) -> ast.expr:
        self.functions.append(self.within)
        return ast.Constant(len(self.functions) - 1)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        outer, self.within = self.within, node.name
        if node.name != "__init__":
            node.body = [self.visit(s) for s in node.body]
            node.body.insert(0, ast.Expr(_call("_at", self._site(), ast.Constant(True))))
        self.within = outer
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not self.within or len(node.ops) != 1:
            return node
        if not isinstance(node.ops[0], ORDERED):
            return _call("_at", self._site(), node)
        a, b = (ast.Name(n, ast.Load()) for n in "ab")
        names = ast.arguments([], [ast.arg("a"), ast.arg("b")], None, [], [], None, [])
        compared = ast.Compare(a, node.ops, [b])
        body = _call("_near", self._site(), copy.copy(a), copy.copy(b), compared)
        return ast.Call(ast.Lambda(names, body), [node.left, node.comparators[0]], [])

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        empty = ast.arguments([], [], None, [], [], None, [])
        parts = [ast.Lambda(empty, v) for v in node.values]
        return _call("_join", self._site(), ast.Constant(isinstance(node.op, ast.And)), *parts) if self.within else node

    def visit_If(self, node: ast.If) -> ast.AST:
        if "on_step" in ast.unparse(node.test):
            return node
        self.generic_visit(node)
        node.test = _call("_at", self._site(), node.test)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        node.test = _call("_at", self._site(), node.test)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if self.within and len(node.targets) == 1 and isinstance(target := node.targets[0], ast.Attribute):
            node.value = _call("_put", self._site(), ast.Attribute(target.value, target.attr, ast.Load()), node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if self.within and isinstance(node.func, ast.Name) and node.func.id in ("min", "max") and not node.keywords:
            empty = ast.arguments([], [], None, [], [], None, [])
            return _call("_least", self._site(), node.func, *(ast.Lambda(empty, a) for a in node.args))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])
