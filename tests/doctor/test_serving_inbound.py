"""What the doctor says of the sidecar in front of a server, and what calls through it come to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

import dubbo_mesh
import localmesh
from dubbo_mesh._doctor.finding import Finding
from tests import sidecars
from tests.calling.echo import EchoServicer
from tests.doctor.running import examined, ids
from tests.doctor.servers import plain
from tests.sidecars.config import GRPC_HEALTH_CHECK_FILTER, HTTP_OPTIONS, http_listener, merged, typed


class Slow(EchoServicer):
    def __init__(self) -> None:
        self.over = threading.Event()

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.over.wait(0.5)
        return request


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    servicer = Slow()
    with dubbo_mesh.Server(servicer, address="127.0.0.1:0", sidecar="off", probes="off", drain=0) as running:
        yield f"127.0.0.1:{running.ports[0]}"
        servicer.over.set()


def found(server: str, provider: sidecars.StaticEnvoy, **variables: str) -> list[Finding]:
    given = {"DUBBO_MESH_ADMIN": provider.admin_address, "DUBBO_MESH_PROBES": "off", **variables}
    findings = examined(variables=given, server=server)
    return [each for each in findings if each.check in ("inbound", "keepalive")]


def called(address: str, path: str = "/test.Echo/unary") -> grpc.StatusCode:
    with grpc.insecure_channel(address) as channel:
        call = cast("Any", channel).unary_unary(path).future(b"", timeout=5)
        code: grpc.StatusCode = call.code()
        return code


def healthy(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            return bool(stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == 1)
        except grpc.RpcError:
            return False


def cluster(**http: Any) -> dict[str, Any]:
    explicit = typed(HTTP_OPTIONS, explicit_http_config=http)
    return {"typed_extension_protocol_options": {HTTP_OPTIONS: explicit}}


def ingress(server: str, **options: Any) -> sidecars.Sidecar:
    return sidecars.Sidecar("provider", ingress=sidecars.Ingress(server, **options))


def test_all_is_well(server: str) -> None:
    with ingress(server) as provider:
        findings = found(server, provider)
        assert called(provider.ingress) is grpc.StatusCode.OK
        assert healthy(provider.ingress)
    assert [each.status for each in findings] == ["ok", "ok"]
    assert "by the cluster app" in findings[1].finding


@pytest.mark.finds("DM434")
def test_http_1(server: str) -> None:
    old = cluster(http2_protocol_options=None, http_protocol_options={})
    with ingress(server, cluster=old) as provider:
        assert ids(found(server, provider)) == {"DM434"}
        assert called(provider.ingress) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM435")
@pytest.mark.parametrize(
    ("over", "seen"),
    [({"pass_through_mode": False}, "not in pass-through mode"), ({"cache_time": "1s"}, "has a cache_time")],
)
def test_a_health_check_filter_that_speaks_no_grpc(server: str, over: dict[str, Any], seen: str) -> None:
    broken = merged(GRPC_HEALTH_CHECK_FILTER, {"typed_config": over})
    with ingress(server, http_filters=[broken]) as provider:
        (_, finding) = found(server, provider)
        healthy(provider.ingress)  # which fills the cache, if there is one
        assert not healthy(provider.ingress)
    assert finding.id == "DM435"
    assert seen in finding.finding


def test_a_health_check_filter_for_something_else(server: str) -> None:
    headers = [{"name": ":path", "string_match": {"exact": "/ready"}}]
    other = merged(
        GRPC_HEALTH_CHECK_FILTER, {"typed_config": {"pass_through_mode": False, "headers": headers}}
    )
    with ingress(server, http_filters=[other]) as provider:
        assert ids(found(server, provider)) == set()
        assert healthy(provider.ingress)


@pytest.mark.finds("DM436")
@pytest.mark.parametrize(
    ("timeout", "seen"), [("0.1s", "after 0.1 s"), (None, "after 15 s (Envoy's default)")]
)
def test_a_timeout(server: str, timeout: str | None, seen: str) -> None:
    action = {"cluster": "app", **({"timeout": timeout} if timeout else {})}
    route = {"name": "app", "match": {"prefix": "/"}, "route": action}
    routes = {"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": [route]}]}
    with ingress(server, connection_manager={"route_config": routes}) as provider:
        (_, finding) = found(server, provider)
        assert not timeout or called(provider.ingress) is grpc.StatusCode.UNAVAILABLE
    assert finding.id == "DM436"
    assert f"route app of listener ingress ends calls {seen}" in finding.finding


@pytest.mark.finds("DM441")
def test_pings() -> None:
    keepalive = {"connection_keepalive": {"interval": "0.05s", "timeout": "1s"}}
    pinging = cluster(http2_protocol_options=keepalive)
    servicer = Slow()
    from tests.calling.echo import add_EchoServicer_to_server

    def add(server: grpc.Server) -> None:
        add_EchoServicer_to_server(servicer, server)

    with plain(add) as address, ingress(address, cluster=pinging) as provider:
        finding = found(address, provider)[0]
        assert called(provider.ingress) is grpc.StatusCode.UNAVAILABLE
    assert finding.id == "DM441"
    assert "the sidecar's cluster app pings every 0.05 s" in finding.finding
    with (
        dubbo_mesh.Server(Slow(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0) as running,
        ingress(f"127.0.0.1:{running.ports[0]}", cluster=pinging) as provider,
    ):
        finding = found(f"127.0.0.1:{running.ports[0]}", provider)[0]
        assert called(provider.ingress) is grpc.StatusCode.OK
    assert finding.status == "ok"
    assert "pings every 0.05 s" in finding.finding


def test_a_sidecar_for_calls_of_this_process_only(server: str) -> None:
    """It may even call the server; what it does with these calls is no matter of the server's."""
    echo = sidecars.MeshService("echo", 50051, [server], health_check=None)
    with sidecars.Sidecar("consumer", egress=[echo]) as consumer:
        (_, finding) = found(server, consumer, DUBBO_MESH_EGRESS=consumer.egress)
        assert finding.status == "skipped"


@pytest.mark.finds("DM437")
@pytest.mark.parametrize("leads", [True, False])
def test_istios_clusters(server: str, leads: bool) -> None:
    """Istio names them by the port, and has one for all other ports."""
    port = int(server.rpartition(":")[2])
    to = port if leads else 8080
    passing = {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"}
    passing |= cluster(http2_protocol_options={})
    clusters = [{"name": name, **passing} for name in (f"inbound|{to}||", "InboundPassthroughCluster")]
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": f"inbound|{to}||", "timeout": "0s"}}]
    virtual_hosts = [{"name": "inbound|http|0", "domains": ["*"], "routes": routes}]
    with localmesh.ReservedPort() as listening:
        listener = http_listener("virtualInbound", listening.address, virtual_hosts)
        with sidecars.StaticEnvoy("provider", [listener], clusters) as provider:
            (_, finding) = found(server, provider)
    assert finding.id == (None if leads else "DM437")
    assert leads or f"no Service leads to port {port}, only to 8080" in finding.finding
