"""Several channels that serve as one, for asyncio. `picking.py` is the twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio

from .._addressing.dialing import Way
from .._addressing.fallback import Fallback
from .aio_watch import Lease
from .headers import for_backup

if TYPE_CHECKING:
    _UnaryUnaryBase = grpc.aio.UnaryUnaryMultiCallable[Any, Any]
    _UnaryStreamBase = grpc.aio.UnaryStreamMultiCallable[Any, Any]
    _StreamUnaryBase = grpc.aio.StreamUnaryMultiCallable[Any, Any]
    _StreamStreamBase = grpc.aio.StreamStreamMultiCallable[Any, Any]
else:  # not all of them are generic at run time
    _UnaryUnaryBase = grpc.aio.UnaryUnaryMultiCallable
    _UnaryStreamBase = grpc.aio.UnaryStreamMultiCallable
    _StreamUnaryBase = grpc.aio.StreamUnaryMultiCallable
    _StreamStreamBase = grpc.aio.StreamStreamMultiCallable


class PickingChannel(grpc.aio.Channel):
    """Several channels that serve as one: `pick` gives the index of the one that the next call goes out on.

    Args:
        channels: the channels; the state is the first one's.
        pick: gives an index.
        backup_way: how the second one was dialled, if it is the backup of the first.
    """

    def __init__(
        self, channels: Sequence[grpc.aio.Channel], pick: Callable[[], int], backup_way: Way | None = None
    ) -> None:
        self._channels = channels
        self._pick = pick
        self._backup_way: Way | None = backup_way

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _UnaryUnary(self, [each.unary_unary(*args, **kwargs) for each in self._channels])

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _UnaryStream(self, [each.unary_stream(*args, **kwargs) for each in self._channels])

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _StreamUnary(self, [each.stream_unary(*args, **kwargs) for each in self._channels])

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _StreamStream(self, [each.stream_stream(*args, **kwargs) for each in self._channels])

    def for_next_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[int, tuple[Any, ...], dict[str, Any]]:
        """The index of the channel for the next call, and the call's arguments."""
        index = self._pick()
        if index and self._backup_way is not None:
            args, kwargs = for_backup(self._backup_way, args, kwargs)
        return index, args, kwargs

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


class _Picking:
    """A callable of one rpc over several channels."""

    def __init__(self, channel: PickingChannel, callables: Sequence[Any]) -> None:
        self._next_call = channel.for_next_call
        self._callables = callables

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        index, args, kwargs = self._next_call(args, kwargs)
        return self._callables[index](*args, **kwargs)


class _UnaryUnary(_Picking, _UnaryUnaryBase):
    pass


class _UnaryStream(_Picking, _UnaryStreamBase):
    pass


class _StreamUnary(_Picking, _StreamUnaryBase):
    pass


class _StreamStream(_Picking, _StreamStreamBase):
    pass


class SpreadChannel(PickingChannel):
    """Calls go over the channels in turn."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        super().__init__(channels, itertools.cycle(range(len(channels))).__next__)


class FallbackChannel(PickingChannel):
    """Calls go over the main channel, or over the backup while `fallback` is taken.

    Args:
        main: the channel through the sidecar.
        backup: the one past it.
        backup_way: how that one was dialled.
        fallback: decides for each call.
        lease: of the watch that `fallback` depends on; ended when this channel is closed or dropped.
    """

    def __init__(
        self,
        main: grpc.aio.Channel,
        backup: grpc.aio.Channel,
        backup_way: Way,
        fallback: Fallback,
        lease: Lease,
    ) -> None:
        super().__init__((main, backup), fallback.taken, backup_way)
        self._lease = lease

    async def close(self, grace: float | None = None) -> None:
        self._lease.end()
        await super().close(grace)
