"""Standard output and error, as people at any terminal can read them.

Characters that the terminal's encoding lacks are escaped. So are, by `printable`, those with which a name or
a comment in a proto could steer the terminal or disguise what it shows: control characters and overrides of
the writing direction.
"""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING

from .errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .errors import GenerationError

_INTERRUPTED = 130  # the status of programs that Ctrl-C ended, for shells: 128 + SIGINT
_BLANK = re.compile(r"([\t\n])")
_NO_READER = 141  # likewise, 128 + SIGPIPE, as `git diff | head` has


def run_for_people(arguments: list[str]) -> int:
    """Runs the command line; returns the exit status. Nothing about the streams causes a traceback."""
    _prepare()
    try:
        status = _status(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _discard()
        return _NO_READER
    except OSError as error:
        if error.filename is not None:
            raise
        _discard()
        say(f"cannot write to standard output: {error.strerror}")
        return 1
    return status


def say(line: str) -> None:
    """Writes a line to standard error."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()


def complain(error: GenerationError) -> None:
    """Writes an error in the user's input to standard error: a line, or several of protoc's."""
    for line in str(error).split("\n"):
        say(line)


def show(lines: Iterable[str]) -> None:
    """Writes text with newlines and tabs to standard output."""
    for line in lines:
        sys.stdout.write("".join(map(_printable_or_blank, _BLANK.split(line))))


def _printable_or_blank(text: str) -> str:
    return text if _BLANK.fullmatch(text) else printable(text)


def _status(arguments: list[str]) -> int:
    from .cli import answer

    try:
        return answer(arguments)
    except SystemExit as stop:  # argparse printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else 0


def _prepare() -> None:
    if not sys.stdout:  # it is closed
        sys.stdout = io.StringIO()
    if not sys.stderr:
        sys.stderr = io.StringIO()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # standard error always does that


def _discard() -> None:
    """Sends what is still buffered nowhere: Python would fail to write it once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
