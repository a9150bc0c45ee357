"""The two listeners beside an app: for the calls that it makes, and for those to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sidecars.config import (
    GRPC_HEALTH_CHECK_FILTER,
    Json,
    access_log,
    cluster,
    http_listener,
    merged,
    typed,
)
from tests.sidecars.services import MeshService

LOOPBACK = ("127.0.0.0/8",)
_COLLECTOR = "trace-collector"


@dataclass(frozen=True, kw_only=True)
class Tracing:
    """OpenTelemetry tracing of the requests that an app makes.

    Attributes:
        collector: `ip:port` of an OTLP collector over gRPC; nobody needs to be there.
        sampling: Percent of the requests traced unasked.
    """

    collector: str
    sampling: float = 0.0

    def to_json(self, service: str) -> dict[str, Any]:
        """The `HttpConnectionManager.Tracing` message."""
        return {
            "random_sampling": {"value": self.sampling},
            "provider": {
                "name": "envoy.tracers.opentelemetry",
                "typed_config": typed(
                    "envoy.config.trace.v3.OpenTelemetryConfig",
                    grpc_service={"envoy_grpc": {"cluster_name": _COLLECTOR}, "timeout": "1s"},
                    service_name=service,
                ),
            },
        }


@dataclass(frozen=True)
class Egress:
    """What a sidecar does with the calls that its app makes.

    Attributes:
        services: What can be called.
        use_remote_address: Whether Envoy takes the peer's address as the client's, and appends it
            to `x-forwarded-for`. Istio's sidecars: False.
        internal_addresses: CIDR ranges that count as internal. Only an internal request's
            `x-envoy-…` router headers are honoured: with `use_remote_address`, of requests
            without `x-forwarded-for`; without it, of requests whose `x-forwarded-for` is in here.
        http_filters: `HttpFilter` messages, before the router.
        clusters: `Cluster` messages, beside those of the services.
        tracing: None: requests are not traced.
        access_log_fields: More fields for the access log: names to Envoy's command operators.
        connection_manager: Merged over the `HttpConnectionManager`.
        listener: Merged over the `Listener`.
    """

    services: Sequence[MeshService]
    use_remote_address: bool = True
    internal_addresses: Sequence[str] = LOOPBACK
    http_filters: Sequence[Json] = ()
    clusters: Sequence[Json] = ()
    tracing: Tracing | None = None
    access_log_fields: Mapping[str, str] = field(default_factory=dict[str, str])
    connection_manager: Json = field(default_factory=dict[str, Any])
    listener: Json = field(default_factory=dict[str, Any])

    def to_listener(self, node: str, address: str, log: Path) -> dict[str, Any]:
        """The `Listener` message, for the Envoy called `node`."""
        manager = _trust(self.use_remote_address, self.internal_addresses)
        if self.tracing is not None:
            manager["tracing"] = self.tracing.to_json(node)
        # MODIFY_ONLY: /healthcheck/fail must not close the connection of the app's own calls.
        listener = {"traffic_direction": "OUTBOUND", "drain_type": "MODIFY_ONLY"}
        return http_listener(
            "egress",
            address,
            [service.virtual_host() for service in self.services],
            http_filters=self.http_filters,
            access_logs=[access_log(log, self.access_log_fields)],
            connection_manager=merged(manager, self.connection_manager),
            listener=merged(listener, self.listener),
        )

    def to_clusters(self) -> list[Json]:
        """The `Cluster` messages that the listener needs."""
        collector = [] if self.tracing is None else [cluster(_COLLECTOR, [self.tracing.collector])]
        return [*(service.to_cluster() for service in self.services), *self.clusters, *collector]


@dataclass(frozen=True)
class Ingress:
    """What a sidecar does with the calls to its app.

    Attributes:
        app: `ip:port` of the app's server.
        use_remote_address: As of `Egress`.
        internal_addresses: As of `Egress`.
        http_filters: `HttpFilter` messages, before the router. None: the health_check filter in
            pass-through mode for gRPC's health checks.
        access_log_fields: As of `Egress`.
        connection_manager: Merged over the `HttpConnectionManager`.
        listener: Merged over the `Listener`.
        cluster: Merged over the `Cluster`, which is called `app` and has no health checks.
    """

    app: str
    use_remote_address: bool = False
    internal_addresses: Sequence[str] = LOOPBACK
    http_filters: Sequence[Json] = (GRPC_HEALTH_CHECK_FILTER,)
    access_log_fields: Mapping[str, str] = field(default_factory=dict[str, str])
    connection_manager: Json = field(default_factory=dict[str, Any])
    listener: Json = field(default_factory=dict[str, Any])
    cluster: Json = field(default_factory=dict[str, Any])

    def to_listener(self, address: str, log: Path) -> dict[str, Any]:
        """The `Listener` message."""
        everything = {
            "name": "app",
            "domains": ["*"],
            "routes": [
                {
                    "name": "app",
                    "match": {"prefix": "/"},
                    "route": {"cluster": "app", "timeout": "0s"},
                }
            ],
        }
        return http_listener(
            "ingress",
            address,
            [everything],
            http_filters=self.http_filters,
            access_logs=[access_log(log, self.access_log_fields)],
            connection_manager=merged(
                _trust(self.use_remote_address, self.internal_addresses), self.connection_manager
            ),
            listener=merged({"traffic_direction": "INBOUND"}, self.listener),
        )

    def to_cluster(self) -> dict[str, Any]:
        """The `Cluster` message of the app."""
        return cluster("app", [self.app], self.cluster)


def _trust(use_remote_address: bool, internal_addresses: Sequence[str]) -> dict[str, Any]:
    manager: dict[str, Any] = {"use_remote_address": use_remote_address}
    if internal_addresses:
        ranges = [_cidr(each) for each in internal_addresses]
        manager["internal_address_config"] = {"cidr_ranges": ranges}
    return manager


def _cidr(text: str) -> dict[str, Any]:
    prefix, _, length = text.partition("/")
    return {"address_prefix": prefix, "prefix_len": int(length)}
