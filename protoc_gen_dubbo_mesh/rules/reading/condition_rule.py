"""Condition rules, of v3.0 and v3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Condition, ConditionRule, Destination, Scalar, SharedCondition
from ..problems import Problem
from . import shapes
from .condition_text import ConditionError, sides, terms
from .header import header
from .tree import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Term
    from .tree import Node


def read(tree: Mapping, problems: list[Problem], metadata: Mapping | None = None) -> ConditionRule:
    """Reads a condition rule."""
    head = header(tree, {"conditions"}, problems, metadata)
    found = shapes.items(tree, "conditions", problems) or ()
    return ConditionRule(head, tuple(_conditions(found, problems)))


def condition(item: Scalar) -> Condition:
    """Reads a condition of v3.0."""
    try:
        when, then = sides(item.text)
    except ConditionError as error:
        return Condition(item.text, item.where, error=str(error))
    return Condition(item.text, item.where, when, then)


def _conditions(found: tuple[Node, ...], problems: list[Problem]) -> Iterator[Condition | SharedCondition]:
    for item in found:
        if isinstance(item, Scalar):
            yield condition(item)
        elif isinstance(item, Mapping):
            yield _shared(item, problems)
        else:
            problems.append(Problem(item.where, "a condition must be text, or a mapping, not a list"))


def _shared(item: Mapping, problems: list[Problem]) -> SharedCondition:
    source = shapes.mapping(item, "from", problems)
    text, when, error = ("", (), "") if source is None else _match(source, problems)
    destinations = shapes.mappings(item, "to", problems) or ()
    key = item.key("from")
    return SharedCondition(
        text,
        key.where if key else item.where,  # not that of a key before it
        when,
        tuple([_destination(each, problems) for each in destinations]),
        error,
        (
            *shapes.unknown(item, {"from", "to"}),
            *(shapes.unknown(source, {"match"}, "from.") if source else ()),
            *(one for each in destinations for one in shapes.unknown(each, {"match", "weight"}, "to.")),
        ),
    )


def _destination(item: Mapping, problems: list[Problem]) -> Destination:
    text, then, error = _match(item, problems)
    return Destination(text, item.where, then, shapes.scalar(item, "weight", problems), error)


def _match(tree: Mapping, problems: list[Problem]) -> tuple[str, tuple[Term, ...], str]:
    """The text of `match`, its terms, and why it cannot be parsed."""
    found = shapes.scalar(tree, "match", problems)
    if found is None:
        return "", (), ""
    try:
        return found.text, terms(found.text), ""
    except ConditionError as error:
        return found.text, (), str(error)
