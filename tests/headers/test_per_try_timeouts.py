"""On which conditions Envoy retries an attempt that exceeds its per-try timeout; the generator knows them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from dubbo_mesh import EnvoyHeaders
from dubbo_mesh._contract.header_checks import RETRY_GRPC_ON, RETRY_ON
from protoc_gen_dubbo_mesh.policy.envoy_headers import arguments, with_default_retry
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Retry
from tests.generator.compiling import generate_proto
from tests.headers.bench import INTERNAL, Attempt, Bench
from tests.headers.cases import CUT

RETRIED = {"reset", "5xx", "gateway-error"}

NOT_HEDGED = [
    *(Retry(attempts=2, on=(condition,)) for condition in RETRY_ON),
    *(Retry(attempts=2, grpc_on=(condition,)) for condition in RETRY_GRPC_ON),
    Retry(attempts=2, on=("connect-failure", "reset"), grpc_on=("unavailable",)),
    Retry(attempts=2, on=("retriable-status-codes",), status_codes=(504,)),
    Retry(attempts=1, on=("reset",)),
    Retry(attempts=2),
    None,
]
HEDGED = [
    Retry(attempts=2, on=("connect-failure",)),
    Retry(attempts=2, grpc_on=("internal",)),
    Retry(attempts=2, on=("retriable-headers",), header_names=("x-busy",)),
    Retry(attempts=1, on=("reset",)),
    None,
]
POLICIES = [
    *(CallPolicy(per_try_timeout=CUT, retry=retry) for retry in NOT_HEDGED),
    *(CallPolicy(per_try_timeout=CUT, retry=retry, hedge_on_per_try_timeout=True) for retry in HEDGED),
]


def name(policy: CallPolicy) -> str:
    retry = policy.retry or Retry()
    parts = [f"attempts-{retry.attempts}", *(retry.on or ()), *(retry.grpc_on or ())]
    return "+".join(["hedged", *parts] if policy.hedge_on_per_try_timeout else parts)


def stuck_at_first(attempt: Attempt) -> str:
    """The first attempt answers only after it was cut."""
    if attempt.number == 1:
        attempt.woken.wait(30)
    return "answered"


PROTO = """\
syntax = "proto3";
import "dubbo_mesh/v1/options.proto";
message M {{}}
service S {{
  rpc r(M) returns (M) {{ option (dubbo_mesh.v1.method) = {{ {option} }}; }}
}}
"""


def option(policy: CallPolicy) -> str:
    """The policy as an option in a proto."""
    parts = ["per_try_timeout { nanos: 150000000 }"]
    if policy.retry is not None:
        retry = [f"attempts: {policy.retry.attempts}"]
        retry += [f"on: {enum(condition)}" for condition in policy.retry.on or ()]
        retry += [f"grpc_on: {enum(condition)}" for condition in policy.retry.grpc_on or ()]
        retry += [f"status_codes: {code}" for code in policy.retry.status_codes or ()]
        retry += [f'header_names: "{header}"' for header in policy.retry.header_names or ()]
        parts.append(f"retry {{ {' '.join(retry)} }}")
    if policy.hedge_on_per_try_timeout:
        parts.append("hedge_on_per_try_timeout: true")
    return " ".join(parts)


def enum(condition: str) -> str:
    return ("any-5xx" if condition == "5xx" else condition).upper().replace("-", "_")


@pytest.mark.parametrize("policy", POLICIES, ids=name)
def test_generator_and_runtime_warn_exactly_if_envoy_does_not_retry(
    policy: CallPolicy, bench: Bench, tmp_path: Path
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        headers = EnvoyHeaders(**arguments(with_default_retry(policy, idempotent=False)))
    outcome = bench.run(INTERNAL, headers, behaviour=stuck_at_first)
    retried = len(outcome.attempts) > 1
    assert retried == (outcome.answer == "answered")
    if policy.retry and policy.retry.attempts == 2 and not policy.hedge_on_per_try_timeout:
        assert retried == (not RETRIED.isdisjoint(policy.retry.on or ()))
    # The runtime warns likewise, of what asks for retries; without that, the route's policy may do it.
    asks = bool(headers.retry_on or headers.retry_grpc_on) and headers.max_retries != 0
    assert len(seen) == (asks and not retried)
    generated = generate_proto(PROTO.format(option=option(policy)), tmp_path).warnings
    assert [warning.partition(" ")[0] for warning in generated] == ([] if retried else ["test.proto:5:"])
