"""What a file of routes says; the templates print it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..policy.model import Labels

GRPC_ROUTE = "GRPCRoute"
HTTP_ROUTE = "HTTPRoute"


class RuleMatch(NamedTuple):
    """What a rule is for.

    Attributes:
        service: the service, in a GRPCRoute.
        type: `Exact` or `PathPrefix`, in an HTTPRoute.
        path: the path, in an HTTPRoute.
    """

    service: str = ""
    type: str = ""
    path: str = ""


class Rule(NamedTuple):
    """A rule of a route.

    Attributes:
        matches: what it is for; none means everything that no other rule is for.
        about: what that is, for a comment.
        backend: the Service that its calls go to.
        timeout: of the whole call, as the API spells durations; empty for none.
        timeout_origin: where the timeout was set.
    """

    matches: tuple[RuleMatch, ...]
    about: str
    backend: str
    timeout: str
    timeout_origin: str


class GatewayRoute(NamedTuple):
    """A GRPCRoute or HTTPRoute.

    Attributes:
        kind: `GRPC_ROUTE` or `HTTP_ROUTE`.
        about: why it is of this kind; empty if that needs no reason.
        name: unique within the namespace.
        port: of the Service that is its parent.
        port_origin: where the port was set.
        rules: its rules.
    """

    kind: str
    about: str
    name: str
    port: int
    port_origin: str
    rules: tuple[Rule, ...]


class BackendPort(NamedTuple):
    """A port of a Service: its name and number."""

    name: str
    number: int


class Backend(NamedTuple):
    """A Service for those pods of an application that have further labels.

    Attributes:
        name: of the Service.
        selector: the labels of the pods, sorted by key.
        origin: where the further labels were set.
        ports: the ports whose routes need it.
    """

    name: str
    selector: Labels
    origin: str
    ports: tuple[BackendPort, ...]


class RouteFile(NamedTuple):
    """The file of an application.

    Attributes:
        path: relative to the output directory.
        sources: the protos that it comes from.
        istio: the path of the file that must not be applied too; empty if none is written.
        app: the application, whose Service is the parent of all routes.
        app_origin: where the app was set.
        namespace: of all resources; None leaves it to whoever applies the file.
        namespace_origin: where the namespace was set.
        backends: Services that only its routes need.
        routes: the routes.
    """

    path: str
    sources: str
    istio: str
    app: str
    app_origin: str
    namespace: str | None
    namespace_origin: str
    backends: tuple[Backend, ...]
    routes: tuple[GatewayRoute, ...]
