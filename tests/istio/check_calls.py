"""Calls through sidecars that Istio's control plane configures from emitted files. Run by `make istio`.

Each feature has a test that shows it, and one that shows what Istio does without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.istio import cluster
from tests.istio.conftest import Emit, Start
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

NOTHING = StringValue()
CALLS = """
[apps.consumer]
namespace = "default"
calls = ["greeter"]
"""
ASK_FOR_RETRIES = dubbo_mesh.EnvoyHeaders(max_retries=2, retry_grpc_on="unavailable")
EXPECTED = "x-envoy-expected-rq-timeout-ms"
"""What a sidecar tells the provider of its timeout, in milliseconds."""
NOBODY_INTERNAL = "[istio]\ninternal_addresses = []\n"
FIVE_ATTEMPTS = '[services."greeter.v1.Greeter".methods.look]\nretry = { attempts = 5 }\n'
PER_ATTEMPT = """
[services."greeter.v1.Greeter".methods.look]
per_try_timeout = "300ms"
retry = { attempts = 2, on = ["reset"], grpc_on = ["deadline-exceeded"] }
"""
CUT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""How a caller sees a timeout of the mesh, which races its own."""


class TestRoutes:
    """With policy=routes, Istio enforces what the proto says."""

    def test_retry(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        started.record.failures = 2
        started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 3

    def test_retry_nothing_that_must_not_run_twice(self, mesh: Start, routes: Emitted) -> None:
        assert _runs_of_failing_hello(mesh(routes)) == 1

    def test_istio_retries_without_them(self, mesh: Start, routes: Emitted) -> None:
        assert _runs_of_failing_hello(mesh(routes, [routes.kubernetes])) == 3

    def test_cut_an_rpc_that_has_a_timeout(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        with pytest.raises(grpc.RpcError) as raised:
            started.stub().slow(StringValue(value="hold"), timeout=60)
        assert raised.value.code() in CUT
        assert started.record.calls[0].remaining <= 0.3

    def test_cut_an_attempt_and_make_another(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", "policy=routes", config=PER_ATTEMPT))
        started.stub().look(StringValue(value="hold"), timeout=60)
        assert [call.rpc for call in started.record.calls] == ["look", "look"]

    def test_cut_no_attempt_unless_asked_to(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        with pytest.raises(grpc.RpcError) as raised:
            started.stub().look(StringValue(value="hold"), timeout=1)
        assert raised.value.code() in CUT
        assert len(started.record.calls) == 1

    def test_cut_no_other_rpc(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        started.stub().hello(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30

    def test_istio_cuts_nothing_without_them(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes, [routes.kubernetes])
        started.stub().slow(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30


class TestStreams:
    """A stream is opened, then a call is cut by a timeout: the stream has lasted longer than that."""

    def test_are_not_cut(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        stub = started.stub()
        stream = stub.watch(NOTHING, timeout=60)
        assert next(stream).value == "first"
        with pytest.raises(grpc.RpcError):
            stub.slow(StringValue(value="hold"), timeout=60)
        started.record.release.set()
        assert [message.value for message in stream] == ["last"]

    def test_are_cut_by_a_timeout_for_all(self, mesh: Start, routes: Emitted, tmp_path: Path) -> None:
        manifests = [dict(manifest) for manifest in cluster.read(routes.directory / "istio")]
        for manifest in manifests:
            if manifest["kind"] == "VirtualService":
                manifest["spec"]["http"][-1]["timeout"] = "0.3s"
        cluster.write(changed := tmp_path / "changed.yaml", manifests)
        stream = mesh(routes, [changed, routes.kubernetes]).stub().watch(NOTHING, timeout=60)
        assert next(stream).value == "first"
        # With one of several codes: the pod is told the deadline, too, and may be faster than Envoy's reset.
        with pytest.raises(grpc.RpcError):
            next(stream)


class TestHeaders:
    """With policy=headers, stubs ask, and the sidecar is told to obey."""

    def test_ask_for_the_timeout_of_the_proto(self, mesh: Start, emit: Emit) -> None:
        """Plus 100 ms, as stubs ask for: without the header, sidecars take what is left of the deadline."""
        started = mesh(emit("emit=python+kubernetes+istio"))
        started.stub().slow(NOTHING)
        [call] = started.record.calls
        assert call.metadata[EXPECTED] == "400"

    def test_ask_for_the_retries_of_the_proto(self, mesh: Start, emit: Emit) -> None:
        """More than Istio makes by itself."""
        started = mesh(emit("emit=python+kubernetes+istio", config=FIVE_ATTEMPTS))
        started.record.failures = 4
        started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 5

    def test_retry_nothing_that_must_not_run_twice(self, mesh: Start, emit: Emit) -> None:
        assert _runs_of_failing_hello(mesh(emit("emit=python+kubernetes+istio"))) == 1

    def test_retry_what_a_call_asks_for(self, mesh: Start, emit: Emit) -> None:
        assert _runs_of_failing_hello(mesh(emit("emit=python+kubernetes+istio")), envoy=ASK_FOR_RETRIES) == 3

    def test_are_removed_if_no_address_is_internal(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+istio", config=NOBODY_INTERNAL + FIVE_ATTEMPTS))
        assert _runs_of_failing_hello(started, envoy=ASK_FOR_RETRIES) == 1
        started.record.failures = 0
        started.record.calls.clear()
        started.stub().slow(NOTHING)
        # The deadline of 300 ms, which grpc may round up, and not the stub's 400 ms.
        assert int(started.record.calls.pop().metadata[EXPECTED]) < 400
        started.record.failures = 4
        with pytest.raises(grpc.RpcError):
            started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 3  # with Istio's own retries

    def test_are_removed_from_who_is_not_internal(
        self, mesh: Start, emit: Emit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUBBO_MESH_FORWARDED_FOR", "off")
        started = mesh(emit("emit=python+kubernetes+istio"))
        assert _runs_of_failing_hello(started, envoy=ASK_FOR_RETRIES) == 1


class TestSubsets:
    """What only some pods serve is sent to these."""

    def test_get_the_calls(self, mesh: Start, routes: Emitted) -> None:
        started = mesh(routes)
        assert _called(started, "Canary") == {"greeter-2"}
        assert _called(started, "Greeter") == {"greeter-1", "greeter-2"}

    def test_without_all_pods_do(self, mesh: Start, routes: Emitted) -> None:
        assert _called(mesh(routes, [routes.kubernetes]), "Canary") == {"greeter-1", "greeter-2"}


class TestSidecar:
    """With the calls of an app known, its sidecar knows nothing else."""

    @pytest.fixture
    def other(self, port: int, tmp_path: Path) -> Path:
        """A Service that the consumer does not call."""
        spec = {"selector": {"app": "other"}, "ports": [{"port": port, "appProtocol": "grpc"}]}
        metadata = {"name": "other", "namespace": cluster.NAMESPACE}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        cluster.write(tmp_path / "other.yaml", [service])
        return tmp_path / "other.yaml"

    def test_limits_what_is_known(self, mesh: Start, emit: Emit, other: Path) -> None:
        emitted = emit("emit=python+kubernetes+istio", config=CALLS)
        started = mesh(emitted, [*emitted.manifests, other])
        assert _services(started) == {"greeter"}
        started.stub().hello(NOTHING, timeout=20)

    def test_without_all_is_known(self, mesh: Start, routes: Emitted, other: Path) -> None:
        assert _services(mesh(routes, [*routes.manifests, other])) == {"greeter", "other"}


class TestGateway:
    """Routes of the Gateway API, with the Service as their parent."""

    def test_match_services(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+gateway"))
        assert _called(started, "Canary") == {"greeter-2"}
        assert _called(started, "Greeter") == {"greeter-1", "greeter-2"}

    def test_cut_an_rpc_that_has_a_timeout(self, mesh: Start, emit: Emit) -> None:
        started = mesh(emit("emit=python+kubernetes+gateway", "policy=routes"))
        stub = started.stub()
        stub.hello(NOTHING, timeout=60)
        stub.slow(NOTHING, timeout=60)
        hello, slow = started.record.calls
        assert hello.remaining > 30
        assert slow.remaining <= 0.3

    def test_cannot_keep_istio_from_retrying(self, mesh: Start, emit: Emit) -> None:
        assert _runs_of_failing_hello(mesh(emit("emit=python+kubernetes+gateway", "policy=routes"))) == 3


def _runs_of_failing_hello(mesh: Mesh, **arguments: Any) -> int:
    """How often a failing call of an rpc that must not run twice runs."""
    mesh.record.failures = 9
    with pytest.raises(grpc.RpcError):
        mesh.stub().hello(NOTHING, timeout=20, **arguments)
    return len(mesh.record.calls)


def _called(mesh: Mesh, service: str) -> set[str]:
    """Which pods get calls of a service."""
    mesh.record.calls.clear()
    stub = mesh.stub(service)
    for _ in range(20):
        stub.hello(NOTHING, timeout=20)
    return mesh.record.pods()


def _services(mesh: Mesh) -> set[str]:
    """The names of the Services that the consumer's sidecar has clusters for."""
    outbound = (name.split("|")[-1] for name in mesh.consumer.clusters() if name.startswith("outbound|"))
    return {host.partition(".")[0] for host in outbound}
