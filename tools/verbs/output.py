"""Writing what a verb found: files whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wirelaw.impl.runtime.errors import UserError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write in the block; `path` holds all of it after the block, and what it held before when the block fails.

    What is no regular file, such as /dev/null or a pipe, is written directly. `UserError` where `path` cannot be written.
    """
    temporary = None
    try:
        place = path.resolve()  # a link stays a link
        if place.exists() and not place.is_file():
            with place.open("wb") as file:
                yield file
            return
        mode = place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_umask()
        descriptor, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name[:100]}.")
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, mode)
        os.replace(temporary, place)
        temporary = None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from None
    except (ValueError, RuntimeError) as error:  # a name that no file can have, or links in a circle
        raise UserError(f"cannot write {str(path)!r}: {error}; choose another name") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def cannot_write(path: Path, error: OSError) -> UserError:
    """What to say where `path` cannot be written."""
    return UserError(f"cannot write {path}: {error.strerror}; choose a folder that exists and is writable")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path`, which never holds half of it. `UserError` when that is not possible."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: Path | None, value: Any) -> None:
    """Write `value` as JSON, if a file was asked for."""
    if path is not None:
        write_whole(path, json.dumps(value, indent=2, sort_keys=False) + "\n")
