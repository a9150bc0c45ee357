"""Reads and writes protobuf's wire format, for the few fields of xDS messages that the doctor needs.

Their modules are not among the runtime's dependencies. (protobuf.dev: "Encoding".)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Message: TypeAlias = Mapping[int, Sequence[int | bytes]]
"""The values of each field, by its number."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def parse(content: bytes) -> Message:
    """Parses a message.

    Raises:
        ValueError: it is malformed.
    """
    fields: dict[int, list[int | bytes]] = defaultdict(list)
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            fields[number].append(value)
            continue
        if kind == _BYTES:
            length, at = _varint(content, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field has the unknown wire type {kind}")
        if at + length > len(content):
            raise ValueError("a message ends within a field")
        fields[number].append(content[at : at + length])
        at += length
    return fields


def messages(message: Message, number: int) -> Iterator[Message]:
    """The messages in a repeated field."""
    return (parse(value) for value in message.get(number, ()) if isinstance(value, bytes))


def texts(message: Message, number: int) -> list[str]:
    """The strings in a repeated field."""
    return [value.decode("utf-8", "replace") for value in message.get(number, ()) if isinstance(value, bytes)]


def text(message: Message, number: int) -> str:
    """A string; empty if it is unset."""
    return (texts(message, number) or [""])[-1]


def bytes_of(message: Message, number: int) -> bytes:
    """Bytes; empty if they are unset."""
    values = [value for value in message.get(number, ()) if isinstance(value, bytes)]
    return values[-1] if values else b""


def integer(message: Message, number: int) -> int:
    """An integer or an enum; 0 if it is unset."""
    values = [value for value in message.get(number, ()) if isinstance(value, int)]
    return values[-1] if values else 0


def field(number: int, value: bytes | str) -> bytes:
    """A field with bytes, a string or a message; nothing if it is empty."""
    content = value.encode() if isinstance(value, str) else value
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content if content else b""


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """An integer, and where the next value begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise ValueError("an integer is malformed")


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
