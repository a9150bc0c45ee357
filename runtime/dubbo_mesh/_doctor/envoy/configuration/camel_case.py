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
    """Renames the fields of a document, in place, and returns it.

    Keys that do not look like fields stay, such as names of extensions.
    """
    renamed: dict[str, str] = {}
    waiting = [document]
    while waiting:  # not recursive: documents may be nested deeply
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(cast("list[object]", node))
        elif isinstance(node, dict):
            fields = cast("dict[str, object]", node)
            items = list(fields.items())
            fields.clear()
            for key, value in items:
                name = renamed.get(key)
                if name is None:
                    name = renamed[key] = _renamed(key)
                fields[name] = value
                if name not in _ARBITRARY and isinstance(value, (dict, list)):
                    waiting.append(cast("object", value))
    return document


def _renamed(name: str) -> str:
    if _FIELD.fullmatch(name):
        return _CAPITAL.sub(lambda match: f"_{match[0].lower()}", name)
    return name
