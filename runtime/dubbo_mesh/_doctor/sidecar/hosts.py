"""Checks whether a cluster has hosts that calls can be sent to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ..envoy.forwarding.clusters import Cluster
from ..envoy.forwarding.hosts import Cause, Host
from ..finding import Finding, problem

_SHOWN = 4
"""Hosts that are named. A cluster may have thousands."""

_PROBLEMS = {
    Cause.LEAVING: "DM215",
    Cause.NOT_CHECKED: "DM216",
    Cause.CHECK_TIMEOUT: "DM212",
    Cause.CHECK: "DM212",
    Cause.EJECTED: "DM213",
    Cause.DRAINING: "DM214",
    Cause.CONTROL_PLANE: "DM214",
    Cause.UNKNOWN: "DM212",
}


def check_hosts(cluster: Cluster, name: str) -> Iterator[Finding]:
    """Reports hosts that get no calls.

    Args:
        cluster: that calls are sent to.
        name: of the service or target that is called.
    """
    hosts = cluster.hosts
    if hosts is None:
        seen = (
            f"{name}: the hosts of cluster {cluster.name} are not known: add /clusters?format=json, or "
            "istioctl proxy-config endpoints -o json, which leaves out clusters without hosts"
        )
        yield Finding("upstream", "skipped", seen, subject=name)
        return
    if not hosts:
        yield _no_hosts(cluster, name)
        return
    unhealthy = [host for host in hosts if not host.healthy]
    of_all = f"{len(unhealthy)} of {len(hosts)} hosts" if len(hosts) > 1 else "the only host"
    seen = f"{name}: {of_all} of cluster {cluster.name}: {in_words(unhealthy)}"
    if cluster.panics:
        yield problem("DM218", f"{seen}; its panic threshold is {cluster.panic_threshold:g} %", subject=name)
    elif len(unhealthy) == len(hosts):
        causes = Counter(_PROBLEMS[host.cause] for host in hosts if host.cause is not None)
        yield problem(causes.most_common(1)[0][0], seen, subject=name)
    elif unhealthy:
        yield problem("DM217", seen, subject=name)
    unreachable = [host for host in hosts if host.healthy and host.unreachable]
    if unreachable:
        shown = in_words(unreachable, lambda host: f"{host.failed_connections} failed connections")
        yield problem("DM241", f"{name}: cluster {cluster.name}: {shown}", subject=name)


def in_words(hosts: Sequence[Host], what: Callable[[Host], str] | None = None) -> str:
    """Some hosts, and what is the matter with each of them."""
    what = what or (lambda host: host.cause.value if host.cause is not None else "healthy")
    named = [f"{host.address} ({what(host)})" for host in hosts[:_SHOWN]]
    if len(hosts) > _SHOWN:
        named.append(f"and {len(hosts) - _SHOWN} more")
    return ", ".join(named)


def _no_hosts(cluster: Cluster, name: str) -> Finding:
    if cluster.found_by_name:
        names = ", ".join(list(dict.fromkeys(cluster.host_names))[:_SHOWN])
        return problem("DM225", f"{name}: cluster {cluster.name} has no address of {names}", subject=name)
    return problem("DM210", f"{name}: cluster {cluster.name} has no hosts", subject=name)
