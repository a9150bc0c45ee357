"""Durations, numbers and lists as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def duration(seconds: float) -> str:
    """A duration: `250 ms`, `1.5 s`, `90 s`, `5 min`, `1 h`."""
    if seconds < 1:
        return f"{_number(seconds * 1000)} ms"
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{_number(seconds)} s"


def measured_time(seconds: float) -> str:
    """How long something took, in three digits: `2.35 ms`, `1.02 s`."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def percent(share: float) -> str:
    """A share: `10 %`, `33.3 %`."""
    return f"{_number(round(share, 1))} %" if share >= 0.1 else f"{share:.2g} %"


def times(number: int) -> str:
    """A number of retries."""
    return {0: "no retries", 1: "1 retry"}.get(number, f"up to {number} retries")


def listed(names: Iterable[str]) -> str:
    """A list: `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def first_of(names: Sequence[str], most: int) -> str:
    """A list that may be long: `a, b, c and 5 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
