"""YAML itself: documents that every parser reads alike, and that are JSON."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from tests.manifests.checks.json_values import is_mapping, is_sequence


class YamlError(Exception):
    """The text is not YAML."""


class _Loader(yaml.CSafeLoader):
    """Refuses duplicate keys, of which YAML's parsers keep either one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            # Its types lack those of its parameters.
            key: Any = self.construct_object(key_node, deep=True)  # pyright: ignore[reportUnknownMemberType]
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# Booleans, nulls and numbers of any version, and what all versions read alike.
_AMBIGUOUS = re.compile(
    r"y|n|yes|no|on|off|true|false|null|~|=|<<|[-+]?\.(inf|nan)"
    r"|[-+]?(0x[0-9a-f_]+|0[ob][0-7_]+|\.[0-9].*|[0-9][0-9_]*(:[0-9]+)*(\.[0-9_]*)?(e[-+]?[0-9]+)?)",
    re.IGNORECASE,
)
_CLEAR = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def load(text: str) -> list[Any]:
    """The documents of a text, without empty ones.

    Raises:
        YamlError: the text is not YAML.
    """
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from error


def ambiguous(text: str) -> list[str]:
    """Plain scalars that parsers of YAML 1.1 and 1.2 read as different values."""
    return [
        f"line {_line(event)}: {event.value} must be quoted, or written otherwise"
        for event in yaml.parse(text, _Loader)
        if isinstance(event, yaml.ScalarEvent)
        and event.implicit[0]
        and _AMBIGUOUS.fullmatch(event.value)
        and not _CLEAR.fullmatch(event.value)
    ]


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def unlike_json(document: Any, path: str = "") -> list[str]:
    """What is no JSON in a document, such as dates and keys other than strings."""
    return list(_unlike_json(document, path))


def _unlike_json(value: Any, path: str) -> Iterator[str]:
    if is_mapping(value):
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"{path}: the key {key!r} must be a string"
            yield from _unlike_json(item, f"{path}.{key}".lstrip("."))
    elif is_sequence(value):
        for number, item in enumerate(value):
            yield from _unlike_json(item, f"{path}[{number}]")
    elif value is not None and not isinstance(value, str | bool | int | float):
        yield f"{path}: {value!r} must be a string"
