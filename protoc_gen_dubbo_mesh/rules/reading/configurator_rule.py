"""Configurators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import ConfigItem, ConfigMatch, ConfiguratorRule, Parameter, Scalar
from ..problems import Problem
from . import shapes
from .header import header
from .tag_rule import param_match

if TYPE_CHECKING:
    from ..model import StringMatch
    from .tree import Mapping

_LISTS = ("addresses", "providerAddresses", "services", "applications")
_KNOWN = {*_LISTS, "side", "parameters", "match", "type", "enabled"}


def read(tree: Mapping, problems: list[Problem], metadata: Mapping | None = None) -> ConfiguratorRule:
    """Reads configurators."""
    head = header(tree, {"configs"}, problems, metadata)
    found = shapes.mappings(tree, "configs", problems) or ()
    return ConfiguratorRule(head, tuple([_item(each, problems) for each in found]))


def _item(item: Mapping, problems: list[Problem]) -> ConfigItem:
    match = shapes.mapping(item, "match", problems)
    addresses, provider_addresses, services, applications = (
        shapes.scalars(item, name, problems) or () for name in _LISTS
    )
    return ConfigItem(
        item.where,
        shapes.scalar(item, "side", problems),
        _parameters(item, problems),
        None if match is None else _match(match, problems),
        addresses,
        provider_addresses,
        services,
        applications,
        shapes.scalar(item, "type", problems),
        shapes.scalar(item, "enabled", problems),
        shapes.unknown(item, _KNOWN),
    )


def _parameters(item: Mapping, problems: list[Problem]) -> tuple[Parameter, ...]:
    found = shapes.mapping(item, "parameters", problems)
    if found is None:
        return ()
    problems += [
        Problem(value.where, f"a parameter must be a single value, not {shapes.described(value)}")
        for _, value in found.entries
        if not isinstance(value, Scalar)
    ]
    return tuple(
        [Parameter(key.text, value, key.where) for key, value in found.entries if isinstance(value, Scalar)]
    )


def _match(tree: Mapping, problems: list[Problem]) -> ConfigMatch:
    address, provider_address = (
        None if (node := tree.get(name)) is None else shapes.string_match(node, problems)
        for name in ("address", "providerAddress")
    )
    return ConfigMatch(
        address,
        provider_address,
        _one_of(tree, "service", problems),
        _one_of(tree, "app", problems),
        tuple([param_match(each, problems) for each in shapes.mappings(tree, "param", problems) or ()]),
        shapes.unknown(tree, {"address", "providerAddress", "service", "app", "param"}, "match."),
    )


def _one_of(tree: Mapping, name: str, problems: list[Problem]) -> tuple[StringMatch, ...]:
    found = shapes.mapping(tree, name, problems)
    if found is None:
        return ()
    return tuple(
        [shapes.string_match(each, problems) for each in shapes.items(found, "oneof", problems) or ()]
    )
