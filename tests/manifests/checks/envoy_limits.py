"""The limits that Envoy's messages have for numbers and durations.

They are options of the fields (`validate.rules`), which Envoy checks when it gets a configuration. What is
required is not checked: an EnvoyFilter may patch a part of a message.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Iterator
from typing import Any

from google.protobuf import any_pb2, duration_pb2, symbol_database
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_RULES: Any = importlib.import_module("validate.validate_pb2").rules  # of xds-protos, without types
_BOUNDS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_WRAPPERS = "google/protobuf/wrappers.proto"


def broken(message: Message, path: str = "") -> Iterator[str]:
    """The limits that fields which are set do not keep."""
    if isinstance(message, any_pb2.Any):
        inner = symbol_database.Default().GetSymbol(message.TypeName())()
        message.Unpack(inner)
        yield from broken(inner, path)
        return
    for field, value in message.ListFields():
        rules: Any = field.GetOptions().Extensions[_RULES]
        place = f"{path}.{field.name}".lstrip(".")
        if _is_map(field):
            for key, item in value.items():
                yield from _of_value(item, rules.map.values, f"{place}.{key}")
        elif field.is_repeated:
            for number, item in enumerate(value):
                yield from _of_value(item, rules.repeated.items, f"{place}.{number}")
        else:
            yield from _of_value(value, rules, place)


def _of_value(value: Any, rules: Any, path: str) -> Iterator[str]:
    kind: str | None = rules.WhichOneof("type")
    limits: Any = getattr(rules, kind) if kind else None
    if isinstance(value, duration_pb2.Duration):
        yield from _outside(value.ToNanoseconds(), limits, path, value.ToJsonString())
    elif isinstance(value, Message):
        if value.DESCRIPTOR.file.name == _WRAPPERS:
            yield from _of_value(value.value, rules, path)  # type: ignore[attr-defined]  # a wrapper has it
        else:
            yield from broken(value, path)
    elif isinstance(value, int | float):
        yield from _outside(value, limits, path, str(value))


def _outside(value: float, limits: Any, path: str, shown: str) -> Iterator[str]:
    for name, keeps in _BOUNDS.items():
        if limits is None or name not in limits.DESCRIPTOR.fields_by_name or not limits.HasField(name):
            continue
        limit = getattr(limits, name)
        if isinstance(limit, duration_pb2.Duration):
            limit = limit.ToNanoseconds()
        if not keeps(value, limit):
            yield f"{path} must be {name} {limit}, not {shown}"


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry
