"""Stubs for synchronous code. `aio_stub.py` is the twin."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import grpc

from .._addressing.dialing import ChannelOptions
from .._addressing.environment import Environment
from .._contract.envoy_headers import EnvoyHeaders
from .._contract.service import Service
from .._contract.target import Target
from .binding import bind, check_channel, defining_classes, services_of, target_of
from .callables import SHAPES, KeepingUnaryStream
from .channels import open_channel
from .interceptor import ClientInterceptor
from .rpcs import declare, put

AsyncTwin = TypeVar("AsyncTwin")


class SyncStub:
    """A stub; the generated subclass declares the rpcs.

    With a channel the stub uses it. Without one it dials its service's own mesh address, owns that channel,
    and closes it at the end of a `with` block, or when neither the stub nor any of its calls is in use any
    more. A class that derives from the stubs of several services calls them all over one channel.

    Args:
        channel: a channel to use; the arguments that say how to open one must be left out then.
        target: where to dial instead of the service's own address.
        credentials: of the channel, for TLS.
        options: grpc's channel options; they replace ours of the same name.
        envoy: what to ask of Envoy with each call, on top of what the methods' options ask.
        connections: the number of HTTP/2 connections to dial and spread the calls over.
        interceptors: of the channel; the first one is the outermost. Envoy is told of the deadlines that they
            set, which is not possible with a channel that you have intercepted yourself.
        single_threaded_streams: read server streams in the calling thread alone, which is cheaper and takes
            some methods away from their call objects: see `dubbo_mesh.channel`.

    Raises:
        ConfigurationError: the address of the service is not known, or the environment is malformed.
        TypeError: an argument has the wrong type, or the class has two services with an rpc of the same name.
    """

    __mesh__: ClassVar[Service]

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        declare(cls, SHAPES)

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
        single_threaded_streams: bool = False,
    ) -> None:
        stub = type(self)
        services = services_of(stub)
        environment = Environment.read()
        owned = None
        if channel is None:
            channel = owned = open_channel(
                environment,
                target_of(stub, services) if target is None else target,
                credentials=credentials,
                options=options,
                connections=connections,
                interceptors=interceptors,
                single_threaded_streams=single_threaded_streams,
            )
        elif isinstance(channel, grpc.aio.Channel):
            raise TypeError(_no_twin(stub))
        else:
            opening = target is not None or credentials is not None or connections != 1
            check_channel(
                channel,
                opening=bool(opening or options or interceptors or single_threaded_streams),
            )
        self.__owned = owned
        for rpc in bind(services, channel, envoy, environment):
            if owned is not None and single_threaded_streams and rpc.shape == (False, True):
                call: Any = KeepingUnaryStream(rpc.inner, rpc.plan, owned)
            else:
                call = SHAPES[rpc.shape](rpc.inner, rpc.plan)
            put(self, rpc.method.attribute, call)

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


def _no_twin(stub: type[Any]) -> str:
    """Why `stub` cannot take a channel of `grpc.aio`, and what can."""
    twins = [getattr(each, "__async_stub__", None) for each in defining_classes(stub)]
    names = [twin.__name__ for twin in twins if twin is not None]
    if len(names) < len(twins):
        return f"{stub.__name__} has no async twin: give it a grpc.Channel"
    return f"{stub.__name__} is synchronous: for a channel of grpc.aio derive a class from {', '.join(names)}"


class Stub(SyncStub, Generic[AsyncTwin]):
    """A stub that has an async twin: given a channel of `grpc.aio`, as protoc's may be, it is the twin.

    That holds for the generated class. One that is derived from it has methods that the twin lacks: for
    `grpc.aio`, derive another one from the twin.
    """

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
        single_threaded_streams: bool = False,
    ) -> Self: ...
    @overload
    def __new__(  # type: ignore[misc]  # it is no subtype: that is the point
        cls, channel: grpc.aio.Channel, *, envoy: EnvoyHeaders | None = None
    ) -> AsyncTwin: ...
    def __new__(  # pyright: ignore[reportInconsistentConstructor]  # the overloads are consistent
        cls, *args: Any, **kwargs: Any
    ) -> Any:
        """Makes the stub, or its twin if the channel is one of `grpc.aio`."""
        # The arguments of a derived class are its own business.
        if "__async_stub__" in vars(cls):
            channel = args[0] if args else kwargs.get("channel")
            if isinstance(channel, grpc.aio.Channel):
                return cls.__async_stub__(*args, **kwargs)
        return super().__new__(cls)
