"""Ranges of integers as regular expressions (RE2), as Istio has no numeric matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .steps import Integers


def regex(integers: Integers) -> str:
    """A regular expression for integers. Leading zeros may be there, and signs if they may."""
    parts: list[str] = []
    low, high = integers.low, integers.high
    if high is None or high >= 0:
        sign = r"\+?" if integers.signed else ""
        parts.append(f"{sign}0*({_positive(max(low or 0, 0), high)})")
    if integers.signed and (low is None or low <= 0):
        negative = _positive(max(-high, 0) if high is not None else 0, None if low is None else -low)
        parts.append(f"-0*({negative})")
    return "|".join(parts)


def _positive(low: int, high: int | None) -> str:
    """The numbers from `low` to `high`, without leading zeros."""
    if high is None:
        width = len(str(low))
        more = rf"[1-9]\d{{{width},}}"
        return "|".join([*_same_width(low, 10**width - 1), more])
    parts: list[str] = []
    while low <= high:
        last = min(high, 10 ** len(str(low)) - 1)
        parts += _same_width(low, last)
        low = last + 1
    return "|".join(parts)


def _same_width(low: int, high: int) -> list[str]:
    """The numbers from `low` to `high`, which have the same number of digits."""
    return _between(str(low), str(high))


def _between(first: str, last: str) -> list[str]:
    """The texts of digits from `first` to `last`, which are equally long."""
    if first == last:
        return [first]
    width = len(first) - 1
    if set(first[1:]) <= {"0"} and set(last[1:]) <= {"9"}:
        return [_range(first[0], last[0]) + _digits(width)]
    if first[0] == last[0]:
        return [first[0] + part for part in _between(first[1:], last[1:])]
    parts = [first[0] + part for part in _between(first[1:], "9" * width)]
    low, high = int(first[0]) + 1, int(last[0]) - 1
    if low <= high:
        parts.append(_range(str(low), str(high)) + _digits(width))
    return parts + [last[0] + part for part in _between("0" * width, last[1:])]


def _range(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _digits(width: int) -> str:
    return {0: "", 1: r"\d"}.get(width, rf"\d{{{width}}}")
