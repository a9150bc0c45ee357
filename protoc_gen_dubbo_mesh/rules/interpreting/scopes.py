"""Which requests a rule is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Scope

if TYPE_CHECKING:
    from ..model import Header


def scope(header: Header) -> Scope:
    """The scope of a rule: an application, or a service as `group/interface:version`."""
    key = header.key.text if header.key else ""
    where = header.key.where if header.key else header.where
    if header.scope and header.scope.text == "application":
        return Scope(None, None, None, key, key, where)
    group, slash, rest = key.rpartition("/")
    service, _, version = rest.partition(":")
    return Scope(service or None, version or None, group if slash else None, None, key, where)
