"""Rpcs that grpc's own xDS client calls: what it does with them, by the control plane's routes.

It obeys less of a route than Envoy does, and no header: the longest duration (gRFC A31), and retries on five
statuses, which count up to five attempts (gRFC A44).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..._contract.header_checks import RETRY_GRPC_ON
from ..addressing.dialling import Dialled
from ..envoy.entering.listeners import Manager
from ..envoy.forwarding.retries import Retries
from ..envoy.forwarding.router import Effect
from ..envoy.forwarding.routes import Route
from ..envoy.forwarding.timeouts import Timeout
from ..envoy.routing.matching import routes_of
from ..envoy.routing.virtual_hosts import virtual_host_of
from ..envoy.unknown import Unknown
from ..envoy.values import Json, has, mapping, text
from ..finding import Finding, problem
from ..wording import duration, times
from .asked import Asked
from .sentence import deadline_said, retries_said, time_limit

_MOST_RETRIES = 4
"""After the first attempt. grpc makes five attempts at most (`maxAttempts` of gRFC A6)."""


def check_proxyless(dialled: Dialled, call: Asked) -> Iterator[Finding]:
    """What happens to an rpc, by the routes that the control plane has sent."""
    manager = dialled.control_plane
    routes = None if manager is None else manager.routes
    host = None if routes is None else virtual_host_of(routes, dialled.authority)
    if manager is None or host is None or isinstance(host, Unknown):
        yield from _unknown(call)
        return
    taken = [each.message for each in routes_of(host, call.request) if has(each.message, "route")]
    for message in taken:
        route = Route.of(message, host)
        effect = _effect(manager, route, call, _retries(route, message, host))
        more = "" if len(taken) == 1 else f"by route {route.name or 'without a name'}: "
        limit = time_limit(call, effect)
        said = f"{call.name}: {more}{limit}, {retries_said(None, effect.retries)}"
        yield Finding("rpc", "ok", said, subject=call.name)
        yield from _check(call, route, effect)
    if not taken:
        yield problem("DM138", f"{call.name}: no route leads it to a provider", subject=call.name)


def _effect(manager: Manager, route: Route, call: Asked, retries: Retries | None) -> Effect:
    none, longest = Timeout(0.0, "route"), _longest(manager, route)
    if call.deadline is not None and longest.seconds >= call.deadline:
        longest = Timeout(call.deadline, "deadline")
    return Effect(none, none, none, none, none, none, longest, none, none, retries, hedges=False)


def _longest(manager: Manager, route: Route) -> Timeout:
    """How long calls may last: unlike Envoy, grpc limits calls without a deadline in the same way."""
    for given in (route.grpc_timeout_header_max, route.max_stream_duration):
        if given is not None:
            return Timeout(given, "route")
    return Timeout(manager.max_stream_duration, "listener")


def _retries(route: Route, message: Json, host: Json) -> Retries | None:
    policy = route.retry
    written = mapping(message, "route") if has(message, "route", "retry_policy") else host
    conditions = text(written, "retry_policy", "retry_on").split(",")  # unlike Envoy, grpc knows no spaces
    on = tuple(each for each in conditions if each in RETRY_GRPC_ON)
    if policy is None or not on:
        return None
    return Retries(min(policy.retries, _MOST_RETRIES), "route", (), on, "route", (), hedges=False)


def _check(call: Asked, route: Route, effect: Effect) -> Iterator[Finding]:
    longest = effect.duration
    where = f"route {route.name or 'without a name'}"
    if longest.seconds and longest.origin != "deadline":
        early = call.deadline is not None and longest.seconds < call.deadline
        if early or (call.streaming and call.deadline is None):
            seen = f"{call.name}: ended after {duration(longest.seconds)}: max_stream_duration of {where}"
            yield problem("DM314", seen, subject=call.name)
    yield from headers_ignored(call, effect.retries, "grpc ignores x-envoy-… headers")


def headers_ignored(call: Asked, got: Retries | None, why: str, id: str = "DM337") -> Iterator[Finding]:
    """Reports retries that the stub asks for, and that calls do not get.

    Args:
        call: the rpc.
        got: what it gets.
        why: the reason.
        id: of the problem.
    """
    wanted = call.wanted
    if wanted is None or not wanted.happen:
        return
    statuses = {each for each in wanted.on if each in RETRY_GRPC_ON}
    if got is not None and statuses and statuses <= set(got.on) and got.most >= wanted.most:
        return
    seen = f"{call.name}: asked for {times(wanted.most)} on {', '.join(wanted.on)}, but {why}"
    yield problem(id, seen, subject=call.name)


def _unknown(call: Asked) -> Iterator[Finding]:
    limit = f"{deadline_said(call)}, or less if the control plane says so"
    seen = f"{call.name}: {limit}; retries are the control plane's"
    yield Finding("rpc", "ok", seen, subject=call.name)
    yield from headers_ignored(call, None, "grpc ignores x-envoy-… headers")
