"""Gives fields the names that Envoy's admin endpoint uses, where a program has printed them in camel case.

istioctl prints messages in protobuf's canonical JSON (`filterChains`), Envoy by the names in the .proto files
(`filter_chains`).
"""

from __future__ import annotations

import re
from typing import cast

_FIELD = re.compile(r"[a-z][a-z0-9]*(?:[A-Z][a-z0-9]*)+")
_CAPITAL = re.compile(r"[A-Z]")

_ARBITRARY = ("filter_metadata", "metadata", "runtime")
"""Fields whose keys are no names of fields, but whatever somebody has put there."""


def to_snake_case(document: object) -> object:
    """A copy with fields renamed. Keys that do not look like fields stay, such as names of extensions."""
    root: list[object] = [document]
    waiting: list[tuple[list[object] | dict[str, object], object]] = [(root, 0)]
    renamed: dict[str, str] = {}
    while waiting:  # not recursive: documents may be nested deeply
        owner, key = waiting.pop()
        value = cast("dict[object, object]", owner)[key]
        copied: list[object] | dict[str, object]
        if isinstance(value, dict):
            copied = {}
            for name, below in cast("dict[str, object]", value).items():
                if name not in renamed:
                    renamed[name] = _renamed(name)
                copied[renamed[name]] = below
            waiting.extend((copied, name) for name in copied if name not in _ARBITRARY)
        elif isinstance(value, list):
            copied = list(cast("list[object]", value))
            waiting.extend((copied, index) for index in range(len(copied)))
        else:
            continue
        cast("dict[object, object]", owner)[key] = copied
    return root[0]


def _renamed(name: str) -> str:
    if _FIELD.fullmatch(name):
        return _CAPITAL.sub(lambda match: f"_{match[0].lower()}", name)
    return name
