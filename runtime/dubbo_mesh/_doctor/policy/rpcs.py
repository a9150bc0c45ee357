"""What would happen to each rpc: a sentence, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.clusters import cluster_of
from ..envoy.matching import routes_of, unknown_routes
from ..envoy.router import effect
from ..envoy.routes import Route
from ..envoy.snapshot import Snapshot
from ..envoy.values import Json
from ..finding import Finding, problem
from ..sidecar.passage import Entrance
from ..sidecar.routing import answers_itself, no_route
from ..sidecar.upstream import Destination
from .asked import Asked
from .sentence import sentence


def check_rpc(
    snapshot: Snapshot, entrance: Entrance, virtual_host: Json, asked: Asked
) -> Iterator[Finding | Destination]:
    """Follows a call of an rpc through the sidecar, from the virtual host that it matches.

    Yields the clusters that it may be sent to as well, for them to be checked once for all rpcs.
    """
    request = asked.as_seen(internal=entrance.trust.internal)
    unknown = unknown_routes(virtual_host)
    if unknown is not None:
        yield Finding("route", "skipped", f"{asked.name}: {unknown.why}", subject=asked.name)
        return
    taken = [
        (Route.of(each.message, virtual_host), each.certain) for each in routes_of(virtual_host, request)
    ]
    if not taken:
        yield no_route(virtual_host, asked.name)
        return
    for route, _ in taken:
        if route.kind != "forward":
            yield answers_itself(route, asked.name)
            continue
        result = effect(entrance.manager, route, request.headers)
        yield Finding("rpc", "ok", f"{asked.name}: {sentence(asked, result)}", subject=asked.name)
        if asked.streaming and result.timeout.seconds > 0:
            seen = f"{asked.name}: cut after {result.timeout.seconds:g} s by the route {route.name}"
            yield problem("DM306", seen, subject=asked.name)
        for destination in Destination.of(route):
            yield destination
            cluster = cluster_of(snapshot, destination.cluster, destination.priority)
            if result.retries is not None and cluster is not None and cluster.max_retries == 0:
                seen = f"{asked.name}: the circuit breaker of cluster {cluster.name} allows no retries"
                yield problem("DM305", seen, subject=asked.name)
