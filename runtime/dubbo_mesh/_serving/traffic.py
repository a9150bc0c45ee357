"""How a server's handlers are to treat calls at this point of its life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Traffic:
    """The little that handlers know of their server's life; set by the lifecycle, read for each call.

    Attributes:
        held: whether the server does not serve yet: calls wait until it does, as they would wait for a
            port that is not yet listened on. Health checks and reflection do not.
        refused: whether a server that is held will never serve: its calls end as UNAVAILABLE, those that
            were waiting and those that still come.
        leaving: whether the server drains: responses are marked, and calls counted as traffic that has yet
            to go elsewhere.
        last_call: when a call last came while the server was leaving, by `time.monotonic`; None if none has.
    """

    __slots__ = ("_lock", "_waiting", "held", "last_call", "leaving", "refused")

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.refused = False
        self.leaving = False
        self.last_call: float | None = None
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def release(self, *, refused: bool = False) -> None:
        """Lets held calls go on, or end as UNAVAILABLE if `refused`. Does nothing the second time."""
        with self._lock:
            if not self.held or self.refused:
                return
            self.refused = refused
            self.held = refused
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def when_released(self, call: Callable[[], None]) -> None:
        """Calls `call`, on any thread, when calls need not wait any longer; at once if they need not."""
        with self._lock:
            if self.held and not self.refused:
                self._waiting.append(call)
                return
        call()

    def note_call(self) -> None:
        """Notes that a call has come just now."""
        self.last_call = time.monotonic()
