"""The line of each key in a TOML file, which `tomllib` does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

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

    def where(self, key: Key) -> str:
        """`file:line` of a key, or of the table around it."""
        import tomllib

        header: Key = ()
        best, best_line = 0, 0
        for number, line in enumerate(self.text.splitlines(), 1):
            statement = line.strip()
            is_header = statement.startswith("[")
            if not is_header:
                statement = statement.partition("=")[0] + "= 0"
            try:
                here = _only_path(tomllib.loads(statement))
            except tomllib.TOMLDecodeError:
                continue  # a part of a value over several lines
            if is_header:
                header = here
            else:
                here = header + here
            common = _common_length(here, key)
            if common > best:
                best, best_line = common, number
        return f"{self.path}:{best_line}" if best else self.path


def _only_path(content: Mapping[str, Any]) -> Key:
    path: list[str] = []
    value: Any = content
    while isinstance(value, dict) and len(cast("dict[str, Any]", value)) == 1:
        [(key, value)] = cast("dict[str, Any]", value).items()
        path.append(key)
    return tuple(path)


def _common_length(one: Key, other: Key) -> int:
    length = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        length += 1
    return length
