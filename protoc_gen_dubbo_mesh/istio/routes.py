"""The entries of a VirtualService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.durations import kubernetes
from ..mesh.routing import ACTIONS, in_istio, routes
from ..yaml.noted import Noted
from .model import Entry, Retries

if TYPE_CHECKING:
    from ..mesh.model import App, Port
    from ..mesh.routing import Route

_CONDITIONS = ("retry.on", "retry.grpc_on", "retry.status_codes")
_ISTIO_ADDS = "retriable-status-codes"
"""The condition that Istio adds to status codes (`ConvertPolicy` in its `retry.go`)."""


def entries(app: App, *, by_headers: bool) -> tuple[Entry, ...]:
    """The entries that route calls to an application: the first that matches is in force.

    Args:
        app: the application.
        by_headers: whether stubs ask for timeouts and retries, and not routes.
    """
    if len(app.ports) == 1:
        return tuple(_entries(app, app.ports[0], "calls", by_headers=by_headers))
    found: list[Entry] = []
    for port in app.ports:
        for entry in _entries(app, port, f"calls to port {port.number}", by_headers=by_headers):
            name = entry.name if entry.matches else f"{app.name}:{port.number}"
            # A destination without a port is that of the call, but Istio's analysis demands one of Services
            # with several (IST0112).
            found.append(entry._replace(port=port.number, name=name))
    return tuple(found)


def _entries(app: App, port: Port, calls: str, *, by_headers: bool) -> list[Entry]:
    """The entries for the calls to a port, which comments name `calls`."""
    action_of = ACTIONS["headers" if by_headers else "routes"]
    subsets = app.subset_of
    found = routes(
        app.name,
        port.services,
        {service.name: subsets[service.name] for service in port.services},
        lambda rpc, subset: in_istio(action_of(rpc, subset)),
    )
    rest = f"All {calls}." if len(found) == 1 else f"All other {calls}."
    return [_entry(route, rest, by_headers=by_headers) for route in found]


def _entry(route: Route, rest: str, *, by_headers: bool) -> Entry:
    matches = tuple([("prefix" if match.is_prefix else "exact", match.path) for match in route.matches])
    return Entry(
        name=route.name,
        comments=tuple(_comments(route, rest)),
        matches=matches,
        port=None,
        subset=route.action.subset,
        timeout=_timeout(route),
        retries=_retries(route, by_headers=by_headers),
    )


def _comments(route: Route, rest: str) -> list[str]:
    comments = [] if route.matches else [rest]
    if route.action.retries is None:
        comments.append(
            "These rpcs may be run twice (idempotency_level), so Istio's own retries stay: 2 by default."
        )
    return comments


def _timeout(route: Route) -> Noted | None:
    action = route.action
    if _is_one_attempt(route) and action.per_try_timeout is not None:
        # Istio refuses perTryTimeout beside attempts 0, where it would be the timeout of the whole call.
        return Noted(
            kubernetes(action.per_try_timeout), f"per_try_timeout of {route.origin('per_try_timeout')}"
        )
    if action.timeout is None:
        return None
    return Noted(kubernetes(action.timeout), route.origin("timeout"))


def _retries(route: Route, *, by_headers: bool) -> Retries | None:
    action = route.action
    if action.retries is None:
        return None
    number, on, codes, _ = action.retries
    if not number:
        why = "unless a call asks for more" if by_headers else ""
        asked = "" if by_headers else route.origin("retry.attempts")
        note = f"1 attempt: {asked}" if asked not in {"", "default"} else "instead of Istio's own 2 retries"
        return Retries(Noted(0, f"{note}, {why}" if why else note))
    conditions = [condition for condition in on if not (codes and condition == _ISTIO_ADDS)]
    per_try = action.per_try_timeout
    return Retries(
        attempts=Noted(number, f"after the first attempt: {route.origin('retry.attempts')}"),
        per_try_timeout=None
        if per_try is None
        else Noted(kubernetes(per_try), route.origin("per_try_timeout")),
        on=Noted(",".join([*conditions, *map(str, codes)]), route.origin(*_CONDITIONS)),
    )


def _is_one_attempt(route: Route) -> bool:
    retries = route.action.retries
    return retries is not None and not retries.number
