"""Writing what a verb found: JSON files whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from wirelaw.impl.runtime.errors import UserError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path`, which never holds half of it. `UserError` when that is not possible."""
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise UserError(f"cannot write {path}: {error.strerror}; choose a folder that exists and is writable") from None


def write_json(path: Path | None, value: Any) -> None:
    """Write `value` as JSON, if a file was asked for."""
    if path is not None:
        write_whole(path, json.dumps(value, indent=2, sort_keys=False) + "\n")
