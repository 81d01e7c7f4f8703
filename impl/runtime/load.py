"""Loading a Python file by its path: an emitted machine, or a program of the user's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from wirelaw.impl.runtime.errors import UserError


def load_module(path: Path) -> ModuleType:
    """The module of a `.py` file, which is run: name only files that you trust. What it raises comes through.

    Files beside it can be imported by it. Raises UserError where there is no such file.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() and path.suffix == ".py" else None
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: no Python file; give the path of one")
    module = importlib.util.module_from_spec(spec)
    folder, before = str(path.parent.resolve()), sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses look their module up
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
        if before is None:
            del sys.modules[path.stem]
        else:
            sys.modules[path.stem] = before
    return module
