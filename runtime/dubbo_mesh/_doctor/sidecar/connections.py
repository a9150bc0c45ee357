"""Tries the hosts of a cluster from here, where nobody else has: without health checks, all count as healthy.

That says something of the sidecar's own connections only if it is on this host, and does not intercept those
of this process.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..addressing.addresses import host_and_port, is_ip
from ..addressing.connecting import Met, Peer, connect
from ..budget import Budget
from ..envoy.forwarding.clusters import Cluster
from ..envoy.values import has, text
from ..finding import Finding, problem

_MOST = 4
"""Hosts that are tried. Where there are more, it is not likely that none of them is there."""

_AT_MOST = 1.0  # seconds, for all hosts of a cluster


def check_connections(cluster: Cluster, name: str, budget: Budget) -> Iterator[Finding]:
    """Reports hosts without health checks of which none takes what the sidecar would send.

    Args:
        cluster: that calls are sent to.
        name: of the service or target that is called.
        budget: the time for all checks.
    """
    addresses = [host.address for host in cluster.hosts or () if host.healthy]
    if cluster.health_checks or len(addresses) > _MOST:
        return
    part = budget.part(_AT_MOST)
    refused: list[str] = []
    misunderstood: list[str] = []
    for address in addresses:
        try:
            host, port = host_and_port(address)
            met = connect(host, port, part.left) if is_ip(host) else None
        except ConnectionRefusedError:
            refused.append(address)
        except (OSError, ValueError):  # what it is cannot be known from here
            pass
        else:
            what = _misunderstanding(cluster, met)
            misunderstood += [f"{address} {what}"] if what else []
    if addresses and len(refused) == len(addresses):
        seen = f"{name}: nothing listens at {', '.join(refused)} (cluster {cluster.name}): connection refused"
        yield problem("DM248", seen, subject=name)
    elif addresses and len(misunderstood) + len(refused) == len(addresses):
        yield problem("DM249", f"{name}: cluster {cluster.name}: {', '.join(misunderstood)}", subject=name)


def _misunderstanding(cluster: Cluster, met: Met | None) -> str:
    """What a host speaks, if that is not what the cluster speaks; else nothing."""
    if met is None or cluster.http == "http/1" or has(cluster.message, "transport_socket_matches"):
        return ""
    socket = text(cluster.message, "transport_socket", "typed_config", "@type").rpartition(".")[2]
    if socket == "UpstreamTlsContext" and met.peer is Peer.HTTP2:
        return "speaks clear text, and the cluster TLS"
    if socket not in ("", "RawBuffer"):
        return ""
    if met.peer is Peer.TLS:
        return "expects TLS, and the cluster speaks clear text"
    said = f": it says “{met.said}”" if met.said else ""
    return f"does not speak HTTP/2{said}" if met.peer is Peer.OTHER else ""
