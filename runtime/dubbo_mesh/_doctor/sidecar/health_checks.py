"""Checks how a cluster notices that a host is down: by active health checks, or by outlier detection."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.configuration.snapshot import lb_endpoints
from ..envoy.forwarding.clusters import Cluster
from ..envoy.forwarding.hosts import Cause
from ..envoy.values import Json, flag, has, mapping, number, seconds, text
from ..finding import Finding, problem

_KINDS = {"grpc_health_check": "gRPC ", "http_health_check": "HTTP ", "tcp_health_check": "TCP "}

_RARE = 30.0
"""Seconds between two health checks from which on they are rare. Envoy's default without traffic is 60."""


def check_health_checks(cluster: Cluster, name: str) -> Iterator[Finding]:
    """Reports health checks that cannot pass or are rare, and that there are none where that matters.

    Args:
        cluster: that calls are sent to.
        name: of the service or target that is called.
    """
    failing = any(host.cause in (Cause.CHECK, Cause.CHECK_TIMEOUT) for host in cluster.hosts or ())
    for each in cluster.health_checks:
        if failing and has(each, "http_health_check") and not _asked_elsewhere(cluster.message):
            path = text(each, "http_health_check", "path") or "/"
            seen = f"{name}: cluster {cluster.name} is asked over HTTP, GET {path}"
            yield problem("DM227", seen, subject=name)
        named = text(each, "grpc_health_check", "authority") or "|" not in cluster.name
        if failing and has(each, "grpc_health_check") and not named:
            seen = f"{name}: health checks of cluster {cluster.name} have its name as their :authority"
            yield problem("DM228", seen, subject=name)
        yield from _check_interval(cluster, each, name)
    if not cluster.health_checks:
        yield from _check_passive(cluster, name)


def checked(cluster: Cluster) -> str:
    """How a cluster notices that a host is down."""
    for each in cluster.health_checks:
        kind = next((name for field, name in _KINDS.items() if has(each, field)), "")
        return f"{kind}health checks every {seconds(each, 'interval') or 0:g} s"
    if has(cluster.message, "outlier_detection"):
        return "no health checks, but outlier detection"
    return "no health checks"


def _check_interval(cluster: Cluster, check: Json, name: str) -> Iterator[Finding]:
    interval, idle = seconds(check, "interval"), seconds(check, "no_traffic_interval")
    idle = 60.0 if idle is None else idle
    if idle >= _RARE and (interval is None or interval < idle):
        unset = "" if "no_traffic_interval" in check else ": no_traffic_interval is not set"
        seen = f"{name}: without traffic, health checks of cluster {cluster.name} are {idle:g} s apart{unset}"
        yield problem("DM226", seen, subject=name)


def _check_passive(cluster: Cluster, name: str) -> Iterator[Finding]:
    several = len(cluster.hosts or ()) > 1
    if not has(cluster.message, "outlier_detection"):
        if several and cluster.discovery != "EDS":  # a control plane takes out hosts that are down
            seen = f"{name}: cluster {cluster.name} has neither health checks nor outlier detection"
            yield problem("DM229", seen, subject=name)
        return
    detection = mapping(cluster.message, "outlier_detection")
    given = number(detection, "max_ejection_percent")
    most = 10 if given is None else given
    count = len(cluster.hosts or ())
    if several and most * count < 100 and not flag(detection, "always_eject_one_host"):
        seen = f"{name}: max_ejection_percent of cluster {cluster.name} is {most}, and it has {count} hosts"
        yield problem("DM230", seen, subject=name)


def _asked_elsewhere(cluster: Json) -> bool:
    """Whether health checks go to a port of their own, where no gRPC server need be."""
    return any(
        number(each, "endpoint", "health_check_config", "port_value")
        for each in lb_endpoints(mapping(cluster, "load_assignment"))
    )
