"""How long calls may keep threads waiting for their peers."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import grpc

MOST_WAITING = 240
"""Calls that may wait at the same time; with one more the longest wait ends, however short it is."""

PATIENCE = 1.0
"""Seconds that a wait may last in any case, as long as no more than `MOST_WAITING` calls wait."""

_FEW = 32  # with no more calls than that a wait may last as long as it likes


class Patience:
    """Keeps peers that are slow, or mean harm, from holding all threads of a pool.

    A peer may start a call and send no request, or read no response, and on a server of `grpc` a thread then
    waits for it. When too many threads do, the call that has waited longest is cancelled.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[grpc.RpcContext, float] = {}  # since when, longest wait first

    @contextmanager
    def waiting(self, context: grpc.RpcContext) -> Generator[None, None, None]:
        """Marks the calling thread as waiting for the peer of `context`."""
        with self._lock:
            self._waiting[context] = time.monotonic()
            overdue = self._take_overdue()
        if overdue is not None:
            overdue.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(context, None)

    def _take_overdue(self) -> grpc.RpcContext | None:
        longest, since = next(iter(self._waiting.items()))
        many = len(self._waiting)
        if many <= _FEW or (many <= MOST_WAITING and time.monotonic() - since < PATIENCE):
            return None
        del self._waiting[longest]
        return longest
