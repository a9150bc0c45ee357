"""What terminals can do: colours, their width, and a line that is replaced."""

from __future__ import annotations

import os
import textwrap
from types import TracebackType
from typing import Self, TextIO

_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}

_WIDTH = 80  # columns of a terminal that does not say how many it has

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
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except OSError:
        return _WIDTH


def wrapped(text: str, start: str, width: int | None) -> list[str]:
    """`text` in lines that begin with `start`, or are indented by as much. Words are not broken.

    Args:
        text: without newlines.
        start: what the first line begins with.
        width: the columns of the terminal; if None, there is one line.
    """
    if width is None:
        return [f"{start}{text}"]
    lines = textwrap.wrap(
        text,
        max(width, len(start) + 20),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [start]


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
            self._write(text[: (width_of(self._stream) or _WIDTH) - 1])

    def _write(self, text: str) -> None:
        if self._terminal:
            self._stream.write(f"{_ERASE}{text}")
            self._stream.flush()
