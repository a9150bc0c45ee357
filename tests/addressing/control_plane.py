"""A small real control plane: the aggregated discovery service, state of the world, over gRPC."""

from __future__ import annotations

import importlib
import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import grpc
from google.protobuf import any_pb2, json_format

from tests.sidecars.config import ROUTER, socket_address, typed

Json = Mapping[str, Any]


def _module(name: str) -> Any:
    """A module of xds-protos, which has no types."""
    return importlib.import_module(f"envoy.{name}")


_discovery = _module("service.discovery.v3.discovery_pb2")
TYPES = {
    f"type.googleapis.com/{message.DESCRIPTOR.full_name}": message
    for message in (
        _module("config.listener.v3.listener_pb2").Listener,
        _module("config.route.v3.route_pb2").RouteConfiguration,
        _module("config.cluster.v3.cluster_pb2").Cluster,
        _module("config.endpoint.v3.endpoint_pb2").ClusterLoadAssignment,
    )
}
LISTENER, ROUTE, CLUSTER, ENDPOINTS = TYPES
# A message inside an Any is known once its module is loaded.
for _name in (
    "extensions.filters.http.router.v3.router_pb2",
    "extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "extensions.transport_sockets.tls.v3.tls_pb2",
):
    _module(_name)
_ADS: Json = {"ads": {}, "resource_api_version": "V3"}

Event: TypeAlias = "_Asked | str | None"
"""Of a stream: what the client asked, the type of what has changed, or the end."""


class _Asked(NamedTuple):
    """A client's request."""

    type_url: str
    names: frozenset[str]
    acknowledges: bool


class ControlPlane:
    """Tells its clients where the providers are, and tells them again when that changes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._resources: dict[str, dict[str, any_pb2.Any]] = {url: {} for url in TYPES}
        self._streams: set[queue.SimpleQueue[Event]] = set()
        self._accepted: dict[str, int] = {}
        self._refused: list[str] = []
        self.address = ""

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(16)
        self._server = grpc.server(self._pool)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            _discovery.DiscoveryRequest.FromString,
            _discovery.DiscoveryResponse.SerializeToString,
        )
        service = "envoy.service.discovery.v3.AggregatedDiscoveryService"
        methods = {"StreamAggregatedResources": handler}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop(grace=0).wait()
        self._pool.shutdown()

    def bootstrap(self, file: Path, **more: Any) -> Path:
        """Writes what a client needs to find this control plane: the file of `GRPC_XDS_BOOTSTRAP`."""
        server = {
            "server_uri": self.address,
            "channel_creds": [{"type": "insecure"}],
            "server_features": ["xds_v3"],
        }
        file.write_text(json.dumps({"xds_servers": [server], "node": {"id": "test"}, **more}))
        return file

    def serve(
        self,
        authority: str,
        endpoints: Sequence[str],
        cluster: Json | None = None,
        action: Json | None = None,
        manager_options: Json | None = None,
    ) -> None:
        """Says where a target is, and how it is called.

        Args:
            authority: Of the target.
            endpoints: `host:port` of its providers.
            cluster: Added to its Cluster.
            action: Added to its RouteAction.
            manager_options: Added to the HttpConnectionManager.
        """
        route = {"match": {"prefix": ""}, "route": {"cluster": authority, **(action or {})}}
        manager = typed(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            rds={"config_source": _ADS, "route_config_name": authority},
            http_filters=[ROUTER],
            **(manager_options or {}),
        )
        self._put(LISTENER, authority, {"name": authority, "api_listener": {"api_listener": manager}})
        hosts = [{"name": authority, "domains": [authority], "routes": [route]}]
        self._put(ROUTE, authority, {"name": authority, "virtual_hosts": hosts})
        discovery: Json = {"type": "EDS", "eds_cluster_config": {"eds_config": _ADS}}
        self._put(CLUSTER, authority, {"name": authority, **discovery, **(cluster or {})})
        self.move(authority, endpoints)

    def move(self, authority: str, endpoints: Sequence[str]) -> None:
        """Says that the endpoints have changed."""
        locality = {
            "locality": {"region": "here"},
            "load_balancing_weight": 1,
            "lb_endpoints": [{"endpoint": {"address": socket_address(each)}} for each in endpoints],
        }
        self._put(ENDPOINTS, authority, {"cluster_name": authority, "endpoints": [locality]})

    def wait_accepted(self, timeout: float = 10.0) -> None:
        """Waits until a client has accepted the endpoints as they are now; AssertionError if it refused."""
        with self._changed:
            assert self._changed.wait_for(self._is_accepted, timeout), "nobody has asked"
            assert not self._refused

    def _is_accepted(self) -> bool:
        return bool(self._refused) or self._accepted.get(ENDPOINTS, -1) >= self._version

    def _put(self, url: str, name: str, message: Json) -> None:
        packed = any_pb2.Any()
        packed.Pack(json_format.ParseDict(dict(message), TYPES[url]()))
        with self._changed:
            self._version += 1
            self._resources[url][name] = packed
            for stream in self._streams:
                stream.put(url)

    def _stream(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self._changed:
            self._streams.add(events)
        context.add_callback(lambda: events.put(None))
        threading.Thread(target=self._read, args=(requests, events), daemon=True).start()
        wanted: dict[str, frozenset[str]] = {}
        while (event := events.get()) is not None:
            if isinstance(event, str):
                if event in wanted:
                    yield self._response(event, wanted[event])
            elif not event.acknowledges or wanted.get(event.type_url) != event.names:
                wanted[event.type_url] = event.names
                yield self._response(event.type_url, event.names)
        with self._changed:
            self._streams.discard(events)

    def _read(self, requests: Iterator[Any], events: queue.SimpleQueue[Event]) -> None:
        try:
            for request in requests:
                with self._changed:
                    if request.HasField("error_detail"):
                        self._refused.append(request.error_detail.message)
                    elif request.version_info:
                        self._accepted[request.type_url] = int(request.version_info)
                    self._changed.notify_all()
                names = frozenset(request.resource_names)
                events.put(_Asked(request.type_url, names, bool(request.response_nonce)))
        except grpc.RpcError:  # how a server's iterator says that the client is gone
            events.put(None)

    def _response(self, url: str, names: frozenset[str]) -> Any:
        with self._changed:
            return _discovery.DiscoveryResponse(
                version_info=str(self._version),
                nonce=str(self._version),
                type_url=url,
                resources=[each for name, each in self._resources[url].items() if name in names],
            )
