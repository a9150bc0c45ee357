"""What terminals can do: colours, their width, and a line that is replaced."""

from __future__ import annotations

import os
import shutil
from types import TracebackType
from typing import Self, TextIO

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "bold": 1, "dim": 2}

_ERASE = "\r\x1b[K"  # to the start of the line, and all behind it


def has_colours(stream: TextIO) -> bool:
    """Whether to use colours: on a terminal, unless the environment says otherwise.

    `NO_COLOR` (https://no-color.org) comes first, then `FORCE_COLOR` (https://force-color.org).
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands escape sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal; None if the stream is none: what reads it then has lines of any length."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def coloured(text: str, colour: str) -> str:
    """`text` in a colour."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


class Line:
    """A line on a terminal that each text replaces, and that is gone in the end.

    Args:
        stream: standard error. If it is no terminal, nothing is written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = is_terminal(stream)

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Erases the line."""
        self._write("")

    def show(self, text: str) -> None:
        """Replaces the line. `text` must be printable; it is cut at the width of the terminal."""
        if self._terminal:
            self._write(text[: (width_of(self._stream) or 80) - 1])

    def _write(self, text: str) -> None:
        if self._terminal:
            self._stream.write(f"{_ERASE}{text}")
            self._stream.flush()
