"""The clause catalogues: the format and its diagnostics, citations both ways, and what our own catalogues hold."""

import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.spec.language.check import CheckReport, run_checks
from wirelaw.spec.language.checks import unresolved_place
from wirelaw.spec.language.checks.uncited_must import citations_of
from wirelaw.spec.language.checks.unresolved_place import tree_of
from wirelaw.spec.language.clauses import Catalogues, Disposition, Level, Party, load_catalogue, load_catalogues
from wirelaw.spec.language.diagnostics import LawError
from wirelaw.spec.language.load import Law, load
from wirelaw.tools.cli import main
from wirelaw.tools.verbs import check

FOLDER = Path(__file__).parent.parent / "spec" / "clauses"
HEAD = 'document demo "A demonstration" 2024\n'


@pytest.fixture(scope="module")
def ours() -> Catalogues:
    return load_catalogues(FOLDER)


def catalogue(folder: Path, body: str, name: str = "demo", head: str | None = None) -> Path:
    path = folder / f"{name}.req"
    path.write_text((f'document {name} "T" 2024\n' if head is None else head) + body, encoding="utf-8")
    return path


def faults(path: Path) -> list[tuple[int, int, str]]:
    with pytest.raises(LawError) as caught:
        load_catalogue(path)
    assert all(d.advice for d in caught.value.diagnostics)
    return [(d.line, d.column, d.message) for d in caught.value.diagnostics]


# --- the format


def test_an_entry_has_all_its_facts(tmp_path: Path) -> None:
    path = catalogue(
        tmp_path,
        '# a comment\n\n4.1/2  MUST_NOT  4.1  sender  peer  elsewhere  "Say nothing # at all"  at "impl/a.py: b, c"  answer "reset"\n',
        head=HEAD,
    )
    read = load_catalogue(path)
    assert (read.document, read.title, read.year, read.file) == ("demo", "A demonstration", 2024, str(path))
    (clause,) = read.clauses
    assert (clause.name, clause.level, clause.section) == ("demo:4.1/2", Level.MUST_NOT, "4.1")
    assert (clause.binds, clause.checks, clause.disposition) == (Party.SENDER, Party.PEER, Disposition.ELSEWHERE)
    assert (clause.where, clause.reason, clause.answer) == ("impl/a.py: b, c", "", "reset")
    assert (clause.text, clause.line, clause.binding) == ("Say nothing # at all", 4, True)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters='"'), min_size=1)
NAMES = st.from_regex(r"[A-Z]{2,5}-[0-9]{1,3}(/[a-z]{1,6})?", fullmatch=True)


@given(
    st.dictionaries(
        NAMES,
        st.tuples(
            st.sampled_from(Level),
            st.sampled_from(["3", "3.10.7.4", "D.4", "-"]),
            st.sampled_from([Party.SENDER, Party.BOTH, Party.API, Party.SERVER]),
            st.sampled_from([Party.NOBODY, Party.PEER, Party.RECEIVER]),
            st.sampled_from(Disposition),
            TEXT,
            st.sampled_from(["  ", "\t", "     "]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, tuple[Any, ...]]) -> None:
    trail = {"law": "", "same": "as other:MUST-1", "elsewhere": 'at "here"', "later": 'because "x"', "waived": 'because "y"'}
    lines = [gap.join([name, *map(str, row), f'"{text}"', trail[row[-1]]]) for name, (*row, text, gap) in entries.items()]
    path = catalogue(tmp_path_factory.mktemp("clauses"), "\n".join(lines))
    read = load_catalogue(path).clauses
    assert [c.id for c in read] == list(entries)
    assert [(c.level, c.section, c.binds, c.checks, c.disposition, c.text) for c in read] == [row[:-1] for row in entries.values()]


@given(st.text(st.sampled_from('abcAB-13./"# \t\n') | st.characters(codec="utf-8"), max_size=80))
def test_no_text_breaks_the_loader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = catalogue(tmp_path_factory.mktemp("clauses"), text)
    with contextlib.suppress(LawError):
        assert load_catalogue(path).clauses


# --- one bad file a diagnostic

GOOD = 'MUST-1  MUST  3.1  sender  peer  law  "Words"'
BAD_HEADS = {
    "": (0, 0, "a catalogue begins with its `document` line"),
    GOOD: (1, 1, "a catalogue begins with its `document` line"),
    "document demo 2024": (1, 1, "`document` needs a name, a title in quotes and a year"),
    'document demo "T" soon': (1, 1, "`document` needs a name, a title in quotes and a year"),
    'document other "T" 2024': (1, 1, "document `other` stands in a file of another name"),
    'document demo "T" 2024': (0, 0, "the catalogue has no clause"),
}
BAD_ENTRIES = {
    'MUST-1  MUST  3.1  sender  peer  law  "Words': (39, "the quote is not closed"),
    'document demo "T" 2024': (1, "a second `document` line"),
    "MUST-1  MUST  3.1": (18, "columns are missing: binds, checks, disposition, text"),
    'MUST-1  MUST  3.1  sender  peer  "law"  "Words"': (34, "here stands the column `disposition`, which has no quotes"),
    "MUST-1  MUST  3.1  sender  peer  law  Words": (39, "here stands the text in quotes"),
    'MUST-1  MUSTNOT  3.1  sender  peer  law  "Words"': (9, "`MUSTNOT` is no level"),
    'MUST-1  MUST  3.1  peer  peer  law  "Words"': (20, "`peer` is no party bound"),
    'MUST-1  MUST  3.1  sender  host  law  "Words"': (28, "`host` is no party that checks"),
    'MUST-1  MUST  3.1  sender  peer  table  "Words"': (34, "`table` is no disposition"),
    'MUST:1  MUST  3.1  sender  peer  law  "Words"': (1, "`MUST:1` is no clause name"),
    'MUST-1  MUST  3.x  sender  peer  law  "Words"': (15, "`3.x` is no section number"),
    '3.2/first  MUST  3.1  sender  peer  law  "Words"': (18, "clause `3.2/first` is said to stand in section 3.1"),
    'MUST-1  MUST  3.1  sender  peer  law  " "': (39, "the text is empty"),
    f"{GOOD}  for ever": (48, "`for` is not known here"),
    f"{GOOD}  answer": (48, "`answer` needs a text in quotes"),
    'MUST-1  MUST  3.1  sender  peer  same  "Words"  as': (49, "`as` needs a clause name"),
    f'{GOOD}  answer "a"  answer "b"': (60, "`answer` stands twice"),
    f'{GOOD}  because "so"': (48, "`because` does not go with `law`"),
    GOOD.replace("law", "elsewhere"): (52, "`elsewhere` without `at`"),
    GOOD.replace("law", "later"): (48, "`later` without `because`"),
    GOOD.replace("law", "waived"): (49, "`waived` without `because`"),
    GOOD.replace("law", "same"): (47, "`same` without `as`"),
    f"{GOOD}\n{GOOD}": (1, "clause `MUST-1` stands twice; first on line 2"),
}


@pytest.mark.parametrize(("head", "expected"), BAD_HEADS.items())
def test_bad_head(tmp_path: Path, head: str, expected: tuple[int, int, str]) -> None:
    assert faults(catalogue(tmp_path, "", head=head)) == [expected]


@pytest.mark.parametrize(("entry", "expected"), BAD_ENTRIES.items())
def test_bad_entry(tmp_path: Path, entry: str, expected: tuple[int, str]) -> None:
    column, message = expected
    assert faults(catalogue(tmp_path, entry)) == [(2 + entry.count("\n"), column, message)]


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    bad = 'MUST-1  MOST  3.1  sendr  peer  law  "Words"\nMUST-2  MUST\n'
    assert [(line, message) for line, _, message in faults(catalogue(tmp_path, bad))] == [
        (2, "`MOST` is no level"),
        (2, "`sendr` is no party bound"),
        (3, "columns are missing: section, binds, checks, disposition, text"),
    ]


def test_a_diagnostic_reads_as_place_fault_line_and_advice(tmp_path: Path) -> None:
    path = catalogue(tmp_path, 'MUST-1  MUSTNOT  3.1  sender  peer  law  "Words"')
    with pytest.raises(LawError) as caught:
        load_catalogue(path)
    assert str(caught.value) == (
        f"{path}:2:9: error: `MUSTNOT` is no level\n"
        '    2 | MUST-1  MUSTNOT  3.1  sender  peer  law  "Words"\n'
        "  Did you mean `MUST_NOT`? It is one of MUST, MUST_NOT, SHOULD, SHOULD_NOT, MAY, RECOMMENDED, INFO."
    )


def test_unreadable_files(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.req") == [(0, 0, "cannot read the catalogue: No such file or directory")]
    latin = tmp_path / "latin.req"
    latin.write_bytes(b'document latin "\xe9" 2024\n')
    assert faults(latin) == [(0, 0, "byte 16 is not UTF-8 text")]


@pytest.mark.parametrize(
    ("entry", "message", "advice"),
    [
        (None, "no .req file here", "Give the folder of the clause catalogues, `spec/clauses`."),
        (
            "as demo:MUST-9",
            "`MUST-2` is said to be the same as `demo:MUST-9`, which no catalogue has",
            "Did you mean `demo:MUST-1`?",
        ),
        (
            "as demo:MUST-3",
            "`MUST-2` is said to be the same as `demo:MUST-3`, itself only a repetition",
            "Name the first of them, `demo:MUST-1`.",
        ),
    ],
)
def test_bad_folder(tmp_path: Path, entry: str | None, message: str, advice: str) -> None:
    if entry:
        same = GOOD.replace("law", "same")
        lines = [GOOD, f"{same.replace('-1', '-2')} {entry}", f"{same.replace('-1', '-3')} as demo:MUST-1"]
        catalogue(tmp_path, "\n".join(lines))
    with pytest.raises(LawError) as caught:
        load_catalogues(tmp_path)
    assert [(d.message, d.advice) for d in caught.value.diagnostics] == [(message, advice)]


def test_faults_of_all_files_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    catalogue(tmp_path, "MUST-1", name="a")
    catalogue(tmp_path, "MUST-1", name="b")
    with pytest.raises(LawError) as caught:
        load_catalogues(tmp_path)
    assert [Path(d.file).name for d in caught.value.diagnostics] == ["a.req", "b.req"]


# --- citations, both ways

SMALL = """\
3.1           INFO      3.1  both      nobody    law        "A step"
3.1/a         MUST      3.1  sender    peer      law        "A part of it"
3.1/b         MUST_NOT  3.1  sender    peer      law        "Another part"
3.2           SHOULD    3.2  receiver  nobody    law        "Weak"
MUST-1        MUST      3.3  sender    nobody    elsewhere  "Held by code"  at "impl/a.py: f, bytes"
MUST-2        MUST      3.3  sender    nobody    later      "Not yet"       because "no time"
MUST-3        MUST      3.3  sender    nobody    waived     "Not at all"    because "no use"
"""
OLDER = 'X-1  MUST  1  sender  peer  same  "A part of it"  as demo:3.1/a\n'


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Catalogues:
    folder = tmp_path_factory.mktemp("clauses")
    catalogue(folder, SMALL)
    catalogue(folder, OLDER, name="older")
    return load_catalogues(folder)


def test_uncited_requirements_are_gaps_only_where_they_bind_and_the_law_shall_hold_them(small: Catalogues) -> None:
    found = small.coverage({})
    assert [c.id for c in found.gaps] == ["3.1/a", "3.1/b"]
    assert [c.id for c in found.uncited] == ["3.1", "3.2"]
    assert not found.complete
    assert found.summary == "8 clauses (0 cited, 1 elsewhere, 1 later, 1 waived, 2 gaps, 2 uncited)"
    assert small.coverage({f"demo:3.{n}": ["r"] for n in ("1", "2", "1/a", "1/b")}).summary.endswith("waived, 0 gaps)")


@pytest.mark.parametrize("level", Level)
def test_what_a_document_numbers_is_a_gap_at_any_level(tmp_path: Path, level: Level) -> None:
    catalogue(tmp_path, f'XY-12  {level}  3  sender  peer  law  "Numbered"\n3  {level}  3  sender  peer  law  "Not numbered"\n')
    found = load_catalogues(tmp_path).coverage({})
    binding = level in (Level.MUST, Level.MUST_NOT)
    assert [c.id for c in found.gaps] == ["XY-12", *(["3"] if binding else [])]
    assert [c.id for c in found.uncited] == ([] if binding else ["3"])


def test_a_step_is_covered_by_a_part_and_no_part_by_its_step(small: Catalogues) -> None:
    part = small.coverage({"demo:3.1/b": ["r"]}, ["demo"])
    assert [c.id for c in part.cited] == ["3.1", "3.1/b"]
    assert [c.id for c in part.gaps] == ["3.1/a"]
    assert [c.id for c in small.coverage({"demo:3.1": ["r"]}, ["demo"]).gaps] == ["3.1/a", "3.1/b"]


@pytest.mark.parametrize("cited", ["demo:3.1/a", "older:X-1"])
def test_the_same_clause_in_two_documents_is_cited_by_either_name(small: Catalogues, cited: str) -> None:
    found = small.coverage({cited: ["r"], "demo:3.1/b": ["r"]})
    assert found.complete
    assert {"demo:3.1/a", "older:X-1"} <= {c.name for c in found.cited}


def test_a_repeated_clause_is_a_gap_of_its_own_document_when_asked_alone(small: Catalogues) -> None:
    assert [c.name for c in small.coverage({}, ["older"]).gaps] == ["older:X-1"]


def test_a_name_without_rows_is_no_citation(small: Catalogues) -> None:
    assert [c.id for c in small.coverage({"demo:3.1/a": []}).gaps] == ["3.1/a", "3.1/b"]


def test_citing_what_is_waived_or_later_is_stale_and_an_unknown_name_is_told(small: Catalogues) -> None:
    found = small.coverage({f"demo:MUST-{n}": ["r"] for n in (1, 2, 3, 4)})
    assert [c.id for c in found.stale] == ["MUST-2", "MUST-3"]
    assert found.unknown == ("demo:MUST-4",)


@given(st.data())
def test_citing_more_never_opens_a_gap_and_citing_all_of_the_law_closes_them(ours: Catalogues, data: st.DataObject) -> None:
    law = [c.name for c in ours if c.disposition is Disposition.LAW]
    few = data.draw(st.sets(st.sampled_from(law), max_size=40))
    more = few | data.draw(st.sets(st.sampled_from(law), max_size=40))
    gaps = [{c.name for c in ours.coverage({n: ["r"] for n in names}).gaps} for names in (few, more, law)]
    assert gaps[0] >= gaps[1] >= gaps[2] == set()
    assert not gaps[0] & few


def test_suggestions(ours: Catalogues) -> None:
    def first(name: str) -> str:
        return ours.suggest(name)[0]

    assert first("rfc9293:3.10.7.4/2") == "rfc9293:3.10.7.4/second"
    assert first("rfc9293:3.10.7.4/secnd") == "rfc9293:3.10.7.4/second"
    assert first("rfc9293:3.8.6.2.2/x") == "rfc9293:3.8.6.2.2"
    assert first("rfc9239:MUST-12") == "rfc9293:MUST-12"
    assert first("tcp:MUST-12") == "rfc9293:MUST-12"
    assert ours.suggest("rfc8446:4.1.2")[:2] == ["rfc8446:4.1.2/1", "rfc8446:4.1.2/2"]
    assert ours.suggest("rfc9293:MUST-12") == ["rfc9293:MUST-12"]
    assert ours.suggest("nonsense") == []


@given(st.text(max_size=20) | st.from_regex(r"rfc[0-9]{4}:[0-9.]{1,8}(/[0-9a-z]{1,6})?", fullmatch=True))
def test_a_suggestion_can_be_cited(ours: Catalogues, name: str) -> None:
    found = ours.suggest(name, most=3)
    assert len(found) <= 3
    assert len(set(found)) == len(found)
    assert all(ours.resolve(n) for n in found)


# --- our own catalogues


def test_each_numbered_requirement_of_tcp_has_one_clause_of_its_level(ours: Catalogues) -> None:
    labels = Counter(m[1] for c in ours.documents["rfc9293"].clauses if (m := re.fullmatch(r"([A-Z]+)-(\d+)", c.id)))
    assert labels == {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}
    for label, count in labels.items():
        for number in range(1, count + 1):
            clause = ours.resolve(f"rfc9293:{label}-{number}")
            assert clause is not None
            assert clause.level.replace("SHOULD", "SHLD").replace("RECOMMENDED", "REC").startswith(label)


STATES = [
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
]


def test_each_call_and_step_of_tcp_event_processing_can_be_cited(ours: Catalogues) -> None:
    ordinals = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    steps = {"3.10.7.2": ordinals[:4], "3.10.7.3": ordinals[:5], "3.10.7.4": ordinals}
    names = [f"{section}/{step}" for section, order in steps.items() for step in order]
    names += [f"3.10.8/{timer}" for timer in ("user", "retransmission", "time-wait")] + ["3.10.7.1", "3.10.6"]
    assert [n for n in names if ours.resolve(f"rfc9293:{n}") is None] == []
    for call in ("3.10.2", "3.10.3", "3.10.4", "3.10.5"):
        clauses = [c for c in ours.documents["rfc9293"].clauses if c.section == call]
        told = " ".join(f"{c.id} {c.text}" for c in clauses)
        assert [s for s in STATES if not re.search(rf"(?<![\w-]){s}(?![\w-])", told)] == [], call


def test_a_place_outside_the_tables_is_there_and_says_why(ours: Catalogues) -> None:
    held = [c for c in ours if c.disposition is Disposition.ELSEWHERE]
    assert len(held) >= 50
    assert [c.name for c in held if tree_of(c, c.where) != FOLDER.parent.parent] == []
    assert [d.message for d in unresolved_place.check(ours.coverage({}))] == []
    assert [c.name for c in held if not re.fullmatch(r"[a-z_0-9/]+\.py: [\w.]+( and [\w.]+)*, .{6,}", c.where)] == []


def test_the_names_of_a_module_are_those_it_defines(tmp_path: Path) -> None:
    path = tmp_path / "held.py"
    path.write_text(
        "import re\nA = B = 1\nC: int = 2\ndef f(): x = 1\nasync def g(): ...\nclass D:\n    E = 1\n    def h(self): self.i = 1\n"
    )
    assert unresolved_place.defined(path) == {"A", "B", "C", "f", "g", "D", "D.E", "D.h"}


def test_every_clause_that_the_law_shall_hold_is_cited(ours: Catalogues) -> None:
    found = ours.coverage(citations_of(load()))
    assert [c.name for c in found.gaps] == []
    assert [c.name for c in found.uncited] == []
    assert [c.name for c in found.stale] == []
    assert found.unknown == ()


@pytest.mark.parametrize("law", [[], [str(FOLDER.parent / "examples")]])
def test_checking_the_law_that_ships_asks_about_every_document(law: list[str], monkeypatch: pytest.MonkeyPatch, ours: Catalogues) -> None:
    asked: list[Any] = []

    def noted(_: Law, *rest: Any) -> CheckReport:
        asked.append(rest[-1])
        return run_checks(Law({}, {}, ()), *rest)

    monkeypatch.setattr(check, "run_checks", noted)
    main(["check", *law])
    assert [a if a is None else set(a) for a in asked] == [None if law else set(ours.documents)]


def test_what_is_not_cited_is_listed_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    catalogue(tmp_path, '1  SHOULD  1  both  peer  law  "Taken"\n2  SHOULD  2  both  peer  law  "Weak"\n', name="toy")
    law = tmp_path / "toy.law"
    law.write_text(
        "machine toy {\n  region r : A initial\n  message m { }\n  input m(s) through t\n  table t on m(s) { [a] A stay @toy:1 }\n}\n"
    )
    told = []
    for more in ([], ["--verbose"]):
        assert main(["check", str(law), "--clauses", str(tmp_path), "--json", "report.json", *more]) == 0
        told.append(capsys.readouterr().out)
    assert "2 clauses (1 cited, 0 elsewhere, 0 later, 0 waived, 0 gaps, 1 uncited)" in told[0]
    warning = "toy.req:3:1: warning: SHOULD `toy:2` is cited by no row: Weak"
    assert (warning in told[0], warning in told[1]) == (False, True)
    (listed,) = json.loads((tmp_path / "report.json").read_text())["uncited"]
    assert (listed["line"], listed["severity"]) == (3, "warning")


def test_every_document_says_when_and_what_it_is(ours: Catalogues) -> None:
    assert {"rfc9293", "rfc8446", "rfc9846", "rfc4253", "rfc4254", "strict"} <= set(ours.documents)
    assert all(1981 <= c.year <= 2030 and c.title for c in ours.documents.values())


def test_the_newer_tls_edition_carries_the_older_one_over_or_replaces_it(ours: Catalogues) -> None:
    carried = {c.same_as for c in ours.documents["rfc9846"].clauses}
    replaced = [c.id for c in ours.documents["rfc8446"].clauses if c.name not in carried]
    assert replaced == ["4.2.1/3", "4.4.2.2/3", "4.4.2.2/7", "5.5/1", "6.1/2", "D.5/1", "D.5/3", "D.5/4"]


def test_what_the_newer_tcp_took_over_from_the_older_requirements_kept_its_level(ours: Catalogues) -> None:
    tcp = [c for c in ours.documents["rfc1122"].clauses if c.section.startswith("4.2.")]
    carried = [(c, ours.resolve(c.same_as)) for c in tcp if c.same_as.startswith("rfc9293:")]
    assert len(carried) >= 100
    assert [c.id for c, new in carried if new is not None and c.level not in (new.level, Level.INFO)] == []
    replaced = [c for c in tcp if c.disposition is Disposition.WAIVED]
    assert [c.id for c in replaced if not re.search(r"RFC \d+", c.reason) and c.level is not Level.MAY] == []


def test_the_manual_of_the_format_names_every_word_of_it() -> None:
    manual = (FOLDER / "README.md").read_text(encoding="utf-8").partition("-->")[0]
    words = [*Level, *Party, *Disposition, "at", "because", "as", "answer", "document"]
    assert [w for w in words if not re.search(rf"(?<![\w-]){w}(?![\w-])", manual)] == []
