"""Stubs and their callables, for synchronous code. `aio/_stub.py` is their twin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

import grpc

from .._addressing.dialing import ChannelOptions
from .._addressing.environment import Environment
from .._contract.envoy_headers import EnvoyHeaders
from .._contract.service import Service
from .._contract.target import Target
from .channels import ClientInterceptor
from .channels import channel as open_channel
from .deadline import DeadlineCall, DeadlineExceeded, hit_deadline, watched
from .plan import CallPlan, plans

Request = TypeVar("Request")
Response = TypeVar("Response")
AsyncTwin = TypeVar("AsyncTwin")
Attribute = TypeVar("Attribute")

_WatchedFuture: Any = DeadlineCall  # a future by its methods, and to grpc's registry

CallMetadata = Iterable[tuple[str, str | bytes]]

if TYPE_CHECKING:
    from grpc import (
        StreamStreamMultiCallable,
        StreamUnaryMultiCallable,
        UnaryStreamMultiCallable,
        UnaryUnaryMultiCallable,
    )

    # types-grpcio has no public names for these.
    from grpc import _CallFuture as CallFuture  # pyright: ignore[reportPrivateUsage]
    from grpc import _CallIterator as CallIterator  # pyright: ignore[reportPrivateUsage]
else:

    def _generic(base: type) -> type:
        """`base`, which is generic for type checkers only, to be subscripted at run time too."""
        return type(base.__name__, (base,), {"__class_getitem__": classmethod(lambda cls, _: cls)})

    UnaryUnaryMultiCallable = _generic(grpc.UnaryUnaryMultiCallable)
    UnaryStreamMultiCallable = _generic(grpc.UnaryStreamMultiCallable)
    StreamUnaryMultiCallable = _generic(grpc.StreamUnaryMultiCallable)
    StreamStreamMultiCallable = _generic(grpc.StreamStreamMultiCallable)


class SyncStub:
    """A stub; the generated subclass declares the rpcs.

    With a channel the stub uses it. Without one it dials its service's own mesh address, owns that channel,
    and closes it at the end of a `with` block or when neither the stub nor a call of its is in use any more.

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

    def __init__(
        self,
        channel: grpc.Channel | None = None,
        *,
        target: Target | str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: ChannelOptions = (),
        envoy: EnvoyHeaders | None = None,
        connections: int = 1,
        interceptors: Sequence[ClientInterceptor] = (),
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
        elif isinstance(channel, grpc.aio.Channel):
            raise TypeError(f"{type(self).__name__} has no async twin: give it a grpc.Channel")
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
            self.__dict__[method.attribute] = callable_type(inner, plan)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.__owned is not None:
            self.__owned.close()


class Stub(SyncStub, Generic[AsyncTwin]):
    """A stub that has an async twin: given a channel of `grpc.aio`, as protoc's may be, it is the twin."""

    __async_stub__: ClassVar[type[Any]]

    @overload
    def __new__(
        cls,
        channel: grpc.Channel | None = None,
        *,
        target: Target | str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        options: ChannelOptions = (),
        envoy: EnvoyHeaders | None = None,
        connections: int = 1,
        interceptors: Sequence[ClientInterceptor] = (),
    ) -> Self: ...
    @overload
    def __new__(  # type: ignore[misc]  # it is no subtype: that is the point
        cls, channel: grpc.aio.Channel, *, envoy: EnvoyHeaders | None = None
    ) -> AsyncTwin: ...
    def __new__(  # pyright: ignore[reportInconsistentConstructor]  # the overloads are consistent
        cls, channel: Any = None, **arguments: Any
    ) -> Any:
        """Makes the stub, or its twin if `channel` is one of `grpc.aio`."""
        if isinstance(channel, grpc.aio.Channel):
            return cls.__async_stub__(channel, **arguments)
        return super().__new__(cls)


def rpc(stub: object, attribute: str) -> Attribute:  # type: ignore[type-var]  # pyright: ignore[reportInvalidTypeVarUse]
    """The callable of one rpc of `stub`, of the type that the caller says it has.

    Generated properties of deprecated rpcs end here.
    """
    call: Attribute = stub.__dict__[attribute]
    return call


class UnaryUnary(UnaryUnaryMultiCallable[Request, Response]):
    """Calls a unary-unary rpc."""

    def __init__(self, inner: grpc.UnaryUnaryMultiCallable[Request, Response], plan: CallPlan) -> None:
        self._inner = inner
        self._settle = plan.settle

    def __call__(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> Response:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        try:
            return self._inner(request, timeout, headers, credentials, wait_for_ready, compression)
        except grpc.RpcError as error:
            if timeout is not None and hit_deadline(error, started + timeout):
                raise DeadlineExceeded(error) from error
            raise

    def with_call(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> tuple[Response, grpc.Call]:
        """As grpc's: the response and the call."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        try:
            return self._inner.with_call(request, timeout, headers, credentials, wait_for_ready, compression)
        except grpc.RpcError as error:
            if timeout is not None and hit_deadline(error, started + timeout):
                raise DeadlineExceeded(error) from error
            raise

    def future(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallFuture[Response]:
        """As grpc's: a future that is a call too."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        call = self._inner.future(request, timeout, headers, credentials, wait_for_ready, compression)
        future: CallFuture[Response]
        future = call if timeout is None else _WatchedFuture(call, started + timeout)
        return future


class UnaryStream(UnaryStreamMultiCallable[Request, Response]):
    """Calls a unary-stream rpc."""

    def __init__(self, inner: grpc.UnaryStreamMultiCallable[Request, Response], plan: CallPlan) -> None:
        self._inner = inner
        self._settle = plan.settle

    def __call__(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallIterator[Response]:
        """As grpc's: an iterator of responses that is a call too."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        call = self._inner(request, timeout, headers, credentials, wait_for_ready, compression)
        return call if timeout is None else watched(call, started + timeout)


class StreamUnary(StreamUnaryMultiCallable[Request, Response]):
    """Calls a stream-unary rpc."""

    def __init__(self, inner: grpc.StreamUnaryMultiCallable[Request, Response], plan: CallPlan) -> None:
        self._inner = inner
        self._settle = plan.settle

    def __call__(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> Response:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        try:
            return self._inner(request_iterator, timeout, headers, credentials, wait_for_ready, compression)
        except grpc.RpcError as error:
            if timeout is not None and hit_deadline(error, started + timeout):
                raise DeadlineExceeded(error) from error
            raise

    def with_call(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> tuple[Response, grpc.Call]:
        """As grpc's: the response and the call."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        try:
            return self._inner.with_call(
                request_iterator, timeout, headers, credentials, wait_for_ready, compression
            )
        except grpc.RpcError as error:
            if timeout is not None and hit_deadline(error, started + timeout):
                raise DeadlineExceeded(error) from error
            raise

    def future(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallFuture[Response]:
        """As grpc's: a future that is a call too."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        call = self._inner.future(
            request_iterator, timeout, headers, credentials, wait_for_ready, compression
        )
        future: CallFuture[Response]
        future = call if timeout is None else _WatchedFuture(call, started + timeout)
        return future


class StreamStream(StreamStreamMultiCallable[Request, Response]):
    """Calls a stream-stream rpc."""

    def __init__(self, inner: grpc.StreamStreamMultiCallable[Request, Response], plan: CallPlan) -> None:
        self._inner = inner
        self._settle = plan.settle

    def __call__(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallIterator[Response]:
        """As grpc's: an iterator of responses that is a call too."""
        timeout, headers = self._settle(timeout, metadata, envoy)
        started = monotonic()
        call = self._inner(request_iterator, timeout, headers, credentials, wait_for_ready, compression)
        return call if timeout is None else watched(call, started + timeout)


_SHAPES: dict[tuple[bool, bool], tuple[str, type[Any]]] = {
    (False, False): ("unary_unary", UnaryUnary),
    (False, True): ("unary_stream", UnaryStream),
    (True, False): ("stream_unary", StreamUnary),
    (True, True): ("stream_stream", StreamStream),
}
