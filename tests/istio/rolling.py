"""Pods that each have a process and a sidecar, and are replaced."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localmesh import ChildProcess
from tests.istio import cluster
from tests.istio.cluster import Manifest, Pod
from tests.istio.emitting import Emitted
from tests.istio.mesh import PODS, Mesh

ROOT = Path(__file__).parents[2]


def interception(pods: Sequence[Pod], port: int, app_port: int) -> Iterator[Manifest]:
    """What stands in for redirecting inbound connections to sidecars, which needs a network of its own.

    Each sidecar listens on its pod's address and the Service's port, and forwards to the pod's app.
    """
    for pod in pods:
        ingress = {
            "bind": pod.address,
            "port": {"number": port, "name": "grpc", "protocol": "GRPC"},
            "defaultEndpoint": f"0.0.0.0:{app_port}",  # at the pod's address
        }
        yield {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": pod.name, "namespace": cluster.NAMESPACE},
            "spec": {
                "workloadSelector": {"labels": pod.labels},
                "ingress": [ingress],
                # Pods call nobody. Their listeners would be where the consumer's are.
                "egress": [{"hosts": ["~/*"]}],
            },
        }
    # Sidecars have no certificates.
    yield {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": cluster.NAMESPACE},
        "spec": {"mtls": {"mode": "DISABLE"}},
    }


class RollingMesh(Mesh):
    """A mesh whose pods are processes behind sidecars.

    Args:
        emitted: As for `Mesh`.
        manifests: As for `Mesh`.
        port: As for `Mesh`.
        app_port: On which the pods' apps listen.
        directory: As for `Mesh`.
        settings: The keyword arguments of the apps' servers.

    Attributes:
        apps: The pods' processes, by the name of the pod.
    """

    def __init__(
        self,
        emitted: Emitted,
        manifests: Sequence[Path],
        port: int,
        app_port: int,
        directory: Path,
        settings: Mapping[str, Any],
    ) -> None:
        file = directory / "interception.yaml"
        cluster.write(file, interception(PODS, port, app_port))
        self.apps: dict[str, ChildProcess] = {}
        self._app_port = app_port
        self._server_settings = settings
        super().__init__(emitted, [*manifests, file], port, directory)

    def address(self, pod: Pod) -> str:
        """`host:port` of a pod's app, with which it answers."""
        return f"{pod.address}:{self._app_port}"

    def _serve(self, pod: Pod, stack: ExitStack) -> None:
        sidecar = self.sidecar(pod)
        sidecar.wait_configured(routes=False)
        command = [sys.executable, "-m", "tests.istio.provider_process"]
        assignments = [f"{name}={json.dumps(value)}" for name, value in self._server_settings.items()]
        app = ChildProcess(
            [*command, str(self._emitted.directory), self.address(pod), *assignments],
            log=self._directory / f"{pod.name}.log",
            env=os.environ
            | {
                "DUBBO_MESH_ADMIN": sidecar.admin_address,
                "DUBBO_MESH_PROBES": "off",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            cwd=ROOT,
        )
        stack.callback(app.kill)
        app.start()
        self.apps[pod.name] = app
