"""DM2xx: where the sidecar sends calls."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

_UNHEALTHY = "Calls fail with UNAVAILABLE, “no healthy upstream”."

UPSTREAM: Mapping[str, Problem] = {
    "DM209": Problem(
        "upstream",
        "error",
        "the cluster of the route does not exist",
        "Envoy answers 503, which gRPC callers see as UNAVAILABLE.",
        "is there a DestinationRule with the subset that the route names? It has to be in the Service's "
        "namespace, as istio/<app>.yaml is, and one in the caller's takes its place",
    ),
    "DM210": Problem(
        "upstream",
        "error",
        "the cluster has no hosts",
        _UNHEALTHY,
        "is a pod of the provider ready, and do the labels of Service and subset select it?",
    ),
    "DM211": Problem(
        "upstream",
        "error",
        "the sidecar speaks HTTP/1.1 to the provider",
        "gRPC needs HTTP/2: calls fail.",
        "on Istio, name the Service's port grpc, set its appProtocol to grpc, or apply istio/<app>.yaml with "
        "its h2UpgradePolicy. In an Envoy of your own: http2_protocol_options in explicit_http_config",
    ),
    "DM212": Problem(
        "upstream",
        "error",
        "no host passes its health checks",
        _UNHEALTHY,
        "does the provider run, and report SERVING to the service name of the health check? Run "
        "dubbo-mesh doctor --server there",
    ),
    "DM213": Problem(
        "upstream",
        "error",
        "all hosts are ejected as outliers",
        _UNHEALTHY,
        "look for what fails at the provider. To keep some hosts whatever happens, lower "
        "max_ejection_percent (maxEjectionPercent of the DestinationRule)",
    ),
    "DM214": Problem(
        "upstream",
        "error",
        "the control plane says that no host is healthy",
        _UNHEALTHY,
        "is a pod of the provider ready? Those that are being deleted do not count",
    ),
    "DM215": Problem(
        "upstream",
        "error",
        "all hosts are going down",
        "Their own sidecars were told so. " + _UNHEALTHY,
        "if the provider is not going down: did a server that was killed leave its sidecar so? POST "
        "/healthcheck/ok to that sidecar's admin endpoint, or restart the pod",
    ),
    "DM216": Problem(
        "upstream",
        "error",
        "no host has been checked yet",
        _UNHEALTHY,
        "wait for the first health check (--wait)",
    ),
    "DM217": Problem(
        "upstream",
        "info",
        "some hosts get no calls",
        "The others have to do their work.",
        "if the provider is not being restarted, look at those hosts",
    ),
    "DM218": Problem(
        "upstream",
        "warning",
        "too few hosts are healthy, so that calls go to unhealthy ones too",
        "Calls that meet an unhealthy host may fail (Envoy's panic threshold, by default 50 %).",
        "look at the unhealthy hosts. To have calls fail at once instead, set healthy_panic_threshold to 0, "
        "as emit=envoy does (on Istio: outlierDetection.minHealthPercent)",
    ),
    "DM219": Problem(
        "upstream",
        "error",
        "the cluster is not in use yet",
        "It waits for its hosts or certificates, or the sidecar has refused it. Envoy answers 503, which "
        "gRPC callers see as UNAVAILABLE.",
        "look into the sidecar's log: is it connected to the control plane, and has it refused the cluster?",
    ),
    "DM220": Problem(
        "upstream",
        "error",
        "the control plane has given the sidecar no clusters",
        "Envoy answers 503 to every call, which gRPC callers see as UNAVAILABLE.",
        "look into the sidecar's log: is it connected to the control plane, and has it refused the clusters?",
    ),
    "DM224": Problem(
        "upstream",
        "error",
        "the circuit breaker lets no call through",
        "Calls fail with UNAVAILABLE, “overflow”.",
        "raise the limit in the cluster's circuit_breakers (on Istio: connectionPool of the DestinationRule)",
    ),
    "DM225": Problem(
        "upstream",
        "error",
        "the sidecar cannot resolve the provider's name",
        _UNHEALTHY,
        "correct the name in the cluster, or see why the sidecar's resolver does not know it",
    ),
    "DM226": Problem(
        "upstream",
        "warning",
        "health checks are rare until the first call",
        "A provider that starts after the sidecar gets no calls for up to a minute: “no healthy upstream”.",
        "set no_traffic_interval of the health check to its interval, as emit=envoy does",
    ),
    "DM227": Problem(
        "upstream",
        "error",
        "health checks over HTTP fail at a gRPC server",
        "A gRPC server does not answer them, so that its hosts count as unhealthy.",
        "use a grpc_health_check, as emit=envoy does (on Istio: [istio] health_checks)",
    ),
    "DM228": Problem(
        "upstream",
        "error",
        "gRPC health checks have an authority that the provider's sidecar rejects",
        "Without an authority, they are sent with the cluster's name, whose “|” no host name may have: no "
        "host ever passes.",
        "set grpc_health_check.authority to the Service's host name, as [istio] health_checks does",
    ),
    "DM229": Problem(
        "upstream",
        "info",
        "nothing notices that a host of the cluster is down",
        "Its share of the calls fails until it is back.",
        "give the cluster a grpc_health_check, as emit=envoy does",
    ),
    "DM230": Problem(
        "upstream",
        "info",
        "outlier detection cannot eject any host",
        "max_ejection_percent, by default 10, of so few hosts is less than one: a host that fails keeps its "
        "calls.",
        "raise max_ejection_percent (maxEjectionPercent of the DestinationRule)",
    ),
    "DM241": Problem(
        "upstream",
        "warning",
        "connections to hosts have always failed",
        "Calls that are sent to such a host fail with UNAVAILABLE.",
        "does the provider listen at that address, and does a NetworkPolicy let the sidecar reach it?",
    ),
    "DM247": Problem(
        "upstream",
        "error",
        "calls are sent on to the address that they were made to, which is the sidecar's own",
        _UNHEALTHY,
        "let the sidecar intercept connections (unset DUBBO_MESH_EGRESS), or give the Service an address: it "
        "is headless (clusterIP: None)",
    ),
    "DM248": Problem(
        "upstream",
        "error",
        "nothing listens where the sidecar would send calls",
        "The hosts count as healthy, since nobody checks them. Calls fail with UNAVAILABLE, “upstream "
        "connect error … remote connection failure”.",
        "start the provider, or correct its address in the cluster. If a name such as localhost stands for "
        "::1 there, and the server listens at 127.0.0.1 only, set dns_lookup_family to V4_ONLY",
    ),
    "DM249": Problem(
        "upstream",
        "error",
        "the provider does not speak what the sidecar speaks to it",
        "The hosts count as healthy, since nobody checks them. Calls fail with UNAVAILABLE, “upstream "
        "connect error”.",
        "is it the port for gRPC? The cluster needs an UpstreamTlsContext as its transport_socket if the "
        "provider expects TLS, and none if it does not",
    ),
}
