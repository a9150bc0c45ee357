"""Istio's control plane, a consumer's sidecar, and pods: from emitted files to calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import grpc

from localmesh import wait_until
from tests.istio import cluster
from tests.istio.apps import Record, servicers
from tests.istio.cluster import Manifest, Pod
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.sidecar import IstioSidecar, XdsServer

PODS = (
    Pod("greeter-1", "127.0.10.1", {"app": "greeter", "version": "v1"}),
    Pod("greeter-2", "127.0.10.2", {"app": "greeter", "version": "v2"}),
)


class Mesh:
    """A mesh of one consumer and the greeter's pods.

    Args:
        emitted: Whose stub calls, and whose servicer answers.
        manifests: What is applied: files and directories.
        port: The Service's port, which the consumer's sidecar listens on.
        directory: Where to put all files.
        pods: The greeter's pods.
        settings: More of Istio's mesh configuration, in YAML.
        consumer: The consumer's pod.

    Attributes:
        record: What the pods' apps were asked.
        consumer: The consumer's sidecar.
        control_plane: Istio's.
    """

    def __init__(
        self,
        emitted: Emitted,
        manifests: Sequence[Path],
        port: int,
        directory: Path,
        pods: Sequence[Pod] = PODS,
        settings: str = "",
        consumer: Pod = cluster.CONSUMER,
    ) -> None:
        self._emitted = emitted
        self._pods = pods
        self._consumer = consumer
        self._port = port
        self._ports = {port, *_ports(cluster.read(*manifests))}
        self._stack = ExitStack()
        self.record = Record()
        self._directory = directory
        self._manifests = manifests
        self._settings = settings
        self.sidecars: list[IstioSidecar] = []

    def __enter__(self) -> Self:
        with self._stack:
            self.control_plane = self._start_control_plane(self._stack)
            for pod in self._pods:
                self._serve(pod, self._stack)
            self.consumer = self.sidecar(self._consumer)
            self.consumer.wait_configured()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.record.release.set()
        self._stack.close()

    @property
    def egress(self) -> str:
        """`host:port` of the consumer's sidecar, for `DUBBO_MESH_EGRESS`."""
        return f"127.0.0.1:{self._port}"

    def sidecar(self, pod: Pod) -> IstioSidecar:
        """Starts the sidecar of a pod."""
        sidecar = IstioSidecar(pod, self.control_plane, self._directory)
        self._stack.enter_context(sidecar)
        self.sidecars.append(sidecar)
        return sidecar

    def stub(self, service: str = "Greeter") -> Any:
        """A stub as the consumer has it. It is closed with the mesh."""
        stub = getattr(self._emitted.module, f"{service}Stub")
        return self._stack.enter_context(stub(options=[("grpc.use_local_subchannel_pool", 1)]))

    @property
    def cluster(self) -> str:
        """The name of the consumer's cluster for the greeter, without subsets."""
        return f"outbound|{self._port}||greeter.default.svc.cluster.local"

    def wait_healthy(self, pods: int) -> None:
        """Waits until so many pods get calls."""

        def healthy() -> bool:
            return sum(host.healthy for host in self.consumer.admin.hosts(self.cluster)) == pods

        wait_until(healthy, what=f"{pods} pods are healthy", timeout=20)

    def rejections(self) -> list[str]:
        """What Envoys refused of the control plane's configuration, as both sides say."""
        refused = [text for sidecar in self.sidecars for text in sidecar.rejections]
        return self.control_plane.rejections + refused

    def _start_control_plane(self, stack: ExitStack) -> XdsServer:
        filled_in = self._directory / "filled-in.yaml"
        pods = [*self._pods, self._consumer]
        cluster.write(filled_in, cluster.filled_in(cluster.read(*self._manifests), pods))
        control_plane = ControlPlane([*self._manifests, filled_in], self._directory, self._settings)
        return stack.enter_context(control_plane)

    def _serve(self, pod: Pod, stack: ExitStack) -> None:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        server = grpc.server(pool)
        module: Any = self._emitted.module
        greeter, canary = servicers(module, pod.name, self.record)
        module.add_GreeterServicer_to_server(greeter, server)
        module.add_CanaryServicer_to_server(canary, server)
        for port in self._ports:
            server.add_insecure_port(f"{pod.address}:{port}")
        server.start()
        stack.callback(lambda: server.stop(grace=0).wait())


def _ports(manifests: Iterable[Manifest]) -> Iterator[int]:
    """The ports of the Services."""
    for manifest in manifests:
        if manifest["kind"] == "Service":
            yield from (port["port"] for port in manifest["spec"]["ports"])
