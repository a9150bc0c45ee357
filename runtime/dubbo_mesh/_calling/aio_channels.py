"""Channels to targets, for asyncio. `../_channels.py` is their twin."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from .._addressing.dialing import ChannelOptions, Dial, ways
from .._addressing.environment import Environment
from .._addressing.fallback import Fallback
from .._contract.target import Target

_WATCH_INTERVAL = 0.2
"""Seconds between two looks at the connection to the sidecar; what grpc's own subscriptions take."""


def channel(
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    options: ChannelOptions = (),
    connections: int = 1,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """Opens a channel that several async stubs can share: `GreeterAsyncStub(channel)`.

    Args:
        target: a mesh target, reached as `DUBBO_MESH_MODE` says, or an address to dial as it is.
        credentials: for TLS; without them the connection is in clear text, as it should be to a sidecar,
            except that a target of `https://` gets TLS, and proxyless mode what the control plane says.
        options: channel options of grpc's, over our own.
        connections: how many HTTP/2 connections the calls are spread over, in turn.
        interceptors: as for `grpc.aio.insecure_channel`; the first one is the outermost.

    Raises:
        ConfigurationError: the environment is malformed, or lacks the address that its mode needs.
        ValueError: `connections` is not positive, or the address is none.
        RuntimeError: no event loop is running: the channel belongs to the one it is made in.
    """

    def connect(to: Dial) -> grpc.aio.Channel:
        all_options = to.with_options(options)
        secured_by = to.credentials(credentials)
        if secured_by is None:
            return grpc.aio.insecure_channel(to.address, all_options, interceptors=interceptors)
        return grpc.aio.secure_channel(to.address, secured_by, all_options, interceptors=interceptors)

    loop = asyncio.get_running_loop()
    main, backup, fallback = ways(target, Environment.read(), connections)
    opened = connect(main) if connections == 1 else SpreadChannel([connect(main) for _ in range(connections)])
    if backup is None or fallback is None:
        return opened
    return FallbackChannel(opened, connect(backup), fallback, loop)


class _PickingChannel(grpc.aio.Channel):
    """Several channels that serve as one: each call goes out on the one that `pick` gives the index of."""

    def __init__(self, channels: Sequence[grpc.aio.Channel], pick: Callable[[], int]) -> None:
        self._channels = channels
        self._pick = pick

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._picking([each.unary_unary(*args, **kwargs) for each in self._channels])

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._picking([each.unary_stream(*args, **kwargs) for each in self._channels])

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._picking([each.stream_unary(*args, **kwargs) for each in self._channels])

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._picking([each.stream_stream(*args, **kwargs) for each in self._channels])

    def _picking(self, callables: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
        pick = self._pick

        def call(*args: Any, **kwargs: Any) -> Any:
            return callables[pick()](*args, **kwargs)

        return call

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channels[0].get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channels[0].wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channels[0].channel_ready()

    async def close(self, grace: float | None = None) -> None:
        for each in self._channels:
            await each.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()


class SpreadChannel(_PickingChannel):
    """Calls go over the channels in turn."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        super().__init__(channels, itertools.cycle(range(len(channels))).__next__)


class FallbackChannel(_PickingChannel):
    """Calls go over the main channel, or over the backup while `fallback` says so."""

    def __init__(
        self,
        main: grpc.aio.Channel,
        backup: grpc.aio.Channel,
        fallback: Fallback,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__((main, backup), fallback.taken)
        self._fallback = fallback
        self._loop = loop
        self._watch()

    def _watch(self) -> None:
        # Not by `wait_for_state_change`: who waits keeps the channel from being collected.
        self._fallback.observe(self.get_state(try_to_connect=True))
        self._timer = self._loop.call_later(_WATCH_INTERVAL, _call, weakref.WeakMethod(self._watch))

    async def close(self, grace: float | None = None) -> None:
        self._timer.cancel()
        await super().close(grace)


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    held = method()
    if held is not None:
        held()
