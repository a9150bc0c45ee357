"""Subsets of a DestinationRule, and their names."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from ..resources import Subset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .steps import Branch

_LONGEST = 63
_NO_NAME = re.compile(r"[^a-z0-9]+")


class Subsets:
    """The subsets that a host's routes need.

    Args:
        given: those that it has anyway.
    """

    def __init__(self, given: Iterable[Subset] = ()) -> None:
        self._found: dict[tuple[object, ...], Subset] = {(each.labels, each.prefer): each for each in given}
        self._taken = {each.name for each in self._found.values()}

    def name(self, branch: Branch) -> str | None:
        """The subset for the pods of a branch; None: all pods."""
        if not branch.labels and not branch.prefer:
            return None
        key = (branch.labels, branch.prefer)
        subset = self._found.get(key)
        if subset is None:
            subset = Subset(self._unused(branch), branch.labels, branch.prefer)
            self._found[key] = subset
        return subset.name

    def all(self) -> tuple[Subset, ...]:
        """The subsets, in the order in which they were first needed."""
        return tuple(self._found.values())

    def _unused(self, branch: Branch) -> str:
        words = [f"{key}-{value}" for key, value in branch.labels]
        if branch.prefer:
            words += ["prefer", *(wish.replace("=", "-") for wish in branch.prefer)]
        text = "-".join(words)
        name = _NO_NAME.sub("-", text.lower()).strip("-") or "pods"
        if len(name) > _LONGEST or name in self._taken:
            name = f"{name[: _LONGEST - 9].strip('-')}-{zlib.crc32(repr(branch[1:]).encode()):08x}"
        self._taken.add(name)
        return name
