"""Ranges of Dubbo's as sets of values that Istio has terms for.

To Java, what has not only digits counts as 0 in a range. So a range with 0 holds for all that is present but
the numbers outside of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Glob, Range
from .steps import Integers, Values
from .values import EVERY, InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_JAVA_HIGHEST = 2**31 - 1


def any_of(patterns: Iterable[Glob | Range]) -> Values | None:
    """The values for which one of the patterns holds; None if there are none.

    Raises:
        InexpressibleError: Istio cannot express them.
    """
    globs, ranges = _sorted(patterns)
    if EVERY in globs:
        return Values((EVERY,))
    if _has_words(ranges):
        return Values(None, tuple(_others(globs, ranges)), required=True)
    allowed = _distinct(globs, ranges)
    return Values(allowed) if allowed else None


def none_of(patterns: Iterable[Glob | Range], *, required: bool) -> Values | None:
    """The values for which none of the patterns holds; None if there are none.

    Args:
        patterns: the patterns.
        required: whether the value must be present.

    Raises:
        InexpressibleError: Istio cannot express them.
    """
    globs, ranges = _sorted(patterns)
    if not _has_words(ranges):
        return Values(None, _distinct(globs, ranges), required)
    allowed = tuple(_others((), ranges))
    return Values(allowed, tuple(globs)) if allowed else None


def _sorted(patterns: Iterable[Glob | Range]) -> tuple[list[Glob], list[Range]]:
    listed = list(dict.fromkeys(patterns))
    ranges = [each for each in listed if isinstance(each, Range) and not _is_empty(each)]
    return [each for each in listed if isinstance(each, Glob)], ranges


def _distinct(globs: Iterable[Glob], ranges: Iterable[Range]) -> tuple[Glob | Integers, ...]:
    found: list[Glob | Integers] = [*globs, *map(_integers, ranges)]
    return tuple(dict.fromkeys(found))


def _is_empty(range_: Range) -> bool:
    ends = _integers(range_)
    if range_.word_is_zero and range_.holds("word"):
        return False
    return ends.low is not None and ends.high is not None and ends.low > ends.high


def _has_words(ranges: Iterable[Range]) -> bool:
    return any(each.word_is_zero and each.holds("word") for each in ranges)


def _integers(range_: Range) -> Integers:
    if not range_.word_is_zero:
        return Integers(range_.low, range_.high, signed=True)
    high = _JAVA_HIGHEST if range_.high is None else min(range_.high, _JAVA_HIGHEST)
    return Integers(max(range_.low or 0, 0), high)


def _others(globs: Iterable[Glob], ranges: Iterable[Range]) -> Iterator[Integers]:
    """The numbers that are in no range, if words count as 0, which is in one."""
    found = [_integers(each) for each in ranges]
    for glob in globs:
        text = glob.prefix
        if glob.star or (text.isdigit() and not any(each.holds(text) for each in found)):
            raise InexpressibleError(
                f"a range with 0 also holds for words, and {text} is to hold as well: write a line for each"
            )
    low = 0
    for each in sorted(found, key=lambda each: each.low or 0):
        start, end = each.low or 0, each.high
        assert end is not None
        if start > low:
            yield Integers(low, start - 1)
        low = max(low, end + 1)
    yield Integers(low, None)
