"""What all kinds of rules have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import HEADER_KEYS, Header
from ..problems import Problem
from ..scalars import Kind, java_integer, kind
from . import shapes

if TYPE_CHECKING:
    from ..model import Scalar
    from .tree import Mapping

_TEXT = {"configVersion", "scope", "key"}
_BOOLEAN = {"force", "enabled", "runtime", "valid", "dynamic"}
_SHOWN = 50  # characters of a value
_DROPPED = "Java throws a ClassCastException and drops the rule"


def header(
    tree: Mapping, known: set[str], problems: list[Problem], metadata: Mapping | None = None
) -> Header:
    """Reads what rules have in common.

    Args:
        tree: the rule.
        known: further keys that its kind has.
        problems: gains what is wrong.
        metadata: that of a Kubernetes resource.
    """
    values: dict[str, Any] = {}
    for key, field in HEADER_KEYS.items():
        value = values[field] = shapes.scalar(tree, key, problems)
        if value is not None:
            _check(key, value, problems)
    return Header(
        tree.where,
        **identity(metadata, problems),
        **values,
        unknown=shapes.unknown(tree, {*HEADER_KEYS, *known}),
    )


def identity(metadata: Mapping | None, problems: list[Problem]) -> dict[str, Any]:
    """The name and the namespace of a Kubernetes resource, as fields of `Header`."""
    if metadata is None:
        return {}
    found = {key: shapes.scalar(metadata, key, problems) for key in ("name", "namespace")}
    return {key: None if value is None else value.text for key, value in found.items()}


def _check(name: str, value: Scalar, problems: list[Problem]) -> None:
    found = kind(value)
    message = ""
    if name in _TEXT and found is not Kind.TEXT:
        example = f"write v{value.text[:_SHOWN]}" if name == "configVersion" else "quote it"
        message = f"{name} is a {_word(found)} in YAML, not text: {_DROPPED}; {example}"
    elif name in _BOOLEAN and not _is_boolean(value, found):
        message = f"{name}: {value.text[:_SHOWN]} counts as false, as all but true does: write true or false"
    elif name == "priority" and java_integer(value) is None:
        message = f"priority is not an integer: {value.text[:_SHOWN]}: Java drops the rule"
    if message:
        problems.append(Problem(value.where, message))


def _is_boolean(value: Scalar, found: Kind) -> bool:
    return found is Kind.BOOLEAN or (found is Kind.TEXT and value.text.lower() in {"true", "false"})


def _word(found: Kind) -> str:
    return "number" if found is Kind.INTEGER else str(found)
