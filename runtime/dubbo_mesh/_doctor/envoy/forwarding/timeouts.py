"""Envoy's limits of time for a request.

The rules are those of Envoy's `FilterUtility::finalTimeout` (`source/common/router/router.cc`), of
`ConnectionManagerImpl::ActiveStream::refreshDurationTimeout` (`source/common/http/conn_manager_impl.cc`) and
of `UpstreamRequest::onPoolReady` (`source/common/router/upstream_request.cc`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..entering.listeners import Manager
from ..values import Json, mapping, seconds
from .routes import Route

Origin = Literal["asked", "deadline", "route", "listener", "cluster", "default"]
"""The request's headers; its `grpc-timeout`; the route or its virtual host; the connection manager; the
cluster; or Envoy's own default."""

DEFAULT_TIMEOUT = 15.0
"""Seconds: Envoy's default for `timeout` of `RouteAction`."""

DEFAULT_IDLE_TIMEOUT = 300.0
"""Seconds: Envoy's default for `stream_idle_timeout` of `HttpConnectionManager`."""

LEAST = 0.001
"""Seconds: stands for a limit that ends requests at once, since 0 is none."""

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_GRPC_TIMEOUT = re.compile("([0-9]{1,8})([HMSmun])")


@dataclass(frozen=True, slots=True)
class Timeout:
    """A limit of time.

    Attributes:
        seconds: 0 means none.
        origin: what sets it.
    """

    seconds: float
    origin: Origin


def timeout(route: Route, headers: Mapping[str, str], *, respects_expected: bool = False) -> Timeout:
    """The timeout of a request, retries included, which starts when its last byte has arrived.

    Args:
        route: the route that it takes.
        headers: its headers as the router sees them.
        respects_expected: whether the router puts `x-envoy-expected-rq-timeout-ms` first.
    """
    asked = headers.get("x-envoy-upstream-rq-timeout-ms")
    if respects_expected:
        asked = headers.get("x-envoy-expected-rq-timeout-ms", asked)
    milliseconds = whole(asked)
    return timeout_of_route(route, headers) if milliseconds is None else Timeout(milliseconds / 1000, "asked")


def timeout_of_route(route: Route, headers: Mapping[str, str]) -> Timeout:
    """The timeout of a request that asks for none."""
    if route.has_max_stream_duration:
        return Timeout(0.0, "route")
    if route.max_grpc_timeout is None:
        given = route.timeout
        return Timeout(DEFAULT_TIMEOUT, "default") if given is None else Timeout(given, "route")
    asked = grpc_timeout(headers) or 0.0
    if route.grpc_timeout_offset < asked:
        asked -= route.grpc_timeout_offset
    if route.max_grpc_timeout and (not asked or asked > route.max_grpc_timeout):
        return Timeout(route.max_grpc_timeout, "route")
    return Timeout(asked, "deadline" if asked else "route")


def duration(manager: Manager, route: Route, headers: Mapping[str, str]) -> Timeout:
    """How long a request may last in all, from its beginning."""
    asked = grpc_timeout(headers)
    limit = route.grpc_timeout_header_max
    if asked is not None and limit is not None:
        found = Timeout(limit, "route") if limit and asked > limit else Timeout(asked, "deadline")
        left = max(found.seconds - route.grpc_timeout_header_offset, LEAST)
        return Timeout(left, found.origin)
    if route.max_stream_duration is not None:
        return Timeout(route.max_stream_duration, "route")
    return Timeout(manager.max_stream_duration, "listener")


def attempt_duration(headers: Mapping[str, str], cluster: Json | None, options: Json) -> Timeout:
    """How long an attempt may last in all.

    Args:
        headers: of the request, as the router sees them.
        cluster: the `Cluster` message; None if it is not known.
        options: the cluster's `HttpProtocolOptions` of HTTP connections.
    """
    asked = whole(headers.get("x-envoy-upstream-stream-duration-ms"))
    if asked is not None:
        return Timeout(asked / 1000, "asked")
    given = seconds(options, "common_http_protocol_options", "max_stream_duration")
    if given is None and not options:  # where it stood before Envoy 1.15
        given = seconds(mapping(cluster, "common_http_protocol_options"), "max_stream_duration")
    return Timeout(given or 0.0, "cluster")


def idle(manager: Manager, route: Route) -> Timeout:
    """How long a stream may be silent. The route's flush timeout is about peers that do not read."""
    if route.idle_timeout is not None:
        return Timeout(route.idle_timeout, "route")
    given = seconds(manager.message, "stream_idle_timeout")
    return Timeout(DEFAULT_IDLE_TIMEOUT, "default") if given is None else Timeout(given, "listener")


def request_timeout(manager: Manager) -> Timeout:
    """How long a request may take to arrive."""
    return Timeout(seconds(manager.message, "request_timeout") or 0.0, "listener")


def grpc_timeout(headers: Mapping[str, str]) -> float | None:
    """The seconds in a request's `grpc-timeout`; None if it has none, or a malformed one."""
    match = _GRPC_TIMEOUT.fullmatch(headers.get("grpc-timeout", ""))
    return int(match[1]) * _UNITS[match[2]] if match else None


def whole(value: str | None) -> int | None:
    """The number in a header, as Envoy reads it; None if there is none."""
    value = "" if value is None else value.strip()
    return int(value) if re.fullmatch(r"\+?[0-9]{1,18}", value) else None
