"""What Envoy makes of a request: its timeouts and retries, from configuration and the request's headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..entering.listeners import Manager
from ..request import Request
from ..values import Json, flag, has, mapping, objects, text
from .clusters import http_options
from .mutations import mutated
from .retries import Retries, retries
from .routes import NO_RETRIES, RetryPolicy, Route
from .timeouts import (
    Timeout,
    attempt_duration,
    duration,
    idle,
    request_timeout,
    timeout,
    timeout_of_route,
    whole,
)


@dataclass(frozen=True, slots=True)
class Effect:
    """What Envoy does with a request. A limit of 0 s is none.

    Attributes:
        timeout: of the request, retries included, from when its last byte has arrived.
        route_timeout: what that would be if the request did not ask for one.
        per_try_timeout: of each attempt, from when the last byte of the request has arrived until the first
            of the response; 0 as well if it is not below `timeout`.
        ignored_per_try_timeout: what that is then set to; 0 if it is not ignored.
        per_try_idle_timeout: how long an attempt may be silent.
        attempt_duration: how long an attempt may last in all.
        duration: how long the request may last in all, from its beginning.
        idle: how long a stream may be silent.
        request_timeout: until the last byte of the request has arrived.
        retries: what would be retried; None if nothing is.
        hedges: whether an attempt that exceeds `per_try_timeout` goes on, beside the next one if any.
    """

    timeout: Timeout
    route_timeout: Timeout
    per_try_timeout: Timeout
    ignored_per_try_timeout: Timeout
    per_try_idle_timeout: Timeout
    attempt_duration: Timeout
    duration: Timeout
    idle: Timeout
    request_timeout: Timeout
    retries: Retries | None
    hedges: bool


def effect(manager: Manager, route: Route, request: Request, cluster: Json | None = None) -> Effect:
    """What Envoy does with a request.

    Args:
        manager: the connection manager that the request came by.
        route: the route that it takes.
        request: with its headers as the router sees them: without the router's own, if it is external.
        cluster: the `Cluster` message; None if it is not known.
    """
    options = http_options(cluster)
    policy, owner = _policy(route, options)
    own = route.retry or NO_RETRIES  # a cluster's policy replaces it, but for timeouts of attempts
    respects = flag(_router(manager), "respect_expected_rq_timeout") or False
    limit = timeout(route, request.headers, respects_expected=respects)
    asked = whole(request.headers.get("x-envoy-upstream-rq-per-try-timeout-ms"))
    per_try = Timeout(own.per_try_timeout, "route") if asked is None else Timeout(asked / 1000, "asked")
    ignored = Timeout(0.0, "default")
    if limit.seconds and per_try.seconds >= limit.seconds:
        per_try, ignored = ignored, per_try
    hedges = _hedges(route, request)
    return Effect(
        timeout=limit,
        route_timeout=timeout_of_route(route, request.headers),
        per_try_timeout=per_try,
        ignored_per_try_timeout=ignored,
        per_try_idle_timeout=Timeout(own.per_try_idle_timeout, "route"),
        attempt_duration=attempt_duration(request.headers, cluster, options),
        duration=duration(manager, route, request.headers),
        idle=idle(manager, route),
        request_timeout=request_timeout(manager),
        retries=retries(policy, owner, request, _changed(route, request), hedges=hedges),
        hedges=hedges,
    )


def _policy(route: Route, options: Json) -> tuple[RetryPolicy, Literal["cluster", "route", "default"]]:
    """The retry policy that counts, and where it stands. A cluster's replaces the route's entirely."""
    if has(options, "retry_policy"):
        return RetryPolicy.of(mapping(options, "retry_policy")), "cluster"
    return (NO_RETRIES, "default") if route.retry is None else (route.retry, "route")


def _hedges(route: Route, request: Request) -> bool:
    asked = {"true": True, "false": False}.get(request.headers.get("x-envoy-hedge-on-per-try-timeout", ""))
    return route.hedges if asked is None else asked


def _changed(route: Route, request: Request) -> Request:
    return replace(request, headers=mutated(request.headers, route.mutations))


def _router(manager: Manager) -> Json:
    """The configuration of the router, the last filter."""
    for each in objects(manager.message, "http_filters"):
        if text(each, "typed_config", "@type").endswith(".router.v3.Router"):
            return mapping(each, "typed_config")
    return {}
