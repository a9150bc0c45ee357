"""Times at which the machine stood still, as shared ones do: what depends on timing means nothing then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

T = TypeVar("T")


class Stalls:
    """Notices, while its block runs, for how long a thread that only wakes up every 10 ms was kept from it.

    Attributes:
        longest: The longest such time, in seconds.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        over, before = False, time.monotonic()
        while not over:
            over = self._over.wait(_TICK)
            now = time.monotonic()
            self.longest = max(self.longest, now - before - _TICK)
            before = now


_TICK = 0.01


def undisturbed(run: Callable[[], T], *, within: float) -> T:
    """Runs it again while the machine stands still for `within` seconds during a run; ten times at most."""
    for _ in range(9):
        with Stalls() as stalls:
            result = run()
        if stalls.longest < within:
            return result
    return run()
