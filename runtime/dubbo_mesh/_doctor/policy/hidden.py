"""Reports routes that an rpc would match, and never reaches."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.request import Request
from ..envoy.routing.hiding import hidden_routes
from ..envoy.routing.origins import title_of
from ..envoy.values import Json, text
from ..finding import Finding, problem


def check_hidden(virtual_host: Json, request: Request, runtime: Json, name: str) -> Iterator[Finding]:
    """Reports routes of a virtual host that another route hides from an rpc, and from all other calls.

    Args:
        virtual_host: the `VirtualHost` message.
        request: the request of the rpc, as routes see it.
        runtime: values of Envoy's runtime, by their keys.
        name: of the rpc.
    """
    for hidden, by in hidden_routes(virtual_host, request, runtime):
        where = f"{title_of(hidden)} of virtual host {text(virtual_host, 'name')}"
        yield problem("DM345", f"{name}: {where} is hidden by {title_of(by)}", subject=name)
