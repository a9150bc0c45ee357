"""What a real API server and the real istiod make of manifests. Run by `make istio`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from localmesh import wait_until
from protoc_gen_dubbo_mesh.policy.model import CallPolicy
from tests.istio import cluster, goldens, judges, users, wrong_manifests
from tests.istio.api_server import ApiServer
from tests.istio.binaries import DEFINITIONS
from tests.istio.conftest import Emit
from tests.istio.emitting import Emitted
from tests.istio.istiod import Istiod
from tests.istio.mesh import PODS, Mesh
from tests.istio.sidecar import XdsServer
from tests.istio.wrong_manifests import Wrong
from tests.manifests import istio as manifests
from tests.manifests.services import rpc, service


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that has the definitions of Istio's and the Gateway API's resources."""
    with ApiServer(tmp_path_factory.mktemp("server")) as server:
        server.define(DEFINITIONS)
        yield server


@pytest.fixture(scope="module")
def istiod(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Istiod]:
    assert server.kubectl("create", "namespace", "istio-system").returncode == 0
    with Istiod(server, tmp_path_factory.mktemp("istiod")) as istiod:
        yield istiod


@pytest.fixture(scope="module")
def webhook(server: ApiServer, istiod: Istiod, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From here on, the API server asks istiod about each of Istio's resources."""
    directory = tmp_path_factory.mktemp("webhook")
    file = directory / "webhook.json"
    file.write_text(json.dumps(istiod.webhook()))
    server.apply("-f", file)
    # The API server takes some time to notice.
    probe = wrong_manifests.DIRECTORY / "vs-no-action.yaml"
    wait_until(
        lambda: "denied the request" in server.try_out("-f", probe).stderr, what="the webhook is asked"
    )


class TestApiServer:
    @pytest.mark.parametrize(
        "wrong", wrong_manifests.for_check("apiserver"), ids=lambda wrong: wrong.file.stem
    )
    def test_refuses_mistakes(self, wrong: Wrong, server: ApiServer) -> None:
        assert server.try_out("-f", wrong.file).returncode != 0, wrong.mistake

    @pytest.mark.parametrize(("rpcs", "command"), [(650, "apply"), (1100, "apply --server-side")])
    def test_takes_large_files_in_the_way_that_they_name(
        self, rpcs: int, command: str, server: ApiServer, tmp_path: Path
    ) -> None:
        each = [rpc(f"rpc{number}", CallPolicy(timeout=1 + number / 1000)) for number in range(rpcs)]
        big = service("a.B", each, namespace=cluster.NAMESPACE)
        [(path, content)] = manifests.emit([big], "routes").items()
        assert f"#     kubectl {command} -f {path}\n" in content
        file = tmp_path / "big.yaml"
        file.write_text(content)
        done = server.kubectl(*command.split(), "--dry-run=server", "-f", file)
        assert done.returncode == 0, done.stderr

    def test_refuses_large_files_otherwise(self, server: ApiServer, tmp_path: Path) -> None:
        each = [rpc(f"rpc{number}", CallPolicy(timeout=1 + number / 1000)) for number in range(2000)]
        file = tmp_path / "big.yaml"
        file.write_text(
            manifests.emit([service("a.B", each, namespace=cluster.NAMESPACE)], "routes").popitem()[1]
        )
        assert "metadata.annotations: Too long" in server.kubectl("apply", "-f", file).stderr


class TestKustomize:
    """Emitted components, applied with the Deployments of a user."""

    def test_completes_a_deployment(self, server: ApiServer, routes: Emitted, tmp_path: Path) -> None:
        users.kustomization(tmp_path / "app", routes.kubernetes)
        server.apply("-k", tmp_path / "app")
        pod = server.get("deployment", "greeter")["spec"]["template"]
        assert {"run": "greeter", "app": "greeter"}.items() <= pod["metadata"]["labels"].items()
        [container] = pod["spec"]["containers"]
        assert container["image"] == "registry.example/it:1"
        assert {"DUBBO_MESH_APP", "POD_IP", "POD_NAMESPACE"} <= {each["name"] for each in container["env"]}
        probes = [
            container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")
        ]
        assert probes == ["/startup", "/ready", "/live"]
        # Above the default drain and grace, 25 s; Kubernetes' own default is 30 s.
        assert pod["spec"]["terminationGracePeriodSeconds"] == 35
        assert server.get("service", "greeter")["spec"]["ports"][0]["appProtocol"] == "grpc"

    def test_refuses_a_deployment_of_another_name(
        self, server: ApiServer, routes: Emitted, tmp_path: Path
    ) -> None:
        users.kustomization(tmp_path / "app", routes.kubernetes)
        other = users.deployment("another", "greeter", cluster.NAMESPACE)
        cluster.write(tmp_path / "app" / "deployments.yaml", [other])
        done = server.kubectl("apply", "--dry-run=server", "-k", tmp_path / "app")
        assert done.returncode != 0
        assert "greeter" in done.stderr


class TestIstiod:
    def test_finds_what_the_api_server_does_not(self, server: ApiServer, webhook: None) -> None:
        for wrong in wrong_manifests.for_check("istio"):
            if "apiserver" not in wrong.caught_by:
                done = server.try_out("-f", wrong.file)
                # Some mistakes are warned of only.
                assert "denied the request" in done.stderr or "Warning:" in done.stderr, wrong

    @pytest.mark.parametrize("expected", goldens.cases(), ids=goldens.name)
    def test_accepts_goldens(self, expected: Path, server: ApiServer, webhook: None, tmp_path: Path) -> None:
        directories = goldens.directories(expected)
        for namespace in _namespaces(directories):
            server.kubectl("create", "namespace", namespace)  # it may be there
        for directory in directories:
            if directory.name == goldens.KUBERNETES:
                components = shutil.copytree(directory, tmp_path / "emitted")
                users.kustomization(tmp_path / "app", components)
                done = server.try_out("-k", tmp_path / "app")
            else:
                done = server.try_out("-f", directory)
            assert done.returncode == 0, done.stderr
            assert _warnings(done.stderr) == []

    @pytest.mark.parametrize("policy", ["headers", "routes"])
    def test_accepts_routes(self, policy: str, server: ApiServer, istiod: Istiod, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+gateway", f"policy={policy}")
        server.apply("-f", emitted.kubernetes / "greeter" / "service.yaml")
        server.apply("-f", emitted.directory / "gateway")
        routes = [each for each in cluster.read(emitted.directory / "gateway") if each["kind"] != "Service"]
        assert routes
        for route in routes:
            name = f"{route['kind'].lower()}/{route['metadata']['name']}"
            conditions = wait_until(partial(_conditions, server, name), what=f"{name} has a status")
            assert conditions["Accepted"] == conditions["ResolvedRefs"] == "True"
        server.kubectl("delete", "-f", emitted.directory / "gateway")


class IstiodMesh(Mesh):
    """A mesh whose control plane has what was applied to the API server."""

    istiod: Istiod

    def _start_control_plane(self, stack: ExitStack) -> XdsServer:
        return self.istiod


class TestCalls:
    """All of it: `kubectl apply`, the API server, istiod, a stock Envoy, and our stub and servicer."""

    @pytest.fixture
    def mesh(
        self,
        server: ApiServer,
        istiod: Istiod,
        routes: Emitted,
        consumer: None,
        port: int,
        tmp_path: Path,
    ) -> Iterator[Mesh]:
        users.kustomization(tmp_path / "app", routes.kubernetes)
        cluster.write(tmp_path / "pods.yaml", [pod.workload_entry() for pod in PODS])
        applied: list[tuple[str, Path]] = [("-k", tmp_path / "app"), ("-f", tmp_path / "pods.yaml")]
        for option, path in (*applied, ("-f", routes.directory / "istio")):
            server.apply(option, path)
        mesh = IstiodMesh(routes, routes.manifests, port, tmp_path)
        mesh.istiod = istiod
        with mesh:
            wait_until(lambda: "greeter.v1.Greeter/slow" in mesh.consumer.routes(), what="routes are there")
            mesh.wait_healthy(len(PODS))
            yield mesh
        assert mesh.rejections() == []

    def test_have_the_timeouts_and_retries_of_the_proto(self, mesh: Mesh) -> None:
        stub = mesh.stub()
        stub.slow(StringValue(), timeout=60)
        assert mesh.record.calls.pop().remaining <= 0.3
        mesh.record.failures = 2
        stub.look(StringValue(), timeout=20)
        mesh.record.failures = 1
        with pytest.raises(grpc.RpcError):
            stub.hello(StringValue(), timeout=20)
        assert [call.rpc for call in mesh.record.calls] == ["look", "look", "look", "hello"]


def _namespaces(directories: list[Path]) -> set[str]:
    """The namespaces that are named, also by components for a user's Deployments."""
    found = {manifest.get("metadata", {}).get("namespace", "") for manifest in cluster.read(*directories)}
    for manifest in cluster.read(*directories):
        found |= {patch["target"].get("namespace", "") for patch in manifest.get("patches", ())}
    return found - {"", cluster.NAMESPACE}


def _warnings(stderr: str) -> list[str]:
    """What is warned of, but for what `judges.EXEMPT` has."""
    lines = (line for line in stderr.splitlines() if line.startswith("Warning:"))
    return [line for line in lines if not any(exempt.text in line for exempt in judges.EXEMPT)]


def _conditions(server: ApiServer, route: str) -> dict[str, str]:
    """What is said of a route, for its one parent."""
    parents = server.get(route).get("status", {}).get("parents", [])
    return {each["type"]: each["status"] for parent in parents for each in parent["conditions"]}
