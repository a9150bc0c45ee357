"""The entries of a VirtualService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.durations import kubernetes
from ..mesh.routing import ACTIONS, in_istio, routes
from .model import Entry, Noted, Retries

if TYPE_CHECKING:
    from ..mesh.model import App
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
    action_of = ACTIONS["headers" if by_headers else "routes"]
    found = routes(
        app.name, app.services, app.subset_of, lambda rpc, subset: in_istio(action_of(rpc, subset))
    )
    return tuple([_entry(route, alone=len(found) == 1, by_headers=by_headers) for route in found])


def _entry(route: Route, *, alone: bool, by_headers: bool) -> Entry:
    matches = tuple([("prefix" if match.is_prefix else "exact", match.path) for match in route.matches])
    return Entry(
        name=route.name,
        comments=tuple(_comments(route, alone=alone)),
        matches=matches,
        subset=route.action.subset,
        timeout=_timeout(route),
        retries=_retries(route, by_headers=by_headers),
    )


def _comments(route: Route, *, alone: bool) -> list[str]:
    comments = [] if route.matches else ["All calls." if alone else "All other calls."]
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
