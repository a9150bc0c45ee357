"""Standard output and error, readable on any terminal.

Characters that the terminal's encoding lacks are escaped. `printable` also escapes those with which a name or
a comment in a proto could control the terminal or falsify what it shows: control characters and overrides of
the writing direction.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from .errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .errors import GenerationError

_BLANK = re.compile(r"([\t\n])")


def print_status(line: str) -> None:
    """Writes a line to standard error."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def print_error(error: GenerationError) -> None:
    """Writes an error in the user's input to standard error: one line, or several from protoc."""
    for line in str(error).split("\n"):
        print_status(line)


def print_output(lines: Iterable[str]) -> None:
    """Writes text with newlines and tabs to standard output."""
    for line in lines:
        sys.stdout.write("".join(map(_printable_or_blank, _BLANK.split(line))))


def _printable_or_blank(text: str) -> str:
    return text if _BLANK.fullmatch(text) else printable(text)
