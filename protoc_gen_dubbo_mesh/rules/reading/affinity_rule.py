"""Affinity rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import AffinityRule
from . import shapes
from .header import header

if TYPE_CHECKING:
    from ..problems import Problem
    from .tree import Mapping


def read(tree: Mapping, problems: list[Problem], metadata: Mapping | None = None) -> AffinityRule:
    """Reads an affinity rule."""
    head = header(tree, {"affinityAware"}, problems, metadata)
    found = shapes.mapping(tree, "affinityAware", problems)
    key = tree.key("affinityAware")
    where = key.where if key else tree.where
    if found is None:
        return AffinityRule(head, where, None, None)
    head = head._replace(unknown=(*head.unknown, *shapes.unknown(found, {"key", "ratio"}, "affinityAware.")))
    return AffinityRule(
        head, where, shapes.scalar(found, "key", problems), shapes.scalar(found, "ratio", problems)
    )
