"""JSON documents: their content, and the line of each value, which `json` does not report."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..errors import GenerationError
from .toml_lines import line_of_long_number

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str | int, ...]
"""The place of a value in a document: the names and indexes that lead to it."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+')


def content_of(path: str, text: str) -> object:
    """The content of the document `text`, which is in the file `path`.

    Raises:
        GenerationError: it is not JSON, an object has a name twice (which gRPC refuses, too), or its values
            are too long or nested too deeply to be read.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise GenerationError(f"not JSON: {error.msg}", f"{path}:{error.lineno}") from error
    except _NamedTwiceError as error:
        name, line = _second(text)
        raise GenerationError(f"{name!r} is set twice in one object: remove one", f"{path}:{line}") from error
    except RecursionError as error:
        raise GenerationError("values are nested too deeply", path) from error
    except ValueError as error:  # of int, which takes 4300 digits
        where = f"{path}:{line_of_long_number(text)}"
        raise GenerationError("a number has too many digits", where) from error


class _NamedTwiceError(Exception):
    """An object has a name twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NamedTwiceError
    return found


def _second(text: str) -> tuple[str | int, int]:
    """The first name that an object has twice, and the line of its second value."""
    seen: set[Key] = set()
    for key, start in _values(text):
        if key in seen:
            return key[-1], _line(text, start)
        seen.add(key)
    raise ValueError("no object has a name twice")


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def line_of(text: str, key: Key) -> int:
    """The line of a value, or of the innermost existing one around it, counted from 1.

    Args:
        text: a valid JSON document.
        key: the place of the value.
    """
    deepest, position = 0, 0
    for here, start in _values(text):
        if len(here) > deepest and here == key[: len(here)]:
            deepest, position = len(here), start
    return _line(text, position)


def _values(text: str) -> Iterator[tuple[Key, int]]:
    """The place of each value, and the position in the text of its name or, in an array, of itself."""
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
