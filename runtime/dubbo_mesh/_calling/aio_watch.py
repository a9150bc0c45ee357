"""Watches sidecars for async channels that have a backup: one watch for each sidecar and event loop.

`watch.py` is the twin.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Hashable, MutableMapping

import grpc.aio

from .._addressing.fallback import Reachability

_INTERVAL = 0.2
"""Seconds between two looks at the connection; what grpc's own subscriptions take."""


class _Watch:
    """Looks at a channel's state again and again, and has a lost connection sought again.

    Not by `wait_for_state_change`: that would need a task, which would have to end with the loop.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.reachability = Reachability(_do_nothing)
        self.users = 0
        self._channel: grpc.aio.Channel | None = channel
        self._look()

    def _look(self) -> None:
        if self._channel is not None:
            self.reachability.observe(self._channel.get_state(try_to_connect=True))
            asyncio.get_running_loop().call_later(_INTERVAL, self._look)

    def stop(self) -> None:
        self._channel = None  # which closes it, and ends the looking


def _do_nothing() -> None:
    """Each look has the connection sought."""


class Lease:
    """A share in the watch of one sidecar, in one event loop.

    Args:
        sidecar: identifies the sidecar: its address and what secures the connection.
        connect: opens a channel to it, for the first share.
        loop: the running event loop.

    Attributes:
        reachability: of the sidecar.
    """

    def __init__(
        self, sidecar: Hashable, connect: Callable[[], grpc.aio.Channel], loop: asyncio.AbstractEventLoop
    ) -> None:
        with _lock:
            watches = _watches.setdefault(loop, {})
            watch = watches.get(sidecar)
            if watch is None:
                watch = watches[sidecar] = _Watch(connect())
            watch.users += 1
        self.reachability = watch.reachability
        self._end = weakref.finalize(self, _leave, watches, sidecar, watch)
        self._end.atexit = False

    def end(self) -> None:
        """Gives the share back; so does dropping it. The last one ends the watch."""
        self._end()


def _leave(watches: dict[Hashable, _Watch], sidecar: Hashable, watch: _Watch) -> None:
    with _lock:
        watch.users -= 1
        if watch.users:
            return
        if watches.get(sidecar) is watch:
            del watches[sidecar]
    watch.stop()


_watches: MutableMapping[asyncio.AbstractEventLoop, dict[Hashable, _Watch]] = weakref.WeakKeyDictionary()
_lock = threading.RLock()  # the garbage collector may drop a share in any thread, at any time
