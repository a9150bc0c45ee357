"""On a real terminal: colours, progress that goes away, and a width."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

import localmesh
from tests.doctor.running import COMMAND, environment

ERASE = "\r\x1b[K"


class Terminal:
    """The end of a pseudo-terminal at which somebody sits."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.seen = ""

    def read_until(self, condition: Callable[[str], bool]) -> str:
        """All that has been written, once it fulfils a condition."""
        while not condition(self.seen):
            self.seen += self._read()
        return self.seen

    def read_all(self) -> str:
        """All that is written until the program ends."""
        while read := self._read():
            self.seen += read
        return self.seen

    def _read(self) -> str:
        try:
            return os.read(self._master, 65536).decode().replace("\r\n", "\n")
        except OSError:  # what Linux has for the end
            return ""


@contextmanager
def started(
    *arguments: str, columns: int = 100, redirected: bool = False, **variables: str
) -> Generator[tuple[subprocess.Popen[bytes], Terminal]]:
    """The doctor on a terminal, both streams or standard error only."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    others = {k: v for k, v in environment().items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [*COMMAND, "doctor", *arguments],
        stdin=slave,
        stdout=subprocess.DEVNULL if redirected else slave,
        stderr=slave,
        env=others | {"TERM": "xterm", "DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_PROBES": "off"} | variables,
    )
    os.close(slave)
    try:
        yield process, Terminal(master)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_progress_is_shown_and_gone_in_the_end() -> None:
    with started("Bad\x1bname") as (process, terminal):
        seen = terminal.read_all()
    assert process.returncode == 1
    progress, _, page = seen.rpartition(ERASE)
    assert progress.startswith(f"{ERASE}checked: environment")
    assert f"{ERASE}checked: dial Bad\\x1bname" in progress
    assert page.startswith("\x1b[1mthis process\x1b[0m\n  \x1b[32mok\x1b[0m       environment  mode")
    assert "\x1b[31mfailed\x1b[0m   dial         DM104 " in page


def test_lines_fit_the_terminal() -> None:
    with started("Bad", columns=60, NO_COLOR="1") as (_, terminal):
        seen = terminal.read_all()
    page = seen.rpartition(ERASE)[2]
    assert "\x1b" not in page
    assert max(map(len, page.splitlines())) <= 60


def test_a_dumb_terminal_gets_no_escape_sequences() -> None:
    with started("Bad", TERM="dumb") as (_, terminal):
        seen = terminal.read_all()
    assert "\x1b" not in seen
    assert seen.startswith("this process\n")


@pytest.mark.parametrize("interrupted", [False, True])
def test_waiting_is_one_line_that_is_replaced(interrupted: bool) -> None:
    with (
        localmesh.ReservedPort() as nobody,
        started(
            "--server", nobody.address, "--wait", "60" if interrupted else "0.1", columns=50, redirected=True
        ) as (process, terminal),
    ):
        seen = terminal.read_until(lambda seen: "left, waiting: DM401" in seen)
        if interrupted:
            process.send_signal(signal.SIGINT)
        seen = terminal.read_all()
    assert process.returncode == (130 if interrupted else 1)
    assert "\n" not in seen
    assert seen.endswith(ERASE)
    assert max(map(len, seen.split(ERASE))) < 50
