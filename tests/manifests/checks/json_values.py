"""Parts of documents, with types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a part of a document is a mapping; `documents` has checked its keys."""
    return isinstance(value, dict)


def is_sequence(value: object) -> TypeGuard[list[Any]]:
    """Whether a part of a document is a sequence."""
    return isinstance(value, list)


def mapping(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The mapping with this name in another one; empty if it is not there, or null."""
    value = parent.get(name)
    return value if is_mapping(value) else {}


def sequence(parent: Mapping[str, Any], name: str) -> list[Any]:
    """The sequence with this name in a mapping; empty if it is not there, or null."""
    value = parent.get(name)
    return value if is_sequence(value) else []
