"""The line of each value in a JSON document, which `json` does not tell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str | int, ...]
"""Where in a document a value stands: the names and indexes that lead to it."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+')


def line_of(text: str, key: Key) -> int:
    """The line of a value, or of the innermost one around it that is there, counted from 1.

    Args:
        text: a valid JSON document.
        key: where the value stands.
    """
    deepest, position = 0, 0
    for here, start in _values(text):
        if len(here) > deepest and here == key[: len(here)]:
            deepest, position = len(here), start
    return text.count("\n", 0, position) + 1


def _values(text: str) -> Iterator[tuple[Key, int]]:
    """Where each value stands, and where its name or, in an array, the value itself begins in the text."""
    here: list[str | int] = []
    last = name = ""
    name_start = 0
    for token in _TOKEN.finditer(text):
        this, start = token[0], token.start()
        if here and isinstance(here[-1], int) and last in {"[", ","} and this != "]":
            yield tuple(here), start
        match this:
            case "{":
                here.append("")
            case "[":
                here.append(0)
            case "}" | "]":
                here.pop()
            case ":":
                here[-1] = json.loads(name)
                yield tuple(here), name_start
            case "," if isinstance(here[-1], int):
                here[-1] += 1
            case _:
                name, name_start = this, start
        last = this
