"""The context that a `dubbo_mesh` server passes to async handlers while it drains. `contexts` is the twin."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

import grpc
import grpc.aio

from .draining import LEAVING, marked


class LeavingContext:
    """Stands in for grpc.aio's context, and marks what is sent first: initial metadata, or a status alone."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._silent = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        await self._context.send_initial_metadata(marked(initial_metadata))
        self._silent = False

    async def write(self, message: Any) -> None:
        if self._silent:
            self._silent = False
            await mark_response(self._context)
        await self._context.write(message)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[Any] = ()
    ) -> NoReturn:
        trailing = trailing_metadata or self._context.trailing_metadata()
        await self._context.abort(code, details, marked(trailing))
        raise AssertionError("abort returned")

    async def abort_with_status(self, status: Any) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())


grpc.aio.ServicerContext.register(LeavingContext)


async def mark_response(context: Any) -> None:
    """Marks a response that has a message: in its initial metadata, unless they have been sent."""
    with suppress(grpc.aio.BaseError):  # sent already, or the caller is gone
        await context.send_initial_metadata((LEAVING,))


def mark_status(context: Any) -> None:
    """Marks a response that is a status alone. It stays one, since Envoy retries no others."""
    context.set_trailing_metadata(marked(context.trailing_metadata()))
