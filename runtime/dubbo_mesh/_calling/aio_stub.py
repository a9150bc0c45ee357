"""Stubs and their callables, for asyncio. `../_stub.py` is their twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import grpc
import grpc.aio

from .._addressing.dialing import ChannelOptions
from .._addressing.environment import Environment
from .._contract.envoy_headers import EnvoyHeaders
from .._contract.service import Service
from .._contract.target import Target
from .aio_channels import channel as open_channel
from .aio_deadline import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from .aio_metadata import LazyMetadata
from .plan import CallPlan, plans
from .stub import CallMetadata
from .stub import Stub as SyncTwin

Request = TypeVar("Request")
Response = TypeVar("Response")

if TYPE_CHECKING:
    from grpc.aio import StreamStreamMultiCallable, StreamUnaryMultiCallable
else:
    from .stub import _generic

    # The other two are generic at run time too, in all releases; these not in grpcio 1.80 and before.
    StreamUnaryMultiCallable = _generic(grpc.aio.StreamUnaryMultiCallable)
    StreamStreamMultiCallable = _generic(grpc.aio.StreamStreamMultiCallable)


class Stub:
    """An async stub; the generated subclass declares the rpcs.

    With a channel the stub uses it. Without one it dials its service's own mesh address, owns that channel,
    and closes it at the end of an `async with` block or when neither the stub nor a call of its is in use any
    more. As with any channel of `grpc.aio`, make it in the event loop that uses it.

    Args:
        channel: a channel to use; what says how to dial one does not go with it.
        target: where to dial instead of the service's own address.
        credentials: of the channel, for TLS.
        options: channel options of grpc's, over our own.
        envoy: what to ask of Envoy with each call, over what the methods' options ask.
        connections: how many HTTP/2 connections to dial and spread the calls over.
        interceptors: of the channel; the first one is the outermost.

    Raises:
        ConfigurationError: nothing says where the service is, or the environment is malformed.
    """

    __mesh__: ClassVar[Service]

    def __init_subclass__(cls, *, twin: type[SyncTwin[Any]] | None = None) -> None:
        super().__init_subclass__()
        if twin is not None:
            twin.__async_stub__ = cls

    def __init__(
        self,
        channel: grpc.aio.Channel | None = None,
        *,
        target: Target | str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: ChannelOptions = (),
        envoy: EnvoyHeaders | None = None,
        connections: int = 1,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        service = self.__mesh__
        owned = None
        if channel is None:
            channel = owned = open_channel(
                service.target() if target is None else target,
                credentials=credentials,
                options=options,
                connections=connections,
                interceptors=interceptors,
            )
        elif not isinstance(channel, grpc.aio.Channel):
            raise TypeError(f"{type(self).__name__} needs a channel of grpc.aio")
        elif target is not None or credentials is not None or options or interceptors or connections != 1:
            raise TypeError(
                "the channel is open: target, credentials, options, connections and interceptors "
                "say how to open one"
            )
        self.__owned = owned
        for method, plan in plans(service, envoy, Environment.read()):
            open_call, callable_type = _SHAPES[method.client_streaming, method.server_streaming]
            inner = getattr(channel, open_call)(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
                _registered_method=True,
            )
            # Past __setattr__, since a deprecated rpc is a property in the class.
            self.__dict__[method.attribute] = callable_type(inner, plan, owned)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.__owned is not None:
            await self.__owned.close()


def _finished(
    call: Any, owned: grpc.aio.Channel | None, started: float, timeout: float | None, watched: type[Any]
) -> Any:
    """`call` as the caller gets it.

    It holds on to its stub's own channel, which would close when the stub is dropped mid-call; and if
    it has a deadline, its end tells the truth about that.
    """
    if owned is not None:
        vars(call)["_dubbo_mesh_channel"] = owned
    return call if timeout is None else watched(call, started + timeout)


class UnaryUnary(grpc.aio.UnaryUnaryMultiCallable[Request, Response]):
    """Calls a unary-unary rpc."""

    def __init__(
        self,
        inner: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        plan: CallPlan,
        owned: grpc.aio.Channel | None,
    ) -> None:
        self._inner = inner
        self._settle = plan.settle
        self._owned = owned

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
        timeout, headers = self._settle(timeout, metadata, envoy)
        lazy = headers and LazyMetadata(headers)
        started = monotonic()
        call = self._inner(
            request,
            timeout=timeout,
            metadata=lazy,
            credentials=credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
        )
        finished: grpc.aio.UnaryUnaryCall[Request, Response]
        finished = _finished(call, self._owned, started, timeout, UnaryUnaryCall)
        return finished


class UnaryStream(grpc.aio.UnaryStreamMultiCallable[Request, Response]):
    """Calls a unary-stream rpc."""

    def __init__(
        self,
        inner: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        plan: CallPlan,
        owned: grpc.aio.Channel | None,
    ) -> None:
        self._inner = inner
        self._settle = plan.settle
        self._owned = owned

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
        timeout, headers = self._settle(timeout, metadata, envoy)
        lazy = headers and LazyMetadata(headers)
        started = monotonic()
        call = self._inner(
            request,
            timeout=timeout,
            metadata=lazy,
            credentials=credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
        )
        finished: grpc.aio.UnaryStreamCall[Request, Response]
        finished = _finished(call, self._owned, started, timeout, UnaryStreamCall)
        return finished


class StreamUnary(StreamUnaryMultiCallable[Request, Response]):
    """Calls a stream-unary rpc."""

    def __init__(
        self,
        inner: grpc.aio.StreamUnaryMultiCallable[Request, Response],
        plan: CallPlan,
        owned: grpc.aio.Channel | None,
    ) -> None:
        self._inner = inner
        self._settle = plan.settle
        self._owned = owned

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
        timeout, headers = self._settle(timeout, metadata, envoy)
        lazy = headers and LazyMetadata(headers)
        started = monotonic()
        call = self._inner(request_iterator, timeout, lazy, credentials, wait_for_ready, compression)
        finished: grpc.aio.StreamUnaryCall[Request, Response]
        finished = _finished(call, self._owned, started, timeout, StreamUnaryCall)
        return finished


class StreamStream(StreamStreamMultiCallable[Request, Response]):
    """Calls a stream-stream rpc."""

    def __init__(
        self,
        inner: grpc.aio.StreamStreamMultiCallable[Request, Response],
        plan: CallPlan,
        owned: grpc.aio.Channel | None,
    ) -> None:
        self._inner = inner
        self._settle = plan.settle
        self._owned = owned

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
        timeout, headers = self._settle(timeout, metadata, envoy)
        lazy = headers and LazyMetadata(headers)
        started = monotonic()
        call = self._inner(request_iterator, timeout, lazy, credentials, wait_for_ready, compression)
        finished: grpc.aio.StreamStreamCall[Request, Response]
        finished = _finished(call, self._owned, started, timeout, StreamStreamCall)
        return finished


_SHAPES: dict[tuple[bool, bool], tuple[str, type[Any]]] = {
    (False, False): ("unary_unary", UnaryUnary),
    (False, True): ("unary_stream", UnaryStream),
    (True, False): ("stream_unary", StreamUnary),
    (True, True): ("stream_stream", StreamStream),
}
