"""Envoy configuration as Python dicts: the messages of its v3 API, in their JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

Json: TypeAlias = Mapping[str, Any]

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""The type of a cluster's options for HTTP, and their key in its `typed_extension_protocol_options`."""

# What an access log has of each request: Envoy's command operators by our names.
FIELDS: Mapping[str, str] = {
    "start": "%START_TIME(%s.%6f)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "route": "%ROUTE_NAME%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_host": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "downstream_connection": "%CONNECTION_ID%",
}


def typed(name: str, **fields: Any) -> dict[str, Any]:
    """A message inside an `Any`: `typed("envoy.extensions.filters.http.router.v3.Router")`."""
    return {"@type": f"type.googleapis.com/{name}", **fields}


def duration(seconds: float) -> str:
    """A protobuf duration in JSON."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def socket_address(address: str) -> dict[str, Any]:
    """`host:port` as an `Address`."""
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def merged(base: Json, over: Json | None) -> dict[str, Any]:
    """`base` with the keys of `over`: nested objects are merged, None removes a key."""
    result = dict(base)
    for key, value in (over or {}).items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], cast("Json", value))
        else:
            result[key] = value
    return result


ROUTER: Json = {
    "name": "envoy.filters.http.router",
    "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
}

# The only way in which the filter works with gRPC health checks: the app itself answers, and
# the filter adds what the admin endpoint's /healthcheck/fail says.
GRPC_HEALTH_CHECK_FILTER: Json = {
    "name": "envoy.filters.http.health_check",
    "typed_config": typed(
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        pass_through_mode=True,
        headers=[{"name": ":path", "string_match": {"exact": "/grpc.health.v1.Health/Check"}}],
    ),
}


def cluster(name: str, endpoints: Iterable[str], over: Json | None = None) -> dict[str, Any]:
    """A cluster of fixed HTTP/2 endpoints, without health checks.

    Args:
        name: The cluster's name, and that of its statistics.
        endpoints: `ip:port` each.
        over: Merged over the message; see `merged`.
    """
    http2 = typed(
        HTTP_OPTIONS,
        explicit_http_config={"http2_protocol_options": {}},
    )
    hosts = [{"endpoint": {"address": socket_address(endpoint)}} for endpoint in endpoints]
    base = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {HTTP_OPTIONS: http2},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
    }
    return merged(base, over)


def access_log(path: Path, fields: Json | None = None) -> dict[str, Any]:
    """An access log of JSON lines with `FIELDS` and, beside them, `fields`."""
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": typed(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path=str(path),
            log_format={"json_format": {**FIELDS, **(fields or {})}},
        ),
    }


def http_listener(
    name: str,
    address: str,
    virtual_hosts: Sequence[Json],
    *,
    http_filters: Sequence[Json] = (),
    access_logs: Sequence[Json] = (),
    connection_manager: Json | None = None,
    listener: Json | None = None,
) -> dict[str, Any]:
    """A listener with one HTTP connection manager.

    Args:
        name: The name of the listener, and the connection manager's statistics prefix.
        address: `ip:port` to listen on.
        virtual_hosts: `VirtualHost` messages.
        http_filters: `HttpFilter` messages that stand before the router.
        access_logs: `AccessLog` messages.
        connection_manager: Merged over the `HttpConnectionManager`.
        listener: Merged over the `Listener`.
    """
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="AUTO",
        route_config={"name": name, "virtual_hosts": list(virtual_hosts)},
        http_filters=[*http_filters, ROUTER],
        access_log=list(access_logs),
    )
    base = {
        "name": name,
        "address": socket_address(address),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": merged(manager, connection_manager),
                    }
                ]
            }
        ],
    }
    return merged(base, listener)
