"""What would happen to each rpc: a sentence, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.clusters import Cluster, cluster_of
from ..envoy.matching import routes_of
from ..envoy.router import effect
from ..envoy.routes import Route
from ..envoy.snapshot import Snapshot
from ..envoy.values import Json, text
from ..finding import Finding, problem
from ..sidecar.passage import Entrance
from .asked import Asked
from .sentence import sentence


def check_rpc(snapshot: Snapshot, entrance: Entrance, virtual_host: Json, asked: Asked) -> Iterator[Finding]:
    """Follows a call of an rpc through the sidecar, from the virtual host that it matches."""
    request = asked.as_seen(internal=entrance.trust.internal)
    taken = [(Route.of(message, virtual_host), sure) for message, sure in routes_of(virtual_host, request)]
    if not taken:
        seen = f"{asked.name}: no route of virtual host {text(virtual_host, 'name')} matches it"
        yield problem("DM207", seen, subject=asked.name)
        return
    for route, _ in taken:
        if route.kind != "forward":
            seen = f"{asked.name}: route {route.name or '(without a name)'} does not forward it"
            yield problem("DM208", seen, subject=asked.name)
            continue
        result = effect(entrance.manager, route, request.headers)
        yield Finding("rpc", "ok", f"{asked.name}: {sentence(asked, result)}", subject=asked.name)
        if asked.streaming and result.timeout.seconds > 0:
            seen = f"{asked.name}: cut after {result.timeout.seconds:g} s by the route {route.name}"
            yield problem("DM306", seen, subject=asked.name)
        for name, _ in route.clusters:
            cluster = cluster_of(snapshot, name, route.priority)
            if cluster is None:
                seen = f"{asked.name}: route {route.name} names the cluster {name}, which does not exist"
                yield problem("DM209", seen, subject=asked.name)
            else:
                yield from _check_cluster(asked, cluster, retried=result.retries is not None)


def _check_cluster(asked: Asked, cluster: Cluster, *, retried: bool) -> Iterator[Finding]:
    if cluster.http == "http/1":
        yield problem("DM211", f"{asked.name}: cluster {cluster.name} speaks HTTP/1.1", subject=asked.name)
    if cluster.healthy == 0:
        hosts = ", ".join(f"{host.address} ({', '.join(host.trouble)})" for host in cluster.hosts or ())
        seen = f"{asked.name}: no host of cluster {cluster.name} gets requests: {hosts or 'it has none'}"
        yield problem("DM210", seen, subject=asked.name)
    if retried and cluster.max_retries == 0:
        seen = f"{asked.name}: the circuit breaker of cluster {cluster.name} allows no retries"
        yield problem("DM305", seen, subject=asked.name)
