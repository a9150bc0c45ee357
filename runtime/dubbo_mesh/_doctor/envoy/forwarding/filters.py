"""The filters that requests pass before the router, with what routes say about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..entering.listeners import Manager
from ..values import Json, flag, has, mapping, number, objects, percentage, seconds, text
from .routes import Route

_WRAPPER = ".route.v3.FilterConfig"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that requests of a route pass.

    Attributes:
        name: its name in the connection manager.
        kind: the name of its message, such as `HTTPFault`.
        message: its configuration: that of the route, virtual host or route configuration if there is one.
        where: what has that configuration: `route`, `virtual host`, `route configuration`, `listener` or a
            weighted cluster of the route's, to which a part of the requests goes.
    """

    name: str
    kind: str
    message: Json
    where: str


def filters_of(manager: Manager, route: Route) -> Iterator[Filter]:
    """The filters that are not disabled, with the most specific configuration of each."""
    owners = (
        ("route", route.message),
        ("virtual host", route.virtual_host),
        ("route configuration", manager.routes),
    )
    for each in objects(manager.message, "http_filters"):
        name, where = text(each, "name"), "listener"
        kind, message = _unpacked(mapping(each, "typed_config"))
        disabled = flag(each, "disabled") or False
        for label, owner in owners:
            if has(owner, "typed_per_filter_config", name):
                own, where = mapping(owner, "typed_per_filter_config", name), label
                disabled = text(own, "@type").endswith(_WRAPPER) and (flag(own, "disabled") or False)
                if not disabled:
                    kind, message = _unpacked(own)
                break
        if not disabled:
            yield Filter(name, kind, message, where)
        for cluster in objects(route.message, "route", "weighted_clusters", "clusters"):
            if has(cluster, "typed_per_filter_config", name):
                own_kind, own = _unpacked(mapping(cluster, "typed_per_filter_config", name))
                yield Filter(name, own_kind, own, f"weighted cluster {text(cluster, 'name')}")


def _unpacked(message: Json) -> tuple[str, Json]:
    """The name of a message, and the message, without what it may be wrapped in."""
    if text(message, "@type").endswith(_WRAPPER):
        message = mapping(message, "config")
    kind = text(message, "@type")
    if kind.endswith(".TypedStruct"):
        kind, message = text(message, "type_url"), mapping(message, "value")
    return kind.rpartition(".")[2], message


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault filter does to requests.

    Attributes:
        delay: seconds; 0 means none.
        delayed: percentage of the requests.
        abort: the status that requests get; empty if none is aborted.
        aborted: percentage of the requests.
    """

    delay: float
    delayed: float
    abort: str
    aborted: float


def fault_of(message: Json) -> Fault | None:
    """What an `HTTPFault` does; None if it does nothing. Runtime settings may change its percentages."""
    delay = seconds(message, "delay", "fixed_delay") or 0.0
    delayed = percentage(message, "delay", "percentage") or 0.0
    status = number(message, "abort", "grpc_status")
    code = number(message, "abort", "http_status")
    abort = f"grpc-status {status}" if status is not None else "" if code is None else f"HTTP status {code}"
    aborted = percentage(message, "abort", "percentage") or 0.0
    if (not delay or not delayed) and (not abort or not aborted):
        return None
    return Fault(delay if delayed else 0.0, delayed, abort if aborted else "", aborted)


_ANSWERING = frozenset(
    ("ExtAuthz", "JwtAuthentication", "BasicAuth", "ApiKeyAuth", "OAuth2", "RateLimit", "AdmissionControl")
)
"""Kinds of filters that ask others, or a caller's credentials, whether a request may pass."""


def may_refuse(filter: Filter) -> bool:
    """Whether requests may end at a filter, for reasons that its configuration does not tell."""
    if filter.kind in ("RBAC", "RBACPerRoute"):  # with shadow rules alone, it only counts
        rules = mapping(filter.message, "rbac") if filter.kind == "RBACPerRoute" else filter.message
        return has(rules, "rules") or has(rules, "matcher")
    return filter.kind in _ANSWERING


def is_limiting(message: Json) -> bool:
    """Whether a `LocalRateLimit` refuses requests: unless it is enabled and enforced, it only counts them."""
    shares = (percentage(message, name, "default_value") for name in ("filter_enabled", "filter_enforced"))
    return has(message, "token_bucket") and all(shares)
