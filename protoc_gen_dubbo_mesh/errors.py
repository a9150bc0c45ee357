"""The one way in which a user's mistake ends a run."""

from __future__ import annotations


class GenerationError(Exception):
    """Something in the user's input cannot be generated from; the message is one clear line.

    Args:
        message: what is wrong and, where it is not plain, what to do about it.
        where: `file:line` or `file` of the mistake, where there is one.
    """

    def __init__(self, message: str, where: str | None = None) -> None:
        line = f"{where}: {message}" if where else message
        super().__init__(printable(line))


def printable(text: str) -> str:
    """`text` on one line: what is not printable (newlines, controls, bidi overrides) as escapes."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
