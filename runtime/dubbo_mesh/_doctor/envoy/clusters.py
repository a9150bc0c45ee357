"""Where requests go, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .snapshot import Snapshot
from .values import Json, has, mapping, number, objects, text

Http = Literal["http/1", "http/2", "alpn", "downstream"]
"""HTTP/1.1 only, HTTP/2 only, what TLS negotiates, or what the caller speaks."""

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a cluster.

    Attributes:
        address: `host:port`, or what else its address is.
        trouble: why it gets no requests, in the words of Envoy's `HostHealthStatus`; empty if it does.
    """

    address: str
    trouble: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster.

    Attributes:
        name: its name.
        http: which version of HTTP it speaks.
        max_retries: how many retries may be under way at the same time; None if a retry budget decides.
        health_checks: its `HealthCheck` messages.
        hosts: its hosts; None if they are not known.
        message: the whole `Cluster` message.
    """

    name: str
    http: Http
    max_retries: int | None
    health_checks: Sequence[Json]
    hosts: Sequence[Host] | None
    message: Json

    @property
    def healthy(self) -> int | None:
        """How many hosts get requests; None if that is not known."""
        return None if self.hosts is None else sum(not host.trouble for host in self.hosts)


def cluster_of(snapshot: Snapshot, name: str, priority: str = "DEFAULT") -> Cluster | None:
    """The cluster of that name, with the circuit breakers of a priority; None if there is none."""
    message = snapshot.clusters.get(name)
    if message is None:
        return None
    return Cluster(
        name,
        _http(message),
        _max_retries(message, priority),
        list(objects(message, "health_checks")),
        _hosts(snapshot, name),
        message,
    )


def _http(cluster: Json) -> Http:
    options = mapping(cluster, "typed_extension_protocol_options", _OPTIONS)
    if has(options, "use_downstream_protocol_config", "http2_protocol_options"):
        return "downstream"
    if has(options, "auto_config"):
        return "alpn"
    if has(options, "explicit_http_config", "http2_protocol_options") or has(
        cluster, "http2_protocol_options"
    ):
        return "http/2"
    return "http/1"


def _max_retries(cluster: Json, priority: str) -> int | None:
    for each in objects(cluster, "circuit_breakers", "thresholds"):
        if (text(each, "priority") or "DEFAULT") == priority:
            if has(each, "retry_budget"):
                return None
            given = number(each, "max_retries")
            return 3 if given is None else given
    return 3


def _hosts(snapshot: Snapshot, cluster: str) -> Sequence[Host] | None:
    if snapshot.hosts is None:
        return None
    return [_host(each) for each in snapshot.hosts.get(cluster, ())]


def _host(status: Json) -> Host:
    address = mapping(status, "address", "socket_address")
    name = f"{text(address, 'address')}:{number(address, 'port_value') or 0}"
    health = mapping(status, "health_status")
    trouble = [flag for flag, value in health.items() if value is True]
    eds = text(health, "eds_health_status")
    if eds in ("UNHEALTHY", "DRAINING", "TIMEOUT"):
        trouble.append(eds.lower())
    return Host(name, tuple(trouble))
