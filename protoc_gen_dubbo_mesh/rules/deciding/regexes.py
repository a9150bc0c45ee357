"""Regular expressions of rules, which may be hostile: those that may take Python long are not run."""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST = 200
_NESTED = re.compile(r"[*+}][^()]*\)[*+{]")
_BACKTRACKS = re.compile(r"\\[1-9]|\(\?[<!=]")


def matches(regex: str, value: str, *, anywhere: bool) -> bool:
    """Whether a regular expression matches a value; one that cannot be run safely matches nothing.

    Args:
        regex: the regular expression.
        value: the value.
        anywhere: whether a part of the value suffices.
    """
    compiled = _compiled(regex)
    if compiled is None or len(value) > _LONGEST:
        return False
    return (compiled.search(value) if anywhere else compiled.fullmatch(value)) is not None


@lru_cache(2**10)
def _compiled(regex: str) -> re.Pattern[str] | None:
    if len(regex) > _LONGEST or _NESTED.search(regex) or _BACKTRACKS.search(regex):
        return None
    try:
        return re.compile(regex, re.ASCII)
    except re.error:
        return None
