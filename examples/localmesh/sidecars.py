"""The Envoy beside an app, with an ingress, an egress, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localmesh.accesslog import AccessLog
from localmesh.config import (
    GRPC_HEALTH_CHECK_FILTER,
    Json,
    access_log,
    cluster,
    duration,
    http_listener,
    merged,
    typed,
)
from localmesh.envoy import Envoy
from localmesh.ports import ReservedPort

LOOPBACK = ("127.0.0.0/8",)
_COLLECTOR = "trace-collector"


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """An active gRPC health check: one failure or success is enough to change the state.

    Attributes:
        service: The name asked for; "" is the server as a whole.
        interval: Seconds between two checks.
        timeout: Seconds for one check.
    """

    service: str = ""
    interval: float = 0.25
    timeout: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The `HealthCheck` message."""
        return {
            "timeout": duration(self.timeout),
            "interval": duration(self.interval),
            "no_traffic_interval": duration(self.interval),
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "grpc_health_check": {"service_name": self.service},
        }


@dataclass(frozen=True)
class MeshService:
    """A Kubernetes Service as a consumer's Envoy sees it: names, endpoints, route.

    Attributes:
        app: The service's name; also the name of its virtual host, route and cluster.
        port: Its port.
        endpoints: `ip:port` of the providers' ingress listeners.
        namespace: Its namespace.
        cluster_domain: The domain of the Kubernetes cluster.
        domains: The authorities of the virtual host; empty: `host` and `host:port`, as Istio's.
        timeout: The route's timeout in seconds, 0 for none; None leaves Envoy's own, 15 s.
        retry_policy: The route's `RetryPolicy`; None: retries come from request headers only.
        health_check: None: no health checks, every endpoint counts as healthy.
        merge_window: Seconds for which Envoy holds a change of health back from its workers, when
            it came that soon after another one: `wait_healthy` would return too early. None leaves
            Envoy's own, 1 s.
        route: Merged over the `Route`.
        route_action: Merged over the `RouteAction`.
        cluster: Merged over the `Cluster`.
    """

    app: str
    port: int
    endpoints: Sequence[str]
    namespace: str = "default"
    cluster_domain: str = "cluster.local"
    domains: Sequence[str] = ()
    timeout: float | None = None
    retry_policy: Json | None = None
    health_check: HealthCheck | None = field(default_factory=HealthCheck)
    merge_window: float | None = 0.0
    route: Json = field(default_factory=dict[str, Any])
    route_action: Json = field(default_factory=dict[str, Any])
    cluster: Json = field(default_factory=dict[str, Any])

    @property
    def host(self) -> str:
        """`app.namespace.svc.domain`."""
        return f"{self.app}.{self.namespace}.svc.{self.cluster_domain}"

    @property
    def authority(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    def virtual_host(self) -> dict[str, Any]:
        """The `VirtualHost` message."""
        action: dict[str, Any] = {"cluster": self.app}
        if self.timeout is not None:
            action["timeout"] = duration(self.timeout)
        if self.retry_policy is not None:
            action["retry_policy"] = self.retry_policy
        route = {
            "name": self.app,
            "match": {"prefix": "/"},
            "route": merged(action, self.route_action),
        }
        return {
            "name": self.app,
            "domains": list(self.domains) or [self.host, self.authority],
            # For its statistics: vhost.<app>.vcluster.all.upstream_rq_total.
            "virtual_clusters": [
                {"name": "all", "headers": [{"name": ":path", "string_match": {"prefix": "/"}}]}
            ],
            "include_request_attempt_count": True,
            "include_attempt_count_in_response": True,
            "routes": [merged(route, self.route)],
        }

    def to_cluster(self) -> dict[str, Any]:
        """The `Cluster` message."""
        # Never send to a host that failed its check, even when all have.
        balancing: dict[str, Any] = {"healthy_panic_threshold": {"value": 0}}
        if self.merge_window is not None:
            balancing["update_merge_window"] = duration(self.merge_window)
        base: dict[str, Any] = {"common_lb_config": balancing}
        if self.health_check is not None:
            base["health_checks"] = [self.health_check.to_json()]
        return merged(cluster(self.app, self.endpoints, base), self.cluster)


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


class Sidecar(Envoy):
    """The Envoy beside an app: a consumer's has an egress, a provider's an ingress, or both.

    Args:
        name: Its node id and cluster, and the name of its directory.
        ingress: For the calls to the app; a string stands for `Ingress(app)`.
        egress: For the calls that the app makes; a list of services stands for `Egress(services)`.
        bootstrap: As of `Envoy`: top-level keys to add, such as `layered_runtime`.
        directory: Where to put its files; None: a temporary one, removed at the end.

    Attributes:
        ingress_log: The requests to the app (health checks too).
        egress_log: The requests that the app made.
    """

    def __init__(
        self,
        name: str,
        *,
        ingress: Ingress | str | None = None,
        egress: Egress | Sequence[MeshService] | None = None,
        bootstrap: Json | None = None,
        directory: Path | None = None,
    ) -> None:
        super().__init__(name, bootstrap=bootstrap, directory=directory)
        self.ingress_log = AccessLog(self.directory / "ingress.jsonl")
        self.egress_log = AccessLog(self.directory / "egress.jsonl")
        self._ingress_port = self._egress_port = None
        if ingress is not None:
            ingress = Ingress(ingress) if isinstance(ingress, str) else ingress
            self._ingress_port = ReservedPort()
            self.listeners.append(ingress.to_listener(self.ingress, self.ingress_log.path))
            self.clusters.append(ingress.to_cluster())
        if egress is not None:
            egress = egress if isinstance(egress, Egress) else Egress(egress)
            self._egress_port = ReservedPort()
            self.listeners.append(egress.to_listener(name, self.egress, self.egress_log.path))
            self.clusters.extend(egress.to_clusters())

    @property
    def ingress(self) -> str:
        """`host:port` where others call the app; AttributeError for a sidecar without ingress."""
        if self._ingress_port is None:
            raise AttributeError(f"the sidecar {self.name} has no ingress")
        return self._ingress_port.address

    @property
    def egress(self) -> str:
        """`host:port` where the app calls others; AttributeError for a sidecar without egress."""
        if self._egress_port is None:
            raise AttributeError(f"the sidecar {self.name} has no egress")
        return self._egress_port.address

    def close(self) -> None:
        """Stops Envoy for good and gives its ports back."""
        super().close()
        for port in (self._ingress_port, self._egress_port):
            if port is not None:
                port.close()


def _trust(use_remote_address: bool, internal_addresses: Sequence[str]) -> dict[str, Any]:
    manager: dict[str, Any] = {"use_remote_address": use_remote_address}
    if internal_addresses:
        ranges = [_cidr(each) for each in internal_addresses]
        manager["internal_address_config"] = {"cidr_ranges": ranges}
    return manager


def _cidr(text: str) -> dict[str, Any]:
    prefix, _, length = text.partition("/")
    return {"address_prefix": prefix, "prefix_len": int(length)}
