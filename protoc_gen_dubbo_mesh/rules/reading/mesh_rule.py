"""Mesh rules: Dubbo's own kinds DestinationRule and VirtualService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import (
    Header,
    MeshDestination,
    MeshMatch,
    MeshRoute,
    MeshRouting,
    MeshRule,
    MeshSubset,
    StringMatch,
    Unknown,
)
from . import shapes
from .header import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..problems import Problem
    from .tree import Mapping

_MATCH = {"method", "attachments", "sourceLabels"}


def read(trees: Sequence[Mapping], problems: list[Problem]) -> MeshRule:
    """Reads the documents of a mesh rule, which are for one application."""
    subsets: list[MeshSubset] = []
    routings: list[MeshRouting] = []
    host: str | None = None
    for tree in trees:
        spec = shapes.mapping(tree, "spec", problems)
        if spec is None:
            continue
        kind = shapes.scalar(tree, "kind", problems)
        if kind is not None and kind.text == "DestinationRule":
            named = shapes.scalar(spec, "host", problems)
            host = host or (named.text if named else None)
            subsets += [_subset(each, problems) for each in shapes.mappings(spec, "subsets", problems) or ()]
        else:
            names = shapes.scalars(spec, "hosts", problems)
            host = host or (names[0].text if names else None)
            routings += [_routing(each, problems) for each in shapes.mappings(spec, "dubbo", problems) or ()]
    return MeshRule(_header(trees[0], problems), host, tuple(subsets), tuple(routings))


def _header(tree: Mapping, problems: list[Problem]) -> Header:
    return Header(tree.where, **identity(shapes.mapping(tree, "metadata", problems), problems))


def _subset(item: Mapping, problems: list[Problem]) -> MeshSubset:
    name = shapes.scalar(item, "name", problems)
    return MeshSubset(name.text if name else "", shapes.texts(item, "labels", problems), item.where)


def _routing(item: Mapping, problems: list[Problem]) -> MeshRouting:
    services = shapes.items(item, "services", problems)
    if services is None:
        services = shapes.items(item, "service", problems) or ()  # as dubbo-go 3.0 wrote it
    routes = shapes.mappings(item, "routedetail", problems) or ()
    return MeshRouting(
        tuple([shapes.string_match(each, problems) for each in services]),
        tuple([_route(each, problems) for each in routes]),
        item.where,
    )


def _route(item: Mapping, problems: list[Problem]) -> MeshRoute:
    name = shapes.scalar(item, "name", problems)
    return MeshRoute(
        name.text if name else "",
        item.where,
        tuple([_match(each, problems) for each in shapes.mappings(item, "match", problems) or ()]),
        tuple([_weighted(each, problems) for each in shapes.mappings(item, "route", problems) or ()]),
    )


def _weighted(item: Mapping, problems: list[Problem]) -> MeshDestination:
    """An item of `route`; dubbo-go 3.0 wrote `fallback` beside `destination`."""
    inner = shapes.mapping(item, "destination", problems)
    found = _destination(item if inner is None else inner, problems)
    beside = None if inner is None else shapes.mapping(item, "fallback", problems)
    fallback = found.fallback if beside is None else _weighted(beside, problems)
    return found._replace(
        weight=shapes.scalar(item, "weight", problems) or found.weight, fallback=fallback, where=item.where
    )


def _destination(tree: Mapping, problems: list[Problem]) -> MeshDestination:
    host, subset = (shapes.scalar(tree, key, problems) for key in ("host", "subset"))
    fallback = shapes.mapping(tree, "fallback", problems)
    return MeshDestination(
        host.text if host else None,
        subset.text if subset else None,
        shapes.scalar(tree, "weight", problems),
        None if fallback is None else _weighted(fallback, problems),
        tree.where,
    )


def _match(item: Mapping, problems: list[Problem]) -> MeshMatch:
    method: StringMatch | None = None
    unsupported = [*shapes.unknown(item, _MATCH)]
    named = shapes.mapping(item, "method", problems)
    if named is not None:
        name_match = named.get("name_match")
        method = None if name_match is None else shapes.string_match(name_match, problems)
        unsupported += shapes.unknown(named, {"name_match"}, "method.")
    found = shapes.mapping(item, "attachments", problems)
    attachments, tracing = (
        () if found is None else _string_matches(found, key, problems)
        for key in ("dubboContext", "tracingContext")
    )
    if found is not None:
        unsupported += shapes.unknown(found, {"dubboContext", "tracingContext"}, "attachments.")
    return MeshMatch(
        item.where,
        method,
        attachments,
        tracing,
        shapes.texts(item, "sourceLabels", problems),
        tuple([Unknown(each.path, each.where) for each in unsupported]),
    )


def _string_matches(tree: Mapping, name: str, problems: list[Problem]) -> tuple[tuple[str, StringMatch], ...]:
    found = shapes.mapping(tree, name, problems)
    if found is None:
        return ()
    return tuple([(key.text, shapes.string_match(value, problems)) for key, value in found.entries])
