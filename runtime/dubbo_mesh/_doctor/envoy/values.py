"""Reads values from JSON of which nothing is certain: a value of another type counts as unset.

Field names are those of Envoy's v3 API. Durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

Json: TypeAlias = Mapping[str, Any]

EMPTY: Json = MappingProxyType({})

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DENOMINATORS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
_DURATION = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s")


def at(node: object, *path: str) -> object:
    """The value at `path` below `node`; None if there is none."""
    for name in path:
        if not isinstance(node, dict):
            return None
        node = cast("dict[str, object]", node).get(name)
    return node


def mapping(node: object, *path: str) -> Json:
    """The object at `path` below `node`; an empty one if there is none."""
    value = at(node, *path)
    return cast("Json", value) if isinstance(value, dict) else EMPTY


def has(node: object, *path: str) -> bool:
    """Whether there is an object at `path`: an empty message is set too."""
    return isinstance(at(node, *path), dict)


def objects(node: object, *path: str) -> Iterator[Json]:
    """The objects in the list at `path` below `node`."""
    value = at(node, *path)
    if isinstance(value, list):
        for each in cast("list[object]", value):
            if isinstance(each, dict):
                yield cast("Json", each)


def texts(node: object, *path: str) -> list[str]:
    """The strings in the list at `path` below `node`."""
    value = at(node, *path)
    return (
        [each for each in cast("list[object]", value) if isinstance(each, str)]
        if isinstance(value, list)
        else []
    )


def text(node: object, *path: str) -> str:
    """The string at `path` below `node`; empty if there is none."""
    value = at(node, *path)
    return value if isinstance(value, str) else ""


def number(node: object, *path: str) -> int | None:
    """The whole number at `path`; None if there is none, or none that 64 bits can hold.

    Numbers of 64 bits are strings in protobuf's JSON.
    """
    value = at(node, *path)
    if isinstance(value, dict):
        value = cast("dict[str, object]", value).get("value")
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64:
        return value
    return None


def real(node: object, *path: str) -> float | None:
    """The number at `path`, which need not be whole; None if there is none."""
    value = at(node, *path)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def percentage(node: object, *path: str) -> float | None:
    """The percentage of the `FractionalPercent` at `path`; None if there is none."""
    if not has(node, *path):
        return None
    message = mapping(node, *path)
    whole = _DENOMINATORS.get(text(message, "denominator"), 100)
    return (number(message, "numerator") or 0) * 100 / whole


def flag(node: object, *path: str) -> bool | None:
    """The boolean at `path`; None if there is none."""
    value = at(node, *path)
    return value if isinstance(value, bool) else None


def seconds(node: object, *path: str) -> float | None:
    """The duration at `path`, in seconds."""
    value = at(node, *path)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) if match else None
