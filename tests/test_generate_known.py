"""Emitted chains of tests leave out what earlier ones have settled, and nothing else; methods are pages."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import tiny_table
from wirelaw.spec.language.expressions import Binary, Expr, Lit, Name, Unary, conjoin
from wirelaw.spec.language.load import SPEC
from wirelaw.spec.language.types import BOOL
from wirelaw.tools.generate import generate
from wirelaw.tools.generate.compile import Known

ATOMS = "abcd"
GENERATED = SPEC.parent / "impl" / "generated"

atoms = st.sampled_from([Name(a, "var", type=BOOL) for a in ATOMS])
conditions: st.SearchStrategy[Expr] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(lambda x: Unary("not", x, type=BOOL)),
        st.builds(lambda op, x, y: Binary(op, x, y, type=BOOL), st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=4,
)
guards = st.lists(st.lists(conditions, min_size=1, max_size=3).map(tuple), min_size=1, max_size=5)


def holds(e: Expr, values: dict[str, bool]) -> bool:
    match e:
        case Lit(value=value):
            return bool(value)
        case Name(name=name):
            return values[name]
        case Unary(x=x):
            return not holds(x, values)
        case Binary(op="and", a=a, b=b):
            return holds(a, values) and holds(b, values)
        case Binary(a=a, b=b):
            return holds(a, values) or holds(b, values)
    raise AssertionError(e)


def worlds() -> Iterator[dict[str, bool]]:
    return (dict(zip(ATOMS, v, strict=True)) for v in itertools.product([False, True], repeat=len(ATOMS)))


@given(guards, st.none() | conditions)
def test_what_is_left_out_is_settled_wherever_the_tests_before_have_failed(chain: list[tuple[Expr, ...]], scope: Expr | None) -> None:
    *before, last = chain
    known = Known() if scope is None else Known().where(scope)
    for guard in before:
        known.fails(guard)
    left = known.rest(last)
    for values in worlds():
        if any(holds(conjoin(g), values) for g in before) or (scope is not None and not holds(scope, values)):
            continue
        assert holds(conjoin(last), values) == (left is not None and holds(conjoin(left), values))


def test_cases_that_rule_each_other_out_leave_one_test_each() -> None:
    a, b, c = (Name(n, "var", type=BOOL) for n in "abc")
    known = Known()
    known.fails((a, Unary("not", Binary("and", b, c, type=BOOL), type=BOOL)))
    known.fails((a, b, c))
    assert known.rest((Unary("not", a, type=BOOL), b)) == (b,)
    assert known.rest((a, c)) is None


@pytest.mark.parametrize("module", sorted(GENERATED.glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_method_is_no_longer_than_150_lines_and_a_line_than_110_columns(module: Path) -> None:
    text = module.read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 110
    methods = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    assert not [m.name for m in methods if (m.end_lineno or 0) - m.lineno >= 150]
    for owner in (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ClassDef)):
        names = [n.name for n in owner.body if isinstance(n, ast.FunctionDef)]
        assert len(names) == len(set(names)), "no method hides another"


def test_a_long_macro_is_a_method_for_each_of_its_meanings() -> None:
    table = tiny_table("27_macros")
    text = generate(table.machine, table.profile)
    counted = {name: (text.count(f"def _do_{name}"), text.count(f"self._do_{name}")) for name in ("put", "mix", "note", "clear")}
    assert counted == {"put": (2, 3), "mix": (1, 3), "note": (1, 2), "clear": (1, 1)}
