"""The solver, loaded no sooner than it is needed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from wirelaw.spec.language import model as m
from wirelaw.spec.language.diagnostics import Diagnostic, LawError
from wirelaw.spec.language.expressions import Expr
from wirelaw.spec.language.proof.solver import Solver, Witness


class LateSolver:
    """z3, loaded when the first question comes: where all answers are known from before, nobody waits for it."""

    name = "z3"

    def satisfiable(self, conjuncts: Sequence[Expr], machine: m.Machine, shown: Sequence[Expr] | None = None) -> Witness | None:
        """See `Solver.satisfiable`."""
        return _z3().satisfiable(conjuncts, machine, shown)


@functools.cache
def _z3() -> Solver:
    from wirelaw.spec.language.proof.smt import Z3Solver  # noqa: PLC0415

    return Z3Solver()


def make_solver() -> Solver:
    """The solver. Raises LawError where z3 is not installed."""
    if ("z3" not in sys.modules and find_spec("z3") is None) or sys.modules.get("z3", ...) is None:
        advice = "Install it: pip install 'wirelaw[check]'"
        raise LawError(Diagnostic("check", 0, 0, "proofs need the solver z3, which is not installed", advice))
    return LateSolver()
