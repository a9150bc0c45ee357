"""The sidecar in front of this application's own server: how it speaks to it, and what it does with calls."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..._health.board import HEALTH
from ..addressing.dialling import source_of
from ..envoy.configuration.snapshot import Snapshot, lb_endpoints, network_filters
from ..envoy.forwarding.clusters import cluster_of, http_options
from ..envoy.forwarding.routes import Route
from ..envoy.forwarding.timeouts import DEFAULT_TIMEOUT
from ..envoy.request import Request
from ..envoy.routing.conditions import header_matches
from ..envoy.values import Json, flag, has, mapping, number, objects, seconds, text
from ..finding import Finding, problem
from .address import Endpoint

_HTTP_MANAGER = ".HttpConnectionManager"
_HEALTH_FILTER = ".health_check.v3.HealthCheck"
_PASSTHROUGH = "InboundPassthroughCluster"
"""Istio's cluster for calls to ports that no Service of the pod has."""


class Pinging(NamedTuple):
    """A cluster whose connections are pinged (`connection_keepalive`).

    Attributes:
        cluster: its name.
        interval: seconds between two pings.
    """

    cluster: str
    interval: float


class _Way(NamedTuple):
    """A route by which calls get to a cluster.

    Attributes:
        listener: the name of the listener.
        manager: its `HttpConnectionManager` message.
        route: the route.
    """

    listener: str
    manager: Json
    route: Route


def pinging(snapshot: Snapshot, endpoint: Endpoint) -> Iterator[Pinging]:
    """The clusters that lead to a server on this host and ping it."""
    for name in clusters_to(snapshot, endpoint):
        options = http_options(snapshot.clusters[name])
        for kind in ("explicit_http_config", "use_downstream_protocol_config", "auto_config"):
            path = (kind, "http2_protocol_options", "connection_keepalive")
            interval = seconds(options, *path, "interval") if has(options, *path) else None
            if interval:
                yield Pinging(name, interval)


def clusters_to(snapshot: Snapshot, endpoint: Endpoint) -> Sequence[str]:
    """The names of the clusters that lead to a server on this host.

    Istio's are called `inbound|PORT||`, and need not name a host.
    """
    return [
        name
        for name, message in snapshot.clusters.items()
        if name.startswith(f"inbound|{endpoint.port}|") or _leads_to(message, endpoint)
    ]


def _leads_to(cluster: Json, endpoint: Endpoint) -> bool:
    """Whether a cluster has a host that is this one, at the endpoint's port."""
    for each in lb_endpoints(mapping(cluster, "load_assignment")):
        address = mapping(each, "endpoint", "address", "socket_address")
        if number(address, "port_value") == endpoint.port and _is_here(text(address, "address")):
            return True
    return False


@functools.lru_cache(1024)  # many clusters name the same hosts
def _is_here(host: str) -> bool:
    """Whether an address is this host's: of connections to oneself, both ends have the same."""
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return parsed.is_loopback or source_of(host, 1) == host


def check_inbound(
    server: str, endpoint: Endpoint, egress: str | None, snapshot: Snapshot
) -> Iterator[Finding]:
    """Reports what the sidecar does with calls to a server.

    Args:
        server: its address, for messages.
        endpoint: where it is reached.
        egress: the address of the sidecar's listener for calls of this process; None if it intercepts them.
        snapshot: the sidecar's configuration.
    """
    clusters = clusters_to(snapshot, endpoint)
    egress_port = None if egress is None else int(egress.rpartition(":")[2])
    ways = list(_ways_to(frozenset(clusters), snapshot, egress_port))
    inbound = list(dict.fromkeys(name for way in ways for name, _ in way.route.clusters if name in clusters))
    if not inbound:
        yield _no_cluster(server, endpoint.port, clusters, snapshot)
        return
    found = [
        *_check_protocol(server, inbound, snapshot),
        *_check_timeouts(server, ways),
        *_check_health_filters(server, ways),
    ]
    yield from found
    if not found:
        seen = f"{server}: the sidecar passes calls on to it, by the cluster {', '.join(inbound)}"
        yield Finding("inbound", "ok", seen, subject=server)


def _no_cluster(server: str, port: int, clusters: Sequence[str], snapshot: Snapshot) -> Finding:
    if not any(name.startswith("inbound|") for name in clusters) and _PASSTHROUGH in snapshot.clusters:
        ports = dict.fromkeys(
            name.split("|")[1] for name in sorted(snapshot.clusters) if name.startswith("inbound|")
        )
        seen = f"{server}: no Service leads to port {port}, only to {', '.join(ports) or 'none'}"
        return problem("DM437", seen, subject=server)
    why = f"{server}: no HTTP listener of the sidecar leads to port {port} of this host"
    return Finding("inbound", "skipped", why, subject=server)


def _check_protocol(server: str, clusters: Sequence[str], snapshot: Snapshot) -> Iterator[Finding]:
    for name in clusters:
        cluster = cluster_of(snapshot, name)
        if cluster is not None and cluster.http == "http/1":
            seen = f"{server}: cluster {name} speaks HTTP/1.1 to it"
            yield problem("DM434", seen, subject=server)


def _ways_to(clusters: frozenset[str], snapshot: Snapshot, egress: int | None) -> Iterator[_Way]:
    for listener in snapshot.listeners:
        own = number(listener, "address", "socket_address", "port_value")
        if text(listener, "traffic_direction") == "OUTBOUND" or (egress is not None and own == egress):
            continue  # calls of this process, to itself
        for manager in network_filters(listener):
            if not text(manager, "@type").endswith(_HTTP_MANAGER):
                continue
            routes = mapping(manager, "route_config")
            if not routes:
                routes = snapshot.routes.get(text(manager, "rds", "route_config_name"), routes)
            for virtual_host in objects(routes, "virtual_hosts"):
                for message in objects(virtual_host, "routes"):
                    route = Route.of(message, virtual_host, routes)
                    if any(name in clusters for name, _ in route.clusters):
                        yield _Way(text(listener, "name"), manager, route)


def _check_timeouts(server: str, ways: Sequence[_Way]) -> Iterator[Finding]:
    """Timeouts are the business of the caller's sidecar: this one does not know what callers ask for."""
    seen: dict[str, None] = {}
    for way in ways:
        timeout = way.route.timeout
        if timeout is None:
            timeout = 0.0 if way.route.has_max_stream_duration else DEFAULT_TIMEOUT
        if timeout:
            default = " (Envoy's default)" if way.route.timeout is None else ""
            route = f"route {way.route.name}" if way.route.name else "the route"
            seen[f"{server}: {route} of listener {way.listener} ends calls after {timeout:g} s{default}"] = (
                None
            )
    for each in seen:
        yield problem("DM436", each, subject=server)


def _check_health_filters(server: str, ways: Sequence[_Way]) -> Iterator[Finding]:
    path = f"/{HEALTH}/Check"
    headers = {":path": path, ":method": "POST", "content-type": "application/grpc"}
    request = Request("", path, headers)
    seen: dict[str, None] = {}
    for way in ways:
        where = f"the health_check filter of listener {way.listener}"
        for each in objects(way.manager, "http_filters"):
            message = mapping(each, "typed_config")
            if flag(each, "disabled") or not text(message, "@type").endswith(_HEALTH_FILTER):
                continue
            if not all(header_matches(matcher, request) is True for matcher in objects(message, "headers")):
                continue
            if flag(message, "pass_through_mode") is not True:
                seen[f"{server}: {where} is not in pass-through mode"] = None
            elif seconds(message, "cache_time"):
                seen[f"{server}: {where} has a cache_time"] = None
    for finding in seen:
        yield problem("DM435", finding, subject=server)
