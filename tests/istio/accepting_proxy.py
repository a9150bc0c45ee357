"""A client of the control plane that takes whatever it is sent, in the place of Istio's own Envoy."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Self

import grpc
from google.protobuf import json_format

# xds-protos has no types.
_base: Any = import_module("envoy.config.core.v3.base_pb2")
_clusters: Any = import_module("envoy.config.cluster.v3.cluster_pb2")
_discovery: Any = import_module("envoy.service.discovery.v3.discovery_pb2")
_http: Any = import_module(
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2"
)
_listeners: Any = import_module("envoy.config.listener.v3.listener_pb2")
_service: Any = import_module("envoy.service.discovery.v3.ads_pb2_grpc")

_PREFIX = "type.googleapis.com/"
_CLUSTER = f"{_PREFIX}envoy.config.cluster.v3.Cluster"
_ENDPOINTS = f"{_PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment"
_LISTENER = f"{_PREFIX}envoy.config.listener.v3.Listener"
_ROUTES = f"{_PREFIX}envoy.config.route.v3.RouteConfiguration"


class AcceptingProxy:
    """Asks for clusters and listeners, and for the endpoints and routes that these name.

    Args:
        node: The node, as an Envoy has it.
        control_plane: `host:port` of its xDS.
    """

    def __init__(self, node: Mapping[str, Any], control_plane: str) -> None:
        self._node = json_format.ParseDict(dict(node), _base.Node())
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._channel = grpc.insecure_channel(control_plane)
        stub = _service.AggregatedDiscoveryServiceStub(self._channel)
        self._responses = stub.StreamAggregatedResources(iter(self._requests.get, None))

    def __enter__(self) -> Self:
        clusters = [_clusters.Cluster.FromString(each.value) for each in self._ask(_CLUSTER)]
        eds = [each.name for each in clusters if each.type == _clusters.Cluster.EDS]
        self._ask(_ENDPOINTS, *eds)
        listeners = [_listeners.Listener.FromString(each.value) for each in self._ask(_LISTENER)]
        self._ask(_ROUTES, *dict.fromkeys(name for each in listeners for name in _routes_of(each)))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._requests.put(None)
        self._responses.cancel()
        self._channel.close()

    def _ask(self, kind: str, *names: str) -> list[Any]:
        """The resources of a kind, which are accepted."""
        request = _discovery.DiscoveryRequest(node=self._node, type_url=kind, resource_names=names)
        self._requests.put(request)
        response = next(each for each in self._responses if each.type_url == kind)
        self._requests.put(
            _discovery.DiscoveryRequest(
                type_url=kind,
                resource_names=names,
                version_info=response.version_info,
                response_nonce=response.nonce,
            )
        )
        return list(response.resources)


def _routes_of(listener: Any) -> Iterator[str]:
    """The names of the route configurations that a listener needs."""
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        for each in chain.filters:
            if each.typed_config.Is(_http.HttpConnectionManager.DESCRIPTOR):
                manager = _http.HttpConnectionManager.FromString(each.typed_config.value)
                if manager.HasField("rds"):
                    yield manager.rds.route_config_name
