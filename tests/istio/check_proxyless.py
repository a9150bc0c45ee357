"""grpc's own xDS client on Istio's control plane, from the files that sidecars get. Run by `make istio`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from localmesh import ReservedPort, wait_until
from tests.istio import cluster, emitting
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

NOTHING = StringValue()
Start = Callable[..., Mesh]


@pytest.fixture
def port() -> Iterator[int]:
    """A port for each test: grpc keeps one client for each name, and may be about to drop it."""
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture
def routes(port: int, tmp_path: Path) -> Emitted:
    return emitting.emit(tmp_path / "proxyless", port, "emit=python+kubernetes+istio", "policy=routes")


@pytest.fixture
def proxyless(mesh: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts meshes whose consumer's stubs use no sidecar."""
    monkeypatch.setenv("DUBBO_MESH_MODE", "proxyless")
    monkeypatch.delenv("DUBBO_MESH_EGRESS")

    def start(emitted: Emitted, manifests: list[Path] | None = None, *, refused: bool = False) -> Mesh:
        started = mesh(emitted, manifests, refused=refused)
        pod = cluster.CONSUMER._replace(name="consumer-2", address="127.0.20.2")
        bootstrap = tmp_path / "bootstrap.json"
        bootstrap.write_text(json.dumps(pod.grpc_bootstrap(started.control_plane.address)))
        monkeypatch.setenv("GRPC_XDS_BOOTSTRAP", str(bootstrap))
        return started

    return start


def test_rpcs_are_retried(proxyless: Start, routes: Emitted) -> None:
    started = proxyless(routes)
    started.record.failures = 2
    started.stub().look(NOTHING, timeout=20)
    assert len(started.record.calls) == 3


def test_what_must_not_run_twice_is_not_retried(proxyless: Start, routes: Emitted) -> None:
    started = proxyless(routes)
    started.record.failures = 9
    with pytest.raises(grpc.RpcError):
        started.stub().hello(NOTHING, timeout=20)
    assert len(started.record.calls) == 1


def test_istio_retries_by_itself(proxyless: Start, routes: Emitted) -> None:
    started = proxyless(routes, [routes.kubernetes])
    started.record.failures = 9
    with pytest.raises(grpc.RpcError):
        started.stub().hello(NOTHING, timeout=20)
    assert len(started.record.calls) == 3


def test_apps_with_several_ports_have_the_routes_of_each(proxyless: Start, port: int, tmp_path: Path) -> None:
    with ReservedPort() as second:
        config = f'[services."greeter.v1.Canary"]\nport = {second.number}\n'
        parameters = ("emit=python+kubernetes+istio", "policy=routes")
        started = proxyless(emitting.emit(tmp_path / "proxyless", port, *parameters, config=config))
        started.record.failures = 2
        started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 3
        started.record.calls.clear()
        for _ in range(10):
            started.stub("Canary").hello(NOTHING, timeout=20)
        assert started.record.pods() == {"greeter-2"}


def test_timeouts(proxyless: Start, routes: Emitted) -> None:
    stub = proxyless(routes).stub()
    stub.hello(NOTHING, timeout=60)
    with pytest.raises(grpc.RpcError) as raised:
        stub.slow(StringValue(value="hold"), timeout=60)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_there_are_none_without_routes(proxyless: Start, routes: Emitted) -> None:
    started = proxyless(routes, [routes.kubernetes])
    started.stub().slow(NOTHING, timeout=60)
    assert started.record.calls[0].remaining > 30


def test_prefixes_in_routes_of_the_gateway_api_are_refused(
    proxyless: Start, port: int, tmp_path: Path
) -> None:
    """Istio makes path-separated prefixes of them, which grpc does not know: then it has no route at all."""
    emitted = emitting.emit(tmp_path / "gateway", port, "emit=python+kubernetes+gateway")
    started = proxyless(emitted, refused=True)
    with pytest.raises(grpc.RpcError) as raised:
        started.stub().hello(NOTHING, timeout=20)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    wait_until(started.rejections, what="the control plane knows of it")
