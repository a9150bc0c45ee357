"""Checks where a route sends calls: the cluster, and its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..envoy.clusters import Cluster, cluster_of
from ..envoy.routes import Route
from ..envoy.snapshot import Snapshot
from ..envoy.values import Json, objects
from ..finding import Finding, problem


class Destination(NamedTuple):
    """A cluster that calls are sent to. Many rpcs have the same one, which is then checked once.

    Attributes:
        cluster: the name of the cluster.
        priority: `DEFAULT` or `HIGH`: which of its circuit breakers count.
        route: the name of the first route that sends calls there.
    """

    cluster: str
    priority: str
    route: str

    @classmethod
    def of(cls, route: Route) -> list[Destination]:
        """Where a route sends calls."""
        return [cls(cluster, route.priority, route.name) for cluster, _ in route.clusters]


def destinations_of(virtual_host: Json) -> Iterator[Destination]:
    """Where the routes of a virtual host send calls, for a target of which no rpc is known."""
    for message in objects(virtual_host, "routes"):
        yield from Destination.of(Route.of(message, virtual_host))


def check_destination(snapshot: Snapshot, destination: Destination, name: str) -> Iterator[Finding]:
    """Checks a cluster and its hosts.

    Args:
        snapshot: the sidecar's configuration.
        destination: the cluster.
        name: of the service or target that is called.
    """
    cluster = cluster_of(snapshot, destination.cluster, destination.priority)
    if cluster is None:
        route = f"route {destination.route}" if destination.route else "a route without a name"
        seen = f"{name}: {route} names the cluster {destination.cluster}, which does not exist"
        yield problem("DM209", seen, subject=name)
        return
    yield from _check_hosts(cluster, name)
    if cluster.http == "http/1":
        yield problem("DM211", f"{name}: cluster {cluster.name} speaks HTTP/1.1", subject=name)


def _check_hosts(cluster: Cluster, name: str) -> Iterator[Finding]:
    if cluster.healthy == 0:
        hosts = ", ".join(f"{host.address} ({', '.join(host.trouble)})" for host in cluster.hosts or ())
        seen = f"{name}: no host of cluster {cluster.name} gets requests: {hosts or 'it has none'}"
        yield problem("DM210", seen, subject=name)
