"""What Envoy's router does with a request: virtual hosts, retries, timeouts, headers for the provider."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc
import pytest

from tests import sidecars

if TYPE_CHECKING:
    from tests.mesh.conftest import Consumer, Provider

RETRY_ON_UNAVAILABLE = ("x-envoy-retry-grpc-on", "unavailable")
TWO_RETRIES = ("x-envoy-max-retries", "2")


def unavailable(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "not today")


def unavailable_after_headers(request: bytes, context: grpc.ServicerContext) -> bytes:
    # Without a header of its own, grpc may yet send both in one frame, as it does a status alone.
    context.send_initial_metadata((("headers", "sent"),))
    context.abort(grpc.StatusCode.UNAVAILABLE, "not today")


def too_slow(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answers when the request is over for the caller."""
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(5)
    return request


@pytest.fixture
def envoy(provider: Provider, sidecar: Callable[..., sidecars.Sidecar]) -> sidecars.Sidecar:
    return sidecar(
        "consumer", egress=[sidecars.MeshService("echo", 80, [provider.address], health_check=None)]
    )


@pytest.fixture
def caller(envoy: sidecars.Sidecar, consumer: Callable[..., Consumer]) -> Consumer:
    return consumer(envoy.egress)


@pytest.mark.parametrize(
    ("authority", "found"),
    [
        ("echo.default.svc.cluster.local", True),
        ("echo.default.svc.cluster.local:80", True),
        ("Echo.Default.svc.Cluster.local:80", True),
        ("echo.default.svc.cluster.local.", False),
        ("echo.default.svc.cluster.local.:80", False),
        ("echo.default.svc.cluster.local:81", False),
        ("echo", False),
    ],
)
def test_the_authority_selects_the_virtual_host(
    provider: Provider,
    envoy: sidecars.Sidecar,
    consumer: Callable[..., Consumer],
    authority: str,
    found: bool,
) -> None:
    caller = consumer(envoy.egress, authority)
    if found:
        assert caller.call() == b"request"
        assert provider.received
    else:
        assert caller.failure().code() is grpc.StatusCode.UNIMPLEMENTED
        assert envoy.egress_log.wait_for(1)[0]["flags"] == "NR"
    assert envoy.admin.stat("vhost.echo.vcluster.all.upstream_rq_total") == int(found)


@pytest.mark.parametrize(
    ("headers", "attempts"),
    [
        ((), 1),
        ((TWO_RETRIES,), 1),
        ((RETRY_ON_UNAVAILABLE,), 2),
        ((RETRY_ON_UNAVAILABLE, TWO_RETRIES), 3),
        ((RETRY_ON_UNAVAILABLE, ("x-envoy-max-retries", "0")), 1),
        ((("x-envoy-retry-grpc-on", "internal"), TWO_RETRIES), 1),
    ],
)
def test_max_retries_alone_does_nothing(
    provider: Provider, caller: Consumer, headers: tuple[tuple[str, str], ...], attempts: int
) -> None:
    provider.answer = unavailable
    assert caller.failure(*headers).code() is grpc.StatusCode.UNAVAILABLE
    assert [each["x-envoy-attempt-count"] for each in provider.received] == [
        str(attempt) for attempt in range(1, attempts + 1)
    ]


def test_a_status_after_the_headers_is_not_retried(provider: Provider, caller: Consumer) -> None:
    provider.answer = unavailable_after_headers
    assert caller.failure(RETRY_ON_UNAVAILABLE, TWO_RETRIES).code() is grpc.StatusCode.UNAVAILABLE
    assert len(provider.received) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), "15000"),
        ((("x-envoy-upstream-rq-timeout-ms", "2500"),), "2500"),
        ((("x-envoy-upstream-rq-timeout-ms", "0"),), None),
        (
            (("x-envoy-upstream-rq-timeout-ms", "2500"), ("x-envoy-upstream-rq-per-try-timeout-ms", "500")),
            "500",
        ),
        (
            (("x-envoy-upstream-rq-timeout-ms", "500"), ("x-envoy-upstream-rq-per-try-timeout-ms", "500")),
            "500",
        ),
    ],
)
def test_a_route_gives_15_s_unless_a_header_says_otherwise(
    provider: Provider, caller: Consumer, headers: tuple[tuple[str, str], ...], expected: str | None
) -> None:
    caller.call(*headers, timeout=60)  # grpc-timeout changes nothing
    assert provider.received[0].get("x-envoy-expected-rq-timeout-ms") == expected


def test_the_timeout_header_overrides_the_route(
    provider: Provider, sidecar: Callable[..., sidecars.Sidecar], consumer: Callable[..., Consumer]
) -> None:
    service = sidecars.MeshService("echo", 80, [provider.address], timeout=0.05, health_check=None)
    envoy = sidecar("consumer", egress=[service])
    caller = consumer(envoy.egress)
    provider.answer = too_slow

    cut = caller.failure()
    assert cut.code() is grpc.StatusCode.UNAVAILABLE
    assert cut.details() == "upstream request timeout"
    assert envoy.egress_log.wait_for(1)[0]["flags"] == "UT"

    own = caller.failure(("x-envoy-upstream-rq-timeout-ms", "5000"), timeout=0.2)
    assert own.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_per_try_timeout_not_below_the_whole_is_ignored(
    provider: Provider, envoy: sidecars.Sidecar, caller: Consumer
) -> None:
    provider.answer = too_slow
    retry_on_reset = ("x-envoy-retry-on", "reset")
    whole = ("x-envoy-upstream-rq-timeout-ms", "150")

    caller.failure(whole, ("x-envoy-upstream-rq-per-try-timeout-ms", "150"), retry_on_reset)
    assert len(provider.received) == 1

    caller.failure(whole, ("x-envoy-upstream-rq-per-try-timeout-ms", "50"), retry_on_reset)
    assert len(provider.received) == 1 + 2
    assert envoy.admin.stat("cluster.echo.upstream_rq_per_try_timeout") >= 1


def test_a_provider_learns_of_the_request(provider: Provider, caller: Consumer) -> None:
    caller.call()
    received = provider.received[0]
    assert received["x-envoy-attempt-count"] == "1"
    assert received["x-envoy-internal"] == "true"
    assert received["x-forwarded-proto"] == "http"
    assert len(received["x-request-id"]) == 36
