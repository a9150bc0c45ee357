"""Shows that a long run is making progress."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Generator

_AT_A_TERMINAL = 1.0  # seconds between updates of one line
_IN_A_LOG = 15.0  # seconds between lines


class Progress:
    """Reports stages of work that take longer than a moment; in ASCII, for any terminal.

    Args:
        stream: where to write, such as standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()
        self._interval = _AT_A_TERMINAL if self._rewrites else _IN_A_LOG

    @contextlib.contextmanager
    def stage(self, what: str) -> Generator[None]:
        """Reports on the body of the `with` block, described by `what`, and the time that it has taken."""
        done = threading.Event()
        reporter = threading.Thread(target=self._report, args=(what, done), daemon=True)
        reporter.start()
        try:
            yield
        finally:
            done.set()
            reporter.join()

    def _report(self, what: str, done: threading.Event) -> None:
        began = time.monotonic()
        line = ""
        with contextlib.suppress(OSError):  # nobody reads it any more; the work goes on
            while not done.wait(self._interval):
                line = f"{what} ... {time.monotonic() - began:.0f} s"
                self._write(f"\r{line}" if self._rewrites else f"{line}\n")
            if line and self._rewrites:
                self._write(f"\r{' ' * len(line)}\r")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
