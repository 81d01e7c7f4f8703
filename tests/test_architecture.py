"""The arrows of docs/architecture.md: who may import whom, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# folder -> folders of the project it may import (itself always)
ARROWS = {
    "impl/wire": (),
    "impl/runtime": (),
    "impl/externs": (),
    "impl/generated": ("impl/externs", "impl/runtime"),
    "impl/device": ("impl/runtime", "impl/wire"),
    "impl/net": ("impl/device", "impl/generated", "impl/runtime", "impl/wire"),
    "impl/ssh": ("impl/externs", "impl/generated", "impl/runtime"),
    "impl/tls": ("impl/externs", "impl/generated", "impl/runtime"),
    "impl/apps": ("impl/device", "impl/generated", "impl/net", "impl/runtime", "impl/wire"),
    "spec/language": ("impl/runtime",),
    "oracle/engine": ("spec/language", "impl/runtime"),
    "oracle/capture": ("oracle/engine", "impl/wire", "impl/runtime"),
    "oracle/tcp": ("oracle/engine", "oracle/capture", "spec/language", "impl/wire", "impl/runtime"),
    "oracle/examples": ("oracle/adapter",),
    "conformance": ("spec/language", "oracle", "impl", "tools/generate"),
    "tools": ("spec", "impl", "oracle", "conformance"),
}


def imports(path: Path) -> Iterator[str]:
    """Modules of the project that a file imports, as folder paths."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            names = [f"{node.module}.{a.name}" for a in node.names]
        for name in names:
            if name.startswith("wirelaw."):
                yield "/".join(name.split(".")[1:])


@pytest.mark.parametrize("folder", ARROWS)
def test_imports_run_one_way(folder: str) -> None:
    allowed = (folder, *ARROWS[folder])
    wrong = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for target in imports(path)
        if not any(target == a or target.startswith(a + "/") for a in allowed)
    ]
    assert not wrong


def module_of(path: Path) -> str:
    """The module's name as a path: a package is its folder."""
    name = str(path.relative_to(ROOT).with_suffix(""))
    return name.removesuffix("/__init__")


def import_graph() -> dict[str, set[str]]:
    """Each module of the project, and those that it imports, wherever in its text."""
    paths = {module_of(p): p for top in ("impl", "spec", "oracle", "conformance", "tools") for p in (ROOT / top).rglob("*.py")}
    return {name: {t for i in imports(path) if (t := target(i, paths)) and t != name} for name, path in paths.items()}


def target(imported: str, modules: Collection[str]) -> str | None:
    """The module that an import names: itself, or the one that the name is taken from."""
    return next((m for m in (imported, imported.rpartition("/")[0]) if m in modules), None)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan's strongly connected components of more than one)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not circles(import_graph())


def test_no_folder_of_the_implementation_imports_itself_by_way_of_others() -> None:
    folders: dict[str, set[str]] = {}
    for name, imported in import_graph().items():
        if name.startswith("impl/"):
            folder = name.rpartition("/")[0]
            folders.setdefault(folder, set()).update(f for i in imported if (f := i.rpartition("/")[0]) != folder)
    assert not circles(folders)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    graph = import_graph()
    graph["impl/net/config"].add("impl/net/host")
    assert any("impl/net/host" in circle for circle in circles(graph))


@pytest.mark.parametrize("folder", ["impl/net", "impl/wire", "impl/generated", "oracle", "impl/device", "impl/tls", "impl/ssh"])
def test_cores_read_no_clock(folder: str) -> None:
    """Time is passed in; only those who wait for a device or drive the cores read it."""
    drivers = {"impl/net/loop.py", "impl/net/lan.py", "impl/device/qtest.py", "impl/device/tap.py", "impl/device/virtio_net.py"}
    wrong = [
        name
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (name := str(path.relative_to(ROOT))) not in drivers
        and re.search(r"\btime\.(time|monotonic|perf_counter)(_ns)?\(|datetime\.now|\btime\.sleep\(", path.read_text("utf-8"))
    ]
    assert not wrong


def test_every_top_folder_is_explained() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    folders = [p.name for p in ROOT.iterdir() if p.is_dir() and (any(p.glob("*.py")) or (p / "tcp").is_dir())]
    assert {"spec", "impl", "oracle", "conformance", "tools", "tests"} <= set(folders)
    assert all(f"`{name}/`" in page for name in folders if name != "build"), folders
    for name in re.findall(r"`((?:net|device|wire|generated|oracle|conformance)/[a-z_/]+\.py)`", page):
        assert any((ROOT / top / name).is_file() for top in ("", "impl")), f"docs/architecture.md names {name}"
