"""SIGTERM and SIGINT, which a process has once, however many servers it runs.

While at least one server runs, both signals are ours; afterwards they are handled as before. Python calls a
handler only when the main thread executes bytecode, and the system may deliver a signal to any thread. So
there are two ways by which we hear of one: the handler, and the file descriptor that Python writes to at once
(`signal.set_wakeup_fd`). Whichever has heard more is right.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from .._contract.logs import logger

_log = logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

REPEAT_AFTER = 0.5
"""Seconds after the first signal until another one counts as a second: `tini -g` sends them in pairs."""

EXIT_AFTER = 2.0
"""Seconds that the main thread has to return from serving, once all servers have stopped."""

_HANDLED = 0x80  # marks what the handler writes; signal numbers are below it


class StopSignals:
    """Hears of SIGTERM and SIGINT for all servers of the process, and says how urgent it is.

    Args:
        drain: called on the first signal, on a thread of this class's own; must not block.
        stop: called on a second one, likewise.
        all_stopped: whether all servers have stopped.
    """

    def __init__(
        self, drain: Callable[[], None], stop: Callable[[], None], all_stopped: Callable[[], bool]
    ) -> None:
        self._drain = drain
        self._stop = stop
        self._all_stopped = all_stopped
        self._listeners: list[_Listener] = []
        self._hearing: _Hearing | None = None
        self._lock = threading.Lock()

    @contextmanager
    def heard(self, wake: Callable[[], None], starting: Callable[[], bool]) -> Generator[None, None, None]:
        """Hears of the signals while its block runs, if that is on the main thread; elsewhere Python cannot.

        Args:
            wake: makes the main thread execute bytecode soon; called on any thread.
            starting: whether the server that the block runs is still starting: a second signal then ends the
                process by `SystemExit`, since nothing else ends a start-up hook that hangs.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        listener = _Listener(wake, starting)
        with self._lock:
            self._listeners.append(listener)
            if self._hearing is None:
                self._hearing = _Hearing(self)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)
                over = None if self._listeners else self._hearing
                if over is not None:
                    self._hearing = None
            if over is not None:
                over.close()

    def act(self, number: int, urgent: bool) -> None:
        """Drains all servers, or stops them if it is `urgent`."""
        name = signal.Signals(number).name
        if urgent:
            _log.warning("%s again: stopping at once", name)
            self._stop()
        else:
            _log.info("%s", name)
            self._drain()

    def wake_all(self) -> None:
        """Makes the main thread execute bytecode soon, whatever it waits for."""
        for listener in tuple(self._listeners):
            listener.wake()

    def is_starting(self) -> bool:
        """Whether a server that the main thread runs is still starting."""
        return any(listener.starting() for listener in tuple(self._listeners))

    def all_stopped(self) -> bool:
        """Whether all servers have stopped."""
        return self._all_stopped()


class _Listener:
    def __init__(self, wake: Callable[[], None], starting: Callable[[], bool]) -> None:
        self.wake = wake
        self.starting = starting


class _Hearing:
    """The time during which the signals are ours."""

    def __init__(self, signals: StopSignals) -> None:
        self._signals = signals
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._first_handled: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name="dubbo-mesh-signals", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._reader.close()
            self._writer.close()
            raise
        self._before: dict[signal.Signals, Any] = {
            number: signal.signal(number, self._handle) for number in STOP_SIGNALS
        }
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Handles the signals as before."""
        fd_now = signal.set_wakeup_fd(-1)
        if fd_now == self._writer.fileno():
            fd_now = self._fd_before  # else it is somebody's newer one, an event loop's for example
        with suppress(ValueError, OSError):  # whose it was has closed it meanwhile
            signal.set_wakeup_fd(fd_now)
        for number, previous in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL if previous is None else previous)
        self._closed = True
        with suppress(OSError):
            self._writer.send(b"\0")
        self._thread.join()
        self._reader.close()
        self._writer.close()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        # Interrupts the main thread anywhere, so it takes no lock.
        with suppress(OSError):
            self._writer.send(bytes([_HANDLED | number]))
        now = time.monotonic()
        if self._first_handled is None:
            self._first_handled = now
        elif now - self._first_handled >= REPEAT_AFTER and self._signals.is_starting():
            raise SystemExit(128 + number)

    def _listen(self) -> None:
        written = handled = acted = 0
        first: float | None = None
        stopped_since: float | None = None
        number = 0
        while not self._closed:
            if select.select([self._reader], [], [], None if first is None else 0.2)[0]:
                for byte in self._reader.recv(4096):
                    if byte & _HANDLED:
                        handled, number = handled + 1, byte & ~_HANDLED
                    elif byte in STOP_SIGNALS:
                        written, number = written + 1, byte
                    else:
                        self._forward(byte)
                self._signals.wake_all()
            now = time.monotonic()
            if max(written, handled) > acted:
                acted = max(written, handled)
                if first is None or now - first >= REPEAT_AFTER:
                    self._signals.act(number, urgent=first is not None)
                    first = now if first is None else first
            if first is None or not self._signals.all_stopped():
                stopped_since = None
            elif stopped_since is None:
                stopped_since = now
            elif now - stopped_since >= EXIT_AFTER:
                _exit(number)

    def _forward(self, byte: int) -> None:
        """Hands on a signal that is not ours, to the event loop that hears of it by its own descriptor."""
        if byte and self._fd_before != -1:
            with suppress(OSError):
                os.write(self._fd_before, bytes([byte]))


def _exit(number: int) -> None:
    """Ends a process whose main thread does not come back: a handler blocks its loop, or a hook hangs."""
    _log.critical(
        "all servers have stopped, but the main thread is still busy after %g s: exiting", EXIT_AFTER
    )
    logging.shutdown()
    os._exit(128 + number)
