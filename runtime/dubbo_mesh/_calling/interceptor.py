"""What stands behind all interceptors of a channel that we open. `aio_interceptor.py` is the twin."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import grpc

from .calls import correct_error, with_deadline
from .outgoing import with_timeout_header

ClientInterceptor = (
    grpc.UnaryUnaryClientInterceptor
    | grpc.UnaryStreamClientInterceptor
    | grpc.StreamUnaryClientInterceptor
    | grpc.StreamStreamClientInterceptor
)


def innermost(interceptors: Sequence[ClientInterceptor]) -> list[ClientInterceptor]:
    """What to put behind `interceptors`: for the shapes that they intercept, and no others.

    It tells Envoy of the deadlines that they set, and it corrects the status of calls that Envoy timed out
    before they see it.
    """
    return [own for kind, own in _INNERMOST.items() if any(isinstance(each, kind) for each in interceptors)]


def _pass_on(continuation: Any, details: Any, request: Any) -> Any:
    metadata = with_timeout_header(details.method, details.timeout, details.metadata)
    if metadata is not None:
        details = details._replace(metadata=metadata)
    if details.timeout is None:
        return continuation(details, request)
    deadline = monotonic() + details.timeout
    outcome = with_deadline(continuation(details, request), deadline)
    if isinstance(outcome, grpc.RpcError):
        correct_error(outcome, deadline)  # of a blocking call: continuations return it
    return outcome


class _UnaryUnary(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _pass_on(continuation, client_call_details, request)


class _UnaryStream(grpc.UnaryStreamClientInterceptor):
    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _pass_on(continuation, client_call_details, request)


class _StreamUnary(grpc.StreamUnaryClientInterceptor):
    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return _pass_on(continuation, client_call_details, request_iterator)


class _StreamStream(grpc.StreamStreamClientInterceptor):
    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return _pass_on(continuation, client_call_details, request_iterator)


_INNERMOST: dict[type[Any], ClientInterceptor] = {
    grpc.UnaryUnaryClientInterceptor: _UnaryUnary(),
    grpc.UnaryStreamClientInterceptor: _UnaryStream(),
    grpc.StreamUnaryClientInterceptor: _StreamUnary(),
    grpc.StreamStreamClientInterceptor: _StreamStream(),
}
