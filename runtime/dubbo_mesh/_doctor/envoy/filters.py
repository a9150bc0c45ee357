"""The filters that requests pass before the router, with what routes say about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .listeners import Manager
from .routes import Route
from .values import Json, flag, has, mapping, number, objects, seconds, text

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
        name, message, where = text(each, "name"), mapping(each, "typed_config"), "listener"
        disabled = flag(each, "disabled") or False
        kind = _kind(message)
        for label, owner in owners:
            if not has(owner, "typed_per_filter_config", name):
                continue
            message, where, disabled = mapping(owner, "typed_per_filter_config", name), label, False
            if text(message, "@type").endswith(_WRAPPER):
                disabled = flag(message, "disabled") or False
                message = mapping(message, "config")
            break
        if not disabled:
            yield Filter(name, kind, message, where)
        for cluster in objects(route.message, "route", "weighted_clusters", "clusters"):
            own = mapping(cluster, "typed_per_filter_config", name)
            if own and not text(own, "@type").endswith(_WRAPPER):
                yield Filter(name, kind, own, f"weighted cluster {text(cluster, 'name')}")


def _kind(message: Json) -> str:
    """Of a `TypedStruct`, as control planes send unknown messages, what it is in truth."""
    return (text(message, "type_url") or text(message, "@type")).rpartition(".")[2]


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
    delayed = _percentage(mapping(message, "delay", "percentage"))
    status = number(message, "abort", "grpc_status")
    code = number(message, "abort", "http_status")
    abort = f"grpc-status {status}" if status is not None else "" if code is None else f"HTTP status {code}"
    aborted = _percentage(mapping(message, "abort", "percentage"))
    if (not delay or not delayed) and (not abort or not aborted):
        return None
    return Fault(delay if delayed else 0.0, delayed, abort if aborted else "", aborted)


def _percentage(message: Json) -> float:
    whole = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
    return (number(message, "numerator") or 0) * 100 / whole.get(text(message, "denominator"), 100)
