"""Traces as text: what is written can be read, and what cannot be read is refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirelaw.conformance.trace import FLAGS, Call, Relative, Send, Trace, Trouble, Wait, load_trace, parse_trace
from wirelaw.impl.runtime.errors import UserError

names = st.sampled_from(("rcv_nxt", "snd_una", "isn", "ts_recent"))
relatives = st.builds(Relative, st.one_of(st.just(""), names), st.integers(-(1 << 33), 1 << 33))
calls = st.builds(Call, st.sampled_from(("close", "leave", "open_passive", "send")), st.integers(0, 1 << 20))
errors = st.builds(Trouble, st.integers(0, 255), st.integers(0, 255), relatives)
waits = st.builds(Wait, st.integers(0, 10**9))


@st.composite
def sends(draw: st.DrawFn) -> Send:
    flags = tuple(f for f in FLAGS if draw(st.booleans()))
    stamped = draw(st.booleans())
    return Send(
        flags,
        draw(relatives),
        draw(relatives) if "ackf" in flags else Relative(),
        draw(st.integers(0, 65_535)),
        draw(st.integers(0, 65_535)),
        draw(st.integers(0, 1400)),
        draw(st.one_of(st.none(), st.integers(0, 65_535))),
        draw(st.one_of(st.none(), st.integers(0, 255))),
        draw(st.booleans()),
        draw(relatives) if stamped else None,
        draw(relatives) if stamped else None,
        draw(st.booleans()),
        draw(st.sampled_from(("", "[seq.acceptable]", "[rst.near] without: s.rst  @rfc9293:3.5"))),
    )


traces = st.builds(
    Trace,
    st.sampled_from(("linux", "wirelaw")),
    st.sampled_from(("client", "server")),
    st.integers(0, 1 << 20),
    st.integers(0, (1 << 32) - 1),
    st.lists(st.one_of(calls, waits, errors, sends()), max_size=8).map(tuple),
    st.one_of(st.none(), st.just(("rfc9293:3.4/ack", "g.ack"))),
)


@given(traces)
def test_a_trace_reads_back_as_it_was_written(trace: Trace) -> None:
    assert parse_trace(str(trace)) == trace


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no trace"),
        ("wirelaw trace 1\nrole server\n", "head is incomplete"),
        ("wirelaw trace 1\npeer linux\nrole server\nsend SYM seq=1\n", "line 4"),
        ("wirelaw trace 1\npeer linux\nrole server\nsend SYN\n", "line 4"),
        ("wirelaw trace 1\npeer linux\nrole server\nwait long\n", "line 4"),
        ("wirelaw trace 1\npeer linux\nrole server\njump\n", "unknown step"),
        ("wirelaw trace 1\npeer linux\nrole server\nisn zero\n", "head is incomplete"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        parse_trace(text)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_trace(tmp_path / "nothing.trace")
