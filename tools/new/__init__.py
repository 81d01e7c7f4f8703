"""A project for a protocol of one's own, made from the files in `template/`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from wirelaw.spec.language.load import load
from wirelaw.tools.format import misformatted
from wirelaw.tools.generate import write_all


def make_project(name: str, place: Path) -> Path:
    """Make the folder `place / name`, whole or not at all; its path. `name` is lower-case letters, digits and `_`.

    Raises OSError, and FileExistsError where the folder is there.
    """
    target = place / name
    if target.exists():
        raise FileExistsError(17, "exists already", str(target))
    made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=place))
    try:
        for path, text in _files(resources.files(__package__) / "template", Path()):
            to = made / str(path).replace("NAME", name)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(text.replace("CLASS", _class_name(name)).replace("NAME", name), "utf-8")
        for path, _, text in misformatted([made / "law"]):  # a name may be long or short
            path.write_text(text, "utf-8")
        (made / "generated").mkdir()
        write_all(load([made / "law"]), made / "generated")
        made.chmod(0o755)
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _files(folder: Traversable, at: Path) -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, at / entry.name)
        else:
            yield at / entry.name, entry.read_text("utf-8")
