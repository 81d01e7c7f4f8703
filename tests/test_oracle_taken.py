"""Where the judge saw each row taken: the counts by state are those by row, told apart, and fit the law."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.engine.reading import compile_law
from wirelaw.oracle.tcp.connection import judge_capture
from wirelaw.oracle.tcp.segments import Direction
from wirelaw.spec.language.load import SPEC, load
from wirelaw.tools.cli import main

FIXTURES = Path(__file__).parent / "fixtures"
CAPTURES = FIXTURES / "captures"
SKETCH = ["draw", "sketch.connection", "--law", str(FIXTURES / "draw")]
SMALL = sorted(CAPTURES.glob("*.pcap"), key=lambda p: (p.stat().st_size, p.name))[2:5]


@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.stem)
def test_rows_are_taken_in_states_they_are_for(path: Path) -> None:
    machine = load([SPEC / "tcp"]).machine("tcp.connection")
    role = Direction[json.loads(path.with_suffix(".json").read_text("utf-8"))["near"]["role"].upper()]
    for judged in judge_capture(compile_law(machine), read_packets(path), lambda _: [(role, True)], None):
        verdict = judged.verdict
        assert verdict.taken
        summed: Counter[str] = Counter()
        for (row, state), n in verdict.taken.items():
            summed[row] += n
            assert state in (machine.row(row).states or machine.states), (row, state)
        assert summed == +Counter(verdict.coverage)
        moved = {state for row, state in verdict.taken if machine.row(row).ending.kind == "become"}
        assert len(moved) > 1, "a connection goes through several states"


@pytest.mark.parametrize(
    ("peer", "drawn", "exact"),
    [({"taken": {"tx.fin": {"ESTABLISHED": 5}}, "rows": {"tx.fin": 5}}, 1, True), ({"rows": {"tx.fin": 5}}, 3, False)],
    ids=["by state", "by row"],
)
def test_results_of_a_campaign_are_drawn(peer: dict[str, object], drawn: int, exact: bool, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"peers": [peer]}))
    assert main([*SKETCH, "--coverage", str(tmp_path / "results.json"), "-o", str(tmp_path / "x.mmd")]) == 0
    made = (tmp_path / "x.mmd").read_text("utf-8")
    assert made.count("×5" if exact else "×≤5") == drawn
