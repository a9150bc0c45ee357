"""Condition rules, of v3.0 and v3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Condition, ConditionRule, Destination, Scalar, SharedCondition, Unknown
from .condition_text import ConditionError, sides, terms
from .header import header
from .tree import Mapping, Sequence

if TYPE_CHECKING:
    from ..problems import Problem
    from .tree import Node


def read(tree: Mapping, problems: list[Problem]) -> ConditionRule:
    """Reads a condition rule."""
    conditions = tree.get("conditions")
    items = conditions.items if isinstance(conditions, Sequence) else ()
    return ConditionRule(header(tree, {"conditions"}), tuple([_condition(item) for item in items]))


def _condition(item: Node) -> Condition | SharedCondition:
    if isinstance(item, Mapping):
        return _shared(item)
    if isinstance(item, Sequence):
        raise NotImplementedError
    try:
        when, then = sides(item.text)
    except ConditionError as error:
        return Condition(item.text, item.where, error=str(error))
    return Condition(item.text, item.where, when, then)


def _shared(item: Mapping) -> SharedCondition:
    source = item.get("from")
    text = source.get("match") if isinstance(source, Mapping) else None
    to = item.get("to")
    unknown = tuple(
        [Unknown(key.text, key.where) for key, _ in item.entries if key.text not in {"from", "to"}]
    )
    when = text.text if isinstance(text, Scalar) else ""
    destinations = (
        [_destination(each) for each in to.items if isinstance(each, Mapping)]
        if isinstance(to, Sequence)
        else []
    )
    return SharedCondition(when, item.where, terms(when), tuple(destinations), unknown=unknown)


def _destination(item: Mapping) -> Destination:
    match, weight = item.get("match"), item.get("weight")
    text = match.text if isinstance(match, Scalar) else ""
    return Destination(text, item.where, terms(text), weight if isinstance(weight, Scalar) else None)
