"""Channels to targets, for synchronous code. `aio/_channels.py` is their twin."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from .._addressing.dialing import ChannelOptions, Dial, ways
from .._addressing.environment import Environment
from .._addressing.fallback import Fallback
from .._contract.target import Target

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
    """Calls go over the main channel, or over the backup while `fallback` says so.

    grpc has a thread that watches the main channel for us. It must have ended when that channel is closed:
    otherwise it fails in public.
    """

    def __init__(self, main: grpc.Channel, backup: grpc.Channel, fallback: Fallback) -> None:
        super().__init__((main, backup), fallback.taken)
        self._watch = _Watch(main, fallback)
        # A channel that is dropped is not closed, as calls may be under way.
        self._dropped = weakref.finalize(self, self._watch.drop)
        self._dropped.atexit = False

    def close(self) -> None:
        if self._dropped.detach():
            self._watch.end()
        super().close()


class _Watch:
    """Tells a fallback of a channel's states, and sees to it that a lost connection is sought again.

    Without it, grpc would wait for a call to find out that the sidecar is gone.

    It holds on to the channel, and grpc's thread to it, on purpose: a channel that goes at the end of the
    interpreter would wait forever for the thread, which is frozen by then.
    """

    def __init__(self, channel: grpc.Channel, fallback: Fallback) -> None:
        self._channel = channel
        self._fallback = fallback
        self._has_tried = False
        self._ends_in = _TURN
        channel.subscribe(self._observe, try_to_connect=True)

    def _observe(self, state: grpc.ChannelConnectivity) -> None:
        self._fallback.observe(state)
        if state is not grpc.ChannelConnectivity.IDLE:
            self._has_tried = True
        elif self._has_tried:
            # grpc connects for a new subscriber.
            self._ends_in = 2 * _TURN
            self._channel.subscribe(_do_nothing, try_to_connect=True)
            self._channel.unsubscribe(_do_nothing)

    def end(self) -> None:
        """Ends the watch, and waits until grpc's thread has noticed."""
        self._channel.unsubscribe(self._observe)
        time.sleep(self._ends_in)

    def drop(self) -> None:
        """Ends the watch; holds on to the channel until grpc's thread has noticed."""
        self._channel.unsubscribe(self._observe)
        threading.Timer(self._ends_in, _do_nothing, (self._channel,)).start()


_TURN = 0.25
"""Seconds; grpc's watching thread looks every 0.2 s whether somebody is still subscribed."""


def _do_nothing(_: object) -> None:
    """A subscriber that only wants the connection; a timer that only holds on to something."""
