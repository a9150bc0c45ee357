"""Stubs for asyncio. `stub.py` is the twin."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, ClassVar, Self

import grpc
import grpc.aio

from .._addressing.dialing import ChannelOptions
from .._addressing.environment import Environment
from .._contract.envoy_headers import EnvoyHeaders
from .._contract.service import Service
from .._contract.target import Target
from .aio_callables import SHAPES
from .aio_channels import open_channel
from .binding import bind, check_channel, services_of, target_of
from .rpcs import declare, put
from .stub import Stub as SyncTwin


class Stub:
    """An async stub; the generated subclass declares the rpcs.

    With a channel the stub uses it. Without one it dials its service's own mesh address, owns that channel,
    and closes it at the end of an `async with` block, or when neither the stub nor any of its calls is in use
    any more. As with any channel of `grpc.aio`, make it in the event loop that uses it. A class that derives
    from the stubs of several services calls them all over one channel.

    Args:
        channel: a channel to use; the arguments that say how to open one must be left out then.
        target: where to dial instead of the service's own address.
        credentials: of the channel, for TLS.
        options: grpc's channel options; they replace ours of the same name.
        envoy: what to ask of Envoy with each call, on top of what the methods' options ask.
        connections: the number of HTTP/2 connections to dial and spread the calls over.
        interceptors: of the channel; the first one is the outermost. Envoy is told of the deadlines that they
            set, which is not possible with a channel that you have intercepted yourself.

    Raises:
        ConfigurationError: the address of the service is not known, or the environment is malformed.
        RuntimeError: a channel is to be opened, but no event loop is running.
        TypeError: an argument has the wrong type, or the class has two services with an rpc of the same name.
    """

    __mesh__: ClassVar[Service]

    def __init_subclass__(cls, *, twin: type[SyncTwin[Any]] | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        declare(cls, SHAPES)
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
        stub = type(self)
        services = services_of(stub)
        environment = Environment.read()
        owned = None
        if channel is None:
            channel = owned = open_channel(
                f"{stub.__name__}()",
                environment,
                target_of(stub, services) if target is None else target,
                credentials=credentials,
                options=options,
                connections=connections,
                interceptors=interceptors,
            )
        elif isinstance(channel, grpc.Channel):
            raise TypeError(f"{stub.__name__} needs a channel of grpc.aio, not a grpc.Channel")
        else:
            opening = target is not None or credentials is not None or connections != 1
            check_channel(channel, opening=bool(opening or options or interceptors))
        self.__owned = owned
        for rpc in bind(services, channel, envoy, environment):
            put(self, rpc.method.attribute, SHAPES[rpc.shape](rpc.inner, rpc.plan, owned))

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
