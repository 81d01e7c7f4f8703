"""Which modules a law may take functions from. A law file is read from anybody: by itself it must not be able to run code.

Modules of `wirelaw.impl.externs` are allowed, and those that the person at the keyboard names (`--externs MODULE`). The resolver
asks before there is a model, so nothing that holds a model imports anything else.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection
from types import ModuleType

from wirelaw.spec.language import model as m
from wirelaw.spec.language import tree as t
from wirelaw.spec.language.diagnostics import complain

OURS = "wirelaw.impl.externs"
_MODULE = re.compile(rf"{re.escape(OURS)}(\.[a-z][a-z0-9_]*)+")


def check_allowed(declared: t.Externs, named: Collection[str]) -> str:
    """The module that `externs` names; LawError unless it is one of ours or of those `named`."""
    if declared.module in named or _MODULE.fullmatch(declared.module):
        return declared.module
    raise complain(
        declared.span, f"the law takes functions from `{declared.module}`, which is not allowed: it would run code of that module",
        f"Use a module of `{OURS}`; if you trust this law and that module, add `--externs {declared.module}`.",
    )  # fmt: skip


def functions_of(machine: m.Machine) -> ModuleType | None:
    """The module of a machine's externs, imported; None where it has none. ImportError when it is not there."""
    return importlib.import_module(machine.externs_module) if machine.externs_module else None
