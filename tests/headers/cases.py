"""What each field of EnvoyHeaders does: one table, for the tests and for docs/envoy-headers.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import grpc

from dubbo_mesh import EnvoyHeaders
from tests.headers.bench import Attempt, Bench, Outcome, echo

CUT = 0.15
"""Seconds after which Envoy is asked to cut."""
SLOW = 0.6
"""Seconds that slow handlers take: longer than CUT by more than any stall of a busy machine."""


NOTHING = EnvoyHeaders()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that a caller can ask, and how one sees whether it was done.

    Attributes:
        name: the field's; after a comma, what tells it from other cases of that field.
        asked: the field, and nothing else; a function if it depends on where the upstreams are.
        beside: what is asked in the twin without the field too.
        given: what the upstream does, in words.
        call: arguments of `Bench.run`.
        observe: what one sees, in words.
        effect: that, where Envoy honours the field.
        without: that, of the twin.
    """

    name: str
    asked: EnvoyHeaders | Callable[[Bench], EnvoyHeaders]
    beside: EnvoyHeaders = NOTHING
    given: str
    call: Mapping[str, Any] = dataclass_field(default_factory=dict[str, Any])
    observe: Callable[[Outcome], str]
    effect: str
    without: str

    @property
    def field(self) -> str:
        """The field of EnvoyHeaders that it is about."""
        return self.name.partition(",")[0]

    def asked_at(self, bench: Bench) -> EnvoyHeaders:
        """What is asked of that bench."""
        return self.asked if isinstance(self.asked, EnvoyHeaders) else self.asked(bench)


# What handlers do.


def unavailable(attempt: Attempt) -> str:
    attempt.context.abort(grpc.StatusCode.UNAVAILABLE, "not today")


def slow(attempt: Attempt) -> str:
    attempt.pause(SLOW)
    return echo(attempt)


def slow_at_first(attempt: Attempt) -> str:
    return slow(attempt) if attempt.number == 1 else echo(attempt)


def race(attempt: Attempt) -> str:
    """The first attempt answers once there is a second; the second only if the first has been cut."""
    first = attempt.run[0]
    if attempt is first:
        attempt.pause(SLOW)
    else:
        first.woken.set()
        if not first.cut:
            attempt.pause(SLOW)
    return echo(attempt)


def failing_at_first(code: grpc.StatusCode) -> Callable[[Attempt], str]:
    def behave(attempt: Attempt) -> str:
        if attempt.number == 1:
            attempt.context.abort(code, "not yet")
        return echo(attempt)

    return behave


def rate_limited_at_first(attempt: Attempt) -> str:
    if attempt.number == 1:
        attempt.context.send_initial_metadata((("x-envoy-ratelimited", "true"),))
        attempt.context.abort(grpc.StatusCode.UNAVAILABLE, "too many")
    return echo(attempt)


# What one sees.


def ending(outcome: Outcome) -> str:
    attempts = outcome.log["attempts"]
    return f"{outcome.log['grpc_status']}, {attempts} attempt{'s' * (attempts != 1)}"


def fate_of_the_first(outcome: Outcome) -> str:
    first, *others = outcome.attempts
    fate = "cut" if not first.answered else "answered" if outcome.answer == "attempt 1" else "lost"
    return f"first attempt {fate}, {'others' if others else 'no other'} started"


def flags(outcome: Outcome) -> str:
    """Envoy's word for how the request ended."""
    return {"-": "not cut", "UT": "cut by Envoy", "UMSDR": "cut by Envoy"}[outcome.log["flags"]]


def given_time(outcome: Outcome) -> str:
    milliseconds = outcome.attempts[0].headers.get("x-envoy-expected-rq-timeout-ms")
    return f"{int(milliseconds) / 1000:g} s" if milliseconds else "none told"


def status(outcome: Outcome) -> str:
    return str(outcome.log["grpc_status"])


def counted(outcome: Outcome) -> str:
    counter = outcome.envoy.admin.stat("cluster.echo.canary.upstream_rq_completed")
    outcome.envoy.admin.reset_counters()  # for the next run
    return "counted" if counter else "not counted"


def spans(outcome: Outcome) -> str:
    return "traced" if outcome.spans else "not traced"


def server_span(outcome: Outcome) -> str:
    (name,) = (span.name for span in outcome.spans if span.service == "ingress")
    return f"span `{name}`"


def joined(outcome: Outcome) -> str:
    tags = {span.tags.get("guid:x-client-trace-id") for span in outcome.spans}
    return "traced, with the id" if tags == {"mine"} else "traced" if tags else "not traced"


def _retried(name: str, asked: EnvoyHeaders, given: str, failure: str, **call: Any) -> Case:
    """A first attempt that fails, and a second one that does not."""
    return Case(
        name=name,
        asked=asked,
        given=given,
        call=call,
        observe=ending,
        effect="OK, 2 attempts",
        without=f"{failure}, 1 attempt",
    )


def _wire(name: str, asked: EnvoyHeaders, answer: str, given: str, failure: str = "UNAVAILABLE") -> Case:
    metadata = (("x-answer", answer),)
    return _retried(name, asked, f"{given} at first", failure, app="wire", metadata=metadata)


_RETRYING = EnvoyHeaders(retry_grpc_on="unavailable")
_PER_TRY = EnvoyHeaders(per_try_timeout=CUT, retry_on="gateway-error", max_retries=4)

CASES = (
    Case(
        name="timeout, shorter",
        asked=EnvoyHeaders(timeout=CUT),
        given="a handler that takes longer; a call with a deadline of 5 s",
        call={"behaviour": slow},
        observe=flags,
        effect="cut by Envoy",
        without="not cut",
    ),
    Case(
        name="timeout, longer",
        asked=EnvoyHeaders(timeout=20),
        given="a route with Envoy's default timeout; a call without a deadline",
        call={"timeout": None},
        observe=given_time,
        effect="20.1 s",
        without="15 s",
    ),
    Case(
        name="inherit_timeout",
        asked=EnvoyHeaders(inherit_timeout=True),
        given=f"a route with a timeout of {CUT} s; a call with a deadline of 5 s",
        call={"app": "impatient"},
        observe=given_time,
        effect=f"{CUT} s",
        without="5.1 s",
    ),
    Case(
        name="per_try_timeout",
        asked=EnvoyHeaders(per_try_timeout=CUT),
        beside=EnvoyHeaders(retry_on="gateway-error", max_retries=4),
        given="a handler that is slow at first",
        call={"behaviour": slow_at_first},
        observe=fate_of_the_first,
        effect="first attempt cut, others started",
        without="first attempt answered, no other started",
    ),
    Case(
        name="max_retries",
        asked=EnvoyHeaders(max_retries=3),
        beside=_RETRYING,
        given="a handler that is never available",
        call={"behaviour": unavailable},
        observe=ending,
        effect="UNAVAILABLE, 4 attempts",
        without="UNAVAILABLE, 2 attempts",
    ),
    _wire("retry_on, 5xx", EnvoyHeaders(retry_on="5xx"), "status 500", "HTTP 500", "UNKNOWN"),
    _wire("retry_on, gateway-error", EnvoyHeaders(retry_on="gateway-error"), "status 503", "HTTP 503"),
    _wire("retry_on, reset", EnvoyHeaders(retry_on="reset"), "reset INTERNAL_ERROR", "stream reset"),
    _wire(
        "retry_on, refused-stream",
        EnvoyHeaders(retry_on="refused-stream"),
        "reset REFUSED_STREAM",
        "stream refused",
    ),
    _wire(
        "retry_on, retriable-4xx", EnvoyHeaders(retry_on="retriable-4xx"), "status 409", "HTTP 409", "UNKNOWN"
    ),
    *(
        Case(
            name=f"retry_on, {policy}",
            asked=EnvoyHeaders(retry_on=policy),
            given="an address where nobody listens",
            call={"app": "dead"},
            observe=ending,
            effect="UNAVAILABLE, 2 attempts",
            without="UNAVAILABLE, 1 attempt",
        )
        for policy in ("connect-failure", "reset-before-request")
    ),
    _retried(
        "retry_on, envoy-ratelimited",
        EnvoyHeaders(retry_on="envoy-ratelimited"),
        "a first answer with `x-envoy-ratelimited`",
        "UNAVAILABLE",
        behaviour=rate_limited_at_first,
    ),
    *(
        _retried(
            f"retry_grpc_on, {policy}",
            EnvoyHeaders(retry_grpc_on=policy),
            f"a handler that ends with {code.name} at first",
            code.name,
            behaviour=failing_at_first(code),
        )
        for policy, code in (
            ("cancelled", grpc.StatusCode.CANCELLED),
            ("deadline-exceeded", grpc.StatusCode.DEADLINE_EXCEEDED),
            ("internal", grpc.StatusCode.INTERNAL),
            ("resource-exhausted", grpc.StatusCode.RESOURCE_EXHAUSTED),
            ("unavailable", grpc.StatusCode.UNAVAILABLE),
        )
    ),
    _wire(
        "retriable_status_codes",
        EnvoyHeaders(retriable_status_codes=[425]),
        "status 425",
        "HTTP 425",
        "UNKNOWN",
    ),
    _wire(
        "retriable_header_names",
        EnvoyHeaders(retriable_header_names="x-come-again"),
        "header x-come-again",
        "response header `x-come-again`",
    ),
    Case(
        name="hedge_on_per_try_timeout",
        asked=EnvoyHeaders(hedge_on_per_try_timeout=True),
        beside=_PER_TRY,
        given="a first attempt that answers once there is a second, which does not",
        call={"behaviour": race},
        observe=fate_of_the_first,
        effect="first attempt answered, others started",
        without="first attempt cut, others started",
    ),
    Case(
        name="upstream_alt_stat_name",
        asked=EnvoyHeaders(upstream_alt_stat_name="canary"),
        given="a call, then a look at `cluster.<cluster>.canary.upstream_rq_completed`",
        observe=counted,
        effect="counted",
        without="not counted",
    ),
    Case(
        name="timeout_alt_response",
        asked=EnvoyHeaders(timeout_alt_response=True),
        beside=EnvoyHeaders(timeout=CUT),
        given="a handler that takes longer",
        call={"behaviour": slow},
        observe=status,
        effect="UNKNOWN",
        without="UNAVAILABLE",
    ),
    Case(
        name="stream_duration",
        asked=EnvoyHeaders(stream_duration=CUT),
        given="a stream whose second message comes later",
        call={"behaviour": slow, "streaming": True},
        observe=flags,
        effect="cut by Envoy",
        without="not cut",
    ),
    Case(
        name="decorator_operation",
        asked=EnvoyHeaders(decorator_operation="checkout"),
        given="a provider behind a sidecar that traces",
        call={"app": "traced"},
        observe=server_span,
        effect="span `checkout`",
        without="span `ingress`",
    ),
    Case(
        name="force_trace",
        asked=EnvoyHeaders(force_trace=True),
        given="sampling of 0 %",
        observe=spans,
        effect="traced",
        without="not traced",
    ),
    Case(
        name="client_trace_id",
        asked=EnvoyHeaders(client_trace_id="mine"),
        given="sampling of 0 %",
        observe=joined,
        effect="traced, with the id",
        without="not traced",
    ),
    Case(
        name="original_dst_host",
        asked=lambda bench: EnvoyHeaders(original_dst_host=bench.provider_address),
        given="a cluster of type `ORIGINAL_DST` with `use_http_header`",
        call={"app": "original"},
        observe=ending,
        effect="OK, 1 attempt",
        without="UNAVAILABLE, 1 attempt",
    ),
)
