"""An app with several ports. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from localmesh import ReservedPort
from tests.istio import cluster, judges, surroundings
from tests.istio.conftest import Emit, Start


@pytest.fixture
def second_port() -> Iterator[int]:
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.mark.parametrize("emitter", ["istio", "gateway"])
def test_services_are_called_on_their_own(
    emitter: str, mesh: Start, emit: Emit, second_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = f'[services."greeter.v1.Canary"]\nport = {second_port}\n'
    started = mesh(emit(f"emit=python+kubernetes+{emitter}", "policy=routes", config=config))
    started.stub().slow(StringValue(), timeout=60)
    assert started.record.calls[0].remaining <= 0.3
    started.record.calls.clear()
    monkeypatch.setenv("DUBBO_MESH_EGRESS", f"127.0.0.1:{second_port}")
    canary = started.stub("Canary")
    for _ in range(20):
        canary.hello(StringValue(), timeout=20)
    assert started.record.pods() == {"greeter-2"}
    assert f"outbound|{second_port}||greeter.default.svc.cluster.local" in started.consumer.clusters()


@pytest.mark.parametrize("policy", ["headers", "routes"])
def test_istio_finds_nothing_wrong(policy: str, emit: Emit, second_port: int, tmp_path: Path) -> None:
    config = f'[services."greeter.v1.Canary"]\nport = {second_port}\n'
    emitted = emit("emit=python+kubernetes+istio", f"policy={policy}", config=config)
    file = tmp_path / "cluster.yaml"
    manifests = cluster.read(*emitted.manifests)
    cluster.write(file, surroundings.complete(list(manifests)))
    assert judges.analyze(file) == []
