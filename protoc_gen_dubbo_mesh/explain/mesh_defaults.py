"""What Envoy does with a call: by default, in a plain Envoy and in Istio, and with the headers of a request.

Envoy's defaults: `timeout` of `RouteAction` in its API (`config.route.v3`) is 15 s, counted from the end of
the requests, and without a `retry_policy` nothing is retried. Istio's: `setTimeout` in
`pilot/pkg/networking/core/route/route.go` makes `timeout` and `max_grpc_timeout` 0, with which Envoy obeys
`grpc-timeout` alone; `defaultPolicy` in `retry/retry.go` beside it has the retries of routes without
`retries` of their own, unless `meshConfig.defaultHttpRetryPolicy` replaces them.

Requests: `RetryStateImpl` in Envoy's `source/common/router/retry_state_impl.cc` joins the conditions of a
request with the route's, and `x-envoy-max-retries` replaces the route's number, down to 0. Where neither has
a number there is one retry. `tests/headers/test_mesh_defaults.py` shows this on a real Envoy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dubbo_mesh._contract.envoy_headers import TIMEOUT_HEADER

from .model import Handling

if TYPE_CHECKING:
    from ..policy.model import Duration
    from .model import Sent


class Route(NamedTuple):
    """The default behaviour of a mesh's routes.

    Attributes:
        key: the mesh's name in JSON.
        mesh: its name in text.
        timeout: the timeout of calls; None if there is none.
        obeys_deadline: whether `grpc-timeout` replaces that timeout.
        max_retries: the number of retries.
        retry_on: their conditions, by Envoy's names.
    """

    key: str
    mesh: str
    timeout: Duration | None
    obeys_deadline: bool
    max_retries: int
    retry_on: tuple[str, ...]


PLAIN_ENVOY = Route("envoy", "plain Envoy", 15.0, obeys_deadline=False, max_retries=0, retry_on=())
ISTIO = Route(
    "istio",
    "Istio",
    None,
    obeys_deadline=True,
    max_retries=2,
    retry_on=("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"),
)
ROUTES = (PLAIN_ENVOY, ISTIO)

_DEFAULT_RETRIES = 1
_STATUS_CODES = "retriable-status-codes"
_NOT_RUN = frozenset({"connect-failure", "refused-stream", "reset-before-request", "envoy-ratelimited"})
"""The conditions that mean that no handler has run."""


def by_default(route: Route, deadline: Duration | None) -> Handling:
    """How a call is handled that has no headers for Envoy, or whose headers are dropped.

    Args:
        route: the route.
        deadline: the deadline of the call.
    """
    return _handling(route, deadline, {})


def if_obeyed(route: Route, sent: Sent) -> Handling:
    """How a call is handled whose headers are obeyed."""
    return _handling(route, sent.deadline, dict(sent.headers))


def run_again(handling: Handling) -> tuple[str, ...]:
    """The conditions on which a handler that has already run may be run again."""
    slow = ("slow attempts",) if handling.hedges else ()
    return (*(condition for condition in handling.retry_on if condition not in _NOT_RUN), *slow)


def _handling(route: Route, deadline: Duration | None, headers: dict[str, str]) -> Handling:
    timeout, is_deadline = route.timeout, False
    if TIMEOUT_HEADER in headers:
        timeout = int(headers[TIMEOUT_HEADER]) / 1000 or None
    elif route.obeys_deadline and deadline:
        timeout, is_deadline = deadline, True
    per_try = headers.get("x-envoy-upstream-rq-per-try-timeout-ms")
    requested = [
        condition
        for header in ("x-envoy-retry-on", "x-envoy-retry-grpc-on")
        for condition in headers.get(header, "").split(",")
        if condition
    ]
    conditions = tuple(
        condition
        for condition in dict.fromkeys((*requested, *route.retry_on))
        # In a route alone it has no effect, since the routes here list no codes.
        if condition != _STATUS_CODES or condition in requested
    )
    retries = int(headers.get("x-envoy-max-retries", max(_DEFAULT_RETRIES, route.max_retries)))
    if not conditions:
        retries = 0
    return Handling(
        timeout,
        is_deadline,
        None if per_try is None else int(per_try) / 1000,
        hedges=bool(per_try and retries) and headers.get("x-envoy-hedge-on-per-try-timeout") == "true",
        max_retries=retries,
        retry_on=conditions if retries else (),
    )
