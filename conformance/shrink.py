"""Shrinking: the shortest trace that still shows the same finding (delta debugging, Zeller and Hildebrandt 2002).

The candidates of one round are independent connections: they are played side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from wirelaw.conformance.trace import Send, Step, Trace

Play = Callable[[Sequence[Trace]], list[bool]]


def shrink(trace: Trace, play: Play, rounds: int = 40) -> Trace:
    """A shortest trace found within `rounds` of playing. `play` tells for each candidate whether it shows the finding."""
    steps = list(trace.steps)
    size = max(1, len(steps) // 2)
    while rounds > 0:
        starts = range(0, len(steps), size)
        candidates = [replace(trace, steps=tuple(steps[:i] + steps[i + size :])) for i in starts if len(steps) > size]
        shown = play(candidates)
        rounds -= 1
        found = next((c for c, ok in zip(candidates, shown, strict=True) if ok), None)
        if found is not None:
            steps = list(found.steps)
            size = min(size, max(1, len(steps) // 2))
        elif size > 1:
            size //= 2
        else:
            break
    return _plainer(replace(trace, steps=tuple(steps)), play)


def _plainer(trace: Trace, play: Play) -> Trace:
    """The same with plainer segments, where that shows the finding too."""
    for n, step in enumerate(trace.steps):
        variants = [_with(trace, n, v) for v in _variants(step)]
        shown = play(variants) if variants else []
        trace = next((v for v, ok in zip(variants, shown, strict=True) if ok), trace)
    return trace


def _with(trace: Trace, n: int, step: Step) -> Trace:
    return replace(trace, steps=(*trace.steps[:n], step, *trace.steps[n + 1 :]))


def _variants(step: Step) -> list[Step]:
    if not isinstance(step, Send):
        return []
    bare = replace(step, mss=None, wscale=None, sack_ok=False, tsval=None, tsecr=None)
    whole = replace(bare, flags=tuple(f for f in step.flags if f != "psh"), wnd=65_535, len=min(step.len, 1))
    return [v for v in (whole, bare, replace(step, len=min(step.len, 1)), replace(step, wnd=65_535)) if str(v) != str(step)]
