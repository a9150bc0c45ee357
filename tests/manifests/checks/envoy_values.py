"""What EnvoyFilters patch into Envoy's configuration, against Envoy's own messages.

Istio only warns of unknown fields, and then ignores them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from tests.manifests.checks import envoy_limits
from tests.manifests.checks.json_values import is_mapping, is_sequence

_LISTENER = "envoy.config.listener.v3"
_ROUTE = "envoy.config.route.v3"
_HTTP_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3"
PATCHED = {
    "LISTENER": f"{_LISTENER}.Listener",
    "FILTER_CHAIN": f"{_LISTENER}.FilterChain",
    "LISTENER_FILTER": f"{_LISTENER}.ListenerFilter",
    "NETWORK_FILTER": f"{_LISTENER}.Filter",
    "HTTP_FILTER": f"{_HTTP_MANAGER}.HttpFilter",
    "ROUTE_CONFIGURATION": f"{_ROUTE}.RouteConfiguration",
    "VIRTUAL_HOST": f"{_ROUTE}.VirtualHost",
    "HTTP_ROUTE": f"{_ROUTE}.Route",
    "CLUSTER": "envoy.config.cluster.v3.Cluster",
    "EXTENSION_CONFIG": "envoy.config.core.v3.TypedExtensionConfig",
    "BOOTSTRAP": "envoy.config.bootstrap.v3.Bootstrap",
}
"""What each `applyTo` patches: the message of Envoy's API (Istio's documentation of EnvoyFilter.ApplyTo)."""

_TYPE = "@type"
_NO_VALUE = {"REMOVE"}


def problems(resource: dict[str, Any]) -> Iterator[str]:
    """What Envoy, or Istio silently, would not accept of an EnvoyFilter that its definition accepts."""
    for number, patch in enumerate(resource["spec"].get("configPatches", [])):
        path = f"spec.configPatches.{number}.patch"
        operation = patch["patch"].get("operation")
        value = patch["patch"].get("value")
        if operation in _NO_VALUE:
            continue
        if not value:
            yield f"{path}.value must be set"
        elif patch["applyTo"] not in PATCHED:
            yield f"spec.configPatches.{number}.applyTo must be one of {', '.join(PATCHED)}"
        else:
            for each in message_problems(PATCHED[patch["applyTo"]], value):
                yield f"{path}.value: {each}"


def message_problems(message: str, value: dict[str, Any]) -> Iterator[str]:
    """What does not fit into a message of Envoy's API."""
    for name in (message, *_types(value)):
        if not _import(name.rpartition("/")[2]):
            yield f"Envoy has no message {name}"
            return
    parsed = _new(message)
    try:
        json_format.ParseDict(value, parsed)
    except json_format.ParseError as error:
        yield " ".join(str(error).partition(" Available Fields")[0].split())
        return
    yield from envoy_limits.broken(parsed)


def _new(name: str) -> Message:
    pool = descriptor_pool.Default()
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def _types(value: Any) -> Iterator[str]:
    """The types of all messages of any type in a value."""
    if is_mapping(value):
        for key, item in value.items():
            if key == _TYPE:
                yield str(item)
            else:
                yield from _types(item)
    elif is_sequence(value):
        for item in value:
            yield from _types(item)


@functools.cache
def _import(name: str) -> bool:
    """Imports what `xds-protos` has of the package of a message, so that its type is known."""
    package = name.rpartition(".")[0]
    try:
        folder = importlib.import_module(package)
    except ImportError:
        return False
    for module in pkgutil.iter_modules(folder.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")
    try:
        _new(name)
    except KeyError:
        return False
    return True
