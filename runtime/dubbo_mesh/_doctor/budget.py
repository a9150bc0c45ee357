"""The time that all checks have together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class OutOfTimeError(Exception):
    """All checks together have taken as long as they may.

    Not an OSError, as TimeoutError is: a peer that was not asked is not one that does not answer. No check
    handles it: it becomes a finding of its own.
    """


class Budget:
    """Time that runs from when it is made.

    Args:
        seconds: how long all checks may take.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._late: type[Exception] = OutOfTimeError

    def part(self, at_most: float = float("inf")) -> Budget:
        """A budget for one step of several parts. When it is used up, `left` raises a TimeoutError.

        Args:
            at_most: seconds that the step may take.

        Raises:
            OutOfTimeError: nothing is left.
        """
        part = Budget(self.left(at_most))
        part._late = TimeoutError
        return part

    def left(self, at_most: float = float("inf")) -> float:
        """The seconds that are left for a step.

        Args:
            at_most: seconds that this step may take, so that something is left for the others.

        Raises:
            OutOfTimeError: nothing is left.
        """
        left = min(self._end - time.monotonic(), at_most)
        if left <= 0:
            raise self._late("no time is left (--timeout)")
        return left

    def run(self, step: Callable[[], _T], at_most: float = float("inf")) -> _T:
        """Runs a step that takes no timeout of its own, such as asking the resolver, on a thread.

        A step that takes too long goes on in the background, and does not keep the process from ending.

        Args:
            step: what to run.
            at_most: seconds that it may take.

        Raises:
            OutOfTimeError: nothing is left.
            TimeoutError: it took too long.
            Exception: what the step raises.
        """
        results: list[_T] = []
        errors: list[Exception] = []

        def call() -> None:
            try:
                results.append(step())
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                errors.append(error)

        seconds = self.left(at_most)
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(seconds)
        if errors:
            raise errors[0]
        if results:
            return results[0]
        raise TimeoutError(f"no answer within {seconds:.3g} s")
