"""Routes that do not send a call to a provider, and virtual hosts for destinations that are not known."""

from __future__ import annotations

from ..envoy.configuration.snapshot import Snapshot
from ..envoy.forwarding.clusters import cluster_of
from ..envoy.forwarding.routes import Route
from ..envoy.routing.origins import origin_of, title_of
from ..envoy.values import Json, number, objects, text
from ..finding import Finding, problem

_CODES = {400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED"}
"""What gRPC callers see of an HTTP status in Envoy's own answers (`Grpc::Utility::httpToGrpcStatus`)."""

_BLOCK_ALL = "block_all"
"""Istio's virtual host for what the mesh does not know, under REGISTRY_ONLY (pilot's BuildBlackHole…)."""


def no_route(virtual_host: Json, name: str) -> Finding:
    """The problem of an rpc that no route matches."""
    where = text(virtual_host, "name") or "without a name"
    routes = list(objects(virtual_host, "routes"))
    count = len(routes)
    origin = next((found for each in routes if (found := origin_of(each))), "")
    where = f"{where} ({origin})" if origin else where
    has = "it has none" if not count else "it has one" if count == 1 else f"it has {count}"
    return problem("DM207", f"{name}: no route of virtual host {where} matches it: {has}", subject=name)


def answers_itself(route: Route, name: str) -> Finding:
    """The problem of an rpc whose route sends it nowhere: it answers, redirects, or does not say where."""
    where = title_of(route.message)
    if route.kind == "answer":
        status = number(route.message, "direct_response", "status") or 0
        seen = f"{where} answers HTTP {status} itself: callers get {grpc_code(status)}"
    elif route.kind == "redirect":
        seen = f"{where} redirects it, which gRPC callers do not follow: they get UNKNOWN"
    else:
        seen = f"{where} does not send it anywhere: callers get UNAVAILABLE"
    return problem("DM208", f"{name}: {seen}", subject=name)


def grpc_code(status: int) -> str:
    """The gRPC code that a caller gets for an HTTP status in an answer of Envoy's own."""
    if status in (429, 502, 503, 504):
        return "UNAVAILABLE"
    return _CODES.get(status, "UNKNOWN")


def unknown_destination(snapshot: Snapshot, virtual_host: Json, name: str) -> Finding | None:
    """The problem of a call that only meets the virtual host for all that the mesh does not know."""
    where = text(virtual_host, "name")
    routes = [Route.of(each, virtual_host) for each in objects(virtual_host, "routes")]
    if where == _BLOCK_ALL and routes and all(route.kind == "answer" for route in routes):
        return problem("DM222", f"{name}: only the virtual host {where} matches it", subject=name)
    clusters = [cluster_of(snapshot, cluster) for route in routes for cluster, _ in route.clusters]
    if clusters and all(cluster is not None and cluster.passes_through for cluster in clusters):
        to = next(cluster.name for cluster in clusters if cluster is not None)
        seen = f"{name}: only the virtual host {where or 'without a name'} matches it, which sends it to {to}"
        return problem("DM221", seen, subject=name)
    return None
