"""What Envoy's router makes of a request: its timeouts and retries, from the route and the request's headers.

The rules are those of Envoy's `FilterUtility::finalTimeout` and `RetryStateImpl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .listeners import Manager
from .routes import Route

Origin = Literal["asked", "route", "deadline", "default"]
"""The request's headers; the route; the request's `grpc-timeout`; or Envoy's own default."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """A limit of time.

    Attributes:
        seconds: 0 means none.
        origin: what sets it.
    """

    seconds: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Retries:
    """The retries of a request.

    Attributes:
        most: attempts after the first.
        asked_on: the conditions that the request asks for.
        route_on: the conditions of the route, which are added to these.
        origin: what sets `most`.
    """

    most: int
    asked_on: tuple[str, ...]
    route_on: tuple[str, ...]
    origin: Origin

    @property
    def on(self) -> tuple[str, ...]:
        """All conditions."""
        return tuple(dict.fromkeys((*self.asked_on, *self.route_on)))


@dataclass(frozen=True, slots=True)
class Effect:
    """What the router does with a request.

    Attributes:
        timeout: of the request, retries included, from when its last byte has been sent.
        per_try_timeout: of each attempt.
        idle: how long a stream may be silent.
        duration: how long a stream may last in all, from its beginning.
        retries: None if there are none.
    """

    timeout: Timeout
    per_try_timeout: Timeout
    idle: Timeout
    duration: Timeout
    retries: Retries | None


def effect(manager: Manager, route: Route, headers: Mapping[str, str]) -> Effect:
    """What the router does with a request.

    Args:
        manager: the connection manager that the request came by.
        route: the route that it takes.
        headers: its headers as the router sees them: without the router's own, if the request is external.
    """
    timeout = Timeout(route.timeout, "route")
    asked = headers.get("x-envoy-upstream-rq-timeout-ms", "")
    if asked.isdigit():
        timeout = Timeout(int(asked) / 1000, "asked")
    idle = manager.stream_idle_timeout if route.idle_timeout is None else route.idle_timeout
    return Effect(
        timeout=timeout,
        per_try_timeout=Timeout(0, "default"),
        idle=Timeout(idle, "route"),
        duration=Timeout(manager.max_stream_duration, "route"),
        retries=_retries(route, headers),
    )


def _retries(route: Route, headers: Mapping[str, str]) -> Retries | None:
    asked = tuple(
        condition.strip()
        for name in ("x-envoy-retry-on", "x-envoy-retry-grpc-on")
        for condition in headers.get(name, "").split(",")
        if condition.strip()
    )
    on = route.retry.on if route.retry is not None else ()
    if not asked and not on:
        return None
    most = headers.get("x-envoy-max-retries", "")
    if most.isdigit():
        return Retries(int(most), asked, on, "asked") if int(most) else None
    retries = route.retry.retries if route.retry is not None else 1
    return Retries(retries, asked, on, "route") if retries else None
