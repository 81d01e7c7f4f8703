"""What peers and defects can cost a host: memory of its buffers, half-open connections, one broken connection."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import Driver, GeneratedDriver, InterpreterDriver, generated_module
from tcp_rig import SERVER, Pair, Script, connect, octets, read_all, sized, state, transfer, would
from wirelaw.impl.net.buffers import LEAST
from wirelaw.impl.net.config import WIRELAW
from wirelaw.impl.net.connection import Connection
from wirelaw.impl.net.tcp_sockets import TcpSocket
from wirelaw.spec.language.load import SPEC, load
from wirelaw.spec.language.model import Machine
from wirelaw.spec.language.profile import Profile
from wirelaw.tools.generate import generate

MASK = 0xFFFF_FFFF


def connection_of(sock: TcpSocket) -> Connection:
    assert sock.connection is not None
    return sock.connection


# Memory


def test_an_octet_at_the_edge_of_the_window_costs_a_block() -> None:
    host = Script(WIRELAW)
    ours, start = host.accept(has_wscale=True, wscale=7)
    host.give(b"x", seq=1001, ack=start, ackf=True, wnd=65535)
    (answer,) = host.run(0.1)
    window = answer.wnd << connection_of(ours).machine.rcv_shift
    assert window > 4_000_000
    host.give(b"y", seq=1002 + window - 1, ack=start, ackf=True, wnd=65535)
    assert connection_of(ours).incoming.memory < 10_000


def test_windows_shrink_as_the_hosts_memory_gets_less_and_nobody_is_turned_away() -> None:
    host = Script(sized(receive=1 << 16, tcp_memory=1 << 18))
    memory = host.host.stack.tcp.memory
    offers = []
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        for number in range(40):
            host.PEER_PORT = 5000 + number
            (synack,) = host.give(seq=1000, syn=True, wnd=1000)
            host.give(seq=1001, ack=(synack.seq + 1) & MASK, ackf=True, wnd=1000)
            offers.append(synack.wnd)
    assert offers[0] == 1 << 15
    assert offers == sorted(offers, reverse=True)
    assert offers[-1] == LEAST
    assert memory.used <= memory.octets + 40 * LEAST
    host.run(1)
    assert memory.used == 0, "all were aborted with their listener"


def test_transfers_go_on_when_memory_is_short_and_all_of_it_comes_back() -> None:
    pair = Pair(limits=sized(tcp_memory=0), peer=sized(tcp_memory=0))
    ours, theirs = pair.opened()
    data = octets(0, 200_000)
    assert transfer(pair, ours, theirs, data) == data
    ours.close()
    theirs.close()
    pair.run(200)
    for host in pair.hosts:
        assert host.stack.tcp.memory.used == 0


def test_what_an_ended_connection_left_unread_counts_until_its_socket_is_closed() -> None:
    host = Script()
    ours, start = host.accept()
    host.give(octets(0, 1000), seq=1001, ack=start, ackf=True, wnd=1000)
    host.give(seq=2001, rst=True, wnd=0)
    memory = host.host.stack.tcp.memory
    assert memory.used == 1000
    assert read_all_then_error(ours) == octets(0, 1000)
    other, start = host.accept()
    host.give(octets(0, 1000), seq=1001, ack=start, ackf=True, wnd=1000)
    host.give(seq=2001, rst=True, wnd=0)
    other.close()
    assert memory.used == 0


def read_all_then_error(sock: TcpSocket) -> bytes:
    data = sock.recv(10_000)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    return data


# A flood of SYNs


def flood(host: Script, count: int, first: int = 10_000) -> None:
    for number in range(count):
        host.PEER_PORT = first + number
        host.give(seq=1, syn=True, wnd=1000)


def test_a_flood_of_syns_leaves_room_for_others() -> None:
    host = Script(WIRELAW)
    old, start = host.accept()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        flood(host, 600)
        host.PEER_PORT = 50_000
        (synack,) = host.give(seq=1, syn=True, wnd=1000)
        assert synack.syn
        flood(host, 300, first=20_000)
        host.PEER_PORT = 50_000
        host.give(seq=2, ack=(synack.seq + 1) & MASK, ackf=True, wnd=1000)
        met, _ = listener.accept()
        assert met.getpeername() == (str(SERVER), 50_000)
        assert host.host.statistics.tcp_conns <= WIRELAW.tcp_backlog + 2
        assert host.host.statistics.drops["tcp.evicted"] == 600 + 1 + 300 - WIRELAW.tcp_backlog
        host.PEER_PORT = 4000
        host.give(b"still here", seq=1001, ack=start, ackf=True, wnd=1000)
        assert old.recv(100) == b"still here"


def test_a_crowd_waits_and_a_handshake_that_takes_long_gives_its_place() -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen(2)
        flood(host, 2)
        host.PEER_PORT = 50_000
        assert host.give(seq=1, syn=True, wnd=1000) == []
        assert host.host.statistics.drops["tcp.backlog"] == 1
        host.run(1)
        assert [s.syn for s in host.give(seq=1, syn=True, wnd=1000)] == [True]
        host.PEER_PORT = 10_000
        assert [s.rst for s in host.give(seq=2, ack=7, ackf=True, wnd=1000)] == [True], "the oldest was forgotten"


def test_handshakes_that_wait_to_be_accepted_are_not_evicted() -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen(1)
        (synack,) = host.give(seq=1, syn=True, wnd=1000)
        host.give(seq=2, ack=(synack.seq + 1) & MASK, ackf=True, wnd=1000)
        host.run(100)
        host.PEER_PORT = 50_000
        assert host.give(seq=1, syn=True, wnd=1000) == [], "silence: a full queue drops SYNs"
        assert host.host.statistics.drops["tcp.evicted"] == 0


@cache
def backlog_law() -> tuple[Machine, Profile, ModuleType]:
    law = load([SPEC / "net", SPEC / "profiles" / "net.profile"])
    machine, profile = law.machine("listener.queue"), law.profile("wirelaw", "listener.queue")
    return machine, profile, generated_module(generate(machine, profile))


def drivers() -> list[Driver]:
    machine, profile, module = backlog_law()
    return [InterpreterDriver(machine, profile), GeneratedDriver(machine, profile, module)]


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200), st.integers(0, 3_000_000))
def test_who_is_let_in_is_said_by_table_and_code_alike(half: int, ready: int, limit: int, waited: int) -> None:
    full, old = half + ready >= limit, waited >= 1_000_000 or half >= 64
    wanted = ["admit"] if not full else ["evict", "admit"] if half and old else ["turn_away"]
    for driver in drivers():
        driver.input("arrival", {"half": half, "ready": ready, "limit": limit, "waited": waited}, 0)
        assert [entry[1] for entry in driver.host.log] == wanted


# A defect


class Poison:
    """A machine that breaks on whatever happens to it."""

    def __init__(self, real: Any, on: str) -> None:
        self._real, self._on = real, on

    def __getattr__(self, name: str) -> Any:
        if name == self._on:
            raise RuntimeError("poisoned")
        return getattr(self._real, name)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR, "wirelaw"):
        yield caplog


@pytest.mark.parametrize("on", ["on_seg", "pump", "tick", "deadline", "on_trouble"])
def test_a_defect_ends_its_connection_and_no_other(on: str, quiet: pytest.LogCaptureFixture) -> None:
    host = Script()
    sick, start = host.accept()
    host.PEER_PORT = 4001
    well, other_start = host.accept()
    connection = connection_of(sick)
    waiting = connection.receive(10)
    host.PEER_PORT = 4000
    connection.machine = Poison(connection.machine, on)  # type: ignore[assignment]
    if on == "on_trouble":
        host.report(3, 1, 80, start)
    else:
        host.give(seq=1001, ack=start, ackf=True, wnd=1000)
    host.run(1)
    assert host.host.statistics.drops["tcp.defect"] == 1
    assert "poisoned" in quiet.text
    with pytest.raises(OSError, match="defect") as told:
        waiting.result(0)
    assert told.value.errno == errno.EIO
    assert host.host.statistics.tcp_conns == 1
    with pytest.raises(OSError, match="defect"):
        sick.recv(1)
    sick.close()
    host.PEER_PORT = 4001
    host.give(b"fine", seq=1001, ack=other_start, ackf=True, wnd=1000)
    assert read_all(well) == b"fine"


def test_a_connection_whose_remains_are_broken_too_is_given_up(quiet: pytest.LogCaptureFixture) -> None:
    host = Script()
    sick, start = host.accept()
    connection = connection_of(sick)
    waiting = connection.receive(10)
    connection._fresh_machine = lambda: Poison(None, "")  # type: ignore[assignment,method-assign,return-value]
    connection.machine = Poison(connection.machine, "on_seg")  # type: ignore[assignment]
    host.give(b"x", seq=1001, ack=start, ackf=True, wnd=1000)
    host.run(1)
    assert host.host.statistics.drops["tcp.defect"] == 2
    with pytest.raises(OSError, match="defect"):
        waiting.result(0)


def test_a_broken_passive_open_harms_no_listener(quiet: pytest.LogCaptureFixture) -> None:
    host = Script()
    with host.host.socket() as listener:
        listener.bind(("", 80))
        listener.listen()
        listener.settimeout(0)
        tcp = host.host.stack.tcp
        real = tcp.machine
        tcp.machine = lambda connection: Poison(real(connection), "on_seg")  # type: ignore[assignment,method-assign,return-value]
        assert host.give(seq=1, syn=True, wnd=1000) == []
        tcp.machine = real  # type: ignore[method-assign]
        assert [s.syn for s in host.give(seq=1, syn=True, wnd=1000)] == [True]
        assert host.host.statistics.drops["tcp.defect"] == 1


# Acknowledgments without need, and the first round trip


def test_no_window_is_told_where_none_is_used_up() -> None:
    host = Script(WIRELAW)
    ours, start = host.accept(has_wscale=True, wscale=7)
    assert host.run(1) == []
    assert would(lambda: ours.recv(1)) is None
    host.give(b"x", seq=1001, ack=start, ackf=True, wnd=65535)
    assert ours.recv(1) == b"x"
    (answer,) = host.run(1)
    assert answer.wnd << connection_of(ours).machine.rcv_shift > 4_000_000, "the first acknowledgment tells the whole window"


def test_a_window_used_up_and_read_is_told() -> None:
    host = Script(sized(receive=4096))
    ours, start = host.accept()
    for at in range(0, 4096, 1024):
        host.give(octets(at, 1024), seq=1001 + at, ack=start, ackf=True, wnd=1000)
    host.run(1)
    assert host.sent[-1][1].wnd == 0
    assert ours.recv(4096) == octets(0, 4096)
    (news,) = host.run(0)
    assert news.wnd == 4096


@pytest.mark.parametrize(("trip", "sent", "srtt"), [(0.2, 1, 200_000), (0.5, 1, 500_000), (1.5, 2, 0)])
def test_the_handshake_is_the_first_round_trip_measured(trip: float, sent: int, srtt: int) -> None:
    host = Script()
    host.PEER_PORT = 80
    ours = connect(host.host, str(SERVER), 80)
    syns = host.run(trip)
    assert len(syns) == sent, "one that went twice measures nothing"
    syn = syns[0]
    host.give(port=syn.src_port, seq=5000, ack=(syn.seq + 1) & MASK, syn=True, ackf=True, wnd=1000)
    machine = connection_of(ours).machine
    assert (state(ours), machine.srtt) == ("ESTABLISHED", srtt)
    assert machine.rto == (3_000_000 if sent > 1 else max(1_000_000, srtt + 4 * (srtt // 2)))
