"""What Envoy retries, how often, and when.

The rules are those of `RetryStateImpl` in Envoy's `source/common/router/retry_state_impl.cc`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ...._contract.header_checks import RETRIES_SLOW_ATTEMPTS, RETRY_GRPC_ON, RETRY_ON
from ..request import Request
from ..routing.conditions import header_matches
from ..values import Json, has, mapping, number, objects, real, text
from .routes import RetryPolicy, split
from .timeouts import whole

_KNOWN = frozenset({*RETRY_ON, *RETRY_GRPC_ON})
"""What a route's `retry_on` may name."""

_HTTP_STATUS = frozenset({"5xx", "gateway-error", "retriable-4xx", "retriable-status-codes"})
_BEFORE_RUNNING = frozenset(
    {"connect-failure", "http3-post-connect-failure", "refused-stream", "reset-before-request"}
)

_MAX_RETRIES = "x-envoy-max-retries"
_HEADERS = ("x-envoy-retry-on", "x-envoy-retry-grpc-on", _MAX_RETRIES)

Origin = Literal["asked", "route", "cluster", "default"]


@dataclass(frozen=True, slots=True)
class Retries:
    """The retries of a request.

    Attributes:
        most: attempts after the first.
        origin: what sets `most`.
        asked_on: the conditions that the request asks for.
        route_on: those of the route, or of the cluster, which are added to these.
        owner: whether these are the route's or the cluster's.
        unknown: conditions that Envoy ignores: it does not know them, or not in that header.
        hedges: whether a slow attempt continues beside the next one.
        changed: names of headers that the request has, and that the route changes or removes.
        refused: whether the route retries other requests only (`retriable_request_headers`).
    """

    most: int
    origin: Origin
    asked_on: tuple[str, ...]
    route_on: tuple[str, ...]
    owner: Origin
    unknown: tuple[str, ...]
    hedges: bool
    changed: tuple[str, ...] = ()
    refused: bool = False

    @property
    def on(self) -> tuple[str, ...]:
        """All conditions."""
        return tuple(dict.fromkeys((*self.asked_on, *self.route_on)))

    @property
    def happen(self) -> bool:
        """Whether anything is ever retried."""
        return self.most > 0 and bool(self.on)

    def amounts_to(self, other: Retries | None) -> bool:
        """Whether the same is retried as often, whoever asks for it. None retries nothing."""
        if other is None or not other.happen or not self.happen:
            return self.happen == (other is not None and other.happen)
        return (self.most, set(self.on), self.hedges) == (other.most, set(other.on), other.hedges)

    @property
    def of_slow_attempts(self) -> bool:
        """Whether an attempt that exceeds its own timeout is followed by another one."""
        return self.happen and (self.hedges or not RETRIES_SLOW_ATTEMPTS.isdisjoint(self.on))

    @property
    def of_statuses(self) -> bool:
        """Whether a status that a handler returns can be retried."""
        return self.happen and not {*RETRY_GRPC_ON, "retriable-headers"}.isdisjoint(self.on)

    @property
    def of_http_statuses_only(self) -> bool:
        """Whether conditions look at the HTTP status, which is 200 whatever a handler returns."""
        return self.happen and not self.of_statuses and not _HTTP_STATUS.isdisjoint(self.on)

    @property
    def run_again(self) -> tuple[str, ...]:
        """The conditions under which a handler may run again that has run."""
        return tuple(each for each in self.on if each not in _BEFORE_RUNNING) if self.happen else ()


def retries(
    policy: RetryPolicy, owner: Origin, request: Request, changed: Request, *, hedges: bool
) -> Retries | None:
    """The retries of a request; None if nobody asks for any.

    Args:
        policy: of the route or the cluster.
        owner: whose policy it is.
        request: as the router sees it.
        changed: the same after what routes do to its headers: what these add counts as well.
        hedges: whether a slow attempt continues beside the next one.
    """
    headers = changed.headers
    named, unknown = _named(changed)
    asked, unknown_before = _named(request)
    most = whole(headers.get(_MAX_RETRIES))
    if not (named or unknown or policy.on or asked or unknown_before) and most is None:
        return None
    asked_on = tuple(each for each in named if each in asked)
    route_on = (
        *(each for each in policy.on if each in _KNOWN),
        *(each for each in named if each not in asked),
    )
    unknown = (*unknown, *(each for each in policy.on if each not in _KNOWN))
    refused = bool(policy.request_headers) and not _any_matches(policy.request_headers, changed)
    if refused:
        asked_on, route_on = (), ()
    return Retries(
        policy.retries if most is None else most,
        owner if most is None else _asker(request, changed),
        asked_on,
        route_on,
        "route" if owner == "default" else owner,
        unknown,
        hedges,
        tuple(
            name
            for name in _HEADERS
            if name in request.headers and request.headers[name] != headers.get(name)
        ),
        refused,
    )


def _named(request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The conditions that a request names, and those that Envoy does not know in that header."""
    pairs = [
        (each, each in known)
        for name, known in (("x-envoy-retry-on", RETRY_ON), ("x-envoy-retry-grpc-on", RETRY_GRPC_ON))
        for each in split(request.headers.get(name, ""))
    ]
    return tuple(each for each, known in pairs if known), tuple(each for each, known in pairs if not known)


def _asker(request: Request, changed: Request) -> Origin:
    """Who has set the number of retries."""
    return "asked" if request.headers.get(_MAX_RETRIES) == changed.headers.get(_MAX_RETRIES) else "route"


def _any_matches(matchers: Iterable[Json], request: Request) -> bool:
    return any(header_matches(each, request) is not False for each in matchers)


@dataclass(frozen=True, slots=True)
class RetryLimit:
    """How many retries a cluster allows to be under way at the same time.

    Attributes:
        most: their number; with a budget, what is allowed however little else is under way.
        percent: of the requests under way that may be retries; None without a budget.
    """

    most: int
    percent: float | None = None

    @property
    def forbids(self) -> bool:
        """Whether nothing is ever retried."""
        return self.most == 0 and not self.percent


def retry_limit(cluster: Json, priority: str) -> RetryLimit:
    """What the circuit breaker of a `Cluster` message says for a priority. Envoy's defaults: 3, or 20 %."""
    for each in objects(cluster, "circuit_breakers", "thresholds"):
        if (text(each, "priority") or "DEFAULT") != priority:
            continue
        if has(each, "retry_budget"):
            least = number(each, "retry_budget", "min_retry_concurrency")
            return RetryLimit(3 if least is None else least, _percent(each))
        most = number(each, "max_retries")
        return RetryLimit(3 if most is None else most)
    return RetryLimit(3)


def _percent(threshold: Json) -> float:
    budget = mapping(threshold, "retry_budget")
    if not has(budget, "budget_percent"):
        return 20.0
    return real(budget, "budget_percent", "value") or 0.0
