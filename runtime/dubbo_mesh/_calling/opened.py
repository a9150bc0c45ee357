"""What is known of a channel that a stub is given. The core of `channels` and `aio_channels`."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from .._addressing.dialing import Way


class Opened(NamedTuple):
    """How a channel was opened.

    Attributes:
        way: how it was dialled. Nothing is known of a channel that others have opened: it may lead past the
            sidecar, and so gets what any address gets.
        intercepted: whether it has interceptors, and behind them our own.
        knows_methods: whether it takes `_registered_method`, as grpc's own do.
    """

    way: Way
    intercepted: bool
    knows_methods: bool


_opened: MutableMapping[Any, Opened] = WeakKeyDictionary()


def record(channel: Any, way: Way, *, intercepted: bool) -> None:
    """Notes how we have opened a channel."""
    _opened[channel] = Opened(way, intercepted, _knows_methods(channel))


def how_opened(channel: Any) -> Opened:
    """How a channel was opened, by us or by others."""
    try:
        known = _opened.get(channel)
    except TypeError:  # it cannot be hashed, or has no weak references
        known = None
    return known or Opened("address", intercepted=False, knows_methods=_knows_methods(channel))


def _knows_methods(channel: Any) -> bool:
    # The argument is not part of the documented interface, which is all that other people's channels have.
    return type(channel).__module__.partition(".")[0] in ("grpc", "dubbo_mesh")
