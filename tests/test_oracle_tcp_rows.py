"""Rows of the TCP law judged on traces written by hand: what the text leaves open passes, and what lies just beyond is found.

A line is one segment: `>` what the judged end sends, `<` what reaches it, the time in ms, flags, and fields. Its own numbers
begin at 1000 (the SYN), the other end's at 5000.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from wirelaw.oracle.engine.explanation import render
from wirelaw.oracle.engine.judge import Judge
from wirelaw.oracle.engine.reading import CompiledLaw, compile_law
from wirelaw.oracle.engine.verdict import Environment, Grade, Verdict
from wirelaw.oracle.tcp.segments import ObservedSegment
from wirelaw.spec.language.load import SPEC, load

FLAGS = {"S": "syn", "F": "fin", "R": "rst", "A": "ackf"}
BLANK: dict[str, Any] = {f.name: False for f in fields(ObservedSegment) if f.type is bool}
BLANK |= dict.fromkeys(("seq", "ack", "wnd", "up", "len", "mss", "wscale", "tsval", "tsecr", "gso_size"), 0)
BLANK |= {"src_port": 1, "dst_port": 2, "sacks": (), "payload": b"", "sum_ok": True, "same": True, "wnd": 60_000}

CONNECT = """
> 0 S seq=1000 mss=1460
< 10 SA seq=5000 ack=1001 mss=1460
> 11 A seq=1001 ack=5001
"""
ACCEPT = """
< 0 S seq=5000 mss=1460
> 1 SA seq=1000 ack=5001 mss=1460
< 20 A seq=5001 ack=1001
"""


@cache
def tcp() -> CompiledLaw:
    return compile_law(load([SPEC / "tcp"]).machine("tcp.connection"))


def segment(flags: str, said: list[str]) -> ObservedSegment:
    values = dict(BLANK)
    for letter in flags.strip("-"):
        values[FLAGS[letter]] = True
    for word in said:
        name, _, value = word.partition("=")
        values[name] = int(value)
        for option, mark in (("mss", "has_mss"), ("wscale", "has_wscale"), ("tsval", "tson")):
            values[mark] |= name == option
    return ObservedSegment(**values)


def judged(*parts: str, silence: int = 0) -> Verdict:
    """The verdict on the near end of a trace, after `silence` ms in which nothing happens."""
    judge, at = Judge(tcp(), environment=Environment.near(), subject="the host"), 0
    for number, line in enumerate((x for part in parts for x in part.strip().splitlines()), 1):
        way, time, flags, *said = line.split()
        at = int(time) * 1000
        (judge.output if way == ">" else judge.input)("seg", segment(flags, said), at, number)
    return judge.finish(at + silence * 1000)


def assert_passes(*parts: str, silence: int = 0) -> None:
    verdict = judged(*parts, silence=silence)
    assert verdict.grade <= Grade.NOTE, "\n".join([str(verdict), *map(render, verdict.findings)])


def assert_found(grade: Grade, row: str, *parts: str, silence: int = 0) -> None:
    verdict = judged(*parts, silence=silence)
    assert (verdict.grade, {f.row for f in verdict.findings}) == (grade, {row}), "\n".join([str(verdict), *map(render, verdict.findings)])


# Resets (3.10.7.1, 3.10.5): their window is nobody's business, their number is


@pytest.mark.parametrize("window", [0, 512, 65_407])
def test_a_reset_may_carry_any_window(window: int) -> None:
    assert_passes(f"< 0 S seq=5000 mss=1460\n> 1 RA seq=0 ack=5001 wnd={window}")
    assert_passes(f"< 0 A seq=5000 ack=77\n> 1 R seq=77 wnd={window}")


def test_the_numbers_of_a_reset_are_laid_down() -> None:
    assert judged("< 0 S seq=5000 mss=1460\n> 1 RA seq=0 ack=5002").grade is Grade.FAIL
    assert judged("< 0 A seq=5000 ack=77\n> 1 R seq=78").grade is Grade.FAIL


def test_a_reset_may_acknowledge_what_came_late() -> None:
    late = "> 100 FA seq=1001 ack=5001\n< 120 A seq=5001 ack=1002\n< 130 FA seq=5001 ack=1002 len=27\n"
    assert_passes(CONNECT, late, "> 131 RA seq=1002 ack=5028 wnd=0")
    assert judged(CONNECT, late, "> 131 RA seq=1002 ack=95000 wnd=0").grade is Grade.FAIL


def test_a_syn_in_the_window_may_be_answered_by_a_reset_with_our_own_numbers() -> None:
    assert_passes(ACCEPT, "< 30 SA seq=5001 ack=1001 mss=1460\n> 31 RA seq=1001 ack=5001")


# Text on a SYN (3.10.1, 3.10.7.2, 3.10.7.3; RFC 7413 beside them)


def test_text_goes_with_a_syn_and_is_acknowledged_in_whole_or_not_yet() -> None:
    assert_passes("> 0 S seq=1000 mss=1460 len=20\n< 10 SA seq=5000 ack=1021 mss=1460\n> 11 A seq=1021 ack=5001")
    again = "> 0 S seq=1000 mss=1460 len=20\n< 10 SA seq=5000 ack=1001 mss=1460\n> 11 A seq=1001 ack=5001 len=20"
    assert_passes(again)


@pytest.mark.parametrize("acknowledged", [5001, 5021])
def test_text_on_a_syn_is_kept_or_taken(acknowledged: int) -> None:
    assert_passes(
        f"< 0 S seq=5000 mss=1460 len=20\n> 1 SA seq=1000 ack={acknowledged} mss=1460\n< 20 A seq=5021 ack=1001\n> 21 A seq=1001 ack=5021"
    )


def test_a_syn_ack_acknowledges_no_text_that_never_came() -> None:
    assert judged("< 0 S seq=5000 mss=1460 len=20\n> 1 SA seq=1000 ack=5022 mss=1460").grade is Grade.FAIL
    assert judged("< 0 S seq=5000 mss=1460\n> 1 SA seq=1000 ack=5002 mss=1460").grade is Grade.FAIL


def test_text_on_a_syn_ack_is_acknowledged_at_once_or_left_to_be_repeated() -> None:
    opened = "> 0 S seq=1000 mss=1460\n< 10 SA seq=5000 ack=1001 mss=1460 len=5\n"
    assert_passes(opened, "> 11 A seq=1001 ack=5006")
    assert_passes(opened, "> 11 A seq=1001 ack=5001")
    assert judged(opened, "> 11 A seq=1001 ack=5007").grade is Grade.FAIL


# A full queue (RFC 4987), and SYNs sent again (RFC 6298)


def test_a_listener_with_a_full_queue_leaves_a_syn_without_answer() -> None:
    assert_passes("< 0 S seq=5000 mss=1460\n< 1000 S seq=5000 mss=1460\n< 3000 S seq=5000 mss=1460\n> 3001 SA seq=1000 ack=5001 mss=1460")


def test_a_syn_is_not_sent_again_within_milliseconds() -> None:
    assert_passes("> 0 S seq=1000 mss=1460\n> 1000 S seq=1000 mss=1460\n> 3000 S seq=1000 mss=1460")
    assert_found(Grade.WARN, "g.syn.pace", "> 0 S seq=1000 mss=1460\n> 3 S seq=1000 mss=1460")
    assert_found(Grade.WARN, "g.syn.pace", "> 0 S seq=1000 mss=1460 tsval=7\n> 3 S seq=1000 mss=1460 tsval=7")
    assert_passes("> 0 S seq=1000 mss=1460 tsval=7\n> 0 S seq=1000 mss=1460 tsval=1007")  # both waited for a link address


# Acknowledgments inside a segment (3.10.7.4 seventh)


def test_an_acknowledgment_may_lie_in_the_segment_that_came_last() -> None:
    came = "< 30 A seq=5001 ack=1001 len=1200\n< 31 A seq=6201 ack=1001 len=1200\n"
    assert_passes(CONNECT, came, "> 32 A seq=1001 ack=6335\n> 33 A seq=1001 ack=7401")


def test_it_does_not_go_back_nor_beyond_what_came() -> None:
    came = "< 30 A seq=5001 ack=1001 len=1200\n< 31 A seq=6201 ack=1001 len=1200\n"
    for wrong in ("> 32 A seq=1001 ack=7402", "> 32 A seq=1001 ack=6335\n> 33 A seq=1001 ack=6300"):
        verdict = judged(CONNECT, came, wrong)
        assert (verdict.grade, verdict.findings[-1].clause) == (Grade.FAIL, "rfc9293:3.4/ack")


# The right edge of the window (3.8.6, RFC 7323 section 2.4)

SCALED = """
> 0 S seq=1000 mss=1460 wscale=7
< 10 SA seq=5000 ack=1001 mss=1460 wscale=7
> 11 A seq=1001 ack=5001 wnd=512
< 30 A seq=5001 ack=1001 len=100
"""


def test_a_right_edge_may_fall_by_less_than_one_unit_of_the_scale() -> None:
    assert_passes(SCALED, "> 31 A seq=1001 ack=5101 wnd=511")
    assert_found(Grade.WARN, "g.edge", SCALED, "> 31 A seq=1001 ack=5101 wnd=510")


@pytest.mark.parametrize("edge", [7000, 8000], ids=["what is offered now", "what was offered once"])
def test_a_window_that_was_taken_back_may_be_kept_to_either_edge(edge: int) -> None:
    opened = "> 0 S seq=1000 mss=1460 wnd=8000\n< 10 SA seq=5000 ack=1001 mss=1460\n> 11 A seq=1001 ack=5001 wnd=8000\n"
    shrunk = "> 50 A seq=1001 ack=5001 wnd=7000\n< 60 A seq=5001 ack=1001 len=20000\n"
    assert_found(Grade.WARN, "g.edge", opened, shrunk, f"> 61 A seq=1001 ack={5001 + edge} wnd=0")


# What every segment carries


def test_a_bare_acknowledgment_carries_the_next_number() -> None:
    sent = "> 20 A seq=1001 ack=5001 len=100\n< 30 A seq=5001 ack=1001 len=10\n"
    assert_passes(CONNECT, sent, "> 31 A seq=1101 ack=5011")
    assert_found(Grade.WARN, "tx.ack.behind", CONNECT, sent, "> 31 A seq=1001 ack=5011")


def test_an_older_number_is_heard_where_the_window_was_taken_back() -> None:
    shrunk = "> 20 A seq=1001 ack=5001 len=100\n< 30 A seq=5001 ack=1001 len=10 wnd=50\n"
    assert_passes(CONNECT, shrunk, "> 31 A seq=1051 ack=5011")


def test_text_keeps_to_the_segment_size_that_the_peer_asks_for() -> None:
    small = "> 0 S seq=1000 mss=1460\n< 10 SA seq=5000 ack=1001 mss=536\n> 11 A seq=1001 ack=5001\n"
    assert_passes(small, "> 20 A seq=1001 ack=5001 len=536")
    assert_found(Grade.FAIL, "g.size", small, "> 20 A seq=1001 ack=5001 len=537")
    assert_passes(small, "> 20 A seq=1001 ack=5001 len=5360 cut=1")  # its checksum is left to a device that cuts it
    assert_passes(small, "> 20 A seq=1001 ack=5001 len=5360")  # no link takes that: it will be cut
    silent = "> 0 S seq=1000 mss=1460\n< 10 SA seq=5000 ack=1001\n> 11 A seq=1001 ack=5001\n"
    assert_found(Grade.FAIL, "g.size", silent, "> 20 A seq=1001 ack=5001 len=537")


def test_a_repeated_syn_ack_keeps_its_number() -> None:
    heard = "< 0 S seq=5000 mss=1460\n> 1 SA seq=1000 ack=5001 mss=1460\n"
    assert_passes(heard, "> 1001 SA seq=1000 ack=5001 mss=1460")
    verdict = judged(heard, "> 1001 SA seq=56555 ack=5001 mss=1460")
    assert (verdict.grade, verdict.findings[-1].clause) == (Grade.FAIL, "rfc9293:3.10.8/retransmission")


# Timestamps of a reset (RFC 7323 section 5.2)


@pytest.mark.parametrize("after", [0, 20_000])
def test_the_timestamp_of_a_reset_is_not_what_later_ones_are_held_against(after: int) -> None:
    """A reset with text, which covers the left edge without beginning there, is challenged; its timestamp would make all others old."""
    opened = """
        > 0 S seq=1000 mss=1460 tsval=100
        < 10 SA seq=5000 ack=1001 mss=1460 tsval=500 tsecr=100
        > 11 A seq=1001 ack=5001 tsval=111 tsecr=500
        < 20 A seq=5001 ack=1001 len=100 tsval=501 tsecr=111
    """
    reset = f"< 21 R seq=5001 len=200 tsval={502 + after} tsecr=111\n> 22 A seq=1001 ack=5101 tsval=122 tsecr=501"
    text = "< 30 A seq=5101 ack=1001 len=100 tsval=502 tsecr=122\n"
    assert_passes(opened, reset, text, "> 31 A seq=1001 ack=5201 tsval=131 tsecr=502", silence=2_000)
    dropped = judged(opened, reset, text, "> 31 A seq=1001 ack=5101 tsval=131 tsecr=501", silence=2_000)
    assert dropped.grade is Grade.FAIL
