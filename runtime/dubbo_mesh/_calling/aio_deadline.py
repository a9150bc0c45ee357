"""A call's own deadline, enforced by Envoy, surfaces as DEADLINE_EXCEEDED. `../_deadline.py` is the twin."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from .deadline import DETAILS, is_own_deadline


class DeadlineCall:
    """A call object of grpc.aio, of any shape, whose end tells the truth; see its twin for when that is."""

    __slots__ = ("__weakref__", "_call", "_deadline", "_ended")

    def __init__(self, call: Any, deadline: float) -> None:
        self._call = call
        self._deadline = deadline
        self._ended: float | None = None

    def note_end(self, _: object) -> None:
        """Notes that the call has ended just now."""
        if self._ended is None:
            self._ended = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def _meant(self, error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """`error`, or DEADLINE_EXCEEDED where that is what it means."""
        if not self._is_own_deadline(error.code(), error.details()):
            return error
        return grpc.aio.AioRpcError(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            error.initial_metadata(),
            error.trailing_metadata(),
            DETAILS,
            error.debug_error_string(),
        )

    async def _own_deadline(self) -> bool:
        return self._is_own_deadline(await self._call.code(), await self._call.details())

    def _is_own_deadline(self, code: grpc.StatusCode, details: str | None) -> bool:
        self.note_end(self._call)
        assert self._ended is not None
        return is_own_deadline(code, details, self._ended, self._deadline)

    def __await__(self) -> Generator[Any, None, Any]:
        waiting: Generator[Any, None, Any] = self._call.__await__()
        try:
            return (yield from waiting)
        except grpc.aio.AioRpcError as error:
            raise self._meant(error) from None

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for response in self._call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._meant(error) from None

    async def read(self) -> Any:
        """As grpc's call."""
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise self._meant(error) from None

    async def write(self, request: Any) -> None:
        """As grpc's call."""
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise self._meant(error) from None

    async def wait_for_connection(self) -> None:
        """As grpc's call."""
        try:
            await self._call.wait_for_connection()
        except grpc.aio.AioRpcError as error:
            raise self._meant(error) from None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """As grpc's call."""

        def done(_: object) -> None:
            callback(self)

        self._call.add_done_callback(done)

    async def code(self) -> grpc.StatusCode:
        """The status code, once the call has ended."""
        return grpc.StatusCode.DEADLINE_EXCEEDED if await self._own_deadline() else await self._call.code()

    async def details(self) -> str:
        """The message of the status, once the call has ended."""
        return DETAILS if await self._own_deadline() else await self._call.details()


class DeadlineStreamCall(DeadlineCall):
    """One that has a stream of responses."""

    __slots__ = ()

    def __init__(self, call: Any, deadline: float) -> None:
        super().__init__(call, deadline)
        call.add_done_callback(self.note_end)


class UnaryUnaryCall(DeadlineCall):
    """Of a unary-unary rpc."""

    __slots__ = ()


class UnaryStreamCall(DeadlineStreamCall):
    """Of a unary-stream rpc."""

    __slots__ = ()


class StreamUnaryCall(DeadlineCall):
    """Of a stream-unary rpc."""

    __slots__ = ()


class StreamStreamCall(DeadlineStreamCall):
    """Of a stream-stream rpc."""

    __slots__ = ()


grpc.aio.UnaryUnaryCall.register(UnaryUnaryCall)
grpc.aio.UnaryStreamCall.register(UnaryStreamCall)
grpc.aio.StreamUnaryCall.register(StreamUnaryCall)
grpc.aio.StreamStreamCall.register(StreamStreamCall)
