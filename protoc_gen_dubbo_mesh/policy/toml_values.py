"""Typed values of a TOML file; each error names the key and its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, TypeVar

from ..errors import GenerationError
from .provenance import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .model import Duration
    from .toml_lines import Key, TomlFile

T = TypeVar("T")

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_LONGEST = 315_576_000_000
"""The most seconds in a `google.protobuf.Duration`, which options in protos are: 10,000 years."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class TomlValues(NamedTuple):
    """Reads the values of a file. Every method raises GenerationError if a value is not what it reads.

    Attributes:
        file: the file.
    """

    file: TomlFile

    def table(self, key: Key, content: object, known: Collection[str] | None = None) -> dict[str, Any]:
        """A table with no other keys than `known`; None means any."""
        if not _is_table(content):
            raise self.wrong(key, f"must be a table, not {content!r}")
        for name in content:
            if known is not None and name not in known:
                raise GenerationError(
                    f"unknown key {dotted((*key, name))}: must be one of {', '.join(sorted(known))}",
                    self.file.where((*key, name)),
                )
        return content

    def text(self, key: Key, value: object) -> str:
        """A string."""
        if isinstance(value, str):
            return value
        raise self.wrong(key, f"must be a string, not {value!r}")

    def texts(self, key: Key, value: object) -> tuple[str, ...]:
        """A list of at least one string."""
        if _is_list(value) and value and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(key, f"must be a non-empty list of strings, not {value!r}")

    def flag(self, key: Key, value: object) -> bool:
        """A boolean."""
        if isinstance(value, bool):
            return value
        raise self.wrong(key, f"must be true or false, not {value!r}")

    def whole(self, key: Key, value: object) -> int:
        """An integer of at least 0."""
        if _is_whole(value):
            return value
        raise self.wrong(key, f"must be an integer of at least 0, not {value!r}")

    def wholes(self, key: Key, value: object) -> tuple[int, ...]:
        """A list of at least one such integer."""
        if _is_list(value) and value and all(map(_is_whole, value)):
            return tuple(value)
        raise self.wrong(key, f"must be a non-empty list of integers, not {value!r}")

    def conditions(self, key: Key, value: object) -> tuple[str, ...]:
        """A list of names of retry conditions, as Envoy spells them."""
        if _is_list(value) and value and all(isinstance(item, str) for item in value):
            return tuple(item.lower().replace("_", "-") for item in value)
        raise self.wrong(key, f"must be a non-empty list of names of Envoy's retry conditions, not {value!r}")

    def duration(self, key: Key, value: object) -> Duration:
        """A duration: a number of seconds, or a string with a unit."""
        seconds: float = _LONGEST + 1
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            seconds = value  # an integer may be too large for a float
        elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
            seconds = float(match[1]) * _SECONDS[match[2]]
        if seconds <= _LONGEST:
            return float(seconds)
        raise self.wrong(key, f'must be a duration: seconds, or "500ms", "3s", "2m", "1h", not {value!r}')

    def strings_by_name(self, key: Key, value: object) -> dict[str, str]:
        """A table of strings."""
        if _is_table(value) and all(isinstance(each, str) for each in value.values()):
            return value
        raise self.wrong(key, f"must be a table of strings, not {value!r}")

    def strings(self, key: Key, value: object) -> tuple[str, ...]:
        """A list of strings, which may be empty."""
        if _is_list(value) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(key, f"must be a list of strings, not {value!r}")

    def check(self, key: Key, check: Callable[[], T]) -> T:
        """The result of `check`, whose ValueError becomes an error at `key`."""
        try:
            return check()
        except ValueError as error:
            raise GenerationError(str(error), self.file.where(key)) from error

    def origin(self, key: Key) -> Origin:
        """Where the value of `key` is set."""
        return Origin("config", self.file.where(key))

    def wrong(self, key: Key, what: str) -> GenerationError:
        """The error that the value of `key` is wrong."""
        return GenerationError(f"{dotted(key)} {what}", self.file.where(key))


def dotted(key: Key) -> str:
    """A key as TOML spells it."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in key)


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
