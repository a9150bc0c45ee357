"""Which requests Envoy holds to be internal: only their router headers count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import grpc
import pytest

from tests import sidecars

if TYPE_CHECKING:
    from tests.mesh.conftest import Consumer, Provider

RETRY = (("x-envoy-retry-grpc-on", "unavailable"), ("x-envoy-max-retries", "2"))
LOOPBACK = ("127.0.0.0/8",)
STRIPPED, HONOURED = 1, 3  # attempts


@pytest.mark.parametrize(
    ("use_remote_address", "internal_addresses", "forwarded_for", "attempts", "request_id_kept"),
    [
        (False, (), None, STRIPPED, True),
        (False, (), "127.0.0.1", STRIPPED, True),
        (False, (), "10.0.0.1", STRIPPED, True),
        (True, (), None, STRIPPED, False),
        (True, (), "127.0.0.1", STRIPPED, False),
        (False, LOOPBACK, None, STRIPPED, True),
        (False, LOOPBACK, "127.0.0.1", HONOURED, True),
        (False, LOOPBACK, "10.0.0.1", STRIPPED, True),
        (True, LOOPBACK, None, HONOURED, True),
        (True, LOOPBACK, "127.0.0.1", STRIPPED, False),
    ],
)
def test_router_headers_count_for_internal_requests_only(
    provider: Provider,
    sidecar: Callable[..., sidecars.Sidecar],
    consumer: Callable[..., Consumer],
    use_remote_address: bool,
    internal_addresses: Sequence[str],
    forwarded_for: str | None,
    attempts: int,
    request_id_kept: bool,
) -> None:
    provider.answer = unavailable
    service = sidecars.MeshService("echo", 80, [provider.address], health_check=None)
    egress = sidecars.Egress(
        [service], use_remote_address=use_remote_address, internal_addresses=internal_addresses
    )
    envoy = sidecar("consumer", egress=egress)
    caller = consumer(envoy.egress)
    metadata = [*RETRY, ("x-request-id", "mine"), ("traceparent", "00-1-2-01"), ("x-envoy-internal", "true")]
    if forwarded_for:
        metadata.append(("x-forwarded-for", forwarded_for))

    caller.failure(*metadata)

    assert len(provider.received) == attempts
    assert envoy.admin.stat("cluster.echo.upstream_rq_retry") == attempts - 1
    seen = provider.received[0]
    assert (seen["x-request-id"] == "mine") == request_id_kept
    assert seen["traceparent"] == "00-1-2-01"
    assert ("x-envoy-internal" in seen) == (attempts == HONOURED)
    assert "x-envoy-retry-grpc-on" not in seen
    assert "x-envoy-max-retries" not in seen


def unavailable(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "not today")
