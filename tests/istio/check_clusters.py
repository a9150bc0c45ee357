"""How the consumer's sidecar treats pods, from emitted files. Run by `make istio`."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from localmesh import wait_until
from tests.istio import cluster
from tests.istio.conftest import Emit, Start
from tests.istio.mesh import PODS, Mesh

NOTHING = StringValue()
EJECT = """
[istio.outlier_detection]
consecutive_gateway_errors = 1
base_ejection_time = "1h"
"""
TENTH = EJECT + "max_ejection_percent = 10\n"  # Envoy's default
CHECK = "[istio]\nhealth_checks = true\n"


class TestOutlierDetection:
    def test_takes_a_pod_out_that_fails(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", config=EJECT))
        _fail(started, 1)
        started.wait_healthy(len(PODS) - 1)

    def test_of_a_tenth_takes_none_of_two_out(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", config=TENTH))
        _fail(started, 20)
        wait_until(lambda: _stat(started, "outlier_detection.ejections_overflow"), what="a pod is spared")
        assert _healthy(started) == len(PODS)

    def test_is_off_unless_asked_for(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio"))
        _fail(started, 20)
        assert _healthy(started) == len(PODS)


class TestHealthChecks:
    def test_are_made(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", config=CHECK))
        started.wait_healthy(len(PODS))
        assert (_stat(started, "health_check.success") or 0) >= len(PODS)

    def test_are_not_made_unless_asked_for(self, mesh: Start, emit: Emit) -> None:
        assert _stat(mesh(emit("emit=python+kubernetes+istio")), "health_check.success") is None


class TestWhatNeedsNoConfiguration:
    @pytest.mark.parametrize("config", ["", EJECT], ids=["no rule", "a DestinationRule"])
    def test_circuit_breakers_let_all_retries_through(self, mesh: Start, emit: Emit, config: str) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", config=config))
        lines = started.consumer.admin.get("/clusters").splitlines()
        assert f"{started.cluster}::default_priority::max_retries::{2**32 - 1}" in lines

    def test_ports_for_grpc_have_http2(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio"))
        started.stub().hello(NOTHING, timeout=20)
        assert _stat(started, "upstream_cx_http2_total") == 1

    @pytest.mark.parametrize("has_rule", [True, False], ids=["as emitted", "without the DestinationRule"])
    def test_ports_for_http_have_it_by_the_rule(
        self, mesh: Start, emit: Emit, tmp_path: Path, has_rule: bool
    ) -> None:
        emitted = emit("emit=python+kubernetes+istio")
        [service] = (each for each in cluster.read(emitted.kubernetes) if each["kind"] == "Service")
        [port] = service["spec"]["ports"]
        port["name"] = "http"
        del port["appProtocol"]
        rest = [
            each
            for each in cluster.read(emitted.directory / "istio")
            if has_rule or each["kind"] != "DestinationRule"
        ]
        cluster.write(changed := tmp_path / "changed.yaml", [service, *rest])
        started = mesh(emitted, [changed])
        if has_rule:
            started.stub().hello(NOTHING, timeout=20)
        else:
            with pytest.raises(grpc.RpcError):
                started.stub().hello(NOTHING, timeout=20)
        assert _stat(started, "upstream_cx_http2_total") == int(has_rule)


def _fail(mesh: Mesh, times: int) -> None:
    """Makes calls that fail with UNAVAILABLE and are not retried."""
    mesh.record.failures = times
    stub = mesh.stub()
    for _ in range(times):
        with pytest.raises(grpc.RpcError):
            stub.hello(NOTHING, timeout=20)
    wait_until(lambda: mesh.record.failures == 0, what="all calls have failed")


def _healthy(mesh: Mesh) -> int:
    """How many pods get calls."""
    return sum(host.healthy for host in mesh.consumer.admin.hosts(mesh.cluster))


def _stat(mesh: Mesh, name: str) -> int | None:
    """A counter of the greeter's clusters; None if they have none of that name."""
    stats = mesh.consumer.admin.stats("cluster.outbound")
    found = [value for key, value in stats.items() if key.endswith(f".{name}")]
    return sum(found) if found else None
