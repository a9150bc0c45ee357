"""The rpcs of an async stub. `callables.py` is the twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import grpc.aio

from .._contract.envoy_headers import EnvoyHeaders
from .aio_calls import with_deadline
from .aio_metadata import LazyMetadata
from .outgoing import AnnouncingPlan
from .plan import CallMetadata, CallPlan, given

Request = TypeVar("Request")
Response = TypeVar("Response")

if TYPE_CHECKING:
    from grpc.aio import StreamStreamMultiCallable, StreamUnaryMultiCallable
else:
    from .generic import generic

    # The other two are generic at run time too, in all releases; these not in grpcio 1.80 and before.
    StreamUnaryMultiCallable = generic(grpc.aio.StreamUnaryMultiCallable)
    StreamStreamMultiCallable = generic(grpc.aio.StreamStreamMultiCallable)


def _finished(call: Any, owned: grpc.aio.Channel | None, deadline: float | None) -> Any:
    """`call` as the caller gets it.

    It keeps its stub's own channel, which would close if the stub were dropped during the call.
    """
    if owned is not None:
        call._dubbo_mesh_channel = owned
    return call if deadline is None else with_deadline(call, deadline)


class _Callable:
    """What the callables of all shapes share."""

    def __init__(self, inner: Any, plan: CallPlan | AnnouncingPlan, owned: grpc.aio.Channel | None) -> None:
        self._inner = inner
        self._resolve = plan.resolve
        self._owned = owned

    def _call(
        self,
        request: Any,
        timeout: float | None,
        metadata: CallMetadata | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
        envoy: EnvoyHeaders | None,
    ) -> Any:
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        call = self._inner(request, timeout=timeout, metadata=headers and LazyMetadata(headers), **more)
        return _finished(call, self._owned, None if timeout is None else started + timeout)


class UnaryUnary(_Callable, grpc.aio.UnaryUnaryMultiCallable[Request, Response]):
    """Calls a unary-unary rpc."""

    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        envoy: EnvoyHeaders | None = None,
    ) -> grpc.aio.UnaryUnaryCall[Request, Response]:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        call: grpc.aio.UnaryUnaryCall[Request, Response]
        call = self._call(request, timeout, metadata, credentials, wait_for_ready, compression, envoy)
        return call


class UnaryStream(_Callable, grpc.aio.UnaryStreamMultiCallable[Request, Response]):
    """Calls a unary-stream rpc."""

    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        envoy: EnvoyHeaders | None = None,
    ) -> grpc.aio.UnaryStreamCall[Request, Response]:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        call: grpc.aio.UnaryStreamCall[Request, Response]
        call = self._call(request, timeout, metadata, credentials, wait_for_ready, compression, envoy)
        return call


class StreamUnary(_Callable, StreamUnaryMultiCallable[Request, Response]):
    """Calls a stream-unary rpc."""

    def __call__(
        self,
        request_iterator: AsyncIterator[Request] | Iterator[Request] | None = None,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> grpc.aio.StreamUnaryCall[Request, Response]:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        call: grpc.aio.StreamUnaryCall[Request, Response]
        call = self._call(
            request_iterator, timeout, metadata, credentials, wait_for_ready, compression, envoy
        )
        return call


class StreamStream(_Callable, StreamStreamMultiCallable[Request, Response]):
    """Calls a stream-stream rpc."""

    def __call__(
        self,
        request_iterator: AsyncIterator[Request] | Iterator[Request] | None = None,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> grpc.aio.StreamStreamCall[Request, Response]:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        call: grpc.aio.StreamStreamCall[Request, Response]
        call = self._call(
            request_iterator, timeout, metadata, credentials, wait_for_ready, compression, envoy
        )
        return call


SHAPES: dict[tuple[bool, bool], type[_Callable]] = {
    (False, False): UnaryUnary,
    (False, True): UnaryStream,
    (True, False): StreamUnary,
    (True, True): StreamStream,
}
"""By (client streaming, server streaming)."""
