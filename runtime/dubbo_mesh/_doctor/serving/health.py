"""Checks this application's own server: its health service and its probes."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any

import grpc

from ..._addressing.environment import Environment
from ..._contract.validation import check_host_port
from ..._health.board import HEALTH
from ..._health.messages import HealthCheckRequest, HealthCheckResponse
from ..budget import Budget
from ..finding import Finding, problem

_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "[::]": ("::1", "127.0.0.1")}  # noqa: S104 - they are not listened on
"""Where a server that listens on all addresses can be reached from this host."""


def check_server(server: str | None, environment: Environment, budget: Budget) -> Iterator[Finding]:
    """Asks the health service, and the probes if they are on.

    Args:
        server: `host:port` of the server; None if none was named.
        environment: of this process.
        budget: the time that is left.
    """
    if server is None:
        yield Finding("health", "skipped", "no --server was named")
        return
    try:
        check_host_port("--server", server)
    except ValueError as error:
        yield problem("DM401", str(error), remedy="give it as host:port")
        return
    yield _check_health(server, budget)
    if environment.probes is not None:
        yield _check_probes(environment.probes, budget)


def _check_health(server: str, budget: Budget) -> Finding:
    with grpc.insecure_channel(server, (("grpc.enable_http_proxy", 0),)) as channel:
        check: Any = channel.unary_unary(
            f"/{HEALTH}/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            status: int = check(HealthCheckRequest(), timeout=budget.left(2.0)).status
        except grpc.RpcError as error:
            call: Any = error
            id = "DM402" if call.code() is grpc.StatusCode.UNIMPLEMENTED else "DM401"
            return problem(id, f"{server}: {call.code().name}: {call.details()}", subject=server)
    statuses = HealthCheckResponse.DESCRIPTOR.enum_types_by_name["ServingStatus"].values_by_number
    name = statuses[status].name if status in statuses else str(status)
    if status == HealthCheckResponse.SERVING:
        return Finding("health", "ok", f"{server}: {name}", subject=server)
    return problem("DM403", f"{server}: {name}", subject=server)


def _check_probes(address: str, budget: Budget) -> Finding:
    host, _, port = address.rpartition(":")
    trouble: Exception | None = None
    for reachable in _LOOPBACK.get(host, (host.strip("[]"),)):
        try:
            status, body = _ask(reachable, int(port), budget.left(2.0))
        except (OSError, HTTPException) as error:
            trouble = error
            continue
        if status == 200:
            return Finding("probes", "ok", f"{address}/ready: {body}")
        return problem("DM405", f"{address}/ready: {status} {body}", subject=address)
    return problem("DM404", f"{address}: {trouble}", subject=address)


def _ask(host: str, port: int, timeout: float) -> tuple[int, str]:
    """Returns the status and the body of `/ready`."""
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        return answer.status, answer.read(100).decode("ascii", "replace")
    finally:
        connection.close()
