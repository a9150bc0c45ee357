"""All that rules say, line by line: nothing of it may be left out of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..model import (
    HEADER_KEYS,
    AffinityRule,
    Condition,
    ConditionRule,
    ConfiguratorRule,
    MeshRule,
    ScriptRule,
    TagRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import ConfigItem, Header, Rule, SharedCondition
    from ..positions import Position


class Line(NamedTuple):
    """What a line says.

    Attributes:
        where: where it stands.
        text: what it says.
        is_header: whether it is a key that all kinds of rules have.
    """

    where: Position
    text: str
    is_header: bool = False


def lines_of(rule: Rule) -> Iterator[Line]:
    """The lines of a rule."""
    yield from _header(rule.header)
    match rule:
        case ConditionRule(_, conditions):
            for each in conditions:
                yield from _condition(each)
        case TagRule(_, tags):
            for tag in tags:
                yield Line(tag.where, f"tag {tag.name.text}")
                yield from (Line(one.where, f"tag {tag.name.text}: {one.path}") for one in tag.unknown)
        case AffinityRule(_, where, key, _):
            yield Line(where, f"affinityAware: {key.text if key else ''}")
        case ScriptRule(_, _, script):
            yield Line(script.where, "script")
        case MeshRule(_, _, subsets, routings):
            yield from (Line(subset.where, f"subset {subset.name}") for subset in subsets)
            for routing in routings:
                yield from (Line(route.where, f"route {route.name}") for route in routing.routes)
        case ConfiguratorRule(_, configs):
            for item in configs:
                yield from _item(item)


def _header(header: Header) -> Iterator[Line]:
    for name, field in HEADER_KEYS.items():
        scalar = getattr(header, field)
        if scalar is not None:
            yield Line(scalar.where, f"{name}: {scalar.text}", is_header=True)
    yield from (Line(unknown.where, unknown.path) for unknown in header.unknown)


def _condition(condition: Condition | SharedCondition) -> Iterator[Line]:
    yield Line(condition.where, condition.text)  # what is said of it is said of its destinations
    if not isinstance(condition, Condition):
        yield from (Line(unknown.where, unknown.path) for unknown in condition.unknown)


def _item(item: ConfigItem) -> Iterator[Line]:
    if not item.parameters:
        yield Line(item.where, "configs: no parameters")
    for parameter in item.parameters:
        yield Line(parameter.where, f"{parameter.name}: {parameter.value.text}")
    for unknown in (*item.unknown, *(item.match.unknown if item.match else ())):
        yield Line(unknown.where, unknown.path)
