"""Watches sidecars for channels that have a backup: one watch for each sidecar, whoever asks for it.

`aio_watch.py` is the twin.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import grpc

from .._addressing.fallback import Reachability


class _Watch:
    """Tells of a channel's states, and sees to it that a lost connection is sought again.

    Otherwise grpc would wait for a call to find out that the sidecar is gone.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self.reachability = Reachability(self._seek)
        self.users = 0
        self._channel = channel
        channel.subscribe(self._observe, try_to_connect=True)

    def _observe(self, state: grpc.ChannelConnectivity) -> None:
        self.reachability.observe(state)
        if state is grpc.ChannelConnectivity.IDLE:
            self._seek()

    def _seek(self) -> None:
        # grpc connects for a new subscriber.
        self._channel.subscribe(_do_nothing, try_to_connect=True)
        self._channel.unsubscribe(_do_nothing)

    def stop(self) -> None:
        self._channel.unsubscribe(self._observe)
        _closing.add(self._channel)


class _Closing:
    """Closes channels when they are no longer watched, on one thread that ends with the last."""

    def __init__(self) -> None:
        self._channels: list[grpc.Channel] = []
        self._running = False
        self._lock = threading.RLock()

    def add(self, channel: grpc.Channel) -> None:
        """Closes `channel`, which nobody is subscribed to any more, in a moment."""
        with self._lock:
            self._channels.append(channel)
            if not self._running:
                self._running = True
                try:
                    threading.Thread(target=self._run, name="dubbo-mesh-closing").start()
                except RuntimeError:  # the interpreter is ending, or has no threads left
                    self._running = False

    def _run(self) -> None:
        while True:
            time.sleep(_TURN)
            with self._lock:
                ended = [channel for channel in self._channels if not is_watched(channel)]
                self._channels = [channel for channel in self._channels if channel not in ended]
                self._running = bool(self._channels)
                running = self._running
            for channel in ended:
                channel.close()
            if not running:
                return


_TURN = 0.25
"""Seconds; grpc's watching thread looks every 0.2 s whether somebody is still subscribed."""


def is_watched(channel: Any) -> bool:
    """Whether a thread of grpc's watches a channel; it does so for 0.2 s after the last subscriber has left.

    A channel that is closed, or collected, before that may make the thread print a traceback.
    """
    # Where a release of grpc has no such attribute, the turn that was waited must be enough.
    return bool(getattr(getattr(channel, "_connectivity_state", None), "polling", False))


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
_closing = _Closing()
_lock = threading.RLock()  # the garbage collector may drop a share in any thread, at any time


def _start_anew() -> None:
    """A child process has none of its parent's threads, and nobody who would release their locks."""
    global _lock, _closing
    _lock, _closing = threading.RLock(), _Closing()
    for watch in _watches.values():
        watch.users += 1  # so that it never ends here: its channel is the parent's to close
    _watches.clear()


os.register_at_fork(after_in_child=_start_anew)
