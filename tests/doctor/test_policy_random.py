"""Routes and stubs by chance: what the doctor says of them against what a real Envoy does.

The doctor's view of a call, an `Effect`, tells how often a handler runs and who ends the call, for a handler
that fails and for one that does not answer. The same calls are then made, all of them at the same time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from dubbo_mesh._contract.envoy_headers import suppress_warnings_in
from dubbo_mesh._doctor.policy.followed import Followed
from tests.doctor.cases import Case, Mesh, Outcome

suppress_warnings_in(__name__)  # of attempts that end calls: some cases are to have them

SEED = 14
COUNT = 100

QUICKLY = {"base_interval": "0.001s", "max_interval": "0.002s"}
STATUSES = ("cancelled", "internal", "resource-exhausted", "unavailable")
CONDITIONS = ("reset", "5xx", "gateway-error", "connect-failure", "refused-stream", "retriable-4xx")
ATTEMPT, CALL, LONG = 0.4, 1.4, 20.0
"""Seconds: three attempts fit into a call, and a fourth does not end; longer than any test waits."""
ANSWERS = 2.2
"""Seconds after which a slow handler answers: later than all else that ends calls here."""


def some(chance: random.Random, names: tuple[str, ...], most: int = 2) -> str:
    return ",".join(chance.sample(names, chance.randint(0, most)))


def policy(chance: random.Random) -> dict[str, Any]:
    result: dict[str, Any] = {"retry_back_off": QUICKLY}
    if conditions := ",".join(filter(None, (some(chance, STATUSES), some(chance, CONDITIONS, 1)))):
        result["retry_on"] = conditions
    if chance.random() < 0.8:
        result["num_retries"] = chance.randint(0, 3)
    if chance.random() < 0.4:
        result["per_try_timeout"] = f"{chance.choice((ATTEMPT, LONG))}s"
    return result


def action(chance: random.Random) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if chance.random() < 0.8:
        result["timeout"] = f"{chance.choice((0, CALL, LONG))}s"
    if chance.random() < 0.2:
        result["max_grpc_timeout"] = f"{chance.choice((0, CALL))}s"
    if chance.random() < 0.15:
        result["max_stream_duration"] = chance.choice(
            ({}, {"max_stream_duration": f"{CALL}s"}, {"grpc_timeout_header_max": "0s"})
        )
    if chance.random() < 0.15:
        result["idle_timeout"] = f"{chance.choice((0, CALL))}s"
    if chance.random() < 0.6:
        result["retry_policy"] = policy(chance)
    if chance.random() < 0.1:
        result["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    if chance.random() < 0.2:
        result["priority"] = "HIGH"
    return result


def headers(chance: random.Random) -> EnvoyHeaders:
    fields: dict[str, Any] = {}
    if chance.random() < 0.6:
        fields["timeout"] = chance.choice((0, CALL, LONG))
    if chance.random() < 0.2:
        fields["inherit_timeout"] = True
    if chance.random() < 0.6:
        fields["max_retries"] = chance.randint(0, 3)
    if chance.random() < 0.6:
        fields["retry_grpc_on"] = some(chance, STATUSES)
    if chance.random() < 0.5:
        fields["retry_on"] = some(chance, CONDITIONS, 1)
    if chance.random() < 0.3 and fields.get("timeout") != CALL:
        fields["per_try_timeout"] = ATTEMPT
    if chance.random() < 0.1:
        fields["hedge_on_per_try_timeout"] = chance.random() < 0.5
    return EnvoyHeaders(**{name: value for name, value in fields.items() if value != ""})


def case(number: int) -> Case:
    chance = random.Random(SEED * 1000 + number)
    host: dict[str, Any] = {}
    if chance.random() < 0.2:
        host["retry_policy"] = policy(chance)
    if chance.random() < 0.15:
        value = chance.choice(
            (("x-envoy-retry-grpc-on", some(chance, STATUSES, 1)), ("x-envoy-max-retries", "2"))
        )
        how = chance.choice(("APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD"))
        if value[1]:
            header = {"key": value[0], "value": value[1]}
            host["request_headers_to_add"] = [{"header": header, "append_action": how}]
    cluster: dict[str, Any] = {}
    if chance.random() < 0.2:
        limit = {"priority": chance.choice(("DEFAULT", "HIGH")), "max_retries": chance.choice((0, 5))}
        cluster["circuit_breakers"] = {"thresholds": [limit]}
    asked, route = headers(chance), action(chance)
    if asked.per_try_timeout or "per_try_timeout" in str((route, host)):
        # Providers would be told of it, and might end attempts themselves.
        route.pop("max_grpc_timeout", None)
    return Case(
        name=f"c{number}",
        rpc=chance.choice(("unary", "unary", "watch")),
        envoy=asked,
        action=route,
        virtual_host=host,
        cluster=cluster,
        obeyed=chance.random() < 0.7,
    )


class Expected(NamedTuple):
    """What happens to a call.

    Attributes:
        runs: How often its handler runs.
        ended: What the caller is told, by whoever ends the call; several if their timers end close together.
    """

    runs: int
    ended: set[str]


BY_TIMEOUT, BY_DURATION = "upstream request timeout", "downstream duration timeout"
BY_IDLE, BY_CLIENT, BY_HANDLER = "stream timeout", "Deadline Exceeded", "as asked"
ANSWERED = "answered"

CLOSE = 0.15
"""Seconds between two timers whose order is not sure."""


def expected(followed: Followed, allowed: bool, failure: str | None) -> Expected:
    """What the doctor's view of calls says about one.

    Args:
        followed: the doctor's view.
        allowed: whether the circuit breaker allows retries.
        failure: the status that the handler fails with at once; None if it does not answer.
    """
    effect, retries = followed.effect, followed.effect.retries
    attempts = 1 if retries is None or not retries.happen or not allowed else 1 + retries.most
    if failure is not None:
        retried = retries is not None and failure.lower().replace("_", "-") in retries.on
        return Expected(attempts if retried else 1, {BY_HANDLER})
    limits = {
        BY_TIMEOUT: effect.timeout.seconds,
        BY_DURATION: effect.duration.seconds,
        BY_IDLE: effect.idle.seconds,
        BY_CLIENT: followed.asked.deadline or 0,
        ANSWERED: ANSWERS,
    }
    end = min(each for each in limits.values() if each)
    by = {who for who, limit in limits.items() if limit and limit < end + CLOSE}
    if BY_DURATION in by or (BY_TIMEOUT in by and followed.route.max_grpc_timeout is not None):
        by.add(BY_CLIENT)  # or by the provider, which is told of the time
    attempt = effect.per_try_timeout.seconds
    if not attempt or attempt >= end:
        return Expected(1, by)
    runs = attempts if retries is not None and retries.of_slow_attempts else 1
    most = 1 + int(end / attempt)
    if runs >= most or effect.hedges:
        return Expected(min(runs, most), by)
    return Expected(runs, {BY_TIMEOUT})


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh([case(number) for number in range(COUNT)]) as mesh:
        yield mesh


FAILURES = ("UNAVAILABLE", "INTERNAL")
SLOW = f"slow:{ANSWERS}"


@pytest.fixture(scope="module")
def outcomes(mesh: Mesh) -> dict[tuple[str, str], Outcome]:
    behaviours = [f"fail:{failure}" for failure in FAILURES] + [SLOW]
    return mesh.calls({(name, behaviour): {} for behaviour in behaviours for name in mesh.cases})


@pytest.mark.parametrize("number", range(COUNT))
def test_calls_go_as_the_doctor_says(
    mesh: Mesh, outcomes: dict[tuple[str, str], Outcome], number: int
) -> None:
    name = f"c{number}"
    followed = mesh.followed(name)
    allowed = "but the circuit breaker" not in mesh.sentence(name)
    for failure in (*FAILURES, None):
        outcome = outcomes[name, f"fail:{failure}" if failure else SLOW]
        wanted = expected(followed, allowed, failure)
        assert outcome.runs == wanted.runs, (wanted, outcome, mesh.cases[name])
        told = ANSWERED if outcome.code is grpc.StatusCode.OK else outcome.details
        assert any(each in told for each in wanted.ended), (wanted, outcome, mesh.cases[name])
