"""YAML itself: documents that every parser reads alike, and that are JSON."""

from __future__ import annotations

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


def load(text: str) -> list[Any]:
    """The documents of a text, without empty ones.

    Raises:
        YamlError: the text is not YAML.
    """
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from error


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
