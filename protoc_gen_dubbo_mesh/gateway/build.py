"""Decides what the file of an application says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.routing import ACTIONS, UNRETRIED, in_gateway_api, routes
from ..mesh.wording import sources
from . import limits
from .model import GRPC_ROUTE, HTTP_ROUTE, GatewayRoute, RouteFile, Rule, RuleMatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mesh.model import App, Port
    from ..mesh.routing import Action, Match, Route
    from ..policy.model import RpcPolicy
    from .model import Backend


_ABOUT_HTTP_ROUTES = "GRPCRoutes have no timeouts, and a port with HTTPRoutes must not have GRPCRoutes too."


class RouteFileBuilder:
    """Builds the files of one run.

    Args:
        enforced_by: who enforces timeouts and retries: `headers` or `routes`.
        with_istio: whether files for Istio are written too.
    """

    def __init__(self, enforced_by: str, *, with_istio: bool) -> None:
        self._action_of = ACTIONS[enforced_by]
        self._with_istio = with_istio

    def build(self, app: App, backends: Mapping[str, Backend]) -> RouteFile:
        """The file of an application that has ports.

        Args:
            app: the application.
            backends: the Services of its subsets, by subset.

        Raises:
            GenerationError: something is beyond the API's limits.
        """
        return RouteFile(
            path=f"gateway/{app.stem}.yaml",
            sources=sources(app.sources),
            istio=f"istio/{app.stem}.yaml" if self._with_istio else "",
            app=app.name,
            app_origin=app.origin("app"),
            namespace=app.namespace,
            namespace_origin=app.origin("namespace"),
            backends=tuple(backends.values()),
            routes=tuple(route for port in app.ports for route in self._routes(app, port, backends)),
        )

    def _routes(self, app: App, port: Port, backends: Mapping[str, Backend]) -> list[GatewayRoute]:
        """The routes of a port, all of one kind.

        Of several kinds on one port, meshes apply one: GRPCRoutes (GEP-1426, "Route types").
        """
        subsets: dict[str, str | None] = {service.name: None for service in port.services}
        for subset in app.subsets:
            if subset.name in backends:
                subsets |= {each.name: subset.name for each in subset.services if each.name in subsets}
        found = routes(app.name, port.services, subsets, self._routed, in_gateway_api(UNRETRIED))
        kind = HTTP_ROUTE if any(route.action.timeout for route in found) else GRPC_ROUTE
        for route in found:
            for match in route.matches:
                limits.check_length(kind, match, port.services)
        about = "All other calls." if len(found) > 1 else "All calls."
        parts = limits.split(_rule(kind, app, route, backends, about) for route in found)
        name = app.name if len(app.ports) == 1 else f"{app.name}.{port.number}"
        return [
            GatewayRoute(
                kind=kind,
                about=_ABOUT_HTTP_ROUTES if kind == HTTP_ROUTE else "",
                name=name if len(parts) == 1 else f"{name}.part-{number}",
                port=port.number,
                port_origin=port.origin,
                rules=rules,
            )
            for number, rules in enumerate(parts, start=1)
        ]

    def _routed(self, rpc: RpcPolicy, subset: str | None) -> Action:
        """What a route can do of an rpc's policy."""
        return in_gateway_api(self._action_of(rpc, subset))


def _rule(kind: str, app: App, route: Route, backends: Mapping[str, Backend], about: str) -> Rule:
    subset, timeout = route.action.subset, route.action.timeout
    return Rule(
        matches=tuple(_match(kind, match) for match in route.matches),
        about="" if route.matches else about,
        backend=app.name if subset is None else backends[subset].name,
        timeout="" if timeout is None else limits.timeout(timeout, route),
        timeout_origin="" if timeout is None else route.origin("timeout"),
    )


def _match(kind: str, match: Match) -> RuleMatch:
    """A match of a route of this kind. Those of GRPCRoutes are for services only, as subsets are."""
    if kind == GRPC_ROUTE:
        return RuleMatch(service=match.path.strip("/"))
    if match.is_prefix:
        # A prefix is of whole segments, and a slash at its end means nothing.
        return RuleMatch(type="PathPrefix", path=match.path.rstrip("/"))
    return RuleMatch(type="Exact", path=match.path)
