"""Numbers given on the command line: types for argparse that refuse what makes no sense, and say what would."""

from __future__ import annotations

import argparse
import math

LONGEST = 365 * 86_400.0
"""Seconds; a longer time is a mistake."""


def port(text: str) -> int:
    """A TCP port, 1 to 65535."""
    if not _whole(text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number within 1..65535")
    return int(text)


def count(text: str) -> int:
    """How many: 1 to a billion."""
    if not _whole(text) or not 0 < int(text) <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a number above 0, of 1000000000 at most")
    return int(text)


def whole(text: str) -> int:
    """Any whole number, such as a seed."""
    if not _whole(text.removeprefix("-")):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number; give one like 7")
    return int(text)


def seconds(text: str) -> float:
    """A time such as 2, 0.5, 60s or 5min, in seconds; above 0 and of a year at most."""
    digits = text.rstrip("smin")
    scale = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0}.get(text[len(digits) :])
    value = _number(digits) * (scale or math.nan)
    if not 0 < value <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one above 0, like 2, 0.5, 60s or 5min")
    return value


def pause(text: str) -> float:
    """Seconds between things, 0 allowed."""
    return 0.0 if _number(text) == 0 else seconds(text)


def scale(text: str) -> float:
    """A factor above 0, of 1000 at most."""
    value = _number(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no factor; give a number above 0, like 0.1")
    return value


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4000


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
