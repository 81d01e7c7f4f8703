"""The law of address resolution: its freedom, and what a judge says of hosts (RFC 826, RFC 1122 2.3.2)."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import Driver, GeneratedDriver, InterpreterDriver
from wirelaw.impl.generated.arp_neighbour import ENTRY_TIMEOUT, RETRY_INTERVAL, Arp, Reply, Request
from wirelaw.impl.net import Host, HostConfig, VirtualHost
from wirelaw.impl.wire.arp import REPLY, REQUEST, ArpPacket, build_arp, parse_arp
from wirelaw.impl.wire.ethernet import BROADCAST, ETHERTYPE_ARP, build_frame
from wirelaw.oracle.engine.judge import Observed, judge_trace
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Grade, Verdict
from wirelaw.spec.language.load import SPEC, Law, load

OWN, OWN_IP = HostConfig().mac, bytes((10, 0, 2, 15))
PEER, PEER_IP = bytes.fromhex("525400000007"), bytes((10, 0, 2, 7))
MACS = (PEER, bytes.fromhex("525400000008"), bytes.fromhex("01005e000001"))
SECOND = 1_000_000


@cache
def arp_law() -> Law:
    return load([SPEC / "net", SPEC / "profiles" / "net.profile"])


@cache
def judged_law() -> CompiledLaw:
    return compile_law(arp_law().machine("arp.neighbour"))


def drivers(**choices: str) -> list[Driver]:
    """Table and generated code under our profile with other `choices`, a datagram waiting at time 0."""
    machine = arp_law().machine("arp.neighbour")
    ours = arp_law().profile("wirelaw", machine.name)
    profile = replace(ours, choices={**ours.choices, **choices})
    return [InterpreterDriver(machine, profile), GeneratedDriver(machine, profile)]


def told(driver: Driver) -> list[str]:
    """What the machine sent and told since it was last asked for."""
    found = [entry[1] for entry in driver.host.log]
    driver.host.log.clear()
    return found


def used_until_old(driver: Driver) -> None:
    """Resolve, use, and wait until the answer is old."""
    driver.call("resolve", (), 0)
    driver.pump(0)
    driver.input("reply", {"source": PEER, "for_us": True, "named": True}, SECOND)
    driver.call("use", (), 2 * SECOND)
    told(driver)
    driver.advance(SECOND + ENTRY_TIMEOUT)
    driver.pump(SECOND + ENTRY_TIMEOUT)


# --- the named freedom -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ageing", "done", "state"), [("poll", ["request"], "PROBED"), ("forget", ["forgotten"], "ABSENT")])
def test_an_old_entry_in_use_is_polled_or_forgotten(ageing: str, done: list[str], state: str) -> None:
    for driver in drivers(ageing=ageing):
        used_until_old(driver)
        assert told(driver) == done
        assert driver.snapshot()["entry"] == state


@pytest.mark.parametrize(("unsolicited", "state"), [("ignore", "ABSENT"), ("learn", "REACHABLE")])
def test_an_answer_nobody_asked_for_is_ignored_or_learned(unsolicited: str, state: str) -> None:
    for driver in drivers(unsolicited=unsolicited):
        driver.input("reply", {"source": PEER, "for_us": True, "named": True}, 0)
        assert driver.snapshot()["entry"] == state


def test_a_datagram_for_a_known_neighbour_need_not_wait() -> None:
    for driver in drivers():
        driver.input("request", {"source": PEER, "for_us": True, "named": True}, 0)
        told(driver)
        driver.call("resolve", (), 5)
        assert driver.host.log == [("tell", "confirmed", (PEER,))]


@given(st.lists(st.tuples(st.sampled_from(["resolve", "use", "wait"]), st.integers(0, 3 * SECOND)), max_size=30))
def test_one_address_is_asked_for_once_a_second_at_most(steps: list[tuple[str, int]]) -> None:
    """However the user calls, and however often the neighbour is forgotten and asked for again."""
    for driver in drivers():
        now, times = 0, []
        for call, wait in steps:
            now += wait
            driver.advance(now)
            if call != "wait":
                driver.call(call, (), now)
            driver.pump(now)
            times += [now] * told(driver).count("request")
        assert all(later - sooner >= RETRY_INTERVAL for sooner, later in pairwise(times))


# --- the judge ---------------------------------------------------------------------------------------------------------------


class Link:
    """A virtual host and one neighbour of it; what passes between them, as a judge of the host sees it."""

    def __init__(self) -> None:
        self.host: VirtualHost = Host.virtual()
        self.trace: list[Observed] = []

    def hear(self, operation: int, mac: bytes, target: bytes) -> None:
        """A packet from the neighbour."""
        message = (Request if operation == REQUEST else Reply)(source=mac, group=bool(mac[0] & 1), for_us=target == OWN_IP)
        self._note(message, is_output=False)
        self.host.receive(build_frame(BROADCAST, PEER, ETHERTYPE_ARP, build_arp(ArpPacket(operation, mac, PEER_IP, OWN, target))))
        self._sent()

    def ping(self) -> None:
        """A datagram for the neighbour."""
        self.host.ping("10.0.2.7", timeout=1000)
        self._sent()

    def wait(self, until: int) -> None:
        """Let time pass, noting frames at the times they are sent."""
        while (deadline := self.host.stack.next_deadline()) is not None and deadline < until:
            self.host.advance_to(deadline)
            self._sent()
        self.host.advance_to(until)
        self._sent()

    def _sent(self) -> None:
        for frame in self.host.frames():
            packet = parse_arp(frame[14:]) if frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big") else None
            if packet is not None:
                to = None if frame[:6] == BROADCAST else frame[:6]
                self._note((Request if packet.operation == REQUEST else Reply)(source=packet.sender_mac, to=to), is_output=True)

    def _note(self, message: Arp, *, is_output: bool) -> None:
        self.trace.append(Observed(message.kind, message, self.host.now, len(self.trace) + 1, is_output))


def judge(trace: list[Observed]) -> Verdict:
    return judge_trace(judged_law(), trace)


happenings = st.one_of(
    st.just(("ping",)),
    st.tuples(st.just("wait"), st.sampled_from([1, SECOND // 2, SECOND, 4 * SECOND, 30 * SECOND, ENTRY_TIMEOUT])),
    st.tuples(st.just("hear"), st.sampled_from([REQUEST, REPLY]), st.sampled_from(MACS), st.sampled_from([OWN_IP, bytes((10, 0, 2, 99))])),
)


@settings(deadline=None)
@given(st.lists(happenings, max_size=15))
def test_our_runs_pass(steps: list[tuple[str, int, bytes, bytes]]) -> None:
    link = Link()
    for what, *how in steps:
        if what == "ping":
            link.ping()
        elif what == "wait":
            link.wait(link.host.now + int(how[0]))  # type: ignore[call-overload]
        else:
            link.hear(*how)  # type: ignore[arg-type]
    verdict = judge(link.trace)
    assert verdict.grade is Grade.PASS, verdict.findings


def seen(*messages: tuple[int, Arp, bool]) -> list[Observed]:
    return [Observed(m.kind, m, time, n, out) for n, (time, m, out) in enumerate(messages, 1)]


ASKS, ANSWERS = Request(source=PEER, for_us=True), Reply(source=PEER, for_us=True)


@pytest.mark.parametrize(
    ("trace", "clause"),
    [
        (seen((0, Request(), True), (SECOND - 1, Request(), True)), "2.3.2.1/flood"),
        (seen((0, ASKS, False), (1, Reply(to=MACS[1]), True)), "reception/reply"),
        (seen((0, Reply(to=PEER), True)), ""),
        (seen((0, Request(), True), (1, ANSWERS, False), (2 * SECOND, Request(to=MACS[1]), True)), ""),
        (seen((0, Request(), True), (1, replace(ANSWERS, source=MACS[2], group=True), False), (SECOND, Request(to=MACS[2]), True)), ""),
    ],
)
def test_what_breaks_a_clause_fails(trace: list[Observed], clause: str) -> None:
    verdict = judge(trace)
    assert verdict.grade is Grade.FAIL
    assert clause in str(verdict.findings)


def test_another_pace_and_another_ageing_are_as_good() -> None:
    """Three requests at odd times, an answer, and a new broadcast where ours would poll: all of it is free."""
    asked = [(at * SECOND, Request(), True) for at in (0, 2, 7)]
    verdict = judge(seen(*asked, (8 * SECOND, ANSWERS, False), (400 * SECOND, Request(), True)))
    assert verdict.grade is Grade.PASS, verdict.findings
