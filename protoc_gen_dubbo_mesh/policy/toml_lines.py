"""TOML files, with the line of each key, which `tomllib` does not report."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, ...]
"""Where in a file a value is set: the keys of the tables around it, and its own."""


class TomlFile(NamedTuple):
    """A TOML file.

    Attributes:
        path: as messages show it.
        text: its content.
    """

    path: str
    text: str

    def content(self) -> dict[str, Any]:
        """The tables and values.

        Raises:
            GenerationError: the text is not TOML.
        """
        import tomllib

        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            message, _, position = str(error).partition(" (at line ")
            line = position.partition(",")[0] if position else len(self.text.splitlines())
            raise GenerationError(f"not TOML: {message}", f"{self.path}:{line}") from error

    def where(self, key: Key) -> str:
        """`file:line` of a key, or of the table around it."""
        lines = _lines(self.text)
        for end in range(len(key), 0, -1):
            if key[:end] in lines:
                return f"{self.path}:{lines[key[:end]]}"
        return self.path


@lru_cache(2**2)  # callers tend to need many lines of the same file
def _lines(text: str) -> Mapping[Key, int]:
    """The line on which each key, and each table, is set first."""
    import tomllib

    lines: dict[Key, int] = {}
    header: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        statement = line.strip()
        is_header = statement.startswith("[")
        if not is_header:
            statement = statement.partition("=")[0] + "= 0"
        try:
            here = _only_path(tomllib.loads(statement))
        except tomllib.TOMLDecodeError:
            continue  # the line is part of a value that spans several
        if is_header:
            header = here
        else:
            here = header + here
        for end in range(1, len(here) + 1):
            lines.setdefault(here[:end], number)
    return lines


def _only_path(content: Mapping[str, Any]) -> Key:
    path: list[str] = []
    value: Any = content
    while isinstance(value, dict) and len(cast("dict[str, Any]", value)) == 1:
        [(key, value)] = cast("dict[str, Any]", value).items()
        path.append(key)
    return tuple(path)
