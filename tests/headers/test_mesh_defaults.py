"""What the generator's `explain` says of plain Envoy and of Istio is what a real Envoy does.

The route of `istio` is one that Istio makes where nothing is configured; `echo` has Envoy's own default.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh import EnvoyHeaders
from protoc_gen_dubbo_mesh.explain.mesh_defaults import (
    ISTIO,
    PLAIN_ENVOY,
    Route,
    by_default,
    if_obeyed,
    run_again,
)
from protoc_gen_dubbo_mesh.explain.model import Sent
from protoc_gen_dubbo_mesh.policy.envoy_headers import arguments, with_default_retry
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Retry
from tests.headers.bench import INTERNAL, ISTIO_RETRIES, SIDECAR, Attempt, Behaviour, Bench, Trust
from tests.headers.cases import CUT, race, slow, unavailable

APPS = {PLAIN_ENVOY: "echo", ISTIO: "istio"}
STATUSES = ("unavailable", "cancelled", "internal")
RETRIES = {
    "nothing": None,
    "one attempt": Retry(attempts=1),
    "two attempts": Retry(attempts=2),
    "a condition": Retry(grpc_on=("internal",)),
    "five attempts": Retry(attempts=5, grpc_on=("unavailable",)),
    "status codes": Retry(attempts=2, status_codes=(503,)),
}
NO_HEADERS = EnvoyHeaders(inherit_timeout=True)

routes = pytest.mark.parametrize("route", APPS, ids=lambda route: route.key)


def failing(status: str) -> Behaviour:
    def fail(attempt: Attempt) -> str:
        attempt.context.abort(grpc.StatusCode[status.upper()], "not today")

    return fail


def asked(retry: Retry | None) -> EnvoyHeaders:
    """What a stub asks for an rpc that is not idempotent."""
    return EnvoyHeaders(**arguments(with_default_retry(CallPolicy(retry=retry), idempotent=False)))


def test_the_route_is_istios() -> None:
    assert ISTIO_RETRIES["retry_on"] == ",".join(ISTIO.retry_on)
    assert ISTIO_RETRIES["num_retries"] == ISTIO.max_retries


@pytest.mark.parametrize(
    ("retry", "trust", "runs"),
    [(None, INTERNAL, 3), (Retry(attempts=1), INTERNAL, 1), (Retry(attempts=1), SIDECAR, 3)],
    ids=["without headers", "with a single attempt", "with a single attempt, not obeyed"],
)
def test_istio_runs_what_is_not_idempotent_three_times_unless_a_single_attempt_is_obeyed(
    retry: Retry | None, trust: Trust, runs: int, bench: Bench
) -> None:
    outcome = bench.run(trust, asked(retry), app="istio", behaviour=unavailable)
    assert outcome.code is grpc.StatusCode.UNAVAILABLE
    assert len(outcome.attempts) == runs


@routes
def test_routes_that_obey_the_deadline_send_providers_that_of_the_attempt(route: Route, bench: Bench) -> None:
    """Providers may then end slow attempts before Envoy does, with DEADLINE_EXCEEDED: `explain` says so."""
    left: list[float] = []

    def look(attempt: Attempt) -> str:
        left.append(attempt.context.time_remaining())
        return ""

    headers = EnvoyHeaders(per_try_timeout=2, retry_on="reset")
    bench.run(INTERNAL, headers, app=APPS[route], behaviour=look, timeout=60)
    assert (left[0] <= 2) is route.obeys_deadline


@routes
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("retry", RETRIES)
def test_headers_that_are_obeyed_are_joined_with_the_route(
    retry: str, status: str, route: Route, bench: Bench
) -> None:
    headers = asked(RETRIES[retry])
    handling = if_obeyed(route, Sent(None, headers.to_metadata()))
    outcome = bench.run(INTERNAL, headers, app=APPS[route], behaviour=failing(status))
    assert len(outcome.attempts) == 1 + (handling.max_retries if status in handling.retry_on else 0)


@routes
@pytest.mark.parametrize("status", STATUSES)
def test_headers_that_are_not_obeyed_leave_the_default(status: str, route: Route, bench: Bench) -> None:
    handling = by_default(route, None)
    headers = asked(Retry(attempts=5, grpc_on=("internal",)))
    outcome = bench.run(SIDECAR, headers, app=APPS[route], behaviour=failing(status))
    assert len(outcome.attempts) == 1 + (handling.max_retries if status in handling.retry_on else 0)


@routes
def test_hedging_runs_what_is_slow_again_whatever_the_conditions(route: Route, bench: Bench) -> None:
    headers = EnvoyHeaders(per_try_timeout=CUT, hedge_on_per_try_timeout=True, retry_on="connect-failure")
    handling = if_obeyed(route, Sent(None, headers.to_metadata()))
    assert run_again(handling)[-1] == "slow attempts"
    outcome = bench.run(INTERNAL, headers, app=APPS[route], behaviour=race)
    assert (len(outcome.attempts), outcome.answer) == (2, "attempt 1")


@routes
@pytest.mark.parametrize("deadline", [None, 30.0])
@pytest.mark.parametrize("headers", [NO_HEADERS, EnvoyHeaders(timeout=7), EnvoyHeaders(timeout=0)])
@pytest.mark.parametrize("streaming", [False, True])
def test_timeouts(
    streaming: bool, headers: EnvoyHeaders, deadline: float | None, route: Route, bench: Bench
) -> None:
    """Envoy tells the provider how long it will wait."""
    sent = Sent(deadline, headers.to_metadata())
    for trust, handling in (INTERNAL, if_obeyed(route, sent)), (SIDECAR, by_default(route, deadline)):
        # As a plain grpcio stub does: ours would send more.
        metadata = sent.headers
        outcome = bench.run(
            trust, NO_HEADERS, app=APPS[route], timeout=deadline, metadata=metadata, streaming=streaming
        )
        told = outcome.attempts[0].headers.get("x-envoy-expected-rq-timeout-ms")
        if handling.is_deadline:
            assert told is not None
            assert 0 < int(told) <= 30_100  # grpc rounds deadlines up
        elif handling.timeout is None:
            assert told is None
        else:
            assert told == str(round(handling.timeout * 1000))


class TestTheRoutesTimeout:
    """The route `impatient` has one of `CUT` seconds."""

    def test_cuts_responses_off(self, bench: Bench) -> None:
        outcome = bench.run(SIDECAR, NO_HEADERS, app="impatient", behaviour=slow, streaming=True)
        assert outcome.code is not grpc.StatusCode.OK
        assert outcome.log["flags"] == "UT"

    def test_begins_when_the_last_request_has_been_sent(self, bench: Bench) -> None:
        def requests() -> Iterator[StringValue]:
            for name in "one", "two":
                yield StringValue(value=name)
                time.sleep(2 * CUT)  # more than the timeout, which has to pass

        with bench.stub(SIDECAR, "impatient") as stub:
            assert stub.clientStream(requests(), timeout=30).value == "one,two"
