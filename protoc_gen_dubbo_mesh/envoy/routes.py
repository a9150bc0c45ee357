"""The routes of a port: those of `mesh.routing`, each with one path or prefix, as Envoy wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh import routing
from ..mesh.durations import protobuf
from .model import RetryPolicy, Route

if TYPE_CHECKING:
    from ..mesh.model import Port

_NO_TIMEOUT = "0s"


def routes_of(app: str, port: Port, enforced_by: str) -> tuple[Route, ...]:
    """The routes for calls to a port of an application.

    Args:
        app: its name.
        port: the port.
        enforced_by: who enforces timeouts and retries: `headers` or `routes`.
    """
    if enforced_by == "headers":
        return (Route(app, "prefix", "/", _NO_TIMEOUT, "the caller's headers set one"),)
    # Instances on one machine are not told apart by their labels, so there are no subsets.
    subsets = dict.fromkeys((service.name for service in port.services), None)
    return tuple(
        envoys
        for route in routing.routes(app, port.services, subsets, routing.ACTIONS[enforced_by])
        for envoys in _expanded(route)
    )


def _expanded(route: routing.Route) -> list[Route]:
    action = route.action
    timeout_note = "none; Envoy's own default is 15s" if action.timeout is None else route.origin("timeout")
    common = Route(
        name=route.name,
        match="prefix",
        path="/",
        timeout=_NO_TIMEOUT if action.timeout is None else protobuf(action.timeout),
        timeout_note=timeout_note,
        retry=_retry(route),
        hedges=action.hedges,
        hedges_note=route.origin("hedge_on_per_try_timeout") if action.hedges else "",
        stream_duration="" if action.stream_duration is None else protobuf(action.stream_duration),
        stream_duration_note="" if action.stream_duration is None else route.origin("stream_duration"),
    )
    if not route.matches:
        return [common]
    return [
        common._replace(
            name=match.path.strip("/"), match="prefix" if match.is_prefix else "path", path=match.path
        )
        for match in route.matches
    ]


def _retry(route: routing.Route) -> RetryPolicy | None:
    action = route.action
    retries = action.retries or routing.NO_RETRIES
    has_timeout = action.per_try_timeout is not None
    if not retries.number and not has_timeout:
        return None
    return RetryPolicy(
        on=",".join(retries.on),
        number=retries.number,
        per_try_timeout="" if action.per_try_timeout is None else protobuf(action.per_try_timeout),
        status_codes=retries.status_codes,
        header_names=retries.header_names,
        note=route.origin("retry"),
        per_try_timeout_note=route.origin("per_try_timeout") if has_timeout else "",
    )
