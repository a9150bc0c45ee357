"""Real Envoys and a server's health: the configurations of docs/lifecycle.md, each shown to work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests import sidecars
from tests.calling.echo import EchoStub
from tests.serving import envoy_configurations
from tests.serving.conftest import Running
from tests.serving.envoy_configurations import (
    DOCUMENTED,
    GRPC_CHECKS,
    GRPC_PASS_THROUGH,
    HTTP_CHECKS,
    HTTP_PASS_THROUGH_CACHED,
    ROUTE_TO_PROBES,
    health_check_filter,
)
from tests.sidecars import config

Serve = Callable[..., Running]
GUIDE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


class Between:
    """A provider's and a consumer's Envoy around one server."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self.provider: sidecars.Sidecar
        self.consumer: sidecars.Sidecar

    def start(
        self,
        running: Running,
        *,
        filters: list[Any] | None = None,
        checks: Mapping[str, Any] = GRPC_CHECKS,
        probes_routed: bool = False,
        probes_direct: bool = False,
        interval: str = "0.1s",
        service: str = "test.Echo",
    ) -> Between:
        """Starts both; checks are as documented, but often, and of the test's service."""
        ingress = sidecars.Ingress(
            f"127.0.0.1:{running.port}",
            http_filters=[GRPC_PASS_THROUGH] if filters is None else filters,
            connection_manager=routes() if probes_routed else {},
        )
        self.provider = sidecars.Sidecar("provider", ingress=ingress, directory=self._directory / "provider")
        if probes_routed:
            self.provider.clusters.append(probes_cluster(f"127.0.0.1:{running.server.probes_port}"))
        self._start(self.provider)
        check = dict(checks["health_checks"][0])
        check |= {"interval": interval, "no_traffic_interval": interval}
        if "grpc_health_check" in check:
            check["grpc_health_check"] = {"service_name": service}
        cluster: dict[str, Any] = {**checks, "health_checks": [check]}
        if probes_direct:
            endpoint = {
                "address": config.socket_address(self.provider.ingress),
                "health_check_config": {"port_value": running.server.probes_port},
            }
            cluster["load_assignment"] = {"endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}
        service_ = sidecars.MeshService(
            "echo", 50051, [self.provider.ingress], health_check=None, cluster=cluster
        )
        self.consumer = sidecars.Sidecar(
            "consumer", egress=[service_], directory=self._directory / "consumer"
        )
        self._start(self.consumer)
        self.authority = service_.authority
        return self

    def _start(self, sidecar: sidecars.Sidecar) -> None:
        self._stack.callback(sidecar.close)
        sidecar.start()

    @property
    def flags(self) -> frozenset[str]:
        return self.consumer.admin.hosts("echo")[0].flags

    def wait(self, *, healthy: bool) -> None:
        self.consumer.wait_healthy("echo", int(healthy))

    def stays(self, *, healthy: bool) -> None:
        """The negative: for some rounds of checks nothing changes."""
        enough = self.consumer.admin.stat("cluster.echo.health_check.attempt") + 3
        localmesh.wait_until(
            lambda: self.consumer.admin.stat("cluster.echo.health_check.attempt") >= enough,
            what="three more health checks",
        )
        assert (not self.flags) is healthy

    def stub(self) -> EchoStub:
        channel = grpc.insecure_channel(self.consumer.egress, [("grpc.default_authority", self.authority)])
        self._stack.callback(channel.close)
        return EchoStub(channel)


def routes() -> dict[str, Any]:
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}
    host = {"name": "app", "domains": ["*"], "routes": [ROUTE_TO_PROBES, everything]}
    return {"route_config": {"virtual_hosts": [host]}}


def probes_cluster(address: str) -> dict[str, Any]:
    # HTTP/1: what localmesh builds speaks HTTP/2.
    return config.cluster("probes", [address], {"typed_extension_protocol_options": None})


@pytest.fixture
def between(tmp_path: Path) -> Iterator[Between]:
    with ExitStack() as stack:
        yield Between(stack, tmp_path)


@pytest.mark.parametrize("service", ["", "test.Echo"])
def test_grpc_checks_through_the_filter_in_pass_through_mode(
    serve: Serve, between: Between, service: str
) -> None:
    running = serve()
    between.start(running, service=service).wait(healthy=True)
    running.call("set_serving", service, False)
    between.wait(healthy=False)
    running.call("set_serving", service, True)
    between.wait(healthy=True)


def test_grpc_checks_of_a_service_that_is_not_there_fail(serve: Serve, between: Between) -> None:
    between.start(serve(), service="test.Nobody").wait(healthy=False)


def test_a_draining_server_is_out_by_its_header_alone(serve: Serve, between: Between) -> None:
    running = serve(drain=10, quiet=10, sidecar="off")
    between.start(running, interval="60s").wait(healthy=True)
    stub = between.stub()
    stub.unary(StringValue(value="before"), timeout=5)
    assert not between.flags
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    assert stub.unary(StringValue(value="last"), timeout=5).value == "last"
    assert between.flags == {"failed_active_health_check", "excluded_via_immediate_hc_fail"}
    running.close()
    drain.join()


def test_a_failing_call_takes_a_draining_server_out_too(serve: Serve, between: Between) -> None:
    running = serve(drain=10, quiet=10)
    between.start(running, interval="60s").wait(healthy=True)
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    with pytest.raises(grpc.RpcError) as raised:
        between.stub().unary(StringValue(value="abort"), timeout=5)
    assert raised.value.details() == "as asked"
    assert "excluded_via_immediate_hc_fail" in between.flags
    running.close()
    drain.join()


def test_with_the_admin_a_server_tells_its_sidecar(make: Serve, between: Between, tmp_path: Path) -> None:
    with localmesh.ReservedPort() as port:
        sidecar = sidecars.Sidecar("own", ingress=port.address, directory=tmp_path / "own")
        with sidecar:
            running = make(sidecar=sidecar.admin_address, address=port.address, drain=5, quiet=1).start()
            assert sidecar.admin.ready()
            drain = running.drain_in_background()
            localmesh.wait_until(lambda: not sidecar.admin.ready(), what="the sidecar was told")
            drain.join()
            # In its place, beside the same sidecar, comes another.
            make(sidecar=sidecar.admin_address, address=port.address).start()
            localmesh.wait_until(sidecar.admin.ready, what="the sidecar was told again")


def test_http_checks_of_the_probes(serve: Serve, between: Between) -> None:
    running = serve(probes="127.0.0.1:0")
    between.start(running, checks=HTTP_CHECKS, probes_direct=True).wait(healthy=True)
    running.call("set_serving", "", False)
    between.wait(healthy=False)
    running.call("set_serving", "", True)
    between.wait(healthy=True)
    # Nobody but the application answers here: what its sidecar is told changes nothing.
    between.provider.admin.fail_health_check()
    between.stays(healthy=True)


def test_http_checks_through_the_filter_with_a_cache(serve: Serve, between: Between) -> None:
    running = serve(probes="127.0.0.1:0")
    between.start(running, checks=HTTP_CHECKS, filters=[HTTP_PASS_THROUGH_CACHED], probes_routed=True)
    between.wait(healthy=True)
    asked = between.provider.admin.stat("cluster.probes.upstream_rq_total")
    checked = between.consumer.admin.stat("cluster.echo.health_check.attempt")
    running.call("set_serving", "", False)
    between.wait(healthy=False)
    answered = between.consumer.admin.stat("cluster.echo.health_check.attempt") - checked
    assert between.provider.admin.stat("cluster.probes.upstream_rq_total") - asked <= 2 < answered
    running.call("set_serving", "", True)
    between.wait(healthy=True)
    between.provider.admin.fail_health_check()  # is not cached
    localmesh.wait_until(lambda: between.flags, what="the server is out", timeout=1)


def test_without_pass_through_the_filter_answers_for_the_application(serve: Serve, between: Between) -> None:
    running = serve(probes="127.0.0.1:0")
    filters = [health_check_filter("/ready", pass_through_mode=False)]
    between.start(running, checks=HTTP_CHECKS, filters=filters, probes_routed=True).wait(healthy=True)
    running.call("set_serving", "", False)
    between.stays(healthy=True)


def test_with_a_cache_the_filter_does_not_speak_grpc(serve: Serve, between: Between) -> None:
    path = "/grpc.health.v1.Health/Check"
    filters = [health_check_filter(path, pass_through_mode=True, cache_time="30s")]
    between.start(serve(), filters=filters)
    localmesh.wait_until(
        lambda: between.consumer.admin.stat("cluster.echo.health_check.failure") > 2, what="checks fail"
    )
    assert between.flags == {"failed_active_health_check"}
    assert between.consumer.admin.stat("cluster.echo.health_check.success") <= 1


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_guide_has_the_configurations_that_were_tested(name: str) -> None:
    assert f"```yaml\n{envoy_configurations.yaml(DOCUMENTED[name])}```" in GUIDE.read_text()
