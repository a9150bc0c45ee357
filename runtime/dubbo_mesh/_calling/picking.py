"""Several channels that serve as one, for synchronous code. `aio_picking.py` is the twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

from .._addressing.dialing import Way
from .._addressing.fallback import Fallback
from .headers import for_backup
from .watch import Lease

if TYPE_CHECKING:
    _UnaryUnaryBase = grpc.UnaryUnaryMultiCallable[Any, Any]
    _UnaryStreamBase = grpc.UnaryStreamMultiCallable[Any, Any]
    _StreamUnaryBase = grpc.StreamUnaryMultiCallable[Any, Any]
    _StreamStreamBase = grpc.StreamStreamMultiCallable[Any, Any]
else:  # they are generic for type checkers only
    _UnaryUnaryBase = grpc.UnaryUnaryMultiCallable
    _UnaryStreamBase = grpc.UnaryStreamMultiCallable
    _StreamUnaryBase = grpc.StreamUnaryMultiCallable
    _StreamStreamBase = grpc.StreamStreamMultiCallable


class PickingChannel(grpc.Channel):
    """Several channels that serve as one: `pick` gives the index of the one that the next call goes out on.

    Args:
        channels: the channels; a subscription is one to the first.
        pick: gives an index.
        backup_way: how the second one was dialled, if it is the backup of the first.
    """

    def __init__(
        self, channels: Sequence[grpc.Channel], pick: Callable[[], int], backup_way: Way | None = None
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


class _Picking:
    """A callable of one rpc over several channels; it keeps their channel open, as grpc's own do."""

    def __init__(self, channel: PickingChannel, callables: Sequence[Any]) -> None:
        self._channel = channel
        self._callables = callables

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        index, args, kwargs = self._channel.for_next_call(args, kwargs)
        return self._callables[index](*args, **kwargs)


class _PickingUnary(_Picking):
    """One with a single response."""

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        index, args, kwargs = self._channel.for_next_call(args, kwargs)
        return self._callables[index].with_call(*args, **kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Any:
        index, args, kwargs = self._channel.for_next_call(args, kwargs)
        return self._callables[index].future(*args, **kwargs)


class _UnaryUnary(_PickingUnary, _UnaryUnaryBase):
    pass


class _UnaryStream(_Picking, _UnaryStreamBase):
    pass


class _StreamUnary(_PickingUnary, _StreamUnaryBase):
    pass


class _StreamStream(_Picking, _StreamStreamBase):
    pass


class SpreadChannel(PickingChannel):
    """Calls go over the channels in turn."""

    def __init__(self, channels: Sequence[grpc.Channel]) -> None:
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
        self, main: grpc.Channel, backup: grpc.Channel, backup_way: Way, fallback: Fallback, lease: Lease
    ) -> None:
        super().__init__((main, backup), fallback.taken, backup_way)
        self._lease = lease

    def close(self) -> None:
        self._lease.end()
        super().close()
