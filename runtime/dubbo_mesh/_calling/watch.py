"""Watches sidecars for channels that have a backup: one watch for each sidecar, whoever asks for it.

`aio_watch.py` is the twin.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Hashable

import grpc

from .._addressing.fallback import Reachability


class _Watch:
    """Tells of a channel's states, and sees to it that a lost connection is sought again.

    Otherwise grpc would wait for a call to find out that the sidecar is gone. grpc has a thread for the
    subscription, which ends up to 0.2 s after it. In the end the channel is dropped, not closed: closed, it
    would make that thread print a traceback.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self.reachability = Reachability()
        self.users = 0
        self._channel = channel
        self._has_tried = False
        channel.subscribe(self._observe, try_to_connect=True)

    def _observe(self, state: grpc.ChannelConnectivity) -> None:
        self.reachability.observe(state)
        if state is not grpc.ChannelConnectivity.IDLE:
            self._has_tried = True
        elif self._has_tried:
            # grpc connects for a new subscriber.
            self._channel.subscribe(_do_nothing, try_to_connect=True)
            self._channel.unsubscribe(_do_nothing)

    def stop(self) -> None:
        self._channel.unsubscribe(self._observe)


class Lease:
    """A share in the watch of one sidecar.

    Args:
        sidecar: identifies the sidecar: its address and what secures the connection.
        connect: opens a channel to it, for the first share.

    Attributes:
        reachability: of the sidecar.
    """

    def __init__(self, sidecar: Hashable, connect: Callable[[], grpc.Channel]) -> None:
        with _lock:
            watch = _watches.get(sidecar)
            if watch is None:
                watch = _watches[sidecar] = _Watch(connect())
            watch.users += 1
        self.reachability = watch.reachability
        self._end = weakref.finalize(self, _leave, sidecar, watch)
        self._end.atexit = False

    def end(self) -> None:
        """Gives the share back; so does dropping it. The last one ends the watch."""
        self._end()


def _leave(sidecar: Hashable, watch: _Watch) -> None:
    with _lock:
        watch.users -= 1
        if watch.users:
            return
        if _watches.get(sidecar) is watch:
            del _watches[sidecar]
    watch.stop()


def _do_nothing(_: object) -> None:
    """A subscriber that only wants the connection."""


_watches: dict[Hashable, _Watch] = {}
_lock = threading.RLock()  # the garbage collector may drop a share in any thread, at any time


def _start_anew() -> None:
    """A child process does not have the threads of its parent, nor their hold on the lock."""
    global _lock
    _lock = threading.RLock()
    _watches.clear()


os.register_at_fork(after_in_child=_start_anew)
