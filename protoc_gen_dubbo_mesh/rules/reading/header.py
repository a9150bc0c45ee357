"""What all kinds of rules have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Header, Scalar, Unknown

if TYPE_CHECKING:
    from .tree import Mapping

_FIELDS = {
    "configVersion": "config_version",
    "scope": "scope",
    "key": "key",
    "force": "force",
    "enabled": "enabled",
    "runtime": "runtime",
    "priority": "priority",
    "valid": "valid",
    "dynamic": "dynamic",
}


def header(tree: Mapping, known: set[str]) -> Header:
    """Reads what rules have in common.

    Args:
        tree: the rule.
        known: further keys that its kind has.
    """
    values: dict[str, Any] = {
        field: value for name, field in _FIELDS.items() if isinstance(value := tree.get(name), Scalar)
    }
    unknown = [Unknown(key.text, key.where) for key, _ in tree.entries if key.text not in {*_FIELDS, *known}]
    return Header(tree.where, **values, unknown=tuple(unknown))
