"""Text below a line that it is about."""

from __future__ import annotations

import textwrap

_WIDTH = 100


def wrapped(text: str, indent: str, hanging: str = "") -> list[str]:
    """The lines of a text, indented; all but the first by `hanging` as well. Words stay in one piece."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
