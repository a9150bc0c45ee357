"""What grpc's own xDS client has from the control plane: its dump for CSDS, the client status service.

grpcio's core offers the dump to the package grpcio-csds, which serves it; here it is read in this process.
(`envoy/service/status/v3/csds.proto`, `envoy/admin/v3/config_dump_shared.proto`)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from ..._contract.validation import host_port
from .wire import Message, bytes_of, integer, messages, parse, text

Kind: TypeAlias = Literal["Listener", "RouteConfiguration", "Cluster", "ClusterLoadAssignment"]
State: TypeAlias = Literal[
    "unknown", "requested", "does not exist", "accepted", "refused", "error", "timeout"
]

_STATES: tuple[State, ...] = get_args(State)
"""`ClientResourceStatus`, by number."""

TYPES: dict[Kind, str] = {
    "Listener": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "RouteConfiguration": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "Cluster": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "ClusterLoadAssignment": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
}
"""The URLs of the types that are asked for, in that order."""

_HEALTHY = (0, 1)  # HealthStatus UNKNOWN and HEALTHY: the others get no calls (gRFC A27)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that the client has asked for.

    Attributes:
        kind: of the resource.
        name: its name.
        state: what became of it.
        error: why the last version was refused; empty if it was not.
        endpoints: `address:port` of those that get calls, of a ClusterLoadAssignment.
        content: the serialized message of a Listener or a RouteConfiguration, as it was accepted.
    """

    kind: Kind
    name: str
    state: State
    error: str = ""
    endpoints: tuple[str, ...] = ()
    content: bytes = b""


def resources_of(authority: str) -> list[Resource]:
    """The resources that channels to `xds:///authority` have asked for; none if grpcio does not tell."""
    try:
        found = [
            resource
            for client in messages(parse(_dump()), 1)
            if _is_client_of(authority, client)
            for resource in _resources(client)
        ]
    except ValueError:
        return []
    order = list(TYPES)
    return sorted(found, key=lambda each: (order.index(each.kind), each.name))


def _dump() -> bytes:
    """A serialized `ClientStatusResponse`; empty if this version of grpcio has none."""
    try:
        cython = importlib.import_module("grpc._cython.cygrpc")
    except ImportError:
        return b""
    dump = cast("Callable[[], object] | None", getattr(cython, "dump_xds_configs", None))
    content = dump() if dump is not None else None
    return content if isinstance(content, bytes) else b""


def _is_client_of(authority: str, client: Message) -> bool:
    scope = text(client, 4)  # older versions of grpc have one client for all targets, without a scope
    return not scope or scope.endswith(f"/{authority}")


def _resources(client: Message) -> Iterator[Resource]:
    for each in messages(client, 3):
        kind = text(each, 1).rpartition(".")[2]
        if kind not in TYPES:
            continue
        state, error = integer(each, 7), next(messages(each, 8), None)
        yield Resource(
            kind,
            text(each, 2),
            _STATES[state] if state < len(_STATES) else "unknown",
            "" if error is None else text(error, 3),
            tuple(_endpoints(each)) if kind == "ClusterLoadAssignment" else (),
            b"".join(bytes_of(packed, 2) for packed in messages(each, 4))
            if kind in ("Listener", "RouteConfiguration")
            else b"",
        )


def _endpoints(resource: Message) -> Iterator[str]:
    for packed in messages(resource, 4):
        for locality in messages(parse(bytes_of(packed, 2)), 2):
            for endpoint in messages(locality, 2):
                if integer(endpoint, 2) not in _HEALTHY:
                    continue
                for inner in messages(endpoint, 1):
                    for address in messages(inner, 1):
                        for socket_address in messages(address, 1):
                            yield host_port(text(socket_address, 2), integer(socket_address, 3))
