"""What is configured and routes of the Gateway API cannot say, as warnings.

Routes of its standard channel have no retries, and HTTPRoute's timeout of an attempt (`backendRequest`) is of
no use without them: Istio takes it for the timeout of the whole call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh import wording
from ..mesh.routing import ACTIONS, NO_RETRIES
from ..policy.model import RETRY_FIELDS
from . import limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..mesh.model import App, Mesh
    from ..mesh.routing import Action
    from ..policy.model import RpcPolicy
    from .model import GatewayRoute

_INEXPRESSIBLE: Mapping[str, str] = {
    "retry": "cannot retry: use {istio}",
    "per_try_timeout": "cannot limit attempts: use {istio}",
    "hedge_on_per_try_timeout": "cannot hedge",
    "stream_duration": "cannot limit how long a stream lasts",
    "timeout_alt_response": "have one response to timeouts only",
    "upstream_alt_stat_name": "cannot name statistics",
}
"""What is said of fields of the call policy; `{istio}` is the file that has it, or how to get it."""

_NOT_ASKED_FOR = {"default", "idempotency_level"}


def of_app(app: App, enforced_by: str, *, with_istio: bool) -> list[str]:
    """What routes cannot say of an application: a line for each kind, however many rpcs it concerns.

    Args:
        app: the application.
        enforced_by: who enforces timeouts and retries: `headers` or `routes`.
        with_istio: whether files for Istio are written too.
    """
    action_of = ACTIONS[enforced_by]
    actions = [(rpc, action_of(rpc, None)) for service in app.services for rpc in service.rpcs]
    istio = f"istio/{app.stem}.yaml instead" if with_istio else "emit=istio"
    lines: list[str] = []
    unsafe = [rpc for rpc, action in actions if action.retries == NO_RETRIES]
    if unsafe:
        lines.append(
            f"{unsafe[0].declaration.where}: Istio retries {wording.rpcs(unsafe)} twice unless it is told "
            f"not to, and routes of the Gateway API cannot tell it: use {istio}, or set "
            "meshConfig.defaultHttpRetryPolicy.attempts to 0"
        )
    if enforced_by == "routes":
        for field, fault in _INEXPRESSIBLE.items():
            rpcs = [rpc for rpc, action in actions if _has(rpc, action, field)]
            if rpcs:
                lines.append(
                    f"{_where(rpcs[0], field)}: {field} of {wording.rpcs(rpcs)} has no effect with "
                    f"policy=routes: routes of the Gateway API {fault.format(istio=istio)}"
                )
    return lines


def of_routes(app: App, routes: Sequence[GatewayRoute]) -> Iterator[str]:
    """Of the ports whose rules do not fit into one route, a line each."""
    for port in app.ports:
        parts = [route for route in routes if route.port == port.number]
        if len(parts) > 1:
            where = port.services[0].declaration.where
            rules = sum(len(route.rules) for route in parts)
            yield (
                f"{where}: app {app.name}: the {rules} rules of port {port.number} are in {len(parts)} "
                f"{parts[0].kind}s, as one may have {limits.MOST_RULES} rules and "
                f"{limits.MOST_MATCHES_OF_ROUTE} matches: Istio takes them together, so check that your mesh "
                "does"
            )


def of_run(mesh: Mesh, *, with_istio: bool) -> Iterator[str]:
    """What is to be said once.

    Args:
        mesh: the applications.
        with_istio: whether files for Istio are written too.
    """
    if with_istio:
        yield (
            "emit has both istio and gateway: on Istio, a route in gateway/ wins over the VirtualService of "
            "the same app in istio/, so apply only one of the two"
        )
    elif mesh.enforced_by == "headers":
        services = (service for app in mesh.providers for service in app.services)
        asking = [rpc for service in services for rpc in service.rpcs if rpc.headers]
        if asking:
            yield (
                f"{asking[0].declaration.where}: stubs ask by headers for what is configured of "
                f"{wording.rpcs(asking)}, and routes of the Gateway API cannot make Istio heed them: use "
                "policy=routes, or emit=istio for istio/internal-addresses.yaml"
            )


def _has(rpc: RpcPolicy, action: Action, field: str) -> bool:
    if field == "retry":
        if action.retries in {None, NO_RETRIES}:
            return False
        # Where only the rpc's idempotency_level allows retries, Istio's own are as good.
        return any(rpc.origin(name).source not in _NOT_ASKED_FOR for name in RETRY_FIELDS)
    if field == "per_try_timeout":
        return action.per_try_timeout is not None
    return bool(getattr(rpc.call, field))


def _where(rpc: RpcPolicy, field: str) -> str:
    """The line that sets a field, or else that of the rpc."""
    found = (rpc.origin(name).where for name in (RETRY_FIELDS if field == "retry" else (field,)))
    return next(filter(None, found), rpc.declaration.where)
