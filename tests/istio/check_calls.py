"""Calls through sidecars that Istio's control plane configures from emitted files. Run by `make istio`.

Each feature has a test that shows it, and one that shows what Istio does without it.
"""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.istio.conftest import StandIn, Start
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

NOTHING = StringValue()
CUT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""How a caller sees a timeout of the mesh, which races its own."""


class TestRetries:
    def test_where_asked_for(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "routes"))
        started.record.failures = 2
        started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 3

    def test_never_unless_asked_for(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "routes"))
        started.record.failures = 9
        with pytest.raises(grpc.RpcError):
            started.stub().hello(NOTHING, timeout=20)
        assert len(started.record.calls) == 1

    def test_by_istio_itself(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service"))
        started.record.failures = 9
        with pytest.raises(grpc.RpcError):
            started.stub().hello(NOTHING, timeout=20)
        assert len(started.record.calls) == 3


class TestTimeouts:
    def test_of_an_rpc(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "routes"))
        with pytest.raises(grpc.RpcError) as raised:
            started.stub().slow(StringValue(value="hold"), timeout=60)
        assert raised.value.code() in CUT
        assert started.record.calls[0].remaining <= 0.3

    def test_of_no_other_rpc(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "routes"))
        started.stub().hello(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30

    def test_of_none_without_routes(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service"))
        started.stub().slow(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30


class TestHeaders:
    @pytest.fixture(autouse=True)
    def internal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DUBBO_MESH_FORWARDED_FOR", "127.0.0.1")

    def test_are_honoured(self, mesh: Start, headers: Emitted, stand_in: StandIn) -> None:
        started = mesh(headers, stand_in("service", "headers", "internal-addresses"))
        started.record.failures = 2
        started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 3

    def test_ask_for_no_retries(self, mesh: Start, headers: Emitted, stand_in: StandIn) -> None:
        started = mesh(headers, stand_in("service", "headers", "internal-addresses"))
        started.record.failures = 9
        with pytest.raises(grpc.RpcError):
            started.stub().hello(NOTHING, timeout=20)
        assert len(started.record.calls) == 1

    def test_ask_for_timeouts(self, mesh: Start, headers: Emitted, stand_in: StandIn) -> None:
        started = mesh(headers, stand_in("service", "headers", "internal-addresses"))
        with pytest.raises(grpc.RpcError) as raised:
            started.stub().slow(StringValue(value="hold"))
        assert raised.value.code() in CUT

    def test_are_removed_by_default(self, mesh: Start, headers: Emitted, stand_in: StandIn) -> None:
        started = mesh(headers, stand_in("service", "headers"))
        started.record.failures = 9
        with pytest.raises(grpc.RpcError):
            started.stub().look(NOTHING, timeout=20)
        assert len(started.record.calls) == 1


class TestStreams:
    """A stream is opened, then a call is cut by the timeout: the stream has lasted longer than that."""

    def test_are_not_cut(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "routes"))
        stub = started.stub()
        stream = stub.watch(NOTHING, timeout=60)
        assert next(stream).value == "first"
        with pytest.raises(grpc.RpcError):
            stub.slow(StringValue(value="hold"), timeout=60)
        started.record.release.set()
        assert [message.value for message in stream] == ["last"]

    def test_are_cut_by_a_timeout_for_all(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        manifests = stand_in("service", "routes")
        text = manifests[1].read_text()
        manifests[1].write_text(text.replace("- name: rest", "- name: rest\n      timeout: 0.3s"))
        stream = mesh(routes, manifests).stub().watch(NOTHING, timeout=60)
        assert next(stream).value == "first"
        # With one of several codes: the pod is told the deadline, too, and may be faster than Envoy's reset.
        with pytest.raises(grpc.RpcError):
            next(stream)


class TestSubsets:
    def test_get_the_calls(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "subsets"))
        _call(started, 20)
        assert started.record.pods() == {"greeter-1"}

    def test_without_all_pods_do(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service"))
        _call(started, 20)
        assert started.record.pods() == {"greeter-1", "greeter-2"}


class TestGateway:
    def test_methods_are_matched(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "gateway"))
        started.stub().hello(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30
        assert _unknown_service(started) == grpc.StatusCode.UNIMPLEMENTED
        assert started.unmatched() == 1

    def test_timeouts(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "gateway"))
        started.stub().slow(NOTHING, timeout=60)
        assert started.record.calls[0].remaining <= 0.3

    def test_without_nothing_is_matched(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service"))
        started.stub().slow(NOTHING, timeout=60)
        assert started.record.calls[0].remaining > 30
        assert _unknown_service(started) == grpc.StatusCode.UNIMPLEMENTED
        assert started.unmatched() == 0


class TestSidecar:
    def test_limits_what_is_known(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "other", "sidecar"))
        assert _services(started) == {"greeter"}
        started.stub().hello(NOTHING, timeout=20)

    def test_without_all_is_known(self, mesh: Start, routes: Emitted, stand_in: StandIn) -> None:
        started = mesh(routes, stand_in("service", "other"))
        assert _services(started) == {"greeter", "other"}


def _call(mesh: Mesh, times: int) -> None:
    stub = mesh.stub()
    for _ in range(times):
        stub.hello(NOTHING, timeout=20)


def _unknown_service(mesh: Mesh) -> grpc.StatusCode:
    """What a call of a service gets that no route and no pod knows."""
    authority = ("grpc.default_authority", "greeter.default.svc.cluster.local")
    with grpc.insecure_channel(mesh.egress, [authority, ("grpc.use_local_subchannel_pool", 1)]) as channel:
        hello: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/greeter.v1.Unknown/hello")
        with pytest.raises(grpc.RpcError) as raised:
            hello(b"", timeout=20)
        return raised.value.code()


def _services(mesh: Mesh) -> set[str]:
    """The names of the Services that the consumer's sidecar has clusters for."""
    outbound = (name.split("|")[-1] for name in mesh.consumer.clusters() if name.startswith("outbound|"))
    return {host.partition(".")[0] for host in outbound}
