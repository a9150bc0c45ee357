"""Checks where a route sends calls: the cluster, and its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..budget import Budget
from ..envoy.configuration.services import BLACK_HOLE, cluster_of_host
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.forwarding.clusters import Cluster, cluster_of
from ..envoy.forwarding.routes import Route
from ..envoy.routing.origins import origin_of, title_of
from ..envoy.values import Json, objects
from ..finding import Finding, problem
from .connections import check_connections
from .health_checks import check_health_checks, checked
from .hosts import check_hosts

_NO_LIMIT = 2**32 - 1
"""The largest limit of a circuit breaker: Istio's way, and ours, to have none."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A cluster that calls are sent to. Many rpcs have the same one, which is then checked once.

    Attributes:
        cluster: the name of the cluster.
        priority: `DEFAULT` or `HIGH`: which of its circuit breakers count.
        route: the first route that sends calls there, for messages.
    """

    cluster: str
    priority: str
    route: str = field(compare=False)

    @classmethod
    def of(cls, route: Route) -> list[Destination]:
        """Where a route sends calls."""
        title = title_of(route.message)
        return [cls(cluster, route.priority, title) for cluster, _ in route.clusters]


def destinations_of(virtual_host: Json) -> Iterator[Destination]:
    """Where the routes of a virtual host send calls, for a target of which no rpc is known."""
    for message in objects(virtual_host, "routes"):
        yield from Destination.of(Route.of(message, virtual_host))


def check_destination(
    snapshot: Snapshot,
    destination: Destination,
    name: str,
    *,
    intercepted: bool = False,
    budget: Budget | None = None,
) -> Iterator[Finding]:
    """Checks a cluster and its hosts.

    Args:
        snapshot: the sidecar's configuration.
        destination: the cluster.
        name: of the service or target that is called.
        intercepted: whether connections are opened to the provider, and not to the sidecar itself.
        budget: the time for all checks; None if hosts are not to be tried from here.
    """
    if "clusters" not in snapshot.kinds:
        why = f"{name}: no file has the clusters: add /config_dump, or istioctl proxy-config clusters -o json"
        yield Finding("upstream", "skipped", why, subject=name)
        return
    cluster = cluster_of(snapshot, destination.cluster, destination.priority)
    if cluster is None:
        yield _missing(snapshot, destination, name)
        return
    if cluster.passes_through:
        yield problem("DM221", f"{name}: {destination.route} sends it to {cluster.name}", subject=name)
        return
    if cluster.name == BLACK_HOLE:
        yield problem("DM222", f"{name}: {destination.route} sends it to {cluster.name}", subject=name)
        return
    if cluster.keeps_address:
        yield from _check_kept_address(cluster, name, intercepted=intercepted)
        return
    if cluster.members:
        members = _in_use(snapshot, cluster, destination)
        for member in members:
            yield from check_destination(snapshot, member, name, intercepted=intercepted, budget=budget)
        if members:
            return
    if not cluster.hosts and not cluster.knows_hosts:
        seen = f"{name}: which hosts cluster {cluster.name} has ({cluster.discovery.lower()}) is not known"
        yield Finding("upstream", "skipped", f"{seen} before it is called", subject=name)
        return
    found = [*check_hosts(cluster, name), *check_health_checks(cluster, name), *_check_limits(cluster, name)]
    if cluster.http == "http/1":
        found.append(problem("DM211", f"{name}: cluster {cluster.name} speaks HTTP/1.1", subject=name))
    if budget is not None and not intercepted and not any(each.status == "failed" for each in found):
        found += check_connections(cluster, name, budget)
    yield from found
    if not any(each.status == "failed" for each in found) and cluster.healthy:
        seen = f"{name}: cluster {cluster.name} has {', '.join(_facts(cluster))}"
        yield Finding("upstream", "ok", seen, subject=name)


def _in_use(snapshot: Snapshot, cluster: Cluster, destination: Destination) -> list[Destination]:
    """The member of an aggregate cluster that gets the calls; all of them, if none has a healthy host.

    Members that are aggregates themselves are left out.
    """
    members = {each: cluster_of(snapshot, each, destination.priority) for each in cluster.members}
    healthy = [each for each, known in members.items() if known is not None and known.healthy]
    followed = [each for each, known in members.items() if known is None or not known.members]
    return [replace(destination, cluster=each) for each in healthy[:1] or followed]


def _facts(cluster: Cluster) -> Iterator[str]:
    """What is worth knowing of a cluster that is well."""
    yield _hosts(cluster)
    yield _http(cluster)
    yield checked(cluster)
    if cluster.limits.max_requests < _NO_LIMIT:
        yield f"at most {cluster.limits.max_requests} requests at a time"
    yield f"{cluster.connect_timeout:g} s to connect"


def _check_kept_address(cluster: Cluster, name: str, *, intercepted: bool) -> Iterator[Finding]:
    """Checks a cluster that sends calls to the address that the caller has opened a connection to."""
    to = f"{name}: cluster {cluster.name} sends calls to the address that they are opened to"
    if not intercepted:
        yield problem("DM247", f"{to}, and that is the sidecar's own", subject=name)
    elif cluster.http == "http/1":
        yield problem("DM211", f"{name}: cluster {cluster.name} speaks HTTP/1.1", subject=name)
    else:
        yield Finding("upstream", "ok", f"{to}, {_http(cluster)}", subject=name)


def _missing(snapshot: Snapshot, destination: Destination, name: str) -> Finding:
    if destination.cluster in snapshot.warming:
        seen = f"{name}: cluster {destination.cluster} is not in use yet"
        refused = snapshot.rejections.get("cluster_manager.cds")
        if refused:
            seen = f"{seen}; the sidecar has refused updates of clusters {refused} times since it was started"
        return problem("DM219", seen, subject=name)
    if "bootstrap" in snapshot.kinds and not snapshot.dynamic_clusters and _has_control_plane(snapshot):
        seen = f"{name}: {destination.route} names the cluster {destination.cluster}, and there are none"
        return problem("DM220", seen, subject=name)
    seen = f"{name}: {destination.route} names the cluster {destination.cluster}, which does not exist"
    of_host = cluster_of_host(snapshot, destination.cluster)
    if of_host is not None:
        rule = origin_of(of_host)
        seen = (
            f"{seen}; {rule} counts for its host"
            if rule
            else f"{seen}; no DestinationRule counts for its host"
        )
    return problem("DM209", seen, subject=name)


def _has_control_plane(snapshot: Snapshot) -> bool:
    dynamic = snapshot.bootstrap.get("dynamic_resources")
    return isinstance(dynamic, dict) and "cds_config" in dynamic


def _check_limits(cluster: Cluster, name: str) -> Iterator[Finding]:
    for limit in ("max_requests", "max_pending_requests"):
        # max_connections at 0 does no harm: Envoy makes one connection to each host all the same.
        if getattr(cluster.limits, limit) == 0:
            seen = f"{name}: {limit} of cluster {cluster.name} is 0"
            yield problem("DM224", seen, subject=name)


def _hosts(cluster: Cluster) -> str:
    count = cluster.healthy
    return "1 healthy host" if count == 1 else f"{count} healthy hosts"


def _http(cluster: Cluster) -> str:
    words = {"http/2": "HTTP/2", "alpn": "HTTP as TLS negotiates it"}
    return words.get(cluster.http, "HTTP as the caller's")
