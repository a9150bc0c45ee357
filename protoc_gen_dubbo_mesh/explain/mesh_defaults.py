"""What Envoy does with a call: in a plain Envoy, in Istio, by the routes that are emitted, and with headers.

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
    from ..mesh.routing import Action
    from ..policy.model import Duration
    from .model import Sent


class Route(NamedTuple):
    """What a route does with a call.

    Attributes:
        key: the mesh's name in JSON.
        mesh: its name in text.
        timeout: the timeout of calls; None if there is none.
        obeys_deadline: whether a shorter `grpc-timeout` replaces that timeout.
        max_retries: the number of retries.
        retry_on: their conditions, by Envoy's names.
        lists_codes: whether it says which status codes are retried.
        per_try_timeout: the timeout of each attempt; None if there is none.
        hedges: whether a slow attempt continues beside the next one.
    """

    key: str
    mesh: str
    timeout: Duration | None
    obeys_deadline: bool
    max_retries: int
    retry_on: tuple[str, ...]
    lists_codes: bool = False
    per_try_timeout: Duration | None = None
    hedges: bool = False


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
"""Routes that configure neither timeouts nor retries."""

EMITTED = "emitted"

_DEFAULT_RETRIES = 1
_STATUS_CODES = "retriable-status-codes"
_NOT_RUN = frozenset({"connect-failure", "refused-stream", "reset-before-request", "envoy-ratelimited"})
"""The conditions that mean that no handler has run."""


def emitted(action: Action) -> Route:
    """The route that is written for an rpc.

    Args:
        action: what is to be done with calls of that rpc.
    """
    retries = action.retries
    if retries is None:
        number, conditions = ISTIO.max_retries, ISTIO.retry_on
    else:
        codes = (_STATUS_CODES,) if retries.status_codes and _STATUS_CODES not in retries.on else ()
        number, conditions = retries.number, (*retries.on, *codes)
    return Route(
        key=EMITTED,
        mesh="the emitted routes",
        timeout=action.timeout,
        obeys_deadline=True,
        max_retries=number,
        retry_on=conditions,
        lists_codes=retries is not None,
        per_try_timeout=action.per_try_timeout,
        hedges=action.hedges,
    )


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
    elif route.obeys_deadline and deadline and (timeout is None or deadline < timeout):
        timeout, is_deadline = deadline, True
    header = headers.get("x-envoy-upstream-rq-per-try-timeout-ms")
    per_try = route.per_try_timeout if header is None else int(header) / 1000
    hedges = route.hedges or headers.get("x-envoy-hedge-on-per-try-timeout") == "true"
    requested = [
        condition
        for header in ("x-envoy-retry-on", "x-envoy-retry-grpc-on")
        for condition in headers.get(header, "").split(",")
        if condition
    ]
    conditions = tuple(
        condition
        for condition in dict.fromkeys((*requested, *route.retry_on))
        # In a route alone it has no effect if the route lists no codes.
        if condition != _STATUS_CODES or condition in requested or route.lists_codes
    )
    retries = int(headers.get("x-envoy-max-retries", max(_DEFAULT_RETRIES, route.max_retries)))
    if not conditions:
        retries = 0
    return Handling(
        timeout,
        is_deadline,
        per_try,
        hedges=bool(per_try and retries) and hedges,
        max_retries=retries,
        retry_on=conditions if retries else (),
    )
