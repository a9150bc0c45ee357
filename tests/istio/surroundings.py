"""The cluster that emitted manifests are analysed in: whatever they refer to is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.istio.cluster import Manifest

_NAMESPACE = "default"  # of what names none
_PORT = 50051  # of a Service of which no port is known


def complete(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests, and the namespaces, Services and pods that they refer to and do not have."""
    # Components are kustomize's, and Deployments are patches of a user's.
    here = [_placed(each) for each in manifests if each["kind"] not in ("Component", "Deployment")]
    known = {(manifest["kind"], _where(manifest)) for manifest in here}
    ports: dict[tuple[str, str], set[int]] = {}
    for manifest in here:
        for service, number in _services(manifest):
            ports.setdefault(service, set()).update({number} if number else ())
    services = [
        _service(service, numbers or {_PORT})
        for service, numbers in sorted(ports.items())
        if ("Service", service) not in known
    ]
    pods = [_pod(number, *pod) for number, pod in enumerate(_pods([*here, *services]))]
    namespaces = {_where(manifest)[0] for manifest in (*here, *services)} | {"istio-system"}
    return [*map(_namespace, sorted(namespaces)), *here, *services, *pods]


def _placed(manifest: Manifest) -> Manifest:
    metadata = {"namespace": _NAMESPACE, **manifest["metadata"]}
    return {**manifest, "metadata": metadata}


def _where(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _services(manifest: Manifest) -> Iterator[tuple[tuple[str, str], int]]:
    """The Services that a resource refers to, by namespace and name, each with a port or 0."""
    namespace, spec = _where(manifest)[0], manifest.get("spec", {})
    match manifest["kind"]:
        case "VirtualService":
            destinations = (route["destination"] for rule in spec["http"] for route in rule.get("route", ()))
            for destination in destinations:
                number = destination.get("port", {}).get("number", 0)
                yield _of_host(destination["host"], namespace), number
        case "DestinationRule":
            yield _of_host(spec["host"], namespace), 0
        case "GRPCRoute" | "HTTPRoute":
            backends = (backend for rule in spec["rules"] for backend in rule.get("backendRefs", ()))
            for reference in (*spec["parentRefs"], *backends):
                yield (reference.get("namespace", namespace), reference["name"]), reference.get("port", 0)
        case _:
            pass


def _of_host(host: str, namespace: str) -> tuple[str, str]:
    name, _, rest = host.partition(".")
    return rest.partition(".")[0] or namespace, name


def _pods(manifests: Iterable[Manifest]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """A pod for each set of labels that something selects, with its namespace."""
    for manifest in manifests:
        namespace, spec = _where(manifest)[0], manifest.get("spec", {})
        if "workloadSelector" in spec:
            yield namespace, spec["workloadSelector"]["labels"]
        if manifest["kind"] == "Service":
            yield namespace, spec["selector"]
        if manifest["kind"] == "DestinationRule":
            namespace, name = _of_host(spec["host"], namespace)
            for subset in spec.get("subsets", ()):
                yield namespace, {"app": name, **subset["labels"]}


def _namespace(name: str) -> dict[str, Any]:
    labels = {"istio-injection": "enabled"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _service(service: tuple[str, str], ports: Iterable[int]) -> dict[str, Any]:
    namespace, name = service
    listed = [{"name": f"grpc-{port}", "port": port, "appProtocol": "grpc"} for port in sorted(ports)]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": listed},
    }


def _pod(number: int, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    containers = [{"name": name, "image": "registry.example/it:1"} for name in ("app", "istio-proxy")]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number}", "namespace": namespace, "labels": labels},
        "spec": {"containers": containers},
    }
