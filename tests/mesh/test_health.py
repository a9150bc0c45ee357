"""How a consumer's Envoy learns that a provider is not to be called, and that it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2

import localmesh
from tests import sidecars
from tests.sidecars import config

if TYPE_CHECKING:
    from tests.mesh.conftest import Consumer, Provider

Sidecars = Callable[..., sidecars.Sidecar]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OFTEN = sidecars.HealthCheck(interval=0.1)
ONCE = sidecars.HealthCheck(interval=60)


def mesh(
    provider: Provider, sidecar: Sidecars, health_check: sidecars.HealthCheck
) -> tuple[sidecars.Sidecar, sidecars.Sidecar]:
    """The provider's and the consumer's sidecar; the provider is healthy."""
    theirs = sidecar("provider", ingress=provider.address)
    service = sidecars.MeshService("echo", 80, [theirs.ingress], health_check=health_check)
    ours = sidecar("consumer", egress=[service])
    ours.wait_healthy("echo", 1)
    return theirs, ours


def flags(consumer: sidecars.Sidecar) -> frozenset[str]:
    return consumer.admin.hosts("echo")[0].flags


def test_an_app_that_is_not_serving_is_out_at_the_next_check(provider: Provider, sidecar: Sidecars) -> None:
    _, ours = mesh(provider, sidecar, OFTEN)
    provider.health.set("", NOT_SERVING)
    ours.wait_healthy("echo", 0)
    assert flags(ours) == {"failed_active_health_check"}
    provider.health.set("", SERVING)
    ours.wait_healthy("echo", 1)


def test_healthcheck_fail_takes_a_provider_out_with_the_very_next_response(
    provider: Provider, sidecar: Sidecars, consumer: Callable[..., Consumer]
) -> None:
    theirs, ours = mesh(provider, sidecar, ONCE)  # no second check will tell
    caller = consumer(ours.egress)
    theirs.admin.fail_health_check()
    assert caller.call() == b"request"
    assert flags(ours) == {"failed_active_health_check", "excluded_via_immediate_hc_fail"}
    assert caller.failure().code() is grpc.StatusCode.UNAVAILABLE
    assert len(provider.received) == 1


def test_healthcheck_ok_brings_a_provider_back_at_the_next_check(
    provider: Provider, sidecar: Sidecars, consumer: Callable[..., Consumer]
) -> None:
    theirs, ours = mesh(provider, sidecar, OFTEN)
    theirs.admin.fail_health_check()
    ours.wait_healthy("echo", 0)
    theirs.admin.pass_health_check()
    ours.wait_healthy("echo", 1)
    assert consumer(ours.egress).call() == b"request"


def test_workers_may_learn_of_a_change_up_to_a_second_later(
    provider: Provider, sidecar: Sidecars, consumer: Callable[..., Consumer]
) -> None:
    theirs = sidecar("provider", ingress=provider.address)
    service = sidecars.MeshService("echo", 80, [theirs.ingress], health_check=OFTEN, merge_window=None)
    ours = sidecar("consumer", egress=[service])
    caller = consumer(ours.egress)
    for status in (NOT_SERVING, SERVING):
        ours.wait_healthy("echo", int(status == NOT_SERVING))
        provider.health.set("", status)
    ours.wait_healthy("echo", 1)  # says the main thread
    assert caller.failure().details() == "no healthy upstream"

    def called() -> bool:
        try:
            return caller.call() == b"request"
        except grpc.RpcError:
            return False

    localmesh.wait_until(called, what="calls get through", timeout=1.5)


def test_an_app_can_take_itself_out_with_its_response(
    provider: Provider, sidecar: Sidecars, consumer: Callable[..., Consumer]
) -> None:
    _, ours = mesh(provider, sidecar, ONCE)

    def last_answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.send_initial_metadata((("x-envoy-immediate-health-check-fail", "true"),))
        return request

    provider.answer = last_answer
    consumer(ours.egress).call()
    assert flags(ours) == {"failed_active_health_check", "excluded_via_immediate_hc_fail"}


def test_without_pass_through_the_filter_does_not_speak_grpc(provider: Provider, sidecar: Sidecars) -> None:
    health_check = config.merged(
        config.GRPC_HEALTH_CHECK_FILTER, {"typed_config": {"pass_through_mode": False}}
    )
    theirs = sidecar("provider", ingress=sidecars.Ingress(provider.address, http_filters=[health_check]))
    service = sidecars.MeshService("echo", 80, [theirs.ingress], health_check=OFTEN)
    ours = sidecar("consumer", egress=[service])
    localmesh.wait_until(
        lambda: ours.admin.stat("cluster.echo.health_check.attempt") >= 3, what="three checks are made"
    )
    assert ours.admin.stat("cluster.echo.health_check.success") == 0
    assert flags(ours) == {"failed_active_health_check"}


def test_what_changes_something_takes_post_only(sidecar: Sidecars) -> None:
    admin = sidecar("provider", ingress="127.0.0.1:1").admin
    assert admin.status("GET", "/healthcheck/fail") == 405
    assert admin.status("POST", "/healthcheck/fail") == 200
    assert admin.status("POST", "/healthcheck/ok") == 200


@pytest.mark.parametrize(("drain_type", "connections"), [("DEFAULT", 8), ("MODIFY_ONLY", 1)])
def test_healthcheck_fail_closes_the_connections_of_an_egress_but_for_modify_only(
    provider: Provider,
    sidecar: Sidecars,
    consumer: Callable[..., Consumer],
    drain_type: str,
    connections: int,
) -> None:
    service = sidecars.MeshService("echo", 80, [provider.address], health_check=None)
    ours = sidecar("consumer", egress=sidecars.Egress([service], listener={"drain_type": drain_type}))
    ours.admin.fail_health_check()
    caller = consumer(ours.egress)
    for _ in range(8):
        caller.call()  # none fails
    assert ours.admin.stat("http.egress.downstream_cx_total") == connections
