"""Structural schemas of CustomResourceDefinitions as JSON schemas, with unknown fields forbidden.

Source of what they may contain: "Extend the Kubernetes API with CustomResourceDefinitions", Kubernetes' docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]

from tests.manifests.checks.json_values import is_mapping, is_sequence, mapping

_COMPILED: dict[int, tuple[Mapping[str, Any], Validator]] = {}
_LONGEST = 200  # characters of a message


def errors(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """What the schema has against a resource."""
    if id(schema) not in _COMPILED:
        closed = _closed(schema)
        closed["properties"] |= _OF_EVERY_RESOURCE
        _COMPILED[id(schema)] = schema, _VALIDATOR(closed)
    validator = _COMPILED[id(schema)][1]
    yield from messages(validator.iter_errors(value))


def messages(found: Iterable[jsonschema.ValidationError]) -> Iterator[str]:
    """A line for each error."""
    for error in sorted(found, key=lambda error: [str(part) for part in error.absolute_path]):
        place = ".".join(map(str, error.absolute_path)) or "the resource"
        text = error.message
        yield f"{place}: {text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}"


def duplicates(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Items that are twice in a list that is a set, or a map by some of its items' fields."""
    for part, inner, item in children(schema, value):
        yield from duplicates(inner, item, f"{path}.{part}".lstrip("."))
    if not is_sequence(value):
        return
    keys: Any = None
    match schema.get("x-kubernetes-list-type"):
        case "set":
            keys = value
        case "map":
            names = schema["x-kubernetes-list-map-keys"]
            fields = schema["items"].get("properties", {})
            keys = [[item.get(name, fields[name].get("default")) for name in names] for item in value]
        case _:
            return
    for number, key in enumerate(keys):
        if key in keys[:number]:
            yield f"{path}.{number}: {key} is there twice"


def add_defaults(schema: Mapping[str, Any], value: Any) -> None:
    """Adds the schema's defaults, as an API server does before it evaluates rules."""
    if is_mapping(value):
        for name, inner in mapping(schema, "properties").items():
            if "default" in inner:
                value.setdefault(name, inner["default"])
    for _, inner, item in children(schema, value):
        add_defaults(inner, item)


def children(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """The parts of a value, each with its name or number and its schema."""
    if is_mapping(value):
        properties = mapping(schema, "properties")
        others = schema.get("additionalProperties")
        for name, item in value.items():
            inner = properties.get(name, others)
            if is_mapping(inner):
                yield name, inner, item
    elif is_sequence(value):
        for number, item in enumerate(value):
            yield str(number), mapping(schema, "items"), item


_OF_EVERY_RESOURCE = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema. Its alternatives (`oneOf` and the like) stay as they are: they name some fields only."""
    closed = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if "properties" in closed:
        closed["properties"] = {name: _closed(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if is_mapping(closed.get(key)):
            closed[key] = _closed(closed[key])
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    if closed.pop("nullable", False):
        closed["type"] = [closed["type"], "null"]
    return closed


def _matches(_: object, pattern: str, value: object, __: object) -> Iterator[jsonschema.ValidationError]:
    """As in Go: `$` is the end of the text only, and classes such as `\\w` have ASCII characters only."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value, re.ASCII):
        yield jsonschema.ValidationError(f"{value!r} must match {pattern}")


# Its types say that `extend` has none.
_VALIDATOR: type[Validator] = extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _matches}
)
