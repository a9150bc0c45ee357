"""HTTP filters before the router that change headers of requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..values import Json, at, flag, has, mapping, objects, text

_FREE = (
    "envoy.extensions.filters.http.lua.",
    "envoy.extensions.filters.http.ext_proc.",
    "envoy.extensions.filters.http.wasm.",
    "envoy.extensions.filters.http.dynamic_modules.",
    "envoy.extensions.filters.http.golang.",
)
"""Packages of filters that can do anything: what they do is in scripts, plugins and other processes."""


class Meddler(NamedTuple):
    """A filter that changes headers.

    Attributes:
        name: its name.
        headers: the names of the headers that it removes or sets, in lower case; None if it may be any.
    """

    name: str
    headers: frozenset[str] | None


def meddling(manager: Json) -> Iterator[Meddler]:
    """The filters of an `HttpConnectionManager` that change headers of requests.

    Those of Istio itself, such as the one for its statistics, leave these headers alone.
    """
    for each in objects(manager, "early_header_mutation_extensions"):
        yield Meddler(text(each, "name"), _mutated(mapping(each, "typed_config"), "mutations"))
    for each in objects(manager, "http_filters"):
        name, message = text(each, "name"), mapping(each, "typed_config")
        if flag(each, "disabled") or name.startswith("istio."):
            continue
        kind = (text(message, "type_url") or text(message, "@type")).rpartition("/")[2]
        if kind.endswith(".HeaderMutation"):
            yield Meddler(name, _mutated(mapping(message, "mutations"), "request_mutations"))
        elif kind.startswith(_FREE):
            yield Meddler(name, None)


def _mutated(message: Json, field: str) -> frozenset[str] | None:
    found: set[str] = set()
    for each in objects(message, field):
        if has(each, "remove_on_match"):
            return None
        name = at(each, "remove") or text(each, "append", "header", "key")
        if isinstance(name, str):
            found.add(name.lower())
    return frozenset(found)
