"""The doctor in proxyless mode, on Istio's control plane. Run by `make istio`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests.doctor.running import examined
from tests.istio import cluster, emitting
from tests.istio.emitting import Emitted
from tests.istio.mesh import PODS, Mesh

NOTHING = StringValue()
Start = Callable[..., Mesh]


@pytest.fixture
def port() -> Iterator[int]:
    """A port for each test: grpc keeps one client for each name."""
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture
def routes(port: int, tmp_path: Path) -> Emitted:
    return emitting.emit(tmp_path / "proxyless", port, "emit=python+kubernetes+istio", "policy=routes")


@pytest.fixture(autouse=True)
def proxyless(consumer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", "proxyless")
    for name in ("DUBBO_MESH_EGRESS", "DUBBO_MESH_FORWARDED_FOR"):
        monkeypatch.delenv(name)


def ask(mesh: Mesh, monkeypatch: pytest.MonkeyPatch, **node: Any) -> None:
    """Lets grpc's client be that of a pod."""
    pod = cluster.CONSUMER._replace(name="consumer-2", address="127.0.20.2")
    bootstrap = pod.grpc_bootstrap(mesh.control_plane.address)
    bootstrap["node"] |= node
    monkeypatch.setenv("GRPC_XDS_BOOTSTRAP_CONFIG", json.dumps(bootstrap))


def found(target: str) -> list[Finding]:
    return [each for each in examined(target, variables=process_variables()) if each.check == "proxyless"]


def process_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("DUBBO_", "POD_"))}


def the_problem(target: str) -> Finding:
    problems = [each for each in found(target) if each.id]
    assert len(problems) == 1, problems
    return problems[0]


def test_all_is_well(mesh: Start, routes: Emitted, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(started := mesh(routes), monkeypatch)
    findings = found(f"greeter:{port}")
    assert [(each.status, each.id) for each in findings] == [("ok", None)] * 2
    for pod in PODS:
        assert f"{pod.address}:{port}" in findings[1].finding
    started.stub().look(NOTHING, timeout=20)
    assert len(started.record.calls) == 1


@pytest.mark.parametrize("emitted", [True, False])
def test_rpcs_get_what_routes_give(
    mesh: Start, routes: Emitted, monkeypatch: pytest.MonkeyPatch, emitted: bool
) -> None:
    """Without a VirtualService, Istio's default policy has calls retried that must not run twice."""
    ask(started := mesh(routes, None if emitted else [routes.kubernetes]), monkeypatch)
    monkeypatch.setattr(sys, "path", [str(routes.directory), *sys.path])
    monkeypatch.delitem(sys.modules, "greeter_mesh", raising=False)
    findings = examined("greeter_mesh:GreeterStub", variables=process_variables())
    said = {each.subject.rpartition("/")[2]: each.finding for each in findings if each.check == "rpc"}
    retries = "up to 2 retries on unavailable"
    assert ("no retries" if emitted else retries) in said["hello"]
    assert retries in said["look"]
    assert ("300 ms (the deadline, which the route obeys)" in said["slow"]) == emitted
    started.record.failures = 9
    with pytest.raises(grpc.RpcError):
        started.stub().hello(NOTHING, timeout=20)
    assert len(started.record.calls) == (1 if emitted else 3)


@pytest.mark.finds("DM134")
@pytest.mark.parametrize("target", ["greeter.elsewhere:{}", "unknown:{}", "greeter:1"])
def test_a_name_that_istio_does_not_know(
    mesh: Start, routes: Emitted, port: int, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    ask(mesh(routes), monkeypatch)
    finding = the_problem(target.format(port))
    assert finding.id == "DM134"
    assert "Listener" in finding.finding


@pytest.mark.finds("DM135")
def test_routes_that_grpc_refuses(
    mesh: Start, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emitted = emitting.emit(tmp_path / "gateway", port, "emit=python+kubernetes+gateway")
    ask(started := mesh(emitted, refused=True), monkeypatch)
    finding = the_problem(f"greeter:{port}")
    assert finding.id == "DM135"
    assert "RouteConfiguration" in finding.finding
    with pytest.raises(grpc.RpcError) as raised:
        started.stub().hello(NOTHING, timeout=20)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM136")
def test_a_service_without_pods(
    mesh: Start, routes: Emitted, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(started := mesh(routes, pods=[]), monkeypatch)
    assert the_problem(f"greeter:{port}").id == "DM136"
    with pytest.raises(grpc.RpcError) as raised:
        started.stub().hello(NOTHING, timeout=20)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM134")
def test_a_subset_that_is_not_defined(
    mesh: Start, routes: Emitted, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = "greeter.default.svc.cluster.local"
    route = {"route": [{"destination": {"host": host, "subset": "missing"}}]}
    service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "greeter", "namespace": "default"},
        "spec": {"hosts": [host], "http": [route]},
    }
    (tmp_path / "subset.yaml").write_text(json.dumps(service))
    ask(mesh(routes, [routes.kubernetes, tmp_path / "subset.yaml"]), monkeypatch)
    finding = the_problem(f"greeter:{port}")
    assert finding.id == "DM134"
    assert "missing" in finding.finding


@pytest.mark.finds("DM133")
@pytest.mark.parametrize(("id", "said"), [("", "missing node information"), ("nonsense", "missing parts")])
def test_a_node_that_is_nobody(
    mesh: Start, routes: Emitted, port: int, monkeypatch: pytest.MonkeyPatch, id: str, said: str
) -> None:
    ask(mesh(routes), monkeypatch, id=id)
    finding = the_problem(f"greeter:{port}")
    assert finding.id == "DM133"
    assert f"INVALID_ARGUMENT: {said}" in finding.finding
