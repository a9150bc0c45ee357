"""Where requests go, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from ..configuration.snapshot import Snapshot, lb_endpoints
from ..values import Json, flag, has, mapping, number, objects, seconds, text, texts
from .hosts import Host, host_of

Http = Literal["http/1", "http/2", "alpn", "downstream"]
"""HTTP/1.1 only, HTTP/2 only, what TLS negotiates, or what the caller speaks."""

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

_DISCOVERY_BY_NAME = ("STRICT_DNS", "LOGICAL_DNS")

_HOSTS_BEFORE_CALLS = ("STATIC", "EDS", *_DISCOVERY_BY_NAME)


@dataclass(frozen=True, slots=True)
class Limits:
    """The circuit breakers of a cluster, for one priority. Envoy's defaults stand for what is unset.

    Those for retries are in `retries`.

    Attributes:
        max_pending_requests: how many requests may wait for a connection.
        max_requests: how many requests may be under way at the same time.
    """

    max_pending_requests: int
    max_requests: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster.

    Attributes:
        name: its name.
        http: which version of HTTP it speaks.
        limits: its circuit breakers.
        health_checks: its `HealthCheck` messages.
        hosts: its hosts; None if they are not known.
        panic_threshold: percent. With fewer healthy hosts, requests go to all hosts, healthy or not.
        discovery: how it finds its hosts: `STATIC`, `EDS`, `STRICT_DNS`, `LOGICAL_DNS`, `ORIGINAL_DST`,
            or an extension: `AGGREGATE`, `DYNAMIC_FORWARD_PROXY`, and others.
        connect_timeout: seconds.
        message: the whole `Cluster` message.
    """

    name: str
    http: Http
    limits: Limits
    health_checks: Sequence[Json]
    hosts: Sequence[Host] | None
    panic_threshold: float
    discovery: str
    connect_timeout: float
    message: Json

    @property
    def healthy(self) -> int | None:
        """How many hosts are healthy; None if that is not known."""
        return None if self.hosts is None else sum(host.healthy for host in self.hosts)

    @property
    def panics(self) -> bool:
        """Whether requests go to all hosts because too few are healthy (Envoy's panic threshold).

        Of a cluster with several priorities, only if none is healthy at all: what each of them gets depends
        on the others.
        """
        if not self.hosts or self.panic_threshold <= 0 or self.healthy is None:
            return False
        if len({host.priority for host in self.hosts}) > 1:
            return self.healthy == 0
        counted = [host.healthy for host in self.hosts if not host.excluded]
        return not counted or sum(counted) * 100 < self.panic_threshold * len(counted)

    @property
    def keeps_address(self) -> bool:
        """Whether requests go to where the caller meant to connect."""
        return self.discovery == "ORIGINAL_DST"

    @property
    def passes_through(self) -> bool:
        """Whether that is so because the destination is not known, as with Istio's `PassthroughCluster`.

        Istio's cluster of a headless Service keeps the caller's address too: of the pod that the caller has
        chosen. Clusters of Services are called `outbound|port|subset|host`.
        """
        return self.keeps_address and not self.name.startswith("outbound|")

    @property
    def found_by_name(self) -> bool:
        """Whether the Envoy asks DNS for its hosts."""
        return self.discovery in _DISCOVERY_BY_NAME

    @property
    def knows_hosts(self) -> bool:
        """Whether it has its hosts before it is called. Clusters that are extensions need not."""
        return self.discovery in _HOSTS_BEFORE_CALLS

    @property
    def members(self) -> Sequence[str]:
        """The clusters of which an aggregate cluster consists. The first with a healthy host gets calls."""
        if self.discovery != "AGGREGATE":
            return ()
        return texts(self.message, "cluster_type", "typed_config", "clusters")

    @property
    def host_names(self) -> Iterator[str]:
        """The hosts in its configuration: names, where it asks DNS for them."""
        for each in self.addresses:
            yield text(each, "socket_address", "address")

    @property
    def addresses(self) -> Iterator[Json]:
        """The `Address` messages in its configuration."""
        for each in lb_endpoints(mapping(self.message, "load_assignment")):
            yield mapping(each, "endpoint", "address")


def http_options(cluster: Json | None) -> Json:
    """The `HttpProtocolOptions` of a `Cluster`; empty if it has none."""
    return mapping(cluster, "typed_extension_protocol_options", _OPTIONS)


def cluster_of(snapshot: Snapshot, name: str, priority: str = "DEFAULT") -> Cluster | None:
    """The cluster of that name, with the circuit breakers of a priority; None if there is none."""
    message = snapshot.clusters.get(name)
    if message is None:
        return None
    if (name, priority) not in snapshot.found:  # asked for with every rpc, and a cluster may have many hosts
        snapshot.found[name, priority] = _cluster(snapshot, name, message, priority)
    return cast("Cluster", snapshot.found[name, priority])


def _cluster(snapshot: Snapshot, name: str, message: Json, priority: str) -> Cluster:
    hosts = snapshot.hosts_of(name)
    timeout = seconds(message, "connect_timeout")
    return Cluster(
        name,
        _http(message),
        _limits(message, priority),
        list(objects(message, "health_checks")),
        None if hosts is None else [host_of(each) for each in hosts],
        _panic_threshold(message),
        text(message, "type") or text(message, "cluster_type", "name").rpartition(".")[2].upper() or "STATIC",
        5.0 if timeout is None else timeout,
        message,
    )


def _http(cluster: Json) -> Http:
    options = http_options(cluster)
    if options:
        if has(options, "use_downstream_protocol_config"):
            return "downstream"
        if has(options, "auto_config"):
            return "alpn"
        return "http/2" if has(options, "explicit_http_config", "http2_protocol_options") else "http/1"
    # Before Envoy 1.17 clusters had these themselves, and they still may.
    if text(cluster, "protocol_selection") == "USE_DOWNSTREAM_PROTOCOL":
        return "downstream"
    return "http/2" if has(cluster, "http2_protocol_options") else "http/1"


def _limits(cluster: Json, priority: str) -> Limits:
    message: Json = {}
    for each in objects(cluster, "circuit_breakers", "thresholds"):
        if (text(each, "priority") or "DEFAULT") == priority:
            message = each
            break

    def limit(name: str, default: int) -> int:
        given = number(message, name)
        return default if given is None else given

    return Limits(
        limit("max_pending_requests", 1024),
        limit("max_requests", 1024),
    )


def _panic_threshold(cluster: Json) -> float:
    config = mapping(cluster, "common_lb_config")
    if flag(config, "zone_aware_lb_config", "fail_traffic_on_panic"):
        return 0.0
    if not has(config, "healthy_panic_threshold"):
        return 50.0
    value = config["healthy_panic_threshold"].get("value", 0.0)
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= 100 else 0.0
