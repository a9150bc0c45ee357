"""Standard output and error, whether they are a terminal, a file or a pipe."""

from __future__ import annotations

import argparse
import codecs
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn

_INTERRUPTED = 130  # the status of programs that Ctrl-C ended, for shells: 128 + SIGINT
_NO_READER = 141  # likewise, 128 + SIGPIPE, as `git diff | head` has
_TERMINATED = 143  # likewise, 128 + SIGTERM


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came. As for Ctrl-C, no code that handles errors handles it."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with status 2."""
        self.exit(2, f"{self.prog}: error: {printable(message)}: see --help\n")


_SIMPLER = str.maketrans({"“": '"', "”": '"', "…": "..."})


def _simpler(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replaces what an encoding lacks: typographic marks by those of ASCII, and the rest by escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return text.translate(_SIMPLER).encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error("dubbo_mesh.simpler", _simpler)


def run(command: Callable[[], int]) -> int:
    """Runs a command; returns its exit status. Streams that are closed or full cause no traceback."""
    _prepare()
    try:
        with _terminable():
            status = _status(command)
        sys.stdout.flush()
    except TerminatedError:
        return _TERMINATED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _discard()
        return _NO_READER
    except OSError as error:
        if error.filename is not None:
            raise
        _discard()
        sys.stderr.write(f"cannot write to standard output: {error.strerror}\n")
        return 1
    return status


def printable(text: str) -> str:
    """`text` on one line, with characters that are not printable (newlines, bidi overrides) escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


@contextmanager
def _terminable() -> Generator[None]:
    """Ends on SIGTERM. Linux ignores it for the first process of a container, unless that handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(*_: object) -> NoReturn:
        raise TerminatedError

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _status(command: Callable[[], int]) -> int:
    try:
        return command()
    except SystemExit as stop:  # argparse printed help, or what is wrong
        return stop.code if isinstance(stop.code, int) else 0


def _prepare() -> None:
    if not sys.stdout:  # it is closed
        sys.stdout = io.StringIO()
    if not sys.stderr:
        sys.stderr = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="dubbo_mesh.simpler")


def _discard() -> None:
    """Discards what is still buffered, which Python would try to write once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
