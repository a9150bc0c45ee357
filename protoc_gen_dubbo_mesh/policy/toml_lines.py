"""TOML files: their content, and the line of each key, which `tomllib` does not report."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
            GenerationError: it is not TOML, or its values are too long or nested too deeply to be read.
        """
        import tomllib

        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            message, _, position = str(error).partition(" (at line ")
            line = (
                int(position.partition(",")[0]) if position else self.text.removesuffix("\n").count("\n") + 1
            )
            if self.text.startswith("\ufeff"):
                message = "the file begins with a byte order mark: save it without"
            raise GenerationError(f"not TOML: {message}", f"{self.path}:{line}") from error
        except RecursionError as error:
            raise GenerationError("values are nested too deeply", self.path) from error
        except ValueError as error:  # of int, which takes 4300 digits
            where = f"{self.path}:{line_of_long_number(self.text)}"
            raise GenerationError("a number has too many digits", where) from error

    def where(self, key: Key) -> str:
        """`file:line` of a key, or of the table around it."""
        lines = _lines(self.text)
        for end in range(len(key), 0, -1):
            if key[:end] in lines:
                return f"{self.path}:{lines[key[:end]]}"
        return self.path


def line_of_long_number(text: str) -> int:
    """The line of the first number that is too long for `int`; the first line if there is none."""
    long = re.search(r"[0-9_]{4300,}", text)
    return text.count("\n", 0, long.start() if long else 0) + 1


@lru_cache(2**2)  # callers tend to need many lines of the same file
def _lines(text: str) -> Mapping[Key, int]:
    """The line on which each key, and each table, is set first. The text is valid TOML."""
    lines: dict[Key, int] = {}
    for key, line in _keys(text):
        for end in range(1, len(key) + 1):
            lines.setdefault(key[:end], line)
    return lines


_TOKEN = re.compile(
    r'''
    (?P<newline>\n)
    | (?P<comment>\#[^\n]*)
    | (?P<string> """ (?: [^"\\] | \\. | "{1,2} (?!") )* "{3,5}  # may end with two quotes of its own
                | \'\'\' (?: [^'] | '{1,2} (?!') )* '{3,5}
                | " (?: [^"\\\n] | \\. )* "
                | ' [^'\n]* ' )
    | (?P<mark>[][{}=,.])
    | (?P<bare>[^][{}=,.\#"'\s]+)
    ''',
    re.VERBOSE | re.DOTALL,
)


def _keys(text: str) -> Iterator[tuple[Key, int]]:
    """Each key that a statement, a header or an inline table sets, with its line.

    Headers stand between brackets as arrays do, but where a key is expected.
    """
    header: Key = ()
    around: list[tuple[str, Key]] = []  # the brackets that are open, with the key whose value they hold
    key: list[str] = []
    in_key, line = True, 1
    for token in _TOKEN.finditer(text):
        this = token[0]
        match token.lastgroup:
            case "newline" if not around:
                in_key, key = True, []
            case "mark" if in_key and not around and this in "[]":
                if this == "]" and key:
                    header, key = tuple(key), []
                    yield header, line
            case "mark" if in_key and this == "=":
                in_key = False
                key = [*(around[-1][1] if around else header), *key]
                yield tuple(key), line
            case "mark" if this in "[{":
                around.append((this, tuple(key)))
                in_key, key = this == "{", [] if this == "{" else key
            case "mark" if this in "]}":
                in_key, key = False, list(around.pop()[1])
            case "mark" if this == ",":
                in_key = around[-1][0] == "{"
                key = [] if in_key else key
            case "bare" | "string" if in_key:
                key.append(_name(this))
            case _:
                pass
        line += this.count("\n")


def _name(written: str) -> str:
    """The name that a part of a key stands for."""
    if written[0] == "'" or (written[0] == '"' and "\\" not in written):
        return written[1:-1]
    if written[0] != '"':
        return written
    import tomllib

    [name] = tomllib.loads(f"{written} = 0")
    return name
