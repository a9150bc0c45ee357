"""Progress of long runs."""

from __future__ import annotations

import io
import os
import re
import threading

import pytest

from protoc_gen_dubbo_mesh.project import progress


class Stream(io.StringIO):
    """Standard error, with an event for writes to it."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal
        self.told = threading.Event()

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        self.told.set()


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [(True, r"(\rmessages \.\.\. \d+ s)+\r +\r"), (False, r"(messages \.\.\. \d+ s\n)+")],
    ids=["terminal", "log"],
)
def test_a_long_stage_is_reported(*, terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_AT_A_TERMINAL", 0.01)
    monkeypatch.setattr(progress, "_IN_A_LOG", 0.01)
    stream = Stream(terminal=terminal)
    with progress.Progress(stream).stage("messages"):
        assert stream.told.wait(10)
    assert re.fullmatch(shown, stream.getvalue())


def test_a_short_stage_is_not() -> None:
    stream = Stream(terminal=True)
    with progress.Progress(stream).stage("messages"):
        pass
    assert stream.getvalue() == ""


def test_a_reader_that_left_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_IN_A_LOG", 0.01)
    read, written = os.pipe()
    os.close(read)
    failed = threading.Event()

    class Pipe(Stream):
        def write(self, text: str) -> int:
            try:
                return os.write(written, text.encode())
            except BrokenPipeError:
                failed.set()
                raise

    with progress.Progress(Pipe(terminal=False)).stage("messages"):
        assert failed.wait(10)
    os.close(written)
