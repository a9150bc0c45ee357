"""Main and backup, the proposal's third mode: when calls go past the sidecar, and when through it again.

The way of a call is settled before it starts, and a call that has started is never sent again: what it may
have done, it has done once.
"""

from __future__ import annotations

import logging
import threading
import time

import grpc

_log = logging.getLogger("dubbo_mesh")

_TRYING = frozenset({grpc.ChannelConnectivity.CONNECTING, grpc.ChannelConnectivity.TRANSIENT_FAILURE})


class Fallback:
    """Watches one connection to the sidecar.

    Args:
        what: the provider, for the log.
        mode: of the backup, for the log.
        after: seconds that the sidecar must have been out of reach before the backup is taken.
    """

    def __init__(self, what: str, mode: str, after: float) -> None:
        self._what = what
        self._mode = mode
        self._after = after
        self._lock = threading.Lock()
        self._unreachable_since: float | None = None
        self._taken = False

    def observe(self, state: grpc.ChannelConnectivity) -> None:
        """Takes note of the connection's state, which must be told of each change.

        The sidecar is out of reach from the first attempt to connect until one succeeds. An attempt may
        also hang: a sidecar that accepts connections without serving them is as good as none.
        """
        with self._lock:
            if state is grpc.ChannelConnectivity.READY:
                self._unreachable_since = None
                if self._taken:
                    self._taken = False
                    _log.warning("the sidecar is back: calls to %s go through it again", self._what)
            elif state in _TRYING and self._unreachable_since is None:
                self._unreachable_since = time.monotonic()

    def taken(self) -> bool:
        """Whether a call that starts now takes the backup."""
        since = self._unreachable_since
        if since is None:
            return False
        if not self._taken and time.monotonic() - since >= self._after:
            with self._lock:
                if self._unreachable_since is not None and not self._taken:
                    self._taken = True
                    _log.warning(
                        "the sidecar has been out of reach for %g s: calls to %s go %s until it is back",
                        self._after,
                        self._what,
                        self._mode,
                    )
        return self._taken
