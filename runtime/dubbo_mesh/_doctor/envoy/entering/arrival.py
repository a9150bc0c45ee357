"""A request as routes see it: what a connection manager makes of the headers that were sent.

The rules are those of Envoy's `ConnectionManagerUtility::mutateRequestHeaders`, measured on Envoy 1.40. Paths
stay as they are: those of rpcs have nothing that Envoy would normalise.
"""

from __future__ import annotations

from dataclasses import replace

from ..addresses import is_loopback, peer
from ..connection import Connection
from ..request import Request
from ..values import at, flag, has, number, text, texts
from .authority import normalised
from .listeners import Manager
from .trust import Cause, Trust

ROUTER_HEADERS = frozenset(
    {
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-max-retries",
        "x-envoy-retriable-header-names",
        "x-envoy-retriable-status-codes",
        "x-envoy-retry-grpc-on",
        "x-envoy-retry-on",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-stream-duration-ms",
    }
)
"""With what calls ask the router for something."""

INTERNAL_HEADERS = ROUTER_HEADERS | {"x-envoy-force-trace", "x-envoy-ip-tags", "x-envoy-original-url"}
"""What Envoy removes from all external requests."""

EDGE_HEADERS = frozenset(
    {
        "x-envoy-decorator-operation",
        "x-envoy-downstream-service-cluster",
        "x-envoy-downstream-service-node",
        "x-envoy-original-host",
        "x-envoy-original-path",
    }
)
"""What it also removes from those that it takes as the first of their way."""

_NEVER_KEPT = (
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "x-envoy-internal",
)

_JOINED = frozenset(
    {
        "accept-encoding",
        "content-type",
        "grpc-accept-encoding",
        "grpc-timeout",
        "te",
        "user-agent",
        "via",
        "x-client-trace-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-ot-span-context",
        "x-request-id",
    }
)
"""Headers of which Envoy keeps one value, which it joins from all (`INLINE_REQ_STRING_HEADERS`), as it does
with those that begin with x-envoy-."""


def arrived(
    manager: Manager,
    trust: Trust,
    connection: Connection,
    request: Request,
    version: tuple[int, int] | None = None,
) -> Request:
    """The request as routes see it.

    Args:
        manager: the connection manager.
        trust: what it makes of the request's origin.
        connection: that the request comes by.
        request: what is sent.
        version: of the Envoy, as (major, minor); None if it is not known.
    """
    headers = {name: value for name, value in request.headers.items() if name not in _NEVER_KEPT}
    unsure = dict(request.unsure)
    if trust.internal:
        headers["x-envoy-internal"] = "true"
    elif trust.cause is not Cause.UNKNOWN:
        _remove(headers, manager, trust)
    _forwarded(headers, unsure, manager, connection)
    if trust.edge:
        source = None if connection.source is None else peer(connection.source)
        known = source is not None and not number(manager.message, "xff_num_trusted_hops")
        _set(headers, unsure, "x-envoy-external-address", str(source) if known else None)
    _identify(headers, unsure, manager, trust)
    if text(manager.message, "forward_client_cert_details") != "ALWAYS_FORWARD_ONLY":
        headers.pop("x-forwarded-client-cert", None)  # which only says something of TLS
    authority = normalised(manager, request.authority, connection.port)
    headers[":authority"] = authority
    repeated = {
        name: values
        for name, values in request.repeated.items()
        if name in headers and (version is None or version >= (1, 39)) and not _is_joined(name)
    }
    return replace(request, authority=authority, headers=headers, unsure=unsure, repeated=repeated)


def _is_joined(name: str) -> bool:
    return name in _JOINED or name.startswith("x-envoy-")


def _remove(headers: dict[str, str], manager: Manager, trust: Trust) -> None:
    own = {each.lower() for each in texts(manager.routes, "internal_only_headers")}
    for name in INTERNAL_HEADERS | own | (EDGE_HEADERS if trust.edge else frozenset[str]()):
        headers.pop(name, None)


def _forwarded(
    headers: dict[str, str], unsure: dict[str, str], manager: Manager, connection: Connection
) -> None:
    """Says where the request comes from."""
    message = manager.message
    remote = flag(message, "use_remote_address") is True
    source = None if connection.source is None else peer(connection.source)
    if remote and not flag(message, "skip_xff_append"):
        before = f"{headers['x-forwarded-for']}," if headers.get("x-forwarded-for") else ""
        # For a loopback address, Envoy puts one of this host's.
        known = None if source is None or is_loopback(source) else str(source)
        _set(headers, unsure, "x-forwarded-for", None if known is None else before + known, before)
    hops = number(message, "xff_num_trusted_hops") or 0
    if (remote and hops == 0) or "x-forwarded-proto" not in headers:
        headers["x-forwarded-proto"] = "http"


def _identify(headers: dict[str, str], unsure: dict[str, str], manager: Manager, trust: Trust) -> None:
    """Gives the request an id, and says which Envoy it passed."""
    message = manager.message
    made_anew = trust.edge and flag(message, "preserve_external_request_id") is not True
    if flag(message, "generate_request_id") is not False and (made_anew or "x-request-id" not in headers):
        _set(headers, unsure, "x-request-id", None)
    elif has(message, "tracing") and "x-request-id" in headers:
        _set(headers, unsure, "x-request-id", None)  # one of its digits says whether it is traced
    if flag(message, "add_user_agent"):
        for name in ("x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node"):
            _set(headers, unsure, name, None)
    via = text(message, "via")
    if via:
        headers["via"] = f"{headers['via']}, {via}" if "via" in headers else via
    if at(message, "append_x_forwarded_port") is True:
        _set(headers, unsure, "x-forwarded-port", None)


def _set(
    headers: dict[str, str], unsure: dict[str, str], name: str, value: str | None, beginning: str = ""
) -> None:
    """Sets a header to a value, or notes that only its beginning is known."""
    if value is None:
        unsure[name] = beginning
    else:
        unsure.pop(name, None)
        headers[name] = value
