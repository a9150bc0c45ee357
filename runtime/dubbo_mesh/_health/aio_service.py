"""The health service on asyncio. `service.py` is the twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from . import rpcs
from .board import Board
from .messages import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse


def methods_of(board: Board) -> rpcs.Methods:
    """The rpcs of the health service, for a server of `grpc.aio`."""

    async def check(
        request: HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> HealthCheckResponse:
        serving = board.ask(request.service)
        if serving is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, rpcs.unknown(request.service))
        return rpcs.status(serving)

    async def list_(
        request: HealthListRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> HealthListResponse:
        return rpcs.all_statuses(board)

    async def watch(
        request: HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[HealthCheckResponse]:
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody watches any more
                loop.call_soon_threadsafe(changed.set)

        with board.watched(wake):
            last: HealthCheckResponse | None = None
            while True:
                changed.clear()
                response = rpcs.status(board.ask(request.service))
                if response != last:
                    yield response
                    last = response
                if board.closed:
                    return
                await changed.wait()

    return rpcs.methods(check, watch, list_, read_by_handlers=False)
