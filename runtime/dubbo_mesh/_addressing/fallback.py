"""Main and backup: when calls go past the sidecar, and when through it again.

The way of a call is decided before it starts, and a call that has started is never sent again: what it may
have done, it has done once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import grpc

from .._contract.logs import logger

_log = logger(__name__)

_TRYING = frozenset({grpc.ChannelConnectivity.CONNECTING, grpc.ChannelConnectivity.TRANSIENT_FAILURE})

RETURN_AFTER = 1.5
"""Seconds that calls stay on the backup after the sidecar is back.

Each channel reconnects by itself, at the latest after its backoff of up to a second: until then it would fail
the calls it is given.
"""


class Reachability:
    """Whether a sidecar's listener can be reached, from the states of one connection to it.

    Args:
        seek: has the connection established if it is not.

    Attributes:
        lock: held while the states change.
        lost_at: when it went out of reach, by `time.monotonic()`; None while it can be reached.
        regained_at: when it came back last, by the same clock.
        idle: whether there was no connection, nor an attempt, when the state was last observed.
    """

    def __init__(self, seek: Callable[[], None]) -> None:
        self._seek = seek
        self.lock = threading.Lock()
        self.idle = False
        self.lost_at: float | None = None
        self.regained_at = 0.0
        self._fallbacks: dict[tuple[str, str, float], Fallback] = {}

    def fallback(self, provider: str, mode: str, after: float) -> Fallback:
        """The fallback of all channels to `provider`, so that the log tells of it once.

        Args:
            provider: its name, for the log.
            mode: of the backup, for the log.
            after: seconds that the sidecar must have been out of reach before the backup is taken.
        """
        with self.lock:
            key = provider, mode, after
            if key not in self._fallbacks:
                self._fallbacks[key] = Fallback(self, provider, mode, after)
            return self._fallbacks[key]

    def observe(self, state: grpc.ChannelConnectivity) -> None:
        """Takes note of the connection's state, at each change at least.

        The sidecar is out of reach from the first attempt to connect until one succeeds. An attempt may also
        hang: a sidecar that accepts connections without serving them is as good as none.
        """
        with self.lock:
            self.idle = state is grpc.ChannelConnectivity.IDLE
            if state is grpc.ChannelConnectivity.READY:
                if self.lost_at is not None:
                    self.lost_at = None
                    self.regained_at = time.monotonic()
                    for fallback in self._fallbacks.values():
                        fallback.regained()
            elif state in _TRYING and self.lost_at is None:
                self.lost_at = time.monotonic()

    def seek(self) -> None:
        """Has an idle connection established.

        A connection that comes and goes between two looks is idle as before: nobody is told of it, and so
        nobody but the next call would seek it again.
        """
        self.idle = False
        self._seek()


class Fallback:
    """Decides for each call to one provider whether it takes the backup.

    Args:
        reachability: of the sidecar.
        provider: its name, for the log.
        mode: of the backup, for the log.
        after: seconds that the sidecar must have been out of reach before the backup is taken.
    """

    def __init__(self, reachability: Reachability, provider: str, mode: str, after: float) -> None:
        self._reachability = reachability
        self._provider = provider
        self._mode = mode
        self._after = after
        self._taken = False
        self._returning = False

    def taken(self) -> bool:
        """Whether a call that starts now takes the backup."""
        reachability = self._reachability
        if reachability.lost_at is None and not self._taken:
            if reachability.idle:
                reachability.seek()
            return False
        with reachability.lock:
            now, lost_at = time.monotonic(), reachability.lost_at
            if lost_at is None:
                if self._taken and now - reachability.regained_at >= RETURN_AFTER:
                    self._taken = self._returning = False
            elif now - lost_at >= self._after and (self._returning or not self._taken):
                self._taken, self._returning = True, False
                _log.warning(
                    "the sidecar has been out of reach for %g s: calls to %s go %s until it is back",
                    self._after,
                    self._provider,
                    self._mode,
                )
            return self._taken

    def regained(self) -> None:
        """Takes note that the sidecar is back; called with the lock of the reachability held."""
        if self._taken and not self._returning:
            self._returning = True
            _log.warning(
                "the sidecar is back: calls to %s go through it again in %g s", self._provider, RETURN_AFTER
            )
