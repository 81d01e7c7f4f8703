"""What is kept between runs because it takes time to make: in the user's own cache folder, each entry known by its content.

Nothing here is needed: an entry that is torn, old or not to be trusted counts as absent, and a folder that cannot be written
keeps nothing. An entry is trusted only where nobody but the user could have written it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

MOST = 40
"""Entries kept of each kind; the ones not used for longest go first."""


def folder() -> Path | None:
    """`wirelaw` in $XDG_CACHE_HOME or ~/.cache; None for a user without a home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (given if given.is_absolute() else Path.home() / ".cache") / "wirelaw"
    except RuntimeError:
        return None


def kept(name: str, place: Path | None = None) -> str | None:
    """The text of entry `name`; None where there is none that can be trusted. `place` stands for `folder()`."""
    place = place or folder()
    if place is None:
        return None
    try:
        if not _is_ours(place.stat()):
            return None
        with open(place / name, "rb", opener=_without_links) as file:
            status = os.fstat(file.fileno())
            if not _is_ours(status) or not stat.S_ISREG(status.st_mode):
                return None
            text = file.read().decode()
        os.utime(place / name)
    except (OSError, ValueError):
        return None
    return text


def keep(name: str, text: str, place: Path | None = None) -> None:
    """Keep `text` as `name`, whole or not at all. `kind.` before the first dot says with what it competes for room."""
    place = place or folder()
    if place is None:
        return
    with contextlib.suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(place.stat()):
            return
        descriptor, waiting = tempfile.mkstemp(dir=place, prefix=".new.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(waiting, place / name)
        except OSError:
            os.unlink(waiting)
            raise
        entries = sorted(place.glob(f"{name.partition('.')[0]}.*"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in entries[MOST:]:
            old.unlink()


def _is_ours(status: os.stat_result) -> bool:
    """True when nobody but this user can write there."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
