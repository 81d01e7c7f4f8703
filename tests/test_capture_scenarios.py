"""The recorded connections of a real kernel: complete, well observed, and recordable afresh."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wirelaw.conformance.netns import Namespace, missing_means
from wirelaw.conformance.scenarios import SCENARIOS, main, record
from wirelaw.oracle.capture import read_packets
from wirelaw.oracle.tcp.segments import Connection, Demultiplexer, Direction, Observation, near, observe

CAPTURES = Path(__file__).parent / "fixtures" / "captures"
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
recorded = pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda p: p.stem)
Trace = list[tuple[Connection, Observation]]


def trace(path: Path) -> tuple[Trace, dict[str, Any]]:
    notes = list[str]()
    demultiplexer = Demultiplexer()
    seen = list(observe(read_packets(path, notes), demultiplexer))
    assert notes == []
    assert not demultiplexer.skipped
    return seen, json.loads(path.with_suffix(".json").read_text())


def check_capture(path: Path) -> Trace:
    """What holds of every recorded run of every scenario."""
    seen, sidecar = trace(path)
    connections = {c.number: c for c, _ in seen}
    assert len(seen) == sidecar["packets"]
    assert len(connections) == sidecar["connections"]
    times = [o.time for _, o in seen]
    assert times == sorted(times)
    assert times[-1] + 500_000 <= sidecar["running_until_us"]
    for connection in connections.values():
        assert not connection.doubts
        assert not connection.starts_midway
        roles = near(connection).roles
        own = Direction.CLIENT if connection.client.address == sidecar["near"]["address"] else Direction.SERVER
        assert roles in ((), (own,), (Direction.CLIENT, Direction.SERVER))
    damaged = sidecar["faults"] is not None and sidecar["faults"]["corrupt"] > 0
    for connection, o in seen:
        sender = (connection.client, connection.server)[o.direction].address
        outgoing = sender == sidecar["near"]["address"]
        assert o.segment.same
        assert o.segment.sum_ok or (damaged and not outgoing)
    return seen


@recorded
def test_a_recorded_capture_is_as_its_sidecar_says(path: Path) -> None:
    check_capture(path)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_scenario_is_kept_from_both_sides(name: str) -> None:
    for role in ("client", "server"):
        assert (CAPTURES / f"{name}-{role}.pcap").exists()
    assert len(list(CAPTURES.glob("*.pcap"))) == 2 * len(BY_NAME)


def segments(name: str, role: str = "client") -> Trace:
    return trace(CAPTURES / f"{name}-{role}.pcap")[0]


SHOWN: dict[str, Callable[[Observation], bool]] = {
    "echo": lambda o: o.segment.len > 1448,
    "zero-window": lambda o: o.segment.ackf and o.segment.wnd == 0 and not o.segment.rst,
    "reset-on-unread": lambda o: o.segment.rst and o.direction == Direction.SERVER,
    "abort": lambda o: o.segment.rst and o.direction == Direction.CLIENT,
    "data-after-close": lambda o: o.segment.rst and not o.segment.ackf,
    "refused": lambda o: o.segment.rst and o.segment.ackf and o.segment.seq == 0,
    "urgent": lambda o: o.segment.urg and o.segment.up > 0,
    "ecn": lambda o: o.segment.syn and o.segment.ece and o.segment.cwr,
    "lossy-5pct-seed4": lambda o: bool(o.segment.sacks),
}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_scenario_shows_what_it_is_for(name: str) -> None:
    assert any(SHOWN[name](o) for _, o in segments(name))


@pytest.mark.parametrize("role", ["client", "server"])
def test_simultaneous_acts_cross_on_the_link(role: str) -> None:
    syns = [o for _, o in segments("simultaneous-open", role) if o.segment.syn and not o.segment.ackf]
    assert {o.direction for o in syns} == {Direction.CLIENT, Direction.SERVER}
    fins = [o for _, o in segments("simultaneous-close", role) if o.segment.fin]
    first, second = fins[0].segment, fins[1].segment
    assert second.ack == first.seq  # the second FIN was sent before the first was received


@pytest.mark.parametrize("name", [s.name for s in SCENARIOS if s.name.startswith("lossy") and "handshake" not in s.name])
def test_lossy_runs_have_retransmissions_and_holes(name: str) -> None:
    again = holes = 0
    for role, own in (("client", Direction.CLIENT), ("server", Direction.SERVER)):
        ends = [0, 0]
        for _, o in segments(name, role):
            s = o.segment
            if s.len and ends[o.direction]:
                again += s.seq < ends[o.direction]
                holes += s.seq > ends[o.direction]
                assert o.direction != own or s.seq <= ends[o.direction]  # near: nothing of its own is missing
            ends[o.direction] = max(ends[o.direction], s.seq + s.len + s.syn + s.fin)
    assert again
    assert holes


def test_both_sides_of_a_lossless_path_saw_the_same_segments() -> None:
    def key(seen: Trace) -> list[tuple[int, ...]]:
        return sorted((o.direction, o.segment.seq, o.segment.ack, o.segment.len, o.segment.wnd) for _, o in seen)

    for name in ("chat", "echo-plain", "half-close", "simultaneous-close", "reuse"):
        assert key(segments(name, "client")) == key(segments(name, "server"))


def test_an_unknown_scenario_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", "nowhere", "no-such"]) == 2
    assert capsys.readouterr().err == "error: unknown scenario 'no-such'; --list shows those there are\n"
    assert main([]) == 2
    assert capsys.readouterr().err == "error: no directory given; say --out DIR\n"


def test_the_scenarios_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SCENARIOS)


@pytest.mark.net
@pytest.mark.parametrize("name", ["half-close", "simultaneous-close", "lossy-3pct-seed3"])
def test_a_scenario_recorded_afresh(name: str, tmp_path: Path) -> None:
    if reason := missing_means(tap=BY_NAME[name].faults is not None):
        pytest.skip(reason)
    saved = record(BY_NAME[name], tmp_path)
    assert [p.name for p in saved] == [f"{name}-client.pcap", f"{name}-server.pcap"]
    for path in saved:
        check_capture(path)


@pytest.mark.net
def test_a_namespace_leaves_nothing_behind() -> None:
    if reason := missing_means():
        pytest.skip(reason)
    before = Path("/proc/self/ns/net").readlink()
    with Namespace() as one, Namespace() as other:
        one.add_veth("probe0", "192.0.2.1/24", other, "probe0", "192.0.2.2/24")
        one.set_offloads("probe0", on=False)
        assert "probe0" in one.ip("-brief", "link") and "probe0" in other.ip("-brief", "link")  # noqa: PT018
        with one.entered():
            assert Path("/proc/thread-self/ns/net").readlink() != before
    assert Path("/proc/thread-self/ns/net").readlink() == before
    assert "probe0" not in Path("/proc/net/dev").read_text()
