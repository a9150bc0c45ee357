"""What stands behind all interceptors of an async channel that we open. `interceptor.py` is the twin."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import grpc.aio

from .aio_calls import with_deadline
from .aio_metadata import LazyMetadata
from .outgoing import with_timeout_header


def innermost(interceptors: Sequence[grpc.aio.ClientInterceptor]) -> list[grpc.aio.ClientInterceptor]:
    """What to put behind `interceptors`: for the shapes that they intercept, and no others.

    It tells Envoy of the deadlines that they set, and it corrects the status of calls that Envoy timed out
    before they see it.
    """
    return [own for kind, own in _INNERMOST.items() if any(isinstance(each, kind) for each in interceptors)]


async def _pass_on(continuation: Any, details: Any, request: Any) -> Any:
    method: Any = details.method  # bytes, whatever types-grpcio says
    metadata = with_timeout_header(_text(method), details.timeout, details.metadata)
    if metadata is not None:
        # What interceptors hand on need not be grpc's own class.
        details = grpc.aio.ClientCallDetails(
            method, details.timeout, LazyMetadata(metadata), details.credentials, details.wait_for_ready
        )
    if details.timeout is None:
        return await continuation(details, request)
    deadline = monotonic() + details.timeout
    return with_deadline(await continuation(details, request), deadline)


def _text(path: str | bytes) -> str:
    return path.decode() if isinstance(path, bytes) else path


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await _pass_on(continuation, client_call_details, request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await _pass_on(continuation, client_call_details, request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await _pass_on(continuation, client_call_details, request_iterator)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await _pass_on(continuation, client_call_details, request_iterator)


_INNERMOST: dict[type[Any], grpc.aio.ClientInterceptor] = {
    grpc.aio.UnaryUnaryClientInterceptor: _UnaryUnary(),
    grpc.aio.UnaryStreamClientInterceptor: _UnaryStream(),
    grpc.aio.StreamUnaryClientInterceptor: _StreamUnary(),
    grpc.aio.StreamStreamClientInterceptor: _StreamStream(),
}
