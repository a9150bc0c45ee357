"""The line of each value in a JSON document, which `json` does not tell."""

from __future__ import annotations

import json
import re

Key = tuple[str | int, ...]
"""Where in a document a value stands: the names and indexes that lead to it."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]')


def line_of(text: str, key: Key) -> int:
    """The line of a value, or of the innermost one around it that is there, counted from 1.

    Args:
        text: a valid JSON document.
        key: where the value stands.
    """
    here: list[str | int] = []
    name: str | None = None  # of the member of an object that begins
    best, best_line = 0, 1
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{":
                here.append("")
            case "[":
                here.append(0)
            case "}" | "]":
                here.pop()
            case ":" if name is not None:
                here[-1] = name
            case "," if isinstance(here[-1], int):
                here[-1] += 1
            case punctuation if punctuation in ":,":
                continue
            case string:
                name = json.loads(string)
                continue
        depth = _common_length(here, key)
        if depth > best and depth == len(here):
            best, best_line = depth, text.count("\n", 0, token.start()) + 1
    return best_line


def _common_length(here: list[str | int], key: Key) -> int:
    length = 0
    for mine, wanted in zip(here, key, strict=False):
        if mine != wanted:
            break
        length += 1
    return length
