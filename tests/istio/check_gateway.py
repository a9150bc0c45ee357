"""Routes of the Gateway API beside Istio's own, and where they are not enough. Run by `make istio`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.generator import compiling
from tests.istio import cluster, emitting
from tests.istio.conftest import Emit, Start
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

NOTHING = StringValue()
MANY = """
syntax = "proto3";
package greeter.a;
import "dubbo_mesh/v1/options.proto";
import "google/protobuf/empty.proto";
service Many {{
{}}}
""".format(
    "".join(
        f"  rpc r{seconds}(google.protobuf.Empty) returns (google.protobuf.Empty) {{"
        f" option (dubbo_mesh.v1.method).timeout.seconds = {seconds}; }}\n"
        for seconds in range(20, 40)
    )
)
"""A service of the same app, with more rules than a route may have. No pod serves it."""


class TestManyRules:
    """Those of the greeter's paths come last, and so are in the second route."""

    @pytest.fixture
    def many(self, port: int, tmp_path: Path) -> Path:
        """Routes for the greeter and for the service with many rules."""
        shutil.copy(emitting.HERE / emitting.PROTO, tmp_path)
        (tmp_path / "many.proto").write_text(MANY)
        protos = [emitting.PROTO, "many.proto"]
        parameter = f"emit=gateway,policy=routes,app=greeter,namespace=default,port={port}"
        generated = compiling.generate(compiling.descriptors(tmp_path, protos, tmp_path), protos, parameter)
        assert any("the 23 rules" in warning and "2 HTTPRoutes" in warning for warning in generated.warnings)
        file = tmp_path / "gateway.yaml"
        file.write_text(generated.files["gateway/greeter.yaml"])
        return file

    def test_are_taken_together(self, mesh: Start, routes: Emitted, many: Path) -> None:
        started = mesh(routes, [routes.kubernetes, many])
        started.stub().slow(NOTHING, timeout=60)
        assert started.record.calls[0].remaining <= 0.3
        timeouts = _timeouts(started)
        assert list(timeouts)[-1] == "/"
        in_first = {path: timeout for path, timeout in timeouts.items() if path.startswith("/greeter.a.")}
        assert in_first == {f"/greeter.a.Many/r{seconds}": f"{seconds}s" for seconds in range(20, 40)}

    def test_without_the_second_route_are_not(self, mesh: Start, routes: Emitted, many: Path) -> None:
        parts = many.read_text().split("---\n")
        many.write_text("---\n".join(part for part in parts if "part-2" not in part))
        timeouts = _timeouts(mesh(routes, [routes.kubernetes, many]))
        assert "/greeter.a.Many/r20" in timeouts
        assert "/greeter.v1.Greeter/slow" not in timeouts


def test_istio_takes_both_kinds_together(mesh: Start, emit: Emit, port: int, tmp_path: Path) -> None:
    """Unless their names are the same. Other meshes need not, so that a port never gets both."""
    emitted = emit("emit=python+kubernetes+gateway", "policy=routes")
    match = {"method": {"service": "greeter.v1.Greeter", "method": "hello"}}
    rule = {"matches": [match], "backendRefs": [{"name": "greeter-v2", "port": port}]}
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute",
        "metadata": {"name": "others", "namespace": cluster.NAMESPACE},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "greeter", "port": port}],
            "rules": [rule],
        },
    }
    cluster.write(tmp_path / "grpc-route.yaml", [route])
    started = mesh(emitted, [*emitted.manifests, tmp_path / "grpc-route.yaml"])
    stub = started.stub()
    for _ in range(20):
        stub.hello(NOTHING, timeout=20)
    assert started.record.pods() == {"greeter-2"}
    started.record.calls.clear()
    stub.slow(NOTHING, timeout=60)
    assert started.record.calls[0].remaining <= 0.3


class TestPods:
    """Of an app, those that provide a service: a Service of their own is what a route sends its calls to."""

    def test_are_known_behind_a_limit_to_egress(self, mesh: Start, emit: Emit) -> None:
        config = '[apps.consumer]\ncalls = ["greeter"]\nnamespace = "default"\n'
        emitted = emit("emit=python+kubernetes+gateway+istio", config=config)
        limit = emitted.directory / "istio" / "consumer.yaml"
        started = mesh(emitted, [emitted.kubernetes, emitted.directory / "gateway", limit])
        started.stub("Canary").hello(NOTHING, timeout=20)
        assert started.record.pods() == {"greeter-2"}


class TestIstiosRetries:
    """Routes cannot switch them off; the warning says what can."""

    def test_stay_on_if_headers_are_to_ask(self, mesh: Start, emit: Emit) -> None:
        assert _runs(mesh(emit("emit=python+kubernetes+gateway"))) == 3

    def test_are_switched_off_by_settings_of_the_mesh(self, mesh: Start, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+gateway", "policy=routes")
        assert _runs(mesh(emitted, settings="defaultHttpRetryPolicy: { attempts: 0 }\n")) == 1

    def test_are_switched_off_by_the_virtual_service_alone(self, mesh: Start, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+istio+gateway", "policy=routes")
        assert _runs(mesh(emitted, [emitted.kubernetes, emitted.directory / "istio"])) == 1

    def test_stay_on_if_both_are_applied(self, mesh: Start, emit: Emit) -> None:
        assert _runs(mesh(emit("emit=python+kubernetes+istio+gateway", "policy=routes"))) == 3


def _runs(mesh: Mesh) -> int:
    """How often a failing call runs that must not run twice."""
    mesh.record.failures = 9
    with pytest.raises(grpc.RpcError):
        mesh.stub().hello(NOTHING, timeout=20)
    return len(mesh.record.calls)


def _timeouts(mesh: Mesh) -> dict[str, str]:
    """The timeouts of all routes to the greeter by path, in the order in which the sidecar tries them."""
    return {
        match.get("path") or match.get("prefix") or match["path_separated_prefix"]: timeout
        for match, timeout in _routes(mesh.consumer.admin.config_dump())
    }


def _routes(dump: dict[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    for config in dump["configs"]:
        for dynamic in config.get("dynamic_route_configs", ()):
            for host in dynamic["route_config"]["virtual_hosts"]:
                if host["name"].startswith("greeter."):
                    yield from ((route["match"], route["route"]["timeout"]) for route in host["routes"])
