"""The rpcs of the health service as far as they are the same on threads and on asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from .board import HEALTH, Board
from .messages import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse

Methods: TypeAlias = "dict[str, grpc.RpcMethodHandler[Any, Any]]"
"""Handlers by their paths."""


def status(serving: bool | None) -> HealthCheckResponse:
    """The answer about one service; None means that the service is unknown."""
    if serving is None:
        return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
    return HealthCheckResponse(
        status=HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
    )


def unknown(service: str) -> str:
    """What a caller is told who checks a service that is not there."""
    shown = service if len(service) <= 100 else service[:100] + "…"
    return f"no service {shown!r} on this server"


def all_statuses(board: Board) -> HealthListResponse:
    """The answer about all services."""
    response = HealthListResponse()
    for name, serving in board.snapshot().items():
        response.statuses[name].CopyFrom(status(serving))
    return response


def methods(check: Callable[..., Any], watch: Callable[..., Any], list_: Callable[..., Any]) -> Methods:
    """Handlers for the three rpcs."""
    request = HealthCheckRequest.FromString
    response = HealthCheckResponse.SerializeToString
    list_request, list_response = HealthListRequest.FromString, HealthListResponse.SerializeToString
    return {
        f"/{HEALTH}/Check": grpc.unary_unary_rpc_method_handler(check, request, response),
        f"/{HEALTH}/Watch": grpc.unary_stream_rpc_method_handler(watch, request, response),
        f"/{HEALTH}/List": grpc.unary_unary_rpc_method_handler(list_, list_request, list_response),
    }
