"""What can be called: a Kubernetes Service as the Envoy of its consumer has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.sidecars.config import Json, cluster, duration, merged


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
