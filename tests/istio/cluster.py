"""What Kubernetes would add to emitted manifests: namespaces, pods, and their endpoints.

Each pod has a loopback address of its own. Istio takes a proxy's labels from the pod that has its address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Manifest = Mapping[str, Any]

NAMESPACE = "default"
CONSUMER_ADDRESS = "127.0.20.1"


class Pod(NamedTuple):
    """A pod that runs and is ready."""

    name: str
    address: str
    labels: Mapping[str, str]
    namespace: str = NAMESPACE
    interception: str = "NONE"
    """How connections get to its sidecar: `NONE` (listeners are on loopback), `REDIRECT` or `TPROXY`."""

    def node(self) -> dict[str, Any]:
        """The node of its sidecar, by which a control plane knows whose that is."""
        return {
            "id": f"sidecar~{self.address}~{self.name}.{self.namespace}~{self.namespace}.svc.cluster.local",
            "cluster": f"{self.name}.{self.namespace}",
            "metadata": {
                "CLUSTER_ID": "Kubernetes",
                "INSTANCE_IPS": self.address,
                "INTERCEPTION_MODE": self.interception,
                "ISTIO_VERSION": "1.31.0",
                "LABELS": dict(self.labels),
                "NAMESPACE": self.namespace,
            },
        }

    def grpc_bootstrap(self, control_plane: str) -> dict[str, Any]:
        """The bootstrap of its process where grpc is the client of the control plane at that address."""
        node = self.node()
        node["metadata"]["GENERATOR"] = "grpc"
        server = {
            "server_uri": control_plane,
            "channel_creds": [{"type": "insecure"}],
            "server_features": ["xds_v3"],
        }
        return {"xds_servers": [server], "node": node}

    def workload_entry(self) -> Manifest:
        """What stands for it where the API server does not take loopback addresses for those of pods."""
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"address": self.address, "labels": self.labels},
        }

    def manifest(self) -> Manifest:
        """The pod as the API server has it."""
        containers = [{"name": name, "image": "registry.example/it:1"} for name in ("app", "istio-proxy")]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": self.labels},
            "spec": {"containers": containers},
            "status": {
                "podIP": self.address,
                "podIPs": [{"ip": self.address}],
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }


CONSUMER = Pod("consumer-1", CONSUMER_ADDRESS, {"app": "consumer"})


def read(*paths: Path) -> Iterator[Manifest]:
    """The resources in YAML files, and in those below directories."""
    for path in paths:
        for file in sorted(path.rglob("*.yaml")) if path.is_dir() else [path]:
            yield from (document for document in yaml.safe_load_all(file.read_text()) if document)


def filled_in(services: Iterable[Manifest], pods: Sequence[Pod]) -> list[Manifest]:
    """The namespaces, the pods, and which of them each Service's selector finds.

    Args:
        services: The Services; other resources are ignored.
        pods: All pods, the consumer's too.
    """
    namespaces = [_namespace(name) for name in sorted({pod.namespace for pod in pods})]
    endpoints = [_endpoints(service, pods) for service in services if service["kind"] == "Service"]
    return [*namespaces, *(pod.manifest() for pod in pods), *endpoints]


def write(file: Path, manifests: Iterable[Manifest]) -> None:
    """Writes one document for each; JSON is YAML."""
    file.write_text("\n---\n".join(json.dumps(manifest) for manifest in manifests))


def _namespace(name: str) -> Manifest:
    metadata = {"name": name, "labels": {"istio-injection": "enabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _endpoints(service: Manifest, pods: Sequence[Pod]) -> Manifest:
    name, spec = service["metadata"]["name"], service["spec"]
    namespace = service["metadata"].get("namespace", NAMESPACE)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": port.get("name", ""), "port": port.get("targetPort", port["port"]), "protocol": "TCP"}
            for port in spec["ports"]
        ],
        "endpoints": [
            {
                "addresses": [pod.address],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod.name, "namespace": namespace},
            }
            for pod in pods
            if pod.namespace == namespace and spec["selector"].items() <= pod.labels.items()
        ],
    }
