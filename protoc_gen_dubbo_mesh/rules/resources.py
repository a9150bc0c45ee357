"""Istio's resources for one host, as far as rules need them.

`expressing` makes them, templates print them, `simulating` runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..istio.model import AppFile
    from ..policy.model import Labels
    from .positions import Position
    from .verdicts import Remark


class StringMatch(NamedTuple):
    """Istio's StringMatch: `kind` is `exact`, `prefix` or `regex` (RE2, all of the text)."""

    kind: str
    value: str


class Match(NamedTuple):
    """An entry of `match` of a route: all of it must hold.

    Attributes:
        uri: of the path; None: any.
        headers: by lower-case name; None as the value: the header must be present.
        without_headers: those that must not match; None as the value: the header must be absent.
        source_labels: labels of the caller's pod.
        port: of the Service; None: any.
    """

    uri: StringMatch | None = None
    headers: tuple[tuple[str, StringMatch | None], ...] = ()
    without_headers: tuple[tuple[str, StringMatch | None], ...] = ()
    source_labels: Labels = ()
    port: int | None = None


class Destination(NamedTuple):
    """A destination of a route.

    Attributes:
        subset: by name; None: all pods.
        weight: None if the route has only one.
        port: of the Service; None: that of the call.
    """

    subset: str | None
    weight: int | None = None
    port: int | None = None


class Retries(NamedTuple):
    """`retries` of a route: `attempts` 0 switches Istio's own off."""

    attempts: int
    per_try_timeout: str | None = None
    retry_on: str | None = None


class Abort(NamedTuple):
    """`fault.abort` of a route, for all requests."""

    grpc_status: str


class Route(NamedTuple):
    """An entry of `http` of the VirtualService. The first one that matches counts.

    Attributes:
        name: unique within the VirtualService.
        comments: lines about it.
        matches: one must hold; none: every request.
        destinations: where it goes; none: `status` is answered.
        status: of the direct response, in HTTP: 403 is PERMISSION_DENIED and 503 UNAVAILABLE to callers.
        timeout: of whole calls, as Istio writes durations; None leaves it out.
        retries: None leaves them to the mesh.
        abort: an injected error.
        sources: the lines that it is made from.
    """

    name: str
    comments: tuple[str, ...]
    matches: tuple[Match, ...]
    destinations: tuple[Destination, ...] = ()
    status: int | None = None
    timeout: str | None = None
    retries: Retries | None = None
    abort: Abort | None = None
    sources: tuple[Position, ...] = ()


class Subset(NamedTuple):
    """A subset of the DestinationRule.

    Attributes:
        name: its name.
        labels: of its pods; none: all pods.
        prefer: pods that match more of these, in order, are preferred while they are healthy: `zone=east`, or
            `zone` for the caller's own value (failoverPriority).
        comments: lines about it.
    """

    name: str
    labels: Labels
    prefer: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()


class TrafficPolicy(NamedTuple):
    """`trafficPolicy` of the DestinationRule.

    Attributes:
        prefer: as in `Subset`, for all pods.
        max_requests: `connectionPool.http.http2MaxRequests`, for each caller's proxy.
        simple: `loadBalancer.simple`, such as ROUND_ROBIN.
        warmup: `warmup.duration` of the load balancer.
        outliers: the fields of `outlierDetection`, with their values.
    """

    prefer: tuple[str, ...] = ()
    max_requests: int | None = None
    simple: str | None = None
    warmup: str | None = None
    outliers: tuple[tuple[str, str | int], ...] = ()


class Denial(NamedTuple):
    """A rule of an AuthorizationPolicy of action DENY, on the provider's side.

    Attributes:
        ports: of the pods, that is, where they listen.
        paths: of the requests; may end with `*`. None: all.
        not_paths: other paths.
        principals: callers, by `*/ns/NAMESPACE/sa/ACCOUNT` or such; none: all callers.
        not_principals: other callers.
        ip_blocks, not_ip_blocks: addresses of callers, and other addresses.
        comments: lines about it.
        sources: the lines that it is made from.
    """

    ports: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    sources: tuple[Position, ...] = ()


class HostFile(NamedTuple):
    """The resources of one host, which are one file.

    Attributes:
        name: the application, which is the Kubernetes Service and the host.
        namespace: None: that of whoever applies the file.
        routes: of the VirtualService; none: there is none.
        subsets, policy: of the DestinationRule.
        denials: of the AuthorizationPolicy; none: there is none.
        access_log: whether a Telemetry resource has its pods log requests.
        selector: labels of its pods.
        pod_labels: the labels that the file relies on, each with the values that it names.
        dialect: the name of the dialect.
        sources: the files that it was made from.
        ports: the port of each service, if it is known.
        emitted: what `emit=istio` writes for the host: all of it is part of this file, which replaces it.
    """

    name: str
    namespace: str | None
    routes: tuple[Route, ...]
    subsets: tuple[Subset, ...]
    policy: TrafficPolicy = TrafficPolicy()
    denials: tuple[Denial, ...] = ()
    access_log: bool = False
    selector: Labels = ()
    pod_labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dialect: str = ""
    sources: tuple[str, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    emitted: AppFile | None = None


class Translation(NamedTuple):
    """All hosts, and what is said of the lines.

    Attributes:
        hosts: by name and namespace.
        remarks: at least one for each line of each rule.
    """

    hosts: tuple[HostFile, ...]
    remarks: tuple[Remark, ...]
