"""Remembers what was made of a part of a configuration, for as long as it is looked at again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from .values import Json

_Made = TypeVar("_Made")


class _Same:
    """A message that equals itself only: comparing what is in it would take longer than making it anew."""

    __slots__ = ("message",)

    def __init__(self, message: Json) -> None:
        self.message = message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.message is other.message

    def __hash__(self) -> int:
        return id(self.message)


def remembered(make: Callable[[Json], _Made]) -> Callable[[Json], _Made]:
    """Makes a function of a message return the same again for the same message, which must not be changed."""

    @lru_cache(maxsize=64)
    def cached(same: _Same) -> _Made:
        return make(same.message)

    return lambda message: cached(_Same(message))
