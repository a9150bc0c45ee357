"""The time that all checks have together."""

from __future__ import annotations

import time


class Budget:
    """Time that runs from when it is made.

    Args:
        seconds: how long all checks may take.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, at_most: float = float("inf")) -> float:
        """The seconds that are left for a step.

        Args:
            at_most: seconds that this step may take, so that something is left for the others.

        Raises:
            TimeoutError: nothing is left.
        """
        left = min(self._end - time.monotonic(), at_most)
        if left <= 0:
            raise TimeoutError("no time is left (--timeout)")
        return left
