"""Clusters, most of which have a fault that calls fail of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import sidecars
from tests.doctor.upstreams import NOBODY, checks, hosts, service
from tests.sidecars.config import HTTP_OPTIONS, typed

AGGREGATES = {
    "first-empty": ["none", "plain"],
    "all-empty": ["none", "unresolved"],
    "first-http1": ["http1", "plain"],
    "of-itself": ["of-itself"],
}
"""Aggregate clusters, and their members."""

_ON_DEMAND: Any = {
    "name": "envoy.clusters.dynamic_forward_proxy",
    "typed_config": typed(
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        allow_insecure_cluster_options=True,
        dns_cache_config={"name": "names"},
    ),
}

_TLS: Any = {
    "name": "tls",
    "typed_config": typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
}
PANIC: Any = {"healthy_panic_threshold": None}
"""Envoy's own threshold, 50 %. The services here have 0 otherwise."""


def http(**over: Any) -> Any:
    return {
        HTTP_OPTIONS: typed(HTTP_OPTIONS, **over) | {"explicit_http_config": over.get("explicit_http_config")}
    }


def limits(priority: str = "DEFAULT", **given: int) -> Any:
    return {"thresholds": [{"priority": priority, **given}]}


def services(server: str, web: str, provider: str, directory: Path) -> list[sidecars.MeshService]:
    grpc: Any = {"grpc_health_check": {}}
    once: Any = {"interval": "300s", "no_traffic_interval": "300s"}  # no check after the first one
    eds = {"eds_config": {"path_config_source": {"path": str(directory / "pending.json")}}}
    ejecting = {"consecutive_gateway_failure": 1, "enforcing_consecutive_gateway_failure": 100}
    return [
        service("well", server, health_checks=checks(**grpc)),
        service("plain", server),
        service("none"),
        service("unhealthy", load_assignment=hosts(server, health_status="UNHEALTHY")),
        service("draining", load_assignment=hosts(server, health_status="DRAINING")),
        service("degraded", load_assignment=hosts(server, health_status="DEGRADED")),
        service("no-pending", server, circuit_breakers=limits(max_pending_requests=0)),
        service("no-requests", server, circuit_breakers=limits(max_requests=0)),
        service("no-connections", server, circuit_breakers=limits(max_connections=0)),
        service("no-high", server, circuit_breakers=limits("HIGH", max_requests=0)),
        service(
            "http1",
            server,
            typed_extension_protocol_options=http(
                explicit_http_config={"http2_protocol_options": None, "http_protocol_options": {}}
            ),
        ),
        service("no-options", server, typed_extension_protocol_options=None),
        service(
            "downstream", server, typed_extension_protocol_options=http(use_downstream_protocol_config={})
        ),
        service("old-http2", server, typed_extension_protocol_options=None, http2_protocol_options={}),
        service("failing", server, health_checks=checks(grpc_health_check={"service_name": "nobody"})),
        service("asked-over-http", server, health_checks=checks(http_health_check={"path": "/health"})),
        *_with_a_pipe("bad-authority", provider, {}),
        *_with_a_pipe("good-authority", provider, {"authority": "provider"}),
        service("unresolved", type="STRICT_DNS", load_assignment=hosts("provider.invalid:80")),
        service("half", server, NOBODY, health_checks=checks(**grpc)),
        service("third", server, NOBODY, "127.0.0.1:2", health_checks=checks(**grpc), common_lb_config=PANIC),
        service("panic", NOBODY, health_checks=checks(**grpc), common_lb_config=PANIC),
        service("ejected", NOBODY, outlier_detection=ejecting | {"max_ejection_percent": 100}),
        service("never-ejected", NOBODY, "127.0.0.1:2", outlier_detection=ejecting),
        service("leaving", server, health_checks=checks(**grpc, **once)),
        service("down", NOBODY),
        service("tls", server, transport_socket=_TLS),
        service("web", web),
        *_aggregates(),
        service(
            "on-demand",
            type=None,
            cluster_type=_ON_DEMAND,
            lb_policy="CLUSTER_PROVIDED",
            load_assignment=None,
        ),
        service("several", server, NOBODY),
        service("rarely-checked", server, health_checks=checks(**grpc, no_traffic_interval=None)),
        service(
            "pending",
            type="EDS",
            load_assignment=None,
            eds_cluster_config=eds,
            health_checks=checks(**grpc, timeout="300s"),
            common_lb_config={"ignore_new_hosts_until_first_hc": True},
        ),
    ]


def _aggregates() -> Iterator[sidecars.MeshService]:
    """Services whose clusters consist of other ones."""
    for app, members in AGGREGATES.items():
        aggregate = {"name": "envoy.clusters.aggregate", "typed_config": _aggregate(members)}
        yield service(
            app,
            type=None,
            cluster_type=aggregate,
            lb_policy="CLUSTER_PROVIDED",
            load_assignment=None,
            typed_extension_protocol_options=None,  # those of the members count
        )


def _aggregate(members: list[str]) -> Any:
    return typed("envoy.extensions.clusters.aggregate.v3.ClusterConfig", clusters=members)


def _with_a_pipe(app: str, endpoint: str, check: Any) -> Iterator[sidecars.MeshService]:
    """A service whose cluster is called as Istio calls it. Its provider's Envoy looks at authorities."""
    cluster = f"outbound|50051||{app}"
    yield sidecars.MeshService(
        app,
        50051,
        [endpoint],
        health_check=None,
        route_action={"cluster": cluster},
        cluster={"name": cluster, "health_checks": checks(grpc_health_check=check)},
    )


def write_endpoints(directory: Path, endpoints: list[str]) -> None:
    assignment = {**typed("envoy.config.endpoint.v3.ClusterLoadAssignment"), **hosts(*endpoints)}
    written = directory / "written.json"
    written.write_text(json.dumps({"resources": [assignment | {"cluster_name": "pending"}]}))
    written.rename(directory / "pending.json")
