"""Resources of Kubernetes and Istio, for tests that vary them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.istio.cluster import NAMESPACE, Manifest

NETWORKING = "networking.istio.io/v1"
PODS_OF_ALL: Mapping[str, str] = {"app": "greeter"}
"""The labels of the pods that serve all applications."""


def service(
    name: str,
    port: int,
    *,
    port_name: str = "grpc",
    selector: Mapping[str, str] = PODS_OF_ALL,
    namespace: str = NAMESPACE,
    cluster_ip: str | None = None,
) -> Manifest:
    """A Service with one port, whose name says the protocol to Istio."""
    named = {"name": port_name} if port_name else {}
    spec: dict[str, Any] = {"selector": selector, "ports": [{**named, "port": port}]}
    if cluster_ip is not None:
        spec["clusterIP"] = cluster_ip
    return _resource("v1", "Service", name, namespace, spec)


def virtual_service(
    host: str, *http: Mapping[str, Any], name: str = "", namespace: str = NAMESPACE, **spec: Any
) -> Manifest:
    """A VirtualService of one host; entries without a destination go to that host."""
    entries = [
        each
        if any(key in each for key in ("route", "directResponse", "delegate"))
        else {**each, "route": [{"destination": {"host": host}}]}
        for each in http
    ]
    content = {"hosts": [host], "http": entries, **spec}
    return _resource(NETWORKING, "VirtualService", name or host.partition(".")[0], namespace, content)


def destination_rule(
    host: str,
    policy: Mapping[str, Any] | None = None,
    *,
    subsets: Sequence[Mapping[str, Any]] = (),
    name: str = "",
    namespace: str = NAMESPACE,
) -> Manifest:
    """A DestinationRule with a traffic policy, and subsets."""
    spec: dict[str, Any] = {"host": host}
    if policy is not None:
        spec["trafficPolicy"] = policy
    if subsets:
        spec["subsets"] = list(subsets)
    return _resource(NETWORKING, "DestinationRule", name or host.partition(".")[0], namespace, spec)


def sidecar(
    name: str, labels: Mapping[str, str], hosts: Sequence[str], address: str = "", *ports: int, **more: Any
) -> Manifest:
    """A Sidecar for pods with these labels.

    Args:
        name: Its name.
        labels: Of the pods.
        hosts: What it knows, such as `./*`.
        address: Where it listens, if not on 127.0.0.1.
        ports: The Services' ports that it listens on there.
        more: More fields of its spec.
    """
    listeners: list[dict[str, Any]] = [
        {"port": {"number": port, "protocol": "GRPC", "name": f"grpc-{port}"}, "bind": address}
        for port in ports
    ]
    egress = [{**each, "hosts": list(hosts)} for each in listeners or [{}]]
    spec = {"workloadSelector": {"labels": labels}, "egress": egress, **more}
    return _resource(NETWORKING, "Sidecar", name, NAMESPACE, spec)


def envoy_filter(name: str, labels: Mapping[str, str], *patches: Mapping[str, Any]) -> Manifest:
    """An EnvoyFilter for the sidecars of pods with these labels."""
    spec = {"workloadSelector": {"labels": labels}, "configPatches": list(patches)}
    return _resource("networking.istio.io/v1alpha3", "EnvoyFilter", name, NAMESPACE, spec)


def internal_addresses(name: str, labels: Mapping[str, str], *ranges: str) -> Manifest:
    """An EnvoyFilter for the addresses that count as internal, as the plugin emits it."""
    pairs = (each.split("/") for each in ranges)
    cidr_ranges = [{"address_prefix": prefix, "prefix_len": int(length)} for prefix, length in pairs]
    patch = {
        "applyTo": "NETWORK_FILTER",
        "match": {
            "context": "SIDECAR_OUTBOUND",
            "listener": {
                "filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}
            },
        },
        "patch": {
            "operation": "MERGE",
            "value": {
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
                    ".HttpConnectionManager",
                    "internal_address_config": {"cidr_ranges": cidr_ranges},
                }
            },
        },
    }
    return envoy_filter(name, labels, patch)


def grpc_route(name: str, host: str, port: int, *methods: Mapping[str, str]) -> Manifest:
    """A route of the Gateway API, for all methods if none is given."""
    rule: dict[str, Any] = {"backendRefs": [{"name": host, "port": port}]}
    if methods:
        rule["matches"] = [{"method": each} for each in methods]
    spec = {"parentRefs": [{"group": "", "kind": "Service", "name": host, "port": port}], "rules": [rule]}
    return _resource("gateway.networking.k8s.io/v1", "GRPCRoute", name, NAMESPACE, spec)


def no_mutual_tls(namespace: str = NAMESPACE) -> Manifest:
    """Sidecars of tests have no certificates, which listeners for calls to pods would wait for."""
    spec = {"mtls": {"mode": "DISABLE"}}
    return _resource("security.istio.io/v1", "PeerAuthentication", "default", namespace, spec)


def _resource(
    api_version: str, kind: str, name: str, namespace: str, spec: Mapping[str, Any]
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
