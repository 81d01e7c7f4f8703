"""Forbids an extern that is not there, takes other arguments, or reads or changes anything but its arguments."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType

from wirelaw.spec.language.diagnostics import Diagnostic
from wirelaw.spec.language.externs import functions_of
from wirelaw.spec.language.proof.subject import Subject, finding

EFFECTS = frozenset({"open", "print", "input", "exec", "eval", "setattr", "delattr", "globals"})
WORLD = frozenset({"random", "secrets", "time", "datetime", "os", "sys", "socket", "subprocess", "threading"})


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One finding for each extern at fault."""
    machine = subject.machine
    declared = [f for f in machine.functions.values() if f.kind == "extern"]
    if not declared:
        return
    try:
        module = functions_of(machine)
    except ImportError as error:
        yield finding(
            machine.span, f"the module of externs cannot be imported: {error}", 'Correct `externs "..."`, or install what it needs.'
        )
        return
    if module is None:
        first = declared[0]
        yield finding(first.span, f"extern `{first.name}` has no module", 'Name the module of its functions: `externs "package.module"`.')
        return
    for f in declared:
        fault = _fault(module, f.name, len(f.params))
        if fault:
            yield finding(f.span, f"extern `{f.name}` {fault}", "An extern is a pure function of its arguments.")


def _fault(module: ModuleType, name: str, arity: int) -> str:
    function = getattr(module, name, None)
    if not callable(function):
        return f"is not in {module.__name__}"
    try:
        inspect.signature(function).bind(*[None] * arity)
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (TypeError, ValueError):
        return f"does not take {arity} arguments in {module.__name__}"
    except (OSError, SyntaxError):  # built-in or generated: nothing to read
        return ""
    for node in ast.walk(tree):
        match node:
            case ast.Global() | ast.Nonlocal():
                return "assigns to a name outside itself"
            case ast.Name(id=used) if used in EFFECTS or used in WORLD:
                return f"uses `{used}`"
    return ""
