"""What a call asks for, beside what the route and the cluster have configured."""

from __future__ import annotations

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from dubbo_mesh._contract.header_checks import LONGEST_SECONDS
from tests.headers.bench import INTERNAL, Behaviour, Bench
from tests.headers.cases import CUT, failing_at_first, race, slow_at_first, unavailable

ROUTE = "impatient"  # retries unavailable, once


@pytest.mark.parametrize(
    ("asked", "behaviour", "attempts"),
    [
        (EnvoyHeaders(), unavailable, 2),
        (EnvoyHeaders(max_retries=3), unavailable, 4),
        (EnvoyHeaders(max_retries=0), unavailable, 1),
        (EnvoyHeaders(retry_grpc_on="internal"), unavailable, 2),
        (EnvoyHeaders(retry_grpc_on="internal"), failing_at_first(grpc.StatusCode.INTERNAL), 2),
        (EnvoyHeaders(max_retries=3), failing_at_first(grpc.StatusCode.INTERNAL), 1),
    ],
)
def test_a_call_adds_to_the_routes_policies_and_replaces_its_number(
    bench: Bench, asked: EnvoyHeaders, behaviour: Behaviour, attempts: int
) -> None:
    assert bench.run(INTERNAL, asked, app=ROUTE, behaviour=behaviour).log["attempts"] == attempts


@pytest.mark.parametrize("asked", [EnvoyHeaders(max_retries=3), EnvoyHeaders()])
def test_without_a_policy_nothing_is_retried(bench: Bench, asked: EnvoyHeaders) -> None:
    assert bench.run(INTERNAL, asked, behaviour=unavailable).log["attempts"] == 1


@pytest.mark.parametrize("app", ["narrow", "frugal"])
def test_a_circuit_breaker_comes_before_retries(bench: Bench, app: str) -> None:
    asked = EnvoyHeaders(retry_grpc_on="unavailable", max_retries=3)
    outcome = bench.run(INTERNAL, asked, app=app, behaviour=unavailable)
    assert outcome.code is grpc.StatusCode.UNAVAILABLE
    assert (outcome.log["attempts"], outcome.log["flags"]) == (1, "UO")


@pytest.mark.parametrize(
    ("policies", "retried"),
    [
        (EnvoyHeaders(retry_on="5xx"), True),
        (EnvoyHeaders(retry_on="gateway-error"), True),
        (EnvoyHeaders(retry_on="reset"), True),
        (EnvoyHeaders(retry_on="connect-failure,refused-stream"), False),
        (EnvoyHeaders(retry_grpc_on="unavailable,deadline-exceeded,cancelled"), False),
        (EnvoyHeaders(), False),
    ],
)
def test_a_late_attempt_is_retried_under_three_policies_only(
    bench: Bench, policies: EnvoyHeaders, retried: bool
) -> None:
    asked = policies | EnvoyHeaders(per_try_timeout=CUT, max_retries=4)
    outcome = bench.run(INTERNAL, asked, behaviour=slow_at_first)
    if retried:
        assert outcome.code is grpc.StatusCode.OK
        assert outcome.log["attempts"] > 1
    else:
        assert (outcome.log["attempts"], outcome.log["flags"]) == (1, "UT")


def test_a_late_attempt_is_hedged_under_any_policy(bench: Bench) -> None:
    asked = EnvoyHeaders(per_try_timeout=CUT, hedge_on_per_try_timeout=True, retry_grpc_on="unavailable")
    outcome = bench.run(INTERNAL, asked, behaviour=race)
    assert outcome.answer == "attempt 1"
    assert len(outcome.attempts) == 2


def test_the_longest_that_can_be_asked_is_not_too_long_for_envoy(bench: Bench) -> None:
    asked = EnvoyHeaders(
        timeout=LONGEST_SECONDS,
        per_try_timeout=LONGEST_SECONDS / 2,
        stream_duration=LONGEST_SECONDS,
        max_retries=2**31 - 1,
        retry_on="reset",
    )
    outcome = bench.run(INTERNAL, asked, timeout=None)
    assert outcome.code is grpc.StatusCode.OK
    assert outcome.attempts[0].headers["x-envoy-expected-rq-timeout-ms"] == str(LONGEST_SECONDS // 2 * 1000)


def test_an_original_destination_must_be_an_address(bench: Bench) -> None:
    """Which is why EnvoyHeaders refuses names."""
    named = bench.provider_address.replace("127.0.0.1", "localhost")
    outcome = bench.run(
        INTERNAL, EnvoyHeaders(), app="original", metadata=(("x-envoy-original-dst-host", named),)
    )
    assert (outcome.code, outcome.log["flags"]) == (grpc.StatusCode.UNAVAILABLE, "UH")
