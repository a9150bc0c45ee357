"""Channels to targets, for synchronous code. `aio/_channels.py` is their twin."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from ._dialing import ChannelOptions, Dial, ways
from ._environment import Environment
from ._fallback import Fallback
from ._target import Target

ClientInterceptor = (
    grpc.UnaryUnaryClientInterceptor
    | grpc.UnaryStreamClientInterceptor
    | grpc.StreamUnaryClientInterceptor
    | grpc.StreamStreamClientInterceptor
)


def channel(
    target: Target | str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    options: ChannelOptions = (),
    connections: int = 1,
    interceptors: Sequence[ClientInterceptor] = (),
) -> grpc.Channel:
    """Opens a channel that several stubs can share: `GreeterStub(channel)`.

    Args:
        target: a mesh target, reached as `DUBBO_MESH_MODE` says, or an address to dial as it is.
        credentials: for TLS; without them the connection is in clear text, as it should be to a sidecar,
            except that a target of `https://` gets TLS, and proxyless mode what the control plane says.
        options: channel options of grpc's, over our own.
        connections: how many HTTP/2 connections the calls are spread over, in turn.
        interceptors: as for `grpc.intercept_channel`; the first one is the outermost.

    Raises:
        ConfigurationError: the environment is malformed, or lacks the address that its mode needs.
        ValueError: `connections` is not positive, or the address is none.
    """

    def connect(to: Dial) -> grpc.Channel:
        all_options = to.with_options(options)
        secured_by = to.credentials(credentials)
        if secured_by is None:
            return grpc.insecure_channel(to.address, all_options)
        return grpc.secure_channel(to.address, secured_by, all_options)

    main, backup, fallback = ways(target, Environment.read(), connections)
    opened = connect(main) if connections == 1 else SpreadChannel([connect(main) for _ in range(connections)])
    if backup is not None and fallback is not None:
        opened = FallbackChannel(opened, connect(backup), fallback)
    return grpc.intercept_channel(opened, *interceptors)


class _PickingChannel(grpc.Channel):
    """Several channels that serve as one: each call goes out on the one that `pick` gives the index of."""

    def __init__(self, channels: Sequence[grpc.Channel], pick: Callable[[], int]) -> None:
        self._channels = channels
        self.pick = pick

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _PickingCallable(self, [each.unary_unary(*args, **kwargs) for each in self._channels])

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _PickingCallable(self, [each.unary_stream(*args, **kwargs) for each in self._channels])

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _PickingCallable(self, [each.stream_unary(*args, **kwargs) for each in self._channels])

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _PickingCallable(self, [each.stream_stream(*args, **kwargs) for each in self._channels])

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        self._channels[0].subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Any) -> None:
        self._channels[0].unsubscribe(callback)

    def close(self) -> None:
        for each in self._channels:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()


class _PickingCallable:
    """A multi-callable of one rpc over several channels; holds on to what picks one, as grpc's own do."""

    def __init__(self, channel: _PickingChannel, callables: Sequence[Any]) -> None:
        self._channel = channel
        self._callables = callables

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._callables[self._channel.pick()](*args, **kwargs)

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        return self._callables[self._channel.pick()].with_call(*args, **kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Any:
        return self._callables[self._channel.pick()].future(*args, **kwargs)


class SpreadChannel(_PickingChannel):
    """Calls go over the channels in turn."""

    def __init__(self, channels: Sequence[grpc.Channel]) -> None:
        super().__init__(channels, itertools.cycle(range(len(channels))).__next__)


class FallbackChannel(_PickingChannel):
    """Calls go over the main channel, or over the backup while `fallback` says so."""

    def __init__(self, main: grpc.Channel, backup: grpc.Channel, fallback: Fallback) -> None:
        super().__init__((main, backup), fallback.taken)
        # Not the channel itself: what is subscribed to it must not keep it from being collected.
        held_weakly = weakref.ref(main)

        def observe(state: grpc.ChannelConnectivity) -> None:
            fallback.observe(state)
            channel = held_weakly()
            if state is grpc.ChannelConnectivity.IDLE and channel is not None:
                # Do not wait for a call to find out that the sidecar is gone. grpc connects for a subscriber.
                channel.subscribe(_do_nothing, try_to_connect=True)
                channel.unsubscribe(_do_nothing)

        self._observe = observe
        main.subscribe(observe, try_to_connect=True)

    def close(self) -> None:
        self.unsubscribe(self._observe)
        super().close()


def _do_nothing(_: grpc.ChannelConnectivity) -> None:
    """A subscriber that only wants the connection."""
