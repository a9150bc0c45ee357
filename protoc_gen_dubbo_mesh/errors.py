"""Errors in the user's input."""

from __future__ import annotations


class GenerationError(Exception):
    """The user's input has an error; the message is a single line.

    Args:
        message: what is wrong and, unless it is obvious, what to do about it.
        where: `file:line` or `file` of the error, if it is in a file.
    """

    def __init__(self, message: str, where: str | None = None) -> None:
        line = f"{where}: {message}" if where else message
        super().__init__(printable(line))


def printable(text: str) -> str:
    """`text` on one line, with characters that are not printable (newlines, bidi overrides) escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
