"""What a configuration alone cannot tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias


class Unknown(NamedTuple):
    """Stands for an answer that cannot be known.

    Attributes:
        why: what it depends on, as the end of a sentence: "it cannot be known: …".
    """

    why: str


Verdict: TypeAlias = bool | Unknown
"""Whether something matches. An `Unknown` counts as true in Python, so compare with `is`."""


def opposite(verdict: Verdict) -> Verdict:
    """The verdict if it is inverted."""
    return verdict if isinstance(verdict, Unknown) else not verdict


def either(verdicts: Iterable[Verdict]) -> Verdict:
    """True if one is; else the first one that is unknown; else false."""
    return opposite(every(opposite(each) for each in verdicts))


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """False if one is; else the first one that is unknown; else true."""
    result: Verdict = True
    for each in verdicts:
        if each is False:
            return False
        if result is True:
            result = each
    return result
