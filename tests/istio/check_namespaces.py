"""Callers in another namespace than the app. Run by `make istio`."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.istio import cluster
from tests.istio.conftest import Emit, Start
from tests.istio.mesh import PODS, Mesh

NOTHING = StringValue()
ASK_FOR_RETRIES = dubbo_mesh.EnvoyHeaders(max_retries=2, retry_grpc_on="unavailable")
FRONT = cluster.CONSUMER._replace(namespace="front")
KNOWN = """
[istio]
health_checks = { interval = "250ms" }
[apps.consumer]
namespace = "front"
calls = ["greeter.default"]
"""


@pytest.fixture(autouse=True)
def front(consumer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", FRONT.namespace)


def test_routes_count(mesh: Start, emit: Emit) -> None:
    started = mesh(emit("emit=python+kubernetes+istio", "policy=routes"), consumer=FRONT)
    started.stub().slow(NOTHING, timeout=60)
    assert started.record.calls[0].remaining <= 0.3


def test_headers_count_where_callers_are_known(mesh: Start, emit: Emit) -> None:
    started = mesh(emit("emit=python+kubernetes+istio", config=KNOWN), consumer=FRONT)
    started.wait_healthy(len(PODS))
    assert _runs(started) == 3


def test_headers_are_removed_where_they_are_not(mesh: Start, emit: Emit) -> None:
    assert _runs(mesh(emit("emit=python+kubernetes+istio"), consumer=FRONT)) == 1


def test_health_is_checked_where_callers_are_known(mesh: Start, emit: Emit) -> None:
    known = mesh(emit("emit=python+kubernetes+istio", config=KNOWN), consumer=FRONT)
    assert any(name.endswith(".health_check.success") for name in known.consumer.admin.stats("cluster."))


def _runs(mesh: Mesh) -> int:
    """How often a failing call runs whose rpc must not run twice, unless the call asks for two retries."""
    mesh.record.failures = 9
    with pytest.raises(grpc.RpcError):
        mesh.stub().hello(NOTHING, timeout=20, envoy=ASK_FOR_RETRIES)
    return len(mesh.record.calls)
