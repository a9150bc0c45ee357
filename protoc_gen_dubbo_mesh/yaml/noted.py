"""Values that are printed with a comment behind them."""

from __future__ import annotations

from typing import NamedTuple


class Noted(NamedTuple):
    """A value, and a note for the end of its line.

    Attributes:
        value: the value.
        note: where it comes from; may be empty.
    """

    value: str | int
    note: str = ""
