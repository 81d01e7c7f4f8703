"""What is kept between runs: it saves time, says what it was made from, and nothing that others could have put there counts."""

from __future__ import annotations

import functools
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.spec.language import cache, grammar
from wirelaw.spec.language import load as loading
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.encoding import MalformedError, decode, encode
from wirelaw.spec.language.interpret import Interpreter
from wirelaw.spec.language.load import Law, load
from wirelaw.spec.language.parse import parse_law
from wirelaw.tools.cli import main

TEXT = """
machine t.small {
  "A machine."
  region r : A initial, B
  var n : u8 = 0
  message m { x : u8 }
  input m(m) through t
  table t on m(m) {
    [up]   A if m.x > 3   => B stop { n = m.x } @a:1
    [rest] otherwise      stop                  @a:2
  }
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "small.law").write_text(TEXT, "utf-8")
    return tmp_path


@pytest.fixture
def no_parser() -> Iterator[None]:
    grammar.parser.cache_clear()
    yield
    grammar.parser.cache_clear()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for each law that was made from its text."""
    made: list[str] = []
    make = loading._made

    def counting(entry: str, *rest: object) -> object:
        made.append(entry)
        return make(entry, *rest)

    monkeypatch.setattr(loading, "_made", counting)
    return made


def entries(kind: str) -> list[Path]:
    place = cache.folder()
    assert place is not None
    return sorted(place.glob(f"{kind}.*"))


@functools.cache
def ships() -> tuple[Law, list[str]]:
    law = load()
    return law, [loading.shown(path) for path in law.files]


# --- the law -----------------------------------------------------------------------------------------------------------


def test_the_law_that_ships_comes_back_as_it_was() -> None:
    law, files = ships()
    models = (list(law.machines.values()), list(law.profiles.values()), list(law.deviations.values()))
    assert all(models)
    text = encode(models, files)
    again = decode(text, files)
    assert again == models
    assert [r.span for x in again[0] for r in x.rows()] == [r.span for x in models[0] for r in x.rows()]
    assert encode(again, files) == text, "places and the names of macros are kept, which equality does not see"


LAWS = [p for p in sorted((Path(__file__).parent / "fixtures").rglob("*.law")) if p.parent.name != "bad_law"]


@pytest.mark.parametrize("law", LAWS, ids=lambda path: path.stem)
def test_each_construct_comes_back_as_it_was(law: Path, folder: Path, builds: list[str]) -> None:
    first = load([law])
    again = load([law])
    assert len(builds) == 1
    assert again == first


def test_a_law_is_made_once_and_anew_when_a_letter_of_it_changes(folder: Path, builds: list[str]) -> None:
    law = Path("small.law")
    first = load([law])
    assert load([law]) == first
    assert len(builds) == 1
    law.write_text(TEXT.replace("x > 3", "x > 4"), "utf-8")
    assert load([law]) != first
    law.write_text(TEXT, "utf-8")
    assert load([law]) == first
    assert len(builds) == 2


def test_places_are_named_as_seen_from_where_one_stands(folder: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert load([Path("small.law")]).machine("t.small").row("up").span.file == "small.law"
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    machine = load([Path("../small.law")]).machine("t.small")
    assert Path(machine.row("up").span.file).resolve() == folder / "small.law"
    assert machine.files == (machine.span.file,)
    assert machine.span.file != "small.law"
    assert len(builds) == 1


def test_a_law_with_a_mistake_is_not_kept(folder: Path) -> None:
    Path("small.law").write_text(TEXT.replace("m.x > 3", "m.y > 3"), "utf-8")
    told = []
    for _ in range(3):
        with pytest.raises(LawError, match="`y`") as error:
            load([Path("small.law")])
        told.append(str(error.value))
    assert told[0] == told[1] == told[2]
    assert entries("law") == []


def torn(text: str) -> Iterator[bytes]:
    nodes, machines, *others = json.loads(text)
    yield b""
    yield b"\xff\xfe"
    yield text[: len(text) // 2].encode()
    yield b"[" * 100_000
    swapped = [nodes, [], machines, []]
    for wrong in (None, {}, [], [nodes], [nodes, machines, *others, []], swapped, [nodes[:-1], machines, *others]):
        yield json.dumps(wrong).encode()
    yield pickle.dumps(Interpreter)
    for i in range(0, len(nodes), 7):
        for odd in (["x"], [nodes[i][0]], [*nodes[i], 0], [10_000, *nodes[i][1:]]):
            yield json.dumps([[*nodes[:i], odd, *nodes[i + 1 :]], machines, *others]).encode()


def test_a_torn_entry_counts_as_none(folder: Path, builds: list[str]) -> None:
    first = load([Path("small.law")])
    (kept,) = entries("law")
    whole = kept.read_text("utf-8")
    contents = list(torn(whole))
    for content in contents:
        kept.write_bytes(content)
        assert load([Path("small.law")]) == first
        assert kept.read_text("utf-8") == whole, "it is made again"
    assert len(builds) == 1 + len(contents)


@pytest.mark.parametrize("name", ["x", "n", "A", "t.small", "binder", ">", "up", "a:1"])
def test_no_name_in_an_entry_can_be_code(name: str, folder: Path) -> None:
    """A judge is emitted from names: one that says more than a name makes the entry void."""
    load([Path("small.law")])
    text = entries("law")[0].read_text("utf-8")
    assert f'"{name}"' in text
    for evil in ("__import__('os').abort()", "x\nimport os", "1 or x", "a[0]"):
        with pytest.raises(MalformedError):
            decode(text.replace(f'"{name}"', json.dumps(evil)), ["small.law"])


def test_prose_in_an_entry_may_say_anything(folder: Path) -> None:
    load([Path("small.law")])
    text = entries("law")[0].read_text("utf-8")
    ((machine,), *_) = decode(text.replace('"A machine."', '"f(x) or y"'), ["small.law"])
    assert machine.doc == "f(x) or y"


@given(st.data())
def test_nothing_but_models_is_read(data: st.DataObject) -> None:
    """Any value changed for any other: a model of the same classes, or `MalformedError`."""
    law, files = ships()
    machine = law.machine("arp.neighbour")
    nodes, *roots = json.loads(encode(([machine], [], []), files))
    node = data.draw(st.sampled_from(nodes))
    at = data.draw(st.integers(0, len(node) - 1))
    leaf = st.none() | st.booleans() | st.integers(-3, len(nodes) + 1) | st.text(max_size=3)
    node[at] = data.draw(leaf | st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=3), leaf, max_size=2))
    try:
        (made,), *_ = decode(json.dumps([nodes, *roots]), files)
    except MalformedError:
        return
    assert type(made) is type(machine)
    assert all(type(row) is type(next(machine.rows())) for row in made.rows())


# --- the folder --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_parser")
def test_nothing_is_left_in_the_working_folder(folder: Path) -> None:
    assert main(["draw", "t.small", "--law", "small.law", "-o", "a.dot"]) == 0
    assert {p.name for p in folder.iterdir()} == {"small.law", "a.dot", "xdg"}
    assert {p.name.partition(".")[0] for p in (folder / "xdg" / "wirelaw").iterdir()} == {"grammar", "law"}
    assert (folder / "xdg" / "wirelaw").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("given", ["", "relative/path"])
def test_without_a_good_folder_in_the_environment_it_is_that_of_the_home(given: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", str(folder / "home"))
    assert cache.folder() == folder / "home" / ".cache" / "wirelaw"


def test_what_others_could_have_written_does_not_count(folder: Path) -> None:
    load([Path("small.law")])
    (kept,) = entries("law")
    for path, mode in ((kept, 0o666), (kept, 0o620), (kept.parent, 0o777), (kept.parent, 0o770)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert cache.kept(kept.name) is None
        path.chmod(before)
        assert cache.kept(kept.name) is not None
    kept.rename(folder / "elsewhere")
    kept.symlink_to(folder / "elsewhere")
    assert cache.kept(kept.name) is None
    kept.unlink()
    os.mkfifo(kept)
    assert cache.kept(kept.name) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_the_file_of_another_user_does_not_count(folder: Path) -> None:
    load([Path("small.law")])
    (kept,) = entries("law")
    for path in (kept, kept.parent):
        os.chown(path, 12345, 0)
        assert cache.kept(kept.name) is None
        os.chown(path, 0, 0)
    assert cache.kept(kept.name) is not None


@pytest.mark.parametrize("obstacle", ["file", "open folder"])
def test_a_folder_that_cannot_be_used_costs_time_alone(obstacle: str, folder: Path, builds: list[str]) -> None:
    if obstacle == "file":
        (folder / "xdg").write_text("", "utf-8")
    else:
        (folder / "xdg" / "wirelaw").mkdir(parents=True)
        (folder / "xdg" / "wirelaw").chmod(0o777)
    assert load([Path("small.law")]) == load([Path("small.law")])
    assert len(builds) == 2
    assert (folder / "xdg").is_file() or not list((folder / "xdg" / "wirelaw").iterdir())


def test_the_entries_that_were_not_used_for_longest_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 3)
    for i in range(6):
        for kind in ("a", "b"):
            for age, path in enumerate(sorted(entries(kind), key=lambda p: p.stat().st_mtime)):
                os.utime(path, (1000 + age, 1000 + age))
            cache.keep(f"{kind}.{i}", str(i))
        assert cache.kept("a.0") == "0"
    assert [p.name for p in entries("a") + entries("b")] == ["a.0", "a.4", "a.5", "b.3", "b.4", "b.5"]


# --- the tables of the parser, and proofs -----------------------------------------------------------------------------


@pytest.mark.usefixtures("no_parser")
@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"data": {}, "memo": {}}'])
def test_parse_tables_are_kept_and_torn_ones_made_again(content: str | None, folder: Path) -> None:
    text = "machine m { var x : u32 = 1 + 2 * 3 region r : A initial }"
    first = parse_law(text, "")
    (kept,) = entries("grammar")
    if content is not None:
        kept.write_text(content, "utf-8")
    grammar.parser.cache_clear()
    assert parse_law(text, "") == first
    assert json.loads(kept.read_text("utf-8"))["data"]["parser"]


@pytest.mark.usefixtures("no_parser")
def test_mistakes_are_told_alike_with_kept_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.law").write_text("machine m { region : A }", "utf-8")
    told = []
    for _ in range(3):
        grammar.parser.cache_clear()
        assert main(["check", "a.law"]) == 2
        told.append(capsys.readouterr().err)
    assert told[0] == told[1] == told[2]
    assert "unexpected ':'" in told[0]


def test_proofs_of_two_laws_with_machines_of_one_name_are_kept_side_by_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("z3", reason="the solver z3 is not installed")
    (folder / "other.law").write_text(TEXT.replace("m.x > 3", "m.x > 4"), "utf-8")
    asked = []
    for law in ("small.law", "other.law", "small.law", "other.law"):
        main(["check", law])
        asked.append(int(capsys.readouterr().out.splitlines()[-1].split()[0]))
    assert asked[0] > 0
    assert asked[1] > 0
    assert asked[2:] == [0, 0]
