"""Checks this application's own server: its health service and its probes."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any

import grpc

from .._addressing.environment import Environment
from .._contract.validation import check_host_port
from .._health.board import HEALTH
from .._health.messages import HealthCheckRequest, HealthCheckResponse
from .finding import Finding

_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "[::]": ("::1", "127.0.0.1")}  # noqa: S104 - they are not listened on
"""Where a server that listens on all addresses can be reached from this host."""


def check_server(server: str | None, environment: Environment, timeout: float) -> Iterator[Finding]:
    """Asks the health service, and the probes if they are on.

    Args:
        server: `host:port` of the server; None if none was named.
        environment: of this process.
        timeout: seconds to wait for each answer.
    """
    if server is None:
        yield Finding("health", "skipped", "no --server was named")
        return
    try:
        check_host_port("--server", server)
    except ValueError as error:
        yield Finding("health", "failed", str(error), "give it as host:port")
        return
    yield _check_health(server, timeout)
    if environment.probes is not None:
        yield _check_probes(environment.probes, timeout)


def _check_health(server: str, timeout: float) -> Finding:
    with grpc.insecure_channel(server, (("grpc.enable_http_proxy", 0),)) as channel:
        check: Any = channel.unary_unary(
            f"/{HEALTH}/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            status: int = check(HealthCheckRequest(), timeout=timeout).status
        except grpc.RpcError as error:
            call: Any = error
            remedy = "is the server up, and does it listen there?"
            if call.code() is grpc.StatusCode.UNIMPLEMENTED:
                remedy = "serve with dubbo_mesh.serve, or add a servicer by its generated add_..._to_server"
            return Finding("health", "failed", f"{server}: {call.code().name}: {call.details()}", remedy)
    statuses = HealthCheckResponse.DESCRIPTOR.enum_types_by_name["ServingStatus"].values_by_number
    name = statuses[status].name if status in statuses else str(status)
    if status == HealthCheckResponse.SERVING:
        return Finding("health", "ok", f"{server}: {name}")
    remedy = "the server is starting or draining, or a health check fails"
    return Finding("health", "failed", f"{server}: {name}", remedy)


def _check_probes(address: str, timeout: float) -> Finding:
    host, _, port = address.rpartition(":")
    trouble: Exception | None = None
    for reachable in _LOOPBACK.get(host, (host.strip("[]"),)):
        try:
            status, body = _ask(reachable, int(port), timeout)
        except (OSError, HTTPException) as error:
            trouble = error
            continue
        if status == 200:
            return Finding("probes", "ok", f"{address}/ready: {body}")
        remedy = "the server is starting or draining, or the sidecar that it requires is not ready"
        return Finding("probes", "failed", f"{address}/ready: {status} {body}", remedy)
    remedy = "set DUBBO_MESH_PROBES to the address that the server answers probes on"
    return Finding("probes", "failed", f"{address}: {trouble}", remedy)


def _ask(host: str, port: int, timeout: float) -> tuple[int, str]:
    """Returns the status and the body of `/ready`."""
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status, answer.read(100).decode("ascii", "replace")
    finally:
        connection.close()
