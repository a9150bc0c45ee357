"""A mesh of many applications: each may have a fault of its own. All are served by the same pods."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import grpc

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from localmesh import wait_until
from tests.doctor import running
from tests.istio import cluster
from tests.istio.apps import Record, servicers
from tests.istio.cluster import Manifest, Pod
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.mesh import PODS
from tests.istio.sidecar import IstioSidecar

POD_ADDRESS = "10.1.2.3"
"""What the consumers' pods say that their address is."""

_HELD = 0.8
"""Seconds that handlers of streams wait before they send their last message."""


class Called(NamedTuple):
    """What became of a call.

    Attributes:
        code: Its status.
        details: The status's message.
        runs: How often a handler ran.
        timeout: Seconds, what the sidecar told the handler of its timeout; None if it told none.
    """

    code: grpc.StatusCode
    details: str
    runs: int
    timeout: float | None


class ManyApps:
    """A control plane, pods that serve every application, and consumers with a sidecar each.

    Args:
        emitted: Whose services and servicers there are.
        manifests: What is applied: Services, and whatever else.
        port: The Services' port, unless a caller says otherwise.
        directory: Where to put all files.
        consumers: The consumers' pods; each has a sidecar, with listeners on its own address of loopback if
            a Sidecar resource says so. At most one may have the default listeners.
        pods: The pods that serve.
        settings: More of Istio's mesh configuration, in YAML.
    """

    def __init__(
        self,
        emitted: Emitted,
        manifests: Sequence[Manifest],
        port: int,
        directory: Path,
        *,
        consumers: Sequence[Pod] = (cluster.CONSUMER,),
        pods: Sequence[Pod] = PODS,
        settings: str = "",
    ) -> None:
        self._emitted = emitted
        self._manifests = manifests
        self._port = port
        self._directory = directory
        self._consumers = consumers
        self._pods = pods
        self._settings = settings
        self._stack = ExitStack()
        self.sidecars: dict[str, IstioSidecar] = {}
        self.record = Record()

    def __enter__(self) -> Self:
        with self._stack:
            file = self._directory / "cluster.yaml"
            everybody = [*self._pods, *self._consumers]
            cluster.write(file, [*self._manifests, *cluster.filled_in(self._manifests, everybody)])
            plane = self._stack.enter_context(ControlPlane([file], self._directory, self._settings))
            self.control_plane = plane
            for pod in self._pods:
                self._serve(pod)
            for pod in self._consumers:
                started = self._stack.enter_context(IstioSidecar(pod, plane, self._directory))
                self.sidecars[pod.name] = started
            for each in self.sidecars.values():
                each.wait_configured()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.record.release.set()
        self._stack.close()

    def rejections(self) -> list[str]:
        """What Envoys refused of the control plane's configuration, as both sides say."""
        refused = [text for each in self.sidecars.values() for text in each.rejections]
        return self.control_plane.rejections + refused

    def doctor(
        self,
        app: str,
        *services: str,
        consumer: str = "consumer-1",
        egress: str | None = None,
        variables: Mapping[str, str] | None = None,
        namespace: str | None = None,
        port: int | None = None,
        stubs: Emitted | None = None,
        dumps: Sequence[Path] = (),
    ) -> list[Finding]:
        """What the doctor of a consumer finds in the emitted services, as if `app` provided them.

        Args:
            app: The provider.
            services: Which services; `Greeter` if none is named.
            consumer: Whose doctor it is.
            egress: Where its sidecar listens, if not on loopback and the port of the Service; empty if
                connections are intercepted.
            variables: More environment variables.
            namespace: The provider's namespace, if it is not the consumer's own.
            port: The port that stubs dial, if it is not that of all Services.
            stubs: Whose stubs make calls, if not those of the servicers.
            dumps: Files that stand for the sidecar.
        """
        stub_classes = [
            self._stub_class(app, service, namespace, port, stubs) for service in services or ("Greeter",)
        ]
        with _module(f"{app.replace('-', '_')}_mesh", stub_classes) as name:
            environment = self._environment(consumer, egress, port) | dict(variables or {})
            return running.examined(name, variables=environment, config_dumps=dumps)

    def call(
        self,
        app: str,
        rpc: str = "hello",
        *,
        service: str = "Greeter",
        consumer: str = "consumer-1",
        egress: str | None = None,
        variables: Mapping[str, str] | None = None,
        namespace: str | None = None,
        port: int | None = None,
        stubs: Emitted | None = None,
        failures: int = 0,
        request: str = "",
        timeout: float | None = 20.0,
        **arguments: Any,
    ) -> Called:
        """Makes a call as the consumer's stub would.

        Args:
            app, consumer, egress, variables, namespace, port, stubs: As for `doctor`.
            rpc: Which rpc.
            service: Of which service.
            failures: How often handlers fail with UNAVAILABLE before they answer.
            request: What is sent; `hold` is not answered until the caller has gone.
            timeout: Seconds, as an argument of the call.
            arguments: More arguments of the call.
        """
        from google.protobuf.wrappers_pb2 import StringValue

        self.record.calls.clear()
        self.record.release.clear()
        self.record.failures = failures
        environment = running.environment(self._environment(consumer, egress, port) | dict(variables or {}))
        stub_class = self._stub_class(app, service, namespace, port, stubs)
        code, details = grpc.StatusCode.OK, ""
        with (
            patch.dict("os.environ", environment, clear=True),
            stub_class(options=[("grpc.use_local_subchannel_pool", 1)]) as stub,
        ):
            try:
                result = getattr(stub, rpc)(StringValue(value=request), timeout=timeout, **arguments)
                if not isinstance(result, StringValue):
                    self._read(result)
            except grpc.RpcError as error:
                code, details = error.code(), error.details() or ""
        self.record.failures = 0
        calls = list(self.record.calls)
        told = calls[0].metadata.get("x-envoy-expected-rq-timeout-ms") if calls else None
        return Called(code, details, len(calls), None if told is None else int(told) / 1000)

    def _read(self, stream: Any) -> None:
        """Reads a stream. It is held for long enough that a short timeout can cut it."""
        next(stream)
        timer = threading.Timer(_HELD, self.record.release.set)
        timer.start()
        try:
            list(stream)
        finally:
            timer.cancel()

    def _environment(self, consumer: str, egress: str | None, port: int | None) -> dict[str, str]:
        if egress is None:
            egress = f"127.0.0.1:{port or self._port}"
        return {
            "DUBBO_MESH_ADMIN": self.sidecars[consumer].admin_address,
            "DUBBO_MESH_EGRESS": egress,
            "DUBBO_MESH_FORWARDED_FOR": "pod",
            "DUBBO_MESH_PROBES": "off",
            "POD_IP": POD_ADDRESS,
            "POD_NAMESPACE": next(pod.namespace for pod in self._consumers if pod.name == consumer),
        }

    def _stub_class(
        self, app: str, service: str, namespace: str | None, port: int | None, stubs: Emitted | None
    ) -> Any:
        module = (stubs or self._emitted).module
        emitted: dubbo_mesh.Service = getattr(module, f"{service}Stub").__mesh__
        mesh = dubbo_mesh.Service(
            emitted.name,
            *emitted.methods.values(),
            app=app,
            namespace=namespace,
            port=port or self._port,
            descriptor=emitted.descriptor,  # which says which rpcs may run twice
        )
        return type(f"{service}Stub", (dubbo_mesh.Stub,), {"__mesh__": mesh})

    def _serve(self, pod: Pod) -> None:
        pool = self._stack.enter_context(ThreadPoolExecutor(8))
        server = grpc.server(pool)
        module: Any = self._emitted.module
        greeter, canary = servicers(module, pod.name, self.record)
        module.add_GreeterServicer_to_server(greeter, server)
        module.add_CanaryServicer_to_server(canary, server)
        for port in self._ports():
            server.add_insecure_port(f"{pod.address}:{port}")
        server.start()
        self._stack.callback(lambda: server.stop(grace=0).wait())

    def _ports(self) -> set[int]:
        services = (each for each in self._manifests if each["kind"] == "Service")
        return {port["port"] for each in services for port in each["spec"]["ports"]}

    def wait_hosts(self, app: str, condition: Callable[[int], bool], consumer: str = "consumer-1") -> None:
        """Waits until a condition holds for the number of an application's healthy hosts."""
        name = f"outbound|{self._port}||{app}.{cluster.NAMESPACE}.svc.cluster.local"
        admin = self.sidecars[consumer].admin
        wait_until(
            lambda: condition(sum(host.healthy for host in admin.hosts(name))), what=f"hosts of {app} change"
        )


@contextmanager
def _module(name: str, stub_classes: Sequence[type[Any]]) -> Generator[str]:
    """The name of a module with stubs, while it can be imported."""
    module = ModuleType(name)
    for each in stub_classes:
        setattr(module, each.__name__, each)
    with patch.dict(sys.modules, {name: module}):
        yield name
