"""Errors in the user's files, all of which are told, not only the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import printable

if TYPE_CHECKING:
    from .positions import Position


class Problem(NamedTuple):
    """An error in a file.

    Attributes:
        where: its place.
        message: what is wrong and what to do about it.
    """

    where: Position
    message: str

    def __str__(self) -> str:
        return printable(f"{self.where}:{self.where.column}: {self.message}")
