"""Waiting, with a deadline, for a condition that nobody announces."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, what: str, timeout: float = 10.0, interval: float = 0.02) -> T:
    """Calls `condition` until its result is true, and returns that.

    Args:
        condition: Asked at once, then every `interval`.
        what: What is waited for, for the error: "the provider is healthy".
        timeout: Seconds after which to give up.
        interval: Seconds between two questions.

    Raises:
        TimeoutError: The condition did not hold in time; the message has its last result.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s until {what}; last seen: {result!r}")
        time.sleep(interval)
    return result
