"""`generate --watch`: generates again whenever something that determines the output changes.

Files are polled, which works the same on each system, in containers and on network file systems, and needs no
further dependency.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..console import print_error, print_status
from ..errors import GenerationError
from .progress import Progress
from .run import update
from .settings import shown
from .walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path
    from types import FrameType

    from .run import Outcome
    from .settings import Settings

_PAUSE = (0.25, 5.0)  # seconds between two checks, at least and at most
_SHARE = 0.1  # the share of one CPU that checks may take; large trees are checked less often
_BURST = 0.1  # seconds without a change after which a burst of changes is over
_LONGEST_BURST = 2.0  # seconds after which a run starts even if files go on changing

_State: TypeAlias = "dict[Path, tuple[int, int, int]]"
"""The modification time (ns), size (bytes) and inode of each file that exists."""


class _Watched(NamedTuple):
    """Files that a run depends on.

    Attributes:
        files: files, which need not exist.
        directories: directories, of which the protos count.
    """

    files: tuple[Path, ...] = ()
    directories: tuple[Path, ...] = ()

    def look(self) -> _State:
        """The present state."""
        state: _State = {}
        for path in self._paths():
            with contextlib.suppress(OSError):  # it does not exist, or no longer does
                found = path.stat()
                state[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
        return state

    def _paths(self) -> Iterator[Path]:
        yield from self.files
        for top in self.directories:
            for directory, names in walk(top):
                yield from (directory / name for name in names if name.endswith(".proto"))


def watch(project: Path, read: Callable[[], Settings], *, overwrite: bool) -> int:
    """Generates, and again after each change, until SIGINT (Ctrl-C) or SIGTERM ends it.

    Args:
        project: the directory of pyproject.toml.
        read: reads the settings; called for each run.
        overwrite: see `update`.

    Returns:
        The exit status: 0, since there is no other way to end it.
    """
    with contextlib.suppress(KeyboardInterrupt), _sigterm_interrupts():
        _watch(_Watched((project / "pyproject.toml",)), read, overwrite=overwrite)
    print_status("stopped watching")
    return 0


def _watch(pyproject: _Watched, read: Callable[[], Settings], *, overwrite: bool) -> None:
    configured, imported = _Watched(), _Watched()
    announced = ""
    while True:
        # The state is taken before files are read, so that a change during a run leads to another run.
        before = {**pyproject.look(), **configured.look()}
        settings = _settings(read)
        if settings is not None:
            configured = _Watched(settings.parameter_files, (*settings.roots, *settings.import_path))
        before = {**configured.look(), **before}
        if settings is not None:
            outcome = _update(settings, overwrite=overwrite)
            if outcome is not None:
                imported = _Watched(tuple(_outside(outcome.inputs, configured)))
        everything = _Watched((*pyproject.files, *configured.files, *imported.files), configured.directories)
        announcement = _described(pyproject, configured)
        if announcement != announced:
            print_status(announcement)
            announced = announcement
        print_status(_summary(_wait_for_change(everything, {**imported.look(), **before})))


def _settings(read: Callable[[], Settings]) -> Settings | None:
    """The settings; None after printing their errors."""
    try:
        return read()
    except GenerationError as error:
        print_error(error)
        return None


def _update(settings: Settings, *, overwrite: bool) -> Outcome | None:
    """Generates, and prints a summary; returns None after printing errors."""
    try:
        outcome = update(settings, Progress(sys.stderr), overwrite=overwrite)
    except GenerationError as error:
        print_error(error)
        return None
    for line in (*outcome.warnings, outcome.summary):
        print_status(line)
    return outcome


def _outside(files: Iterable[Path], watched: _Watched) -> Iterator[Path]:
    """The files that are not watched already: imports from installed distributions."""
    for file in files:
        if file not in watched.files and not any(map(file.is_relative_to, watched.directories)):
            yield file


def _described(pyproject: _Watched, configured: _Watched) -> str:
    names = [shown(path) for path in (*configured.directories, *configured.files, *pyproject.files)]
    return f"watching {', '.join(names)}; press Ctrl-C to stop"


def _summary(changed: list[Path]) -> str:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{shown(changed[0])}{more} changed"


def _wait_for_change(watched: _Watched, before: _State) -> list[Path]:
    """Waits for a change, and for the end of a burst of changes; returns the files."""
    pause = _PAUSE[0]
    while True:
        time.sleep(pause)
        began = time.monotonic()
        now = watched.look()
        pause = min(max(_PAUSE[0], (time.monotonic() - began) / _SHARE), _PAUSE[1])
        if now == before:
            continue
        # Editors write to another file and rename it, and several files are saved or checked out at once.
        while time.monotonic() - began < _LONGEST_BURST:
            time.sleep(_BURST)
            last, now = now, watched.look()
            if now == last:
                break
        changed = sorted(path for path in now.keys() | before if now.get(path) != before.get(path))
        if changed:
            return changed


@contextlib.contextmanager
def _sigterm_interrupts() -> Generator[None]:
    """Lets SIGTERM end the body of the `with` block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
