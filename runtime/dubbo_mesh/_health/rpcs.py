"""The rpcs of the health service as far as they are the same on threads and on asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from .._contract.validation import printable
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
    return f"no service '{printable(service)}' on this server"


def all_statuses(board: Board) -> HealthListResponse:
    """The answer about all services."""
    response = HealthListResponse()
    for name, serving in board.snapshot().items():
        response.statuses[name].CopyFrom(status(serving))
    return response


def methods(
    check: Callable[..., Any], watch: Callable[..., Any], list_: Callable[..., Any], *, read_by_handlers: bool
) -> Methods:
    """Handlers for the three rpcs.

    Args:
        check: answers about one service.
        watch: goes on answering about one service.
        list_: answers about all services.
        read_by_handlers: whether these take an iterator and read the one request from it themselves. On the
            wire it makes no difference.
    """
    unary, stream = _READING if read_by_handlers else _GIVEN_A_REQUEST
    request = HealthCheckRequest.FromString
    response = HealthCheckResponse.SerializeToString
    list_request, list_response = HealthListRequest.FromString, HealthListResponse.SerializeToString
    return {
        f"/{HEALTH}/Check": unary(check, request, response),
        f"/{HEALTH}/Watch": stream(watch, request, response),
        f"/{HEALTH}/List": unary(list_, list_request, list_response),
    }


_Maker = Callable[..., "grpc.RpcMethodHandler[Any, Any]"]
_GIVEN_A_REQUEST: tuple[_Maker, _Maker] = (
    grpc.unary_unary_rpc_method_handler,
    grpc.unary_stream_rpc_method_handler,
)
_READING: tuple[_Maker, _Maker] = (
    grpc.stream_unary_rpc_method_handler,
    grpc.stream_stream_rpc_method_handler,
)
